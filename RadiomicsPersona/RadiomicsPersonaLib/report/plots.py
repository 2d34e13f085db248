"""Plots: what reports draw as SVG, with no plotting library, network or script.

`Plot` draws points, lines and bands on two axes with round numbers. The combined score of a box, whose rank is p, is shown
among those of its controls, on an axis with round numbers too. `ScoreBars` is the chart of a box's scores for page, PDF and
picture alike: bars, the most unusual first, over those of its controls.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..analysis.result import BoxResult
from ..analysis.score import MOST_STANDARD
from ..defaults import USUAL_PERCENT
from ..metrics.metric import METRICS
from . import svg

MAIN, OTHER = "#d55e00", "#0072b2"
"""Colours told apart by colour-blind readers (Okabe and Ito 2008)."""

_CHART_LEFT, _RIGHT, _VALUES, _ROW = 220, 670, 756, 24


_LEFT, _TOP, _BELOW = 64, 10, 46
ON_PAPER = {svg.FOREGROUND: "#1b1f24", svg.AXIS: "#57606a", svg.GRID: "#cfd5dc"}
"""What the page's style gives; pictures, and many programs that show SVG files, know no such variables."""
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

    def line(
        self,
        xs,
        ys,
        color: str = OTHER,
        width: float = 1.0,
        dash: str = "none",
        opacity: float = 1.0,
        label: str | None = None,
    ) -> None:
        """A line through points, with what is said of it under the mouse."""
        self._parts.append(svg.polyline(self._placed(zip(xs, ys)), color, width, dash, opacity, label))

    def band(self, xs, low, high, color: str = MAIN) -> None:
        """The area between two lines."""
        ends = [*zip(xs, high), *reversed(list(zip(xs, low)))]
        self._parts.append(svg.polygon(self._placed(ends), color, 0.2))

    @property
    def svg(self) -> str:
        """The plot inside a page that has the report's style."""
        return self._svg("", alone=False)

    @property
    def svg_alone(self) -> str:
        """The plot as a file of its own."""
        drawn = self._svg(_TEXT, alone=True)
        for variable, color in ON_PAPER.items():
            drawn = drawn.replace(variable, color)
        return '<?xml version="1.0" encoding="utf-8"?>\n' + drawn

    def _svg(self, style: str, alone: bool) -> str:
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
            alone=alone,
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
"""Left end of the axis of scores, robust SDs; what lies below is drawn on it."""
SCORES_TITLE = "Score profile"
SCORES_CAPTION = (
    f"Scores in robust SD of the control regions, the most unusual first. Bar: this box; dots: control regions; line: "
    f"{USUAL_PERCENT:g} % of them lie to its left. Further right is less like healthy tissue."
)
"""What the chart of scores says of itself, wherever it is drawn."""


@dataclass(frozen=True)
class ScoreBar:
    """One score of a box, as every chart of scores shows it; robust SDs.

    Attributes:
        label: the metric's name.
        z: of the box.
        limit: up to which `USUAL_PERCENT` of the controls lie; None without any.
        others: of the controls.
    """

    label: str
    z: float
    limit: float | None
    others: tuple[float, ...]

    @property
    def reach(self) -> float:
        """Right end of bar, line and dots."""
        return max(self.z, *self.others, self.z if self.limit is None else self.limit)


@dataclass(frozen=True)
class ScoreBars:
    """The chart of a box's scores before it is drawn on page, PDF or picture: its bars, and their axis from low to high."""

    bars: tuple[ScoreBar, ...]
    low: float
    high: float

    def share(self, value: float) -> float:
        """Where a value lies on the axis, 0 to 1; what is beyond lies on its end."""
        return (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)

    @property
    def marks(self) -> list[int]:
        """Round numbers of the axis."""
        return list(range(int(self.low), int(self.high) + 1, 1 if self.high <= 6 else 3))


def score_bars(result: BoxResult, most: int | None = None) -> ScoreBars:
    """The bars of a box, the most unusual first; at most `most` of them."""
    bars = []
    for key in result.sorted_scores[:most]:
        limit = result.usual_limit(key)
        others = tuple(float(other) for other in result.control_scores.get(key, ()) if math.isfinite(other))
        z = result.standings[key].z
        bars.append(ScoreBar(METRICS[key].label, z, limit if math.isfinite(limit) else None, others))
    high = max([4.0, *(1.05 * bar.reach for bar in bars)])
    return ScoreBars(tuple(bars), _LEAST, high)


def score_chart(result: BoxResult, color: str) -> str:
    """The chart as inline SVG with its caption; empty where no score is known.

    Args:
        color: of the bars, as CSS.
    """
    chart = score_bars(result)
    if not chart.bars:
        return ""
    bottom = _ROW * len(chart.bars) + 6

    def place(z: float) -> float:
        return round(_CHART_LEFT + chart.share(z) * (_RIGHT - _CHART_LEFT), 1)

    parts = [svg.marks_across(chart.marks, place, 4, bottom)]
    for number, (key, bar) in enumerate(zip(result.sorted_scores, chart.bars)):
        y = 4 + (number + 0.5) * _ROW
        left, right = sorted((place(0), place(bar.z)))
        limit = [] if bar.limit is None else [svg.line(place(bar.limit), y - 10, place(bar.limit), y + 10, svg.FOREGROUND, 2)]
        parts.append(
            svg.group(
                _spoken(result, key),
                svg.text(_CHART_LEFT - 8, y + 4, bar.label, "end"),
                svg.rectangle(left, y - 7, round(right - left, 1), 14, color, svg.FOREGROUND, 0.5),
                *(svg.circle(place(other), y, 2.5, svg.AXIS) for other in bar.others),
                *limit,
                svg.text(_VALUES, y + 4, standard_text(bar.z), "end"),
            )
        )
    keys = result.sorted_scores[:3]
    described = "Most unusual scores in this box: " + "; ".join(_spoken(result, key) for key in keys)
    return (
        f"<h3>{SCORES_TITLE}</h3><figure>{svg.drawing(760, bottom + 24, described, *parts)}"
        f"<figcaption>{SCORES_CAPTION}</figcaption></figure>"
    )


def _spoken(result: BoxResult, key: str) -> str:
    standing = result.standings[key]
    p = "" if standing.p is None else f", p = {standing.p:.2g}"
    return f"{METRICS[key].label}: {'+' if standing.z > 0 else ''}{standard_text(standing.z)} SD{p}"
