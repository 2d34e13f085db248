"""Holes: where healthy tissue is taken out to see how well it comes back, the same in every run.

Two kinds: cuboids in three strata of size, every second one turned at random, and real lesion shapes, flipped and
turned at random, as the BraTS inpainting challenge scores them.
"""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np

from RadiomicsPersonaLib.brain.tissue import Tissue
from RadiomicsPersonaLib.geometry.hole import Hole, hole_of_box
from RadiomicsPersonaLib.imaging.scan import Scan

from ..data.lesion_shapes import lesion_shape, placed, points_in
from ..samples.random_holes import random_box
from ..synthesis.random_rotation import random_rotation

CUBOIDS = {"16-24 mm": (16.0, 24.0), "24-40 mm": (24.0, 40.0), "40-56 mm": (40.0, 56.0)}
"""Strata of cuboids: shortest and longest side in millimetres."""
LESIONS = "lesion shapes"
"""The stratum of real lesion shapes."""
BRAIN_SHARE = 0.75
"""Least share of a hole that is brain."""
SMALLEST_LESION_ML = 0.5
_BOXES, _SHAPES, _PLACES = 50, 30, 30


def draw_hole(
    scan: Scan,
    tissue: Tissue,
    stratum: str,
    number: int,
    seed: int,
    lesion_masks: tuple[Path, ...] = (),
    forbidden: Hole | None = None,
) -> Hole | None:
    """One hole in the brain; it depends on the scan and its name, the stratum, the number and the seed alone.

    Args:
        tissue: of the whole scan, nothing hidden.
        stratum: a key of `CUBOIDS`, or `LESIONS`.
        number: which hole of the stratum; odd cuboids are turned, even ones lie along RAS.
        lesion_masks: files of binary shapes that `LESIONS` draws from.
        forbidden: voxels that the hole must not hold.
    Returns:
        The hole, or None when no place with enough brain was found.
    """
    rng = np.random.default_rng((seed, _number_of(scan.name), _number_of(stratum), number))
    if stratum == LESIONS:
        return _lesion_hole(scan, tissue, rng, lesion_masks, forbidden)
    for _ in range(_BOXES):
        box = random_box(scan, tissue, rng, CUBOIDS[stratum], rotated=float(number % 2), brain_share=BRAIN_SHARE)
        if box is None:
            return None
        hole = hole_of_box(scan, box)
        if _allowed(hole, forbidden):
            return hole
    return None


def _allowed(hole: Hole, forbidden: Hole | None) -> bool:
    return forbidden is None or not hole.touches(forbidden)


def _lesion_hole(
    scan: Scan, tissue: Tissue, rng: np.random.Generator, lesion_masks: tuple[Path, ...], forbidden: Hole | None
) -> Hole | None:
    places = np.argwhere(tissue.brain)
    overview = tissue.grid.patch
    for _ in range(_SHAPES):
        shape, spacing = lesion_shape(lesion_masks[rng.integers(len(lesion_masks))])
        if shape.sum() * np.prod(spacing) < 1000 * SMALLEST_LESION_ML:
            continue
        inner = points_in(shape, spacing, rng)
        for _ in range(_PLACES):
            turn = random_rotation(rng) * rng.choice([-1.0, 1.0], size=3)
            center = overview.ras_from_ijk(places[rng.integers(len(places))] + rng.uniform(-0.5, 0.5, 3))
            if (tissue.classes_at(center + inner @ turn.T) > 0).mean() >= BRAIN_SHARE:
                hole = placed(scan, shape, spacing, turn, center)
                if hole is not None and _allowed(hole, forbidden):
                    return hole
    return None


def _number_of(text: str) -> int:
    """A number that is the same in every process, unlike `hash`."""
    return zlib.crc32(text.encode())
