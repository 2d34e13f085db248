"""Model grid: a whole scan on the grid that a segmenting network was trained on, and back."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..imaging.scan import Scan
from .patch import band

ALIKE = 0.01
"""Relative difference of spacings below which a scan is not resampled."""


@dataclass(frozen=True, eq=False)
class ModelGrid:
    """A grid over a scan's whole field of view, its axes those of the scan that are nearest to right, anterior and superior.

    Attributes:
        scan_shape: the scan's voxels along I, J, K.
        shape: voxels along R, A, S.
        axis: axis[p] is the scan axis that grid axis p runs along.
        first: scan index (fractional) of voxel 0 along each grid axis.
        step: scan indices per voxel along each grid axis; negative where the scan axis runs the other way.
    """

    scan_shape: tuple[int, int, int]
    shape: tuple[int, int, int]
    axis: tuple[int, int, int]
    first: np.ndarray
    step: np.ndarray

    def from_scan(self, array: np.ndarray) -> np.ndarray:
        """An image on the scan's grid (axes I, J, K) on this one (R, A, S), float32; unchanged where the spacings agree."""
        values = np.transpose(np.asarray(array, np.float32), self.axis)
        for p, s in enumerate(self.axis):
            index = self.first[p] + self.step[p] * np.arange(self.shape[p])
            low, high, matrix = band(index, abs(self.step[p]), self.scan_shape[s], edge=True)
            values = _along(values, p, low, high, matrix)
        return np.ascontiguousarray(values)

    def to_scan(self, values: np.ndarray) -> np.ndarray:
        """Values (D, H, W) of this grid on the scan's, float32, axes I, J, K."""
        values = np.asarray(values, np.float32)
        for p, s in enumerate(self.axis):
            index = (np.arange(self.scan_shape[s]) - self.first[p]) / self.step[p]
            low, high, matrix = band(index, 1 / abs(self.step[p]), self.shape[p], edge=True)
            values = _along(values, p, low, high, matrix)
        return np.ascontiguousarray(np.transpose(values, np.argsort(self.axis)))

    def labels_from_scan(self, labels: np.ndarray, count: int) -> np.ndarray:
        """Classes 0 to `count` on the scan's grid as uint8 on this one: of every voxel the one that fills most of it."""
        if self._keeps_voxels:
            return self.from_scan(labels).astype(np.uint8)
        shares = np.stack([self.from_scan(labels == number) for number in range(count + 1)])
        return shares.argmax(axis=0).astype(np.uint8)

    @cached_property
    def _keeps_voxels(self) -> bool:
        return bool((np.abs(self.step) == 1).all())


def model_grid(scan: Scan, spacing: tuple[float, float, float]) -> ModelGrid:
    """The grid of a spacing over a scan.

    Args:
        spacing: millimetres along R, A, S; 0 keeps the scan's own.
    """
    axis, flips = scan.axes_to_ras
    own = scan.spacing[list(axis)]
    wanted = np.where(np.array(spacing, float) > 0, spacing, own)
    ratio = np.where(np.abs(wanted / own - 1) < ALIKE, 1.0, wanted / own)
    sides = np.array([scan.shape[s] for s in axis])
    shape = np.maximum(1, np.rint(sides / ratio)).astype(int)
    step = flips * ratio
    first = (sides - 1) / 2 - step * (shape - 1) / 2
    return ModelGrid(tuple(scan.shape), tuple(int(n) for n in shape), axis, first, step)


def _along(values: np.ndarray, axis: int, low: int, high: int, matrix: np.ndarray) -> np.ndarray:
    part = np.take(values, range(low, high), axis=axis)
    return np.moveaxis(np.tensordot(matrix, part, axes=(1, axis)), 0, axis)
