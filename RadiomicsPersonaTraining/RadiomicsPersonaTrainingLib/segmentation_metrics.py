"""Segmentation metrics: how well one structure that was found agrees with the truth, in voxels and in millimetres."""

from __future__ import annotations

import math

import numpy as np

MEASURES = {
    "dice": "Dice",
    "jaccard": "Jaccard",
    "sensitivity": "sensitivity",
    "specificity": "specificity",
    "hd95_mm": "HD95 (mm)",
    "hd_mm": "HD (mm)",
}


def agreement(found: np.ndarray, truth: np.ndarray, spacing: np.ndarray) -> dict[str, float]:
    """The `MEASURES` of one structure.

    Hausdorff distances run between the outermost voxels of both (MONAI's edges and distances): the largest, and the 95th percentile of
    each direction, of which the larger counts. Two empty structures agree: Dice and Jaccard 1, distances 0. Where one of
    them is empty, Dice and Jaccard are 0 and distances the diagonal of the field of view. Sensitivity is not a number
    without a true voxel, specificity without a false one.

    Args:
        found, truth: boolean, one shape.
        spacing: millimetres of the voxels along the axes.
    """
    both, one, other = int((found & truth).sum()), int(found.sum()), int(truth.sum())
    empty = truth.size - other
    measures = {
        "dice": 2 * both / (one + other) if one + other else 1.0,
        "jaccard": both / (one + other - both) if one + other else 1.0,
        "sensitivity": both / other if other else math.nan,
        "specificity": (empty - (one - both)) / empty if empty else math.nan,
    }
    if not one and not other:
        return measures | {"hd95_mm": 0.0, "hd_mm": 0.0}
    if not one or not other:
        diagonal = float(np.linalg.norm(spacing * np.array(truth.shape)))
        return measures | {"hd95_mm": diagonal, "hd_mm": diagonal}
    forth, back = _distances(found, truth, spacing)
    return measures | {
        "hd95_mm": float(max(np.percentile(forth, 95), np.percentile(back, 95))),
        "hd_mm": float(max(forth.max(), back.max())),
    }


def _distances(found: np.ndarray, truth: np.ndarray, spacing: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """From every edge voxel of one structure to the nearest of the other, both ways."""
    from monai.metrics.utils import get_mask_edges, get_surface_distance

    edges = get_mask_edges(found, truth)
    return tuple(np.asarray(get_surface_distance(*pair, spacing=spacing.tolist())) for pair in (edges, edges[::-1]))
