"""Sensitivity report: what was found of which size and contrast, as a page with the curve, a picture, a table; and as files.

The curve shows size against contrast, what was found and what was not, and the boundary; it is an image of Pillow's.
"""

from __future__ import annotations

import math
from dataclasses import asdict
from html import escape
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from .. import __version__
from ..defaults import LESION_KINDS, RESEARCH_USE
from ..imaging.files import write_nifti
from ..imaging.scan import Scan
from ..report.colors import FOUND_COLORS
from ..report.html_page import data_uri, html_page, html_table, number_text
from ..report.lesion_picture import slices_of
from ..report.picture import write_text
from ..report.plots import ticks
from ..report.results_files import write_rows
from ..system.json_text import json_value, written
from .sensitivity import CAVEAT, Sensitivity


def write_sensitivity(result: Sensitivity, scan: Scan, folder: Path, example: bool = True) -> None:
    """Write sensitivity.csv (a row per painted lesion), .json, .png (the curve), .html (the page),
    and perhaps the example as NIfTI.
    """
    figure = sensitivity_figure(result)
    write_rows(folder / "sensitivity.csv", rows_of(result))
    (folder / "sensitivity.json").write_text(written(json_value(record_of(result)), indent=1) + "\n", encoding="utf-8")
    figure.save(folder / "sensitivity.png")
    (folder / "sensitivity.html").write_text(_page(result, scan, figure), encoding="utf-8", errors="backslashreplace")
    if example:
        write_nifti(folder / "example.nii.gz", result.example.values, scan.affine)
        write_nifti(folder / "example_mask.nii.gz", result.example.lesion.astype(np.uint8), scan.affine)


def rows_of(result: Sensitivity) -> list[dict]:
    """A row per painted lesion."""
    return [
        {
            "kind": result.kind,
            "asked_ml": trial.asked_ml,
            "size_ml": round(trial.size_ml, 5),
            "diameter_mm": round(trial.diameter_mm, 3),
            "strength": round(trial.strength, 4),
            "contrast_sd": round(trial.contrast_sd, 4),
            "p": trial.p,
            "probability": trial.probability,
            "combined": trial.combined,
            "label": trial.label,
            "word": trial.word,
        }
        for trial in result.trials
    ]


def record_of(result: Sensitivity) -> dict:
    """Everything but the arrays."""
    return {
        "notice": RESEARCH_USE,
        "caveat": CAVEAT,
        "version": __version__,
        "kind": result.kind,
        "contrast": result.contrast,
        "place_ras": list(result.place),
        "decision": result.decision,
        "model": result.model,
        "seed": result.seed,
        "controls": result.controls,
        "sizes": [asdict(size) for size in result.sizes],
        "trials": [asdict(trial) | {"word": trial.word, "diameter_mm": trial.diameter_mm} for trial in result.trials],
        "summary": list(sentences_of(result)),
        "warnings": list(result.warnings),
    }


def sentences_of(result: Sensitivity):
    """What was found of each size, one sentence each."""
    for size in result.sizes:
        what = f"{size.diameter_mm:.1f} mm ({size.size_ml:.2g} ml)"
        if all(trial.label is None for trial in result.trials if trial.asked_ml == size.asked_ml):
            yield f"Of {what} nothing can be told: no verdict was reached there."
        elif size.least_contrast_sd is None:
            yield f"Of {what} nothing was found, up to {size.missed_contrast_sd:.2f} SD of contrast."
        elif size.missed_contrast_sd is None:
            yield f"Of {what} everything was found, down to {size.least_contrast_sd:.2f} SD of contrast."
        else:
            yield (
                f"Of {what} lesions were found from {size.least_contrast_sd:.2f} SD of contrast on, and not yet at "
                f"{size.missed_contrast_sd:.2f} SD."
            )


def _page(result: Sensitivity, scan: Scan, figure: Image.Image) -> str:
    found = "".join(f"<li>{escape(sentence)}</li>" for sentence in sentences_of(result))
    notes = "".join(f"<li>{escape(note)}</li>" for note in result.warnings)
    curve = (
        "Each mark is one painted lesion. Orange dot: called pathological; yellow diamond: undetermined; blue ring: not found."
    )
    example = result.example
    center = scan.ras_from_ijk(np.argwhere(example.lesion).mean(axis=0))
    pictures = [
        (slices_of(scan, scan.array, center), "The scan itself."),
        (slices_of(scan, example.values, center), "An example: the largest size, as faint as it was found."),
        (slices_of(scan, example.values, center, example.lesion), "The same with its outline."),
    ]
    if not any(size.least_strength for size in result.sizes[-1:]):
        pictures[1] = (pictures[1][0], "An example: the largest size at the greatest strength, which was not found.")
    shown = "".join(
        f"<figure><img src='{data_uri(picture)}' alt='{escape(said, quote=True)}'>"
        f"<figcaption>{escape(said)}</figcaption></figure>"
        for picture, said in pictures
    )
    sizes = html_table(
        "Size by size: the box is tight around the lesion; its verdict with nothing painted stands beside it.",
        ["Size", "Volume (ml)", "Box (mm)", "Control regions", "p without lesion", "Found from (SD)", "Not yet at (SD)"],
        [
            [
                f"{s.diameter_mm:.1f} mm",
                number_text(s.size_ml),
                " x ".join(f"{edge:.0f}" for edge in s.box_mm),
                str(s.controls),
                _text(s.healthy_p),
                _text(s.least_contrast_sd),
                _text(s.missed_contrast_sd),
            ]
            for s in result.sizes
        ],
    )
    trials = html_table(
        "Every painted lesion.",
        ["Size", "Strength", "Contrast (SD)", "p", "Probability", "Verdict"],
        [
            [f"{t.diameter_mm:.1f} mm", f"{t.strength:.3g}", f"{t.contrast_sd:.2f}", _text(t.p), _text(t.probability), t.word]
            for t in result.trials
        ],
    )
    how = html_table(
        "What is needed to make these numbers again.",
        ["Setting", "Value"],
        [
            ["kind, contrast", f"{LESION_KINDS[result.kind]}, {result.contrast}"],
            ["place (R, A, S)", ", ".join(f"{value:g}" for value in result.place)],
            ["decision", f"{result.decision['rule']}, threshold {result.decision['threshold']:g}"],
            ["model", str(result.model.get("name"))],
            ["control regions, seed", f"{result.controls}, {result.seed}"],
            ["version", __version__],
        ],
        long=True,
    )
    introduction = f"<p>{escape(CAVEAT)}</p><ul>{found}</ul>" + (f"<ul>{notes}</ul>" if notes else "")
    picture = (
        f"<figure><img src='{data_uri(figure)}' alt='Size against contrast; the table below has the numbers'>"
        f"<figcaption>{curve}</figcaption></figure>"
    )
    return html_page(
        "Sensitivity in this patient",
        "",
        introduction,
        f"<section>{picture}{sizes}</section><section><h2>What was painted</h2>{shown}</section>"
        f"<section><details><summary>Lesion by lesion</summary>{trials}</details></section><section>{how}</section>",
    )


def _text(value: float | None) -> str:
    return "-" if value is None else f"{value:.2g}"


SIZE = (1040, 640)
_LEFT, _RIGHT, _TOP, _BOTTOM = 86, 30, 74, 96
_PAPER, _INK, _FAINT, _LINE = (255, 255, 255), (27, 31, 36), (87, 96, 106), (222, 226, 231)
COLORS = FOUND_COLORS
_SHARPNESS = 2
"""Drawn so many times as large and reduced."""


def sensitivity_figure(result: Sensitivity) -> Image.Image:
    """The curve of size against contrast."""
    axes = _Axes(result)
    image = Image.new("RGB", SIZE, _PAPER)
    draw = ImageDraw.Draw(image)
    _frame(draw, axes, result)
    layer = image.resize([_SHARPNESS * n for n in SIZE], Image.Resampling.LANCZOS)
    fine = ImageDraw.Draw(layer)
    _boundary(fine, axes, result)
    for trial in result.trials:
        _mark(fine, axes.x(trial.diameter_mm), axes.y(trial.contrast_sd), trial.word)
    for number, word in enumerate(COLORS):
        _mark(fine, _LEFT + 14 + 170 * number, 56, word)
    return layer.resize(SIZE, Image.Resampling.LANCZOS)


class _Axes:
    """From millimetres (logarithmic) and SD to pixels."""

    def __init__(self, result: Sensitivity):
        sizes = [trial.diameter_mm for trial in result.trials]
        self.low, self.high = math.log(min(sizes) / 1.35), math.log(max(sizes) * 1.35)
        self.top = 1.12 * max(trial.contrast_sd for trial in result.trials)

    def x(self, millimetres: float) -> float:
        return _LEFT + (math.log(millimetres) - self.low) / (self.high - self.low) * (SIZE[0] - _LEFT - _RIGHT)

    def y(self, contrast: float) -> float:
        return SIZE[1] - _BOTTOM - contrast / self.top * (SIZE[1] - _TOP - _BOTTOM)


def _frame(draw, axes: _Axes, result: Sensitivity) -> None:
    place = ", ".join(f"{value:.0f}" for value in result.place)
    write_text(
        draw,
        (_LEFT, 14),
        f"Sensitivity in this scan: {LESION_KINDS[result.kind]}, {result.contrast}, at R, A, S = {place} mm",
        19,
        _INK,
        bold=True,
    )
    for number, word in enumerate(COLORS):
        write_text(draw, (_LEFT + 28 + 170 * number, 56), word, 15, _FAINT, anchor="lm")
    write_text(
        draw, (_LEFT + 28 + 170 * len(COLORS), 56), "line: faintest found; band: where it turns", 15, _FAINT, anchor="lm"
    )
    bottom = SIZE[1] - _BOTTOM
    for tick in ticks(0, axes.top):
        draw.line((_LEFT, axes.y(tick), SIZE[0] - _RIGHT, axes.y(tick)), fill=_LINE)
        write_text(draw, (_LEFT - 8, axes.y(tick)), f"{tick:g}", 14, _FAINT, anchor="rm")
    for size in result.sizes:
        x = axes.x(size.diameter_mm)
        draw.line((x, _TOP, x, bottom), fill=_LINE)
        write_text(draw, (x, bottom + 8), f"{size.diameter_mm:.1f} mm", 14, _INK, anchor="ma")
        write_text(draw, (x, bottom + 27), f"{size.size_ml:.2g} ml", 14, _FAINT, anchor="ma")
    draw.line((_LEFT, _TOP, _LEFT, bottom, SIZE[0] - _RIGHT, bottom), fill=_FAINT)
    write_text(
        draw,
        ((_LEFT + SIZE[0] - _RIGHT) / 2, SIZE[1] - 34),
        "size of the painted lesion: equivalent sphere diameter",
        15,
        _INK,
        anchor="ma",
    )
    # Pillow writes no upright text; the axis is named above it instead
    write_text(draw, (8, _TOP - 2), "contrast", 15, _INK, anchor="ld")
    write_text(draw, (8, _TOP + 14), "(tissue SD)", 13, _FAINT, anchor="ld")


def _boundary(draw, axes: _Axes, result: Sensitivity) -> None:
    """The faintest that were found as a line over sizes, and from each down to the strongest that was missed a bar."""
    ends = []
    for size in result.sizes:
        x = axes.x(size.diameter_mm)
        if size.least_contrast_sd is None:
            continue
        y = axes.y(size.least_contrast_sd)
        below = axes.y(size.missed_contrast_sd if size.missed_contrast_sd is not None else 0.0)
        box = [_SHARPNESS * value for value in (x - 7, min(y, below), x + 7, max(y, below))]
        draw.rectangle(box, fill=(250, 223, 200))
        ends.append((_SHARPNESS * x, _SHARPNESS * y))
    if len(ends) > 1:
        draw.line(ends, fill=COLORS["found"], width=3 * _SHARPNESS, joint="curve")


def _mark(draw, x: float, y: float, word: str) -> None:
    x, y, radius = _SHARPNESS * x, _SHARPNESS * y, 7 * _SHARPNESS
    box = (x - radius, y - radius, x + radius, y + radius)
    if word == "found":
        draw.ellipse(box, fill=COLORS[word], outline=_INK, width=_SHARPNESS)
    elif word == "undetermined":
        corners = ((x, y - 1.2 * radius), (x + 1.2 * radius, y), (x, y + 1.2 * radius), (x - 1.2 * radius, y))
        draw.polygon(corners, fill=COLORS[word], outline=_INK, width=_SHARPNESS)
    else:
        draw.ellipse(box, fill=_PAPER, outline=COLORS[word], width=3 * _SHARPNESS)
