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
    return deviation_of(scan, reconstruction, controls)[0]


def deviation_of(
    scan: Scan, reconstruction: Reconstruction, controls: list[Reconstruction], most_p: float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """`deviation_p`, and the share of each control that has at most `most_p` when it is held against the other controls.

    Shells count as they do in the box, so that a share times the box's volume is what a control as large would have.

    Returns:
        `deviation_p`; shares, shape (controls,), NaN where nothing of a control is comparable.
    """
    result = np.ones(reconstruction.hole.mask.shape, np.float32)
    shares = np.full(len(controls), np.nan)
    if not controls:
        return result, shares
    size, depth = _smoothed_difference(scan, reconstruction)
    edges = np.quantile(depth, np.linspace(0, 1, SHELLS + 1)[1:-1])
    shell = np.searchsorted(edges, depth)
    measured = [_smoothed_difference(scan, control) for control in controls]
    others, depths = (np.concatenate([m[part] for m in measured]) for part in (0, 1))
    whose = np.repeat(np.arange(len(controls)), [len(found) for found, _ in measured])
    # controls may be larger: what lies deeper in them than anything in the box is harder to rebuild
    near = depths <= depth.max()
    others, other_shells, whose = others[near], np.searchsorted(edges, depths[near]), whose[near]
    p = np.ones(len(size))
    weights, found = np.zeros(len(controls)), np.zeros(len(controls))
    for number in np.unique(shell):
        there = other_shells == number
        known = np.sort(others[there])
        here = shell == number
        larger = len(known) - np.searchsorted(known, size[here], side="left")
        p[here] = (1 + larger) / (len(known) + 1)
        for control in np.unique(whose[there]) if most_p else ():
            its = np.sort(others[there & (whose == control)])
            rest = len(known) - len(its)
            above = len(known) - np.searchsorted(known, its, side="left") - (len(its) - np.searchsorted(its, its, side="left"))
            if rest:
                weights[control] += here.mean()
                found[control] += here.mean() * float(((1 + above) / (rest + 1) <= most_p).mean())
    result[reconstruction.hole.mask] = p
    np.divide(found, weights, out=shares, where=weights > 0)
    return result, shares


def _smoothed_difference(scan: Scan, reconstruction: Reconstruction) -> tuple[np.ndarray, np.ndarray]:
    """Absolute smoothed difference, and depth below the hole's surface in millimetres, of the hole's voxels, shape (n,)."""
    hole = reconstruction.hole
    difference = scan.array[hole.region].astype(np.float64) - reconstruction.values
    smooth = np.abs(ndimage.gaussian_filter(difference, SMOOTHING / scan.spacing))
    return smooth[hole.mask], depth_in(hole, scan)[hole.mask]


def depth_in(hole: Hole, scan: Scan) -> np.ndarray:
    """Millimetres from the voxels of a hole to what is none of it, over the hole's region; 0 outside the hole."""
    return ndimage.distance_transform_edt(np.pad(hole.mask, 1), sampling=scan.spacing)[1:-1, 1:-1, 1:-1]
