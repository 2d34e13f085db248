"""Hole: the voxels of a scan that are taken out and rebuilt."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .box import Box
from .errors import InputError
from .scan import Scan


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

    def grown(self, shape: tuple[int, int, int], margin: int) -> Hole:
        """The same voxels in a region that is `margin` voxels wider on every side, cut at the scan's border."""
        start = np.maximum(self.start - margin, 0)
        stop = np.minimum(self.stop + margin, shape)
        mask = np.zeros(tuple(stop - start), bool)
        offset = self.start - start
        mask[tuple(slice(int(o), int(o + n)) for o, n in zip(offset, self.mask.shape))] = self.mask
        return Hole(start, mask)

    def full_mask(self, shape: tuple[int, int, int]) -> np.ndarray:
        """Boolean array of the scan's shape."""
        full = np.zeros(shape, bool)
        full[self.region] = self.mask
        return full


def hole_of_box(scan: Scan, box: Box) -> Hole:
    """The voxels whose centre lies inside the oriented box.

    Raises:
        InputError: no voxel centre of the scan lies inside.
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
    mask = np.zeros(tuple(stop - start), bool)
    for hole in holes:
        mask[tuple(slice(int(a - s), int(b - s)) for a, b, s in zip(hole.start, hole.stop, start))] |= hole.mask
    return Hole(start, mask)


def _point(values) -> str:
    return "(" + ", ".join(f"{value:.0f}" for value in values) + ")"
