"""Lesion outline: where a lesion of a requested size lies around a place, kept in tissue."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from .errors import InputError
from .hole import Hole, hole_of_mask
from .scan import Scan
from .smooth_field import smooth_field
from .tissue import GREY, WHITE, Tissue
from .tissue_levels import tissue_shares

FARTHEST = 2.0
"""How far a lesion may reach from its middle at most, in radii of the ball of its size: farther, it does not fit the tissue there."""
LEAST_VOXELS = 4


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
    center = np.asarray(center_ras, float)
    radius = radius_of(ml)
    start, shape = _around(scan, center, FARTHEST * radius + 2)
    kinds = _kinds(scan, tissue, start, shape)
    offsets = _offsets(scan, start, shape, center)
    if roughness:
        axes = np.exp(rng.normal(0, 0.7 * roughness, 3))
        turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
        distance = np.linalg.norm((offsets @ turn) / (axes / np.prod(axes) ** (1 / 3)), axis=-1) / radius
        spacing = float(np.mean(scan.spacing))
        distance = distance * np.exp(roughness * smooth_field(rng, shape, spacing, max(3.0, 0.8 * radius))[0])
    else:
        distance = np.linalg.norm(offsets, axis=-1) / radius
    return grown_to(scan, np.isin(kinds, (GREY, WHITE)), distance, start, center, ml)


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
    wanted = int(round(1000 * ml / abs(np.linalg.det(scan.affine[:3, :3]))))
    if not np.isfinite(ml) or wanted < LEAST_VOXELS:
        least = LEAST_VOXELS * abs(np.linalg.det(scan.affine[:3, :3])) / 1000
        raise InputError(f"A lesion of {ml:g} ml is smaller than {LEAST_VOXELS} voxels of this scan: give at least {least:.2g} ml.")
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
            f"A lesion of {ml:g} ml does not fit into the tissue at {_point(center)}: give a smaller size or a place with more tissue around."
        )
    while low < high:  # the fewest nearest voxels of whose pieces the one at the seed is large enough
        middle = (low + high) // 2
        piece = _piece(reachable & (distance <= values[middle - 1]), seed)
        low, high = (middle + 1, high) if piece.sum() < wanted else (low, middle)
    piece = _piece(reachable & (distance <= values[low - 1]), seed)
    found = hole_of_mask(piece)
    return Hole(found.start + start, found.mask)


def _piece(mask: np.ndarray, seed: tuple) -> np.ndarray:
    """The connected piece of a mask that holds the seed, or is nearest where the mask does not hold it."""
    labels, _ = ndimage.label(mask)
    return (labels == labels[seed]) & mask if mask[seed] else np.zeros(mask.shape, bool)


def _around(scan: Scan, center: np.ndarray, reach: float) -> tuple[np.ndarray, tuple[int, int, int]]:
    """First index and shape of the part of the scan within `reach` millimetres of a place.

    Raises:
        InputError: the place lies outside the scan.
    """
    index = scan.ijk_from_ras(center)
    if center.shape != (3,) or not np.isfinite(center).all() or (index < -0.5).any() or (index > np.array(scan.shape) - 0.5).any():
        low, high = scan.bounds_ras
        raise InputError(f"The place {_point(center)} lies outside the scan, which reaches from {_point(low)} to {_point(high)} in RAS mm.")
    steps = reach / scan.spacing
    start = np.clip(np.floor(index - steps).astype(int), 0, scan.shape)
    stop = np.clip(np.ceil(index + steps).astype(int) + 1, 0, scan.shape)
    return start, tuple(int(n) for n in stop - start)


def _offsets(scan: Scan, start: np.ndarray, shape, center: np.ndarray) -> np.ndarray:
    """Millimetres from a place to every voxel of a region, (*shape, 3), RAS."""
    index = np.stack(np.meshgrid(*(np.arange(n) for n in shape), indexing="ij"), axis=-1)
    return scan.ras_from_ijk(index + start) - center


def _kinds(scan: Scan, tissue: Tissue, start: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
    """Tissue class of every voxel of a region."""
    moved = scan.affine.copy()
    moved[:3, 3] = scan.ras_from_ijk(start)
    shares = tissue_shares(tissue, moved, shape)
    return np.where(shares.sum(axis=0) >= 0.5, 1 + shares.argmax(axis=0), 0)


def _point(values) -> str:
    return "(" + ", ".join(f"{value:.0f}" for value in values) + ")"
