"""The verdict: what p, probability and label mean, when there is no label, and that classifier files can be trusted."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pytest

from RadiomicsPersonaLib.analysis.classifier import make_classifier, read_classifier, written
from RadiomicsPersonaLib.analysis.reference import Reference
from RadiomicsPersonaLib.analysis.score import SCORES, Norm, false_discovery_rates, rank_p, standard_scores
from RadiomicsPersonaLib.analysis.verdict import Decision, judge, weigh
from RadiomicsPersonaLib.cli import main
from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.report.results_files import probability_bound

NORMS = {"deviation": Norm(intercept=-1.0, slopes=(0.2, 0.5, 0.0, 0.0), spread=0.2, between=0.2, dof=4.0)}


def reference_of(deviations, volumes, people: int = 10) -> Reference:
    """Healthy boxes whose deviation stands where it says, and of whose other scores nothing is known."""
    scores = np.full((len(deviations), len(SCORES)), np.nan, np.float32)
    scores[:, list(SCORES).index("deviation")] = deviations
    return Reference(scores, np.array(volumes, float), people)


@pytest.fixture(scope="module")
def classifier():
    return make_classifier("test", ("deviation", "mean_shift"), (2.0, 1.0), -3.0, {})


@pytest.fixture(scope="module")
def whole_classifier():
    reference = reference_of([0.25, -1.5], [8.0, 64.0])
    return make_classifier(
        "whole", ("deviation", "mean_shift"), (2.0, 1.0), -3.0, {"subjects": ["s1"]}, NORMS, reference, (-3.0, 1.5)
    )


def spread_controls(count: int, seed: int = 0) -> list[dict[str, float]]:
    rng = np.random.default_rng(seed)
    return [
        {"deviation": d, "mean_shift": s} for d, s in zip(np.exp(0.2 * rng.normal(size=count)), 0.3 * rng.normal(size=count))
    ]


def verdict_on(metrics, controls, classifier, decision=None, brain_share=1.0, unlike_known=None):
    weighing = weigh(metrics, controls, classifier)
    return weighing, judge(metrics, weighing, decision or Decision(), brain_share, unlike_known)


@pytest.mark.parametrize(
    ("score", "controls", "label", "p"),
    [(3.0, 19, 1, 1 / 20), (3.0, 17, None, 1 / 18), (0.5, 32, 0, 33 / 33), (1.0, 39, 0, 40 / 40)],
)
def test_without_a_reference_p_is_the_rank_among_the_controls_ties_counting_against_the_box(
    classifier, score, controls, label, p
):
    weighing, verdict = verdict_on({"deviation": score}, [{"deviation": 1.0}] * controls, classifier)
    assert verdict.label == label and weighing.p == pytest.approx(p)


def test_lack_of_room_for_controls_is_no_reason_for_no_label():
    """Half a hemisphere has no second place in its brain; other people's boxes of its size say what is usual."""
    reference = reference_of(np.linspace(-2, 2, 400), [400.0] * 400)
    alone = make_classifier("alone", ("deviation",), (2.0,), -3.0, {}, NORMS, reference)
    usual = float(np.exp(-1.0 + 0.2 * np.log(400.0 / 8.0)))
    for factor, label, word in ((3.0, 1, "Pathological"), (1.0, 0, "Healthy")):
        weighing, verdict = verdict_on({"deviation": factor * usual, "brain_volume": 400.0}, [], alone)
        assert verdict.label == label and verdict.reason.startswith(word), verdict.reason
        assert weighing.effective == pytest.approx(400)


def test_a_box_is_ranked_among_boxes_of_about_its_size():
    """Large boxes deviate more here: what is usual for one of them is unusual for a small one."""
    deviations, volumes = np.r_[np.linspace(-1, 0, 300), np.linspace(3, 4, 300)], np.r_[[1.0] * 300, [300.0] * 300]
    classifier = make_classifier("c", ("deviation",), (2.0,), 0.0, {}, NORMS, reference_of(deviations, volumes))
    box = {"deviation": float(np.exp(-1.0 + 0.5))}
    small, large = (weigh(box | {"brain_volume": ml}, [], classifier).p for ml in (1.0, 300.0))
    assert small < 0.01 and large > 0.9


@pytest.mark.parametrize("milliliters", [0.05, 900.0, 4000.0])
def test_a_box_of_a_size_of_which_few_are_known_is_held_against_the_nearest(milliliters):
    """Scores are adjusted for size; p is not bound by how many boxes of just this size are known."""
    volumes = np.exp(np.random.default_rng(0).uniform(np.log(1.0), np.log(300.0), 700))
    classifier = make_classifier("c", ("deviation",), (2.0,), 0.0, {}, NORMS, reference_of(np.linspace(-3, 3, 700), volumes))
    usual = float(np.exp(-1.0 + 0.2 * np.log(milliliters / 8.0)))
    strong, weak = (weigh({"deviation": f * usual, "brain_volume": milliliters}, [], classifier) for f in (4.0, 1.0))
    assert strong.p < 0.01 and weak.p > 0.2 and strong.effective > 100
    near = classifier.reference.weights(milliliters)[np.argsort(np.abs(np.log(volumes / milliliters)))]
    assert (np.diff(near) <= 0).all() and near[0] == 1, "the nearest count most"


def test_p_is_finer_than_the_number_of_controls_and_strong_and_weak_evidence_read_differently():
    reference = reference_of(np.linspace(-3, 3, 2000), [8.0] * 2000)
    classifier = make_classifier("c", ("deviation",), (2.0,), 0.0, {}, NORMS, reference)
    found = {}
    for factor in np.exp(np.linspace(0, 1.2, 60)):
        weighing, verdict = verdict_on({"deviation": float(np.exp(-1) * factor), "brain_volume": 8.0}, [], classifier)
        found[weighing.p] = verdict
    assert min(found) < 0.001 < 1 / 40
    for p, verdict in found.items():
        word = "Pathological" if p <= 0.01 else "Unusual" if p <= 0.05 else "Undetermined" if p <= 0.065 else "Healthy"
        assert verdict.reason.startswith(word), (p, verdict.reason)
        assert verdict.label == {"Pathological": 1, "Unusual": 1, "Undetermined": None, "Healthy": 0}[word]
    assert {verdict.reason.split(":")[0] for verdict in found.values()} >= {"Pathological", "Unusual", "Healthy"}


def test_a_map_that_screams_is_not_outvoted_by_scores_that_say_nothing():
    """A large loose box: its lesion map is far beyond every control's, all else is as usual."""
    keys = ("deviation", "mean_shift", "intensity", "lesion_peak")
    rng = np.random.default_rng(0)
    controls = [dict(zip(keys, (np.exp(0.2 * d), s, i, p))) for d, s, i, p in rng.normal(size=(60, 4))]
    box = {"deviation": 1.0, "mean_shift": 0.0, "intensity": 0.0, "lesion_peak": 5.0}
    found = {}
    for alone in (None, (-3.0, 1.8)):
        classifier = make_classifier("c", keys, (1.0, 1.0, 1.0, 0.1), -3.0, {}, alone=alone)
        weighing, verdict = verdict_on(box, controls, classifier)
        found[alone] = verdict.label
        assert sum(weighing.contributions.values()) + classifier.intercept == pytest.approx(weighing.combined)
        unknown = {key: value for key, value in box.items() if key != "lesion_peak"}
        assert verdict_on(unknown, controls, classifier)[1].label == 0, "a map that did not run calls nothing"
    assert found == {None: 0, (-3.0, 1.8): 1}


def test_other_lesions_of_a_brain_do_not_hide_one():
    """Six of twenty control regions hold lesions that the map marks; without them the box is as unusual as in a clean brain."""
    rng = np.random.default_rng(0)
    healthy = [{"deviation": np.exp(0.2 * d), "lesion_peak": p} for d, p in rng.normal(size=(20, 2))]
    sick = [{"deviation": np.exp(1.0 + 0.4 * d), "lesion_peak": 8.0 + p} for d, p in rng.normal(size=(6, 2))]
    box = {"deviation": float(np.exp(0.8)), "lesion_peak": 0.5}
    column = list(SCORES).index("deviation")
    alone, among = (standard_scores([box, *others])[0, column] for others in (healthy[:14], [*healthy[:14], *sick]))
    assert alone > 2 and among > 0.8 * alone


def test_p_of_boxes_like_their_controls_is_uniform_however_many_dependent_scores_are_combined(classifier):
    """A combination that treats the box otherwise than its controls, or forgets that it looks at several scores, fails here."""
    rng = np.random.default_rng(3)
    ps = []
    for _ in range(1500):
        shared = rng.standard_t(3, size=20)  # heavy tails, and the two scores depend on each other
        boxes = [{"deviation": float(np.exp(a)), "mean_shift": float(a + b)} for a, b in zip(shared, rng.normal(size=20))]
        ps.append(weigh(boxes[0], boxes[1:], classifier).p)
    for level in (0.05, 0.1, 0.25, 0.5):
        allowed = 3 * np.sqrt(level * (1 - level) / len(ps))
        assert abs(np.mean(np.array(ps) <= level + 1e-9) - level) < allowed


def test_a_deviation_to_either_side_counts_where_both_are_unusual(classifier):
    controls = spread_controls(30)
    for shift in (-4.0, 4.0):
        assert weigh({"deviation": 1.0, "mean_shift": shift}, controls, classifier).standings["mean_shift"].z > 5


def test_a_score_that_is_not_known_neither_speaks_for_nor_against(classifier):
    controls = spread_controls(30)
    with_it, without = (weigh({"deviation": 1.0, "mean_shift": v}, controls, classifier) for v in (0.0, float("nan")))
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
    column, usual = list(SCORES).index("deviation"), np.exp(-1.0 + 0.2 * np.log(100.0 / 8.0) + 0.5 * 0.4)
    kind = {"brain_volume": 100.0, "outside_share": 0.4}
    alone = [standard_scores([{"deviation": factor * usual} | kind], NORMS)[0, column] for factor in (1.0, 2.0)]
    assert alone[0] == pytest.approx(0, abs=1e-6) and alone[1] == pytest.approx(np.log(2) / np.hypot(0.2, 0.2))
    assert np.isnan(standard_scores([{"deviation": usual} | kind])[0, column])


def test_controls_of_other_sizes_and_other_tissue_serve_as_well():
    """Every box deviates as its size and its make-up let expect; none may stand out for them."""
    rng, column = np.random.default_rng(2), list(SCORES).index("deviation")
    kinds = zip(np.exp(rng.uniform(0, 5, 16)).tolist(), rng.random(16).tolist())
    boxes = [{"brain_volume": volume, "outside_share": outside} for volume, outside in kinds]
    for box in boxes:
        box["deviation"] = float(np.exp(0.7 + 0.2 * np.log(box["brain_volume"] / 8) + 0.5 * box["outside_share"]))
    assert np.ptp(standard_scores(boxes, NORMS)[:, column]) < 0.01 < 2 < np.ptp(standard_scores(boxes)[:, column])


def test_a_scan_with_many_healthy_boxes_goes_by_its_own():
    column, controls = list(SCORES).index("deviation"), spread_controls(39)
    for deviation in (0.7, 1.0, 2.0):
        own, both = (standard_scores([{"deviation": deviation}, *controls], norms)[0, column] for norms in ({}, NORMS))
        assert own == pytest.approx(both, rel=0.15, abs=0.15)


def test_points_and_rates_are_those_of_scipy():
    """Which takes longer to load than a box takes to judge."""
    from scipy.stats import false_discovery_control, qmc

    from RadiomicsPersonaLib.analysis.halton import halton

    for seed in (0, 7):
        np.testing.assert_array_equal(halton(7, 300, seed), qmc.Halton(7, scramble=True, seed=seed).random(300))
    for count in (2, 5, 40):
        p = np.random.default_rng(count).random(count).round(2)
        np.testing.assert_array_equal(false_discovery_rates(p.tolist()), false_discovery_control(p))


def test_ranks_and_false_discovery_rates_match_a_worked_example():
    assert rank_p(np.array([2.0, 1.0, 2.0, 3.0])) == pytest.approx(3 / 4)
    assert false_discovery_rates([0.01, None, 0.04, 0.03]) == pytest.approx([0.03, None, 0.04, 0.04])


REASONS = {
    "off the brain": ({"brain_share": 0.05}, 32, 5.0, "brain"),
    "unknown scan": ({"unlike_known": "the scan is strange"}, 32, 5.0, "strange"),
    "nothing to hold it against": ({}, 0, 5.0, "there is no control region to hold it against"),
    "grey zone of p": ({}, 17, 9.0, "grey zone from 0.05 to 0.065"),
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
            values, key=lambda v: abs(weigh({"deviation": v, "mean_shift": 0.0}, controls, classifier).probability - 0.5)
        )
    _, verdict = verdict_on(
        {"deviation": deviation, "mean_shift": 0.0, "asymmetry": float("nan")}, controls, classifier, **options
    )
    assert verdict.label is None and said in verdict.reason and verdict.reason.startswith("Undetermined")


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
    [
        ("intercept", 5.0),
        ("coefficients", [2.0, -1.0]),
        ("about", {"subjects": ["nobody"]}),
        ("reference", None),
        ("norms", {}),
        ("alone", None),
    ],
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


@pytest.mark.parametrize("key", ["name", "features", "coefficients", "intercept", "norms", "reference", "about", "alone"])
def test_a_signed_classifier_with_a_value_of_another_kind_is_refused(key, whole_classifier, tmp_path):
    content = json.loads(written(whole_classifier))
    del content["sha256"]
    norm = next(iter(content["norms"]))
    odds = [3, ["x"], [[]], {"a": 1}, True, [1e999, 0.0], content["norms"] | {norm: content["norms"][norm] | {"slopes": [0.0]}}]
    for odd in odds if key != "about" else odds[:3]:
        changed = content | {key: odd}
        signed = changed | {
            "sha256": hashlib.sha256(json.dumps(changed, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
        }
        (tmp_path / "c.json").write_text(json.dumps(signed))
        if key == "intercept" and odd in (3, True):
            continue
        with pytest.raises(InputError, match="'c.json' .*: fit it again"):
            read_classifier(tmp_path / "c.json")


@pytest.mark.parametrize("key", ["reference", "alone"])
def test_a_classifier_of_an_older_version_is_refused_in_one_sentence(key, whole_classifier, tmp_path):
    content = json.loads(written(whole_classifier))
    del content[key]
    (tmp_path / "c.json").write_text(json.dumps(content | {"widening": 1.2}))
    with pytest.raises(InputError, match="older version: fit it again"):
        read_classifier(tmp_path / "c.json")


@pytest.mark.parametrize("text", ["", "[1]", "{}", '{"kind": "model"}'])
def test_a_file_that_is_no_classifier_is_refused(tmp_path, text):
    (tmp_path / "c.json").write_text(text)
    with pytest.raises(InputError):
        read_classifier(tmp_path / "c.json")
