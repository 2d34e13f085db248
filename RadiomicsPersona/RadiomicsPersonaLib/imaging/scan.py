"""Scan: a 3-D image that never travels without its geometry, and how it is read and written.

Array order, everywhere in this library: axes I, J, K as in NIfTI, world coordinates RAS in millimetres.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from ..errors import InputError
from .grid import FARTHEST_MM, Grid

LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
LARGEST_VALUE = 1e36
"""Of a voxel; models reckon in float32, which ends at 3.4e38."""


@dataclass(frozen=True, eq=False)
class Scan:
    """A 3-D image with its geometry.

    Attributes:
        array: finite values, axes I, J, K; float32 where that holds the stored values exactly, float64 otherwise.
        affine: 4x4, voxel indices to RAS millimetres; may be oblique, flipped, anisotropic, sheared.
        name: file name without its suffix, for reports.
        original: the array before values that are not finite were filled, or None when all were finite.
        warnings: what the user should know about this scan, one sentence each.
    """

    array: np.ndarray
    affine: np.ndarray
    name: str = "scan"
    original: np.ndarray | None = None
    warnings: tuple[str, ...] = field(default_factory=tuple)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Voxels along I, J, K."""
        return self.array.shape

    @cached_property
    def grid(self) -> Grid:
        """Where its voxels lie."""
        return Grid(self.shape, self.affine)

    @property
    def spacing(self) -> np.ndarray:
        """Millimetres between voxel centres along I, J, K."""
        return self.grid.spacing

    @cached_property
    def axes_to_ras(self) -> tuple[tuple[int, int, int], np.ndarray]:
        """For right, anterior, superior: the scan axis nearest to it, and +1 or -1 for its direction."""
        from scipy.optimize import linear_sum_assignment  # Slicer's own process, which reads this room, must not load it

        cosines = self.affine[:3, :3] / self.spacing
        axis = tuple(int(axis) for axis in linear_sum_assignment(-np.abs(cosines))[1])
        return axis, np.array([np.sign(cosines[row, column]) for row, column in enumerate(axis)])

    @cached_property
    def bounds_ras(self) -> tuple[np.ndarray, np.ndarray]:
        """Lowest and highest RAS coordinate of any voxel centre."""
        ends = np.array(np.meshgrid(*[(0, n - 1) for n in self.shape])).reshape(3, -1).T
        world = self.ras_from_ijk(ends)
        return world.min(axis=0), world.max(axis=0)

    def ras_from_ijk(self, ijk: np.ndarray) -> np.ndarray:
        """World coordinates (..., 3) of voxel indices (..., 3)."""
        return self.grid.ras_from_ijk(ijk)

    def ijk_from_ras(self, ras: np.ndarray) -> np.ndarray:
        """Fractional voxel indices (..., 3) of world coordinates (..., 3)."""
        return self.grid.ijk_from_ras(ras)


def make_scan(array: np.ndarray, affine: np.ndarray, name: str = "scan", told: Sequence[str] = ()) -> Scan:
    """A scan from an array (axes I, J, K) and its 4x4 IJK-to-RAS matrix, checked.

    Args:
        told: what the user should know about how it was read, one sentence each; the first of its warnings.

    Raises:
        InputError: not 3-D, fewer than three slices, nothing finite, values out of reason, constant, or without a place.

    >>> scan = make_scan(np.arange(60.0).reshape(3, 4, 5), np.diag([2.0, 2.0, 3.5, 1.0]))
    >>> scan.shape, scan.spacing.tolist(), scan.ras_from_ijk((1, 1, 1)).tolist()
    ((3, 4, 5), [2.0, 2.0, 3.5], [2.0, 2.0, 3.5])
    """
    affine = np.array(affine, dtype=np.float64)
    array = one_volume(array, affine, name)
    notes = list(told)
    if min(array.shape) < 3:
        shape = " x ".join(map(str, array.shape))
        raise InputError(
            f"'{name}' has only {min(array.shape)} slice(s) along one axis ({shape}): a 3-D scan needs at least 3."
        )
    if array.dtype == bool or array.dtype == np.float16:
        array = array.astype(np.float32)
    finite = np.isfinite(array)
    largest = np.abs(array[finite]).max(initial=0) if array.dtype.kind == "f" else 0
    if largest > LARGEST_VALUE:
        raise InputError(
            f"'{name}' has values as far from 0 as {largest:.3g}, and no scan goes beyond {LARGEST_VALUE:g}: export it again "
            "from its source, it is damaged."
        )
    single = array.astype(np.float32)
    array = single if np.array_equal(single, array, equal_nan=array.dtype.kind == "f") else array.astype(np.float64)
    original = None
    if not finite.all():
        if not finite.any():
            raise InputError(f"'{name}' holds no finite value at all: export it again from its source.")
        original = array
        notes.append(f"{(~finite).mean():.1%} of the scan's voxels are NaN or infinite; they were treated as background.")
        array = np.where(finite, array, array[finite].min())
    if array.min() == array.max():
        raise InputError(f"'{name}' is empty: all its voxels have the value {array.flat[0]:g}; choose another scan.")
    if array.min() < -0.05 * np.abs(array.max()):
        notes.append("The scan has negative values; they are used as they are.")
    scan = Scan(array, affine, name, original)
    extent = scan.spacing * np.array(scan.shape)
    if scan.spacing.min() < 0.2 or scan.spacing.max() > 10 or extent.max() > 450 or np.sort(extent)[1] < 80:
        notes.append(
            f"The voxel spacing of {' x '.join(f'{s:.3g}' for s in scan.spacing)} mm looks wrong for a brain MRI "
            f"(extent {' x '.join(f'{e:.0f}' for e in extent)} mm); every millimetre here depends on it."
        )
    elif scan.spacing.max() > 4:
        notes.append(f"The slices are thick ({scan.spacing.max():.1f} mm); fine detail across slices is not rebuilt.")
    return Scan(array, affine, name, original, tuple(notes))


def one_volume(array: np.ndarray, affine: np.ndarray, name: str) -> np.ndarray:
    """The values of a scan or a label map as an array of three axes; further axes of length 1 are left out.

    Raises:
        InputError: a colour or complex image, several volumes, not 3-D, or without a usable geometry.
    """
    array = np.asarray(array)
    if array.dtype.fields or np.iscomplexobj(array):
        raise InputError(f"'{name}' is a colour or complex image: give a single grey-scale MRI volume.")
    while array.ndim > 3 and array.shape[-1] == 1:
        array = array[..., 0]
    if array.ndim != 3:
        shape = " x ".join(map(str, array.shape))
        raise InputError(f"'{name}' has {array.ndim} dimensions ({shape}), not 3: choose one volume of it.")
    if affine.shape != (4, 4) or not np.abs(affine).max() <= FARTHEST_MM or abs(np.linalg.det(affine[:3, :3])) < 1e-9:
        raise InputError(
            f"'{name}' has no usable geometry (its voxel-to-world matrix is singular or reaches beyond any patient): convert "
            "it again from its source."
        )
    return array
