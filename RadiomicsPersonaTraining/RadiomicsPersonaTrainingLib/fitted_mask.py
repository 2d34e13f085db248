"""Fitted mask: from a field to a lesion mask that keeps its promises: in tissue, of the requested size, in one piece."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from RadiomicsPersonaLib.hole import Hole
from RadiomicsPersonaLib.scan import Scan

TOLERANCE = 0.05
"""Relative error of the volume."""
LEAST_VOXELS = 8
"""Of the scan that a lesion takes."""
_TOUCHING = np.ones((3, 3, 3))


def fitted_mask(scan: Scan, open_to: np.ndarray, field: np.ndarray, affine: np.ndarray, ml: float) -> Hole | None:
    """The voxels of a scan where a field is highest, cut off where their volume is the requested one.

    The piece that counts is the one at the middle of the field; what does not hang together with it is left out, and so is whatever does
    not lie in `open_to`. The threshold is found by halving.

    Args:
        open_to: boolean, the scan's shape: where the lesion may lie.
        field: (D, H, W), the larger the more certainly lesion; below its values at the border nothing is drawn.
        affine: 4x4, the field's indices to RAS millimetres.
        ml: requested volume.
    Returns:
        The lesion, or None where there is no room for it.
    """
    inverse = np.linalg.inv(scan.affine)
    corners = np.stack(np.meshgrid(*[(0, n - 1) for n in field.shape]), axis=-1).reshape(-1, 3) @ affine[:3, :3].T + affine[:3, 3]
    index = corners @ inverse[:3, :3].T + inverse[:3, 3]
    start = np.clip(np.floor(index.min(axis=0)).astype(int), 0, scan.shape)
    stop = np.clip(np.ceil(index.max(axis=0)).astype(int) + 1, 0, scan.shape)
    if (stop - start < 2).any():
        return None
    region = tuple(slice(a, b) for a, b in zip(start, stop))
    matrix = np.linalg.inv(affine) @ scan.affine
    lowest = float(field.min())
    values = ndimage.affine_transform(
        field, matrix[:3, :3], matrix[:3, 3] + matrix[:3, :3] @ start, tuple(stop - start), order=1, mode="constant", cval=lowest
    )
    allowed = open_to[region]
    wanted = ml * 1000 / abs(np.linalg.det(scan.affine[:3, :3]))
    if wanted < LEAST_VOXELS or allowed.sum() < wanted:
        return None
    middle = ((np.array(field.shape) - 1) / 2) @ affine[:3, :3].T + affine[:3, 3]
    seed = _seed(values, allowed, inverse[:3, :3] @ middle + inverse[:3, 3] - start, wanted)
    if seed is None:
        return None
    low, high, best = lowest, float(values[allowed].max()), None
    for _ in range(18):
        level = (low + high) / 2
        piece = _piece_at(allowed & (values > level), seed)
        count = int(piece.sum())
        if count and abs(count / wanted - 1) <= TOLERANCE:
            best = piece
            break
        low, high = (level, high) if count > wanted else (low, level)
    if best is None:
        # two pieces join at this level: the larger one is worn off from where the field is lowest
        piece = _piece_at(allowed & (values > low), seed)
        best = _worn(piece, values, wanted) if piece.sum() >= wanted else None
    if best is None:
        return None
    where = ndimage.find_objects(best)[0]
    return Hole(start + [part.start for part in where], np.ascontiguousarray(best[where]))


def _seed(values: np.ndarray, allowed: np.ndarray, middle: np.ndarray, wanted: float) -> tuple[int, int, int] | None:
    """The allowed voxel with the highest value near the middle."""
    points = np.argwhere(allowed)
    near = np.linalg.norm(points - middle, axis=1)
    close = points[near <= near.min() + 0.5 * (3 * wanted / (4 * np.pi)) ** (1 / 3)]
    return tuple(close[values[tuple(close.T)].argmax()]) if len(close) else None


def _piece_at(mask: np.ndarray, seed: tuple[int, int, int]) -> np.ndarray:
    """The connected part of a mask that holds a voxel; empty where the voxel is not in the mask."""
    labels, _ = ndimage.label(mask, structure=_TOUCHING)
    return labels == labels[seed] if labels[seed] else np.zeros(mask.shape, bool)


def _worn(piece: np.ndarray, values: np.ndarray, wanted: float) -> np.ndarray | None:
    """The largest connected part of the piece's highest `wanted` voxels, as long as that is nearly all of them."""
    levels = np.sort(values[piece])[::-1]
    labels, count = ndimage.label(piece & (values >= levels[int(wanted) - 1]), structure=_TOUCHING)
    largest = labels == 1 + np.bincount(labels.ravel())[1:].argmax() if count else piece
    return largest if abs(largest.sum() / wanted - 1) <= 3 * TOLERANCE else None
