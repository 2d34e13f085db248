"""Plots: what reports draw as SVG, with no plotting library, network or script.

`Plot` draws points, lines and bands on two axes with round numbers. The combined score of a box, whose rank is p, is shown
among those of its controls, on an axis with round numbers too. `score_chart` shows the standardised scores of a box as bars,
the most unusual first, over those of its controls.
"""

from __future__ import annotations

import math

import numpy as np

from ..analysis.result import BoxResult
from ..analysis.score import MOST_STANDARD
from ..metrics.metric import METRICS
from . import svg

MAIN, OTHER = "#d55e00", "#0072b2"
"""Colours told apart by colour-blind readers (Okabe and Ito 2008)."""

_CHART_LEFT, _RIGHT, _ROW = 220, 740, 24


_LEFT, _TOP, _BELOW = 64, 10, 46
_ALONE = {"var(--text)": "#1b1f24", "var(--faint)": "#57606a", "var(--line)": "#cfd5dc"}
"""What the page's style gives; many programs that show SVG files know no such variables."""
_TEXT = "<style>text { fill: #57606a; font: 13px sans-serif }</style>"


class Plot:
    """One plot that is drawn on and then read as SVG.

    Args:
        title: what it shows, for readers who cannot see it.
        across, up: names of the axes.
        xs, ys: values that must fit on it; what is drawn beyond is drawn on its border.
        size: width and height in pixels.
    """

    def __init__(self, title: str, across: str, up: str, xs, ys, size: tuple[int, int] = (760, 340)):
        self._title, self._across, self._up = title, across, up
        (self._x0, self._x1), (self._y0, self._y1) = (axis_range(_finite(values)) for values in (xs, ys))
        self._width, self._height = size
        self._right, self._bottom = size[0] - 12, size[1] - _BELOW
        self._parts: list[str] = []

    def points(self, xs, ys, color: str = OTHER, radius: float = 3.0, labels: list[str] | None = None) -> None:
        """A dot per pair, with what is said of it under the mouse."""
        for number, (x, y) in enumerate(zip(xs, ys)):
            said = labels[number] if labels else None
            self._parts.append(svg.circle(self._x(x), self._y(y), radius, color, said))

    def line(self, xs, ys, color: str = OTHER, width: float = 1.0, dash: str = "none", opacity: float = 1.0) -> None:
        """A line through points."""
        self._parts.append(svg.polyline(self._placed(zip(xs, ys)), color, width, dash, opacity))

    def band(self, xs, low, high, color: str = MAIN) -> None:
        """The area between two lines."""
        ends = [*zip(xs, high), *reversed(list(zip(xs, low)))]
        self._parts.append(svg.polygon(self._placed(ends), color, 0.2))

    @property
    def svg(self) -> str:
        """The plot inside a page that has the report's style."""
        return self._svg("")

    @property
    def svg_alone(self) -> str:
        """The plot as a file of its own."""
        drawn = self._svg(_TEXT)
        for variable, color in _ALONE.items():
            drawn = drawn.replace(variable, color)
        return '<?xml version="1.0" encoding="utf-8"?>\n' + drawn

    def _svg(self, style: str) -> str:
        middle = (_TOP + self._bottom) / 2
        return svg.drawing(
            self._width,
            self._height,
            self._title,
            style,
            svg.marks_across(ticks(self._x0, self._x1), self._x, _TOP, self._bottom, below=17),
            svg.marks_upwards(ticks(self._y0, self._y1), self._y, _LEFT, self._right),
            *self._parts,
            svg.text((_LEFT + self._right) / 2, self._height - 8, self._across),
            svg.text(14, middle, self._up, upwards=True),
            alone=True,
        )

    def _placed(self, points) -> list[tuple[float, float]]:
        return [(self._x(x), self._y(y)) for x, y in points]

    def _x(self, value: float) -> float:
        value = min(max(value, self._x0), self._x1)
        return round(_LEFT + (value - self._x0) / (self._x1 - self._x0) * (self._right - _LEFT), 1)

    def _y(self, value: float) -> float:
        value = min(max(value, self._y0), self._y1)
        return round(self._bottom - (value - self._y0) / (self._y1 - self._y0) * (self._bottom - _TOP), 1)


def _finite(values) -> list[float]:
    values = np.asarray(values, float).ravel()
    return values[np.isfinite(values)].tolist()


COMBINED = "Combined score (log odds)"
"""Name of the score behind p."""


def standard_text(z: float) -> str:
    """A standardised score; one that was cut says so.

    >>> standard_text(3.14), standard_text(12.0)
    ('3.1', '12 or more')
    """
    return f"{MOST_STANDARD:g} or more" if z >= MOST_STANDARD else f"{z:.1f}"


def scores_of(result: BoxResult) -> tuple[float, list[float]]:
    """The combined score of the box, and those of its controls in rising order."""
    return result.combined, sorted(control.combined for control in result.controls)


def axis_range(values: list[float]) -> tuple[float, float]:
    """Ends of an axis that holds all values with a little room, from 0 where that wastes no more than half of it."""
    low, high = min(values), max(values)
    room = 0.06 * (high - low) or 0.1 * max(abs(high), 1e-6)
    return (0.0 if 0 <= low <= 0.5 * high else low - room), high + room


def ticks(low: float, high: float) -> list[float]:
    """Round numbers between two ends, three to ten of them."""
    step = 10 ** np.floor(np.log10((high - low) / 3))
    step *= next(factor for factor in (5, 2, 1) if (high - low) / (factor * step) >= 3)
    return [float(f"{number * step:.10g}") for number in range(int(np.ceil(low / step)), int(np.floor(high / step)) + 1)]


_LEAST = -3.0
"""Left end of the axis, robust SDs; what lies below is drawn on it."""


def score_chart(result: BoxResult, color: str) -> str:
    """The chart as inline SVG with its caption; empty where no score is known.

    Args:
        color: of the bars, as CSS.
    """
    keys = result.sorted_scores
    if not keys:
        return ""
    bottom = _ROW * len(keys) + 6
    high = min(MOST_STANDARD, max(4.0, 1.05 * max(result.standings[key].z for key in keys)))

    def place(z: float) -> float:
        return round(_CHART_LEFT + (min(max(z, _LEAST), high) - _LEAST) / (high - _LEAST) * (_RIGHT - _CHART_LEFT), 1)

    parts = [svg.marks_across(range(int(_LEAST), int(high) + 1, 1 if high <= 6 else 3), place, 4, bottom)]
    for number, key in enumerate(keys):
        y, z = 4 + (number + 0.5) * _ROW, result.standings[key].z
        left, right = sorted((place(0), place(z)))
        others = [float(other) for other in result.control_scores.get(key, ()) if math.isfinite(other)]
        parts.append(
            svg.group(
                _spoken(result, key),
                svg.text(_CHART_LEFT - 8, y + 4, METRICS[key].label, "end"),
                svg.rectangle(left, y - 7, round(right - left, 1), 14, color, svg.FOREGROUND, 0.5),
                *(svg.circle(place(other), y, 2.5, svg.AXIS) for other in others),
            )
        )
    described = "Most unusual scores in this box: " + "; ".join(_spoken(result, key) for key in keys[:3])
    return (
        f"<figure>{svg.drawing(760, bottom + 24, described, *parts)}"
        "<figcaption>Scores in robust standard deviations of the healthy boxes, the most unusual first. Bar: this box; dots: "
        "healthy boxes. To the right is less like healthy tissue.</figcaption></figure>"
    )


def _spoken(result: BoxResult, key: str) -> str:
    standing = result.standings[key]
    p = "" if standing.p is None else f", p = {standing.p:.2g}"
    return f"{METRICS[key].label}: {'+' if standing.z > 0 else ''}{standard_text(standing.z)} SD{p}"
