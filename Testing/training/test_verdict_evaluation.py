"""What the verdict is worth: the evaluation finds what is there, counts subjects, resumes, and fits nothing."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from bench.phantom import make_head

from RadiomicsPersonaLib.analysis.classifier import load_classifier, make_classifier
from RadiomicsPersonaLib.analysis.error_rates import read_error_rates
from RadiomicsPersonaLib.imaging.files import write_nifti
from RadiomicsPersonaTrainingLib.cli import main
from RadiomicsPersonaTrainingLib.verdict.evaluation import KnownCase, MeasuredBox
from RadiomicsPersonaTrainingLib.verdict.figures import figures_of, share_of
from RadiomicsPersonaTrainingLib.verdict.page import roc_points
from RadiomicsPersonaTrainingLib.verdict.scores import COMBINED, ScoredBox, ScoredCase, auroc

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("small_models")]

CENTER, RADIUS = np.array([34.0, -10, 14]), 11.0


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A data folder with one patient, whose lesion is plain in FLAIR and hardly there in T1, and one healthy person."""
    folder = tmp_path_factory.mktemp("data")
    patient, healthy = folder / "lesion" / "ms" / "patient1", folder / "healthy" / "ixi_2mm_eval_only"
    patient.mkdir(parents=True)
    healthy.mkdir(parents=True)
    head = make_head(4.0)
    index = np.stack(np.meshgrid(*map(np.arange, head.shape), indexing="ij"), axis=-1)
    lesion = np.linalg.norm(head.ras_from_ijk(index) - CENTER, axis=-1) < RADIUS
    write_nifti(patient / "patient1_mask.nii.gz", lesion.astype(np.uint8), head.affine)
    write_nifti(patient / "patient1_T1.nii.gz", np.where(lesion, 0.99 * head.array, head.array), head.affine)
    write_nifti(patient / "patient1_FLAIR.nii.gz", np.where(lesion, 1.6 * head.array, head.array), head.affine)
    other = make_head(4.0, seed=5)
    write_nifti(healthy / "IXI1.nii.gz", other.array, other.affine)
    return folder


@pytest.fixture(scope="module")
def evaluated(root, tmp_path_factory):
    """Output folder of the command, and its words."""
    output = tmp_path_factory.mktemp("evaluation")
    words = ["evaluate-verdict", str(root), "--model", "harmonic", "--output", str(output)]
    assert main(words) == 0
    return output, words


def test_a_plain_lesion_is_told_from_healthy_boxes_and_a_faint_one_is_not(evaluated):
    record = json.loads((evaluated[0] / "evaluation.json").read_text())
    assert record["auroc"]["MS FLAIR"][COMBINED]["value"] > 0.95
    assert record["auroc"]["MS FLAIR"]["|z| of mean intensity"]["value"] > 0.5
    assert record["auroc"]["MS T1"][COMBINED]["value"] < record["auroc"]["MS FLAIR"][COMBINED]["value"]
    kinds = [name for name in record["boxes"] if name.startswith("MS FLAIR")]
    assert kinds == [f"MS FLAIR, {kind}" for kind in ("tight", "1.25 times", "1.5 times", "twice", "a third off", "half off")]
    assert record["healthy"]["IXI"]["people"] == 1 and record["healthy"]["IXI"]["boxes"] >= 6
    assert record["healthy"]["lesion-free side of patients"]["boxes"] == 2
    assert set(record["stability"]) == {
        f"{change}, {who}"
        for change in ("left and right exchanged", "grid shifted by half a voxel")
        for who in ("lesions", "healthy people")
    }


def test_every_box_is_counted_in_its_class(evaluated):
    """Of the patient's two contrasts, and of the healthy person in T1."""
    record = json.loads((evaluated[0] / "evaluation.json").read_text())
    classifier, classes = read_error_rates(evaluated[0] / "error-rates.json")
    assert classifier == load_classifier().sha256
    counted = {kind: sum(getattr(c, kind)[1] for c in classes) for kind in ("healthy", "tight", "loose")}
    people, sides = (record["healthy"][name]["boxes"] for name in ("IXI", "lesion-free side of patients"))
    assert counted == {"healthy": people + sides, "tight": 2, "loose": 2 * 5}
    assert sum(c.tight[1] for c in classes if c.contrast == "other") == 1
    assert "Called, by class of box" in (evaluated[0] / "report.html").read_text()


def test_the_report_holds_every_naive_score_with_curves_and_the_notice(evaluated):
    page = (evaluated[0] / "report.html").read_text()
    for name in ("|z| of mean intensity", "SD in the box", "mirror difference", "residual of rim mean", "residual of harmonic"):
        assert page.count(name) >= 2, name
    assert page.count("<polyline") >= 2 * 7 and "Reliability" in page and "Research use only" in page
    for axis in ("share of control regions called", "share of lesions found", "probability given", "share of lesions"):
        assert f">{axis}</text>" in page
    assert not re.search(r"(https?:)?//|<script", page)


def test_a_run_that_was_cut_off_goes_on_without_measuring_again(evaluated):
    output, words = evaluated
    journal = output / "cases.jsonl"
    lines = journal.read_text().splitlines()
    table = (output / "evaluation.md").read_text()
    marked = lines[1].replace('"milliliters": ', '"milliliters": 9')
    journal.write_text("\n".join([lines[0], marked, *lines[2:-1]]) + "\n" + lines[-1][:20])
    assert main(words) == 0
    again = journal.read_text().splitlines()
    assert again[1] == marked and json.loads(again[-1]) == json.loads(lines[-1])
    # the mark moves one lesion to another row of sizes, and nothing else
    differing = set(table.splitlines()) ^ set((output / "evaluation.md").read_text().splitlines())
    assert all("ml" in line for line in differing)
    journal.write_text("\n".join(lines) + "\n")


def test_another_classifier_needs_no_new_measurement(evaluated, root, tmp_path):
    from RadiomicsPersonaLib.analysis.classifier import written

    output, words = evaluated
    before = (output / "cases.jsonl").read_text()
    backwards = make_classifier("backwards", ("mean_shift",), (-3.0,), 0.0, {})
    (tmp_path / "own.json").write_text(written(backwards))
    assert main([*words, "--classifier", str(tmp_path / "own.json")]) == 0
    record = json.loads((output / "evaluation.json").read_text())
    assert record["auroc"]["MS FLAIR"][COMBINED]["value"] < 0.1
    assert (output / "cases.jsonl").read_text() == before


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--seed", "1"], "another run"),
        (["--groups", "MARS"], "no group"),
        (["--groups", "IXI"], "patients"),
        (["--subjects", "0"], "--subjects"),
        (["--seed", "-1"], "seed"),
    ],
)
def test_bad_input_gets_one_sentence(evaluated, more, said, capfd):
    assert main([*evaluated[1], *more]) == 2
    error = capfd.readouterr().err
    assert said in error and error.strip().count("\n") == 0


def scored_case(subject: str, sick: float, healthy: list[float]) -> ScoredCase:
    measured = MeasuredBox({}, [], 1.0, None)
    case = KnownCase("MS T1", subject, "tight", 0, 1.0, "white", measured, {}, [], [], {})
    boxes = [ScoredBox(True, {COMBINED: sick}, 0.5), *(ScoredBox(False, {COMBINED: value}, 0.5) for value in healthy)]
    return ScoredCase(case, tuple(boxes))


def test_the_auroc_is_scikit_learns_over_all_boxes_and_its_interval_is_over_subjects():
    from sklearn.metrics import roc_auc_score

    rng = np.random.default_rng(0)
    cases = [scored_case(f"s{n}", rng.normal() + 1, list(np.round(rng.normal(size=rng.integers(3, 9)), 1))) for n in range(12)]
    boxes = [box for case in cases for box in case.boxes]
    expected = roc_auc_score([b.sick for b in boxes], [b.scores[COMBINED] for b in boxes])
    found = auroc(cases, lambda box: box.scores[COMBINED])
    assert found.value == pytest.approx(expected) and found.low < found.value < found.high
    # the same subjects ten times over tell no more
    again = auroc(cases * 10, lambda box: box.scores[COMBINED])
    assert again.value == pytest.approx(expected) and again.high - again.low == pytest.approx(found.high - found.low)
    assert np.isnan(auroc(cases[:1], lambda box: box.scores[COMBINED]).low)


def test_a_score_that_is_not_known_is_worth_a_coin():
    cases = [scored_case("a", float("nan"), [1.0, 2.0, 3.0]), scored_case("b", float("nan"), [1.0, 2.0, 3.0])]
    assert auroc(cases, lambda box: box.scores[COMBINED]).value == 0.5


def test_roc_curves_pass_through_the_right_corners():
    points = roc_points([3.0, 2.0, 2.0, 1.0], [True, True, False, False])
    assert points == [(0.0, 0.0), (0.0, 0.5), (0.5, 1.0), (1.0, 1.0)]


def test_shares_count_rows_and_their_intervals_count_subjects():
    found = share_of([("a", True), ("a", True), ("b", False), ("c", False)])
    assert found.value == 0.5 and found.low == 0.0 and found.high == 1.0


def test_the_lesion_has_no_say_in_what_is_said_of_the_healthy_boxes(evaluated):
    from RadiomicsPersonaTrainingLib.runs.journal import Journal
    from RadiomicsPersonaTrainingLib.verdict.evaluation import known_case
    from RadiomicsPersonaTrainingLib.verdict.scores import scored

    head = json.loads((evaluated[0] / "cases.jsonl").read_text().splitlines()[0])["run"]
    records = Journal(evaluated[0] / "cases.jsonl", head).records
    case = next(known_case(found[0]) for key, found in records.items() if key.startswith("MS FLAIR"))
    wild = MeasuredBox({key: 1e3 for key in case.measured.metrics}, case.measured.controls, 1.0, None)
    classifier = load_classifier()
    first, second = (scored(KnownCase(**vars(case) | {"measured": m}), classifier) for m in (case.measured, wild))
    assert repr(first.boxes[1:]) == repr(second.boxes[1:])
    assert first.boxes[0].scores[COMBINED] != second.boxes[0].scores[COMBINED]
    figures, _ = figures_of([case], classifier)
    assert len(figures.tables) == 7
