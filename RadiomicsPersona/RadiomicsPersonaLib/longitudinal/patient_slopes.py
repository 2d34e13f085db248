"""Patient slopes: how an outcome changes in each patient alone,
and what that says of all of them without any model of the patients.

The summary measures of Matthews et al. 1990, robust against outlying visits (Theil 1950,
Sen 1968) and outlying patients (Hodges and Lehmann 1963).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from .observations import Observations

_CONFIDENCE = 0.95


@dataclass(frozen=True)
class PatientSlope:
    """One patient with at least two different times.

    Attributes:
        patient: whose.
        visits: rows.
        slope, low, high: least squares, per unit of time, with the 95 % interval; NaN where two visits give none.
        robust: the median of the slopes between all pairs of visits (Theil-Sen).
    """

    patient: str
    visits: int
    slope: float
    low: float
    high: float
    robust: float


def patient_slopes(observations: Observations, log: bool = False) -> list[PatientSlope]:
    """Every patient's own slope over time, in the order of the patients' names; none where time plays no part.

    Args:
        log: of the outcome's logarithms; all values must be above 0.
    """
    found = []
    for patient in np.unique(observations.patients) if observations.times is not None else ():
        mine = observations.patients == patient
        times, values = observations.times[mine], observations.values[mine]
        values = np.log(values) if log else values
        if np.ptp(times) == 0:
            continue
        line = stats.linregress(times, values)
        half = stats.t.ppf((1 + _CONFIDENCE) / 2, len(times) - 2) * line.stderr if len(times) > 2 else np.nan
        robust = stats.theilslopes(values, times).slope
        found.append(
            PatientSlope(
                str(patient), len(times), float(line.slope), float(line.slope - half), float(line.slope + half), float(robust)
            )
        )
    return found


@dataclass(frozen=True)
class RobustSlope:
    """The typical slope of all patients: the Hodges-Lehmann estimate of their Theil-Sen slopes.

    Attributes:
        estimate: per unit of time.
        low, high: 95 % interval by Wilcoxon's signed ranks; NaN with fewer than 6 patients, who cannot give one.
        p: Wilcoxon's, two-sided, of no change.
        patients: how many.
    """

    estimate: float
    low: float
    high: float
    p: float | None
    patients: int


def robust_slope(slopes: list[PatientSlope]) -> RobustSlope | None:
    """The typical slope; None without any patient's.

    >>> patients, years = np.repeat(list("abcdef"), 3), np.tile([0.0, 1.0, 2.0], 6)
    >>> volumes = 2.0 + years * np.repeat([0.4, 0.5, 0.5, 0.6, 0.5, 9.0], 3)  # one patient is far out
    >>> slope = robust_slope(patient_slopes(Observations("volume", volumes, patients, years, "years", "years", {})))
    >>> round(slope.estimate, 2)
    0.5
    """
    values = np.array([slope.robust for slope in slopes])
    count = len(values)
    if not count:
        return None
    first, second = np.triu_indices(count)
    averages = np.sort((values[first] + values[second]) / 2)
    p = float(stats.wilcoxon(values).pvalue) if count > 1 and np.any(values != 0) else None
    outside = _outside(count)
    low, high = (averages[outside], averages[-1 - outside]) if outside >= 0 else (np.nan, np.nan)
    return RobustSlope(float(np.median(averages)), float(low), float(high), p, count)


def _outside(count: int) -> int:
    """How many averages lie beyond each end of the interval: the largest w with P(W <= w) at most 2.5 %;
    -1 where there is none.
    """
    tail = (1 - _CONFIDENCE) / 2
    if count > 200:
        return int(count * (count + 1) / 4 - stats.norm.isf(tail) * np.sqrt(count * (count + 1) * (2 * count + 1) / 24) - 0.5)
    ways = np.array([1.0])
    for rank in range(1, count + 1):  # with this rank among the positive ones or not
        ways = np.append(ways, np.zeros(rank)) + np.append(np.zeros(rank), ways)
    return int(np.searchsorted(np.cumsum(ways) / 2.0**count, tail, side="right")) - 1
