"""Experiment summary: from measured patients to a table of arms, each held against the first one."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from .evaluation_summary import DRAWS, Estimate, estimate_of
from .experiment import Measured
from .lesion_detection import sensitivity_at

FALSE_PER_SCAN = 1.0
MEASURES = {"dice": "Dice", "coverage": "coverage", "detected": "lesions found"}
NOTES = f"""\
Real patients whom no network of their row saw. Dice and coverage (the share of a lesion's voxels that is found) at a probability of one half;
lesions found at the cut that finds most with at most {FALSE_PER_SCAN:g} false positive per scan. Means over patients of the means of their seeds,
with 95 % intervals ({DRAWS:,} bootstrap draws over patients). The difference in Dice is taken patient by patient and seed by seed."""


@dataclass(frozen=True)
class ArmLine:
    """One arm in one group.

    Attributes:
        patients, runs: how many went in, and how many fits.
        dice, coverage, detected: means.
        over_first: difference in Dice to the first arm.
    """

    group: str
    arm: str
    patients: int
    runs: int
    dice: Estimate
    coverage: Estimate
    detected: Estimate
    over_first: Estimate


def lines_of(measured: list[Measured], seed: int = 0) -> list[ArmLine]:
    """A line per group and arm, in the order in which they were measured."""
    groups, arms = (dict.fromkeys(getattr(one, name) for one in measured) for name in ("group", "arm"))
    return [_line(group, arm, next(iter(arms)), measured, seed) for group in groups for arm in arms]


def _line(group: str, arm: str, first: str, measured: list[Measured], seed: int) -> ArmLine:
    own = [one for one in measured if (one.group, one.arm) == (group, arm)]
    base = {(one.seed, one.subject): one.dice for one in measured if (one.group, one.arm) == (group, first)}
    subjects = list(dict.fromkeys(one.subject for one in own))
    chosen = np.random.default_rng(seed).integers(len(subjects), size=(DRAWS, len(subjects)))

    def estimate(value) -> Estimate:
        means = np.array([np.mean([value(one) for one in own if one.subject == subject]) for subject in subjects])
        return estimate_of(float(means.mean()), means[chosen].mean(axis=1), len(means))

    paired = all((one.seed, one.subject) in base for one in own)
    return ArmLine(
        group, arm, len(subjects), len({one.seed for one in own}),
        estimate(lambda one: one.dice),
        estimate(lambda one: one.coverage),
        _detected(own, subjects, chosen),
        estimate(lambda one: one.dice - base[one.seed, one.subject]) if paired else Estimate(math.nan, math.nan, math.nan),
    )  # fmt: skip


def _detected(own: list[Measured], subjects: list[str], chosen: np.ndarray) -> Estimate:
    """Lesions found, mean over seeds, of which each has a cut of its own; every draw picks its cuts anew."""
    by_seed: dict[int, dict[str, Measured]] = defaultdict(dict)
    for one in own:
        by_seed[one.seed][one.subject] = one

    def mean(drawn: list[str]) -> float:
        found = []
        for tested in by_seed.values():
            detections = [tested[subject].detection for subject in drawn if subject in tested]
            if sum(detection.lesions for detection in detections):
                found.append(sensitivity_at(detections, FALSE_PER_SCAN))
        return float(np.mean(found)) if found else math.nan

    draws = np.array([mean([subjects[n] for n in row]) for row in chosen])
    return estimate_of(mean(subjects), draws[np.isfinite(draws)], len(subjects))


def table_of(lines: list[ArmLine], spoken) -> tuple[list[str], list[list[str]]]:
    """Heads and rows of the table of one group; `spoken` writes an estimate."""
    rows = [
        [line.arm, str(line.patients), str(line.runs), *(spoken(getattr(line, name)) for name in MEASURES), spoken(line.over_first)]
        for line in lines
    ]
    return ["trained on", "patients", "seeds", *MEASURES.values(), "Dice beside the first"], rows
