"""Score: how unusual a box is among its controls, score by score, and what is usual in other people.

A score is a metric of the comparison, seen so that a larger value means "less like healthy tissue". Every box, the user's as
well as every control, is held against all the others in the same way (leave one out), so that under the hypothesis that the
user's box is one of them all ranks are equally likely and p is exact whatever the scores' dependence.

A `Norm` is what a score usually is in healthy boxes of other people. It helps where a scan holds few healthy boxes of its own.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..metrics.metric import MAKE_UP, METRICS

MOST_STANDARD = 12.0
"""Standardised scores are cut at this value: beyond it a larger one says nothing more."""
SUSPICIOUS = 2.0
"""Standard score of the lesion map among the other boxes above which a box is no measure for others; see `standard_scores`."""
LEAST_CLEAN = 6
"""Boxes that must be left for that."""
LESION_SCORES = ("lesion_excess", "lesion_peak", "lesion_spot")
"""Scores of the lesion map."""
USUAL_ML = 8.0
"""Millilitres of the box that norms are given for."""
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
    "harmonic_residual": Score(logarithmic=True, two_sided=False),
    "lesion_excess": Score(logarithmic=False, two_sided=False),
    "lesion_peak": Score(logarithmic=False, two_sided=False),
    "lesion_spot": Score(logarithmic=False, two_sided=False),
    "doubt_excess": Score(logarithmic=False, two_sided=False),
    "asymmetry_excess": Score(logarithmic=False, two_sided=False),
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


def standard_scores(metrics: list[dict[str, float]], norms: dict[str, Norm] | None = None) -> np.ndarray:
    """Every box's scores against those of all other boxes, and against what is usual in other people.

    Boxes that the lesion map finds suspicious among the others are no measure for these: all are standardised again without
    them, they themselves too. Else the other lesions of a brain would hide each. Every box is treated alike, so p stays fair.

    Args:
        metrics: of n boxes of one scan (see `comparison.compare`); metrics may be missing or not finite.
        norms: what is usual, by score; none by default. With them even a box that has no controls has scores, and boxes of
            other sizes and other tissue may be its controls.
    Returns:
        Robust standard scores (see `Standing.z`), shape (n, len(SCORES)), at most `MOST_STANDARD`; NaN where not known.
    Source: median and MAD as in Iglewicz and Hoaglin 1993; see `Norm` for how what is usual enters.

    >>> boxes = [{"deviation": value} for value in (3.0, 1.0, 1.2, 0.9, 1.1)]  # the user's, and four controls
    >>> column = list(SCORES).index("deviation")
    >>> standard_scores(boxes)[:, column].round(1).tolist()
    [7.8, -0.7, 0.9, -1.8, 0.0]
    """
    scores = _standardised(metrics, norms)
    of_lesions = scores[:, [list(SCORES).index(key) for key in LESION_SCORES]]
    suspicious = (of_lesions > SUSPICIOUS).any(axis=1)  # what is not known is not
    if not suspicious.any() or (~suspicious).sum() < LEAST_CLEAN:
        return scores
    clean = [m for m, apart in zip(metrics, suspicious) if not apart]
    scores[~suspicious] = _standardised(clean, norms)
    for number in np.flatnonzero(suspicious):
        scores[number] = _standardised([metrics[number], *clean], norms)[0]
    return scores


def _standardised(metrics: list[dict[str, float]], norms: dict[str, Norm] | None) -> np.ndarray:
    """See `standard_scores`."""
    raw = np.array([raw_scores(m) for m in metrics]).reshape(-1, len(SCORES))
    kinds = np.array([make_up_of(m) for m in metrics]).reshape(-1, len(MAKE_UP))
    result = np.full(raw.shape, math.nan)
    for column, (key, score) in enumerate(SCORES.items()):
        known = np.flatnonzero(np.isfinite(raw[:, column]))
        norm = (norms or {}).get(key)
        if len(known) < (1 if norm else 2):
            continue
        values = raw[known, column] - (norm.usual(kinds[known]) if norm else 0.0)
        z = _against_the_others(values, norm)
        result[known, column] = np.clip(abs(z) if score.two_sided else z, -MOST_STANDARD, MOST_STANDARD)
    return result


def _against_the_others(values: np.ndarray, norm: Norm | None) -> np.ndarray:
    """Robust standard score of every value (n,), less what is usual, among the others and its norm."""
    count = len(values) - 1
    middle, spread = np.zeros(len(values)), np.zeros(len(values))
    if count:
        others = values[np.arange(count) + (np.arange(count) >= np.arange(len(values))[:, None])]  # row i lacks i
        middle = np.median(others, axis=1)
        spread = 1.4826 * np.median(np.abs(others - middle[:, None]), axis=1)
    if norm:
        middle = count * middle / (norm.worth + count)
        freedom = max(count - 1, 0)
        spread = np.sqrt(
            (norm.dof * norm.spread**2 + freedom * spread**2) / (norm.dof + freedom) * (1 + 1 / (norm.worth + count))
        )
    return (values - middle) / np.maximum(spread, _FLOOR)


def make_up_of(metrics: dict[str, float]) -> np.ndarray:
    """What a box's scores are adjusted for, shape (len(MAKE_UP),): log of its millilitres over `USUAL_ML`, and shares of it
    that are no brain, fluid and grey matter; that of white matter in a box of `USUAL_ML` where it is not known.
    """
    volume = metrics.get("brain_volume", math.nan)
    values = [math.log(volume / USUAL_ML) if volume > 0 else 0.0, *(metrics.get(key, math.nan) for key in MAKE_UP[1:])]
    return np.nan_to_num(np.array(values, float), nan=0.0)


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

    >>> rank_p(np.array([2.5, 0.3, -1.0, 0.8]))
    0.25
    """
    others = np.delete(values, number)
    others = others[np.isfinite(others)]
    if not np.isfinite(values[number]) or not len(others):
        return None
    return (1 + int((others >= values[number]).sum())) / (len(others) + 1)


def false_discovery_rates(ps: list[float | None]) -> list[float | None]:
    """q of every p: the least false discovery rate at which it counts (Benjamini and Hochberg 1995); None stays None.

    >>> [q and round(q, 3) for q in false_discovery_rates([0.01, 0.04, None, 0.3])]
    [0.03, 0.06, None, 0.3]
    """
    known = np.array([p for p in ps if p is not None])
    order = np.argsort(known)
    rates = np.empty(len(known))
    by_rank = known[order] * (len(known) / np.arange(1, len(known) + 1))
    rates[order] = np.minimum(np.minimum.accumulate(by_rank[::-1])[::-1], 1)  # of all ranks from this one on
    rate = iter(rates.tolist())
    return [None if p is None else next(rate) for p in ps]


def raw_scores(metrics: dict[str, float]) -> np.ndarray:
    """A box's metrics as they are standardised, larger is worse, shape (len(SCORES),); NaN where not known."""
    return np.array([_raw(key, metrics.get(key, math.nan)) for key in SCORES], dtype=np.float64)


def _raw(key: str, value: float) -> float:
    """The metric as it is standardised; larger is worse."""
    score = SCORES[key]
    if score.logarithmic:
        value = math.log(value) if value > 0 else math.log(1e-6) if value == 0 else math.nan
    return value if METRICS[key].higher_is_worse else -value


@dataclass(frozen=True)
class Norm:
    """The usual value of one score, in the units it is standardised in (see `Score`), and how far people differ.

    It enters a scan's own statistics as so many healthy boxes more (normal model with known variance components; Gelman et al.
    2013, Bayesian Data Analysis, chapters 2 and 5).

    Attributes:
        intercept, slopes: the usual value is intercept + slopes * `make_up_of` the box.
        spread: standard deviation among the boxes of one scan.
        between: standard deviation of the scans' own middles about the usual value.
        dof: degrees of freedom that `spread` is worth, few where scans differ in it.
    """

    intercept: float
    slopes: tuple[float, ...]
    spread: float
    between: float
    dof: float

    def usual(self, kinds: np.ndarray) -> np.ndarray:
        """The usual value in boxes of some make-up (n, len(MAKE_UP)), shape (n,)."""
        return self.intercept + kinds @ np.array(self.slopes)

    @property
    def worth(self) -> float:
        """Number of healthy boxes that tell as much of the scan's middle."""
        return (self.spread / self.between) ** 2
