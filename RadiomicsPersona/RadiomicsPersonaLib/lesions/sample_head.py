"""Sample head: a brain with a lesion of known place, made of what is installed, for whoever has no scan at hand; numpy only,
for Slicer's process makes it.

The brain is the average one, on a finer grid and sharpened, with some noise. It is nobody's. `place_lesion` puts the lesion
into the demo's template as well.
"""

from __future__ import annotations

import numpy as np

from ..brain.average_brain import AFFINE, average_brain

LESION_CENTER, LESION_RADII = (30.0, -26.0, 26.0), (11.0, 13.0, 10.0)
BOX_SIZE = (30.0, 34.0, 28.0)
"""Of a box that is tight around the lesion, mm."""
FINER = 2
"""Voxels of the sample along a voxel of the average."""
_SHARPENED_MM, _SHARPENED = 3.0, 1.2
_FLUID, _BRAIN = 0.22, 0.34
"""Brightness of the average below which is no brain, and from which on is nothing else."""
_WHITE, _NOISE = 800.0, 12.0
"""Intensity of white matter, and standard deviation of the noise."""


def sample_head() -> tuple[np.ndarray, np.ndarray]:
    """The brain with the lesion, int16 with axes I, J, K, and its affine to MNI RAS mm; the same every time.

    >>> array, affine = sample_head()
    >>> array.shape, affine[0, 0].item()
    ((91, 109, 91), 2.0)
    """
    average = average_brain()
    for axis in range(3):
        average = _finer(average, axis)
    affine = AFFINE @ np.diag([1 / FINER, 1 / FINER, 1 / FINER, 1.0])
    spacing = affine[0, 0]
    rng = np.random.default_rng(0)
    inside = np.clip((average - _FLUID) / (_BRAIN - _FLUID), 0, 1)
    sharp = average + _SHARPENED * (average - _smooth(average, _SHARPENED_MM / spacing))
    head = _WHITE * np.clip(sharp, 0, None) * inside + rng.normal(0, _NOISE, average.shape) * (inside > 0)
    wobble, texture = (_smooth(rng.normal(size=head.shape).astype(np.float32), mm / spacing) for mm in (4.0, 1.0))
    return np.maximum(place_lesion(head, affine, wobble, texture), 0).astype(np.int16), affine


def place_lesion(array: np.ndarray, affine: np.ndarray, wobble: np.ndarray, texture: np.ndarray) -> np.ndarray:
    """A T1-weighted brain in MNI space with a dark, uneven, soft-edged lesion at `LESION_CENTER`.

    Args:
        array: the brain, dark outside.
        affine: 4x4, from indices to MNI RAS mm.
        wobble, texture: smooth noise of the same shape: how uneven the lesion's border is, and its inside.
    """
    index = np.stack(np.meshgrid(*[np.arange(n) for n in array.shape], indexing="ij"), axis=-1)
    points = index @ affine[:3, :3].T + affine[:3, 3]
    radius = np.sqrt((((points - LESION_CENTER) / LESION_RADII) ** 2).sum(axis=-1)) + wobble * (0.25 / wobble.std())
    share = 1 / (1 + np.exp((radius - 1) / 0.08))
    tissue = np.percentile(array[array > 0.2 * array.max()], 50)
    return (1 - share) * array + share * (tissue * (0.42 + 0.06 * texture / texture.std()))


def _finer(array: np.ndarray, axis: int) -> np.ndarray:
    """`FINER` times as many voxels along an axis, by cubic interpolation (Catmull and Rom 1974)."""
    array = np.moveaxis(array, axis, -1)
    place = np.arange((array.shape[-1] - 1) * FINER + 1) / FINER
    first = np.clip(place.astype(int), 1, array.shape[-1] - 3)
    t = (place - first).astype(np.float32)
    a, b, c, d = (array[..., first + shift] for shift in (-1, 0, 1, 2))
    finer = 0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)
    return np.moveaxis(finer, -1, axis)


def _smooth(array: np.ndarray, radius: float) -> np.ndarray:
    """Three running means along every axis, of `radius` voxels to either side, nearly a Gaussian."""
    width = 2 * max(1, round(radius)) + 1
    for axis in range(3):
        array = np.moveaxis(array, axis, -1)
        for _ in range(3):
            padded = np.pad(array, [(0, 0), (0, 0), (width // 2, width // 2)], mode="edge")
            array = np.lib.stride_tricks.sliding_window_view(padded, width, axis=-1).mean(axis=-1)
        array = np.moveaxis(array, -1, axis)
    return array
