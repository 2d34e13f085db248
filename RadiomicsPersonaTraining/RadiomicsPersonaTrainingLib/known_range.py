"""Known range: how well a model rebuilds healthy scans it should know, so that use can tell when a scan is unlike them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from RadiomicsPersonaLib.hole import hole_of_box
from RadiomicsPersonaLib.model import NetworkModel
from RadiomicsPersonaLib.preparation import prepare
from RadiomicsPersonaLib.reconstruction import error_over_rim_mean, rebuild
from RadiomicsPersonaLib.scan import read_scan

from .corruption import random_box

SIDES_MM = ((12.0, 20.0), (20.0, 30.0), (30.0, 40.0), (40.0, 56.0))
MARGIN = 1.25


def measure_known_range(model: NetworkModel, files: list[Path], boxes_per_size: int = 12, seed: int = 0) -> float:
    """The largest median share, over scans and box sizes, of the rim mean's squared error that the model leaves, times 1.25.

    `analysis` takes the same share on a scan's controls. The margin covers scanners that the held-out scans do not show.
    """
    medians = []
    for number, file in enumerate(files):
        prepared = prepare(read_scan(file))
        for size, sides in enumerate(SIDES_MM):
            rng = np.random.default_rng((seed, number, size))
            boxes = [random_box(prepared.scan, prepared.tissue, rng, sides) for _ in range(boxes_per_size)]
            holes = [hole_of_box(prepared.scan, box) for box in boxes if box is not None]
            medians.append(np.median([error_over_rim_mean(prepared.scan, r) for r in rebuild(prepared, holes, model)]))
    return MARGIN * float(np.max(medians))
