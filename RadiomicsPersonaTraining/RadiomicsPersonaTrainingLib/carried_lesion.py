"""Carried lesion: a real lesion's mask brought to its own place in another brain."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from RadiomicsPersonaLib.hole import Hole, hole_of_mask

from .lesion_ground import LesionGround
from .lesion_pieces import LesionPiece

LEAST_VOXELS = 8
"""Of the scan, below which nothing is left of a lesion."""


def carried_mask(piece: LesionPiece, ras_from_mni: np.ndarray, affine: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
    """A lesion's mask carried to a scan by an affine matrix, on a grid (4x4 indices to RAS) of that scan; boolean."""
    matrix = np.linalg.inv(ras_from_mni @ piece.affine) @ affine
    return ndimage.affine_transform(piece.mask.astype(np.float32), matrix[:3, :3], matrix[:3, 3], shape, order=1, mode="constant") >= 0.5


def carried_lesion(piece: LesionPiece, ground: LesionGround) -> Hole | None:
    """What a lesion is in another brain: carried by the affine registration, cut to grey and white matter, its largest connected piece.

    Returns:
        Its voxels, or None where hardly any is left.
    """
    mask = carried_mask(piece, ground.ras_from_mni, ground.scan.affine, ground.scan.shape) & ground.solid
    labels, count = ndimage.label(mask)
    sizes = np.bincount(labels.ravel())[1:]
    return hole_of_mask(labels == 1 + sizes.argmax()) if count and sizes.max() >= LEAST_VOXELS else None
