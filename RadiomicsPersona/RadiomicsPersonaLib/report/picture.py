"""Picture: the boxes of an analysis as images, with numpy and Pillow only.

Every row of panels shows one orientation: the whole slice with the box, then scan, healthy persona and difference
around the box.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterator

import numpy as np
from PIL import Image, ImageDraw
from scipy import ndimage

from ..analysis.result import EXPECTED_ERRORS, Analysis, BoxResult
from ..defaults import RESEARCH_USE
from ..geometry.box import Box
from ..geometry.hole import Hole
from ..imaging.scan import Scan
from .colors import (
    CONTROL_COLOR,
    DIFFERENCE_RANGE,
    FOG,
    FOG_COLOR,
    UNUSUAL_COLOR,
    VERDICT_COLORS,
    density_of_fog,
    diverging,
)
from .lettering import drawn_width, lines_of, write_text
from .plots import COMBINED, SCORES_CAPTION, SCORES_TITLE, axis_range, score_bars, scores_of, standard_text, ticks
from .slice_plane import ORIENTATIONS, Plane, cut, cut_hole, outline, planes_around, planes_of_scan

PANEL = 272
GAP = 8
MARGIN = 24
COLUMNS = ("Whole slice", "Scan", "Healthy persona", "Difference")
STRIP = 96
"""Height of the band below the slices."""
ROUND_RANGES = (DIFFERENCE_RANGE, 4.0, 5.0, 6.0, 8.0, 10.0, 15.0, 20.0, 30.0)
"""Ends of the difference's colours."""
CONTEXT_MM = 20.0
"""Millimetres shown on every side of a box."""
BAR_MM = 20.0
"""Length of the scale bar."""
MOST_BARS = 5
"""Scores shown of each box."""
MOST_BOXES = 4
"""Boxes on one picture; more need further ones."""
WIDTH = 2 * MARGIN + len(COLUMNS) * PANEL + (len(COLUMNS) - 1) * GAP

BACKGROUND, TEXT, FAINT = (18, 21, 26), (236, 239, 243), (176, 184, 194)


def display_window(analysis: Analysis) -> tuple[float, float]:
    """Intensities shown black and white: from air to the brightest brain, boxes included."""
    if analysis.window:
        return analysis.window
    tissue = analysis.tissue
    brightest = [np.percentile(tissue.values[tissue.brain & tissue.known], 99.8)]
    for result in analysis.boxes:
        hole = result.reconstruction.hole
        brightest.append(np.percentile(analysis.scan.array[hole.region][hole.mask], 99))
    low, high = float(tissue.background), float(max(brightest))
    return low, max(high, low + tissue.scale.deviation)


def slice_row(analysis: Analysis, result: BoxResult, orientation: str, pixels: int = PANEL) -> list[Image.Image]:
    """The panels named in `COLUMNS` for one box and one orientation, each `pixels` wide and high, with outlines and letters."""
    number = ORIENTATIONS.index(orientation)
    whole = planes_of_scan(analysis.scan, result.box.center, pixels)[number]
    close = planes_around(result.box, CONTEXT_MM, pixels)[number]
    scan, window = analysis.scan, display_window(analysis)
    around = gray(scan.array, scan.affine, close, window)
    persona = _in_fog(analysis, close, gray(analysis.reconstruction, scan.affine, close, window))
    return [
        _annotated(scan, gray(scan.array, scan.affine, whole, window), result, whole, f"{orientation}, {whole.position}"),
        _annotated(scan, around, result, close, scale_bar=True),
        _annotated(scan, persona, result, close),
        _annotated(scan, _difference(analysis, result, close, around), result, close),
    ]


def slice_triplet(analysis: Analysis, result: BoxResult, orientation: str = "axial", pixels: int = PANEL) -> Image.Image:
    """Scan, healthy persona and difference around the box, side by side."""
    return side_by_side(slice_row(analysis, result, orientation, pixels)[1:])


def side_by_side(panels: list[Image.Image]) -> Image.Image:
    """Panels of one height in one image."""
    image = Image.new("RGB", (sum(panel.width + GAP for panel in panels) - GAP, panels[0].height), BACKGROUND)
    left = 0
    for panel in panels:
        image.paste(panel, (left, 0))
        left += panel.width + GAP
    return image


def pictures_of(analysis: Analysis, name: str | None = None) -> Iterator[Image.Image]:
    """Pictures of all boxes, `MOST_BOXES` on each; see `picture_of`."""
    for page in range(math.ceil(len(analysis.boxes) / MOST_BOXES)):
        yield picture_of(analysis, name, page)


def picture_of(analysis: Analysis, name: str | None = None, page: int = 0) -> Image.Image:
    """One picture of `MOST_BOXES` boxes: verdict, slices, difference scale, and the score among its controls.

    Args:
        name: what the picture calls the scan; None leaves it anonymous.
        page: 0 for the first boxes.
    """
    shown = analysis.boxes[page * MOST_BOXES : (page + 1) * MOST_BOXES]
    parts = [_title(analysis, name)] + [_box_part(analysis, result) for result in shown]
    pages = math.ceil(len(analysis.boxes) / MOST_BOXES)
    parts.append(paragraphs([RESEARCH_USE] + ([f"Picture {page + 1} of {pages}."] if pages > 1 else []), 15, FAINT))
    image = Image.new("RGB", (WIDTH, sum(part.height for part in parts)), BACKGROUND)
    top = 0
    for part in parts:
        image.paste(part, (0, top))
        top += part.height
    return image


def gray(array: np.ndarray, affine: np.ndarray, plane: Plane, window: tuple[float, float]) -> np.ndarray:
    """A volume on a plane in shades of grey between two intensities; uint8 (pixels, pixels, 3)."""
    low, high = window
    values = cut(array, affine, plane, outside=low)
    shades = np.rint(np.clip((values - low) / (high - low), 0, 1) * 255).astype(np.uint8)
    return np.repeat(shades[..., None], 3, axis=-1)


def _difference(analysis: Analysis, result: BoxResult, plane: Plane, scan: np.ndarray) -> np.ndarray:
    """The difference in colours where voxels were rebuilt, over a dimmed scan."""
    # voxel by voxel: between two voxels there is no difference to show
    deviation = cut(analysis.difference_in_units, analysis.scan.affine, plane, outside=0, order=0)
    hole = result.reconstruction.hole
    inside = cut_hole(analysis.scan, hole if result.brain is None else Hole(hole.start, result.brain), plane)[..., None]
    return np.where(inside, diverging(deviation / difference_range(analysis)), (scan * 0.4).astype(np.uint8))


def _in_fog(analysis: Analysis, plane: Plane, persona: np.ndarray) -> np.ndarray:
    """The persona under a veil that is the denser the farther it may be off."""
    expected = analysis.expected_error
    if expected is None:
        return persona
    off = cut(expected, analysis.scan.affine, plane, outside=0) / analysis.tissue.scale.deviation
    density = density_of_fog(off)[..., None]
    return np.rint((1 - density) * persona + density * np.array(FOG_COLOR)).astype(np.uint8)


def difference_range(analysis: Analysis) -> float:
    """Units of `Analysis.difference_in_units` at which its colours saturate: at least `DIFFERENCE_RANGE`, and more where more
    than a hundredth of the brain in the boxes differs by more.
    """
    shares, difference = [], analysis.difference_in_units
    for result in analysis.boxes:
        hole = result.reconstruction.hole
        inside = hole.mask if result.brain is None else result.brain
        shares.append(np.abs(difference[hole.region][inside]))
    found = np.concatenate(shares)
    largest = float(np.percentile(found, 99)) if found.size else 0.0
    return next((value for value in ROUND_RANGES if value >= largest), ROUND_RANGES[-1])


def _with_outline(scan: Scan, pixels: np.ndarray, result: BoxResult, plane: Plane) -> np.ndarray:
    """The pixels with the border of what is unusual in `UNUSUAL_COLOR`."""
    if result.unusual is None or not result.unusual.any():
        return pixels
    inside = cut_hole(scan, Hole(result.reconstruction.hole.start, result.unusual), plane)
    border = inside & ~ndimage.binary_erosion(inside)
    return np.where(border[..., None], np.array(UNUSUAL_COLOR, np.uint8), pixels)


def _annotated(
    scan: Scan, pixels: np.ndarray, result: BoxResult, plane: Plane, caption: str = "", scale_bar: bool = False
) -> Image.Image:
    """`annotated` with the colour of the box's verdict and the outline of what is unusual in the box."""
    marked = _with_outline(scan, pixels, result, plane)
    return annotated(marked, result.box, plane, VERDICT_COLORS[result.word], caption, scale_bar)


def annotated(
    pixels: np.ndarray, box: Box, plane: Plane, color: tuple[int, int, int], caption: str = "", scale_bar: bool = False
) -> Image.Image:
    """A panel with the outline of a box, orientation letters, caption and scale bar."""
    image = Image.fromarray(pixels)
    _draw_outline(image, outline(box, plane), color)
    return marked(image, plane, caption, BAR_MM if scale_bar else None)


def marked(image: Image.Image, plane: Plane, caption: str = "", bar_mm: float | None = None) -> Image.Image:
    """The panel itself, with orientation letters, caption and a scale bar of so many millimetres drawn on it."""
    draw = ImageDraw.Draw(image)
    side = image.width
    length = (bar_mm or 0) / plane.side * side
    # a bar that reaches the middle lies below the letter there, and leaves no room for the caption
    long = length > side / 2 - 24
    bottom = side - (15 if long else 4)
    places = ((6, side / 2, "lm"), (side - 6, side / 2, "rm"), (side / 2, 4, "ma"), (side / 2, bottom, "md"))
    for letter, (x, y, anchor) in zip(plane.letters, places):
        write_text(draw, (x, y), letter, 14, TEXT, anchor=anchor, halo=True)
    if caption:
        # as small as it must be to end before the letter in the middle
        size = next((size for size in (13, 12, 11, 10) if drawn_width(caption, size) < side / 2 - 20), 9)
        write_text(draw, (6, 5 if long else side - 6), caption, size, TEXT, anchor="la" if long else "ld", halo=True)
    if bar_mm:
        words = f"{bar_mm:g} mm" if bar_mm < 50 else f"{bar_mm / 10:g} cm"
        draw.rectangle((side - 9 - length, side - 12, side - 8, side - 8), fill=TEXT, outline=(0, 0, 0))
        write_text(draw, (side - 8, side - 14), words, 13, TEXT, anchor="rd", halo=True)
    return image


def _draw_outline(image: Image.Image, corners: np.ndarray, color: tuple[int, int, int]) -> None:
    """A closed line through corners (n, 2), pixels, drawn four times as large and reduced: Pillow's have no smooth edges."""
    if not len(corners):
        return
    # no more than the part that holds the line and the filter's reach
    low = np.clip(np.floor(corners.min(axis=0)).astype(int) - 6, 0, image.size)
    high = np.clip(np.ceil(corners.max(axis=0)).astype(int) + 7, 0, image.size)
    if (high <= low).any():
        return
    layer = Image.new("RGBA", tuple((4 * (high - low)).tolist()))
    points = [tuple(corner) for corner in (corners - low) * 4]
    ImageDraw.Draw(layer).line([*points, *points[:2]], fill=(*color, 255), width=7, joint="curve")
    layer = layer.resize(tuple((high - low).tolist()), Image.Resampling.LANCZOS)
    image.paste(layer, tuple(low.tolist()), layer)


def title_of(name: str | None) -> str:
    """The title of pictures and reports; without the scan's name where that is None."""
    return f"Healthy persona of {name}" if name else "Healthy persona"


def _title(analysis: Analysis, name: str | None) -> Image.Image:
    words = [result.word for result in analysis.boxes]
    counts = [f"{words.count(word)} {word}" for word in VERDICT_COLORS if word in words]
    boxes = "1 box" if len(words) == 1 else f"{len(words)} boxes"
    part = paragraphs([title_of(name)], 22, TEXT, bold=True, below=0)
    return stacked([part, paragraphs([f"{boxes}: {', '.join(counts)}", *analysis.warnings], 15, FAINT, above=4, below=4)])


def _box_part(analysis: Analysis, result: BoxResult) -> Image.Image:
    rows = [side_by_side(slice_row(analysis, result, orientation)) for orientation in ORIENTATIONS]
    bars = [_bars(result)] if result.sorted_scores else []
    fog = [paragraphs([fog_legend(analysis)], 14, FAINT, above=2, below=0)] if fog_legend(analysis) else []
    legends = side_by_side([_strip(result), _legend(analysis)])
    return stacked([_heading(result), _captions(), *rows, *fog, legends, *bars])


def _heading(result: BoxResult) -> Image.Image:
    chip = result.word.upper()
    width = int(drawn_width(chip, 16, bold=True)) + 24
    image = Image.new("RGB", (WIDTH, 52), BACKGROUND)
    draw = ImageDraw.Draw(image)
    draw.line((MARGIN, 6, WIDTH - MARGIN, 6), fill=(60, 66, 76))
    draw.rounded_rectangle((MARGIN, 16, MARGIN + width, 46), 6, fill=VERDICT_COLORS[result.word])
    write_text(draw, (MARGIN + 12, 31), chip, 16, (0, 0, 0), bold=True, anchor="lm")
    p = "no p-value" if result.p is None else f"p = {result.p:.2g}"
    name = _fitting(f"{result.box.name}: {p}", 18, WIDTH - 2 * MARGIN - width - 14)
    write_text(draw, (MARGIN + width + 14, 31), name, 18, TEXT, bold=True, anchor="lm")
    return stacked(
        [image, paragraphs([f"{result.reason} {result.where}".strip(), *result.warnings], 15, TEXT, above=0, below=4)]
    )


def _captions() -> Image.Image:
    image = Image.new("RGB", (WIDTH, 24), BACKGROUND)
    for number, caption in enumerate(COLUMNS):
        write_text(ImageDraw.Draw(image), (MARGIN + number * (PANEL + GAP), 20), caption, 14, FAINT, anchor="ls")
    return image


BRAIN_ONLY = "brain only"
"""Where the difference has colours; stands beside its legend."""


def difference_legend(analysis: Analysis) -> str:
    """What is written below the difference's colours."""
    return f"scan darker | brighter, in {analysis.unit}"


def fog_legend(analysis: Analysis) -> str:
    """What is written below the personas; empty where they have no veil."""
    if analysis.unit != EXPECTED_ERRORS:
        return ""
    return f"The persona lies in fog where it may be off by more than {FOG[0]:g} tissue SD, in the densest by {FOG[1]:g}."


def _legend(analysis: Analysis) -> Image.Image:
    """The difference's colours, for below the last column."""
    reach = difference_range(analysis)
    image = Image.new("RGB", (PANEL, STRIP), BACKGROUND)
    draw = ImageDraw.Draw(image)
    image.paste(Image.fromarray(np.repeat(diverging(np.linspace(-1, 1, PANEL))[None], 12, axis=0)))
    for share, label, anchor in ((0, f"-{reach:g}", "la"), (0.5, "0", "ma"), (1, f"+{reach:g}", "ra")):
        write_text(draw, (share * PANEL, 16), label, 13, FAINT, anchor=anchor)
    write_text(draw, (PANEL / 2, 34), difference_legend(analysis), 13, FAINT, anchor="ma")
    write_text(draw, (PANEL / 2, 52), BRAIN_ONLY, 13, FAINT, anchor="ma")
    return image


def _strip(result: BoxResult) -> Image.Image:
    """The box's score as a diamond over its controls' scores as dots."""
    width = 3 * PANEL + 2 * GAP
    image = Image.new("RGB", (width, STRIP), BACKGROUND)
    draw = ImageDraw.Draw(image)
    value, scores = scores_of(result)
    low, high = axis_range([value, *scores])
    left, right, line = 12, width - 28, 62

    def place(score: float) -> float:
        return left + (score - low) / (high - low) * (right - left)

    count = f"{len(scores)} control regions of this scan" if scores else "no control regions to compare with"
    write_text(draw, (0, 14), f"{COMBINED}: diamond = this box, dots = {count}", 14, FAINT, anchor="ls")
    draw.line((left, line, right, line), fill=(90, 98, 110))
    for tick in ticks(low, high):
        draw.line((place(tick), line, place(tick), line + 5), fill=(130, 138, 150))
        write_text(draw, (place(tick), line + 8), f"{tick:g}", 13, FAINT, anchor="ma")
    for number, score in enumerate(scores):
        x, y = place(score), line - 10 - 9 * (number % 3)
        draw.ellipse((x - 4, y - 4, x + 4, y + 4), fill=CONTROL_COLOR, outline=BACKGROUND)
    x, y = place(value), line - 19
    draw.polygon(((x, y - 13), (x + 10, y), (x, y + 13), (x - 10, y)), fill=VERDICT_COLORS[result.word], outline=TEXT)
    return image


def _bars(result: BoxResult) -> Image.Image:
    """The most unusual scores as `ScoreBars` lays them out."""
    chart = score_bars(result, MOST_BARS)
    width, step, left, top = 4 * PANEL + 3 * GAP, 24, 260, 44
    bottom = top + step * len(chart.bars)
    image = Image.new("RGB", (width, bottom + 24), BACKGROUND)
    draw = ImageDraw.Draw(image)
    for line, words in enumerate(textwrap.wrap(f"{SCORES_TITLE}. {SCORES_CAPTION}", 150)):
        write_text(draw, (0, 14 + 18 * line), words, 14, FAINT, anchor="ls")

    def place(z: float) -> float:
        return left + chart.share(z) * (width - left - 110)

    for mark in chart.marks:
        draw.line((place(mark), top, place(mark), bottom), fill=(60, 66, 76))
        write_text(draw, (place(mark), bottom + 4), f"{mark:g}", 13, FAINT, anchor="ma")
    for number, bar in enumerate(chart.bars):
        middle = top + step * (number + 0.5)
        write_text(draw, (left - 12, middle), bar.label, 14, TEXT, anchor="rm")
        start, end = sorted((place(0), place(bar.z)))
        draw.rectangle((start, middle - 7, max(end, start + 1), middle + 7), fill=VERDICT_COLORS[result.word])
        for other in bar.others:
            x = place(other)
            draw.ellipse((x - 3, middle - 3, x + 3, middle + 3), fill=CONTROL_COLOR, outline=BACKGROUND)
        if bar.limit is not None:
            draw.line((place(bar.limit), middle - 11, place(bar.limit), middle + 11), fill=TEXT, width=2)
        write_text(draw, (width, middle), standard_text(bar.z), 13, FAINT, anchor="rm")
    return image


def stacked(parts: list[Image.Image]) -> Image.Image:
    """Parts below each other; narrower ones are indented by the margin and followed by a gap."""
    heights = [part.height + (GAP if part.width < WIDTH else 0) for part in parts]
    image = Image.new("RGB", (WIDTH, sum(heights)), BACKGROUND)
    for part, top in zip(parts, np.cumsum([0, *heights[:-1]])):
        image.paste(part, (MARGIN if part.width < WIDTH else 0, int(top)))
    return image


def paragraphs(texts: list[str], size: int, color, bold: bool = False, above: int = 14, below: int = 14) -> Image.Image:
    """Paragraphs, broken at the picture's width."""
    width, lines = WIDTH - 2 * MARGIN, []
    for text in texts:
        lines += lines_of(text, width, lambda words: drawn_width(words, size, bold))
    step = round(size * 1.4)
    image = Image.new("RGB", (WIDTH, above + step * len(lines) + below), BACKGROUND)
    for number, line in enumerate(lines):
        write_text(ImageDraw.Draw(image), (MARGIN, above + number * step), line, size, color, bold=bold)
    return image


def _fitting(text: str, size: int, width: float) -> str:
    """The text, its middle left out where it is wider than `width` pixels."""
    while drawn_width(text, size, bold=True) > width and len(text) > 5:
        half = len(text) // 2
        text = text[: half - 2] + "..." + text[half + 2 :]
    return text
