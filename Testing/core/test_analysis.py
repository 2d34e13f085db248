"""One analysis, as the user sees it: what changes, what does not, what is said."""

from __future__ import annotations

import csv
import json
from dataclasses import replace

import nibabel
import numpy as np
import pytest
from bench.phantom import make_head, with_dark_blob
from bench.preparations import prepared

from RadiomicsPersonaLib.analysis.analysis import analyze
from RadiomicsPersonaLib.analysis.result import tightened
from RadiomicsPersonaLib.analysis.second_look import second_look
from RadiomicsPersonaLib.brain.preparation import prepare
from RadiomicsPersonaLib.cli import main
from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.geometry.box import Box
from RadiomicsPersonaLib.geometry.hole import hole_of_box
from RadiomicsPersonaLib.imaging.files import write_nifti
from RadiomicsPersonaLib.imaging.scan import Scan, make_scan
from RadiomicsPersonaLib.lesions import probe as probing
from RadiomicsPersonaLib.lesions.painter import paint_lesion
from RadiomicsPersonaLib.reconstruction.reconstruction_model import load_model

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("small_models")]

BOX = Box([34, -10, 14], [24, 28, 22], name="left alone")
TURNED = Box([-30, 12, 20], [20, 26, 18], np.array([[0.8, -0.6, 0], [0.6, 0.8, 0], [0, 0, 1]]), "turned")
OBLIQUE = np.array([[0.1, -1.9, 0.3, 95], [-1.8, -0.1, 0.6, 105], [0.5, 0.35, 2.4, -90], [0, 0, 0, 1]])


@pytest.fixture(scope="module")
def harmonic():
    return load_model("harmonic")


@pytest.fixture(scope="module")
def head() -> Scan:
    return make_head(2.0)


@pytest.fixture(scope="module")
def sick_head(head) -> Scan:
    """The head with a dark blob in BOX."""
    return with_dark_blob(head, BOX.center)


@pytest.fixture(scope="module")
def analysis(sick_head, harmonic):
    return analyze(sick_head, [BOX, TURNED], harmonic, controls=24)


def inside(scan: Scan, boxes) -> np.ndarray:
    mask = np.zeros(scan.shape, bool)
    for box in boxes:
        mask |= hole_of_box(scan, box).full_mask(scan.shape)
    return mask


def test_no_voxel_outside_the_boxes_changes(analysis, sick_head):
    outside = ~inside(sick_head, [BOX, TURNED])
    assert np.array_equal(analysis.reconstruction[outside], sick_head.array[outside])
    assert not analysis.difference[outside].any()
    assert analysis.difference[~outside].any()


def test_no_voxel_outside_changes_in_an_oblique_thick_scan_with_nan_and_float64(harmonic):
    head = make_head(affine=OBLIQUE)
    array = head.array.astype(np.float64) * np.pi
    array[2:4, 2:4, 2:4] = np.nan
    scan = make_scan(array, head.affine)
    box = Box(scan.ras_from_ijk((np.array(scan.shape) - 1) / 2) + [30, 0, 10], [20, 20, 20])
    result = analyze(scan, [box], harmonic, controls=3)
    outside = ~inside(scan, [box])
    assert np.array_equal(result.reconstruction[outside], array[outside], equal_nan=True)
    assert np.isfinite(result.reconstruction[~outside]).all()


def test_the_reconstruction_is_blind_to_what_is_in_the_box(sick_head, head, harmonic):
    """Not even through the intensity scale, the brain mask or the midplane."""
    mask = inside(sick_head, [BOX])
    wild = make_scan(np.where(mask, 1e4, sick_head.array), sick_head.affine)
    for model in models_here(harmonic):
        rebuilt = [
            analyze(scan, [BOX], model, controls=0, prepare=prepared).reconstruction[mask] for scan in (head, sick_head, wild)
        ]
        assert np.array_equal(rebuilt[0], rebuilt[1]) and np.array_equal(rebuilt[0], rebuilt[2])


def test_there_is_no_seam_at_the_rim(head, harmonic):
    """Steps across the box's faces are no larger than steps between neighbours elsewhere."""
    for model in models_here(harmonic):
        rebuilt = analyze(head, [BOX], model, controls=0, prepare=prepared).reconstruction.astype(float)
        mask = inside(head, [BOX])
        steps, rim = np.abs(np.diff(rebuilt, axis=0)), mask[1:] != mask[:-1]
        assert steps[rim].mean() < 1.3 * np.abs(np.diff(head.array, axis=0))[rim].mean()


def models_here(*models):
    """The given models and the shipped network."""
    return [*models, load_model("auto")]


def test_the_same_command_gives_the_same_numbers(analysis, sick_head, harmonic, nothing_remembered):
    again = analyze(sick_head, [BOX, TURNED], harmonic, controls=24)
    for first, second in zip(analysis.boxes, again.boxes):
        assert first.metrics == second.metrics and first.p == second.p
        assert [c.metrics for c in first.controls] == [c.metrics for c in second.controls]


def test_controls_are_of_all_sizes_touch_not_their_box_and_lie_in_the_scan(analysis, sick_head):
    for result in analysis.boxes:
        own = inside(sick_head, [result.box])
        for control in result.controls:
            assert not (hole_of_box(sick_head, control.box).full_mask(sick_head.shape) & own).any()
            corners = sick_head.ijk_from_ras(control.box.corners)
            assert (corners > -1).all() and (corners < np.array(sick_head.shape)).all()
        edges = [control.box.size.max() for control in result.controls]
        assert min(edges) < 20 and max(edges) > 30


def test_controls_come_in_pairs_on_both_sides(head, harmonic):
    first, second = analyze(head, [BOX], harmonic, controls=2, prepare=prepared).boxes[0].controls
    assert np.allclose(first.box.center, second.box.center * [-1, 1, 1], atol=4)
    assert np.array_equal(first.box.size, second.box.size)


def test_the_midplane_is_found_in_a_tilted_head():
    from RadiomicsPersonaLib.brain.midplane import estimate_midplane
    from RadiomicsPersonaLib.brain.tissue import estimate_tissue

    for yaw, roll in ((0, 0), (15, -10), (-20, 12)):
        y, r = np.deg2rad([yaw, roll])
        turn = np.array([[np.cos(y), -np.sin(y), 0], [np.sin(y), np.cos(y), 0], [0, 0, 1]])
        turn = turn @ np.array([[np.cos(r), 0, -np.sin(r)], [0, 1, 0], [np.sin(r), 0, np.cos(r)]])
        head = make_head(2.0)
        affine = np.eye(4)
        affine[:3, :3] = turn
        # the same voxels, in a head that is held at an angle
        tilted = make_scan(head.array, affine @ head.affine)
        plane = estimate_midplane(estimate_tissue(tilted))
        assert np.degrees(np.arccos(abs(plane.normal @ turn[:, 0]))) < 3


def test_the_verdict_is_told_before_the_rest_is_done(head, harmonic):
    told = []
    result = analyze(
        head, [BOX], harmonic, controls=4, progress=lambda done, total, what: told.append(what), probe=lambda bench: ""
    )
    verdict = f"{result.boxes[0].box.name} is {result.boxes[0].word}, p = {result.boxes[0].p:.2g}; "
    assert told[-1].startswith(verdict), told


def test_an_excluded_region_is_never_a_control(head, harmonic):
    exclude = np.zeros(head.shape, bool)
    exclude[: head.shape[0] // 2] = True
    result = analyze(head, [BOX], harmonic, controls=8, exclude=exclude).boxes[0]
    assert result.controls
    for control in result.controls:
        assert not (hole_of_box(head, control.box).full_mask(head.shape) & exclude).any()


@pytest.mark.parametrize("size", [18, 40])
def test_a_box_far_away_hardly_changes_what_is_said_of_a_box(size, head, harmonic):
    """Only what tissue and midplane, estimated without all boxes, differ by: a tenth of a millimetre in where controls lie."""
    far = Box([-36, 42, 18], [size, size, size], name="far")  # and not on the mirrored side
    both = analyze(head, [BOX, far], harmonic, controls=6, prepare=prepared).boxes
    turned = analyze(head, [far, BOX], harmonic, controls=6, prepare=prepared).boxes
    assert [(r.label, r.p) for r in both] == [(r.label, r.p) for r in reversed(turned)]
    for found, box in zip(both, (BOX, far)):
        alone = analyze(head, [box], harmonic, controls=6, prepare=prepared).boxes[0]
        assert [c.box.name for c in alone.controls] == [c.box.name for c in found.controls]
        offsets = [np.abs(a.box.center - b.box.center).max() for a, b in zip(alone.controls, found.controls)]
        assert max(offsets) < 0.3, "places do not jump"
        assert alone.label == found.label and 0.75 < alone.p / found.p < 1.33
    touched = {c.box.name for c in both[0].controls} ^ {c.box.name for c in both[1].controls}
    assert touched, "neither touches what the other is held against: the check says little"


def test_a_label_does_not_need_controls(head, harmonic):
    result = analyze(head, [BOX], harmonic, controls=0, prepare=prepared).boxes[0]
    assert result.p is not None and result.controls == () and "other people" in result.reason


def test_what_is_unusual_in_a_loose_box_is_outlined_measured_and_can_be_tightened(sick_head, harmonic):
    loose = Box(BOX.center + [3, -4, 2], 1.6 * BOX.size, name="loose")
    result = analyze(sick_head, [loose], harmonic, controls=10, prepare=prepared).boxes[0]
    assert result.label == 1 and result.parts, result.reason
    index = np.stack(np.meshgrid(*map(np.arange, sick_head.shape), indexing="ij"), axis=-1)
    lesion = np.linalg.norm((sick_head.ras_from_ijk(index) - BOX.center) / [9, 10, 8], axis=-1) < 1
    hole = result.reconstruction.hole
    assert result.unusual[lesion[hole.region]].mean() > 0.7 and not result.unusual[~hole.mask].any()
    tight = tightened(result)
    assert tight.name == "loose" and tight.volume_ml < 0.7 * loose.volume_ml and np.linalg.norm(tight.center - BOX.center) < 6
    assert f"{result.parts[0].volume_ml:.3g} ml" in result.where
    part = result.parts[0]
    for count, told in (
        (1, "0.5 ml, in a box"),
        (2, "0.5 and 0.25 ml, in 2 parts, in"),
        (5, "in 5 parts, of which these are the"),
    ):
        parts = tuple(replace(part, volume_ml=0.5 / 2**n) for n in range(count))
        assert told in replace(result, parts=parts).where


def test_the_second_look_rebuilds_what_deviates_keeps_the_rest_and_changes_no_number(head, sick_head, harmonic):
    loose = Box(BOX.center + [3, -4, 2], 1.7 * BOX.size, name="loose")
    twice, once = (
        analyze(sick_head, [loose, TURNED], harmonic, controls=10, prepare=prepared, look_twice=look) for look in (True, False)
    )
    called, healthy = twice.boxes
    assert called.label == 1 and healthy.label == 0, (called.reason, healthy.reason)
    for one, other in zip(twice.boxes, once.boxes):
        assert one.metrics == other.metrics and one.p == other.p and (one.deviation_p == other.deviation_p).all()
    assert np.array_equal(twice.blind, once.reconstruction) and once.blind is once.reconstruction
    mask = hole_of_box(sick_head, loose).full_mask(sick_head.shape)
    lesion = sick_head.array != head.array
    changed = twice.reconstruction != sick_head.array
    assert changed[lesion].mean() > 0.97, "the lesion shines through"
    assert 1.2 * lesion.sum() < changed[mask].sum() < 0.8 * mask.sum()
    assert not changed[~(mask | hole_of_box(sick_head, TURNED).full_mask(sick_head.shape))].any()
    assert called.rebuilt_again_ml == pytest.approx(changed[mask].sum() * 0.008, rel=0.02)
    assert f"{called.rebuilt_again_ml:.3g} of its" in called.persona and healthy.persona == ""
    assert "rebuilt all of it" in replace(called, rebuilt_again_ml=0.995 * loose.volume_ml).persona
    # what is kept is right, and so the healthy head is nearer
    errors = [np.abs(a.reconstruction - head.array)[mask].mean() for a in (twice, once)]
    assert errors[0] < 0.7 * errors[1]


def test_the_second_look_sees_neither_what_it_rebuilds_nor_another_box(head, harmonic):
    own, other = (hole_of_box(head, box) for box in (Box(BOX.center, 1.5 * BOX.size), Box([30, 30, 14], [20, 40, 22])))
    doubtful = np.zeros(own.mask.shape, bool)
    doubtful[2:-3, 2:-3, 2:-3] = True
    personas = []
    for array in (head.array, head.array.copy()):
        if personas:
            array[own.region][doubtful] += 500
            array[other.region][other.mask & ~own.mask_over(other.start, other.mask.shape)] *= 3
        whole = prepare(Scan(array, head.affine, "a"), [own, other])
        personas.append(second_look(whole, [other], own, doubtful, harmonic, False))
    first, second = personas
    assert first.hole.voxels == doubtful.sum() and np.array_equal(*(p.values[p.hole.mask] for p in (first, second)))
    assert second_look(whole, [other], own, own.mask, harmonic, False) is None, "nothing is left to see"


def test_a_called_lesion_over_the_midline_is_rebuilt_with_the_mirrored_voxels_that_are_free(head):
    # the lesion lies right of the midplane in a box over it, whose mirrored side is therefore partly hidden
    network, over = load_model("auto"), Box([6, -10, 14], [44, 30, 26], name="over the midline")
    sick = with_dark_blob(head, [17, -10, 14])
    own = hole_of_box(sick, over)
    whole = prepare(sick, [own])
    doubtful = own.mask & (sick.ras_from_ijk(np.argwhere(np.ones(own.mask.shape)) + own.start)[:, 0] > 2).reshape(
        own.mask.shape
    )
    seen = second_look(whole, [], own, doubtful, network, True)
    hidden = second_look(whole, [own], own, doubtful, network, True)
    region = seen.hole.region
    truth, mask = head.array[region], seen.hole.mask
    errors = [np.square((look.values - truth)[mask]).mean() for look in (seen, hidden)]
    assert np.array_equal(seen.hole.mask, hidden.hole.mask) and errors[0] < 0.8 * errors[1], errors
    every = second_look(whole, [], own, own.mask, network, True)
    assert every.hole.voxels == own.voxels, "a box that went without the mirrored side is rebuilt as a whole"


@pytest.mark.parametrize("center", [[-30, 12, 20], [34, -10, 14]])
def test_what_is_told_of_a_lesion_painted_into_a_healthy_box_is_what_an_analysis_says_of_it(
    head, harmonic, center, monkeypatch
):
    painted = []
    monkeypatch.setattr(probing, "paint_lesion", lambda *a, **k: painted.append(paint_lesion(*a, **k)) or painted[-1])
    box = Box(center, [20, 22, 18], name="healthy")
    result = analyze(head, [box], harmonic, controls=24, probe=probing.what_would_be_found).boxes[0]
    labels = []
    for lesion in painted:
        again = analyze(Scan(lesion.values, head.affine, "painted"), [box], harmonic, controls=24)
        labels.append(again.boxes[0].label)
    contrasts = [np.abs(p.values - head.array)[p.lesion].mean() / again.tissue.scale.deviation for p in painted]
    usual = f"of 10 mm and usual contrast ({contrasts[0]:.1f} SD)"
    if labels == [1]:
        assert result.would_be_found == f"Painted into this box, a lesion {usual} would have been called."
    else:
        twice = f"of 10 mm and 2 times the usual contrast ({contrasts[1]:.1f} SD)"
        assert labels[0] != 1 and labels[1] == 1
        assert result.would_be_found == f"Painted into this box, a lesion {twice} would have been called; not one {usual}."


def test_nothing_is_painted_into_a_called_box_or_a_tiny_one_and_that_is_said_of_the_tiny_one(head, sick_head, harmonic):
    probe = {"controls": 10, "prepare": prepared, "probe": probing.what_would_be_found}
    [called] = analyze(sick_head, [BOX], harmonic, **probe).boxes
    [tiny] = analyze(head, [Box(BOX.center, [6, 6, 6], name="tiny")], harmonic, **probe).boxes
    assert (called.label, called.would_be_found) == (1, "")
    assert (tiny.label, tiny.would_be_found) == (0, probing.NOTHING_PAINTED), tiny.reason


def test_a_box_that_is_given_twice_is_one_question(sick_head, harmonic):
    other = Box([-40, -20, 20], [18, 18, 18], name="other")
    again = Box(BOX.center, BOX.size, BOX.axes, name="again")
    first, second = analyze(sick_head, [BOX, other], harmonic, controls=6, prepare=prepared).boxes
    for boxes in ([BOX, other, again], [again, other, BOX]):
        twice = analyze(sick_head, boxes, harmonic, controls=6, prepare=prepared)
        assert [result.p for result in twice.boxes] == [first.p, second.p, first.p]
        assert [result.q for result in twice.boxes] == [first.q, second.q, first.q]
        assert any("cover each other by 100%" in sentence for sentence in twice.warnings)


def test_boxes_that_cover_each_other_are_told_of(head, harmonic):
    same = Box(BOX.center + [1, 0, 0], BOX.size, name="again")
    told = analyze(head, [BOX, same], harmonic, controls=0, prepare=prepared).warnings
    assert any("'again'" in note and "cover each other" in note for note in told)
    assert not any("cover" in note for note in analyze(head, [BOX], harmonic, controls=0, prepare=prepared).warnings)


@pytest.mark.parametrize("order", [1, -1])
def test_a_box_deep_inside_another_is_judged_too(head, harmonic, order):
    """Nothing around the small one may be looked at within its own region."""
    wide, deep = Box([10, 0, 10], [56, 60, 56], name="wide"), Box([10, 0, 10], [8, 8, 8], name="deep")
    results = analyze(head, [wide, deep][::order], harmonic, controls=0, prepare=prepared).boxes
    assert all(result.p is not None and np.isfinite(result.metrics["harmonic_residual"]) for result in results)


@pytest.mark.parametrize(("precision", "computed"), [("fp32", "float32"), ("bf16", "bfloat16")])
def test_the_path_of_an_ordinary_laptop_can_be_run_and_gives_the_same_label(
    sick_head, tmp_path, precision, computed, small_models
):
    write_nifti(tmp_path / "scan.nii.gz", sick_head.array, sick_head.affine)
    words = ["analyze", str(tmp_path / "scan.nii.gz"), "--box", "34,-10,14,24,28,22", "--controls", "4"]
    words += ["--model", "harmonic"]
    assert main([*words, "--precision", precision, "--output", str(tmp_path / "out")]) == 0
    record = json.loads((tmp_path / "out" / "results.json").read_text())
    assert record["provenance"]["lesion_model"]["precision"] == computed
    assert record["boxes"][0]["label"] == 1 and f"--precision {precision}" in record["provenance"]["command"]


def test_a_box_mostly_in_air_gives_no_label(head, harmonic):
    result = analyze(head, [Box([84, 0, 20], [36, 36, 36])], harmonic, controls=2).boxes[0]
    assert result.label is None and "brain" in result.reason


def test_a_box_larger_than_trained_on_works_and_says_so(head):
    result = analyze(head, [Box([0, -8, 14], [110, 110, 84])], load_model("auto"), controls=0).boxes[0]
    assert np.isfinite(result.reconstruction.values).all()
    assert any("larger than any" in note for note in result.warnings)


@pytest.fixture(scope="module")
def written(sick_head, tmp_path_factory):
    """Scan file and output folder of one command."""
    folder = tmp_path_factory.mktemp("an analysis with spaces é")
    write_nifti(folder / "scan.nii.gz", sick_head.array, sick_head.affine)
    output = folder / "out"
    code = main(["analyze", str(folder / "scan.nii.gz"), "--box", "34,-10,14,24,28,22", "--box", "-34,-10,14,24,28,22",
                 "--model", "harmonic", "--controls", "20", "--output", str(output)])  # fmt: skip
    assert code == 0
    return folder / "scan.nii.gz", output


def test_the_command_line_writes_everything(written):
    scan, output = written
    assert {path.name for path in output.iterdir()} == {
        "results.json", "results.csv", "reconstruction.nii.gz", "difference.nii.gz", "deviation_p.nii.gz", "unusual.nii.gz",
        "expected_error.nii.gz", "brain.nii.gz",
        "blind.nii.gz", "controls.mrk.json", "report.html", "report.pdf", "report.png", "scene.mrb",
    }  # fmt: skip
    results = json.loads((output / "results.json").read_text(encoding="utf-8"))
    box = results["boxes"][0]
    for key in (
        "name center_ras size_mm axes voxels metrics n_controls p q percentile probability scores label reason warnings"
    ).split():
        assert key in box
    assert [b["label"] for b in results["boxes"]] == [1, 0]
    assert results["provenance"]["scan_sha256"] and results["provenance"]["command"]
    rows = list(csv.DictReader(open(output / "results.csv", encoding="utf-8")))
    assert float(rows[0]["mse"]) == box["metrics"]["mse"] and len(rows) == 2


def test_the_written_volumes_lie_on_the_scan_and_their_difference_is_the_difference(written):
    scan, output = written
    original, rebuilt, difference = (
        nibabel.load(p) for p in (scan, output / "reconstruction.nii.gz", output / "difference.nii.gz")
    )
    assert np.array_equal(original.affine, rebuilt.affine) and np.array_equal(original.affine, difference.affine)
    assert np.allclose(original.get_fdata() - rebuilt.get_fdata(), difference.get_fdata(), atol=1e-3)


def test_the_map_of_deviations_is_small_in_the_lesion_and_one_outside_the_boxes(written):
    scan, output = written
    p = nibabel.load(output / "deviation_p.nii.gz").get_fdata()
    head = make_scan(nibabel.load(scan).get_fdata(), nibabel.load(scan).affine)
    sick, healthy = (hole_of_box(head, Box([side * 34, -10, 14], [24, 28, 22])).full_mask(head.shape) for side in (1, -1))
    assert (p[~(sick | healthy)] == 1).all() and p.min() > 0
    index = np.stack(np.meshgrid(*map(np.arange, head.shape), indexing="ij"), axis=-1)
    lesion = np.linalg.norm((head.ras_from_ijk(index) - BOX.center) / [9, 10, 8], axis=-1) < 0.8
    assert np.median(p[lesion]) < 0.05 and 0.2 < np.median(p[healthy]) < 0.9


def test_running_again_replaces_the_results_and_keeps_other_files(written):
    scan, output = written
    before = (output / "results.json").read_bytes()
    (output / "notes.txt").write_text("mine")
    main(["analyze", str(scan), "--box", "34,-10,14,24,28,22", "--box", "-34,-10,14,24,28,22", "--model", "harmonic",
          "--controls", "20", "--output", str(output)])  # fmt: skip
    assert (output / "results.json").read_bytes() == before
    assert (output / "notes.txt").read_text() == "mine"
    (output / "notes.txt").unlink()


BAD_ARGUMENTS = {
    "box outside": (["--box", "900,0,0,20,20,20"], "no voxel"),
    "zero size": (["--box", "0,0,0,20,0,20"], "longer than zero"),
    "negative size": (["--box", "0,0,0,20,-5,20"], "longer than zero"),
    "five numbers": (["--box", "0,0,0,20,20"], "six numbers"),
    "words": (["--box", "here"], "six numbers"),
    "NaN": (["--box", "nan,0,0,20,20,20"], "NaN"),
    "air": (["--box", "-86,-100,-80,8,8,8"], "air"),
    "no box": ([], "no box"),
    "unknown device": (["--box", "0,0,0,20,20,20", "--device", "abacus"], "no device"),
    "absent device": (["--box", "0,0,0,20,20,20", "--device", "mps"], "not available"),
    "unknown model": (["--box", "0,0,0,20,20,20", "--model", "magic"], "no model"),
    "unknown decision": (["--box", "0,0,0,20,20,20", "--decision", "mood", "--threshold", "1"], "no decision"),
    "threshold": (["--box", "0,0,0,20,20,20", "--threshold", "7"], "between 0 and 1"),
    "controls": (["--box", "0,0,0,20,20,20", "--controls", "-1"], "0 to 1000"),
    "boxes file": (["--boxes", "missing.mrk.json"], "missing.mrk.json"),
    "unknown option": (["--frobnicate"], "--help"),
}


@pytest.mark.parametrize("kind", BAD_ARGUMENTS)
def test_bad_arguments_give_one_sentence_exit_code_2_and_no_output(written, tmp_path, capfd, kind):
    arguments, said = BAD_ARGUMENTS[kind]
    model = [] if "--model" in arguments else ["--model", "harmonic"]
    code = main(["analyze", str(written[0]), *arguments, *model, "--output", str(tmp_path / "out")])
    error = capfd.readouterr().err
    assert code == 2 and said in error and error.count("\n") == 1 and "Traceback" not in error
    assert list(tmp_path.iterdir()) == []


def test_an_output_that_cannot_be_a_folder_is_refused_before_the_work(written, tmp_path, capfd):
    (tmp_path / "file").write_text("mine")
    for output in (tmp_path / "file", tmp_path / "file" / "below"):
        assert (
            main(["analyze", str(written[0]), "--box", "0,0,0,20,20,20", "--model", "harmonic", "--output", str(output)]) == 2
        )
    assert (tmp_path / "file").read_text() == "mine" and len(list(tmp_path.iterdir())) == 1


def test_a_mask_on_another_grid_is_refused(written, tmp_path, capfd):
    mask = np.zeros((10, 10, 10), np.uint8)
    mask[4:6, 4:6, 4:6] = 1
    write_nifti(tmp_path / "mask.nii.gz", mask, np.eye(4))
    assert (
        main(["inpaint", str(written[0]), "--mask", str(tmp_path / "mask.nii.gz"), "--output", str(tmp_path / "o.nii.gz")]) == 2
    )
    assert "another grid" in capfd.readouterr().err and not (tmp_path / "o.nii.gz").exists()


def test_damaged_weights_are_refused(tmp_path, monkeypatch):
    from RadiomicsPersonaLib.resources import SHIPPED_MODELS

    for path in SHIPPED_MODELS.glob("healthy-t1.*"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    weights = next(tmp_path.glob("*.safetensors"))
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    with pytest.raises(InputError, match="damaged"):
        load_model(str(next(tmp_path.glob("*.json"))))


@pytest.mark.parametrize("model", ["harmonic", "auto"])
def test_inpaint_rebuilds_a_mask_of_any_shape_and_nothing_else(head, tmp_path, model):
    index = np.stack(np.meshgrid(*map(np.arange, head.shape), indexing="ij"), axis=-1)
    world = head.ras_from_ijk(index)
    mask = np.zeros(head.shape, bool)
    for center in ([30, 0, 20], [-28, -30, 10]):
        mask |= np.linalg.norm((world - center) / [9, 14, 8], axis=-1) < 1
    write_nifti(tmp_path / "voided.nii.gz", np.where(mask, 0, head.array), head.affine)
    write_nifti(tmp_path / "mask.nii.gz", mask.astype(np.uint8), head.affine)
    code = main(["inpaint", str(tmp_path / "voided.nii.gz"), "--mask", str(tmp_path / "mask.nii.gz"), "--model", model,
                 "--output", str(tmp_path / "out.nii.gz")])  # fmt: skip
    rebuilt = nibabel.load(tmp_path / "out.nii.gz").get_fdata()
    assert code == 0 and np.array_equal(rebuilt[~mask], head.array[~mask])
    error = np.mean((rebuilt - head.array)[mask] ** 2)
    assert np.sqrt(error) < 0.1 * head.array[mask].mean()


def test_inpaint_with_a_second_look_keeps_what_is_healthy_in_a_loose_mask(head, sick_head, tmp_path, capsys):
    mask = hole_of_box(head, Box(BOX.center + [3, -4, 2], 1.7 * BOX.size)).full_mask(head.shape)
    write_nifti(tmp_path / "sick.nii.gz", sick_head.array, head.affine)
    write_nifti(tmp_path / "mask.nii.gz", mask.astype(np.uint8), head.affine)
    rebuilt = []
    for look in ([], ["--second-look"]):
        words = [str(tmp_path / "sick.nii.gz"), "--mask", str(tmp_path / "mask.nii.gz"), "--model", "harmonic", *look]
        assert main(["inpaint", *words, "--output", str(tmp_path / "out.nii.gz")]) == 0
        rebuilt.append(nibabel.load(tmp_path / "out.nii.gz").get_fdata())
    assert "ml deviate and were rebuilt; the rest of the mask was kept." in capsys.readouterr().out
    blind, looked = rebuilt
    kept = mask & (looked == sick_head.array)
    assert 0.2 * mask.sum() < kept.sum() and not kept[sick_head.array != head.array].any(), "the lesion shines through"
    errors = [np.abs(values - head.array)[mask].mean() for values in (looked, blind)]
    assert errors[0] < 0.8 * errors[1]


def test_importing_the_core_does_not_import_torch():
    import subprocess
    import sys

    code = "import sys; import RadiomicsPersonaLib.analysis.analysis, RadiomicsPersonaLib.cli; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(("voxel", "grid"), [(1.0, 1.0), (2.0, 1.25), ((1.0, 1.0, 5.0), 1.0)])
def test_a_box_is_rebuilt_on_a_grid_that_suits_the_scan(voxel, grid):
    """A coarse scan is not blown up to voxels that hold nothing new; thick slices alone do not make it coarse."""
    head = make_head(1.0)
    step = np.broadcast_to(voxel, 3).astype(int)
    affine = head.affine @ np.diag([*np.broadcast_to(voxel, 3), 1.0])
    scan = make_scan(head.array[:: step[0], :: step[1], :: step[2]], affine)
    box = Box([34, -10, 14], [20, 20, 20])
    result = analyze(scan, [box], load_model("auto"), controls=0).boxes[0].reconstruction
    assert abs(result.spacing - grid) < 0.01 and not any("grid" in note for note in result.warnings)
