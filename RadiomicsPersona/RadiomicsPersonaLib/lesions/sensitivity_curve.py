"""Sensitivity curve: size against contrast, what was found and what was not, and the boundary between them.

It is drawn once for page and picture: `draw` calls a canvas, and the page's makes SVG of it, the picture's pixels.
"""

from __future__ import annotations

import math

from PIL import Image, ImageColor, ImageDraw

from ..defaults import LESION_KINDS
from ..report import svg
from ..report.colors import FOUND_COLORS
from ..report.lettering import drawn_width, write_text
from ..report.plots import ON_PAPER, ticks
from .sensitivity import Sensitivity

WIDTH, HEIGHT = 760, 430
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 748, 36, 360
_RADIUS = 6
_BAND = 0.2
"""Opacity of the bar from the faintest that was found to the strongest that was missed, as in other plots."""
LEGEND = "line: faintest found; band: where it turns"


def curve_svg(result: Sensitivity) -> str:
    """The curve inside a page that has the report's style."""
    canvas = _Svg()
    draw(canvas, result)
    return svg.drawing(WIDTH, HEIGHT, f"{title_of(result)}; the table below has the numbers", *canvas.parts)


def curve_picture(result: Sensitivity) -> Image.Image:
    """The curve as a picture of its own, with its title."""
    canvas = _Picture(title_of(result))
    draw(canvas, result)
    return canvas.image()


def title_of(result: Sensitivity) -> str:
    """What the curve shows."""
    place = ", ".join(f"{value:.0f}" for value in result.place)
    return f"Sensitivity in this scan: {LESION_KINDS[result.kind]}, {result.contrast}, at R, A, S = {place} mm"


def draw(canvas, result: Sensitivity) -> None:
    """Draw axes, boundary, marks and legend."""
    sizes = [trial.diameter_mm for trial in result.trials]
    low, high = math.log(min(sizes) / 1.35), math.log(max(sizes) * 1.35)
    most = 1.12 * max(trial.contrast_sd for trial in result.trials)

    def across(millimetres: float) -> float:
        return round(_LEFT + (math.log(millimetres) - low) / (high - low) * (_RIGHT - _LEFT), 1)

    def upwards(contrast: float) -> float:
        return round(_BOTTOM - contrast / most * (_BOTTOM - _TOP), 1)

    for tick in ticks(0, most):
        canvas.line(_LEFT, upwards(tick), _RIGHT, upwards(tick), svg.GRID)
        canvas.text(_LEFT - 8, upwards(tick) + 4, f"{tick:g}", "end")
    for size in result.sizes:
        x = across(size.diameter_mm)
        canvas.line(x, _TOP, x, _BOTTOM, svg.GRID)
        canvas.text(x, _BOTTOM + 17, f"{size.diameter_mm:.1f} mm")
        canvas.text(x, _BOTTOM + 33, f"{size.size_ml:.2g} ml")
    canvas.text((_LEFT + _RIGHT) / 2, HEIGHT - 10, "Size of the painted lesion: equivalent sphere diameter")
    canvas.text(14, (_TOP + _BOTTOM) / 2, "Contrast (tissue SD)", turned=True)
    boundary = []
    for size in result.sizes:
        if size.least_contrast_sd is not None:
            x, y = across(size.diameter_mm), upwards(size.least_contrast_sd)
            below = upwards(size.missed_contrast_sd if size.missed_contrast_sd is not None else 0.0)
            canvas.area(x - _RADIUS, min(y, below), x + _RADIUS, max(y, below))
            boundary.append((x, y))
    if len(boundary) > 1:
        canvas.curve(boundary)
    for trial in result.trials:
        said = f"{trial.diameter_mm:.1f} mm, {trial.contrast_sd:.2f} SD: {trial.word}"
        canvas.mark(across(trial.diameter_mm), upwards(trial.contrast_sd), trial.word, said)
    left = _LEFT + 8
    for word in FOUND_COLORS:
        canvas.mark(left, 16, word, word)
        canvas.text(left + 13, 20, word, "start")
        left += 40 + drawn_width(word, 13)
    canvas.text(left, 20, LEGEND, "start")


def _css(word: str) -> str:
    return "#" + "".join(f"{part:02x}" for part in FOUND_COLORS[word])


class _Svg:
    """A canvas that collects shapes of SVG."""

    def __init__(self):
        self.parts: list[str] = []

    def line(self, x1: float, y1: float, x2: float, y2: float, color: str) -> None:
        self.parts.append(svg.line(x1, y1, x2, y2, color))

    def curve(self, points) -> None:
        self.parts.append(svg.polyline(points, _css("found"), 2))

    def area(self, left: float, top: float, right: float, bottom: float) -> None:
        corners = ((left, top), (right, top), (right, bottom), (left, bottom))
        self.parts.append(svg.polygon(corners, _css("found"), _BAND))

    def mark(self, x: float, y: float, word: str, said: str) -> None:
        if word == "undetermined":
            shape = svg.diamond(x, y, 1.2 * _RADIUS, 1.2 * _RADIUS, _css(word))
        else:
            shape = svg.circle(x, y, _RADIUS, _css(word)) if word == "found" else svg.ring(x, y, _RADIUS - 1, _css(word), 2.5)
        self.parts.append(svg.group(said, shape))

    def text(self, x: float, y: float, words: str, anchor: str = "middle", turned: bool = False) -> None:
        self.parts.append(svg.text(x, y, words, anchor, turned))


class _Picture:
    """A canvas of pixels on white, twice as large; shapes are drawn larger still and reduced, for smooth edges."""

    SCALE, FINER, ABOVE = 2, 2, 34

    def __init__(self, title: str):
        self._factor = self.SCALE * self.FINER
        self._shapes = Image.new("RGB", (WIDTH * self._factor, (HEIGHT + self.ABOVE) * self._factor), (255, 255, 255))
        self._draw = ImageDraw.Draw(self._shapes)
        self._texts: list[tuple] = []
        self._title = title

    def line(self, x1: float, y1: float, x2: float, y2: float, color: str) -> None:
        self._draw.line(self._at((x1, y1), (x2, y2)), fill=ImageColor.getrgb(ON_PAPER[color]), width=self._factor)

    def curve(self, points) -> None:
        self._draw.line(self._at(*points), fill=FOUND_COLORS["found"], width=2 * self._factor, joint="curve")

    def area(self, left: float, top: float, right: float, bottom: float) -> None:
        mixed = tuple(round(255 + _BAND * (part - 255)) for part in FOUND_COLORS["found"])
        self._draw.rectangle(self._at((left, top), (right, bottom)), fill=mixed)

    def mark(self, x: float, y: float, word: str, said: str) -> None:
        wide = 1.2 * _RADIUS
        box = self._at((x - _RADIUS, y - _RADIUS), (x + _RADIUS, y + _RADIUS))
        ink, color = ImageColor.getrgb(ON_PAPER[svg.FOREGROUND]), FOUND_COLORS[word]
        if word == "undetermined":
            corners = self._at((x, y - wide), (x + wide, y), (x, y + wide), (x - wide, y))
            self._draw.polygon(corners, fill=color, outline=ink, width=self._factor)
        elif word == "found":
            self._draw.ellipse(box, fill=color)
        else:
            self._draw.ellipse(box, outline=color, width=round(2.5 * self._factor))

    def text(self, x: float, y: float, words: str, anchor: str = "middle", turned: bool = False) -> None:
        self._texts.append((x, y, words, {"start": "ls", "middle": "ms", "end": "rs"}[anchor], turned))

    def image(self) -> Image.Image:
        """What was drawn."""
        image = self._shapes.resize((WIDTH * self.SCALE, (HEIGHT + self.ABOVE) * self.SCALE), Image.Resampling.LANCZOS)
        pen, size = ImageDraw.Draw(image), 13 * self.SCALE
        faint, ink = (ImageColor.getrgb(ON_PAPER[color]) for color in (svg.AXIS, svg.FOREGROUND))
        write_text(pen, (_LEFT * self.SCALE, 24 * self.SCALE), self._title, 15 * self.SCALE, ink, bold=True, anchor="ls")
        for x, y, words, anchor, turned in self._texts:
            place = (x * self.SCALE, (y + self.ABOVE) * self.SCALE)
            if not turned:
                write_text(pen, place, words, size, faint, anchor=anchor)
                continue
            upright = Image.new("L", (math.ceil(drawn_width(words, size)), round(1.4 * size)))
            write_text(ImageDraw.Draw(upright), (0, size), words, size, 255, anchor="ls")
            upright = upright.rotate(90, expand=True)
            image.paste(faint, (round(place[0] - size), round(place[1] - upright.height / 2)), upright)
        return image

    def _at(self, *points) -> list[tuple[float, float]]:
        return [(x * self._factor, (y + self.ABOVE) * self._factor) for x, y in points]
