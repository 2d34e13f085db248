"""Grid: where the voxels of an image lie. Indices run along I, J, K; the world is RAS millimetres."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

FARTHEST_MM = 1e6
"""From the origin, and of an edge: beyond it no scan and no box of a patient reaches, whatever the scan's unit is."""
SAME_PLACE = 0.05
"""Share of a voxel by which two places may differ and be one: headers round."""


@dataclass(frozen=True, eq=False)
class Grid:
    """The voxels of an image and their place in the world.

    Attributes:
        shape: voxels along I, J, K.
        affine: 4x4, voxel indices to RAS millimetres; may be oblique, flipped, anisotropic, sheared.

    >>> grid = Grid((4, 4, 4), np.diag([2.0, 2.0, 3.0, 1.0]))
    >>> grid.ras_from_ijk([1, 0, 1])
    array([2., 0., 3.])
    >>> grid.nearest([2.4, 0.0, 5.0])
    array([1, 0, 2])
    >>> grid.voxel_ml
    0.012
    """

    shape: tuple[int, int, int]
    affine: np.ndarray

    @cached_property
    def spacing(self) -> np.ndarray:
        """Millimetres between voxel centres along I, J, K."""
        return np.linalg.norm(self.affine[:3, :3], axis=0)

    @cached_property
    def voxel_mm3(self) -> float:
        """Volume of one voxel, cubic millimetres."""
        return float(abs(np.linalg.det(self.affine[:3, :3])))

    @property
    def voxel_ml(self) -> float:
        """Volume of one voxel, millilitres."""
        return self.voxel_mm3 / 1000

    def ml_of(self, voxels: int) -> float:
        """Millilitres of a number of voxels."""
        return float(voxels * self.voxel_mm3 / 1000)

    def voxels_of(self, ml: float) -> float:
        """Number of voxels, not rounded, that make up a volume in millilitres."""
        return 1000 * ml / self.voxel_mm3

    @cached_property
    def inverse(self) -> np.ndarray:
        """4x4, RAS millimetres to voxel indices."""
        return np.linalg.inv(self.affine)

    def ras_from_ijk(self, ijk: np.ndarray) -> np.ndarray:
        """World coordinates (..., 3) of voxel indices (..., 3)."""
        return np.asarray(ijk, float) @ self.affine[:3, :3].T + self.affine[:3, 3]

    def ijk_from_ras(self, ras: np.ndarray) -> np.ndarray:
        """Fractional voxel indices (..., 3) of world coordinates (..., 3)."""
        return np.asarray(ras, float) @ self.inverse[:3, :3].T + self.inverse[:3, 3]

    def apart(self, other: Grid) -> float:
        """Largest distance, millimetres, between the places of the same voxel in two grids; infinite where one is not finite.

        >>> Grid((4, 4, 4), np.eye(4)).apart(Grid((4, 4, 4), np.diag([1.0, 1.0, 1.1, 1.0])))
        0.3
        """
        corners = np.array(np.meshgrid(*[(0, n - 1) for n in self.shape])).reshape(3, -1).T
        apart = self.ras_from_ijk(corners) - other.ras_from_ijk(corners)
        return float(np.linalg.norm(np.where(np.isfinite(apart), apart, np.inf), axis=1).max().round(6))

    def same_as(self, other: Grid) -> bool:
        """Whether the voxels of two grids lie in the same places."""
        return self.shape == other.shape and self.apart(other) <= SAME_PLACE * self.spacing.min()

    def nearest(self, ras: np.ndarray) -> np.ndarray:
        """Indices (..., 3), int, of the voxels nearest to world coordinates (..., 3); they may lie beyond the image."""
        return np.rint(self.ijk_from_ras(ras)).astype(int)

    def holds(self, ijk: np.ndarray) -> np.ndarray:
        """Whether voxel indices (..., 3), int, lie in the image; boolean (...)."""
        return ((ijk >= 0) & (ijk < self.shape)).all(axis=-1)

    def nearest_values(self, array: np.ndarray, ras: np.ndarray) -> np.ndarray:
        """Values of an image of this shape in the voxels nearest to world coordinates (..., 3); 0 beyond the image."""
        index = self.nearest(ras)
        inside = self.holds(index)
        i, j, k = np.clip(index, 0, np.array(self.shape) - 1).reshape(-1, 3).T
        return np.where(inside, array[i, j, k].reshape(inside.shape), 0)
