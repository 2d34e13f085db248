"""Radiomics against what is normal for this patient: features of a region, each among the same shape in healthy tissue."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..brain.preparation import PreparedScan, prepare
from ..brain.recognition import why_no_brain
from ..errors import InputError
from ..geometry.box import Box
from ..geometry.hole import Hole, hole_of_mask
from ..imaging.scan import Scan
from ..metrics.radiomics import SHAPE, USUAL_LEVELS, check_library, family_of, intensity_features, shape_features
from ..reconstruction.reconstruction import Reconstruction, rebuild
from ..reconstruction.reconstruction_model import Model, NetworkModel
from .control import check_count, mirror_is_healthy, place_shape

FEWEST = 5
"""Control regions that a z-score needs at least."""
LEAST_SPREAD = 1e-6
"""Share of a feature's size that its SD among the control regions is at least; below it they are alike but for rounding."""
SCAN, PERSONA, DIFFERENCE = "scan", "persona", "difference"
LEAST_VOXELS, LEAST_LEVELS, MOST_LEVELS = 27, 2, 1024
UNEVEN = 1.5
"""Longest over shortest edge of a voxel from which texture is told to depend on direction."""

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Feature:
    """One feature of the region in one image.

    Attributes:
        image: "scan", "persona" or "difference".
        family: what kind of feature, see `metrics.radiomics.FAMILIES`.
        name: IBSI's name, as MIRP shortens it.
        value: in the region.
        median, sd: of the control regions, the SD robust (1.4826 MAD); NaN where too few are known.
        z: (value - median) / sd; NaN where it is not known, and for shapes, which are alike by construction.
    """

    image: str
    family: str
    name: str
    value: float
    median: float = math.nan
    sd: float = math.nan
    z: float = math.nan


@dataclass(frozen=True)
class Radiomics:
    """The features of a region, and what they rest on.

    Attributes:
        features: of all images; shapes first, once.
        milliliters: volume of the region's voxels.
        controls: centres of the control regions, RAS mm.
        settings: what is needed to compute them again.
        warnings: what the user should know, one sentence each.
    """

    features: tuple[Feature, ...]
    milliliters: float
    controls: tuple[tuple[float, float, float], ...]
    settings: dict
    warnings: tuple[str, ...]

    @property
    def most_unusual(self) -> list[Feature]:
        """The features with a z-score, the farthest from the control regions first."""
        return sorted((f for f in self.features if math.isfinite(f.z)), key=lambda f: -abs(f.z))


def radiomics_of(
    scan: Scan,
    mask: np.ndarray,
    model: Model,
    controls: int,
    seed: int = 0,
    levels: int = USUAL_LEVELS,
    progress: Progress | None = None,
) -> Radiomics:
    """Rebuild a region and as many of its shape in healthy tissue, and measure scan, persona and difference in all of them.

    Args:
        mask: boolean, the scan's shape.
        controls: number of control regions.
        seed: of their places.
        levels: grey levels for the texture.
        progress: called with (done, total, what); may raise to cancel.
    Raises:
        InputError: the mask or a number cannot be used, or MIRP is not installed.
    """
    version = check_library()
    check_count(controls)
    if not LEAST_LEVELS <= levels <= MOST_LEVELS:
        raise InputError(f"The number of grey levels is {levels}: give a number from {LEAST_LEVELS} to {MOST_LEVELS}.")
    whole = hole_of_mask(mask)
    if whole.voxels < LEAST_VOXELS:
        raise InputError(f"The mask has {whole.voxels} voxels: texture needs at least {LEAST_VOXELS}, so mark more.")
    if whole.voxels == mask.size:
        raise InputError("The mask covers the whole scan: leave some tissue to rebuild from.")
    prepared = prepare(scan, [whole])
    model = model.for_scan(prepared)
    holes = [whole, *place_shape(prepared, whole, controls, seed)]
    use_mirror = mirror_is_healthy(prepared, _upright(scan, whole))
    total, done = 4 * len(holes), 0

    def step(steps: int, what: str) -> None:
        nonlocal done
        done += steps
        if progress:
            progress(done, total, what)

    rebuilt = rebuild(prepared.hiding_marked(), holes, model, use_mirror, lambda so_far, _: step(so_far - done, "rebuilding"))
    measured = []
    for reconstruction in rebuilt:
        measured.append({})
        for image, values in _images(scan, reconstruction).items():
            hole = reconstruction.hole
            measured[-1][image] = intensity_features(values, hole.mask, scan.spacing, levels)
            step(1, "measuring")
    shapes = shape_features(rebuilt[0].hole.mask, scan.spacing)
    features = [Feature("mask", family_of(SHAPE), name, value) for name, value in shapes.items()]
    for image, own in measured[0].items():
        for name, value in own.items():
            others = [other[image][name] for other in measured[1:]]
            features.append(Feature(image, family_of(name), name, value, *_standing(value, others)))
    return Radiomics(
        features=tuple(features),
        milliliters=scan.grid.ml_of(whole.voxels),
        controls=tuple(_center(scan, hole) for hole in holes[1:]),
        settings={
            "library": f"mirp {version}",
            "definitions": "IBSI; texture in 3-D, over all directions merged, at a distance of one voxel",
            "grey_levels": levels,
            "spacing_mm": [float(edge) for edge in scan.spacing],
            "controls": controls,
            "seed": seed,
            "mirrored_side_used": bool(use_mirror and model.uses_mirror),
            "model": model.provenance(),
        },
        warnings=tuple(_warnings(prepared, model, rebuilt[0], controls, len(holes) - 1)),
    )


def _images(scan: Scan, reconstruction: Reconstruction) -> dict[str, np.ndarray]:
    """What is measured, over the region of a hole."""
    own = scan.array[reconstruction.hole.region].astype(np.float64)
    return {SCAN: own, PERSONA: reconstruction.values, DIFFERENCE: own - reconstruction.values}


def _standing(value: float, others: list[float]) -> tuple[float, float, float]:
    """Median and robust SD of the control regions, and where the value stands among them; NaN where it is not known.

    >>> [round(number, 2) for number in _standing(9.0, [1.0, 2.0, 3.0, 4.0, 5.0])]
    [3.0, 1.48, 4.05]
    """
    known = np.array([other for other in others if math.isfinite(other)])
    if len(known) < FEWEST:
        return math.nan, math.nan, math.nan
    median = float(np.median(known))
    sd = 1.4826 * float(np.median(np.abs(known - median)))
    spread = sd > LEAST_SPREAD * max(abs(median), abs(value))
    return median, sd, (value - median) / sd if spread else math.nan


def _upright(scan: Scan, hole: Hole) -> Box:
    """The upright box around a hole."""
    points = scan.ras_from_ijk(np.argwhere(hole.mask) + hole.start)
    low, high = points.min(axis=0) - scan.spacing.min() / 2, points.max(axis=0) + scan.spacing.min() / 2
    return Box((low + high) / 2, high - low, np.eye(3), "the mask")


def _center(scan: Scan, hole: Hole) -> tuple[float, float, float]:
    return tuple(float(value) for value in scan.ras_from_ijk(np.argwhere(hole.mask).mean(axis=0) + hole.start).round(2))


def _warnings(prepared: PreparedScan, model: Model, own: Reconstruction, asked: int, found: int):
    """What the user should know, one sentence each."""
    yield from prepared.scan.warnings
    none = why_no_brain(prepared)
    if none:
        yield none
    yield from own.warnings
    if isinstance(model, NetworkModel):
        yield from model.notes
    if found < FEWEST:
        yield (
            f"Only {found} regions of this shape fit into healthy tissue, and a z-score needs {FEWEST}: there is none. "
            "Mark one lesion at a time, or ask for more control regions."
        )
    elif found < asked:
        yield f"{found} regions of this shape fit into healthy tissue, of {asked} that were asked for."
    spacing = prepared.scan.spacing
    if spacing.max() > UNEVEN * spacing.min():
        yield (
            "The voxels are longer than wide, so texture depends on direction: compare it within scans of this grid only, or "
            "resample scan and mask."
        )
