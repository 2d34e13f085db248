"""Norm: what a score usually is in healthy boxes of other people, for scans that hold few healthy boxes of their own."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Norm:
    """The usual value of one score, in the units it is standardised in (see `score.Score`), and how far people differ.

    It enters a scan's own statistics as so many healthy boxes more (normal model with known variance components; Gelman et al. 2013,
    Bayesian Data Analysis, chapters 2 and 5).

    Attributes:
        intercept, slope: the usual value is intercept + slope * log(millilitres of the box).
        spread: standard deviation among the boxes of one scan.
        between: standard deviation of the scans' own middles about the usual value.
        dof: degrees of freedom that `spread` is worth, few where scans differ in it.
    """

    intercept: float
    slope: float
    spread: float
    between: float
    dof: float

    def middle(self, milliliters: float) -> float:
        """The usual value in boxes of a volume."""
        return self.intercept + self.slope * math.log(milliliters)

    @property
    def worth(self) -> float:
        """Number of healthy boxes that tell as much of the scan's middle."""
        return (self.spread / self.between) ** 2
