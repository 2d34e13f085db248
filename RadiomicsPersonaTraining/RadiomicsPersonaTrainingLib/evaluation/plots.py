"""Plots of an evaluation: inline SVG, drawn by hand so that a report needs no plotting library, network or script."""

from __future__ import annotations

import math
from html import escape

from RadiomicsPersonaLib.report.plots import ticks

from .rebuilding import FILLS, NETWORK, NETWORK_WITHOUT_MIRROR
from .summary import GOAL, Cell, Estimate

COLORS = dict(
    zip(
        (*FILLS, NETWORK, NETWORK_WITHOUT_MIRROR), ("#8c8c8c", "#56b4e9", "#0072b2", "#cc79a7", "#e69f00", "#d55e00", "#f0936b")
    )
)
"""By rebuilder, told apart by colour-blind readers (Okabe and Ito 2008)."""
_WIDTH = 760


def error_plot(cells: list[Cell]) -> str:
    """Mean squared error of every rebuilder with its interval, stratum beside stratum, for the cells of one group."""
    rebuilders = list(dict.fromkeys(name for cell in cells for name in cell.estimates))
    ends = [end for cell in cells for row in cell.estimates.values() for end in _ends(row["mse"])]
    left, right, top, bottom = 56, _WIDTH - 8, 12, 252
    high = 1.05 * max(ends) or 1.0

    def height(value: float) -> float:
        return round(bottom - value / high * (bottom - top), 1)

    parts = [
        f"<line x1='{left}' y1='{height(tick)}' x2='{right}' y2='{height(tick)}' stroke='var(--line)'/>"
        f"<text x='{left - 8}' y='{height(tick) + 4}' text-anchor='end'>{tick:g}</text>"
        for tick in ticks(0.0, high)
    ]
    width = (right - left) / len(cells)
    for number, cell in enumerate(cells):
        middle = left + (number + 0.5) * width
        parts.append(f"<text x='{middle:.1f}' y='{bottom + 20}' text-anchor='middle'>{escape(cell.stratum)}</text>")
        step = 0.8 * width / max(len(rebuilders), 1)
        for place, name in enumerate(rebuilders):
            estimate = cell.estimates[name]["mse"]
            x = middle + (place - (len(rebuilders) - 1) / 2) * step
            described = f"{name}, {cell.stratum}: {spoken(estimate)}"
            parts.append(_mark(x, height, estimate, name, described))
    legend, x = [], left
    for name in rebuilders:
        legend.append(
            f"<circle cx='{x}' cy='{bottom + 44}' r='5' fill='{_color(name)}'/>"
            f"<text x='{x + 10}' y='{bottom + 48}'>{escape(name)}</text>"
        )
        x += 30 + 7 * len(name)
    label = f"Mean squared error in {escape(cells[0].group, quote=True)}, by size of the hole"
    return f"<svg viewBox='0 0 {_WIDTH} {bottom + 58}' role='img' aria-label='{label}'>{''.join(parts)}{''.join(legend)}</svg>"


def ratio_plot(cells: list[Cell], rebuilder: str = NETWORK) -> str:
    """The network's error over the best fill's, a line per group and kind of hole; empty without a network."""
    lines = [(cell, line) for cell in cells for line in cell.headlines if line.rebuilder == rebuilder]
    if not lines:
        return ""
    rows = [(f"{cell.group}, {cell.stratum}", line.ratio) for cell, line in lines]
    label = "The network's squared error over that of the best simple fill, by group and kind of hole"
    return interval_plot(rows, label, {1.0: "none", GOAL: "5 4"}, _color(rebuilder))


def interval_plot(
    rows: list[tuple[str, Estimate]], label: str, marks: dict[float, str] | None = None, color: str = "#d55e00"
) -> str:
    """Numbers from 0 up with their intervals, a line each.

    Args:
        rows: what each is, and the number.
        label: what the plot shows, for readers who cannot see it.
        marks: values that are marked by a line across, with the dashes of each.
    """
    marks = marks or {}
    left, right, row = 230, _WIDTH - 20, 20
    high = 1.05 * max([*marks, *(end for _, estimate in rows for end in _ends(estimate))]) or 1.0
    bottom = row * len(rows) + 8

    def place(value: float) -> float:
        return round(left + max(value, 0) / high * (right - left), 1)

    parts = [
        f"<line x1='{place(tick)}' y1='4' x2='{place(tick)}' y2='{bottom}' stroke='var(--line)'/>"
        f"<text x='{place(tick)}' y='{bottom + 16}' text-anchor='middle'>{tick:g}</text>"
        for tick in ticks(0.0, high)
    ]
    for value, dash in marks.items():
        x = place(value)
        parts.append(f"<line x1='{x}' y1='4' x2='{x}' y2='{bottom}' stroke='var(--text)' stroke-dasharray='{dash}'/>")
    for number, (name, estimate) in enumerate(rows):
        y = 4 + (number + 0.5) * row
        low, upper = _ends(estimate)
        parts.append(
            f"<g><title>{escape(f'{name}: {spoken(estimate)}')}</title>"
            f"<text x='{left - 10}' y='{y + 4}' text-anchor='end'>{escape(name)}</text>"
            f"<line x1='{place(low)}' y1='{y}' x2='{place(upper)}' y2='{y}' stroke='{color}' stroke-width='2'/>"
            f"<circle cx='{place(estimate.value)}' cy='{y}' r='4.5' fill='{color}'/></g>"
        )
    return (
        f"<svg viewBox='0 0 {_WIDTH} {bottom + 24}' role='img' aria-label='{escape(label, quote=True)}'>{''.join(parts)}</svg>"
    )


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
    return (
        f"<g><title>{escape(described)}</title>"
        f"<line x1='{x:.1f}' y1='{height(low)}' x2='{x:.1f}' y2='{height(high)}' stroke='{_color(name)}' stroke-width='2'/>"
        f"<circle cx='{x:.1f}' cy='{height(estimate.value)}' r='5' fill='{_color(name)}'/></g>"
    )


def _color(name: str) -> str:
    return COLORS.get(name, "#7a5195")
