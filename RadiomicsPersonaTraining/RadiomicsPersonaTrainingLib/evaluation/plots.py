"""Plots of an evaluation: inline SVG, drawn by hand so that a report needs no plotting library, network or script."""

from __future__ import annotations

import math

from RadiomicsPersonaLib.report import svg
from RadiomicsPersonaLib.report.plots import ticks

from .rebuilding import FILLS, NETWORK, NETWORK_WITHOUT_MIRROR, SECOND_SCAN
from .summary import GOAL, Cell, Estimate

COLORS = dict(
    zip(
        (*FILLS, NETWORK, NETWORK_WITHOUT_MIRROR, SECOND_SCAN),
        ("#8c8c8c", "#56b4e9", "#0072b2", "#cc79a7", "#e69f00", "#d55e00", "#f0936b", "#009e73"),
    )
)
"""By rebuilder, told apart by colour-blind readers (Okabe and Ito 2008)."""
_WIDTH = 760


def error_plot(cells: list[Cell]) -> str:
    """Mean squared error of every rebuilder with its interval, stratum beside stratum, for the cells of one group."""
    rebuilders = list(dict.fromkeys(name for cell in cells for name in cell.estimates))
    ends = [end for cell in cells for row in cell.estimates.values() for end in _ends(row["mse"])]
    left, right, top, bottom = 70, _WIDTH - 8, 12, 252
    high = 1.05 * max(ends) or 1.0

    def height(value: float) -> float:
        return round(bottom - value / high * (bottom - top), 1)

    parts = [svg.marks_upwards(ticks(0.0, high), height, left, right)]
    width = (right - left) / len(cells)
    for number, cell in enumerate(cells):
        middle = left + (number + 0.5) * width
        parts.append(svg.text(round(middle, 1), bottom + 20, cell.stratum))
        step = 0.8 * width / max(len(rebuilders), 1)
        for place, name in enumerate(rebuilders):
            estimate = cell.estimates[name]["mse"]
            x = middle + (place - (len(rebuilders) - 1) / 2) * step
            parts.append(_mark(round(x, 1), height, estimate, name, f"{name}, {cell.stratum}: {spoken(estimate)}"))
    parts.append(svg.text(14, (top + bottom) / 2, "squared error (squared tissue SD)", upwards=True))
    x = left
    for name in rebuilders:
        parts += [svg.circle(x, bottom + 44, 5, _color(name)), svg.text(x + 10, bottom + 48, name, None)]
        x += 30 + 7 * len(name)
    return svg.drawing(_WIDTH, bottom + 58, f"Mean squared error in {cells[0].group}, by size of the hole", *parts)


def ratio_plot(cells: list[Cell], rebuilder: str = NETWORK) -> str:
    """The network's error over the best fill's, a line per group and kind of hole; empty without a network."""
    lines = [(cell, line) for cell in cells for line in cell.headlines if line.rebuilder == rebuilder]
    if not lines:
        return ""
    rows = [(f"{cell.group}, {cell.stratum}", line.ratio) for cell, line in lines]
    label = "The network's squared error over that of the best simple fill, by group and kind of hole"
    across = "squared error as a share of the best simple fill's"
    return interval_plot(rows, label, across, {1.0: "none", GOAL: "5 4"}, _color(rebuilder))


def interval_plot(
    rows: list[tuple[str, Estimate]],
    label: str,
    across: str,
    marks: dict[float, str] | None = None,
    color: str = "#d55e00",
) -> str:
    """Numbers from 0 up with their intervals, a line each.

    Args:
        rows: what each is, and the number.
        label: what the plot shows, for readers who cannot see it.
        across: name of the axis.
        marks: values that are marked by a line across, with the dashes of each.
    """
    marks = marks or {}
    left, right, row = 230, _WIDTH - 20, 20
    high = 1.05 * max([*marks, *(end for _, estimate in rows for end in _ends(estimate))]) or 1.0
    bottom = row * len(rows) + 8

    def place(value: float) -> float:
        return round(left + max(value, 0) / high * (right - left), 1)

    parts = [svg.marks_across(ticks(0.0, high), place, 4, bottom)]
    parts += [svg.line(place(value), 4, place(value), bottom, svg.FOREGROUND, dash=dash) for value, dash in marks.items()]
    for number, (name, estimate) in enumerate(rows):
        y = 4 + (number + 0.5) * row
        low, upper = _ends(estimate)
        parts.append(
            svg.group(
                f"{name}: {spoken(estimate)}",
                svg.text(left - 10, y + 4, name, "end"),
                svg.line(place(low), y, place(upper), y, color, 2),
                svg.circle(place(estimate.value), y, 4.5, color),
            )
        )
    parts.append(svg.text((left + right) / 2, bottom + 36, across))
    return svg.drawing(_WIDTH, bottom + 44, label, *parts)


def spoken(estimate: Estimate) -> str:
    """A number with its interval: "0.79 (0.68 to 0.89)"; four digits at most, no interval from a single subject."""
    digits = 2 if abs(estimate.value) >= 10 else 3 if abs(estimate.value) >= 0.1 else 4
    if math.isnan(estimate.low):
        return f"{estimate.value:.{digits}f}"
    return f"{estimate.value:.{digits}f} ({estimate.low:.{digits}f} to {estimate.high:.{digits}f})"


def _ends(estimate: Estimate) -> tuple[float, float]:
    return (estimate.value, estimate.value) if math.isnan(estimate.low) else (estimate.low, estimate.high)


def _mark(x: float, height, estimate: Estimate, name: str, described: str) -> str:
    low, high = _ends(estimate)
    color = _color(name)
    return svg.group(
        described, svg.line(x, height(low), x, height(high), color, 2), svg.circle(x, height(estimate.value), 5, color)
    )


def _color(name: str) -> str:
    return COLORS.get(name, "#7a5195")
