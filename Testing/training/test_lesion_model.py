"""The lesion model finds painted lesions in heads of any contrast, and its probability is one of the scores."""

from __future__ import annotations

import csv
import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from bench.label_phantom import make_label_map
from bench.phantom import make_head
from bench.training_site import tiny_tissue
from demos.demo import BOX_SIZE, LESION_CENTER, template_with_lesion

from RadiomicsPersonaLib.analysis.analysis import analyze
from RadiomicsPersonaLib.brain.head_maps import HeadMap, HeadMaps
from RadiomicsPersonaLib.brain.preparation import prepare
from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.geometry.box import Box
from RadiomicsPersonaLib.geometry.hole import hole_of_box
from RadiomicsPersonaLib.imaging.files import read_scan, write_nifti
from RadiomicsPersonaLib.imaging.scan import make_scan
from RadiomicsPersonaLib.networks.card import read_card
from RadiomicsPersonaLib.networks.head_model import LesionModel, TissueModel
from RadiomicsPersonaLib.reconstruction.reconstruction_model import load_model
from RadiomicsPersonaLib.resources import SHIPPED_MODELS
from RadiomicsPersonaTrainingLib.cli import main as train
from RadiomicsPersonaTrainingLib.fitting.head_tasks import lesion_dice, lesion_loss
from RadiomicsPersonaTrainingLib.head_evaluation.lesion import evaluate_lesion, write_cases
from RadiomicsPersonaTrainingLib.inspection.held_out_run import HeldOutRun
from RadiomicsPersonaTrainingLib.inspection.worst_case import open_case, worst_cases
from RadiomicsPersonaTrainingLib.runs.record import read_record
from RadiomicsPersonaTrainingLib.samples.tissue_samples import DISEASED, LesionSamples
from RadiomicsPersonaTrainingLib.settings.sample_sections import TissueRecipe
from RadiomicsPersonaTrainingLib.synthesis.disease import LEAST_DIFFERENCE, paint_lesions, plan_lesions, push_away
from RadiomicsPersonaTrainingLib.synthesis.head_images import SynthesisRecipe
from RadiomicsPersonaTrainingLib.synthesis.label_map import APPEARANCE_OF_CODE, APPEARANCES, TISSUE_OF_CODE

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("small_models")]

SMALL = TissueRecipe(shape=(32, 48, 32), spacing=4.0, fine=4.0)
BOX = Box([30.0, 0.0, 20.0], [24.0, 24.0, 24.0])


@pytest.fixture(scope="module")
def codes():
    return make_label_map().codes


@pytest.fixture(scope="module")
def head():
    return make_head(2.0)


def flat(codes):
    """A noiseless image and its means by appearance."""
    means = np.linspace(0.2, 0.9, len(APPEARANCES))
    means[APPEARANCES.index("air")] = 0
    return means.astype(np.float32)[APPEARANCE_OF_CODE[codes]], means


@pytest.mark.parametrize("contrast", [None, "T1", "T2", "FLAIR", "T1 post"])
def test_what_is_painted_is_marked_and_lies_in_the_brain(codes, contrast):
    found = 0
    for seed in range(4):
        rng = np.random.default_rng(seed)
        image, means = flat(codes)
        before = image.copy()
        lesions = plan_lesions(codes, rng, 1.0)
        marked = paint_lesions(image, codes, lesions, means, contrast, rng, 1.0)
        found += marked.sum()
        assert (TISSUE_OF_CODE[codes][marked] > 0).all()
        changed = np.abs(image - before)
        assert not changed[TISSUE_OF_CODE[codes] == 0].any()
        # soft borders are the only change outside, and inside hardly anything looks as before
        assert changed[~marked].sum() < 0.35 * changed.sum() + 1
        if marked.any():
            assert (changed[marked] > 0.25 * LEAST_DIFFERENCE).mean() > 0.6
    assert found > 1000


def test_a_large_lesion_pushes_its_surroundings_away(codes):
    pushed = codes.copy()
    for seed in range(20):
        rng = np.random.default_rng(seed)
        lesions = [lesion for lesion in plan_lesions(codes, rng, 1.0) if lesion.radius > 15]
        push_away(pushed, lesions, rng)
        if (pushed != codes).any():
            break
    assert (pushed != codes).any()
    near = np.zeros(codes.shape, bool)
    for lesion in lesions:
        near[lesion.region] |= lesion.distance < 2
    assert np.array_equal(pushed[~near], codes[~near])


def test_heads_without_disease_are_drawn_as_before_and_hold_no_mark(label_maps):
    files = sorted(label_maps.iterdir())
    healthy = LesionSamples(files, SMALL, seed=0, synthesis=replace(DISEASED, disease=0.0))
    assert not any(healthy[number][1].any() for number in range(3))
    ill = LesionSamples(files, SMALL, seed=0, synthesis=SynthesisRecipe(disease=1.0))
    assert sum(float(ill[number][1].sum()) for number in range(4)) > 20
    assert all(torch.equal(a, b) for a, b in zip(ill[2][:2], ill[2][:2]))


def test_the_loss_is_least_for_the_right_answer():
    share = torch.zeros(1, 1, 16, 16, 16)
    share[..., 4:9, 4:9, 4:9] = 1
    right = 20 * share - 10
    assert lesion_loss(right, share) < 0.01 < lesion_loss(0.2 * right, share) < lesion_loss(-right, share)
    assert lesion_dice(right, share) == 1 and lesion_dice(-right, share) == 0


def test_a_lesion_model_is_trained_from_a_tissue_model_exported_and_used(label_maps, fit, tmp_path, monkeypatch, head, capsys):
    models = tmp_path / "models"
    assert fit(tiny_tissue(steps=20), "tissue") == 0
    assert train(["export", str(tmp_path / "tissue"), "--output", str(models / "tiny-tissue")]) == 0
    start = f'[fit]\nstart = "{models / "tiny-tissue.json"}"'
    assert fit(tiny_tissue(steps=1, kind="lesion").replace("[fit]", start).replace("0.01", "1e-6"), "first") == 0
    assert fit(tiny_tissue(steps=60, kind="lesion").replace("[fit]", start), "run") == 0
    losses = [
        float(row["validation_loss"]) for run in ("first", "run") for row in csv.DictReader(open(tmp_path / run / "log.csv"))
    ]
    assert min(losses[1:]) < 0.8 * losses[0]
    for run in ("first", "run"):
        assert train(["export", str(tmp_path / run), "--output", str(models / f"{run}-lesion")]) == 0
    card = json.loads((models / "run-lesion.json").read_text())
    assert card["kind"] == "lesion" and card["architecture"]["class"] == "LesionUNet"
    trunk, begun = (
        kind.load(str(models / f"{name}.json")).network.state_dict()
        for kind, name in ((TissueModel, "tiny-tissue"), (LesionModel, "first-lesion"))
    )
    same = [key for key in trunk if trunk[key].shape == begun[key].shape]
    assert len(same) == len(trunk) - 2 and all(torch.allclose(trunk[key], begun[key], atol=0.02) for key in same)
    # and a lesion model goes on from a lesion model, its head included
    again = f'[fit]\nstart = "{models / "run-lesion.json"}"'
    assert fit(tiny_tissue(steps=1, kind="lesion").replace("[fit]", again).replace("0.01", "1e-6"), "again") == 0
    assert train(["export", str(tmp_path / "again"), "--output", str(tmp_path / "again-lesion")]) == 0
    before, after = (
        LesionModel.load(str(file)).network.state_dict()
        for file in (models / "run-lesion.json", tmp_path / "again-lesion.json")
    )
    assert all(torch.allclose(before[key], after[key], atol=1e-3) for key in before)
    # a share of the model that it started from may be kept
    words = ["export", str(tmp_path / "run"), "--output", str(tmp_path / "kept"), "--keep"]
    assert train([*words, "0.25"]) == 0
    assert read_card(tmp_path / "kept.json")["training"]["kept_of_start"] == 0.25
    trained, kept = (
        LesionModel.load(str(file)).network.state_dict() for file in (models / "run-lesion.json", tmp_path / "kept.json")
    )
    assert all(torch.allclose(kept[key], 0.75 * trained[key] + 0.25 * trunk[key], atol=2e-3) for key in same)
    assert any((kept[key] - trained[key]).abs().max() > 0.01 for key in same)
    capsys.readouterr()
    assert train([*words, "1"]) == 2 and "from 0 to below 1" in capsys.readouterr().err
    assert train(["export", str(tmp_path / "tissue"), "--output", str(tmp_path / "none"), "--keep", "0.5"]) == 2
    assert "started from fresh weights" in capsys.readouterr().err and not (tmp_path / "none.json").exists()
    monkeypatch.setenv("RADIOMICS_PERSONA_MODELS", str(models))
    assert LesionModel.installed().card["sha256"] == card["sha256"]
    assert analyze(head, [BOX], load_model("harmonic"), controls=2).provenance["lesion_model"]["name"] == "run-lesion"

    # the head that it does worst in is opened, and a scan tried, before it is exported
    run, evaluation = tmp_path / "run", tmp_path / "run" / "evaluation"
    held_out = HeldOutRun(run, read_record(run))
    evaluation.mkdir()
    monkeypatch.setattr("RadiomicsPersonaTrainingLib.head_evaluation.lesion.CONTRASTS", ("T1",))
    write_cases(evaluate_lesion(held_out.maps(), [], held_out.model(), heads=1), evaluation / "cases.csv")
    (evaluation / "evaluation.json").write_text(json.dumps({"seed": 0}))
    row = worst_cases(evaluation, "lesion")[0]
    opened = open_case(run, evaluation, row, tmp_path / "case")
    truth = read_scan(opened.maps["truth"])
    assert truth.array.sum() * np.prod(truth.spacing) / 1000 == pytest.approx(float(row["true_ml"]), abs=0.001)
    assert np.abs(truth.ijk_from_ras(opened.center) - np.array(truth.shape) / 2).max() < max(truth.shape) / 2
    write_nifti(tmp_path / "head.nii.gz", head.array, head.affine)
    assert train(["predict", str(run), str(tmp_path / "head.nii.gz"), "--output", str(tmp_path / "p.nii.gz")]) == 0
    probability = read_scan(tmp_path / "p.nii.gz")
    assert probability.shape == head.shape and 0 <= probability.array.min() and 0.01 < probability.array.max() <= 1


def test_a_tissue_model_is_no_lesion_model():
    with pytest.raises(InputError, match="no lesion model"):
        LesionModel.load("tissue")


def test_the_mean_over_a_box_is_taken_where_the_box_is(head):
    probability = np.zeros((40, 40, 40), np.float32)
    probability[20:, :, :] = 1  # right of RAS x = 39
    affine = np.diag([2.0, 2.0, 2.0, 1.0])
    scan = make_scan(
        np.indices((100, 80, 80), np.float32)[0], np.array([[-1, 0, 0, 99], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]])
    )
    for center, share in ((60, 1.0), (20, 0.0), (39, 0.5)):
        hole = hole_of_box(scan, Box([center, 40, 40], [20, 20, 20]))
        found = HeadMaps(None, HeadMap(probability[None], affine)).metrics_over(scan, hole, None, None)
        assert found["lesion_probability"] == pytest.approx(share, abs=0.03) and np.isnan(found["tissue_doubt"])


@pytest.mark.usefixtures("shipped_models")
def test_the_shipped_model_sees_the_demo_s_lesion_and_none_on_the_other_side():
    scan = make_scan(*template_with_lesion())
    prepared = prepare(scan, [])
    centers = (LESION_CENTER, (-LESION_CENTER[0], *LESION_CENTER[1:]))
    holes = [hole_of_box(scan, Box(center, BOX_SIZE)) for center in centers]
    ill, healthy = (prepared.maps.metrics_over(scan, hole, prepared.midplane, None) for hole in holes)
    assert ill["lesion_probability"] > 0.15 and ill["lesion_probability"] > 10 * healthy["lesion_probability"], (ill, healthy)
    assert ill["tissue_doubt"] > healthy["tissue_doubt"]
    # the sides are each other's mirror
    assert ill["tissue_asymmetry"] == pytest.approx(healthy["tissue_asymmetry"], rel=0.1) and ill["tissue_asymmetry"] > 0.1
    # where the mirrored side may not be looked at there is no asymmetry
    assert np.isnan(prepared.maps.metrics_over(scan, holes[0], prepared.midplane, holes[1])["tissue_asymmetry"])


def test_the_lesion_s_probability_reaches_the_analysis_as_a_score(head):
    result = analyze(head, [BOX], load_model("harmonic"), controls=4).boxes[0]
    assert np.isfinite(result.metrics["lesion_probability"]) and np.isfinite(result.standings["lesion_peak"].z)
    assert all(np.isfinite(control.metrics["tissue_doubt"]) for control in result.controls)


def test_without_the_lesion_model_the_score_is_not_known(head, monkeypatch):
    monkeypatch.setattr("RadiomicsPersonaLib.networks.trained_model.missing_package", lambda: "torch")
    result = analyze(head, [BOX], load_model("harmonic"), controls=2)
    assert np.isnan(result.boxes[0].metrics["lesion_probability"]) and result.provenance["lesion_model"] is None


def test_the_shipped_card_says_what_it_was_trained_on():
    card = json.loads((SHIPPED_MODELS / "lesion.json").read_text())
    assert card["kind"] == "lesion" and {entry["licence"] for entry in card["data"]} == {"Apache-2.0"}
    assert (SHIPPED_MODELS / card["weights"]).stat().st_size < 10e6


@pytest.mark.usefixtures("shipped_models")
def test_held_out_heads_and_patients_are_told_apart_from_health(data_root, tmp_path, capsys):
    if not (data_root / "label_maps").is_dir():
        pytest.skip(f"No label maps in '{data_root}'.")
    output = tmp_path / "out"
    assert (
        train(
            [
                "evaluate",
                str(data_root),
                "--model",
                "lesion",
                "--groups",
                "BraTS,IXI",
                "--subjects",
                "1",
                "--output",
                str(output),
            ]
        )
        == 0
    )
    figures = json.loads((output / "evaluation.json").read_text())["figures"]
    assert figures["painted FLAIR"]["auroc"]["value"] > 0.8 and figures["BraTS FLAIR"]["auroc"]["value"] > 0.8
    assert "auroc" not in figures["IXI"] and figures["IXI"]["true_ml"]["value"] == 0
    assert "| BraTS T1 |" in capsys.readouterr().out
    with open(output / "cases.csv", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) > 8
    [healthy] = [row for row in rows if row["group"] == "IXI"]
    # where there is no lesion, agreement is all or nothing
    assert float(healthy["dice"]) == (float(healthy["found_ml"]) == 0) and healthy["sensitivity"] == "nan"
    [glioma] = [row for row in rows if row["group"] == "BraTS FLAIR"]
    dice = float(glioma["dice"])
    assert (
        0 < dice < 1
        and float(glioma["jaccard"]) == pytest.approx(dice / (2 - dice), abs=1e-3)
        and 0 < float(glioma["hd95_mm"]) < 200
    )
