"""Midplane: the mid-sagittal plane of the head, found by its symmetry."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage, optimize

from .tissue import Tissue


@dataclass(frozen=True, eq=False)
class Midplane:
    """A plane that parts left from right.

    Attributes:
        normal: unit vector in RAS, pointing to the patient's right.
        offset: distance from the origin along the normal, millimetres.
        symmetry: correlation of the brain with its own reflection, -1 to 1.

    >>> plane = Midplane(normal=np.array([1.0, 0.0, 0.0]), offset=2.0, symmetry=1.0)
    >>> (plane.reflection @ [10, 5, 5, 1]).tolist()
    [-6.0, 5.0, 5.0, 1.0]
    """

    normal: np.ndarray
    offset: float
    symmetry: float

    @property
    def reflection(self) -> np.ndarray:
        """4x4 matrix that reflects RAS points at the plane (Householder)."""
        matrix = np.eye(4)
        matrix[:3, :3] -= 2 * np.outer(self.normal, self.normal)
        matrix[:3, 3] = 2 * self.offset * self.normal
        return matrix


def estimate_midplane(tissue: Tissue) -> Midplane:
    """The plane at which the brain's reflection matches the brain best.

    The normalised correlation of the 4 mm overview with its reflection, over brain that lies outside the boxes on both
    sides, is searched on a coarse lattice of tilts up to 24 degrees and then refined (Powell), as Ardekani et al. 1997
    do for the cross-correlation.
    """
    smooth = ndimage.gaussian_filter(np.where(tissue.brain, tissue.values, tissue.background).astype(np.float32), 1.0)
    # products of intensities must fit into single precision, whatever their unit is; a power of two leaves every digit
    smooth /= np.float32(2.0 ** np.frexp(np.abs(smooth).max())[1])
    usable = tissue.brain & tissue.known
    index = np.argwhere(ndimage.binary_dilation(tissue.brain, iterations=2) & tissue.known)
    overview = tissue.grid.patch
    points = overview.ras_from_ijk(index)
    values = smooth[tuple(index.T)]
    center = overview.ras_from_ijk(np.argwhere(usable)).mean(axis=0)
    known = tissue.known.astype(np.float32)
    all_known = bool(tissue.known.all())

    def mismatch(parameters: np.ndarray, every: int = 1) -> float:
        normal, offset = _plane(parameters, center)
        chosen = points[::every]
        mirrored = chosen - 2 * np.outer(chosen @ normal - offset, normal)
        where = overview.ijk_from_ras(mirrored).T
        other = ndimage.map_coordinates(smooth, where, order=1, mode="nearest")
        own = values[::every]
        if not all_known:
            seen = ndimage.map_coordinates(known, where, order=0, mode="nearest") > 0.5
            own, other = own[seen], other[seen]
        if own.size < 50:
            return 1.0
        own = own - own.mean()
        other = other - other.mean()
        return -float(own @ other / max(np.sqrt((own @ own) * (other @ other)), 1e-12))

    every = max(1, len(points) // 1500)
    lattice = [
        (yaw, roll, shift)
        for yaw in np.deg2rad([-24, -12, 0, 12, 24])
        for roll in np.deg2rad([-24, -12, 0, 12, 24])
        for shift in (-8.0, 0.0, 8.0)
    ]
    start = min(lattice, key=lambda p: mismatch(np.array(p), every))
    scale = np.array([0.1, 0.1, 4.0])
    best = optimize.minimize(
        lambda p: mismatch(p * scale, max(1, len(points) // 8000)),
        np.array(start) / scale,
        method="Powell",
        options={"xtol": 0.01, "ftol": 1e-5, "maxfev": 250},
    )
    normal, offset = _plane(best.x * scale, center)
    return Midplane(normal, float(offset), -mismatch(best.x * scale))


def _plane(parameters: np.ndarray, center: np.ndarray) -> tuple[np.ndarray, float]:
    yaw, roll, shift = parameters
    normal = np.array([np.cos(yaw) * np.cos(roll), np.sin(yaw) * np.cos(roll), np.sin(roll)])
    return normal, float(normal @ center + shift)
