"""Plots: what reports draw as SVG, with no plotting library, network or script.

`Plot` draws points, lines and bands on two axes with round numbers. The combined score of a box, whose rank is p, is shown
among those of its controls, on an axis with round numbers too. `score_chart` shows the standardised scores of a box as bars,
the most unusual first, over those of its controls.
"""

from __future__ import annotations

import math
from html import escape

import numpy as np

from ..analysis.result import BoxResult
from ..analysis.score import MOST_STANDARD
from ..metrics.metric import METRICS

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
            said = f"<title>{escape(labels[number])}</title>" if labels else ""
            self._parts.append(f"<circle cx='{self._x(x)}' cy='{self._y(y)}' r='{radius}' fill='{color}'>{said}</circle>")

    def line(self, xs, ys, color: str = OTHER, width: float = 1.0, dash: str = "none", opacity: float = 1.0) -> None:
        """A line through points."""
        path = " ".join(f"{self._x(x)},{self._y(y)}" for x, y in zip(xs, ys))
        self._parts.append(
            f"<polyline points='{path}' fill='none' stroke='{color}' stroke-width='{width}' stroke-dasharray='{dash}' "
            f"opacity='{opacity}'/>"
        )

    def band(self, xs, low, high, color: str = MAIN) -> None:
        """The area between two lines."""
        ends = [*zip(xs, high), *reversed(list(zip(xs, low)))]
        path = " ".join(f"{self._x(x)},{self._y(y)}" for x, y in ends)
        self._parts.append(f"<polygon points='{path}' fill='{color}' opacity='0.2'/>")

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
        marks = "".join(
            f"<line x1='{self._x(tick)}' y1='{_TOP}' x2='{self._x(tick)}' y2='{self._bottom}' stroke='var(--line)'/>"
            f"<text x='{self._x(tick)}' y='{self._bottom + 17}' text-anchor='middle'>{tick:g}</text>"
            for tick in ticks(self._x0, self._x1)
        ) + "".join(
            f"<line x1='{_LEFT}' y1='{self._y(tick)}' x2='{self._right}' y2='{self._y(tick)}' stroke='var(--line)'/>"
            f"<text x='{_LEFT - 8}' y='{self._y(tick) + 4}' text-anchor='end'>{tick:g}</text>"
            for tick in ticks(self._y0, self._y1)
        )
        return (
            f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {self._width} {self._height}' role='img' "
            f"aria-label='{escape(self._title, quote=True)}'>{style}{marks}"
            f"{''.join(self._parts)}"
            f"<text x='{(_LEFT + self._right) / 2}' y='{self._height - 8}' text-anchor='middle'>{escape(self._across)}</text>"
            f"<text x='14' y='{middle}' text-anchor='middle' "
            f"transform='rotate(-90 14 {middle})'>{escape(self._up)}</text></svg>"
        )

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

    parts = [
        f"<line x1='{place(tick)}' y1='4' x2='{place(tick)}' y2='{bottom}' stroke='var(--line)'/>"
        f"<text x='{place(tick)}' y='{bottom + 16}' text-anchor='middle'>{tick}</text>"
        for tick in range(int(_LEAST), int(high) + 1, 1 if high <= 6 else 3)
    ]
    for number, key in enumerate(keys):
        y, z = 4 + (number + 0.5) * _ROW, result.standings[key].z
        left, right = sorted((place(0), place(z)))
        others = [float(other) for other in result.control_scores.get(key, ()) if math.isfinite(other)]
        parts.append(
            f"<g><title>{escape(_spoken(result, key))}</title>"
            f"<text x='{_CHART_LEFT - 8}' y='{y + 4}' text-anchor='end'>{escape(METRICS[key].label)}</text>"
            f"<rect x='{left}' y='{y - 7}' width='{right - left:.1f}' height='14' fill='{color}' stroke='var(--text)' "
            "stroke-width='0.5'/>"
            + "".join(f"<circle cx='{place(other)}' cy='{y}' r='2.5' fill='var(--faint)'/>" for other in others)
            + "</g>"
        )
    described = "Most unusual scores in this box: " + "; ".join(_spoken(result, key) for key in keys[:3])
    return (
        f"<figure><svg viewBox='0 0 760 {bottom + 24}' role='img' "
        f"aria-label='{escape(described, quote=True)}'>{''.join(parts)}</svg>"
        "<figcaption>Scores in robust standard deviations of the healthy boxes, the most unusual first. Bar: this box; dots: "
        "healthy boxes. To the right is less like healthy tissue.</figcaption></figure>"
    )


def _spoken(result: BoxResult, key: str) -> str:
    standing = result.standings[key]
    p = "" if standing.p is None else f", p = {standing.p:.2g}"
    return f"{METRICS[key].label}: {standing.z:+.1f} SD{p}"
