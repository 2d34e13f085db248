"""Stability: what the small changes are, and that a clear verdict survives them."""

from __future__ import annotations

import json

import numpy as np
import pytest
from bench.phantom import make_head, with_dark_blob

from RadiomicsPersonaLib.analysis.analysis import analyze
from RadiomicsPersonaLib.analysis.stability import CHANGES, changes_of, flipped, shifted, with_stability
from RadiomicsPersonaLib.cli import main
from RadiomicsPersonaLib.geometry.box import Box
from RadiomicsPersonaLib.geometry.hole import hole_of_box
from RadiomicsPersonaLib.imaging.files import write_nifti
from RadiomicsPersonaLib.imaging.scan import make_scan
from RadiomicsPersonaLib.reconstruction.reconstruction_model import load_model

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("small_models")]

BOX = Box([34, -10, 14], [24, 28, 22])
OBLIQUE = np.array([[0.1, -1.9, 0.3, 95], [-1.8, -0.1, 0.6, 105], [0.5, 0.35, 2.4, -90], [0, 0, 0, 1]])


@pytest.fixture(scope="module")
def sick_head():
    """A head with a dark blob in BOX."""
    return with_dark_blob(make_head(3.0), BOX.center)


@pytest.fixture(scope="module")
def excluded(sick_head):
    mask = np.zeros(sick_head.shape, bool)
    mask[3:9, 4:8, 5:12] = True
    return mask


@pytest.mark.parametrize("affine", [None, OBLIQUE])
def test_in_the_mirrored_scan_box_and_excluded_voxels_hold_what_they_held(affine):
    scan = make_head(3.0) if affine is None else make_head(affine=affine)
    box = Box(scan.ras_from_ijk((np.array(scan.shape) - 1) / 2) + [20, 5, 0], [22, 18, 20])
    exclude = np.zeros(scan.shape, bool)
    exclude[3:9, 4:8, 5:12] = True
    change = flipped(scan, [box], exclude)
    before, after = (
        np.sort(s.array[hole_of_box(s, b).full_mask(s.shape)]) for s, b in ((scan, box), (change.scan, change.boxes[0]))
    )
    assert len(before) > 200
    if affine is None:  # the reflection of an oblique grid is a grid only where its axes are perpendicular
        assert np.array_equal(before, after)
    assert np.array_equal(np.sort(scan.array[exclude]), np.sort(change.scan.array[change.exclude]))
    right = scan.axes_to_ras[0][0]
    assert np.array_equal(np.flip(change.scan.array, right), scan.array)


def test_a_scan_shifted_by_half_a_voxel_stays_where_it_is_in_space():
    ramp = make_scan(np.fromfunction(lambda i, j, k: 100 + 2 * i + 3 * j - k, (20, 22, 24)), np.diag([2.0, 2, 3, 1]))
    change = shifted(ramp, [BOX])
    inner = np.argwhere(np.ones((12, 12, 12))) + 4
    values = change.scan.array[tuple(inner.T)]
    index = ramp.ijk_from_ras(change.scan.ras_from_ijk(inner))
    assert np.allclose(index - np.rint(index - 0.25), 0.5)
    assert np.allclose(values, 100 + index @ [2, 3, -1], atol=0.01)
    assert change.boxes == [BOX]


def test_every_change_is_small_and_there_are_as_many_as_announced(sick_head, excluded):
    changes = list(changes_of(sick_head, [BOX], excluded))
    assert len(changes) == CHANGES == len({change.name for change in changes})
    moved = [change.boxes[0].center - BOX.center for change in changes if "moved" in change.name]
    assert sorted(map(tuple, np.array(moved))) == sorted(map(tuple, np.concatenate([2 * np.eye(3), -2 * np.eye(3)])))
    noisy = changes[-1].scan.array - sick_head.array
    low, high = np.percentile(sick_head.array, [1, 99])
    assert noisy.std() == pytest.approx(0.02 * (high - low), rel=0.02)
    again = list(changes_of(sick_head, [BOX], excluded))[-1].scan.array
    assert np.array_equal(again, changes[-1].scan.array)


def test_a_clear_lesion_stays_one_and_the_trials_say_so(sick_head):
    model = load_model("harmonic")
    analysis = analyze(sick_head, [BOX], model, controls=9)
    told = []
    tried = with_stability(
        analysis,
        lambda change: analyze(change.scan, change.boxes, model, controls=9),
        progress=lambda *step: told.append(step),
    )
    result = tried.boxes[0]
    assert result.label == 1 and len(result.stability) == CHANGES == len(told)
    assert all(trial.label == 1 and trial.p <= 0.05 for trial in result.stability)
    assert f"stays pathological in {CHANGES} of {CHANGES}" in result.stability_in_words
    assert result.metrics == analysis.boxes[0].metrics and analysis.boxes[0].stability_in_words == ""


def test_the_controls_of_the_mirrored_scan_are_the_mirrored_controls():
    head, model = make_head(3.0), load_model("harmonic")
    change = flipped(head, [BOX])
    first, second = (analyze(s, b, model, controls=12).boxes[0] for s, b in ((head, [BOX]), (change.scan, change.boxes)))
    mirrored = np.array([c.box.center for c in second.controls]) * [-1, 1, 1]
    nearest = [np.linalg.norm(mirrored - control.box.center, axis=1).min() for control in first.controls]
    assert np.median(nearest) < 4


def test_the_command_reports_the_band(sick_head, tmp_path, capfd):
    write_nifti(tmp_path / "scan.nii.gz", sick_head.array, sick_head.affine)
    words = ["analyze", str(tmp_path / "scan.nii.gz"), "--box=34,-10,14,24,28,22", "--model", "harmonic", "--controls", "9"]
    assert main([*words, "--stability", "--output", str(tmp_path / "out")]) == 0
    assert "After small changes that should not matter the verdict stays pathological in 9 of 9" in capfd.readouterr().out
    record = json.loads((tmp_path / "out" / "results.json").read_text())["boxes"][0]["stability"]
    assert len(record) == 9 and all(trial["label"] == 1 for trial in record)
    assert "--stability" in json.loads((tmp_path / "out" / "results.json").read_text())["provenance"]["command"]
