"""Mirror: what lies on the other side of the midplane."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from ..geometry.box import Box, lattice_of
from ..geometry.hole import Hole
from ..imaging.scan import Scan
from .midplane import Midplane
from .preparation import PreparedScan


def mirrored_values(
    scan: Scan,
    midplane: Midplane,
    points_from_index: np.ndarray,
    shape: tuple[int, int, int],
    hole: Hole | None,
    outside: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Sample the reflected scan on a regular grid by linear interpolation, using nothing inside the hole.

    Args:
        points_from_index: 4x4 matrix from the grid's indices to RAS millimetres.
        shape: the grid's shape.
        hole: voxels that must not be looked at, or None.
        outside: value beyond the field of view.
    Returns:
        values: float32 of `shape`; `outside` where unknown.
        known: boolean of `shape`; False beyond the field of view and where any hole voxel would contribute.
    """
    to_scan = scan.grid.inverse @ midplane.reflection @ points_from_index
    corners = np.array(np.meshgrid(*[(0, n - 1) for n in shape])).reshape(3, -1)
    ends = to_scan[:3, :3] @ corners + to_scan[:3, 3:]
    low = np.clip(np.floor(ends.min(axis=1)).astype(int) - 1, 0, scan.shape)
    high = np.clip(np.ceil(ends.max(axis=1)).astype(int) + 2, 0, scan.shape)
    if (high - low < 2).any():
        return np.full(shape, outside, np.float32), np.zeros(shape, bool)
    window = np.array(scan.array[tuple(slice(a, b) for a, b in zip(low, high))], dtype=np.float32)
    visible = np.ones(window.shape, np.float32)
    if hole is not None:
        hidden = hole.mask_over(low, window.shape)
        window[hidden] = outside
        visible[hidden] = 0
    matrix, shift = to_scan[:3, :3], to_scan[:3, 3] - low
    values = ndimage.affine_transform(window, matrix, shift, shape, order=1, mode="constant", cval=outside, prefilter=False)
    known = ndimage.affine_transform(visible, matrix, shift, shape, order=1, mode="constant", cval=0, prefilter=False) > 0.999
    return np.where(known, values, np.float32(outside)).astype(np.float32), known


def mirrored_side(prepared: PreparedScan, hole: Hole) -> np.ndarray:
    """Intensities of the mirrored side over a hole's region, float32, axes I, J, K; NaN off the scan and in suspects."""
    offset = np.eye(4)
    offset[:3, 3] = hole.start
    values, known = mirrored_values(
        prepared.scan,
        prepared.midplane,
        prepared.scan.affine @ offset,
        hole.mask.shape,
        prepared.suspects,
        prepared.tissue.background,
    )
    return np.where(known, values, np.float32(np.nan))


def mirror_is_free(prepared: PreparedScan, box: Box) -> bool:
    """False when a quarter of the mirrored box lies in a suspect; its controls then do without as well, to be fair."""
    if prepared.suspects is None:
        return True
    points = lattice_of(box.transformed(prepared.midplane.reflection))
    index = prepared.scan.grid.nearest(points)
    return float(prepared.suspects.holds(index).mean()) < 0.25
