"""Summary: from scores of holes to means over subjects with intervals, to the headline ratio, and to contrasts compared.

The subject is the unit: a subject's holes are averaged first, then subjects. Intervals are the 2.5 and 97.5 percentile
of 2,000 bootstrap draws over subjects (Efron and Tibshirani 1993), from a fixed seed.

Contrasts are compared in the same holes of the same subjects: T2, FLAIR and T1 post beside T1.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from RadiomicsPersonaLib.system.json_text import json_value

from .holes import CUBOIDS, LESIONS
from .rebuilding import FILLS, NETWORK, NETWORK_WITHOUT_MIRROR, SECOND_SCAN
from .scores import REBUILDING_METRICS, HoleScore

ALL_CUBOIDS = "all cuboids"
"""A row that pools the holes of every cuboid stratum."""
DRAWS = 2000
GOAL = 0.5
"""The network's mean squared error is to be at most this share of the best simple fill's."""


@dataclass(frozen=True)
class Estimate:
    """A mean over subjects and its 95 % interval (not a number with fewer than two subjects)."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Headline:
    """How a network stands against the best simple fill.

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
        """Whether the ratio is at most `GOAL`."""
        return self.ratio.value <= GOAL


@dataclass(frozen=True)
class Cell:
    """One group and one stratum.

    Attributes:
        subjects, holes: how many went in.
        estimates: by rebuilder and metric.
        headlines: one per network among the rebuilders, and one for a second scan.
    """

    group: str
    stratum: str
    subjects: int
    holes: int
    estimates: dict[str, dict[str, Estimate]]
    headlines: tuple[Headline, ...]


def summarize(scores: list[HoleScore], seed: int = 0, draws: int = DRAWS) -> list[Cell]:
    """One cell per group and stratum that has scores: groups in their order, then cuboids, all cuboids, lesions."""
    return [_cell(group, stratum, rows, seed, draws) for (group, stratum), rows in by_cell(scores).items()]


def by_cell(scores: list[HoleScore]) -> dict[tuple[str, str], list[HoleScore]]:
    """The scores of every group and stratum, in the order of `summarize`."""
    cells = defaultdict(list)
    for row in scores:
        cells[row.group, row.stratum].append(row)
        if row.stratum in CUBOIDS:
            cells[row.group, ALL_CUBOIDS].append(row)
    return {
        (group, stratum): cells[group, stratum]
        for group in dict.fromkeys(row.group for row in scores)
        for stratum in (*CUBOIDS, ALL_CUBOIDS, LESIONS)
        if (group, stratum) in cells
    }


def ratio_draws(rows: list[HoleScore], rebuilder: str, seed: int = 0, draws: int = DRAWS) -> tuple[float, np.ndarray]:
    """A rebuilder's squared error over the best fill's, and its bootstrap draws; each draw picks its own best fill.

    Draws over as many subjects with the same seed draw the same places in the order of the subjects.
    """
    errors = _errors(*_means(rows, seed, draws))
    _, value, drawn = _ratio(rebuilder, errors)
    return value, drawn


def estimate_of(value: float, drawn: np.ndarray, subjects: int) -> Estimate:
    """A value with the interval of its bootstrap draws."""
    if subjects < 2:
        return Estimate(float(value), np.nan, np.nan)
    low, high = np.percentile(drawn, [2.5, 97.5])
    return Estimate(float(value), float(low), float(high))


def mean_over_subjects(values: dict[str, list[float]], seed: int = 0, draws: int = DRAWS) -> Estimate:
    """The mean over subjects of the means of their values, with its interval.

    Args:
        values: by subject, at least one each.

    >>> found = mean_over_subjects({"anna": [0.8, 0.9], "ben": [0.7], "carl": [0.75, 0.85]})
    >>> round(found.value, 3), bool(found.low <= found.value <= found.high)
    (0.783, True)
    """
    means = np.array([np.mean(own) for own in values.values()])
    chosen = np.random.default_rng(seed).integers(len(means), size=(draws, len(means)))
    return estimate_of(float(means.mean()), means[chosen].mean(axis=1), len(means))


def plain_estimates(summary: dict[str, dict[str, Estimate]]) -> dict[str, dict[str, dict[str, float | None]]]:
    """Estimates by group and measure in plain JSON types; see `rounded`. One subject gives no interval."""
    return {group: {name: rounded(estimate) for name, estimate in estimates.items()} for group, estimates in summary.items()}


def rounded(estimate: Estimate) -> dict[str, float | None]:
    """An estimate in plain JSON types, to four digits; None for what is not a number."""
    return json_value({end: round(value, 4) for end, value in vars(estimate).items()})


def _cell(group: str, stratum: str, rows: list[HoleScore], seed: int, draws: int) -> Cell:
    rebuilders, value, drawn = _means(rows, seed, draws)
    subjects = len({row.subject for row in rows})
    estimates = {
        name: {key: estimate_of(value[r, m], drawn[r, m], subjects) for m, key in enumerate(REBUILDING_METRICS)}
        for r, name in enumerate(rebuilders)
    }
    errors = _errors(rebuilders, value, drawn)
    headlines = []
    for name in (NETWORK, NETWORK_WITHOUT_MIRROR, SECOND_SCAN):
        if name in errors:
            best, ratio, ratios = _ratio(name, errors)
            mse, best_mse = float(errors[name][0]), float(errors[best][0])
            headlines.append(Headline(name, best, mse, best_mse, estimate_of(ratio, ratios, subjects)))
    return Cell(group, stratum, subjects, len({row.hole for row in rows}), estimates, tuple(headlines))


def _means(rows: list[HoleScore], seed: int, draws: int) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Rebuilders; means over subjects (rebuilder, metric); the same of every bootstrap draw (rebuilder, metric, draw)."""
    subjects = list(dict.fromkeys(row.subject for row in rows))
    rebuilders = list(dict.fromkeys(row.rebuilder for row in rows))
    values = defaultdict(list)
    for row in rows:
        for key in REBUILDING_METRICS:
            values[row.rebuilder, key, row.subject].append(row.metrics[key])
    means = np.array([[[np.mean(values[name, key, s]) for s in subjects] for key in REBUILDING_METRICS] for name in rebuilders])
    chosen = np.random.default_rng(seed).integers(len(subjects), size=(draws, len(subjects)))
    return rebuilders, means.mean(axis=-1), means[..., chosen].mean(axis=-1)


def _errors(rebuilders: list[str], value: np.ndarray, drawn: np.ndarray) -> dict[str, tuple[float, np.ndarray]]:
    mse = list(REBUILDING_METRICS).index("mse")
    return {name: (value[r, mse], drawn[r, mse]) for r, name in enumerate(rebuilders)}


def _ratio(name: str, errors: dict[str, tuple[float, np.ndarray]]) -> tuple[str, float, np.ndarray]:
    """The best fill, the ratio to its error, and the ratio of every draw."""
    fills = {fill: errors[fill] for fill in FILLS if fill in errors}
    best = min(fills, key=lambda fill: fills[fill][0])
    lowest = np.min([drawn for _, drawn in fills.values()], axis=0)
    value, drawn = errors[name]
    return best, float(value / fills[best][0]), drawn / lowest


CONTRASTS = ("T1", "T1 post", "T2", "FLAIR")
"""Contrasts that a group's name may end in; the first is what the others are held against."""
CONTRAST_GOAL = 1.15
"""In another contrast the ratio to the best fill is to be at most this multiple of the one in T1."""


@dataclass(frozen=True)
class ContrastLine:
    """One contrast of one source beside its T1.

    Attributes:
        source, contrast, stratum: "MS", "T2", "all cuboids".
        subjects: how many have both contrasts.
        ratio: the network's squared error over the best fill's.
        over_t1: that ratio over the one in T1; every bootstrap draw takes the same subjects of both.
    """

    source: str
    contrast: str
    stratum: str
    subjects: int
    ratio: Estimate
    over_t1: Estimate

    @property
    def reached(self) -> bool:
        """Whether `over_t1` is at most `CONTRAST_GOAL`."""
        return self.over_t1.value <= CONTRAST_GOAL


def source_and_contrast(group: str) -> tuple[str, str] | None:
    """The parts of a group's name, or None for a group of a single contrast: "MS T1 post" gives "MS" and "T1 post"."""
    for contrast in CONTRASTS:
        if group.endswith(f" {contrast}"):
            return group.removesuffix(f" {contrast}"), contrast
    return None


def contrast_lines(scores: list[HoleScore], seed: int = 0, draws: int = DRAWS) -> list[ContrastLine]:
    """A line per source, contrast and kind of hole, for sources with T1 and at least one more contrast."""
    lines = []
    parts = {group: source_and_contrast(group) for group in dict.fromkeys(row.group for row in scores)}
    for group, named in parts.items():
        if named is None or named[1] == CONTRASTS[0]:
            continue
        source, contrast = named
        for stratum, members in ((ALL_CUBOIDS, tuple(CUBOIDS)), (LESIONS, (LESIONS,))):
            rows = [row for row in scores if row.group == group and row.stratum in members]
            plain = [row for row in scores if row.group == f"{source} {CONTRASTS[0]}" and row.stratum in members]
            shared = {row.hole[1:] for row in rows} & {row.hole[1:] for row in plain}
            rows, plain = ([row for row in part if row.hole[1:] in shared] for part in (rows, plain))
            if not any(row.rebuilder == NETWORK for row in rows):
                continue
            value, drawn = ratio_draws(rows, NETWORK, seed, draws)
            value_t1, drawn_t1 = ratio_draws(plain, NETWORK, seed, draws)
            subjects = len({row.subject for row in rows})
            over = estimate_of(value / value_t1, drawn / drawn_t1, subjects)
            lines.append(ContrastLine(source, contrast, stratum, subjects, estimate_of(value, drawn, subjects), over))
    return lines


def auroc_of(sick: np.ndarray, healthy: np.ndarray) -> float:
    """Share of pairs in which the sick one has the larger value, ties counting half.

    >>> auroc_of([0.9, 0.8, 0.3], [0.1, 0.3])
    0.9166666666666666
    """
    return wins_of(np.asarray(sick), np.asarray(healthy)) / (len(sick) * len(healthy))


def wins_of(sick: np.ndarray, healthy: np.ndarray) -> float:
    ordered = np.sort(healthy)
    return float((np.searchsorted(ordered, sick, "left") + np.searchsorted(ordered, sick, "right")).sum() / 2)
