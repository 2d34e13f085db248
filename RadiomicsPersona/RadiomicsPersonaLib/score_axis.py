"""Score axis: the combined score of a box, whose rank is p, among those of its controls, on an axis with round numbers."""

from __future__ import annotations

import numpy as np

from .result import BoxResult

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
