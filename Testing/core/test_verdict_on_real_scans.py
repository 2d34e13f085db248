"""The verdict on real scans: painted lesions are found, untouched tissue is left alone, and p of healthy boxes is uniform."""

from __future__ import annotations

import dataclasses
from functools import cache

import numpy as np
import pytest
from scipy import ndimage, stats

from RadiomicsPersonaLib.analysis.analysis import analyze
from RadiomicsPersonaLib.brain.tissue import Tissue, estimate_tissue
from RadiomicsPersonaLib.geometry.box import Box
from RadiomicsPersonaLib.geometry.hole import hole_of_box
from RadiomicsPersonaLib.imaging.files import read_scan
from RadiomicsPersonaLib.imaging.scan import Scan
from RadiomicsPersonaLib.reconstruction.reconstruction_model import load_model
from RadiomicsPersonaTrainingLib.samples.random_holes import random_box

pytestmark = pytest.mark.slow

SCANS = {
    "T1": ("healthy/ds002748/sub-05_T1w.nii.gz", None),
    "FLAIR": ("lesion/ms/patient26/patient26_FLAIR.nii.gz", "lesion/ms/patient26/patient26_mask.nii.gz"),
}
SHIFTS = {"T1": -2.5, "FLAIR": 4.0}
"""Lesions are dark in T1 and bright in FLAIR; in tissue SD."""
SIDES = (14.0, 24.0, 38.0)


@cache
def scan_and_tissue(data_root, contrast: str) -> tuple[Scan, Tissue, np.ndarray]:
    """A scan, its tissue, and where it is marked as no healthy brain; to be left as they are."""
    file, mask = SCANS[contrast]
    scan = read_scan(data_root / file)
    marked = np.zeros(scan.shape, bool) if mask is None else read_scan(data_root / mask).array > 0
    return scan, estimate_tissue(scan), marked


def place_in(data_root, contrast: str, side: float) -> Box:
    """A box of one size in the healthy brain of a scan, the same every time."""
    scan, tissue, marked = scan_and_tissue(data_root, contrast)
    rng = np.random.default_rng(int(side))
    while True:
        box = random_box(scan, tissue, rng, (side, side), brain_share=0.9)
        if not (hole_of_box(scan, box).full_mask(scan.shape) & marked).any():
            return box


def with_lesion(data_root, contrast: str, box: Box) -> Scan:
    """The scan with an ellipsoid in the box that differs from the tissue by so many tissue SD and hides its texture."""
    scan, tissue, _ = scan_and_tissue(data_root, contrast)
    index = np.stack(np.meshgrid(*map(np.arange, scan.shape), indexing="ij"), axis=-1)
    inside = np.linalg.norm((scan.ras_from_ijk(index) - box.center) / (0.42 * box.size), axis=-1) < 1
    scale = tissue.scale
    weight = ndimage.gaussian_filter(inside.astype(np.float32), 0.7 / scan.spacing)
    level = np.median(scan.array[inside]) + SHIFTS[contrast] * scale.deviation
    rough = 0.2 * scale.deviation * np.random.default_rng(0).normal(size=scan.shape)
    return dataclasses.replace(scan, array=((1 - weight) * scan.array + weight * (level + rough)).astype(np.float32))


@pytest.mark.parametrize("contrast", SCANS)
def test_a_painted_lesion_is_called_pathological_and_untouched_tissue_is_not(data_root, contrast):
    model, boxes = load_model("auto"), []
    for side in SIDES:
        box = place_in(data_root, contrast, side)
        sick = analyze(with_lesion(data_root, contrast, box), [box], model, look_twice=False).boxes[0]
        assert sick.label == 1 and sick.probability > 0.6, (side, sick.reason)
        boxes.append(box)
    untouched = analyze(scan_and_tissue(data_root, contrast)[0], boxes, model).boxes
    assert [result.label for result in untouched].count(0) >= 2, [result.reason for result in untouched]
    assert 1 not in [result.label for result in untouched]


@pytest.mark.parametrize(("looseness", "called"), [(1.5, 2), (2.0, 1)])
@pytest.mark.parametrize("contrast", SCANS)
def test_a_painted_lesion_is_called_in_a_loose_box_too(data_root, contrast, looseness, called):
    """Of three sizes so many at least: a small lesion in T1 is lost in a box of twice its size."""
    model, results = load_model("auto"), []
    for side in SIDES:
        box = place_in(data_root, contrast, side)
        loose = Box(box.center, looseness * box.size, box.axes, "loose")
        results.append(analyze(with_lesion(data_root, contrast, box), [loose], model, look_twice=False).boxes[0])
    assert [result.label for result in results].count(1) >= called, [result.reason for result in results]


@pytest.mark.parametrize(("sides", "count"), [((12.0, 22.0), 8), ((22.0, 34.0), 7), ((34.0, 56.0), 4)])
def test_p_of_healthy_boxes_is_uniform_in_every_size(data_root, sides, count):
    """In two healthy people no model was trained on; several boxes at a time, none near another."""
    model, ps = load_model("auto"), []
    for file in sorted((data_root / "healthy/ixi_2mm_eval_only").rglob("*.nii.gz"))[:2]:
        scan = read_scan(file)
        tissue, rng, boxes = estimate_tissue(scan), np.random.default_rng(3), []
        for _ in range(400):
            box = random_box(scan, tissue, rng, sides)
            if len(boxes) < count and all((np.abs(box.center - b.center) > (box.size + b.size) / 2 + 6).any() for b in boxes):
                boxes.append(box)
        ps += [result.p for result in analyze(scan, boxes, model, look_twice=False).boxes]
    # a third of this distance from uniform, or a p that looks at the box otherwise than at healthy ones, fails
    assert stats.kstest(ps, "uniform").pvalue > 0.01, sorted(ps)
