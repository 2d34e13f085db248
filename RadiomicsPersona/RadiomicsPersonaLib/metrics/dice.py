"""Dice: how far two masks agree (Dice 1945)."""

from __future__ import annotations

import numpy as np


def dice_of(one: np.ndarray, other: np.ndarray) -> float:
    """2 |A and B| / (|A| + |B|) of two boolean arrays of one shape, 0 to 1; two empty sets agree (1).

    >>> dice_of(np.array([True, True, False]), np.array([False, True, True]))
    0.5
    """
    total = int(one.sum()) + int(other.sum())
    return 2 * int((one & other).sum()) / total if total else 1.0
