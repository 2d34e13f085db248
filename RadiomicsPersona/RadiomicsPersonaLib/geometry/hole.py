"""Hole: the voxels of a scan that are taken out and rebuilt."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import InputError
from ..imaging.scan import Scan
from .box import Box


@dataclass(frozen=True, eq=False)
class Hole:
    """A set of voxels of one scan, kept as a small boolean array and where it sits.

    Attributes:
        start: IJK index of the region's first voxel, shape (3,), int.
        mask: boolean array over the region, axes I, J, K; True is inside the hole.
    """

    start: np.ndarray
    mask: np.ndarray

    @property
    def stop(self) -> np.ndarray:
        """IJK index one past the region's last voxel."""
        return self.start + np.array(self.mask.shape)

    @property
    def region(self) -> tuple[slice, slice, slice]:
        """Slices that cut the region out of the scan's array."""
        return tuple(slice(int(a), int(b)) for a, b in zip(self.start, self.stop))

    @property
    def voxels(self) -> int:
        """Number of voxels inside."""
        return int(np.count_nonzero(self.mask))

    def mask_over(self, start: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
        """Boolean array over another region, given by its first IJK index and its shape; False beyond this hole's own."""
        start = np.asarray(start)
        mask = np.zeros(tuple(shape), bool)
        low = np.maximum(self.start, start)
        high = np.minimum(self.stop, start + shape)
        if (high > low).all():
            there, here = (tuple(slice(int(a), int(b)) for a, b in zip(low - o, high - o)) for o in (start, self.start))
            mask[there] = self.mask[here]
        return mask

    def touches(self, other: Hole) -> bool:
        """Whether any voxel is in both holes."""
        return bool((self.mask & other.mask_over(self.start, self.mask.shape)).any())

    def holds(self, index: np.ndarray) -> np.ndarray:
        """Whether IJK indices (n, 3), int, are voxels of this hole; boolean (n,)."""
        local = index - self.start
        held = ((local >= 0) & (local < self.mask.shape)).all(axis=1)
        held[held] = self.mask[tuple(local[held].T)]
        return held

    def grown(self, shape: tuple[int, int, int], margin: int) -> Hole:
        """The same voxels in a region that is `margin` voxels wider on every side, cut at the scan's border."""
        start = np.maximum(self.start - margin, 0)
        stop = np.minimum(self.stop + margin, shape)
        return Hole(start, self.mask_over(start, stop - start))

    @property
    def key(self) -> tuple:
        """What tells it from holes of other voxels."""
        return (*self.start.tolist(), *self.mask.shape, self.mask.tobytes())

    def full_mask(self, shape: tuple[int, int, int]) -> np.ndarray:
        """Boolean array of the scan's shape."""
        return self.mask_over(np.zeros(3, int), shape)


def hole_of_box(scan: Scan, box: Box) -> Hole:
    """The voxels whose centre lies inside the oriented box.

    Raises:
        InputError: no voxel centre of the scan lies inside.

    >>> from RadiomicsPersonaLib.geometry.box import parse_box
    >>> from RadiomicsPersonaLib.imaging.scan import make_scan
    >>> scan = make_scan(np.arange(1000.0).reshape(10, 10, 10), np.diag([2.0, 2.0, 2.0, 1.0]))
    >>> hole = hole_of_box(scan, parse_box("8,8,8,5,5,9"))
    >>> hole.voxels, float(scan.array[hole.region][hole.mask].min())
    (45, 332.0)
    """
    corners = scan.ijk_from_ras(box.corners)
    start = np.clip(np.floor(corners.min(axis=0)).astype(int), 0, np.array(scan.shape))
    stop = np.clip(np.ceil(corners.max(axis=0)).astype(int) + 1, 0, np.array(scan.shape))
    if (stop > start).all():
        # |local| <= size / 2 with local = axes' (affine ijk - center), summed axis by axis to stay small in memory
        linear = box.axes.T @ scan.affine[:3, :3]
        offset = box.axes.T @ (scan.affine[:3, 3] - box.center)
        inside = np.ones(tuple(stop - start), bool)
        grids = [np.arange(a, b, dtype=np.float64) for a, b in zip(start, stop)]
        for axis in range(3):
            local = (
                (linear[axis, 0] * grids[0])[:, None, None]
                + (linear[axis, 1] * grids[1])[None, :, None]
                + (linear[axis, 2] * grids[2] + offset[axis])[None, None, :]
            )
            inside &= np.abs(local) <= box.size[axis] / 2
        if inside.any():
            return Hole(start, inside)
    low, high = scan.bounds_ras
    raise InputError(
        f"Box '{box.name}' holds no voxel of the scan; the scan reaches from "
        f"{_point(low)} to {_point(high)} in RAS mm, so move or enlarge the box."
    )


def hole_of_mask(mask: np.ndarray) -> Hole:
    """The true voxels of a boolean array of the scan's shape.

    Raises:
        InputError: the mask is empty.
    """
    if not mask.any():
        raise InputError("The mask is empty: mark the voxels to rebuild with a value other than 0.")
    start, stop = [], []
    for axis in range(3):
        line = np.flatnonzero(mask.any(axis=tuple(a for a in range(3) if a != axis)))
        start.append(line[0])
        stop.append(line[-1] + 1)
    region = tuple(slice(a, b) for a, b in zip(start, stop))
    return Hole(np.array(start), np.ascontiguousarray(mask[region]))


def union_of(holes: list[Hole]) -> Hole | None:
    """One hole with the voxels of all, or None when there are none."""
    if len(holes) < 2:
        return holes[0] if holes else None
    start = np.min([hole.start for hole in holes], axis=0)
    stop = np.max([hole.stop for hole in holes], axis=0)
    return Hole(start, np.logical_or.reduce([hole.mask_over(start, stop - start) for hole in holes]))


def _point(values) -> str:
    return "(" + ", ".join(f"{value:.0f}" for value in values) + ")"


def bounding_box(mask: np.ndarray) -> tuple[slice, slice, slice]:
    """Slices around the true voxels; at least one must be true."""
    slices = []
    for axis in range(3):
        line = np.flatnonzero(mask.any(axis=tuple(other for other in range(3) if other != axis)))
        slices.append(slice(int(line[0]), int(line[-1]) + 1))
    return tuple(slices)
