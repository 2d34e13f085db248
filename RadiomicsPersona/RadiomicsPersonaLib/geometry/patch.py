"""Patch: a cube of fixed size on the model's grid, along the scan's axes.

A patch's three axes are those of the scan, permuted and flipped so that they point as nearly as possible to
right, anterior and superior. Going to the patch and back is separable, one small matrix an axis: linear
interpolation where the target is finer, a tent filter as wide as the target's spacing where it is coarser.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..imaging.grid import Grid
from ..imaging.scan import Scan
from .hole import Hole


@dataclass(frozen=True, eq=False)
class PatchGrid:
    """Where a patch sits in a scan.

    Attributes:
        scan_shape: the scan's voxels along I, J, K.
        scan_affine: 4x4, IJK to RAS millimetres.
        size: number of patch voxels along every axis.
        axis: axis[p] is the scan axis that patch axis p runs along.
        first: scan index (fractional) of patch voxel 0 along each patch axis.
        step: scan indices per patch voxel along each patch axis; negative where the scan axis runs the other way.
    """

    scan_shape: tuple[int, int, int]
    scan_affine: np.ndarray
    size: int
    axis: tuple[int, int, int]
    first: np.ndarray
    step: np.ndarray

    @cached_property
    def ijk_from_patch(self) -> np.ndarray:
        """4x4 matrix from patch indices to the scan's IJK indices."""
        matrix = np.zeros((4, 4))
        matrix[3, 3] = 1
        for p, s in enumerate(self.axis):
            matrix[s, p] = self.step[p]
            matrix[s, 3] = self.first[p]
        return matrix

    @cached_property
    def affine(self) -> np.ndarray:
        """4x4 matrix from patch indices to RAS millimetres."""
        return self.scan_affine @ self.ijk_from_patch

    @cached_property
    def patch(self) -> Grid:
        """Where the patch's own voxels lie."""
        return Grid((self.size,) * 3, self.affine)

    @cached_property
    def _matrices_in(self) -> list[tuple[int, int, np.ndarray]]:
        return [
            band(self.first[p] + self.step[p] * np.arange(self.size), abs(self.step[p]), self.scan_shape[s])
            for p, s in enumerate(self.axis)
        ]

    def from_scan(self, array: np.ndarray, hole: Hole | None = None, outside: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
        """Resample the scan onto the patch, using nothing that lies inside the hole.

        Args:
            array: the scan's array, axes I, J, K.
            hole: voxels that must not be looked at, or None.
            outside: value beyond the scan's field of view.
        Returns:
            values: float32 (size, size, size), axes nearly R, A, S; 0 inside the hole.
            known: float32, same shape: the share of every patch voxel that does not come from the hole; where it is
                under one half the voxel belongs to the patch's hole.
        """
        bands = self._matrices_in
        window = [slice(0, 0)] * 3
        for p, s in enumerate(self.axis):
            window[s] = slice(bands[p][0], bands[p][1])
        values = np.asarray(array[tuple(window)], dtype=np.float32)
        if values.size == 0:
            return np.full((self.size,) * 3, outside, np.float32), np.ones((self.size,) * 3, np.float32)
        values = values - np.float32(outside)
        hidden = None if hole is None else hole.mask_over([w.start for w in window], values.shape)
        if hidden is None or not hidden.any():
            return self._apply(bands, values) + np.float32(outside), np.ones((self.size,) * 3, np.float32)
        values[hidden] = 0
        known = 1 - self._apply(bands, hidden.astype(np.float32))
        resampled = self._apply(bands, values) / np.maximum(known, 0.5) + np.float32(outside)
        return np.where(known < 0.5, np.float32(0), resampled), known

    def _apply(self, bands, values: np.ndarray) -> np.ndarray:
        values = np.transpose(values, self.axis)
        # contract the leading axis and append the result, three times: the order of axes comes round again
        for _, _, matrix in bands:
            values = np.tensordot(values, matrix, axes=(0, 1))
        return values

    def to_scan(self, patch: np.ndarray, hole: Hole) -> np.ndarray:
        """Bring a patch back onto the scan's own grid, over the hole's region; float32, axes I, J, K."""
        matrices = []
        for p, s in enumerate(self.axis):
            index = np.arange(hole.start[s], hole.stop[s])
            low, high, matrix = band((index - self.first[p]) / self.step[p], 1 / abs(self.step[p]), self.size, edge=True)
            full = np.zeros((len(index), self.size), np.float32)
            full[:, low:high] = matrix
            matrices.append(full)
        values = np.asarray(patch, dtype=np.float32)
        for p in range(3):
            values = np.tensordot(values, matrices[p], axes=(0, 1))
        return np.ascontiguousarray(np.transpose(values, np.argsort(self.axis)))


def patch_grid(scan: Scan, center_ras: np.ndarray, spacing: float | np.ndarray, size: int) -> PatchGrid:
    """A patch of `size` voxels of `spacing` millimetres around a point.

    The centre is moved by less than half a voxel so that patch voxels fall onto scan voxels wherever the spacings
    allow it: a 1 mm scan then passes through a 1 mm patch unchanged.
    """
    axis, flips = scan.axes_to_ras
    step = np.empty(3)
    first = np.empty(3)
    center = scan.ijk_from_ras(np.asarray(center_ras, float))
    for p in range(3):
        s = axis[p]
        step[p] = flips[p] * np.broadcast_to(spacing, 3)[p] / scan.spacing[s]
        if abs(abs(step[p]) - round(abs(step[p]))) < 1e-3 and abs(step[p]) > 0.5:
            step[p] = round(step[p])
        elif abs(1 / abs(step[p]) - round(1 / abs(step[p]))) < 1e-3:
            step[p] = np.sign(step[p]) / round(1 / abs(step[p]))
        first[p] = round(center[s]) - step[p] * (size // 2)
    return PatchGrid(tuple(scan.shape), scan.affine, size, axis, first, step)


def band(positions: np.ndarray, width: float, n_source: int, edge: bool = False) -> tuple[int, int, np.ndarray]:
    """Interpolation weights from n_source samples at 0..n-1 to fractional positions.

    Returns first source index, one past the last, and the matrix (len(positions), last - first) of a tent of half-width
    max(1, width). Weights sum to 1 where the whole tent lies inside the source, to less at its border; with `edge` they
    are scaled to sum to 1 wherever any source is touched, and positions beyond take the nearest sample. Ramps are
    reproduced exactly away from the border.
    """
    half = max(1.0, float(width))
    if edge:
        positions = np.clip(positions, 0, n_source - 1)
    low = int(np.clip(np.ceil(positions.min() - half), 0, n_source))
    high = int(np.clip(np.floor(positions.max() + half) + 1, low, n_source))
    reach = int(np.ceil(half))
    endless = np.floor(positions)[:, None] + np.arange(-reach, reach + 2)[None, :] - positions[:, None]
    tent = np.maximum(half - np.abs(endless), 0)
    # a tent of broken width would shift ramps a little; local linear weights (Cleveland 1979) do not
    m0, m1, m2 = ((tent * endless**power).sum(axis=1, keepdims=True) for power in range(3))
    flat = np.abs(m1) < 1e-9 * half
    distance = np.arange(low, high)[None, :] - positions[:, None]
    weights = np.maximum(half - np.abs(distance), 0)
    weights = np.where(flat, weights / m0, weights * (m2 - m1 * distance) / np.where(flat, 1, m0 * m2 - m1**2))
    if edge:
        weights /= np.maximum(weights.sum(axis=1, keepdims=True), 1e-9)
    return low, high, weights.astype(np.float32)
