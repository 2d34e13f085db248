"""What a folder holds is told before a training begins: scan by scan, setting by setting, and what it will take."""

from __future__ import annotations

import csv
import re
from dataclasses import replace

import numpy as np
import pytest
from bench.training_site import tiny
from PIL import Image

from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.imaging.files import read_scan, write_nifti
from RadiomicsPersonaTrainingLib.cli import main
from RadiomicsPersonaTrainingLib.data.survey import contrast_in_name, survey
from RadiomicsPersonaTrainingLib.settings.definition import MATTERING, complaints, definition, hidden_sections, settings_table
from RadiomicsPersonaTrainingLib.settings.training_settings import TrainingSettings, read_table, settings_from, written

pytestmark = pytest.mark.slow


def test_a_folder_is_told_scan_by_scan_with_its_problems_in_words(site, label_maps, tmp_path):
    folder = tmp_path / "heads"
    folder.mkdir()
    head = read_scan(site / "heads" / "sub-0.nii.gz")
    write_nifti(folder / "sub-a_T1w.nii.gz", head.array, head.affine)
    write_nifti(folder / "sub-b_FLAIR.nii.gz", head.array, head.affine @ np.diag([0.1, 0.1, 0.1, 1]))
    write_nifti(folder / "sub-c.nii.gz", (head.array > 50).astype(np.uint8), head.affine)
    (folder / "sub-d.nii.gz").write_bytes(b"nothing of the kind")
    (folder / "sub-e_T1w.nii.gz").write_bytes((folder / "sub-a_T1w.nii.gz").read_bytes())
    (folder / "sub-f.nii.gz").write_bytes((label_maps / "map-0.nii.gz").read_bytes())
    said = []
    rows = survey([folder], tmp_path / "survey", progress=lambda *told: said.append(told))
    assert [(row.subject, row.kind, row.contrast) for row in rows] == [
        ("sub-a", "scan", "T1w"),
        ("sub-b", "scan", "FLAIR"),
        ("sub-c", "unusable", ""),
        ("sub-d", "unusable", ""),
        ("sub-e", "scan", "T1w"),
        ("sub-f", "label map", ""),
    ]
    assert rows[0].shape == head.shape and rows[0].spacing == (4, 4, 4) and Image.open(rows[0].thumbnail).size == (96, 96)
    assert "spacing of 0.4 x 0.4 x 0.4 mm looks wrong" in rows[1].problems[0]
    assert "mask" in rows[2].problems[0] and "sub-d.nii.gz" in rows[3].problems[0] and "twice" in rows[4].problems[0]
    assert said[-1][:2] == (6, 6)
    # the second time nothing is read again
    (folder / "sub-b_FLAIR.nii.gz").unlink()
    assert survey([folder], tmp_path / "survey") == [rows[0], *rows[2:]]
    with pytest.raises(InputError, match="check the path"):
        survey([tmp_path / "gone"], tmp_path / "survey")


@pytest.mark.parametrize("name, contrast", [
    ("sub-1_T1w.nii.gz", "T1w"), ("BraTS-001-t1c.nii.gz", "T1 post"), ("x_T2.nii.gz", "T2w"), ("p-t2f.nii.gz", "FLAIR"),
    ("IXI002-MPRAGE.nii.gz", "T1w"), ("subject12.nii.gz", ""), ("cat123.nii.gz", ""),
])  # fmt: skip
def test_names_tell_contrasts(name, contrast):
    assert contrast_in_name(name) == contrast


def test_the_definition_holds_every_key_of_a_written_file_with_its_explanation():
    text = written(TrainingSettings())
    found = definition()
    keys = {f"{section['name']}.{key['name']}": key for section in found["sections"] for key in section["keys"]}
    assert set(MATTERING) == {name for name, key in keys.items() if key["matters"]}
    for section in re.findall(r"^\[(\w+)\]$", text, re.M):
        block = text.split(f"[{section}]\n")[1].split("\n\n")[0]
        for name in re.findall(r"^(\w+) = ", block, re.M):
            assert keys[f"{section}.{name}"]["explanation"]
    assert (keys["fit.steps"]["type"], keys["fit.steps"]["low"], keys["fit.steps"]["default"]) == ("int", 1, 5000)
    assert (keys["recipe.side"]["length"], keys["recipe.spacings"]["length"]) == (2, 0)


def test_a_table_goes_into_a_file_and_back_and_what_is_wrong_in_it_is_said_by_key(tmp_path):
    table = settings_table(TrainingSettings())
    assert complaints(table) == {} and hidden_sections(table) == ["augmentation", "masks", "segmentation", "tissue"]
    assert settings_from(table) == TrainingSettings()
    table["fit"]["steps"], table["recipe"]["side"] = 0, [1.0]
    assert complaints(table) == {
        "fit.steps": "'steps' in [fit] is 0, out of its range: give 1 to 10000000.",
        "recipe.side": complaints(table)["recipe.side"],
    }
    assert "not a list of 2" in complaints(table)["recipe.side"]
    table = settings_table(TrainingSettings())
    table["recipe"]["patch"] = 40
    assert "multiple of 16" in complaints(table)["recipe.patch"]


def test_disk_space_and_time_are_told_beforehand(site, tmp_path, capsys):
    settings = site / f"{tmp_path.name}.toml"
    settings.write_text(tiny(steps=5000))
    assert (
        main(["fit", str(settings), "--output", str(tmp_path / "run"), "--cache", str(tmp_path / "cache"), "--estimate"]) == 0
    )
    said = capsys.readouterr().out
    assert not (tmp_path / "run").exists() and len(list((tmp_path / "cache").iterdir())) == 2  # one scan of either part
    assert "3 scans and 5000 steps of" in said and "free" in said
    assert read_table(settings)["fit"]["steps"] == 5000


def test_what_does_not_fit_on_the_disk_is_said_and_what_a_graphics_card_has(site, tmp_path, monkeypatch):
    from RadiomicsPersonaTrainingLib.fitting.estimate import TrainingEstimate

    estimate = TrainingEstimate(20, 3 * 10**9, 10**9, 2 * 10**9, 100.0, 2.0, 10_000.0, 5000, "CPU")
    assert not estimate.fits
    assert estimate.sentence == (
        "About 4 GB on the disk, which has 2 GB free, and about 2.8 h on this CPU: 2 min to prepare 20 scans and 5000 "
        "steps of 2 s. Free some space, or train on fewer scans."
    )
    on_card = replace(estimate, device="GPU", gpu_memory=3 * 10**9, gpu_total=24 * 10**9)
    assert "of 2 s. A step takes 3 GB of the GPU's 24 GB. Free some space" in on_card.sentence


def test_a_list_of_scans_in_a_csv_is_looked_at_too(site, tmp_path):
    with open(tmp_path / "list.csv", "w", newline="") as stream:
        csv.writer(stream).writerows([("subject", "file"), ("Anna", site / "heads" / "sub-1.nii.gz"), ("Ben", "gone.nii.gz")])
    rows = survey([tmp_path / "list.csv"], tmp_path / "survey", look_closely=False)
    assert [(row.subject, row.kind) for row in rows] == [("Anna", "scan"), ("Ben", "unusable")]
    assert "gone.nii.gz" in rows[1].problems[0]
