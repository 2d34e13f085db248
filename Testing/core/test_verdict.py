"""The verdict: what p, probability and label mean, when there is no label, and that classifier files can be trusted."""

from __future__ import annotations

import json

import numpy as np
import pytest

from RadiomicsPersonaLib.analysis.classifier import make_classifier, read_classifier, written
from RadiomicsPersonaLib.analysis.score import SCORES, Norm, false_discovery_rates, rank_p, standard_scores
from RadiomicsPersonaLib.analysis.verdict import Decision, judge, weigh
from RadiomicsPersonaLib.cli import main
from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.report.results_files import probability_bound

NORMS = {"deviation": Norm(intercept=-1.0, slope=0.2, spread=0.2, between=0.2, dof=4.0)}


@pytest.fixture(scope="module")
def classifier():
    return make_classifier("test", ("deviation", "mean_shift"), (2.0, 1.0), -3.0, {})


@pytest.fixture(scope="module")
def whole_classifier():
    return make_classifier("whole", ("deviation", "mean_shift"), (2.0, 1.0), -3.0, {"subjects": ["s1"]}, NORMS, 1.2)


def spread_controls(count: int, seed: int = 0) -> list[dict[str, float]]:
    rng = np.random.default_rng(seed)
    return [
        {"deviation": d, "mean_shift": s} for d, s in zip(np.exp(0.2 * rng.normal(size=count)), 0.3 * rng.normal(size=count))
    ]


def verdict_on(metrics, controls, classifier, decision=None, brain_share=1.0, unlike_known=None):
    evidence = weigh(metrics, controls, classifier, 8.0)
    return evidence, judge(metrics, evidence, decision or Decision(), brain_share, unlike_known)


@pytest.mark.parametrize(
    ("score", "controls", "label", "p"),
    [(3.0, 19, 1, 1 / 20), (3.0, 18, None, 1 / 19), (0.5, 32, 0, 33 / 33), (1.0, 39, 0, 40 / 40)],
)
def test_p_is_the_rank_among_the_controls_ties_counting_against_the_box(classifier, score, controls, label, p):
    evidence, verdict = verdict_on({"deviation": score}, [{"deviation": 1.0}] * controls, classifier)
    assert verdict.label == label and evidence.p == pytest.approx(p)


def test_p_of_boxes_like_their_controls_is_uniform_however_many_dependent_scores_are_combined(classifier):
    """A combination that treats the box otherwise than its controls, or forgets that it looks at several scores, fails here."""
    rng = np.random.default_rng(3)
    ps = []
    for _ in range(1500):
        shared = rng.standard_t(3, size=20)  # heavy tails, and the two scores depend on each other
        boxes = [{"deviation": float(np.exp(a)), "mean_shift": float(a + b)} for a, b in zip(shared, rng.normal(size=20))]
        ps.append(weigh(boxes[0], boxes[1:], classifier, 8.0).p)
    for level in (0.05, 0.1, 0.25, 0.5):
        allowed = 3 * np.sqrt(level * (1 - level) / len(ps))
        assert abs(np.mean(np.array(ps) <= level + 1e-9) - level) < allowed


def test_a_deviation_to_either_side_counts_where_both_are_unusual(classifier):
    controls = spread_controls(30)
    for shift in (-4.0, 4.0):
        assert weigh({"deviation": 1.0, "mean_shift": shift}, controls, classifier, 8.0).standings["mean_shift"].z > 5


def test_a_score_that_is_not_known_neither_speaks_for_nor_against(classifier):
    controls = spread_controls(30)
    with_it, without = (weigh({"deviation": 1.0, "mean_shift": v}, controls, classifier, 8.0) for v in (0.0, float("nan")))
    assert without.standings["mean_shift"].p is None and without.p is not None
    assert (
        without.contributions["mean_shift"] == 0
        and abs(with_it.contributions["deviation"] - without.contributions["deviation"]) < 1e-9
    )


def test_standard_scores_do_not_change_with_the_units():
    metrics = spread_controls(12)
    scaled = [{"deviation": 7 * m["deviation"]} for m in metrics]
    column = list(SCORES).index("deviation")
    assert np.allclose(standard_scores(metrics)[:, column], standard_scores(scaled)[:, column])


def test_where_no_healthy_box_fits_in_a_score_is_held_against_what_is_usual_in_other_people():
    column, usual = list(SCORES).index("deviation"), np.exp(-1.0 + 0.2 * np.log(100.0))
    alone = [standard_scores([{"deviation": factor * usual}], NORMS, 100.0)[0, column] for factor in (1.0, 2.0)]
    assert alone[0] == pytest.approx(0, abs=1e-6) and alone[1] == pytest.approx(np.log(2) / np.hypot(0.2, 0.2))
    assert np.isnan(standard_scores([{"deviation": usual}])[0, column])


def test_a_scan_with_many_healthy_boxes_goes_by_its_own():
    column, controls = list(SCORES).index("deviation"), spread_controls(39)
    for deviation in (0.7, 1.0, 2.0):
        own, both = (standard_scores([{"deviation": deviation}, *controls], norms, 100.0)[0, column] for norms in ({}, NORMS))
        assert own == pytest.approx(both, rel=0.15, abs=0.15)


def test_a_box_must_deviate_by_more_where_drawn_boxes_spread_wider_than_their_controls(classifier):
    controls = spread_controls(39)
    strict = make_classifier("test", classifier.features, classifier.coefficients, classifier.intercept, {}, widening=1.5)
    plain, narrowed = (
        [weigh({"deviation": d}, controls, c, 8.0).p for d in (1.0, 1.3, 1.5, 9.0)] for c in (classifier, strict)
    )
    assert narrowed[2] > plain[2] and all(b >= a for a, b in zip(plain[1:], narrowed[1:]))
    assert narrowed[3] == plain[3] == pytest.approx(1 / 40)


def test_ranks_and_false_discovery_rates_match_a_worked_example():
    assert rank_p(np.array([2.0, 1.0, 2.0, 3.0])) == pytest.approx(3 / 4)
    assert false_discovery_rates([0.01, None, 0.04, 0.03]) == pytest.approx([0.03, None, 0.04, 0.04])


REASONS = {
    "off the brain": ({"brain_share": 0.3}, 32, 5.0, "brain"),
    "unknown scan": ({"unlike_known": "the scan is strange"}, 32, 5.0, "strange"),
    "few controls": ({}, 10, 5.0, "controls"),
    "few controls for the classifier": ({"decision": Decision("classifier", 0.5)}, 5, 5.0, "classifier needs"),
    "grey zone of p": ({}, 39, 1.3, "grey zone from 0.05 to 0.1"),
    "grey zone of the classifier": ({"decision": Decision("classifier", 0.5)}, 32, None, "grey zone from 0.45 to 0.55"),
    "undefined metric": ({"decision": Decision("asymmetry", 1.0)}, 32, 5.0, "not defined"),
}


@pytest.mark.parametrize("kind", REASONS)
def test_there_is_no_label_without_a_good_reason_and_the_reason_is_said(classifier, kind):
    options, count, deviation, said = REASONS[kind]
    controls = spread_controls(count)
    if deviation is None:  # the value at which the probability is one half
        values = np.exp(np.linspace(-1, 3, 400))
        deviation = min(
            values, key=lambda v: abs(weigh({"deviation": v, "mean_shift": 0.0}, controls, classifier, 8.0).probability - 0.5)
        )
    _, verdict = verdict_on(
        {"deviation": deviation, "mean_shift": 0.0, "asymmetry": float("nan")}, controls, classifier, **options
    )
    assert verdict.label is None and said in verdict.reason and verdict.reason.startswith("Undetermined")


def test_controls_that_disagree_give_no_label(classifier):
    controls = spread_controls(20) + [{"deviation": 30.0, "mean_shift": 9.0}] * 9
    _, verdict = verdict_on({"deviation": 50.0, "mean_shift": 20.0}, controls, classifier)
    assert verdict.label is None and "disagree" in verdict.reason


def test_a_verdict_can_rest_on_the_classifier_or_a_metric(classifier):
    controls = spread_controls(32)
    sick, healthy = {"deviation": 6.0, "mean_shift": 3.0, "ssim": 0.4}, {"deviation": 1.0, "mean_shift": 0.0, "ssim": 0.9}
    for decision in (Decision("classifier", 0.5), Decision("ssim", 0.5)):
        assert [verdict_on(m, controls, classifier, decision)[1].label for m in (sick, healthy)] == [1, 0]


def test_p_alone_never_says_more_than_it_can_carry():
    assert probability_bound(0.05) == pytest.approx(0.711, abs=1e-3)
    assert probability_bound(0.9) == 0.5 and probability_bound(None) is None


def test_a_classifier_comes_back_from_its_file_as_it_was(whole_classifier, tmp_path):
    (tmp_path / "c.json").write_text(written(whole_classifier))
    assert read_classifier(tmp_path / "c.json") == whole_classifier


@pytest.mark.parametrize(
    "change",
    [("intercept", 5.0), ("coefficients", [2.0, -1.0]), ("about", {"subjects": ["nobody"]}), ("widening", 0.5), ("norms", {})],
)
def test_a_classifier_that_was_tampered_with_is_refused(whole_classifier, tmp_path, change, capfd):
    content = json.loads(written(whole_classifier))
    content[change[0]] = change[1]
    (tmp_path / "c.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match="was changed"):
        read_classifier(tmp_path / "c.json")
    scan = str(tmp_path / "none.nii.gz")
    assert (
        main(
            ["analyze", scan, "--box", "0,0,0,9,9,9", "--classifier", str(tmp_path / "c.json"), "--output", str(tmp_path / "o")]
        )
        == 2
    )
    error = capfd.readouterr().err
    assert "was changed" in error and error.count("\n") == 1 and not (tmp_path / "o").exists()


@pytest.mark.parametrize("text", ["", "[1]", "{}", '{"kind": "model"}'])
def test_a_file_that_is_no_classifier_is_refused(tmp_path, text):
    (tmp_path / "c.json").write_text(text)
    with pytest.raises(InputError):
        read_classifier(tmp_path / "c.json")
