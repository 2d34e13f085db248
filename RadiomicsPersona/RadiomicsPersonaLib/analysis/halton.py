"""Halton: points spread evenly over a cube, number for number those of `scipy.stats.qmc.Halton`, which takes longer to load
than a box takes to judge.
"""

from __future__ import annotations

import math

import numpy as np

PRIMES = (2, 3, 5, 7, 11, 13, 17)


def halton(dimensions: int, count: int, seed: int) -> np.ndarray:
    """The first points of Halton's sequence, its digits permuted at random (Halton 1960; Owen 2017, A randomized Halton
    algorithm in R), float64 (count, dimensions) in [0, 1).

    Args:
        dimensions: at most `len(PRIMES)`.
        seed: of the permutations.

    >>> halton(2, 3, seed=0).round(3).tolist()
    [[0.099, 0.054], [0.599, 0.721], [0.349, 0.387]]
    """
    rng, columns = np.random.default_rng(seed), []
    for prime in PRIMES[:dimensions]:
        digits = math.ceil(54 / math.log2(prime)) - 1  # what a float64 can tell apart
        left, column, weight = np.arange(count), np.zeros(count), 1 / prime
        for order in [rng.permutation(prime) for _ in range(digits)]:
            column += order[left % prime] * weight
            left //= prime
            weight /= prime
        columns.append(column)
    return np.stack(columns, axis=1)
