"""The evaluation: the challenge's scores, where holes come from, what a run writes, and what the report says."""

import base64
import csv
import io
import json
import re
from dataclasses import replace
from functools import partial
from html import escape

import numpy as np
import pytest
from bench.phantom import make_head
from PIL import Image
from scipy import ndimage

from RadiomicsPersonaLib.brain.preparation import prepare
from RadiomicsPersonaLib.brain.tissue import estimate_tissue
from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.geometry.hole import hole_of_mask
from RadiomicsPersonaLib.imaging.files import write_nifti
from RadiomicsPersonaLib.imaging.scan import make_scan
from RadiomicsPersonaLib.metrics.challenge import challenge_limits, challenge_metrics
from RadiomicsPersonaLib.reconstruction.reconstruction import Reconstruction, rebuild
from RadiomicsPersonaLib.reconstruction.reconstruction_model import load_model
from RadiomicsPersonaTrainingLib.data.held_out import held_out_files
from RadiomicsPersonaTrainingLib.evaluation.holes import CUBOIDS, LESIONS, draw_hole
from RadiomicsPersonaTrainingLib.evaluation.rebuilding import (
    FILLS,
    NETWORK,
    EvaluationPlan,
    cases_of,
    evaluate,
    standard_rebuilders,
)
from RadiomicsPersonaTrainingLib.evaluation.report import write_report
from RadiomicsPersonaTrainingLib.evaluation.scores import REBUILDING_METRICS, HoleScore
from RadiomicsPersonaTrainingLib.evaluation.summary import ALL_CUBOIDS, contrast_lines, summarize

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("small_models")]

STRATUM = "24-40 mm"


def picture(seed, shape=(24, 26, 20)):
    return 100 + 400 * ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=shape), 1.2)


def masked(*slices, shape=(24, 26, 20)):
    mask = np.zeros(shape, bool)
    mask[slices] = True
    return mask


INSIDE = masked(slice(6, 15), slice(8, 20), slice(5, 14))
AT_THE_BORDER = masked(slice(0, 9), slice(14, 26), slice(0, 20))


# the right column comes from the challenge's package (challenge_metrics_2023) with torchmetrics 1.1.2
@pytest.mark.parametrize(
    "mask, published",
    [
        (INSIDE, {"ssim": 0.798293, "mse": 0.0181297, "psnr": 17.090757, "psnr_01": 17.416088}),
        (AT_THE_BORDER, {"ssim": 0.694117, "mse": 0.0210309, "psnr": 16.771428, "psnr_01": 16.771427}),
    ],
    ids=["inside", "at the border"],
)
def test_the_challenge_scores_are_those_of_the_challenge_s_own_program(mask, published):
    truth = picture(0)
    prediction = np.where(mask, 0.5 * truth + 0.5 * picture(1), truth)
    found = challenge_metrics(prediction, truth, mask, challenge_limits(np.where(mask, 0, truth)))
    assert {key: found[key] for key in published} == pytest.approx(published, rel=2e-5)


@pytest.mark.parametrize("mask", [INSIDE, AT_THE_BORDER], ids=["inside", "at the border"])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_the_challenge_scores_of_the_region_are_those_of_the_whole_scan(mask, axis):
    truth, prediction = picture(0), picture(1)
    limits = challenge_limits(np.where(mask, 0, truth))
    around = tuple(slice(max(s.start - 5, 0), s.stop + 5) for s in ndimage.find_objects(mask.astype(int))[0])
    whole = challenge_metrics(prediction, truth, mask, limits, axis)
    part = challenge_metrics(prediction[around], truth[around], mask[around], limits, axis)
    assert part == pytest.approx(whole, rel=1e-9)


def test_the_challenge_slices_the_scan_sagittally_whatever_its_array_order():
    truth, prediction = picture(0), picture(1)
    limits = challenge_limits(np.where(INSIDE, 0, truth))
    expected = challenge_metrics(prediction, truth, INSIDE, limits)
    turned = challenge_metrics(prediction.T, truth.T, INSIDE.T, limits, sagittal_axis=2)
    assert turned == pytest.approx(expected)
    assert challenge_metrics(prediction, truth, INSIDE, limits, 1)["ssim"] != pytest.approx(expected["ssim"])


def test_the_challenge_scores_see_nothing_outside_the_mask_and_a_perfect_rebuild_is_perfect():
    truth = picture(0)
    limits = challenge_limits(np.where(INSIDE, 0, truth))
    perfect = challenge_metrics(np.where(INSIDE, truth, -1e6), truth, INSIDE, limits)
    assert perfect["ssim"] == pytest.approx(1) and perfect["mse"] == 0
    assert np.isfinite([perfect["psnr"], perfect["psnr_01"]]).all(), "a perfect rebuild made the table infinite"


@pytest.fixture(scope="module")
def head():
    return make_head(spacing=3.0)


@pytest.fixture(scope="module")
def tissue(head):
    return estimate_tissue(head)


@pytest.fixture(scope="module")
def shapes(tmp_path_factory):
    """Two lesion shapes of 1 mm: an L with a far speck that is not to be used, and one that is too small to be used."""
    folder = tmp_path_factory.mktemp("shapes")
    lesion = np.zeros((60, 60, 60), np.uint8)
    lesion[10:50, 20:32, 20:32] = lesion[10:22, 20:50, 20:32] = 1
    lesion[54:59, 54:59, 54:59] = 1
    speck = np.zeros((20, 20, 20), np.uint8)
    speck[8:12, 8:12, 8:12] = 1
    for name, mask in (("lesion", lesion), ("speck", speck)):
        write_nifti(folder / f"{name}.nii.gz", mask, np.eye(4))
    return folder / "lesion.nii.gz", folder / "speck.nii.gz"


LESION_ML = (40 * 12 * 12 + 12 * 18 * 12) / 1000


@pytest.mark.parametrize("stratum", [*CUBOIDS, LESIONS])
def test_every_hole_lies_in_the_brain_and_comes_again_from_the_same_seed(head, tissue, shapes, stratum):
    for number in range(4):
        hole = draw_hole(head, tissue, stratum, number, 7, shapes)
        points = head.ras_from_ijk(np.argwhere(hole.mask) + hole.start)
        assert (tissue.classes_at(points) > 0).mean() > 0.7
        again = draw_hole(head, tissue, stratum, number, 7, shapes)
        np.testing.assert_array_equal(again.full_mask(head.shape), hole.full_mask(head.shape))
        other = draw_hole(head, tissue, stratum, number + 1, 7, shapes)
        assert not np.array_equal(other.full_mask(head.shape), hole.full_mask(head.shape))


@pytest.mark.parametrize("stratum, sides", CUBOIDS.items())
def test_cuboids_have_the_sides_of_their_stratum_and_every_second_one_is_turned(head, tissue, stratum, sides):
    for number in range(6):
        hole = draw_hole(head, tissue, stratum, number, 0)
        hull = hole_of_mask(hole.full_mask(head.shape)).mask
        straight = hull.all()
        assert straight == (number % 2 == 0)
        if straight:
            lengths = np.array(hull.shape) * head.spacing
            assert (lengths >= sides[0] - 3).all() and (lengths <= sides[1] + 3).all()
        assert sides[0] ** 3 * 0.8 < hole.voxels * 27 < sides[1] ** 3 * 1.2


def test_lesion_shapes_keep_their_volume_on_a_grid_of_thick_slices_and_come_in_many_poses(shapes):
    scan = make_head(affine=np.array([[0, 0, 4.0, 0], [2.0, 0, 0, 0], [0, -2.5, 0, 0], [0, 0, 0, 1]]))
    tissue = estimate_tissue(scan)
    holes = [draw_hole(scan, tissue, LESIONS, number, 0, shapes) for number in range(4)]
    for hole in holes:
        assert hole.voxels * 4 * 2 * 2.5 / 1000 == pytest.approx(LESION_ML, rel=0.08)
        assert ndimage.label(hole.mask, np.ones((3, 3, 3)))[1] == 1, "a speck far from the lesion came along"
        assert 0.08 < hole.mask.mean() < 0.9, "the hull is not that of a turned L"
    assert len({hole.mask.shape for hole in holes}) == 4


def truth_teller(prepared, holes):
    """A rebuilder that looks, to see that looking would be found out as perfect."""
    regions = [hole.grown(prepared.scan.shape, 8) for hole in holes]
    return [Reconstruction(r, prepared.scan.array[r.region].astype(float), 1.0) for r in regions]


@pytest.fixture(scope="module")
def plan(head, shapes, tmp_path_factory):
    folder = tmp_path_factory.mktemp("scans")
    files = []
    for number in range(2):
        scan = head if number == 0 else make_head(spacing=3.0, seed=1)
        files.append(folder / f"person-{number}.nii.gz")
        write_nifti(files[-1], scan.array, scan.affine)
    stand_in = partial(rebuild, model=load_model("harmonic"))
    rebuilders = standard_rebuilders(None) | {NETWORK: stand_in, "truth": truth_teller}
    identity = {"name": "stand-in", "sha256": "abc123"}
    return EvaluationPlan(rebuilders, tuple(held_out_files("phantoms", files)), shapes, 2, 3, identity)


@pytest.fixture(scope="module")
def run(plan, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    steps = []
    scores = evaluate(plan, folder, lambda *step: steps.append(step))
    return folder, scores, steps


def mean_of(scores, rebuilder, key):
    return np.mean([row.metrics[key] for row in scores if row.rebuilder == rebuilder])


def test_the_preparation_of_a_case_never_saw_what_is_in_the_hole(plan):
    ((_, _, case),) = cases_of(plan, plan.scans[0], [(STRATUM, 1)])
    scan, hole = case.prepared.scan, case.hole
    spoiled = scan.array.copy()
    spoiled[hole.region][hole.mask] = 1e4
    blind = prepare(make_scan(spoiled, scan.affine), [hole])
    assert case.prepared.tissue.scale == blind.tissue.scale
    np.testing.assert_array_equal(case.prepared.midplane.normal, blind.midplane.normal)
    assert estimate_tissue(scan).scale != blind.tissue.scale, "the check would pass for a preparation that looked"


def test_a_rebuilder_that_tells_the_truth_scores_perfectly_and_a_flat_fill_scores_worst(run):
    _, scores, _ = run
    assert mean_of(scores, "truth", "mse") == 0
    assert mean_of(scores, "truth", "ssim") == pytest.approx(1, abs=1e-5)
    assert mean_of(scores, "truth", "official_ssim") == pytest.approx(1, abs=1e-5)
    assert mean_of(scores, "truth", "gradient_error") == 0
    assert mean_of(scores, "harmonic", "mse") < mean_of(scores, "rim mean", "mse")
    assert mean_of(scores, "mirrored side", "mse") < mean_of(scores, "rim mean", "mse")
    assert mean_of(scores, NETWORK, "mse") == mean_of(scores, "harmonic", "mse")


def test_every_rebuilder_is_scored_on_every_hole_and_progress_reaches_the_end(plan, run):
    folder, scores, steps = run
    holes = {row.hole for row in scores}
    assert len(holes) == 2 * 4 * 2 and len(scores) == len(holes) * len(plan.rebuilders)
    assert [done for done, _, _ in steps] == sorted(done for done, _, _ in steps)
    assert steps[-1][:2] == (16, 16)
    with open(folder / "rows.csv", encoding="utf-8", newline="") as stream:
        assert len(list(csv.DictReader(stream))) == len(scores)


def test_a_run_that_was_cut_off_goes_on_with_the_missing_holes_only_and_ends_with_the_same_numbers(plan, run, tmp_path):
    folder, scores, _ = run
    (tmp_path / "run.json").write_bytes((folder / "run.json").read_bytes())
    text = (folder / "rows.csv").read_text(encoding="utf-8")
    # cut in the middle of a line of the last hole but one
    lines = text.splitlines(keepends=True)
    kept = len(lines) - len(plan.rebuilders) - 2
    (tmp_path / "rows.csv").write_text("".join(lines[:kept]) + lines[kept][:25], encoding="utf-8")
    asked = []

    def watching(prepared, holes):
        asked.append(holes)
        return truth_teller(prepared, holes)

    again = evaluate(replace(plan, rebuilders=plan.rebuilders | {"truth": watching}), tmp_path)
    assert len(asked) == 2
    assert [replace(row, seconds=0) for row in again] == [replace(row, seconds=0) for row in scores]


def test_a_folder_with_another_model_s_rows_is_refused(plan, run):
    folder, _, _ = run
    with pytest.raises(InputError, match="another output folder"):
        evaluate(replace(plan, identity={"name": "stand-in", "sha256": "other"}), folder)


def test_two_subjects_of_one_name_are_refused_because_their_rows_could_not_be_told_apart(plan, tmp_path):
    twice = replace(plan, scans=plan.scans[:1] * 2)
    with pytest.raises(InputError, match="person-0"):
        evaluate(twice, tmp_path)


def scores_of(errors, group="A"):
    """Scores with a given MSE: errors[rebuilder][subject] is a list, one MSE per hole."""
    return [
        HoleScore(group, subject, STRATUM, number, name, 1.0, 0.1, dict.fromkeys(REBUILDING_METRICS, mse))
        for name, subjects in errors.items()
        for subject, holes in subjects.items()
        for number, mse in enumerate(holes)
    ]


def fills_at(value, subjects):
    return {name: {s: [value] for s in subjects} for name in FILLS}


def test_a_subject_with_many_holes_counts_as_much_as_one_with_a_single_hole():
    errors = fills_at(1.0, "pqr") | {NETWORK: {"p": [0.9, 0.9, 0.9, 0.9], "q": [0.1], "r": [0.2]}}
    (cell, pooled) = summarize(scores_of(errors))
    estimate = cell.estimates[NETWORK]["mse"]
    assert estimate.value == pytest.approx((0.9 + 0.1 + 0.2) / 3)
    assert 0.1 <= estimate.low < estimate.value < estimate.high <= 0.9
    assert pooled.stratum == ALL_CUBOIDS and pooled.estimates[NETWORK]["mse"] == estimate


def test_the_headline_is_the_ratio_to_the_best_of_the_fills():
    subjects = "pqrs"
    errors = fills_at(2.0, subjects)
    errors |= {name: {s: [mse] for s in subjects} for name, mse in (("biharmonic", 0.8), (NETWORK, 0.4))}
    (line,) = summarize(scores_of(errors))[0].headlines
    assert line.best_fill == "biharmonic"
    assert line.ratio.value == pytest.approx(0.5) and line.ratio.low == pytest.approx(line.ratio.high)
    assert line.reached
    (worse,) = summarize(scores_of(errors | {NETWORK: {s: [0.41] for s in subjects}}))[0].headlines
    assert not worse.reached


def test_the_interval_covers_the_true_mean_in_about_95_of_100_studies():
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(100):
        drawn = dict(zip(map(str, range(40)), rng.normal(1.0, 0.3, size=(40, 1)).tolist()))
        cell = summarize(scores_of(fills_at(1.0, drawn) | {NETWORK: drawn}), draws=400)[0]
        covered += cell.estimates[NETWORK]["mse"].low <= 1.0 <= cell.estimates[NETWORK]["mse"].high
    assert 86 <= covered <= 99


def test_a_single_subject_has_no_interval():
    (cell, _) = summarize(scores_of(fills_at(1.0, "p") | {NETWORK: {"p": [0.5]}}))
    assert np.isnan(cell.estimates[NETWORK]["mse"].low)


def strict_json(path):
    return json.loads(path.read_text(encoding="utf-8"), parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))


@pytest.fixture(scope="module")
def report(plan, run):
    folder, scores, _ = run
    files = write_report(plan, scores, folder)
    assert [file.name for file in files] == ["report.html", "evaluation.json", "evaluation.md"]
    return [file.read_text(encoding="utf-8") for file in files]


def test_the_report_names_its_origin(report):
    page, _, tables = report
    for text in (page, tables):
        for expected in ("abc123", "person-0, person-1", "3; 2 holes per subject and kind", "Research use only", "2 masks"):
            assert expected in text
    assert "ratio to the best fill (95 % interval)" in tables


def test_the_record_holds_the_figures_of_every_kind_of_hole_with_intervals(run, report):
    folder, scores, _ = run
    record = strict_json(folder / "evaluation.json")
    assert record["subjects"] == {"phantoms": ["person-0", "person-1"]}
    kinds = {*CUBOIDS, ALL_CUBOIDS, LESIONS}
    assert {cell["stratum"] for cell in record["cells"]} == set(record["figures"]["phantoms"]) == kinds
    figure = record["figures"]["phantoms"][LESIONS]
    lesions = next(cell for cell in summarize(scores, 3) if cell.stratum == LESIONS)
    ratio = lesions.headlines[0].ratio
    assert figure["ratio_to_best_fill"] == pytest.approx({"value": ratio.value, "low": ratio.low, "high": ratio.high}, abs=1e-4)
    assert figure["official_ssim"]["low"] <= figure["official_ssim"]["value"] <= figure["official_ssim"]["high"]


def test_the_page_needs_nothing_but_itself(report):
    page = report[0]
    assert not re.search(r"(src|href)\s*=\s*['\"](?!data:image/)|url\(|@import|<script|<link", page)
    assert page.count("<svg") == 2 and page.count("</svg>") == 2
    for axis in ("squared error (squared tissue SD)", "squared error as a share of the best simple fill's"):
        assert f">{escape(axis)}</text>" in page


def test_the_page_shows_typical_and_worst_holes_as_hole_rebuilt_truth_and_difference(plan, run, report):
    _, scores, _ = run
    pictures = re.findall(r"<img src='data:image/jpeg;base64,([^']+)' alt='([^']+)'", report[0])
    assert len(pictures) == 4 * 2
    judged = [row for row in scores if row.rebuilder == NETWORK and row.stratum == STRATUM]
    worst = max(judged, key=lambda row: row.metrics["mse"])
    words = f"{STRATUM}, worst: {worst.subject}, hole {worst.number + 1}, "
    (image,) = [image for image, alt in pictures if alt.startswith(words) and f"MSE {worst.metrics['mse']:.3f}" in alt]
    pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(image)))).astype(int)
    side = pixels.shape[0]
    voided, rebuilt, truth, difference = (pixels[:, n * (side + 8) : n * (side + 8) + side] for n in range(4))
    inside, border = (slice(100, 120), slice(100, 120)), (slice(0, 15), slice(0, 15))
    assert (voided[inside] < 10).all(), "the hole is not in the middle of the voided picture"
    assert np.abs(rebuilt - truth)[inside].mean() > 1 > np.abs(rebuilt - truth)[border].mean()
    np.testing.assert_allclose(voided[border], truth[border], atol=4)
    assert np.ptp(difference[inside], axis=-1).max() > 20 > np.ptp(difference[border], axis=-1).max()


def test_a_network_s_ratio_in_another_contrast_is_held_against_its_ratio_in_t1_hole_by_hole():
    plain = scores_of(fills_at(2.0, "pq") | {NETWORK: {"p": [0.8], "q": [1.2]}}, "MS T1")
    other = scores_of(fills_at(4.0, "pq") | {NETWORK: {"p": [2.0], "q": [3.0]}}, "MS T1 post")
    alone = scores_of(fills_at(4.0, "r") | {NETWORK: {"r": [40.0]}}, "MS T1 post")
    single = scores_of(fills_at(1.0, "pq") | {NETWORK: {"p": [1.0], "q": [1.0]}}, "IXI")
    (line,) = contrast_lines(single + plain + other + alone)
    assert (line.source, line.contrast, line.stratum, line.subjects) == ("MS", "T1 post", ALL_CUBOIDS, 2)
    assert line.ratio.value == pytest.approx(2.5 / 4) and line.over_t1.value == pytest.approx((2.5 / 4) / (1.0 / 2))
    # with the same subjects drawn in both contrasts, what makes a subject difficult cancels out
    assert line.over_t1.low == pytest.approx(line.over_t1.value) == pytest.approx(line.over_t1.high)
    assert not line.reached


def test_the_report_on_a_single_subject_gives_no_intervals_and_stays_valid_json(plan, run, tmp_path):
    _, scores, _ = run
    few = [row for row in scores if row.subject == "person-0" and row.stratum == "16-24 mm" and row.number == 0]
    write_report(plan, few, tmp_path)
    page = (tmp_path / "evaluation.md").read_text(encoding="utf-8")
    assert " to " not in page.split("## phantoms")[1].split("## Where")[0]
    record = strict_json(tmp_path / "evaluation.json")
    assert record["cells"][0]["estimates"]["harmonic"]["mse"]["low"] is None


@pytest.mark.usefixtures("shipped_models")
def test_on_a_real_head_the_smooth_fills_beat_the_rim_mean(data_root, tmp_path):
    scans = tuple(held_out_files("ds002748", sorted((data_root / "healthy" / "ds002748").glob("*.nii.gz"))[:1]))
    masks = tuple(sorted((data_root / "lesion_masks" / "stroke").glob("*.nii.gz"))[:5])
    scores = evaluate(EvaluationPlan(standard_rebuilders(None), scans, masks, 1), tmp_path)
    assert len(scores) == 4 * 4
    flat, harmonic, biharmonic = (mean_of(scores, name, "mse") for name in ("rim mean", "harmonic", "biharmonic"))
    assert biharmonic < harmonic < flat
