"""Sensitivity figure: size against contrast, what was found and what was not, and the boundary, as an image of Pillow's."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from .colors import FOUND_COLORS
from .defaults import LESION_KINDS
from .picture import write_text
from .score_axis import ticks
from .sensitivity import Sensitivity

if TYPE_CHECKING:
    from PIL import Image

SIZE = (1040, 640)
_LEFT, _RIGHT, _TOP, _BOTTOM = 86, 30, 74, 96
_PAPER, _INK, _FAINT, _LINE = (255, 255, 255), (27, 31, 36), (87, 96, 106), (222, 226, 231)
COLORS = FOUND_COLORS
_SHARPNESS = 2
"""Drawn so many times as large and reduced."""


def sensitivity_figure(result: Sensitivity) -> Image.Image:
    """The curve of size against contrast."""
    from PIL import Image, ImageDraw

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
    write_text(draw, (_LEFT, 14), f"Sensitivity in this scan: {LESION_KINDS[result.kind]}, {result.contrast}, at R, A, S = {place} mm", 19, _INK, bold=True)
    for number, word in enumerate(COLORS):
        write_text(draw, (_LEFT + 28 + 170 * number, 56), word, 15, _FAINT, anchor="lm")
    write_text(draw, (_LEFT + 28 + 170 * len(COLORS), 56), "line: faintest found; band: where it turns", 15, _FAINT, anchor="lm")
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
    write_text(draw, ((_LEFT + SIZE[0] - _RIGHT) / 2, SIZE[1] - 34), "size of the painted lesion: diameter of the ball of its volume", 15, _INK, anchor="ma")
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
