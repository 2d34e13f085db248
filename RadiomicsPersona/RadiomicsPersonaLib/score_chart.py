"""Score chart: the standardised scores of a box as bars, the most unusual first, over those of its controls."""

from __future__ import annotations

import math
from html import escape

from .metric import METRICS
from .result import BoxResult
from .score import MOST_STANDARD

_LEFT, _RIGHT, _ROW = 220, 740, 24
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
        return round(_LEFT + (min(max(z, _LEAST), high) - _LEAST) / (high - _LEAST) * (_RIGHT - _LEFT), 1)

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
            f"<text x='{_LEFT - 8}' y='{y + 4}' text-anchor='end'>{escape(METRICS[key].label)}</text>"
            f"<rect x='{left}' y='{y - 7}' width='{right - left:.1f}' height='14' fill='{color}' stroke='var(--text)' stroke-width='0.5'/>"
            + "".join(f"<circle cx='{place(other)}' cy='{y}' r='2.5' fill='var(--faint)'/>" for other in others)
            + "</g>"
        )
    described = "Most unusual scores in this box: " + "; ".join(_spoken(result, key) for key in keys[:3])
    return (
        f"<figure><svg viewBox='0 0 760 {bottom + 24}' role='img' aria-label='{escape(described, quote=True)}'>{''.join(parts)}</svg>"
        "<figcaption>Scores in robust standard deviations of the healthy boxes, the most unusual first. Bar: this box; dots: healthy "
        "boxes. To the right is less like healthy tissue.</figcaption></figure>"
    )


def _spoken(result: BoxResult, key: str) -> str:
    standing = result.standings[key]
    p = "" if standing.p is None else f", p = {standing.p:.2g}"
    return f"{METRICS[key].label}: {standing.z:+.1f} SD{p}"
