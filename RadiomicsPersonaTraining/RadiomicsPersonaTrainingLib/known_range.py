"""Known range: how well a model rebuilds healthy scans it should know, so that use can tell when a scan is unlike them."""

from __future__ import annotations

import numpy as np

from RadiomicsPersonaLib.hole import hole_of_box
from RadiomicsPersonaLib.model import NetworkModel
from RadiomicsPersonaLib.patch import patch_grid
from RadiomicsPersonaLib.preparation import prepare
from RadiomicsPersonaLib.reconstruction import error_over_rim_mean, rebuild
from RadiomicsPersonaLib.scan import Scan, make_scan

from .corruption import random_box

SIDES_MM = ((12.0, 20.0), (20.0, 30.0), (30.0, 40.0), (40.0, 56.0))
MARGIN = 1.25
COARSE_MM = 2.0
"""Voxels that the scans are also measured in, for scanners that see less."""


def measure_known_range(model: NetworkModel, scans: list[Scan], boxes_per_size: int = 12, seed: int = 0) -> float:
    """The largest median share, over scans and box sizes, of the rim mean's squared error that the model leaves, times 1.25.

    `analysis` takes the same share on a scan's controls. Every scan is measured as it is and again in voxels
    of 2 mm; the margin covers scanners that the held-out scans do not show.
    """
    medians = []
    for number, scan in enumerate([*scans, *(coarse for coarse in map(_coarse, scans) if coarse is not None)]):
        prepared = prepare(scan)
        for size, sides in enumerate(SIDES_MM):
            rng = np.random.default_rng((seed, number, size))
            boxes = [random_box(prepared.scan, prepared.tissue, rng, sides) for _ in range(boxes_per_size)]
            holes = [hole_of_box(prepared.scan, box) for box in boxes if box is not None]
            medians.append(np.median([error_over_rim_mean(prepared.scan, r) for r in rebuild(prepared, holes, model)]))
    return MARGIN * float(np.max(medians))


def _coarse(scan: Scan) -> Scan | None:
    """The scan in voxels of `COARSE_MM`, or None when it is as coarse already."""
    if np.median(scan.spacing) >= 0.75 * COARSE_MM:
        return None
    size = int(np.ceil(max(np.array(scan.shape) * scan.spacing) / COARSE_MM))
    lowest = float(scan.array.min())
    grid = patch_grid(scan, scan.ras_from_ijk((np.array(scan.shape) - 1) / 2), COARSE_MM, size)
    return make_scan(grid.from_scan(scan.array, outside=lowest)[0], grid.affine, scan.name)
