"""Score: how unusual a box is among its controls, score by score.

A score is a metric of the comparison, seen so that a larger value means "less like healthy tissue". Every box, the user's as
well as every control, is held against all the others in the same way (leave one out), so that under the hypothesis that the
user's box is one of them all ranks are equally likely and p is exact whatever the scores' dependence.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from .metric import METRICS

MOST_STANDARD = 12.0
"""Standardised scores are cut at this value: beyond it a larger one says nothing more."""
_FLOOR = 0.02
"""Least robust SD of a score among the controls, in the units it is standardised in."""


@dataclass(frozen=True)
class Score:
    """How a metric becomes a score.

    Attributes:
        logarithmic: whether the logarithm is standardised, as suits what is never negative and grows in proportion.
        two_sided: whether a value below the controls' is as unusual as one above.
    """

    logarithmic: bool
    two_sided: bool


SCORES: dict[str, Score] = {
    "deviation": Score(logarithmic=True, two_sided=False),
    "ssim": Score(logarithmic=False, two_sided=False),
    "ncc": Score(logarithmic=False, two_sided=False),
    "gradient_error": Score(logarithmic=True, two_sided=True),  # tissue may be too smooth as well as too rough
    "sd_ratio": Score(logarithmic=True, two_sided=True),
    "histogram_distance": Score(logarithmic=True, two_sided=False),
    "mean_shift": Score(logarithmic=False, two_sided=True),
    "intensity": Score(logarithmic=False, two_sided=True),
    "spread": Score(logarithmic=True, two_sided=True),
    "peak": Score(logarithmic=True, two_sided=False),
    "regional_shift": Score(logarithmic=True, two_sided=False),
    "feature_distance": Score(logarithmic=True, two_sided=False),
    "asymmetry": Score(logarithmic=True, two_sided=False),
}
"""Scores by the key of their metric."""


@dataclass(frozen=True)
class Standing:
    """One score of one box among the others.

    Attributes:
        z: robust standard score, (score - median) / (1.4826 MAD) of the others; positive means less like healthy tissue; of
            two-sided scores the absolute value. NaN where the metric is not known.
        p: (1 + number of the others at least as unusual) / (others + 1), or None without others or without the metric.
    """

    z: float
    p: float | None


def standard_scores(metrics: list[dict[str, float]]) -> np.ndarray:
    """Every box's scores against those of all other boxes.

    Args:
        metrics: of n boxes (see `comparison.compare`); metrics may be missing or not finite.
    Returns:
        Robust standard scores (see `Standing.z`), shape (n, len(SCORES)), at most `MOST_STANDARD`; NaN where not known.
    Source: median and MAD as in Iglewicz and Hoaglin 1993.
    """
    raw = np.array([[_raw(key, m.get(key, math.nan)) for key in SCORES] for m in metrics], dtype=np.float64)
    result = np.full(raw.shape, math.nan)
    for column, score in enumerate(SCORES.values()):
        known = np.flatnonzero(np.isfinite(raw[:, column]))
        if len(known) < 2:
            continue
        values = raw[known, column]
        for place, number in enumerate(known):
            others = np.delete(values, place)
            middle = np.median(others)
            z = (values[place] - middle) / max(1.4826 * np.median(np.abs(others - middle)), _FLOOR)
            result[number, column] = np.clip(abs(z) if score.two_sided else z, -MOST_STANDARD, MOST_STANDARD)
    return result


def standings(scores: np.ndarray, number: int = 0) -> dict[str, Standing]:
    """Every score of one box, by key.

    Args:
        scores: of all boxes, from `standard_scores`.
        number: whose.
    """
    return {key: Standing(float(scores[number, k]), rank_p(scores[:, k], number)) for k, key in enumerate(SCORES)}


def rank_p(values: np.ndarray, number: int = 0) -> float | None:
    """(1 + others at least as large) / (others + 1), the rank test of Phipson and Smyth 2010; ties count against the box.

    Args:
        values: of all boxes, shape (n,); NaN where not known.
        number: the box in question.
    """
    others = np.delete(values, number)
    others = others[np.isfinite(others)]
    if not np.isfinite(values[number]) or not len(others):
        return None
    return (1 + int((others >= values[number]).sum())) / (len(others) + 1)


def false_discovery_rates(ps: list[float | None]) -> list[float | None]:
    """q of every p: the least false discovery rate at which it counts (Benjamini and Hochberg 1995); None stays None."""
    known = [p for p in ps if p is not None]
    if len(known) < 2:
        return list(ps)
    from scipy.stats import false_discovery_control  # slow to import

    rates = iter(false_discovery_control(known).tolist())
    return [None if p is None else next(rates) for p in ps]


def _raw(key: str, value: float) -> float:
    """The metric as it is standardised; larger is worse."""
    score = SCORES[key]
    if score.logarithmic:
        value = math.log(value) if value > 0 else math.log(1e-6) if value == 0 else math.nan
    return value if METRICS[key].higher_is_worse else -value
