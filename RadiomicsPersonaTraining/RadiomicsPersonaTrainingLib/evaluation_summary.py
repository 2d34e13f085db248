"""Evaluation summary: from scores of holes to means over subjects with intervals, and to the headline ratio.

The subject is the unit: a subject's holes are averaged first, then subjects. Intervals are the 2.5 and 97.5 percentile
of 2,000 bootstrap draws over subjects (Efron and Tibshirani 1993), from a fixed seed.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from .evaluation import FILLS, METRICS, NETWORK, NETWORK_WITHOUT_MIRROR, Score
from .evaluation_holes import CUBOIDS, LESIONS

ALL_CUBOIDS = "all cuboids"
"""A row that pools the holes of every cuboid stratum."""
DRAWS = 2000
FLOOR = 0.75
"""The network's mean squared error must be at most this share of the best classical fill's."""


@dataclass(frozen=True)
class Estimate:
    """A mean over subjects and its 95 % interval (not a number with fewer than two subjects)."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Headline:
    """How a network stands against the best classical fill.

    Attributes:
        rebuilder: the network.
        best_fill: name of the fill with the lowest mean squared error.
        mse, best_fill_mse: means over subjects, tissue SD².
        ratio: mse / best_fill_mse; every bootstrap draw picks its own best fill.
    """

    rebuilder: str
    best_fill: str
    mse: float
    best_fill_mse: float
    ratio: Estimate

    @property
    def reached(self) -> bool:
        """Whether the ratio is at most `FLOOR`."""
        return self.ratio.value <= FLOOR


@dataclass(frozen=True)
class Cell:
    """One group and one stratum.

    Attributes:
        subjects, holes: how many went in.
        estimates: by rebuilder and metric.
        headlines: one per network among the rebuilders.
    """

    group: str
    stratum: str
    subjects: int
    holes: int
    estimates: dict[str, dict[str, Estimate]]
    headlines: tuple[Headline, ...]


def summarize(scores: list[Score], seed: int = 0, draws: int = DRAWS) -> list[Cell]:
    """One cell per group and stratum that has scores: groups in their order, then cuboids, all cuboids, lesions."""
    by_cell = defaultdict(list)
    for row in scores:
        by_cell[row.group, row.stratum].append(row)
        if row.stratum in CUBOIDS:
            by_cell[row.group, ALL_CUBOIDS].append(row)
    return [
        _cell(group, stratum, by_cell[group, stratum], seed, draws)
        for group in dict.fromkeys(row.group for row in scores)
        for stratum in (*CUBOIDS, ALL_CUBOIDS, LESIONS)
        if (group, stratum) in by_cell
    ]


def _cell(group: str, stratum: str, rows: list[Score], seed: int, draws: int) -> Cell:
    subjects = list(dict.fromkeys(row.subject for row in rows))
    rebuilders = list(dict.fromkeys(row.rebuilder for row in rows))
    values = defaultdict(list)
    for row in rows:
        for key in METRICS:
            values[row.rebuilder, key, row.subject].append(row.metrics[key])
    # means of subjects: rebuilder, metric, subject
    means = np.array([[[np.mean(values[name, key, s]) for s in subjects] for key in METRICS] for name in rebuilders])
    chosen = np.random.default_rng(seed).integers(len(subjects), size=(draws, len(subjects)))
    value, drawn = means.mean(axis=-1), means[..., chosen].mean(axis=-1)
    estimates = {
        name: {key: _estimate(value[r, m], drawn[r, m], len(subjects)) for m, key in enumerate(METRICS)}
        for r, name in enumerate(rebuilders)
    }
    mse = list(METRICS).index("mse")
    errors = {name: (value[r, mse], drawn[r, mse]) for r, name in enumerate(rebuilders)}
    headlines = tuple(
        _headline(name, errors, len(subjects)) for name in (NETWORK, NETWORK_WITHOUT_MIRROR) if name in errors
    )
    holes = len({row.hole for row in rows})
    return Cell(group, stratum, len(subjects), holes, estimates, headlines)


def _headline(name: str, errors: dict[str, tuple[float, np.ndarray]], subjects: int) -> Headline:
    fills = {fill: errors[fill] for fill in FILLS}
    best = min(fills, key=lambda fill: fills[fill][0])
    lowest = np.min([drawn for _, drawn in fills.values()], axis=0)
    value, drawn = errors[name]
    ratio = _estimate(value / fills[best][0], drawn / lowest, subjects)
    return Headline(name, best, float(value), float(fills[best][0]), ratio)


def _estimate(value: float, drawn: np.ndarray, subjects: int) -> Estimate:
    if subjects < 2:
        return Estimate(float(value), np.nan, np.nan)
    low, high = np.percentile(drawn, [2.5, 97.5])
    return Estimate(float(value), float(low), float(high))
