"""Part: where in a box the unusual lies: the voxels that drive the verdict, and the boxes around them."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from ..brain.preparation import PreparedScan
from ..geometry.box import Box
from ..geometry.hole import Hole
from ..geometry.markups import boxes_from_label_map
from ..imaging.scan import Scan
from .result import Part

SMOOTHING = 2.0
"""Standard deviation, millimetres, of the Gaussian over -log10 of every voxel's p."""
LEAST_EVIDENCE = 1.3
"""Smoothed -log10 p from which on a voxel's difference from its persona is unusual."""
LEAST_ML = 0.1
"""Millilitres of the smallest part that is told."""
MARGIN = 2.0
"""Millimetres between a part and the faces of its box."""


def unusual_in(prepared: PreparedScan, hole: Hole, voxel_p: np.ndarray) -> np.ndarray:
    """The unusual voxels of a box: far from their persona, or marked by the lesion model more than the rest of the brain.

    Args:
        voxel_p: p of every voxel's difference over the hole's region, see `deviation_map.deviation_p`.
    Returns:
        boolean over the hole's region, axes I, J, K.
    """
    found = far_off(prepared.scan, hole, voxel_p, LEAST_EVIDENCE)
    if prepared.evidence is None:
        return found
    found |= prepared.evidence.marked_in(prepared.scan, hole, prepared.suspects)
    return found & prepared.evidence.brain_in(prepared.scan, hole)


def far_off(scan: Scan, hole: Hole, voxel_p: np.ndarray, least: float) -> np.ndarray:
    """The voxels of a box whose smoothed -log10 p is at least so much; boolean over the hole's region."""
    sigma = SMOOTHING / scan.spacing
    weight, evidence = (
        ndimage.gaussian_filter(a.astype(np.float32), sigma) for a in (hole.mask, np.where(hole.mask, -np.log10(voxel_p), 0))
    )
    return hole.mask & (evidence >= least * np.maximum(weight, 1e-3))


def parts_of(scan: Scan, hole: Hole, unusual: np.ndarray, name: str) -> tuple[Part, ...]:
    """The pieces of what is unusual, the largest first, each at least `LEAST_ML`.

    Args:
        unusual: boolean over the hole's region.
        name: of the box; pieces are called after it.
    """
    opened = ndimage.binary_opening(unusual, iterations=1) if min(unusual.shape) > 6 else unusual
    labels, count = ndimage.label(ndimage.binary_propagation(opened, mask=unusual))
    sizes = np.bincount(labels.ravel(), minlength=count + 1)[1:]
    parts = []
    for number in np.argsort(-sizes, kind="stable"):
        volume = scan.grid.ml_of(sizes[number])
        if volume < LEAST_ML:
            break
        whole = np.zeros(scan.shape, np.uint8)
        whole[hole.region] = labels == number + 1
        [around] = boxes_from_label_map(whole, scan.affine, min_voxels=1)
        box = Box(around.center, around.size + 2 * MARGIN, around.axes, f"{name}, part {len(parts) + 1}")
        parts.append(Part(volume, box))
    return tuple(parts)
