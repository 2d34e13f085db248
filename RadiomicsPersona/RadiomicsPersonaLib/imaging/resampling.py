"""Resampling: several scans of one head on the grid of the first, as their headers place them."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from ..errors import InputError
from .scan import Scan

LEAST_COVERED = 0.5
"""Share of the first scan that another must cover."""


def onto_grid_of(first: Scan, other: Scan) -> Scan:
    """Another scan of the same head on the first one's grid; itself where it is there already.

    Interpolation is linear; a finer scan is smoothed to the first one's spacing before. Beyond the other's field of view its
    lowest value stands.

    Raises:
        InputError: the headers place the other where it does not cover half of the first.
    """
    if share_grid(first, other):
        return other
    covered = share_covered(first, other)
    if covered < LEAST_COVERED:
        raise InputError(
            f"'{other.name}' and '{first.name}' do not lie in the same place (one covers {covered:.0%} of the other): "
            "give scans of one session, or register them first."
        )
    matrix = other.grid.inverse @ first.affine
    # a box of the first one's voxel, measured in the other's voxels, as a Gaussian of the same spread
    ratio = np.linalg.norm(matrix[:3, :3], axis=1)
    smooth = ndimage.gaussian_filter(other.array, np.sqrt(np.maximum(ratio**2 - 1, 0) / 12), mode="nearest")
    low = float(other.array.min())
    moved = ndimage.affine_transform(
        smooth, matrix[:3, :3], matrix[:3, 3], first.shape, order=1, mode="grid-constant", cval=low
    )
    return Scan(moved.astype(np.float32), first.affine, other.name, warnings=other.warnings)


def share_grid(first: Scan, other: Scan) -> bool:
    """Whether the voxels of two images lie in the same places."""
    return first.grid.same_as(other.grid)


def share_covered(first: Scan, other: Scan) -> float:
    """Share of the first scan's voxels that lie within the other's field of view."""
    sides = [np.linspace(0, n - 1, min(n, 16)) for n in first.shape]
    points = np.stack(np.meshgrid(*sides, indexing="ij"), axis=-1).reshape(-1, 3)
    index = other.ijk_from_ras(first.ras_from_ijk(points))
    return float(((index >= -0.5) & (index <= np.array(other.shape) - 0.5)).all(axis=1).mean())
