"""Calibration: lesions that are painted are found, their probability can be believed, and what may not be fitted on is not."""

from __future__ import annotations

import shutil
from dataclasses import replace

import numpy as np
import pytest
from bench.known_boxes import simulated

from RadiomicsPersonaLib.analysis.classifier import read_classifier
from RadiomicsPersonaLib.analysis.reference import conformal_p
from RadiomicsPersonaLib.analysis.score import SCORES
from RadiomicsPersonaLib.brain.tissue import IntensityScale
from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.imaging.files import write_nifti
from RadiomicsPersonaTrainingLib.cli import main
from RadiomicsPersonaTrainingLib.data.source_table import refuse_unless_fittable
from RadiomicsPersonaTrainingLib.runs.heartbeat import Alive, is_running
from RadiomicsPersonaTrainingLib.verdict import calibration
from RadiomicsPersonaTrainingLib.verdict.calibration import fit_classifier, fit_norms
from RadiomicsPersonaTrainingLib.verdict.painted_lesion import painted

pytestmark = pytest.mark.usefixtures("small_models")

TABLE = """# Data

| folder | what | may train shipped weights? |
|---|---|---|
| `healthy/good` | scans | yes |
| `healthy/other_scanner` | scans | **no**: for evaluation |
| `patients/one` | a patient | evaluation |
"""


@pytest.fixture
def sources(tmp_path):
    (tmp_path / "README.md").write_text(TABLE)
    for name in ("healthy/good/inner", "healthy/other_scanner", "patients/one", "healthy/unnamed", "healthy/mine_eval_only"):
        (tmp_path / name).mkdir(parents=True)
    return tmp_path


@pytest.mark.parametrize(
    "name", ["healthy/other_scanner", "patients/one", "patients", "healthy", "healthy/unnamed", "healthy/mine_eval_only"]
)
def test_what_the_table_of_sources_does_not_allow_is_refused_by_the_command(sources, tmp_path, name, capfd):
    (tmp_path / "masks").mkdir()
    output = tmp_path / "c.json"
    assert (
        main(["calibrate", str(sources / name), "--lesion-masks", str(sources / "healthy/good"), "--output", str(output)]) == 2
    )
    error = capfd.readouterr().err
    assert error.count("\n") == 1 and "fitted" in error and not output.exists()


def test_what_the_table_allows_and_folders_without_a_table_are_accepted(sources, tmp_path_factory, capfd):
    """The command goes on and finds that there is nothing in them, which it would not look for in a folder that it refuses."""
    for folder in (sources / "healthy/good", sources / "healthy/good/inner", tmp_path_factory.mktemp("a site")):
        command = ["calibrate", str(folder), "--lesion-masks", str(folder), "--output", str(folder / "c.json")]
        assert main(command) == 2
        said = capfd.readouterr().err
        assert "fitted on" not in said and "no " in said, said


def test_the_real_table_forbids_the_evaluation_sources(data_root):
    for name in ("healthy/ixi_2mm_eval_only", "lesion/lgg_eval_only", "lesion/brats"):
        with pytest.raises(InputError, match="fitted on"):
            refuse_unless_fittable(data_root / name)
    refuse_unless_fittable(data_root / "healthy/ds002748")


def test_the_fitted_probability_is_calibrated_on_new_subjects():
    classifier = fit_classifier(simulated(12), "test", {})
    new = simulated(20, seed=9)
    odds = np.concatenate([classifier.log_odds(b.scores) for b in new])
    truth = np.concatenate([b.sick for b in new])
    probability = 1 / (1 + np.exp(-odds))
    for low, high in ((0.0, 0.2), (0.2, 0.5), (0.5, 0.8), (0.8, 1.0)):
        inside = (probability >= low) & (probability <= high)
        assert abs(truth[inside].mean() - probability[inside].mean()) < 0.1


def test_no_unusual_score_ever_speaks_for_health():
    classifier = fit_classifier(simulated(6), "test", {})
    assert (
        min(classifier.coefficients) >= 0
        and classifier.coefficients[0] == max(classifier.coefficients) > 3 * classifier.coefficients[1]
    )


def test_what_the_lesion_map_alone_tells_is_called():
    """Only the map marks it, and further than it marks healthy boxes; the fit has seen other lesions."""
    classifier = fit_classifier(simulated(30), "test", {})
    healthy = classifier.log_odds(classifier.reference.scores)
    scores = np.zeros((1, len(SCORES)))
    scores[0, list(SCORES).index("lesion_peak")] = 5.0
    assert conformal_p(classifier.log_odds(scores)[0], healthy, np.ones(len(healthy))) < 0.02
    without = replace(classifier, alone=None)
    odds = without.log_odds(without.reference.scores)
    assert conformal_p(without.log_odds(scores)[0], odds, np.ones(len(odds))) > 0.05


@pytest.mark.slow
def test_healthy_boxes_of_new_people_are_called_as_seldom_as_promised_at_every_size():
    classifier = fit_classifier(simulated(60, seed=1), "test", {})
    odds = classifier.log_odds(classifier.reference.scores)
    rows = [(b, n) for b in simulated(60, seed=5) for n in np.flatnonzero(~b.sick)[:20]]
    ps = np.array(
        [
            conformal_p(classifier.log_odds(b.scores[n][None])[0], odds, classifier.reference.weights(b.volumes[n]))
            for b, n in rows
        ]
    )
    volumes = np.array([b.volumes[n] for b, n in rows])
    for low, high in ((0, 5), (5, 30), (30, 1000)):
        share = (ps[(volumes >= low) & (volumes < high)] <= 0.05).mean()
        assert 0.02 < share < 0.09, (low, share)


def test_norms_are_what_boxes_were_drawn_from():
    rng, found = np.random.default_rng(4), []
    for _ in range(60):
        looks = []
        for scan in 0.5 * rng.normal(size=2):
            volumes, outside = np.exp(rng.uniform(0, 5, 40)), rng.random(40)
            values = np.exp(-1 + 0.2 * np.log(volumes / 8) + 0.6 * outside + scan + 0.25 * rng.normal(size=40))
            kinds = zip(values.tolist(), volumes.tolist(), outside.tolist())
            healthy = [{"deviation": d, "brain_volume": v, "outside_share": o} for d, v, o in kinds]
            looks.append({"healthy": healthy, "large": [], "painted": []})
        found.append(looks)
    norms = fit_norms(found)
    assert list(norms) == ["deviation"]
    norm = norms["deviation"]
    assert norm.intercept == pytest.approx(-1, abs=0.25)
    assert norm.slopes[0] == pytest.approx(0.2, abs=0.06) and norm.slopes[1] == pytest.approx(0.6, abs=0.15)
    assert norm.spread == pytest.approx(0.25, rel=0.1) and norm.between == pytest.approx(0.5, rel=0.25)


def test_too_few_subjects_are_refused():
    with pytest.raises(InputError, match="at least"):
        fit_classifier(simulated(3), "test", {})


def test_a_painted_lesion_changes_the_lesion_and_leaves_what_is_far_from_it():
    rng = np.random.default_rng(1)
    values, mask = 100 + 5 * rng.normal(size=(30, 30, 30)), np.zeros((30, 30, 30), bool)
    mask[12:18, 12:18, 12:18] = True
    changes = []
    for seed in range(10):
        result = painted(values, mask, np.ones(3), IntensityScale(100, 20), "T1", np.random.default_rng(seed))
        changes.append(np.abs(result - values)[mask].mean())
        assert np.abs(result - values)[:2].max() < 1e-6
    assert min(changes) > 2 and np.median(changes) > 12


@pytest.mark.parametrize(("contrast", "brighter"), [("T1", False), ("T2", True), ("FLAIR", True)])
def test_painted_lesions_are_mostly_dark_in_t1_and_bright_in_t2_and_flair(contrast, brighter):
    values, mask = np.full((16, 16, 16), 100.0), np.zeros((16, 16, 16), bool)
    mask[4:12, 4:12, 4:12] = True
    scale = IntensityScale(100, 20)
    lesions = [
        painted(values, mask, np.ones(3), scale, contrast, np.random.default_rng(seed))[mask].mean() for seed in range(60)
    ]
    assert 0.75 < np.mean((np.array(lesions) > 100) == brighter) < 1


def test_the_shipped_classifier_can_be_read_and_names_no_test_subject(checkout):
    import json

    folder = checkout / "RadiomicsPersona" / "Resources"
    classifier = read_classifier(folder / "Classifiers" / "healthy-or-not.json")
    card = json.loads((folder / "Models" / "healthy-t1.json").read_text())
    test = {subject for entry in card["data"] if entry["name"] == "ds002748" for subject in entry["test"]}
    assert test and min(classifier.coefficients) >= 0
    fitted = classifier.about["subjects"]
    assert len(fitted) == len(set(fitted)) >= 4
    assert not any(subject.startswith(f"ds002748/{name}_") for subject in fitted for name in test)


@pytest.mark.slow
def test_the_command_fits_a_classifier_that_analyze_takes_and_goes_on_where_it_was_cut_off(tmp_path, capfd, monkeypatch):
    import json

    from bench.phantom import make_head

    from RadiomicsPersonaLib.cli import main as analysis

    for folder in ("heads", "masks"):
        (tmp_path / folder).mkdir()
    for seed in range(4):
        head = make_head(4.0, seed=seed)
        write_nifti(tmp_path / "heads" / f"sub-{seed}.nii.gz", head.array, head.affine)
    for name in "abcdefgh":
        mask = np.zeros((12, 10, 9), np.uint8)
        mask[2:10, 2:8, 2:7] = 1
        write_nifti(tmp_path / "masks" / f"{name}.nii.gz", mask, np.diag([2.0, 2, 2, 1]))
    output = tmp_path / "own.json"
    monkeypatch.setattr(calibration, "PAINTED", 1)  # to save time: every painted lesion is looked at anew
    words = [
        "calibrate",
        str(tmp_path / "heads"),
        "--lesion-masks",
        str(tmp_path / "masks"),
        "--model",
        "harmonic",
        "--looks",
        "1",
        "--output",
        str(output),
    ]
    assert main([*words, "--estimate"]) == 0
    assert "4 scans, of which 3 are left to measure: about" in capfd.readouterr().out and not output.exists()
    # an estimate writes the same journal, so nobody else may, and it is no run to those who look for one
    with Alive(tmp_path / "own-estimate", "estimate"):
        assert main(words) == 2 == main([*words, "--estimate"])
        assert "is already running" in capfd.readouterr().err and not is_running(tmp_path / "own-alive")
    assert main(words) == 0
    assert "On subjects that were left out: AUROC" in capfd.readouterr().out
    first, journal = output.read_text(), tmp_path / "own-boxes.jsonl"
    lines = journal.read_text().splitlines()
    # what was measured of one scan is lost, of the others it is marked as already there
    journal.write_text("\n".join(lines[:-1]) + "\n" + lines[-1][:30])
    output.unlink()
    # put among the user's own classifiers, it is taken by its name, and the report says whose it is
    monkeypatch.setenv("RADIOMICS_PERSONA_CLASSIFIERS", str(tmp_path / "classifiers"))
    assert main([*words, "--use"]) == 2 and "the program's classifier" in capfd.readouterr().err and not output.exists()
    assert main([*words, "--name", "clinic", "--use"]) == 0 and "--classifier clinic" in capfd.readouterr().out
    assert (
        output.read_text().replace("clinic", "healthy-or-not").splitlines()[:-2] == first.splitlines()[:-2]
        and journal.read_text().splitlines()[: len(lines) - 1] == lines[:-1]
    )
    scan = str(tmp_path / "heads" / "sub-0.nii.gz")
    more = ["--box=34,-10,14,24,28,22", "--model", "harmonic", "--classifier", "clinic", "--decision", "classifier"]
    assert analysis(["analyze", scan, *more, "--output", str(tmp_path / "out")]) == 0
    record = json.loads((tmp_path / "out" / "results.json").read_text())
    assert record["provenance"]["classifier"]["sha256"] == read_classifier(output).sha256
    assert 0 < record["boxes"][0]["probability"] < 1
    for page in (capfd.readouterr().out, (tmp_path / "out" / "report.html").read_text()):
        assert "Scores weighed by a classifier of your own, clinic." in page
    assert analysis(["analyze", scan, *more[:-3], "nobody", "--output", str(tmp_path / "none")]) == 2
    assert "There is no classifier 'nobody': choose one of healthy-or-not, clinic" in capfd.readouterr().err


@pytest.mark.slow
def test_lesions_of_a_kind_are_painted_where_they_are_asked_for(tmp_path, capfd):
    from bench.phantom import make_head

    from RadiomicsPersonaLib.reconstruction.reconstruction_model import load_model
    from RadiomicsPersonaTrainingLib.verdict.calibration import measured_boxes

    head = make_head(3.0)
    write_nifti(tmp_path / "head.nii.gz", head.array, head.affine)
    mask = np.zeros((12, 12, 12), np.uint8)
    mask[2:10, 2:10, 2:10] = 1
    write_nifti(tmp_path / "mask.nii.gz", mask, np.diag([2.0, 2, 2, 1]))
    model, shapes = load_model("harmonic"), (tmp_path / "mask.nii.gz",)
    (tumour,), (any_lesion,) = (
        measured_boxes(tmp_path / "head.nii.gz", model, shapes, (1, 0), 1, kinds) for kinds in (("tumour",), ())
    )
    assert tumour["healthy"] == any_lesion["healthy"] and tumour["painted"] != any_lesion["painted"]
    tight = [entry["metrics"]["deviation"] for entry in tumour["painted"] if entry["box"] == "tight"]
    usual = np.median([metrics["deviation"] for metrics in tumour["healthy"]])
    assert len(tight) == 2 and np.mean(tight) > usual + 0.1
    assert {entry["box"] for entry in tumour["painted"]} > {"tight"}

    (tmp_path / "heads").mkdir()
    words = [
        "calibrate",
        str(tmp_path / "heads"),
        "--lesion-masks",
        str(tmp_path),
        "--output",
        str(tmp_path / "c.json"),
        "--kinds",
    ]
    assert main([*words, "ms,cold"]) == 2 and "no kind of lesion 'cold'" in capfd.readouterr().err
    assert main(["calibrate", "--boxes", "own.csv", "--kinds", "ms", "--output", str(tmp_path / "c.json")]) == 2
    assert "--kinds is for painted lesions" in capfd.readouterr().err


def test_a_refused_calibration_leaves_nothing(tmp_path, capsys):
    for folder in ("healthy", "masks", "out"):
        (tmp_path / folder).mkdir()
    for name in "abcdefgh":
        write_nifti(tmp_path / "masks" / f"{name}.nii.gz", np.pad(np.ones((6, 6, 6), np.uint8), 2), np.eye(4))
    output = tmp_path / "out" / "c.json"
    words = ["calibrate", str(tmp_path / "healthy"), "--lesion-masks", str(tmp_path / "masks"), "--model", "harmonic"]
    for scans, target, said in (
        (2, output, "There are only 2 healthy scans, and at least 4 subjects are needed"),
        (4, output, "'0.nii.gz'"),
        (4, tmp_path / "healthy" / "0.nii.gz", "must end in .json"),
    ):
        for number in range(scans):
            (tmp_path / "healthy" / f"{number}.nii.gz").write_text("x")  # damaged
        assert main([*words, "-o", str(target)]) == 2
        assert said in capsys.readouterr().err and not list((tmp_path / "out").iterdir())
    assert (tmp_path / "healthy" / "0.nii.gz").read_text() == "x"
    shutil.copytree(tmp_path / "healthy", tmp_path / "other" / "healthy")
    for folder, said in (("healthy", "name every folder once"), ("other/healthy", "rename one of them, or its folder")):
        assert main([words[0], str(tmp_path / folder), *words[1:], "-o", str(output)]) == 2
        assert said in capsys.readouterr().err and not list((tmp_path / "out").iterdir())
