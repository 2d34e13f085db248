"""The tissue model finds brain, fluid, grey and white in scans of any contrast, and says when there is no brain."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
import torch
from bench.phantom import make_head
from bench.training_site import tiny_tissue

from RadiomicsPersonaLib.analysis.analysis import analyze
from RadiomicsPersonaLib.brain.tissue import GREY, estimate_tissue
from RadiomicsPersonaLib.cli import main
from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.geometry.box import Box
from RadiomicsPersonaLib.geometry.hole import hole_of_box
from RadiomicsPersonaLib.imaging.files import read_scan
from RadiomicsPersonaLib.imaging.scan import make_scan
from RadiomicsPersonaLib.metrics.dice import dice_of
from RadiomicsPersonaLib.networks.card import model_cards
from RadiomicsPersonaLib.networks.head_model import TissueModel, tissue_input
from RadiomicsPersonaLib.networks.unets import TissueUNet, network_of
from RadiomicsPersonaLib.reconstruction.reconstruction_model import load_model
from RadiomicsPersonaLib.resources import SHIPPED_MODELS
from RadiomicsPersonaLib.system import device
from RadiomicsPersonaLib.system.stored_weights import read_weights
from RadiomicsPersonaTrainingLib.cli import main as train
from RadiomicsPersonaTrainingLib.fitting.head_tasks import tissue_dice, tissue_loss
from RadiomicsPersonaTrainingLib.head_evaluation.brain_sheets import mask_sheet
from RadiomicsPersonaTrainingLib.head_evaluation.tissue import (
    evaluate_tissue,
    held_out_maps,
    record_of,
    table_of,
    write_cases,
)
from RadiomicsPersonaTrainingLib.inspection.held_out_run import HeldOutRun
from RadiomicsPersonaTrainingLib.inspection.worst_case import open_case, worst_cases
from RadiomicsPersonaTrainingLib.runs.record import read_record
from RadiomicsPersonaTrainingLib.samples.tissue_samples import TissueSamples
from RadiomicsPersonaTrainingLib.settings.sample_sections import TissueRecipe
from RadiomicsPersonaTrainingLib.settings.training_settings import read_settings
from RadiomicsPersonaTrainingLib.synthesis.head_images import SynthesisRecipe
from RadiomicsPersonaTrainingLib.synthesis.tissue_contrast import CONTRASTS

pytestmark = pytest.mark.slow

SMALL = TissueRecipe(shape=(32, 48, 32), spacing=4.0, fine=4.0)
EASY = SynthesisRecipe(low_resolution=0, bias=0.2, extracted=0)
BOX = Box([30.0, 0.0, 20.0], [30.0, 30.0, 30.0])


@pytest.fixture(scope="module")
def head():
    return make_head(2.0)


@pytest.fixture(scope="module")
def samples(label_maps):
    return TissueSamples(sorted(label_maps.iterdir()), SMALL, seed=0, synthesis=EASY)


@pytest.fixture(scope="module")
def real_scans(data_root):
    """One scan of each source, whole heads and brain-extracted, several contrasts."""
    patterns = (
        "healthy/ixi_2mm_eval_only/*",
        "healthy/ds000011/*",
        "healthy/ds002748/*",
        "lesion/lgg_eval_only/*/*flair*",
        "lesion/ms/*/*T2*",
    )
    files = [sorted(data_root.glob(pattern + ".nii.gz"))[:1] for pattern in patterns]
    if not all(files):
        pytest.skip(f"Not all sources of real scans are in '{data_root}'.")
    return [found[0] for found in files]


def test_a_sample_s_shares_add_up_and_its_number_names_it(samples):
    image, shares, _ = samples[5]
    assert image.shape == (1, 32, 48, 32) and shares.shape == (4, 32, 48, 32)
    assert torch.allclose(shares.sum(dim=0), torch.ones(()), atol=1e-4) and 0 <= image.min() and image.max() <= 1.5
    assert 0.1 < 1 - shares[0].mean() < 0.6
    assert all(torch.equal(a, b) for a, b in zip(samples[5], (image, shares)))
    assert not torch.equal(samples[6][0], image)


def test_the_loss_is_least_for_the_right_shares(samples):
    shares = samples[0][1][None]
    right = torch.log(shares.clamp_min(1e-6))
    assert tissue_loss(right, shares) < tissue_loss(0.5 * right, shares) < tissue_loss(right.roll(1, dims=1), shares)
    assert tissue_dice(right, shares) == [1.0] * 4


def test_a_tissue_model_is_trained_exported_and_used(label_maps, samples, fit, tmp_path, monkeypatch):
    def errors(run):
        with open(tmp_path / run / "log.csv") as stream:
            rows = list(csv.DictReader(stream))
        assert float(rows[-1]["validation_dice_brain"]) > 0.8
        return [float(row["validation_one_minus_dice"]) for row in rows]

    assert fit(tiny_tissue(steps=40)) == 0
    best = min(errors("run"))
    assert (tmp_path / "run" / "pictures" / "epoch-00002.png").stat().st_size > 2000

    models = tmp_path / "models"
    assert train(["export", str(tmp_path / "run"), "--output", str(models / "tiny-tissue")]) == 0
    card = json.loads((models / "tiny-tissue.json").read_text())
    assert card["kind"] == "tissue" and card["grid"] == {"spacing_mm": 4.0}
    assert card["data"][0]["licence"] == "CC0" and len(card["data"][0]["test"]) == 1
    monkeypatch.setenv("RADIOMICS_PERSONA_MODELS", str(models))
    assert TissueModel.installed().card["sha256"] == card["sha256"]
    # and another run begins with its weights
    again = tiny_tissue(steps=20).replace("[fit]", f'[fit]\nstart = "{models / "tiny-tissue.json"}"').replace("0.01", "1e-6")
    assert fit(again, "again") == 0
    assert errors("again")[0] == pytest.approx(best, abs=0.02)

    def dice(network):
        image, shares, _ = samples[3]
        with torch.inference_mode():
            return np.mean(tissue_dice(network(image[None]), shares[None]))

    torch.manual_seed(0)
    assert dice(TissueModel.load("tiny-tissue").network) > 0.1 + dice(TissueUNet((16, 16, 16, 16), (1, 1, 1, 1)))

    # the head that it does worst in is opened, and a scan tried, before it is exported
    run, evaluation = tmp_path / "run", tmp_path / "run" / "evaluation"
    held_out = HeldOutRun(run, read_record(run))
    cases = evaluate_tissue(held_out.maps(), held_out.model(), contrasts=CONTRASTS[:1], slices=(1.0,))
    evaluation.mkdir()
    write_cases(cases, evaluation / "cases.csv")
    (evaluation / "evaluation.json").write_text(json.dumps({"seed": 0}))
    opened = open_case(run, evaluation, worst_cases(evaluation, "tissue")[0], tmp_path / "case")
    truth, found, scan = (read_scan(path) for path in (opened.maps["truth"], opened.maps["found"], opened.scan))
    assert truth.shape == found.shape == scan.shape and opened.labels[2][0] == "grey matter"
    assert dice_of(found.array == GREY, truth.array == GREY) == pytest.approx(cases[0].dice["grey"], abs=0.01)
    assert train(["predict", str(run), str(opened.scan), "--output", str(tmp_path / "tissues.nii.gz")]) == 0
    assert dice_of(read_scan(tmp_path / "tissues.nii.gz").array > 0, truth.array > 0) > 0.7


def test_init_writes_settings_for_a_tissue_model(site, label_maps, tmp_path):
    assert (
        train(
            ["init", str(tmp_path / "tissue.toml"), "--split", str(site / "maps.csv"), "--task", "tissue", "--start", "tissue"]
        )
        == 0
    )
    text = (tmp_path / "tissue.toml").read_text()
    settings = read_settings(tmp_path / "tissue.toml")
    assert settings.task.kind == "tissue" and settings.data[0].kind == "label maps" and settings.fit.start == "tissue"
    assert "[tissue]" in text and "[recipe]" not in text


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('kind = "label maps"', 'kind = "scans"', "label maps"),
        ("shape = [32, 48, 32]", "shape = [32, 50, 32]", "multiples of 16"),
        ("[fit]", '[fit]\nstart = "healthy-t1"', "no tissue model"),
    ],
)
def test_settings_that_no_tissue_model_can_be_trained_by_are_refused(label_maps, fit, capsys, old, new, said):
    assert fit(tiny_tissue().replace(old, new)) == 2
    assert said in capsys.readouterr().err


def test_brightness_and_units_of_a_scan_do_not_matter(head):
    values = head.array
    assert np.allclose(tissue_input(values), tissue_input(37.5 * values + 250), atol=1e-4)
    # nor does the share of air
    padded = np.pad(values, 20, constant_values=float(values.min()))
    assert np.allclose(tissue_input(padded)[20:-20, 20:-20, 20:-20], tissue_input(values), atol=0.1)


def test_the_reconstruction_network_still_takes_the_shipped_weights():
    card = json.loads((SHIPPED_MODELS / "healthy-t1.json").read_text())
    network, weights = network_of(card["architecture"]), read_weights(SHIPPED_MODELS / "healthy-t1.safetensors")
    assert {k: v.shape for k, v in network.state_dict().items()} == {k: v.shape for k, v in weights.items()}


def test_the_tissue_model_is_no_model_that_rebuilds(capsys):
    assert "tissue" in model_cards("tissue") and "tissue" not in model_cards()
    assert main(["models"]) == 0 and "tissue         tissue model" in capsys.readouterr().out
    assert load_model("auto").name != "tissue"
    for name in ("tissue", str(SHIPPED_MODELS / "tissue.json")):
        with pytest.raises(InputError):
            load_model(name)


def test_a_damaged_tissue_model_is_refused(tmp_path, monkeypatch, head):
    for name in ("tissue.json", "tissue.safetensors"):
        data = bytearray((SHIPPED_MODELS / name).read_bytes())
        data[-1] ^= name.endswith("tensors")
        (tmp_path / name).write_bytes(data)
    monkeypatch.setenv("RADIOMICS_PERSONA_MODELS", str(tmp_path))
    with pytest.raises(InputError, match="damaged"):
        estimate_tissue(head)


def test_what_found_the_brain_stands_in_the_provenance(head, monkeypatch):
    found = analyze(head, [BOX], load_model("harmonic"), controls=2).provenance["preprocessing"]["brain_found_by"]
    assert found["method"] == "tissue model" and len(found["sha256"]) == 64
    monkeypatch.setattr(device, "missing_package", lambda: "torch")
    monkeypatch.setattr("RadiomicsPersonaLib.networks.trained_model.missing_package", lambda: "torch")
    without = analyze(head, [BOX], load_model("harmonic"), controls=2)
    assert "thresholds" in without.provenance["preprocessing"]["brain_found_by"]["method"]
    assert without.boxes[0].controls and 1000 < without.tissue.brain_ml < 2000


def test_nothing_inside_a_hidden_box_is_looked_at(head):
    hole = hole_of_box(head, BOX)
    other = head.array.copy()
    other[hole.region][hole.mask] = np.random.default_rng(0).uniform(0, 5000, hole.voxels)
    first, second = (estimate_tissue(scan, hole) for scan in (head, make_scan(other, head.affine)))
    assert np.array_equal(first.anatomy.shares, second.anatomy.shares) and first.scale == second.scale
    assert not np.array_equal(estimate_tissue(make_scan(other, head.affine)).anatomy.shares, first.anatomy.shares)


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1, 0, 2)])
def test_the_order_and_direction_of_the_scan_s_axes_do_not_matter(head, order):
    array = head.array.transpose(order)[:, ::-1]
    turn = np.zeros((4, 4))
    turn[3, 3] = 1
    for new, old in enumerate(order):
        turn[old, new] = 1
    turn[:3, 3] += turn[:3, 1] * (array.shape[1] - 1)
    turn[:3, 1] *= -1
    straight, turned = estimate_tissue(head), estimate_tissue(make_scan(array, head.affine @ turn))
    points = head.ras_from_ijk(np.argwhere(np.ones(head.shape, bool))[::50])
    assert (straight.classes_at(points) == turned.classes_at(points)).mean() > 0.97
    on_scan = turned.anatomy.classes_on(head.affine @ turn, array.shape)
    assert (on_scan == straight.anatomy.classes_on(head.affine, head.shape).transpose(order)[:, ::-1]).mean() > 0.97


def test_what_shows_no_brain_is_said(head):
    rng = np.random.default_rng(0)
    grid = np.indices((80, 80, 80)) - 40
    ball = (np.linalg.norm(grid, axis=0) < 33) * 500.0 + 20 * np.abs(rng.standard_normal((80, 80, 80)))
    scan = make_scan(ball.astype(np.float32), np.diag([2.5, 2.5, 2.5, 1.0]))
    result = analyze(scan, [Box([100, 100, 100], [20, 20, 20])], load_model("harmonic"), controls=2)
    assert any("brain MRI" in note for note in result.warnings)
    assert not any("brain MRI" in note for note in analyze(head, [BOX], load_model("harmonic"), controls=0).warnings)


def test_the_shipped_card_says_what_it_was_trained_on_and_that_its_recipe_is_the_default():
    card = json.loads((SHIPPED_MODELS / "tissue.json").read_text())
    assert "SynthSeg" in card["data"][0]["source"] and (SHIPPED_MODELS / card["weights"]).stat().st_size < 10e6
    assert set(card["data"][0]["training"]).isdisjoint(card["data"][0]["test"])
    assert card["grid"]["spacing_mm"] == TissueRecipe().spacing


def test_held_out_heads_are_parted_in_every_contrast(data_root, tmp_path, capsys):
    if not (data_root / "label_maps").is_dir():
        pytest.skip(f"No label maps in '{data_root}'.")
    model = TissueModel.load("auto")
    file = held_out_maps(data_root, model.card)[0]
    cases = evaluate_tissue([file], model, seed=1, slices=(3.0,))
    for case in cases:
        assert case.dice["brain"] > 0.9 and min(case.dice["grey"], case.dice["white"]) > 0.6, table_of(cases)
    record = record_of(cases, model, seed=1)
    assert record["dice"]["all"]["brain"]["low"] is None and record["dice"]["T2"]["grey"]["value"] > 0.6
    assert "| all |" in table_of(cases)


def test_evaluate_tells_what_to_do_without_label_maps(tmp_path, capsys):
    assert train(["evaluate", str(tmp_path), "--model", "tissue", "--output", str(tmp_path / "out")]) == 2
    assert "label maps" in capsys.readouterr().err and not (tmp_path / "out").exists()


def test_real_scans_of_every_source_have_a_brain_of_human_size(real_scans):
    sheet, rows = mask_sheet(real_scans, TissueModel.load("auto"), columns=2)
    assert np.asarray(sheet).any()
    for row, path in zip(rows, real_scans):
        assert row["found_by"] == "tissue model" and 900 < row["ml"] < 2200, row
    # brain extraction left the brain, so the mask is what is left
    extracted = read_scan(next(path for path in real_scans if "ds002748" in str(path)))
    found = estimate_tissue(extracted).brain_on(extracted.affine, extracted.shape)
    assert dice_of(found, extracted.array > 0) > 0.9
