"""Feature distance: how differently the network's encoder sees a box and its healthy persona."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from ..brain.tissue import IntensityScale
from ..reconstruction.network_input import TISSUE_RANGE
from ..reconstruction.reconstruction_model import NetworkModel

MULTIPLE = 16
"""Sides that the network takes are multiples of this."""
CONTEXT_MM = 8.0
"""Surroundings of the box that are shown with it."""


def feature_distance(
    model: NetworkModel,
    original: np.ndarray,
    rebuilt: np.ndarray,
    mask: np.ndarray,
    spacing: np.ndarray,
    grid_spacing: float,
    scale: IntensityScale,
) -> float:
    """Mean over the box and the encoder's levels of the squared distance of unit feature vectors.

    Args:
        model: whose encoder looks; neither image has a hole, and the mirrored side is not shown.
        original, rebuilt: (I, J, K) intensities over the box's region with some context; equal outside the mask.
        mask: boolean, same shape; the box.
        spacing: millimetres along I, J, K.
        grid_spacing: millimetres of the grid on which the network looks.
        scale: the scan's tissue scale.
    Source: the perceptual distance of Zhang et al. 2018 (LPIPS), unweighted, over features of the network itself.
    """
    factor = np.asarray(spacing, float) / grid_spacing
    window = _around(mask, CONTEXT_MM / np.asarray(spacing, float))
    inside = ndimage.zoom(mask[window].astype(np.float32), factor, order=1, grid_mode=True, mode="nearest")
    images = [
        np.clip(
            ndimage.zoom(scale.to_tissue(a[window]).astype(np.float32), factor, order=1, grid_mode=True, mode="nearest"),
            *TISSUE_RANGE,
        )
        for a in (original, rebuilt)
    ]
    sides = [MULTIPLE * int(np.ceil(n / MULTIPLE)) for n in inside.shape]
    room = [(0, side - n) for side, n in zip(sides, inside.shape)]
    batch = np.zeros((2, 2, *sides), np.float32)
    batch[:, 0] = [np.pad(image, room, mode="edge") for image in images]
    weight = np.pad(inside, room)
    distances = []
    for level in model.features(batch):
        level /= np.sqrt((level**2).sum(axis=1, keepdims=True)) + 1e-6
        share = weight.reshape([part for n, whole in zip(level.shape[2:], sides) for part in (n, whole // n)]).mean(
            axis=(1, 3, 5)
        )
        distances.append(float((((level[0] - level[1]) ** 2).sum(axis=0) * share).sum() / max(share.sum(), 1e-6)))
    return float(np.mean(distances))


def _around(mask: np.ndarray, margin: np.ndarray) -> tuple[slice, ...]:
    """The mask's bounding box with a margin in voxels, as far as there is room."""
    found = ndimage.find_objects(mask.astype(np.uint8))[0]
    reach = np.ceil(margin).astype(int)
    return tuple(slice(max(s.start - r, 0), min(s.stop + r, n)) for s, r, n in zip(found, reach, mask.shape))
