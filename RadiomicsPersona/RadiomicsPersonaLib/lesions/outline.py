"""Outline: where a lesion of a requested size lies around a place, kept in tissue."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ..brain.tissue import GREY, WHITE, Tissue
from ..brain.tissue_levels import tissue_shares
from ..errors import InputError
from ..geometry.hole import Hole, hole_of_mask
from ..imaging.random_field import smooth_field
from ..imaging.scan import Scan

FARTHEST = 2.0
"""How far a lesion may reach from its middle at most, in radii of the ball of its size: farther,
it does not fit the tissue there."""
LEAST_VOXELS = 4
MOST_ML = 300.0
COMPACT = 1.6
"""The same for outlines around a place."""
SMOOTH_FROM = 6.0
"""Millimetres of radius from which an outline leaves out tissue of one voxel's width."""


def ball(
    scan: Scan, tissue: Tissue, center_ras: np.ndarray, ml: float, rng: np.random.Generator, roughness: float = 0.0
) -> Hole:
    """One connected piece of grey and white matter around a place: a ball, or with roughness an irregular ellipsoid.

    What of the ball lies in fluid or outside the brain is made up for elsewhere, so that the size is the requested one.

    Args:
        center_ras: RAS millimetres.
        ml: volume, millilitres.
        roughness: 0 for a ball; about 0.3 for an irregular ellipsoid.
    Returns:
        The voxels.
    Raises:
        InputError: the place is outside the brain, or a lesion of this size does not fit there.
    """
    place = _place(scan, tissue, center_ras, ml)
    if not roughness:
        return place.grown(scan, np.linalg.norm(place.offsets, axis=-1), ml)
    axes = np.exp(rng.normal(0, 0.7 * roughness, 3))
    turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    distance = np.linalg.norm((place.offsets @ turn) / (axes / np.prod(axes) ** (1 / 3)), axis=-1)
    return place.grown(scan, distance * place.unevenness(scan, rng, roughness), ml)


def outline(kind: str, scan: Scan, tissue: Tissue, center_ras: np.ndarray, ml: float, rng: np.random.Generator) -> Hole:
    """An outline as a kind of lesion usually has it, of a requested size, around a place.

    "ms": an ovoid in white matter that points to the middle of the brain, where the ventricles are (Filippi et al. 2019);
    "fcd": along the cortex; "stroke": a wedge, its base outside; "tumour": an irregular ellipsoid.

    Args, returns, raises: as `ball`.
    """
    if kind == "tumour":
        return ball(scan, tissue, center_ras, ml, rng, roughness=0.2)
    place = _place(scan, tissue, center_ras, ml)
    brain = np.argwhere(tissue.brain).mean(axis=0)
    inwards = tissue.grid.patch.ras_from_ijk(brain) - place.center
    inwards /= max(float(np.linalg.norm(inwards)), 1e-6)
    along = place.offsets @ inwards
    across = np.sqrt(np.maximum((place.offsets**2).sum(axis=-1) - along**2, 0))
    if kind == "ms":
        distance = np.sqrt((along / 1.35) ** 2 + (across / 0.86) ** 2) * np.where(place.kinds == GREY, 1.7, 1.0)
        return place.grown(scan, distance * place.unevenness(scan, rng, 0.12), ml)
    if kind == "stroke":
        width = np.clip(0.95 - 0.45 * along / place.radius, 0.45, 1.5)
        distance = np.sqrt((along / 1.1) ** 2 + (across / width) ** 2)
        return place.grown(scan, distance * place.unevenness(scan, rng, 0.15), ml)
    if kind == "fcd":
        cortex = place.kinds == GREY
        from_cortex = ndimage.distance_transform_edt(~cortex, sampling=scan.spacing) if cortex.any() else np.zeros(cortex.shape)
        distance = np.linalg.norm(place.offsets, axis=-1) * (1 + np.maximum(from_cortex - 3.0, 0) / 5)
        return place.grown(scan, distance * place.unevenness(scan, rng, 0.12), ml)
    raise ValueError(f"no outline for '{kind}'")


@dataclass(frozen=True, eq=False)
class _Place:
    """The surroundings of a place.

    Attributes:
        start: IJK index of their first voxel.
        center: RAS millimetres.
        radius: of the ball of the requested size, millimetres.
        offsets: from the place to every voxel, RAS millimetres, (..., 3).
        kinds: tissue class of every voxel.
    """

    start: np.ndarray
    center: np.ndarray
    radius: float
    offsets: np.ndarray
    kinds: np.ndarray

    def unevenness(self, scan: Scan, rng: np.random.Generator, roughness: float) -> np.ndarray:
        """Factors on the distance that make an outline uneven."""
        reach = max(3.0, 0.8 * self.radius)
        return np.exp(roughness * smooth_field(rng, self.kinds.shape, scan.spacing, reach)[0])

    def grown(self, scan: Scan, distance: np.ndarray, ml: float) -> Hole:
        """`grown_to` in grey and white matter by a distance in millimetres; large lesions do not reach into what is thin."""
        open_to = np.isin(self.kinds, (GREY, WHITE))
        if self.radius > SMOOTH_FROM:
            near = np.linalg.norm(self.offsets, axis=-1) < 4
            open_to &= ndimage.binary_opening(open_to) | near
        return grown_to(
            scan, open_to & (distance <= COMPACT * self.radius), distance / self.radius, self.start, self.center, ml
        )


def radius_of(ml: float) -> float:
    """Millimetres; radius of the ball of a volume."""
    return float((750 * ml / np.pi) ** (1 / 3))


def grown_to(scan: Scan, open_to: np.ndarray, distance: np.ndarray, start: np.ndarray, center: np.ndarray, ml: float) -> Hole:
    """The connected voxels that are nearest by some distance, as many as make up a volume.

    Args:
        open_to: boolean over a region that begins at `start`; where the lesion may lie.
        distance: over the region; what is beyond `FARTHEST` is out of reach.
        center: RAS millimetres; the lesion holds the voxel that is nearest to it in `open_to`, which lies within 3 mm.
        ml: volume, millilitres.
    """
    wanted = int(round(scan.grid.voxels_of(ml)))
    if not np.isfinite(ml) or wanted < LEAST_VOXELS:
        least = scan.grid.ml_of(LEAST_VOXELS)
        raise InputError(
            f"A lesion of {ml:g} ml is smaller than {LEAST_VOXELS} voxels of this scan: give at least {least:.2g} ml."
        )
    apart = np.linalg.norm(_offsets(scan, start, distance.shape, center), axis=-1)
    seed = np.unravel_index(np.where(open_to, apart, np.inf).argmin(), distance.shape)
    if not open_to[seed] or apart[seed] > max(3.0, scan.spacing.max()):
        raise InputError(
            f"The place {_point(center)} does not lie in grey or white matter: give a place in the brain, R,A,S in millimetres."
        )
    reachable = open_to & (distance <= FARTHEST)
    reachable[seed] = True
    values = np.sort(distance[reachable], kind="stable")
    low, high = wanted, len(values)
    piece = _piece(reachable, seed) if high >= wanted else None
    if piece is None or piece.sum() < wanted:
        raise InputError(
            f"A lesion of {ml:g} ml does not fit into the tissue at {_point(center)}: give a smaller size or a place with more "
            "tissue around."
        )
    while low < high:  # the fewest nearest voxels of whose pieces the one at the seed is large enough
        middle = (low + high) // 2
        piece = _piece(reachable & (distance <= values[middle - 1]), seed)
        low, high = (middle + 1, high) if piece.sum() < wanted else (low, middle)
    piece = _piece(reachable & (distance <= values[low - 1]), seed)
    found = hole_of_mask(piece)
    return Hole(found.start + start, found.mask)


def _piece(mask: np.ndarray, seed: tuple) -> np.ndarray:
    """The connected piece of a mask that holds the seed; nothing where the mask does not hold it."""
    labels, _ = ndimage.label(mask)
    return (labels == labels[seed]) & mask if mask[seed] else np.zeros(mask.shape, bool)


def _place(scan: Scan, tissue: Tissue, center_ras: np.ndarray, ml: float) -> _Place:
    """What lies around a place as far as a lesion of a size may reach.

    Raises:
        InputError: the place lies outside the scan, or the size is none.
    """
    center = np.asarray(center_ras, float)
    if not (np.isfinite(ml) and 0 < ml <= MOST_ML):
        raise InputError(f"A lesion cannot measure {ml:g} ml: give a size above 0 and up to {MOST_ML:g} ml.")
    index = scan.ijk_from_ras(center)
    if not np.isfinite(center).all() or (index < -0.5).any() or (index > np.array(scan.shape) - 0.5).any():
        low, high = scan.bounds_ras
        raise InputError(
            f"The place {_point(center)} lies outside the scan, which reaches from {_point(low)} to {_point(high)} in RAS mm."
        )
    radius = radius_of(ml)
    steps = (FARTHEST * radius + 2) / scan.spacing
    start = np.clip(np.floor(index - steps).astype(int), 0, scan.shape)
    shape = tuple(int(n) for n in np.clip(np.ceil(index + steps).astype(int) + 1, 0, scan.shape) - start)
    moved = scan.affine.copy()
    moved[:3, 3] = scan.ras_from_ijk(start)
    shares = tissue_shares(tissue, moved, shape)
    kinds = np.where(shares.sum(axis=0) >= 0.5, 1 + shares.argmax(axis=0), 0)
    return _Place(start, center, radius, _offsets(scan, start, shape, center), kinds)


def _offsets(scan: Scan, start: np.ndarray, shape: tuple[int, ...], center: np.ndarray) -> np.ndarray:
    """Millimetres from a place to every voxel of a region, (*shape, 3), RAS."""
    index = np.stack(np.meshgrid(*(np.arange(n) for n in shape), indexing="ij"), axis=-1)
    return scan.ras_from_ijk(index + start) - center


def _point(values) -> str:
    return "(" + ", ".join(f"{value:.0f}" for value in values) + ")"
