"""Evidence: what whole-head maps say of a box does not depend on how loosely it is drawn, nor on what is ill elsewhere."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from scipy import ndimage

from RadiomicsPersonaLib.brain.evidence import Evidence
from RadiomicsPersonaLib.brain.preparation import PreparedScan
from RadiomicsPersonaLib.geometry.box import Box
from RadiomicsPersonaLib.geometry.hole import Hole, hole_of_box
from RadiomicsPersonaLib.imaging.scan import Scan, make_scan
from RadiomicsPersonaLib.reconstruction.reconstruction import rebuild
from RadiomicsPersonaLib.reconstruction.reconstruction_model import load_model

AFFINE = np.diag([2.0, 2.0, 2.0, 1.0])
SHAPE = (64, 72, 60)
CENTER, RADIUS = np.array([80.0, 70.0, 60.0]), 9.0


def made(*lesions: tuple[np.ndarray, float]) -> tuple[Scan, Evidence]:
    """A head of uneven but healthy maps, and lesions given by centre and radius, millimetres."""
    index = np.stack(np.meshgrid(*map(np.arange, SHAPE), indexing="ij"), axis=-1) * 2.0
    rng = np.random.default_rng(0)
    uneven = ndimage.gaussian_filter(rng.normal(size=SHAPE), 2)
    odds = -5 + 0.7 * uneven / uneven.std()
    for center, radius in lesions:
        odds += 9 * (np.linalg.norm(index - center, axis=-1) < radius)
    lesion = (1 / (1 + np.exp(-odds))).astype(np.float32)
    brain = np.linalg.norm((index - np.array(SHAPE)) / [56, 64, 52], axis=-1) < 1
    even = np.full(SHAPE, 0.2, np.float32)
    scan = make_scan(rng.normal(100, 10, SHAPE), AFFINE)
    return scan, Evidence(scan.grid, brain, lesion, even, even)


def excess(scan: Scan, evidence: Evidence, box: Box, suspects: Hole | None = None) -> tuple[float, float]:
    found = evidence.metrics_in(scan, hole_of_box(scan, box), suspects)
    return found["lesion_excess"], found["lesion_peak"]


@pytest.mark.parametrize("factor", [1.0, 1.5, 2.0, 3.0])
def test_a_lesion_stands_out_however_loosely_the_box_is_drawn(factor):
    scan, evidence = made((CENTER, RADIUS))
    tight = Box(CENTER, np.full(3, 2 * RADIUS))
    mean, peak = excess(scan, evidence, Box(CENTER, factor * tight.size))
    healthy = [excess(scan, evidence, Box(c, factor * tight.size)) for c in ([34, 70, 60], [64, 34, 50], [54, 112, 60])]
    assert peak > 1.0 > max(p for _, p in healthy)
    assert mean > max(m for m, _ in healthy) + (0.2 if factor == 3.0 else 0.5)


def test_a_large_box_has_evidence_although_no_second_one_fits_into_the_head():
    scan, evidence = made((CENTER, RADIUS))
    mean, peak = excess(scan, evidence, Box([76, 70, 60], [96, 110, 96]))
    assert np.isfinite(mean) and peak > 1.0


def test_another_lesion_elsewhere_does_not_hide_the_one_in_the_box():
    box = Box(CENTER, np.full(3, 2 * RADIUS))
    scan, alone = made((CENTER, RADIUS))
    _, both = made((CENTER, RADIUS), (np.array([44.0, 70, 60]), 11.0))
    (mean, _), (mean_beside, peak_beside) = excess(scan, alone, box), excess(scan, both, box)
    assert mean_beside > mean - 0.4 and peak_beside > 1.0
    elsewhere = np.zeros(SHAPE, bool)
    elsewhere[15:29, 28:42, 23:37] = True
    assert both.suspect[elsewhere].any() and not alone.suspect[elsewhere].any()


def test_what_goes_on_outside_of_a_box_is_told_with_its_extent():
    scan, evidence = made((CENTER, 14.0))
    small = hole_of_box(scan, Box(CENTER, [10, 10, 10]))
    every, within, corners = evidence.larger_around(scan, small)
    assert 4 < every < 16 and within == pytest.approx(1.0, abs=0.4)
    assert np.abs(corners.mean(axis=0) - CENTER).max() < 3 and np.ptp(corners, axis=0) == pytest.approx([26] * 3, abs=6)
    assert evidence.larger_around(scan, hole_of_box(scan, Box(CENTER, [34, 34, 34]))) is None


def test_what_the_lesion_model_marks_beside_a_box_feeds_no_persona():
    """A box that holds a part of something larger is rebuilt from what is healthy around both."""
    scan, evidence = made((CENTER, RADIUS))
    hole = hole_of_box(scan, Box(CENTER + [12, 0, 0], [20, 20, 20]))
    tissue, midplane = SimpleNamespace(stretch=1.0, background=0.0, anatomy=None), object()

    def persona(brighter: float, hiding: bool) -> np.ndarray:
        array = scan.array.copy()
        array[evidence.suspect] += brighter
        prepared = PreparedScan(Scan(array, scan.affine, "head"), tissue, midplane, hole)
        vars(prepared).update(maps=None, evidence=evidence)
        [result] = rebuild(prepared.hiding_marked() if hiding else prepared, [hole], load_model("harmonic"), False)
        return result.values[result.hole.mask]

    assert evidence.suspect.any() and not evidence.suspect[hole.region][hole.mask].all()
    assert np.array_equal(persona(0.0, True), persona(500.0, True))
    assert np.abs(persona(500.0, False) - persona(0.0, False)).max() > 50


def test_what_is_marked_lies_where_it_is_on_a_grid_of_other_axes():
    scan, evidence = made((CENTER, RADIUS))
    turned = make_scan(
        np.arange(315000.0).reshape(50, 90, 70), [[0, 0, 1.9, 2.0], [-1.6, 0, 0, 140.0], [0, 1.5, 0, 3.0], [0, 0, 0, 1]]
    )
    prepared = PreparedScan(turned, None, None, None)
    vars(prepared)["evidence"] = evidence
    index = np.argwhere(np.ones(turned.shape, bool))
    wanted = evidence.grid.nearest_values(evidence.suspect, turned.ras_from_ijk(index)).reshape(turned.shape) > 0
    found = prepared.marked.full_mask(turned.shape)
    assert wanted.sum() > 200 and (found != wanted).mean() < 1e-4


def test_brain_near_what_is_marked_is_not_what_a_box_is_held_against():
    scan, evidence = made((CENTER, RADIUS))
    away = ndimage.distance_transform_edt(~evidence.suspect, sampling=evidence.grid.spacing)
    assert not evidence.healthy[away <= 6].any() and evidence.healthy[evidence.brain & (away > 6)].all()
