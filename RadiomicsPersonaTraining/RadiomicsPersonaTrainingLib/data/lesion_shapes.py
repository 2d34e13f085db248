"""Lesion shapes: real lesions' outlines, turned at random and set somewhere into a healthy brain."""

from __future__ import annotations

import os
import zlib
from functools import lru_cache
from pathlib import Path

import numpy as np
from scipy import ndimage

from RadiomicsPersonaLib.geometry.hole import Hole, hole_of_mask
from RadiomicsPersonaLib.imaging.scan import Scan

from ..synthesis.real_outlines import pieces_of
from .split import scans_in

TESTED_SHARE = 5
"""One shape in this many is kept for evaluation, chosen by its file's name."""


def is_for_evaluation(path: Path) -> bool:
    """Whether this shape is kept for evaluation; the others may be used in training."""
    return zlib.crc32(os.fsencode(path.name)) % TESTED_SHARE == 0


def training_shapes(folder: Path) -> tuple[Path, ...]:
    """The files of lesion masks in a folder whose shapes may be used in training."""
    return tuple(file for file in scans_in(folder) if not is_for_evaluation(file))


@lru_cache(maxsize=64)
def lesion_shape(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """The largest connected piece of a binary mask: a boolean array without empty rims, and its spacing in millimetres.

    Raises:
        InputError: the file is no mask.
    """
    labels, sizes, spacing = pieces_of(path)
    return hole_of_mask(labels == sizes.argmax()).mask, spacing


def points_in(shape: np.ndarray, spacing: np.ndarray, rng: np.random.Generator, count: int = 512) -> np.ndarray:
    """Random points of a shape in millimetres from its hull's centre, (count, 3)."""
    inner = np.argwhere(shape) - (np.array(shape.shape) - 1) / 2
    return inner[rng.integers(len(inner), size=count)] * spacing


def placed(scan: Scan, shape: np.ndarray, spacing: np.ndarray, turn: np.ndarray, center: np.ndarray) -> Hole | None:
    """The scan's voxels whose centre lies inside a shape that is turned and set around a point.

    Args:
        shape, spacing: boolean array and its millimetres per voxel.
        turn: orthogonal 3x3 matrix, from the shape's axes to RAS; may reflect.
        center: RAS millimetres.
    Returns:
        The hole, or None when no voxel centre lies inside.
    """
    half = np.array(shape.shape) * spacing / 2
    corners = np.stack(np.meshgrid(*[(-1.0, 1.0)] * 3), axis=-1).reshape(-1, 3) * half
    ends = scan.ijk_from_ras(center + corners @ turn.T)
    start = np.clip(np.floor(ends.min(axis=0)).astype(int), 0, scan.shape)
    stop = np.clip(np.ceil(ends.max(axis=0)).astype(int) + 1, 0, scan.shape)
    if (stop <= start).any():
        return None
    matrix = (turn.T @ scan.affine[:3, :3]) / spacing[:, None]
    offset = turn.T @ (scan.ras_from_ijk(start) - center) / spacing + (np.array(shape.shape) - 1) / 2
    inside = ndimage.affine_transform(
        shape.astype(np.float32), matrix, offset, tuple(stop - start), order=1, mode="grid-constant", cval=0.0
    )
    if not (inside >= 0.5).any():
        return None
    # a turned shape leaves its hull half empty, and the hull decides on which grid the network works
    tight = hole_of_mask(inside >= 0.5)
    return Hole(start + tight.start, tight.mask)
