"""A head of ellipsoids with FreeSurfer's numbers: enough of a label map for tests that have no real one."""

from __future__ import annotations

from functools import cache

import numpy as np

from RadiomicsPersonaTrainingLib.synthesis.label_map import LabelMap, codes_of

SHAPE = (150, 180, 160)
"""Voxels of 1 mm along R, A, S."""


def make_numbers() -> np.ndarray:
    """FreeSurfer numbers, int16, axes R, A, S; made once, then copied."""
    return _numbers().copy()


@cache
def _numbers() -> np.ndarray:
    right, front, up = (np.arange(n, dtype=np.float32) - (n - 1) / 2 for n in SHAPE)
    right, front, up = right[:, None, None], front[None, :, None], up[None, None, :]
    shells = [(511, 72, 88, 76), (507, 70, 86, 74), (515, 66, 82, 70), (24, 62, 77, 66), (3, 59, 74, 62), (2, 53, 68, 56)]
    inner = [(11, 22, 10, 8, 8, 16, 10), (10, 12, -10, 4, 8, 12, 8), (4, 10, 0, 16, 6, 30, 8)]
    folds = 3.0 * np.sin(right / 5) * np.sin(front / 5) * np.sin(up / 5)
    numbers = np.zeros(SHAPE, np.int16)
    for number, *axes in shells:
        radius = np.sqrt(sum((place / half) ** 2 for place, half in zip((right, front, up), axes)))
        numbers[radius < 1 + (folds / 60 if number == 2 else 0)] = number
    for number, x, y, z, *axes in inner:
        places = (np.abs(right) - x, front - y, up - z)
        numbers[sum((place / half) ** 2 for place, half in zip(places, axes)) < 1] = number
    numbers[((np.abs(right) < 1) & (up > 20) & np.isin(numbers, (2, 3)))] = 24
    other = {2: 41, 3: 42, 4: 43, 10: 49, 11: 50}
    for one, two in other.items():
        numbers[(numbers == one) & (right > 0)] = two
    return numbers


def make_label_map() -> LabelMap:
    """The phantom as a label map whose middle is RAS 0, 0, 0."""
    affine = np.eye(4)
    affine[:3, 3] = -(np.array(SHAPE) - 1) / 2
    return LabelMap(codes_of(make_numbers(), "phantom"), affine, "phantom")
