"""Painted lesion: a real lesion's outline filled with altered tissue, set into a healthy box so that the truth is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy import ndimage

from RadiomicsPersonaLib.brain.tissue import IntensityScale
from RadiomicsPersonaLib.geometry.box import Box
from RadiomicsPersonaLib.geometry.hole import Hole
from RadiomicsPersonaLib.imaging.random_field import smooth_field
from RadiomicsPersonaLib.imaging.scan import Scan

from ..data.lesion_shapes import lesion_shape, placed

SHIFT = (0.7, 4.0)
"""Least and greatest difference of a lesion from the tissue it replaces, tissue SD, log-uniform."""
BRIGHTER = {"T1": 0.12, "T2": 0.88, "FLAIR": 0.88}
"""How often a lesion, or its core, is brighter than what it replaces: water is dark in T1 and bright in T2 and FLAIR, but there
are blood, fat, calcium, and cysts that FLAIR suppresses."""
OPACITY = (0.5, 1.0)
SOFTNESS = (0.4, 2.0)
"""Standard deviation of the lesion's border, millimetres."""
FITS = (0.75, 1.05)
"""Lesion's extent over the box's along every axis, so that boxes are tight as well as generous."""
OFF = 0.15
"""Greatest distance of the lesion's middle from the box's, as a share of its extent along each axis."""
LEAST_SHARE = 0.1
"""Share of the box that the lesion must fill to count as one."""


def lesion_in_box(scan: Scan, box: Box, shapes: tuple[Path, ...], rng: np.random.Generator, tries: int = 20) -> Hole | None:
    """A real lesion's shape, its axes exchanged and flipped at random, stretched to the box, somewhat off its middle.

    A box is drawn around a lesion: the lesion reaches its faces, or nearly so, on all sides, and fills a good part of it.

    Returns:
        Its voxels, or None when none of `tries` shapes filled `LEAST_SHARE` of the box.
    """
    for _ in range(tries):
        shape, _ = lesion_shape(shapes[rng.integers(len(shapes))])
        along = rng.permutation(3)  # the box's axis that every axis of the shape is laid along
        extent = rng.uniform(*FITS, 3) * box.size
        turn = box.axes[:, along] * rng.choice([-1.0, 1.0], size=3)
        off = box.axes @ (rng.uniform(-OFF, OFF, 3) * extent)
        hole = placed(scan, shape, extent[along] / shape.shape, turn, box.center + off)
        if hole is None:
            continue
        index = np.argwhere(hole.mask) + hole.start
        inside = box.contains(scan.ras_from_ijk(index)).sum()
        if scan.grid.ml_of(inside) >= LEAST_SHARE * box.volume_ml:
            return hole
    return None


def painted(
    values: np.ndarray, mask: np.ndarray, spacing: np.ndarray, scale: IntensityScale, contrast: str, rng: np.random.Generator
) -> np.ndarray:
    """Tissue with a lesion in it, float64.

    The lesion is darker or brighter than what it replaces, hides its texture in part, has one of its own, a soft border, and
    now and then a core that is different again.

    Args:
        values: scan intensities, axes I, J, K.
        mask: boolean, same shape; the lesion.
        spacing: millimetres along I, J, K.
        scale: the scan's.
        contrast: the scan's, one of `BRIGHTER`.
    """
    values = np.asarray(values, np.float64)
    softness = rng.uniform(*SOFTNESS)
    weight = ndimage.gaussian_filter(mask.astype(np.float64), softness / spacing)
    weight *= min(1.0, 1 / max(weight.max(), 1e-9)) * rng.uniform(*OPACITY)
    level = np.median(values[mask]) + _shift(contrast, rng) * scale.deviation
    texture = (
        rng.uniform(0.05, 0.6)
        * scale.deviation
        * smooth_field(rng, values.shape, float(np.mean(spacing)), rng.uniform(3, 12))[0]
    )
    inner = np.full(values.shape, level)
    if rng.random() < 0.3:
        depth = ndimage.distance_transform_edt(mask, sampling=spacing)
        inner[depth > rng.uniform(0.3, 0.7) * depth.max()] += _shift(contrast, rng) * scale.deviation
    kept = rng.uniform(0, 0.5) * (values - ndimage.gaussian_filter(values, 3.0 / spacing))
    return (1 - weight) * values + weight * (inner + texture + kept)


def _shift(contrast: str, rng: np.random.Generator) -> float:
    size = float(np.exp(rng.uniform(*np.log(SHIFT))))
    return size if rng.random() < BRIGHTER[contrast] else -size
