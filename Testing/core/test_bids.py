"""BIDS: a dataset is read, and what is written of it is a dataset of derivatives that the validator accepts."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from bench.phantom import make_head

from RadiomicsPersonaLib.cli import main
from RadiomicsPersonaLib.cohort.bids import write_rows_of
from RadiomicsPersonaLib.imaging.files import read_label_map, write_nifti
from RadiomicsPersonaLib.system.csv_table import CsvTable

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("small_models")]

IMAGES = "healthy_T1w", "deviation_T1w", "unusual_mask"


@pytest.fixture(scope="module")
def dataset(tmp_path_factory) -> Path:
    """One subject with a session, a T1w and a scan of another kind."""
    folder, head = tmp_path_factory.mktemp("dataset"), make_head(4.0)
    told = {"Name": "heads", "BIDSVersion": "1.10.0", "DatasetType": "raw", "License": "CC0"}
    (folder / "dataset_description.json").write_text(json.dumps(told))
    anat = folder / "sub-01" / "ses-a" / "anat"
    anat.mkdir(parents=True)
    write_nifti(anat / "sub-01_ses-a_T1w.nii.gz", head.array, head.affine)
    write_nifti(anat / "sub-01_ses-a_T2w.nii.gz", head.array, head.affine)
    return folder


@pytest.fixture(scope="module")
def derivatives(dataset, tmp_path_factory) -> Path:
    """What `cohort --bids` makes of it."""
    folder = tmp_path_factory.mktemp("derivatives") / "persona"
    words = ["--", "-m", "harmonic", "--controls", "3", "--box", "34,-10,14,28,28,28"]
    outputs = ["--outputs", "csv,json,reconstruction,unusual,deviation"]
    assert main(["cohort", "--bids", str(dataset), "-j", "1", "-o", str(folder), *words, *outputs]) == 0
    return folder


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("sub-01/anat/sub-02_T1w.nii.gz", "begins with sub-01_"),
        ("sub-01/ses-a/anat/sub-01_T1w.nii.gz", "begins with sub-01_ses-a_"),
        ("sub-/anat/sub-_T1w.nii.gz", "rules of BIDS"),
        ("sub-01/anat/sub-01_acq-a\nb_T1w.nii.gz", r"'sub-01_acq-a\nb_T1w.nii.gz' is not named"),
        ("sub-01/anat/sub-01_acq-\udcff_T1w.nii.gz", "is not named"),
        ("sub-\udcff/anat/sub-\udcff_T1w.nii.gz", "is not named"),
        ("sub-01/ses-a/anat/sub-01_ses-a_T1w.nii", "have one name: keep one"),
    ],
)
def test_a_scan_whose_name_is_not_that_of_its_folders_is_refused_and_none_is_left_out(dataset, tmp_path, capfd, name, said):
    copy = shutil.copytree(dataset, tmp_path / "dataset")
    (copy / name).parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(next(dataset.rglob("*_T1w.nii.gz")), copy / name)
    assert main(["cohort", "--bids", str(copy), "-o", str(tmp_path / "out"), "--", "--box", "0,0,0,9,9,9"]) == 2
    told = capfd.readouterr().err
    assert said in told and told.count("\n") == 1 and not (tmp_path / "out").exists()


@pytest.mark.parametrize("content", [b"{", b"[1]", b"null", b'{"Name": "\xff"}', b"[" * 20_000, None])
def test_a_damaged_description_is_refused_before_anything_is_computed(dataset, tmp_path, capfd, content):
    copy = shutil.copytree(dataset, tmp_path / "dataset")
    (copy / "dataset_description.json").unlink()
    if content is not None:
        (copy / "dataset_description.json").write_bytes(content)
    assert main(["cohort", "--bids", str(copy), "-o", str(tmp_path / "out"), "--", "--box", "0,0,0,9,9,9"]) == 2
    told = capfd.readouterr().err
    assert "dataset_description.json" in told and told.count("\n") == 1 and not (tmp_path / "out").exists()


def test_a_subject_cannot_run_in_a_spreadsheet(dataset, tmp_path):
    anat = tmp_path / "dataset" / "sub-=1+1" / "anat"
    anat.mkdir(parents=True)
    shutil.copy(dataset / "dataset_description.json", tmp_path / "dataset")
    shutil.copy(next(dataset.rglob("*_T1w.nii.gz")), anat / "sub-=1+1_T1w.nii.gz")
    table = write_rows_of(tmp_path / "dataset", "T1w", tmp_path)
    assert "\n'=1+1,," in table.read_text()
    [(_, row)] = CsvTable(table)
    assert row["subject"] == "=1+1" and Path(row["scan"]).is_file()


def test_images_have_their_names_sidecars_and_sources(derivatives):
    anat = derivatives / "sub-01" / "ses-a" / "anat"
    for name in IMAGES:
        stem = anat / f"sub-01_ses-a_desc-{name}"
        told = json.loads(stem.with_name(f"{stem.name}.json").read_text())
        assert told["Sources"] == ["bids:raw:sub-01/ses-a/anat/sub-01_ses-a_T1w.nii.gz"]
        assert read_label_map(stem.with_name(f"{stem.name}.nii.gz")).shape == make_head(4.0).shape
    assert json.loads((anat / "sub-01_ses-a_desc-unusual_mask.json").read_text())["Type"] == "Lesion"
    assert not list(anat.glob("*T2w*")), "only what was asked for"
    told = json.loads((derivatives / "dataset_description.json").read_text())
    assert told["DatasetType"] == "derivative" and told["GeneratedBy"][0]["Name"] == "RadiomicsPersona"


def test_the_validator_finds_no_error(derivatives):
    name = "bids-validator-deno"
    validator = shutil.which(name, path=str(Path(sys.executable).parent)) or shutil.which(name)
    if validator is None:
        pytest.skip("The BIDS validator is not installed: pip install bids-validator-deno.")
    said = subprocess.run([validator, str(derivatives), "--json"], capture_output=True, text=True, check=False).stdout
    issues = json.loads(said)["issues"]["issues"]
    assert not [issue for issue in issues if issue["severity"] == "error"], said
    (derivatives / "sub-01" / "ses-a" / "anat" / "sub-01_notes.txt").write_text("this is no BIDS name")
    said = subprocess.run([validator, str(derivatives), "--json"], capture_output=True, text=True, check=False).stdout
    assert '"severity":"error"' in said, "it looks"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--bids", "{empty}"], "is no BIDS dataset"),
        (["--bids", "{dataset}", "--suffix", "FLAIR"], "name another --suffix"),
        ([], "Give either a TABLE.csv or --bids"),
    ],
)
def test_what_is_no_dataset_is_told_and_nothing_is_written(dataset, tmp_path, capsys, words, expected):
    (tmp_path / "empty").mkdir()
    words = [word.format(empty=tmp_path / "empty", dataset=dataset) for word in words]
    assert main(["cohort", *words, "-o", str(tmp_path / "out")]) == 2
    assert expected in capsys.readouterr().err and not (tmp_path / "out").exists()
