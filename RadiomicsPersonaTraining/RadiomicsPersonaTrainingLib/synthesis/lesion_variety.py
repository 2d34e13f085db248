"""Lesion variety: lesions of all sizes, outlines and strengths in one head, from a speck beside a ventricle to a large mass."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import ndimage

from RadiomicsPersonaLib.brain.tissue import GREY, WHITE

from .label_map import TISSUE_OF_CODE, code_of
from .lesion_outlines import Lesion, ellipsoid, flowing, noisy, real

LARGE, MIDDLE, SMALL = "large", "middle", "small"
RADIUS = {LARGE: (5.0, 40.0), MIDDLE: (3.0, 12.0), SMALL: (1.2, 4.5)}
"""Millimetres; log-uniform, but half of the large ones lie above 22."""
COUNT = {LARGE: (1, 2), MIDDLE: (1, 6), SMALL: (1, 30)}
"""Log-uniform."""
LARGER_SHARE, LARGER = 0.2, 1.8
"""This share of the small ones is larger by this factor."""
PLACES = {"beside a ventricle": 0.35, "beneath the cortex": 0.25, "white matter": 0.28, "brain stem or cerebellum": 0.12}
"""Where small lesions lie, with shares; as in multiple sclerosis (Filippi et al. 2019, Brain 142:1858)."""
BESIDE_VENTRICLE, BENEATH_CORTEX = 8.0, 4.0
"""Millimetres."""
LEAST_FOR_FLOW = 3.0
"""Millimetres of radius below which an outline has no room for detail."""


@dataclass(frozen=True)
class Variety:
    """What lesions of a head are like.

    Attributes:
        real, noise, flow: shares of outlines from masks of patients, from thresholded noise, and carried by a flow; the rest
            are irregular ellipsoids.
        shapes: files of the masks; without any, there are no real outlines.
        mixed: chance of two or three classes of size in one head, each of its own brightness.
        small: chance that a head of one class has small lesions.
        faint: chance that a class is hardly brighter or darker than its surroundings.
        least_difference: of a lesion's brightness from what it replaces, as a share of the brightest tissue.
    """

    real: float
    noise: float
    flow: float
    shapes: tuple[Path, ...]
    mixed: float
    small: float
    faint: float
    least_difference: float


@dataclass(frozen=True, eq=False)
class LesionGroup:
    """Lesions that look alike.

    Attributes:
        faint: whether they differ little from their surroundings.
    """

    lesions: list[Lesion]
    faint: bool


def plan_groups(codes: np.ndarray, variety: Variety, rng: np.random.Generator, spacing: float) -> list[LesionGroup]:
    """Where lesions will lie, and their outlines.

    Args:
        codes: of the head, see `LabelMap`.
        spacing: millimetres of its voxels.
    """
    if rng.random() < variety.mixed:
        sizes = [size for size, chance in ((LARGE, 0.6), (MIDDLE, 0.6), (SMALL, 0.8)) if rng.random() < chance] or [SMALL]
    elif rng.random() < variety.small:
        sizes = [SMALL]
    else:
        sizes = [LARGE if rng.random() < 0.65 else MIDDLE]
    coarse = codes[::2, ::2, ::2]
    groups = []
    for size in sizes:
        low, high = COUNT[size]
        count = int(np.exp(rng.uniform(np.log(low), np.log(high + 1))))
        centers = 2.0 * _centers(coarse, size, count, rng, 2 * spacing) + rng.uniform(-0.5, 1.5, (count, 3))
        centers = centers[np.isfinite(centers).all(axis=1)]
        lesions = [_outlined(center, size, codes.shape, variety, rng, spacing) for center in centers]
        groups.append(LesionGroup(lesions, rng.random() < variety.faint))
    return groups


def _centers(codes: np.ndarray, size: str, count: int, rng: np.random.Generator, spacing: float) -> np.ndarray:
    """Voxel indices (count, 3), NaN where the head has no such place."""
    tissue = TISSUE_OF_CODE[codes]
    if size != SMALL:
        return _drawn((tissue == GREY) | (tissue == WHITE), count, rng)
    white, found = tissue == WHITE, np.full((count, 3), np.nan)
    kinds = rng.choice(len(PLACES), size=count, p=list(PLACES.values()))
    for kind in np.unique(kinds):
        chosen = kinds == kind
        where = _place(list(PLACES)[kind], codes, white, spacing)
        found[chosen] = _drawn(where if where.any() else white, int(chosen.sum()), rng)
    return found


def _place(name: str, codes: np.ndarray, white: np.ndarray, spacing: float) -> np.ndarray:
    """Where small lesions of that place may have their middle, boolean."""
    ventricle, cortex = code_of("lateral ventricle"), code_of("cerebral cortex")
    if name == "beside a ventricle":
        return white & _within(np.isin(codes, (ventricle, ventricle + 1)), BESIDE_VENTRICLE / spacing)
    if name == "beneath the cortex":
        return white & _within(np.isin(codes, (cortex, cortex + 1)), BENEATH_CORTEX / spacing)
    if name == "white matter":
        return white
    parts = [code_of(part) + side for part in ("cerebellar white matter", "brain stem") for side in (0, 1)]
    return np.isin(codes, parts)


def _within(mask: np.ndarray, voxels: float) -> np.ndarray:
    return ndimage.binary_dilation(mask, ndimage.generate_binary_structure(3, 2), iterations=max(1, round(voxels)))


def _drawn(where: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Indices of random voxels, (count, 3); NaN where there is none."""
    places = np.flatnonzero(where)
    if not places.size:
        return np.full((count, 3), np.nan)
    return np.stack(np.unravel_index(places[rng.integers(places.size, size=count)], where.shape), axis=-1).astype(float)


def _outlined(
    center: np.ndarray, size: str, shape: tuple[int, ...], variety: Variety, rng: np.random.Generator, spacing: float
) -> Lesion:
    low, high = RADIUS[size]
    radius = low * (high / low) ** rng.uniform() ** (0.5 if size == LARGE else 1.0)
    if size == SMALL and rng.random() < LARGER_SHARE:
        radius *= LARGER
    kind = rng.random()
    if variety.shapes and kind < variety.real:
        return real(center, radius, shape, rng, spacing, variety.shapes)
    if radius >= LEAST_FOR_FLOW and variety.real <= kind < variety.real + variety.noise:
        return noisy(center, radius, shape, rng, spacing)
    if radius >= LEAST_FOR_FLOW and 0 <= kind - variety.real - variety.noise < variety.flow:
        return flowing(center, radius, shape, rng, spacing)
    return ellipsoid(center, radius, shape, rng, spacing)
