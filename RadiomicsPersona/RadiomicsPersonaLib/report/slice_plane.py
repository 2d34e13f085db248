"""Slice plane: an axial, coronal or sagittal cut through RAS space, and what a scan and a box look like on it.

Radiological convention: the patient's right is on the left of axial and coronal pictures, anterior on the left of
sagittal ones. Planes lie along R, A, S whatever the scan's own axes are.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy import ndimage

from ..geometry.box import Box
from ..geometry.hole import Hole
from ..imaging.scan import Scan

ORIENTATIONS = ("axial", "coronal", "sagittal")
_DIRECTIONS = {
    "axial": ((-1.0, 0.0, 0.0), (0.0, -1.0, 0.0), "RLAP"),
    "coronal": ((-1.0, 0.0, 0.0), (0.0, 0.0, -1.0), "RLSI"),
    "sagittal": ((0.0, -1.0, 0.0), (0.0, 0.0, -1.0), "APSI"),
}
_SIDES = ("LR", "PA", "IS")


def coordinate(axis: int, value: float, digits: int = 1) -> str:
    """A RAS coordinate as it is spoken of: `coordinate(0, -12.5)` is "L 12.5"."""
    return f"{_SIDES[axis][int(value >= 0)]} {abs(value):.{digits}f}"


@dataclass(frozen=True, eq=False)
class Plane:
    """A square picture in RAS space.

    Attributes:
        orientation: "axial", "coronal" or "sagittal".
        center: RAS millimetres of the picture's middle, shape (3,).
        side: edge length in millimetres.
        pixels: edge length in pixels.
    """

    orientation: str
    center: np.ndarray
    side: float
    pixels: int

    @property
    def across(self) -> np.ndarray:
        """Unit vector in RAS along the picture's x axis, to the right."""
        return np.array(_DIRECTIONS[self.orientation][0])

    @property
    def down(self) -> np.ndarray:
        """Unit vector in RAS along the picture's y axis, downwards."""
        return np.array(_DIRECTIONS[self.orientation][1])

    @property
    def letters(self) -> str:
        """What lies to the left, right, top and bottom: four of R L A P S I."""
        return _DIRECTIONS[self.orientation][2]

    @property
    def position(self) -> str:
        """Where the plane lies, for example "S 32 mm"."""
        axis = int(np.argmax(np.abs(np.cross(self.across, self.down))))
        return f"{coordinate(axis, self.center[axis], 0)} mm"

    @property
    def points(self) -> np.ndarray:
        """RAS millimetres of the pixel centres, shape (pixels, pixels, 3): rows downwards, columns to the right."""
        steps = ((np.arange(self.pixels) + 0.5) / self.pixels - 0.5) * self.side
        return self.center + steps[:, None, None] * self.down + steps[None, :, None] * self.across

    def pixel_of(self, points: np.ndarray) -> np.ndarray:
        """Picture coordinates (x, y) in pixels from the top left corner of RAS points (..., 3)."""
        local = (np.asarray(points, float) - self.center) @ np.stack([self.across, self.down], axis=1)
        return (local / self.side + 0.5) * self.pixels


def planes_around(box: Box, margin: float, pixels: int) -> tuple[Plane, ...]:
    """The three planes through the box's centre that show all of it and `margin` millimetres around, at one scale."""
    side = float(np.ptp(box.corners, axis=0).max() + 2 * margin)
    return tuple(Plane(orientation, box.center, side, pixels) for orientation in ORIENTATIONS)


def planes_of_scan(scan: Scan, point: np.ndarray, pixels: int) -> tuple[Plane, ...]:
    """The three planes through a RAS point that show the whole scan, at one scale."""
    low, high = scan.bounds_ras
    side = float((high - low).max() + scan.spacing.max())
    planes = []
    for orientation in ORIENTATIONS:
        through = np.abs(np.cross(*_DIRECTIONS[orientation][:2])) > 0
        planes.append(Plane(orientation, np.where(through, point, (low + high) / 2), side, pixels))
    return tuple(planes)


def cut(array: np.ndarray, affine: np.ndarray, plane: Plane, outside: float, order: int = 1) -> np.ndarray:
    """A volume's values on a plane, float (pixels, pixels).

    Args:
        array, affine: the volume, axes I, J, K, and its 4x4 IJK-to-RAS matrix.
        outside: value beyond the volume.
        order: 1 interpolates linearly, 0 takes the nearest voxel.
    """
    index = (plane.points - affine[:3, 3]) @ np.linalg.inv(affine[:3, :3]).T
    # voxels reach half a voxel beyond their centres
    edge = np.array(array.shape) - 0.5
    known = ((index >= -0.5) & (index <= edge)).all(axis=-1)
    values = ndimage.map_coordinates(array, np.moveaxis(index, -1, 0), order=order, mode="nearest")
    return np.where(known, values, outside)


def cut_hole(scan: Scan, hole: Hole, plane: Plane) -> np.ndarray:
    """Which pixels lie in voxels of the hole; boolean (pixels, pixels)."""
    # halves are rounded up, as `cut` does: on a plane between two slices both must take the same one
    index = np.floor(scan.ijk_from_ras(plane.points) + 0.5).astype(int) - hole.start
    inside = ((index >= 0) & (index < hole.mask.shape)).all(axis=-1)
    i, j, k = np.where(inside[..., None], index, 0).transpose(2, 0, 1)
    return inside & hole.mask[i, j, k]


def outline(box: Box, plane: Plane) -> np.ndarray:
    """Where the box's faces meet the plane: corners of a convex polygon in pixels (n, 2), n = 0 where they do not."""
    corners = box.corners
    normal = np.cross(plane.across, plane.down)
    height = (corners - plane.center) @ normal
    crossings = []
    for a, b in combinations(range(8), 2):
        # corners come in binary order: an edge joins two whose numbers differ in one bit
        if (a ^ b).bit_count() == 1 and (height[a] < 0) != (height[b] < 0):
            share = height[a] / (height[a] - height[b])
            crossings.append(corners[a] + share * (corners[b] - corners[a]))
    if not crossings:
        return np.empty((0, 2))
    pixels = plane.pixel_of(np.array(crossings))
    around = pixels - pixels.mean(axis=0)
    return pixels[np.argsort(np.arctan2(around[:, 1], around[:, 0]))]
