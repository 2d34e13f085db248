"""The expected error: how far a persona may be off is known without a look into the box, and it holds."""

from __future__ import annotations

import dataclasses
import json

import nibabel
import numpy as np
import pytest
from bench.phantom import make_head
from scipy import ndimage

from RadiomicsPersonaLib.analysis.analysis import analyze
from RadiomicsPersonaLib.analysis.control import place_controls
from RadiomicsPersonaLib.brain.preparation import prepare
from RadiomicsPersonaLib.cli import main
from RadiomicsPersonaLib.geometry.box import Box
from RadiomicsPersonaLib.geometry.hole import hole_of_box
from RadiomicsPersonaLib.imaging.files import read_scan, write_nifti
from RadiomicsPersonaLib.metrics.expected_error import LEAST_CONTROLS, error_model
from RadiomicsPersonaLib.reconstruction.reconstruction import rebuild
from RadiomicsPersonaLib.reconstruction.reconstruction_model import load_model
from RadiomicsPersonaLib.report.picture import COLUMNS, difference_legend, fog_legend, slice_row
from RadiomicsPersonaLib.report.results_files import read_analysis

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("small_models")]

BOX = Box([30, 0, 20], [30, 30, 30], name="A")


@pytest.fixture(scope="module")
def head():
    return make_head(3.0)


@pytest.fixture(scope="module")
def analysis(head):
    return analyze(head, [BOX], load_model("harmonic"), controls=9, look_twice=False)


def test_it_is_known_wherever_something_was_rebuilt_and_nowhere_else(head, analysis):
    inside = hole_of_box(head, BOX).full_mask(head.shape)
    expected = analysis.expected_error
    assert expected.dtype == np.float32 and (expected[inside] > 0).all() and not expected[~inside].any()
    units = analysis.difference_in_units
    np.testing.assert_allclose(units[inside], (analysis.difference / np.where(inside, expected, 1))[inside], rtol=1e-5)
    assert not units[~inside].any()


def test_what_is_in_the_box_changes_nothing_of_it(head):
    hole, found, beyond = hole_of_box(head, BOX), [], []
    for louder in (0, 300):
        scan = dataclasses.replace(head, array=head.array + louder * hole.full_mask(head.shape).astype(np.float32))
        prepared = prepare(scan, [hole])
        places = [control.hole for control in place_controls(prepared, 9, clean=False)]
        persona, *controls = rebuild(prepared, [hole, *places], load_model("harmonic"))
        found.append(error_model(prepared, controls, True).expected(prepared, persona))
        off = np.abs(scan.array[persona.hole.region] - persona.values)[persona.hole.mask]
        beyond.append((off > 2 * found[-1][persona.hole.mask]).mean())
    assert np.array_equal(*found)
    assert beyond[0] < 0.3 and beyond[1] > 0.7


def test_the_middle_of_a_box_is_less_sure_than_its_rim(head, analysis):
    hole = hole_of_box(head, BOX)
    expected, deep = analysis.expected_error[hole.region], ndimage.binary_erosion(hole.mask, iterations=4)
    rim = hole.mask & ~ndimage.binary_erosion(hole.mask)
    assert np.median(expected[deep]) > 1.2 * np.median(expected[rim])


@pytest.mark.usefixtures("in_fp32", "nothing_remembered")
def test_a_louder_scan_has_an_expected_error_as_much_louder(head):
    quiet, louder = (
        analyze(dataclasses.replace(head, array=unit * head.array), [BOX], load_model("harmonic"), controls=9, look_twice=False)
        for unit in (1, 1000)
    )
    np.testing.assert_allclose(louder.expected_error, 1000 * quiet.expected_error, rtol=0.02)
    assert louder.boxes[0].expected_error_sd == pytest.approx(quiet.boxes[0].expected_error_sd, rel=1e-3)


def test_with_too_few_healthy_boxes_it_is_not_known_and_the_difference_is_in_tissue_sd(head):
    analysis = analyze(head, [BOX], load_model("harmonic"), controls=LEAST_CONTROLS - 1, look_twice=False)
    result = analysis.boxes[0]
    assert analysis.expected_error is None and result.expected_error_sd is None and result.certainty == ""
    np.testing.assert_allclose(analysis.difference_in_units, analysis.difference / analysis.tissue.scale.deviation, rtol=1e-5)
    assert difference_legend(analysis).endswith("in tissue SD") and fog_legend(analysis) == ""


def test_a_persona_that_may_be_far_off_lies_in_fog(analysis):
    column = COLUMNS.index("Healthy persona")
    colored = []
    for off in (0.1, 1.0, 2.0):
        expected = np.where(analysis.boxes[0].expected_error > 0, off * analysis.tissue.scale.deviation, 0).astype(np.float32)
        box = dataclasses.replace(analysis.boxes[0], expected_error=expected)
        panel = np.asarray(slice_row(dataclasses.replace(analysis, boxes=(box,)), box, "axial")[column]).astype(int)
        colored.append(np.ptp(panel[126:146, 126:146], axis=-1).mean())
    assert colored[0] == 0 < 5 < colored[1] < colored[2], "the farther off, the denser"
    assert difference_legend(analysis).endswith("in expected errors") and "fog" in fog_legend(analysis)


def test_the_files_hold_it_and_a_report_from_them_shows_the_same(head, tmp_path):
    write_nifti(tmp_path / "head.nii.gz", head.array, head.affine)
    box = "--box=30,0,20,30,30,30"
    outputs = ["--outputs", "json,reconstruction,difference,error,brain", "--output", str(tmp_path / "out")]
    assert main(["analyze", str(tmp_path / "head.nii.gz"), box, "--model", "harmonic", "--controls", "6", *outputs]) == 0
    expected = nibabel.load(tmp_path / "out" / "expected_error.nii.gz").get_fdata()
    record = json.loads((tmp_path / "out" / "results.json").read_text())["boxes"][0]
    brain = nibabel.load(tmp_path / "out" / "brain.nii.gz").get_fdata() > 0
    difference = nibabel.load(tmp_path / "out" / "difference.nii.gz").get_fdata()
    known = brain & (expected > 0)
    assert record["beyond_expected"] == pytest.approx((np.abs(difference[known]) > 2 * expected[known]).mean(), abs=0.002)
    assert f"{100 * record['beyond_expected']:.0f} % of the voxels exceed twice" in record["certainty"]
    read = read_analysis(tmp_path / "out", read_scan(tmp_path / "head.nii.gz"))
    np.testing.assert_allclose(read.expected_error, expected, rtol=1e-6)
    assert read.unit == "expected errors" and read.boxes[0].certainty == record["certainty"]
    (tmp_path / "out" / "expected_error.nii.gz").unlink()
    assert read_analysis(tmp_path / "out", read_scan(tmp_path / "head.nii.gz")).unit == "tissue SD"


@pytest.mark.usefixtures("shipped_models")
def test_two_thirds_of_healthy_voxels_lie_within_it_and_nearly_all_within_twice(data_root):
    """In somebody no model was trained on, in boxes of all sizes that the regression has not seen."""
    scan = read_scan(data_root / "healthy/ixi_2mm_eval_only/IXI127-HH-1451_T1.nii.gz")
    prepared, model = prepare(scan, []), load_model("auto")
    known, others = (
        rebuild(prepared.hiding_marked(), [c.hole for c in place_controls(prepared, count, seed)], model)
        for count, seed in ((15, 0), (24, 99))
    )
    regression = error_model(prepared.hiding_marked(), known, True)
    shares = {"small": [], "medium": [], "large": []}
    for persona in others:
        hole = persona.hole
        index = np.argwhere(hole.mask)
        brain = tuple(index[prepared.tissue.classes_at(scan.ras_from_ijk(index + hole.start)) > 0].T)
        expected = regression.expected(prepared.hiding_marked(), persona)[brain]
        off = np.abs(scan.array[hole.region] - persona.values)[brain] / expected
        size = np.cbrt(scan.grid.ml_of(hole.voxels) * 1000)
        shares["small" if size < 24 else "medium" if size < 40 else "large"].append([(off < 1).mean(), (off < 2).mean()])
    for size, found in shares.items():
        within, within_twice = np.mean(found, axis=0)
        assert 0.55 < within < 0.85 and 0.85 < within_twice < 0.99, (size, within, within_twice)
