"""Measures: what tells one lesion mask from another, in numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from RadiomicsPersonaLib.brain.tissue import GREY
from RadiomicsPersonaLib.geometry.hole import Hole, union_of
from RadiomicsPersonaLib.imaging.scan import Scan
from RadiomicsPersonaLib.metrics.dice import dice_of

from .ground import LesionGround


def sphericity(hole: Hole, scan: Scan) -> float:
    """See `MaskMeasures`."""
    volume = hole.voxels * scan.grid.voxel_mm3
    return float(np.pi ** (1 / 3) * (6 * volume) ** (2 / 3) / surface_mm2(hole, scan))


@dataclass(frozen=True)
class MaskMeasures:
    """One mask's measures.

    Attributes:
        ml: volume.
        sphericity: surface of the ball of this volume over the mask's, 1 for a ball (Wadell 1935).
        surface_to_volume: per millimetre.
        grey: share of grey matter.
        depth: mean distance of its voxels from the brain's hull, millimetres.
        outside: share that is neither grey nor white matter.
    """

    ml: float
    sphericity: float
    surface_to_volume: float
    grey: float
    depth: float
    outside: float


def measures_of(hole: Hole, ground: LesionGround) -> MaskMeasures:
    """Measure a mask in a scan."""
    inside, region = hole.mask, hole.region
    ml = hole.voxels * ground.voxel_ml
    classes = ground.classes[region][inside]
    return MaskMeasures(
        ml,
        sphericity(hole, ground.scan),
        surface_mm2(hole, ground.scan) / (1000 * ml),
        float((classes == GREY).mean()),
        float(ground.depth[region][inside].mean()),
        float((~ground.solid[region][inside]).mean()),
    )


def surface_mm2(hole: Hole, scan: Scan) -> float:
    """Area of the mask's surface by marching cubes (Lewiner et al. 2003), square millimetres."""
    # an extra, which the help of a command does not need
    from skimage.measure import marching_cubes, mesh_surface_area

    points, faces, _, _ = marching_cubes(np.pad(hole.mask, 1).astype(np.float32), 0.5, spacing=tuple(scan.spacing))
    return float(mesh_surface_area(points, faces))


def dice(one: Hole, other: Hole) -> float:
    """`dice_of` two masks of one scan."""
    both = union_of([one, other])
    return dice_of(*(hole.mask_over(both.start, both.mask.shape) for hole in (one, other)))
