"""PDF report: what the HTML report says, on A4 pages."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ..analysis.result import Analysis, BoxResult
from ..defaults import RESEARCH_USE
from ..metrics.metric import METRICS
from .colors import CONTROL_COLOR, VERDICT_COLORS, diverging
from .html_page import number_text
from .html_report import LIMITS, READING, about_of, chances_of, checklist_of, facts_of
from .pdf import PAGE_HEIGHT, PAGE_WIDTH, Pdf, broken, text_width
from .picture import (
    BRAIN_ONLY,
    COLUMNS,
    GAP,
    difference_legend,
    difference_range,
    fog_legend,
    side_by_side,
    slice_row,
    title_of,
)
from .plots import COMBINED, SCORES_CAPTION, SCORES_TITLE, axis_range, score_bars, scores_of, standard_text, ticks
from .provenance import settings_of
from .slice_plane import ORIENTATIONS

LEFT, RIGHT, TOP, BOTTOM = 42.0, PAGE_WIDTH - 42.0, 46.0, PAGE_HEIGHT - 44.0
WIDTH = RIGHT - LEFT
FAINT, LINE, BAND = (87, 96, 106), (207, 213, 220), (242, 244, 247)
PANEL_PIXELS = 300
LEADING = 1.27
"""Of a paragraph's lines, in its size."""
LEAST_SLICES = 0.62
"""Width of a box's slices, as a share of the page's, below which they are not read well."""
LEAST_ROWS = 4
"""Rows of a table that stand on a page at least, before and after a break."""


def write_report_pdf(analysis: Analysis, path: str | Path, name: str | None = None) -> None:
    """Write the report of all boxes as one PDF file.

    Args:
        name: what the report calls the scan; None leaves it anonymous.
    """
    report = _Report(analysis, name)
    report.write()
    report.pdf.save(path)


class _Report:
    """Fills pages from top to bottom."""

    def __init__(self, analysis: Analysis, name: str | None):
        self.analysis, self.name = analysis, name
        self.pdf = Pdf(title_of(name), RESEARCH_USE)
        self.y = BOTTOM

    def write(self) -> None:
        analysis = self.analysis
        self.paragraph(title_of(self.name), 17, bold=True)
        self.paragraph(RESEARCH_USE, 10, bold=True)
        for head, text in about_of(analysis, self.name):
            self.paragraph(f"{head}: {text}", color=FAINT)
        self.space(6)
        for result in analysis.boxes:
            self.verdict(result, f"{result.box.name}: {result.reason}")
        self.paragraph(analysis.made_by, color=FAINT)
        self.bullets("Notes on the scan", analysis.warnings)
        for result in analysis.boxes:
            self.box(result)
        self.heading("How to read this")
        self.paragraph(READING)
        self.bullets("Limits", LIMITS)
        self.table("What was checked", ("Question", "Answer"), checklist_of(analysis), (270, WIDTH - 270), self.heading)
        self.table("Provenance", ("Setting", "Value"), settings_of(analysis), (190, WIDTH - 190), self.heading)

    def need(self, height: float) -> None:
        """Begin a new page where less than `height` points are left."""
        if self.y + height > BOTTOM:
            self.pdf.add_page()
            self.y = TOP

    def space(self, height: float) -> None:
        self.y += height

    def heading(self, text: str, size: float = 12.5) -> None:
        self.need(60)
        self.space(10)
        self.pdf.line(((LEFT, self.y), (RIGHT, self.y)), LINE)
        self.space(4)
        self.paragraph(text, size, bold=True)

    def paragraph(self, text: str, size: float = 9, bold: bool = False, color=(0, 0, 0), left: float = LEFT) -> None:
        for line in broken(text, size, RIGHT - left, bold):
            self.need(LEADING * size)
            self.pdf.text(left, self.y + size, line, size, bold, color)
            self.space(LEADING * size)
        self.space(2)

    def bullets(self, title: str, sentences) -> None:
        if sentences:
            self.need(45)
            self.paragraph(title, 10, bold=True)
        for sentence in sentences:
            self.need(13)
            self.pdf.dot(LEFT + 4, self.y + 6, 1.3, (0, 0, 0))
            self.paragraph(sentence, left=LEFT + 12)

    def verdict(self, result: BoxResult, sentence: str) -> None:
        """The verdict's word on its colour, and a sentence."""
        self.need(34)
        word, size = result.word.upper(), 9
        width = text_width(word, size, True) + 12
        self.pdf.rectangle(LEFT, self.y, width, 15, VERDICT_COLORS[result.word])
        self.pdf.text(LEFT + 6, self.y + 10.8, word, size, True)
        for line in broken(sentence, 9.5, WIDTH - width - 8, True):
            self.need(13)
            self.pdf.text(LEFT + width + 8, self.y + 10.8, line, 9.5, True)
            self.space(13)
        self.space(5)

    def box(self, result: BoxResult) -> None:
        """A box; it begins on a new page if words and slices do not fit on this one and this is nearly full."""
        height = self.height_of(lambda: self.in_words(result)) + self.slices_height(LEAST_SLICES)
        if self.y > TOP + 0.6 * (BOTTOM - TOP):
            self.need(height)
        self.in_words(result)
        self.slices(result)
        self.standing(result)
        self.scores(result)
        self.metrics(result)

    def in_words(self, result: BoxResult) -> None:
        """What is said of a box before it is shown."""
        self.heading(result.box.name)
        self.verdict(result, f"{result.reason} {result.where}".strip())
        for sentence in (*result.remarks, facts_of(result), *chances_of(result), result.stability_in_words):
            if sentence:
                self.paragraph(sentence, 8.5, color=FAINT)
        self.bullets("Notes on this box", result.warnings)

    def height_of(self, draw: Callable[[], None]) -> float:
        """Points that something takes on a page of its own, a whole page where it takes more."""
        kept = self.pdf, self.y
        self.pdf, self.y = Pdf("", ""), TOP
        self.pdf.add_page()
        draw()
        height = self.y - TOP if self.pdf.pages == 1 else BOTTOM - TOP
        self.pdf, self.y = kept
        return height

    def slices_height(self, share: float) -> float:
        """Points that slices of a share of the page's width take, with heads and legends."""
        panel = (share * WIDTH - 3 * GAP / PANEL_PIXELS * share * WIDTH / len(COLUMNS)) / len(COLUMNS)
        return len(ORIENTATIONS) * (panel + 4) + 12 + 32 + (14 if fog_legend(self.analysis) else 0)

    def slices(self, result: BoxResult) -> None:
        """All slices of a box on one page, as wide as there is room for, but not too small to read."""
        self.need(self.slices_height(LEAST_SLICES))
        room, full = BOTTOM - self.y, self.slices_height(1.0)
        share = 1.0 if full <= room else 1 - (full - room) / (full - self.slices_height(0.0))
        rows = [side_by_side(slice_row(self.analysis, result, orientation, PANEL_PIXELS)) for orientation in ORIENTATIONS]
        width = share * WIDTH
        right = LEFT + width
        for number, caption in enumerate(COLUMNS):
            self.pdf.text(LEFT + number * (PANEL_PIXELS + GAP) / rows[0].width * width, self.y + 8, caption, 8, color=FAINT)
        self.space(12)
        for row in rows:
            self.space(self.pdf.picture(row, LEFT, self.y, width) + 4)
        reach = difference_range(self.analysis)
        wide = PANEL_PIXELS / rows[0].width * width
        left = right - wide
        for number, color in enumerate(diverging(np.linspace(-1, 1, 61))):
            self.pdf.rectangle(left + number * wide / 61, self.y, wide / 61 + 0.2, 7, color)
        for share, text, anchor in (
            (0, f"-{reach:g}", "left"),
            (0.5, "0", "middle"),
            (1, f"+{reach:g}", "right"),
        ):
            self.pdf.text(left + share * wide, self.y + 15, text, 7.5, color=FAINT, anchor=anchor)
        legend = f"{difference_legend(self.analysis)}; {BRAIN_ONLY}"
        self.pdf.text(right, self.y + 24, legend, 7.5, color=FAINT, anchor="right")
        self.space(32)
        if fog_legend(self.analysis):
            self.paragraph(fog_legend(self.analysis), 8.5, color=FAINT)

    def standing(self, result: BoxResult) -> None:
        """The score behind p: a dot per control region, a diamond for this one."""
        value, scores = scores_of(result)
        self.need(82)
        self.paragraph("Control distribution", 10, bold=True)
        if not scores:
            self.paragraph("There are no control regions to compare with.")
            return
        low, high = axis_range([value, *scores])
        top = self.y

        def place(score: float) -> float:
            return LEFT + 8 + (score - low) / (high - low) * (WIDTH - 16)

        axis = top + 36
        self.pdf.line(((LEFT, axis), (RIGHT, axis)), FAINT)
        for tick in ticks(low, high):
            self.pdf.line(((place(tick), axis), (place(tick), axis + 4)), FAINT)
            self.pdf.text(place(tick), axis + 12, f"{tick:g}", 7.5, color=FAINT, anchor="middle")
        for number, score in enumerate(scores):
            self.pdf.dot(place(score), axis - 6 - 8 * (number % 3), 2.6, CONTROL_COLOR)
        x, y = place(value), axis - 15
        self.pdf.polygon(((x, y - 11), (x + 8, y), (x, y + 11), (x - 8, y)), VERDICT_COLORS[result.word], (0, 0, 0))
        self.y = axis + 17
        self.paragraph(
            f"{COMBINED}: {number_text(value)} in this box (diamond); {len(scores)} control regions (dots) from "
            f"{number_text(scores[0])} to {number_text(scores[-1])}.",
            8,
            color=FAINT,
        )

    def scores(self, result: BoxResult) -> None:
        """The scores as `ScoreBars` lays them out."""
        chart = score_bars(result)
        if not chart.bars:
            return
        step = 11.0
        height = step * len(chart.bars)
        self.need(height + 52)
        self.paragraph(SCORES_TITLE, 10, bold=True)
        left, wide, top = LEFT + 150, WIDTH - 200, self.y

        def place(z: float) -> float:
            return left + chart.share(z) * wide

        for mark in chart.marks:
            self.pdf.line(((place(mark), top), (place(mark), top + height)), LINE)
            self.pdf.text(place(mark), top + height + 9, f"{mark:g}", 7.5, color=FAINT, anchor="middle")
        for bar in chart.bars:
            self.pdf.text(left - 6, self.y + 8.5, bar.label, 8, anchor="right")
            start, end = sorted((place(0), place(bar.z)))
            self.pdf.rectangle(start, self.y + 1.5, max(end - start, 0.7), 8, VERDICT_COLORS[result.word])
            for other in bar.others:
                self.pdf.dot(place(other), self.y + step / 2, 1.5, CONTROL_COLOR)
            if bar.limit is not None:
                self.pdf.line(((place(bar.limit), self.y + 0.5), (place(bar.limit), self.y + step - 0.5)), width=1.2)
            self.pdf.text(RIGHT, self.y + 8.5, standard_text(bar.z), 7.5, color=FAINT, anchor="right")
            self.space(step)
        self.space(12)
        self.paragraph(SCORES_CAPTION, 8, color=FAINT)

    def metrics(self, result: BoxResult) -> None:
        rows = []
        for key, value in result.metrics.items():
            metric = METRICS[key]
            known = [control.metrics[key] for control in result.controls if math.isfinite(control.metrics[key])]
            outside = " (outside)" if known and (value < min(known) or value > max(known)) else ""
            span = f"{number_text(min(known))} to {number_text(max(known))}" if known else "-"
            unit = f" ({metric.unit})" if metric.unit else ""
            rows.append(
                (
                    metric.label + unit,
                    number_text(value) + outside,
                    number_text(statistics.median(known)) if known else "-",
                    span,
                )
            )
        heads = ("Measure", "This box", "Control regions, median", "Control regions, range")
        widths = (190, 110, 100, WIDTH - 400)
        self.table("Comparison inside the box", heads, rows, widths, lambda title: self.paragraph(title, 10, bold=True))

    def table(self, title: str, heads, rows, widths, write_title: Callable[[str], None], size: float = 7.5) -> None:
        """Columns of the given widths under a title; the heads come again on every page, with `LEAST_ROWS` rows at least."""
        head = self._height(heads, widths, size, True)
        heights = [self._height(row, widths, size) for row in rows]
        together = len(rows) if len(rows) < 2 * LEAST_ROWS else LEAST_ROWS
        self.need(min(36 + head + sum(heights[:together]), BOTTOM - TOP))
        write_title(title)
        while heights:
            fitting = sum(bottom <= BOTTOM for bottom in np.cumsum([self.y + head, *heights])[1:])
            # one row at least, however tall it is, or the table would never end
            count = len(rows) if fitting >= len(rows) else max(1, min(fitting, len(rows) - LEAST_ROWS))
            self.pdf.rectangle(LEFT, self.y, WIDTH, head, BAND)
            self._cells(heads, widths, size, True)
            for row in rows[:count]:
                self._cells(row, widths, size, False)
                self.pdf.line(((LEFT, self.y), (RIGHT, self.y)), LINE, 0.3)
            rows, heights = rows[count:], heights[count:]
            if rows:
                self.need(BOTTOM - TOP)
        self.space(4)

    def _height(self, row, widths, size: float, bold: bool = False) -> float:
        """Points that a row takes."""
        return LEADING * size * max(len(broken(cell, size, width - 6, bold)) for cell, width in zip(row, widths)) + 1.5

    def _cells(self, row, widths, size: float, bold: bool) -> None:
        left = LEFT
        for cell, width in zip(row, widths):
            for number, line in enumerate(broken(cell, size, width - 6, bold)):
                self.pdf.text(left + 3, self.y + 1.1 * size + LEADING * size * number, line, size, bold)
            left += width
        self.space(self._height(row, widths, size, bold))
