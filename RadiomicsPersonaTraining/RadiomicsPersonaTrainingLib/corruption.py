"""Corruption: random holes in healthy scans, for training and for evaluation."""

from __future__ import annotations

import numpy as np

from RadiomicsPersonaLib.box import Box
from RadiomicsPersonaLib.hole import Hole, hole_of_box
from RadiomicsPersonaLib.scan import Scan
from RadiomicsPersonaLib.tissue import Tissue


def random_rotation(rng: np.random.Generator) -> np.ndarray:
    """A uniformly random 3x3 rotation (QR of a Gaussian matrix, Stewart 1980)."""
    q, r = np.linalg.qr(rng.normal(size=(3, 3)))
    q = q * np.sign(np.diag(r))
    return q if np.linalg.det(q) > 0 else q * np.array([-1.0, 1.0, 1.0])


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
    affine = tissue.grid.affine
    lattice = (np.stack(np.meshgrid(*[np.arange(8)] * 3, indexing="ij"), -1).reshape(-1, 3) + 0.5) / 8 - 0.5
    for _ in range(tries):
        size = np.exp(rng.uniform(*np.log(side_mm), size=3))
        axes = random_rotation(rng) if rng.random() < rotated else np.eye(3)
        index = places[rng.integers(len(places))] + rng.uniform(-0.5, 0.5, 3)
        center = affine[:3, :3] @ index + affine[:3, 3]
        points = center + (lattice * size) @ axes.T
        if (tissue.classes_at(points) > 0).mean() >= brain_share:
            return Box(center, size, axes)
    return None


def random_hole(scan: Scan, box: Box, rng: np.random.Generator, ellipsoids: float) -> Hole:
    """The box's voxels or, with chance `ellipsoids`, those of the ellipsoid that fills the box."""
    hole = hole_of_box(scan, box)
    if rng.random() >= ellipsoids:
        return hole
    index = np.argwhere(hole.mask) + hole.start
    local = (scan.ras_from_ijk(index) - box.center) @ box.axes / (box.size / 2)
    mask = np.zeros_like(hole.mask)
    mask[tuple((index - hole.start)[(local**2).sum(axis=1) <= 1].T)] = True
    return Hole(hole.start, mask) if mask.any() else hole
