"""Reference: healthy boxes of other people, among which a box is ranked."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .score import SCORES

WIDTH = 0.7
"""Standard deviation of the Gaussian in log volume with which boxes of other sizes count less."""
LEAST_WEIGHT = 150.0
"""Weight of all boxes together, the nearest counting one; where it is less the Gaussian widens. Scores are adjusted for size,
so that a box larger than any known one is held against the largest, and p is not bound by their number."""


@dataclass(frozen=True, eq=False)
class Reference:
    """Healthy boxes of people that nobody is judged by twice.

    Attributes:
        scores: robust standard scores of every box among the others of its scan, float32 (n, len(SCORES)); NaN where not known.
        volumes: millilitres, (n,).
        people: how many there are.
    """

    scores: np.ndarray
    volumes: np.ndarray
    people: int

    def weights(self, milliliters: float) -> np.ndarray:
        """How much every box counts for one of a volume, at most 1, shape (n,)."""
        distance, width = np.abs(np.log(self.volumes / milliliters)), WIDTH
        while True:
            weight = np.exp(-0.5 * (distance**2 - distance.min() ** 2) / width**2)
            if weight.sum() >= min(LEAST_WEIGHT, 0.5 * len(weight)):
                return weight
            width *= 1.1

    def effective(self, milliliters: float) -> float:
        """How many boxes of exactly this volume would tell as much (Kish 1965)."""
        weight = self.weights(milliliters)
        return float(weight.sum() ** 2 / (weight**2).sum())

    def record(self) -> dict:
        """In plain JSON types; scores in hundredths."""
        hundredths = np.where(np.isfinite(self.scores), np.rint(100 * self.scores), -9999).astype(int)
        lines = [" ".join(map(str, box)) for box in hundredths.tolist()]
        return {"people": self.people, "volumes": self.volumes.tolist(), "hundredths": lines}

    @classmethod
    def of_record(cls, record: dict) -> Reference:
        """As `record` wrote it.

        Raises:
            ValueError, KeyError, TypeError: it is something else.
        """
        hundredths = np.array([line.split() for line in record["hundredths"]], float).reshape(-1, len(SCORES))
        volumes = np.array(record["volumes"], float)
        if len(volumes) != len(hundredths) or not len(volumes) or not (volumes > 0).all():
            raise ValueError("the reference does not fit together")
        scores = np.where(hundredths == -9999, np.nan, hundredths / 100).astype(np.float32)
        return cls(scores, volumes, int(record["people"]))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Reference) and self.record() == other.record()

    __hash__ = None


def conformal_p(value: float, others: np.ndarray, weights: np.ndarray) -> float:
    """(1 + weight of those at least as large) / (1 + weight of all): a localised conformal p (Guan 2023); ties count against.

    >>> conformal_p(2.0, np.array([0.5, 1.0, 3.0]), np.array([1.0, 1.0, 1.0]))
    0.5
    """
    return float((1 + weights[others >= value].sum()) / (1 + weights.sum()))
