"""A run is measured on its own test scans, its worst hole is opened, and its model travels as one checked file."""

from __future__ import annotations

import json
import pickle
import shutil
import zipfile

import numpy as np
import pytest

from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.imaging.files import read_scan
from RadiomicsPersonaLib.networks.card import model_cards, read_card
from RadiomicsPersonaTrainingLib.cli import main
from RadiomicsPersonaTrainingLib.export.model_archive import install_archive, install_run, installed_models, remove_model
from RadiomicsPersonaTrainingLib.inspection.worst_case import open_case, worst_cases

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("small_models")]


@pytest.fixture(scope="module")
def evaluated(tiny_run, tmp_path_factory):
    """A tiny run with the evaluation of its best checkpoint in it."""
    run = shutil.copytree(tiny_run, tmp_path_factory.mktemp("runs") / "run")
    assert main(["evaluate", str(run), "--boxes", "1", "--output", str(run / "evaluation")]) == 0
    return run


@pytest.fixture
def own_models(tmp_path, monkeypatch):
    """An empty folder of the user's own models."""
    monkeypatch.setenv("RADIOMICS_PERSONA_MODELS", str(tmp_path / "models"))
    return tmp_path / "models"


def test_a_run_is_evaluated_on_its_own_test_scans_and_its_worst_hole_is_opened(site, evaluated, tmp_path):
    test = next(row["subject"] for row in json.loads((evaluated / "run.json").read_text())["rows"] if row["part"] == "test")
    rows = worst_cases(evaluated / "evaluation")
    assert {row["subject"] for row in rows} == {test}
    errors = [float(row["mse"]) for row in rows]
    assert errors == sorted(errors, reverse=True) and len(errors) >= 2
    opened = open_case(evaluated, evaluated / "evaluation", rows[0], tmp_path)
    scan, rebuilt = read_scan(opened.scan), read_scan(opened.rebuilt)
    changed = scan.array != rebuilt.array
    assert np.array_equal(scan.array, read_scan(site / "heads" / f"{test}.nii.gz").array)
    assert abs(changed.sum() * 64 / 1000 - float(rows[0]["milliliters"])) < 0.2 * float(rows[0]["milliliters"])
    middle = scan.ras_from_ijk(np.argwhere(changed).mean(axis=0))
    assert np.abs(middle - opened.center).max() < 8


def test_a_run_in_use_is_a_model_among_the_others_with_the_figures_in_its_card(evaluated, own_models):
    card_file = install_run(evaluated, "clinic")
    card = read_card(card_file)
    assert model_cards()["clinic"] == card_file and not card["default"] and "figures" in card["evaluation"]
    with pytest.raises(InputError, match="already installed"):
        install_run(evaluated, "clinic")
    for name in ("healthy-t1", "auto", "a/b", ""):
        with pytest.raises(InputError, match="name|called"):
            install_run(evaluated, name)
    assert {(model.name, model.own, model.problem) for model in installed_models()} >= {
        ("healthy-t1", False, ""),
        ("clinic", True, ""),
    }


def test_a_model_travels_as_one_file_and_is_checked_on_arrival(evaluated, own_models, tmp_path, capsys):
    install_run(evaluated, "clinic")
    assert main(["models", "--archive", "clinic", "--output", str(tmp_path / "clinic.zip")]) == 0
    size = sum(file.stat().st_size for file in own_models.iterdir())
    assert remove_model("clinic") == size and not list(own_models.iterdir())
    assert main(["models", "--install", str(tmp_path / "clinic.zip")]) == 0
    assert "clinic" in model_cards()
    remove_model("clinic")

    content = {}
    with zipfile.ZipFile(tmp_path / "clinic.zip") as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    assert sorted(content) == ["clinic.json", "clinic.safetensors"]
    card = json.loads(content["clinic.json"])
    weights = content["clinic.safetensors"]
    damaged = {
        "is no model archive": None,
        "'model.pkl'": {"clinic.json": content["clinic.json"], "model.pkl": pickle.dumps({})},
        "'../clinic.safetensors'": {"clinic.json": content["clinic.json"], "../clinic.safetensors": weights},
        "SHA-256": {**content, "clinic.safetensors": weights[:-1] + b"x"},
        "another version": {
            **content,
            "clinic.json": json.dumps(card | {"architecture": card["architecture"] | {"channels": [16, 8, 8, 8]}}).encode(),
        },
        "name of a model of the program": {**content, "clinic.json": json.dumps(card | {"name": "healthy-t1"}).encode()},
        "an unusable grid": {**content, "clinic.json": json.dumps(card | {"grid": {}}).encode()},
        "cannot be called": {**content, "clinic.json": json.dumps(card | {"name": "../../x"}).encode()},
        "names the weights": {**content, "clinic.json": json.dumps(card | {"weights": "../healthy-t1.safetensors"}).encode()},
    }
    for sentence, members in damaged.items():
        file = tmp_path / "damaged.zip"
        if members is None:
            file.write_bytes(pickle.dumps({}))
        else:
            with zipfile.ZipFile(file, "w") as archive:
                for name, data in members.items():
                    archive.writestr(name, data)
        with pytest.raises(InputError, match=sentence):
            install_archive(file)
        assert not list(own_models.glob("*"))
    assert main(["models", "--remove", "healthy-t1"]) == 2
    assert "of your own" in capsys.readouterr().err


def test_a_damaged_model_is_listed_with_what_is_wrong(evaluated, own_models):
    install_run(evaluated, "clinic")
    (own_models / "clinic.safetensors").write_bytes(b"0")
    assert "damaged" in next(model.problem for model in installed_models() if model.name == "clinic")
