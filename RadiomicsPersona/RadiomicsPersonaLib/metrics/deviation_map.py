"""Deviation map: how unusual every voxel's difference is among the same places of the controls."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from ..geometry.hole import Hole
from ..imaging.scan import Scan
from ..reconstruction.reconstruction import Reconstruction

SMOOTHING = 1.0
"""Standard deviation, in millimetres, of the Gaussian that takes noise out of the differences."""
SHELLS = 4
"""Voxels are held against those of the controls that are about as deep in the box: the middle is harder to rebuild."""


def deviation_p(scan: Scan, reconstruction: Reconstruction, controls: list[Reconstruction]) -> np.ndarray:
    """p of every voxel of the box: (1 + control voxels at least as far off) / (control voxels + 1), in shells of equal depth.

    The differences are smoothed. Neighbouring voxels are alike, and many are looked at: a map shows where the box deviates, it
    is no test of single voxels.

    Args:
        scan: the scan.
        reconstruction, controls: of the box and of its controls.
    Returns:
        float32 over the hole's region, axes I, J, K; 1 outside the hole and without controls.
    """
    result = np.ones(reconstruction.hole.mask.shape, np.float32)
    if not controls:
        return result
    size, depth = _smoothed_difference(scan, reconstruction)
    edges = np.quantile(depth, np.linspace(0, 1, SHELLS + 1)[1:-1])
    shell = np.searchsorted(edges, depth)
    measured = [_smoothed_difference(scan, control) for control in controls]
    others, depths = (np.concatenate([m[part] for m in measured]) for part in (0, 1))
    # controls may be larger: what lies deeper in them than anything in the box is harder to rebuild
    near = depths <= depth.max()
    others, other_shells = others[near], np.searchsorted(edges, depths[near])
    p = np.ones(len(size))
    for number in np.unique(shell):
        known = np.sort(others[other_shells == number])
        here = shell == number
        larger = len(known) - np.searchsorted(known, size[here], side="left")
        p[here] = (1 + larger) / (len(known) + 1)
    result[reconstruction.hole.mask] = p
    return result


def _smoothed_difference(scan: Scan, reconstruction: Reconstruction) -> tuple[np.ndarray, np.ndarray]:
    """Absolute smoothed difference, and depth below the hole's surface in millimetres, of the hole's voxels, shape (n,)."""
    hole = reconstruction.hole
    difference = scan.array[hole.region].astype(np.float64) - reconstruction.values
    smooth = np.abs(ndimage.gaussian_filter(difference, SMOOTHING / scan.spacing))
    return smooth[hole.mask], depth_in(hole, scan)[hole.mask]


def depth_in(hole: Hole, scan: Scan) -> np.ndarray:
    """Millimetres from the voxels of a hole to what is none of it, over the hole's region; 0 outside the hole."""
    return ndimage.distance_transform_edt(np.pad(hole.mask, 1), sampling=scan.spacing)[1:-1, 1:-1, 1:-1]
