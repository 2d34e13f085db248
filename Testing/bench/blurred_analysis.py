"""An analysis made by hand: every box is rebuilt as a blurred copy of itself, and the verdicts are given."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from RadiomicsPersonaLib.analysis.result import Analysis, BoxResult, Control
from RadiomicsPersonaLib.analysis.score import standard_scores, standings
from RadiomicsPersonaLib.brain.preparation import prepare
from RadiomicsPersonaLib.brain.tissue import Tissue
from RadiomicsPersonaLib.geometry.box import Box
from RadiomicsPersonaLib.geometry.hole import Hole, hole_of_box
from RadiomicsPersonaLib.imaging.scan import Scan
from RadiomicsPersonaLib.metrics.comparison import compare
from RadiomicsPersonaLib.reconstruction.reconstruction import Reconstruction

VERDICTS = (
    (
        1,
        1 / 5,
        "Pathological: more unusual than all 4 control regions of this scan, p = 0.2.",
    ),
    (
        0,
        0.6,
        "Healthy: more unusual than 2 of 4 control regions of this scan, p = 0.6 (above 0.2).",
    ),
    (None, None, "Undetermined: only 30% of the box is brain, so move it onto the brain."),
)


def blurred_analysis(scan: Scan, boxes: list[Box], controls: int = 4) -> Analysis:
    """The first box pathological, the second healthy, the third undetermined; controls lie 3 mm apart to the front.

    The metrics are real ones of the blurred copies.
    """
    prepared = prepare(scan, [hole_of_box(scan, box) for box in boxes])
    tissue = prepared.tissue
    blurred = ndimage.gaussian_filter(scan.array, 3.0 / scan.spacing)
    results, rebuilt, difference = [], scan.array.copy(), np.zeros(scan.shape, np.float32)
    for box, (label, p, reason) in zip(boxes, VERDICTS):
        hole = hole_of_box(scan, box)
        placed = [box.moved_to(box.center + [0, 3.0 * number, 0], f"control {number}") for number in range(1, controls + 1)]
        if label is None:
            placed = []
        measured = [_metrics(scan, blurred, hole_of_box(scan, b), tissue) for b in placed]
        compared = tuple(Control(b, m, m["deviation"]) for b, m in zip(placed, measured))
        reconstruction = _reconstruction(scan, blurred, hole)
        region, mask = hole.region, hole.mask
        rebuilt[region][mask] = blurred[region][mask]
        difference[region][mask] = (scan.array - blurred)[region][mask]
        percentile = None if p is None else 100 * (1 - p)
        metrics = _metrics(scan, blurred, hole, tissue)
        results.append(
            BoxResult(
                box,
                reconstruction,
                metrics,
                compared,
                p,
                percentile,
                label,
                reason,
                (f"A note on {box.name}.",),
                standings=standings(standard_scores([metrics, *measured])) if measured else {},
                combined=metrics["deviation"],
            )
        )
    return Analysis(
        scan,
        tissue,
        prepared.midplane,
        tuple(results),
        rebuilt,
        difference,
        np.ones(scan.shape, np.float32),
        {"rule": "p", "threshold": 0.2},
        {
            "model": {"name": "blur"},
            "classifier": {"name": "clinic", "sha256": "0" * 64, "own": True},
            "seed": 3,
            "command": "radiomics-persona analyze Patient^Name.nii.gz",
        },
        ("The slices are thick.",),
    )


def _reconstruction(scan: Scan, blurred: np.ndarray, hole: Hole) -> Reconstruction:
    wide = hole.grown(scan.shape, 5)
    values = np.where(wide.mask, blurred[wide.region], scan.array[wide.region]).astype(np.float64)
    return Reconstruction(wide, values, 1.0)


def _metrics(scan: Scan, blurred: np.ndarray, hole: Hole, tissue: Tissue) -> dict[str, float]:
    wide = hole.grown(scan.shape, 5)
    intensity_range = tuple(float(value) for value in np.percentile(scan.array, [0.5, 99.5]))
    rebuilt = _reconstruction(scan, blurred, hole).values
    return compare(scan.array[wide.region], rebuilt, wide.mask, scan.spacing, tissue.scale, intensity_range)
