"""Random holes in healthy scans, for training and for evaluation."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from RadiomicsPersonaLib.brain.tissue import Tissue
from RadiomicsPersonaLib.geometry.box import Box
from RadiomicsPersonaLib.geometry.hole import Hole, hole_of_box
from RadiomicsPersonaLib.geometry.patch import PatchGrid
from RadiomicsPersonaLib.imaging.scan import Scan

from ..data.lesion_shapes import lesion_shape, placed, points_in
from ..synthesis.random_rotation import random_rotation

_LATTICE = (np.stack(np.meshgrid(*[np.arange(8)] * 3, indexing="ij"), -1).reshape(-1, 3) + 0.5) / 8 - 0.5
GAP = 4
"""Patch voxels between the hulls of two holes of one patch."""
ROOM_FOR_MORE = 0.375
"""Longest side, as a share of the patch's edge, of a hole beside the first."""


def random_box(
    scan: Scan,
    tissue: Tissue,
    rng: np.random.Generator,
    side_mm: tuple[float, float],
    rotated: float = 0.0,
    brain_share: float = 0.75,
    tries: int = 200,
) -> Box | None:
    """A box whose sides are log-uniform in `side_mm` (millimetres), lying in the brain.

    Args:
        rotated: chance that the box is turned at random; otherwise its axes run along RAS.
        brain_share: least share of the box that must be brain (of an 8x8x8 lattice of points in it).
    Returns:
        The box, or None when no place was found in `tries` attempts.
    """
    places = np.argwhere(tissue.brain)
    overview = tissue.grid.patch
    for _ in range(tries):
        size = np.exp(rng.uniform(*np.log(side_mm), size=3))
        axes = random_rotation(rng) if rng.random() < rotated else np.eye(3)
        index = places[rng.integers(len(places))] + rng.uniform(-0.5, 0.5, 3)
        box = Box(overview.ras_from_ijk(index), size, axes)
        if _brain_share(tissue, box) >= brain_share:
            return box
    return None


def further_boxes(
    tissue: Tissue, first: Box, grid: PatchGrid, rng: np.random.Generator, shortest: float, most: int, tries: int = 12
) -> list[Box]:
    """Up to `most` boxes beside a first one in the same patch, half of each in the brain, none near another.

    Args:
        grid: the patch.
        shortest: shortest side in patch voxels; the longest is `ROOM_FOR_MORE` of the patch.
    """
    spacing = grid.patch.spacing
    middle = grid.patch.ras_from_ijk(np.full(3, (grid.size - 1) / 2))
    boxes = [first]
    for _ in range(tries):
        if len(boxes) > most:
            break
        size = np.exp(rng.uniform(*np.log([shortest, ROOM_FOR_MORE * grid.size]), size=3)) * spacing.mean()
        reach = grid.size * spacing / 2 - size / 2 - 2 * spacing
        box = Box(middle + rng.uniform(-1, 1, 3) * np.maximum(reach, 0), size, np.eye(3))
        apart = all((np.abs(box.center - b.center) > (size + _hull(b)) / 2 + GAP * spacing).any() for b in boxes)
        if apart and _brain_share(tissue, box) >= 0.5:
            boxes.append(box)
    return boxes[1:]


def random_hole(
    scan: Scan, box: Box, rng: np.random.Generator, ellipsoids: float, lesions: float = 0.0, shapes: tuple[Path, ...] = ()
) -> Hole:
    """The box's voxels; with chance `ellipsoids` those of the ellipsoid that fills it; with chance `lesions` those of a real
    lesion's shape, flipped and turned, as large as fits into the box."""
    kind = rng.random()
    hole = hole_of_box(scan, box)
    if kind < ellipsoids:
        index = np.argwhere(hole.mask) + hole.start
        local = (scan.ras_from_ijk(index) - box.center) @ box.axes / (box.size / 2)
        mask = np.zeros_like(hole.mask)
        mask[tuple((index - hole.start)[(local**2).sum(axis=1) <= 1].T)] = True
        return Hole(hole.start, mask) if mask.any() else hole
    if kind < ellipsoids + lesions and shapes:
        shape, spacing = lesion_shape(shapes[rng.integers(len(shapes))])
        turn = random_rotation(rng) * rng.choice([-1.0, 1.0], size=3)
        extent = 2 * np.abs(points_in(shape, spacing, rng) @ turn.T).max(axis=0) + spacing
        lesion = placed(scan, shape, spacing * (box.size / extent).min(), turn, box.center)
        return lesion or hole
    return hole


def _brain_share(tissue: Tissue, box: Box) -> float:
    points = box.center + (_LATTICE * box.size) @ box.axes.T
    return float((tissue.classes_at(points) > 0).mean())


def _hull(box: Box) -> np.ndarray:
    """Sides of the box's hull along RAS, millimetres."""
    return np.ptp(box.corners, axis=0)
