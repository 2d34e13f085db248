"""Fitted mask: from a field to a lesion mask that keeps its promises: in tissue, of the requested size, in one piece."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.geometry.hole import Hole, hole_of_mask
from RadiomicsPersonaLib.imaging.grid import Grid
from RadiomicsPersonaLib.imaging.scan import Scan
from RadiomicsPersonaLib.lesions.outline import grown_to

FARTHEST = 10.0
"""Millimetres from the middle of a field to the tissue in which its lesion may begin."""


def fitted_mask(scan: Scan, open_to: np.ndarray, field: np.ndarray, affine: np.ndarray, ml: float) -> Hole:
    """The connected voxels of a scan where a field is highest, as many as make up the requested volume.

    Args:
        open_to: boolean, the scan's shape: where the lesion may lie.
        field: (D, H, W), from -1 to 1, the larger the more certainly lesion.
        affine: 4x4, the field's indices to RAS millimetres.
        ml: requested volume, millilitres.
    Raises:
        InputError: there is no room for a lesion of this size.
    """
    grid = Grid(field.shape, affine)
    corners = np.stack(np.meshgrid(*[(0, n - 1) for n in field.shape]), axis=-1).reshape(-1, 3)
    index = scan.ijk_from_ras(grid.ras_from_ijk(corners))
    start = np.clip(np.floor(index.min(axis=0)).astype(int), 0, scan.shape)
    stop = np.clip(np.ceil(index.max(axis=0)).astype(int) + 1, 0, scan.shape)
    region = tuple(slice(a, b) for a, b in zip(start, stop))
    allowed = open_to[region]
    middle = grid.ras_from_ijk((np.array(field.shape) - 1) / 2)
    if not allowed.any():
        raise no_room(scan, ml)
    matrix = grid.inverse @ scan.affine
    values = ndimage.affine_transform(
        np.asarray(field, np.float32),
        matrix[:3, :3],
        matrix[:3, 3] + matrix[:3, :3] @ start,
        allowed.shape,
        order=1,
        mode="grid-constant",
        cval=-1.0,
    )
    seed = _beginning(scan, allowed, values, start, middle, ml)
    found = grown_to(scan, allowed, 1 - values, start, seed, ml)
    return _of_size(found, values[tuple(slice(a, b) for a, b in zip(found.start - start, found.stop - start))], scan, seed, ml)


def no_room(scan: Scan, ml: float) -> InputError:
    """What is said where a lesion does not fit."""
    return InputError(f"A lesion of {ml:.3g} ml does not fit into the tissue of '{scan.name}' there: give a smaller --size.")


def _beginning(
    scan: Scan, allowed: np.ndarray, values: np.ndarray, start: np.ndarray, middle: np.ndarray, ml: float
) -> np.ndarray:
    """RAS of the allowed voxel with the highest value among those near the middle.

    Raises:
        InputError: none is within `FARTHEST`.
    """
    voxels = np.argwhere(allowed)
    apart = np.linalg.norm(scan.ras_from_ijk(voxels + start) - middle, axis=1)
    if apart.min() > FARTHEST:
        raise no_room(scan, ml)
    near = voxels[apart <= apart.min() + 0.5 * (750 * ml / np.pi) ** (1 / 3)]
    return scan.ras_from_ijk(near[values[tuple(near.T)].argmax()] + start)


def _of_size(found: Hole, values: np.ndarray, scan: Scan, seed: np.ndarray, ml: float) -> Hole:
    """The hole without what is too much: where two pieces joined at its lowest level, the second is only begun,
    layer by layer.
    """
    wanted = round(scan.grid.voxels_of(ml))
    if found.voxels <= wanted:
        return found
    index = tuple(scan.grid.nearest(seed) - found.start)
    inner = found.mask & (values > values[found.mask].min())
    labels, _ = ndimage.label(inner)
    kept = labels == labels[index] if labels[index] else np.zeros(found.mask.shape, bool)
    kept[index] = True
    while (missing := wanted - int(kept.sum())) > 0:
        layer = np.flatnonzero(ndimage.binary_dilation(kept, mask=found.mask) & ~kept)
        kept.flat[layer[np.argsort(-values.flat[layer], kind="stable")[:missing]]] = True
    tight = hole_of_mask(kept)
    return Hole(found.start + tight.start, tight.mask)
