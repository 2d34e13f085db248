"""Real outlines: the pieces of lesion masks as distances from their border, so that they can be turned and scaled."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from scipy import ndimage

from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.imaging.files import read_scan

LEAST_PIECE = 8
"""Voxels of a mask's piece below which it has no outline to speak of."""
MARGIN_MM = 8.0
"""Around a piece, over which its distance is known."""


@dataclass(frozen=True, eq=False)
class LesionOutline:
    """One connected piece of a lesion mask.

    Attributes:
        distance: millimetres from its border, negative inside, float32, with `MARGIN_MM` around it.
        spacing: millimetres between voxels of `distance`.
        radius: millimetres, of a ball of its volume.
    """

    distance: np.ndarray
    spacing: np.ndarray
    radius: float


def pieces_of(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The connected pieces of a binary mask: their numbers in its voxels, the voxels of each by number (0 for what is
    outside), and millimetres per voxel.

    Raises:
        InputError: the file is no mask.
    """
    scan = read_scan(path)
    labels, _ = ndimage.label(scan.array > 0, structure=np.ones((3, 3, 3)))
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    if not sizes.any():
        raise InputError(f"'{Path(path).name}' marks no voxel: give binary lesion masks.")
    return labels, sizes, scan.spacing


@lru_cache(maxsize=512)
def outlines_of(path: Path) -> tuple[LesionOutline, ...]:
    """The connected pieces of a binary mask that have at least `LEAST_PIECE` voxels; the largest alone where none has.

    Raises:
        InputError: the file is no mask.
    """
    labels, sizes, spacing = pieces_of(path)
    kept = np.flatnonzero(sizes >= min(LEAST_PIECE, sizes.max()))
    boxes, margin = ndimage.find_objects(labels), np.ceil(MARGIN_MM / spacing).astype(int)
    pieces = []
    for number in kept:
        inside = np.pad(labels[boxes[number - 1]] == number, [(m, m) for m in margin])
        outer, inner = (ndimage.distance_transform_edt(part, sampling=spacing) for part in (~inside, inside))
        radius = float((sizes[number] * spacing.prod() * 3 / (4 * np.pi)) ** (1 / 3))
        # half a voxel either way, as the border runs between the voxels
        signed = np.where(inside, spacing.min() / 2 - inner, outer - spacing.min() / 2)
        pieces.append(LesionOutline(signed.astype(np.float32), spacing, radius))
    return tuple(pieces)
