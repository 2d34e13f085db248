"""What README, how-to and the pages on standards and on whole heads tell a reader to type runs as it stands there, on a small
head, and writes what it names. The tutorial's lines run in Slicer's tests, see modules/test_tutorial_console.py.
"""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import SimpleITK
from bench.dicom_series import PATIENT, SERIES, write_dicom_series
from bench.phantom import make_head, with_dark_blob

import RadiomicsPersonaLib as rp
from RadiomicsPersonaLib.cli import main
from RadiomicsPersonaLib.geometry.hole import hole_of_box
from RadiomicsPersonaLib.geometry.markups import write_boxes
from RadiomicsPersonaLib.imaging.files import write_nifti

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("small_models")]

CHECKOUT = Path(__file__).resolve().parents[2]
PAGES = ("README.md", "docs/howto.md", "docs/standards.md", "docs/scan.md")
ELSEWHERE = {
    "tcp://HOST": "needs a cluster; test_cohort.py has one",
    "--model hippocampus": "needs a crop that this head is not; test_hippocampus_model.py has one",
    "pip install": "changes the installation",
    "docker ": "needs a container engine; test_container.py runs what the recipe runs",
    "git clone": "needs a network",
    "cd ": "is the line after git clone",
    "make ": "sets up environments of its own; test_set_up.py tests what it calls",
    "RadiomicsPersonaLib as rp": "is README's Python, which has a test below",
    "rp.": "is README's Python, which has a test below",
    "print(analysis": "is README's Python, which has a test below",
    "python -m jsonschema": "has a test below",
    "dask ": "starts a cluster that does not end; test_cohort.py starts one",
}
"""Lines of the pages that do not run here, with the reason."""


def code_of(page: str) -> list[str]:
    """Lines of a page's indented code, without what is said about them."""
    text = (CHECKOUT / page).read_text(encoding="utf-8")
    return [re.split(r"\s{2,}#", line)[0].removeprefix("    ") for line in text.splitlines() if line.startswith("    ")]


LINES = sorted({line.strip() for page in PAGES for line in code_of(page) if line.strip()})
COMMANDS = [line for line in LINES if not any(words in line for words in ELSEWHERE)]
COMMANDS = [line for line in COMMANDS if line.startswith("radiomics-persona ")]
COMMANDS.sort(key=lambda line: " regress " in line)  # which reads what `follow` writes


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with all files that the commands name."""
    folder = tmp_path_factory.mktemp("reader")
    box = rp.Box(center=(30, -26, 26), size=(18, 18, 18), name="lesion")
    head = with_dark_blob(make_head(3.0), np.array([-30, -26, 26]))  # the other side, so that the place itself is tissue
    hole = hole_of_box(head, box)
    mask = np.zeros(head.shape, np.uint8)
    mask[hole.region] = hole.mask
    for name in ("scan", "flair", "2024", "2025"):
        write_nifti(folder / f"{name}.nii.gz", head.array, head.affine)
    for name in ("mask", "lesion", "labels", "known"):
        write_nifti(folder / f"{name}.nii.gz", mask, head.affine)
    write_boxes(folder / "lesions.mrk.json", [box])
    whole = SimpleITK.ReadImage(str(folder / "scan.nii.gz"), SimpleITK.sitkInt16)
    write_dicom_series(whole, folder / "series_folder", SERIES, PATIENT)
    anat = folder / "dataset" / "sub-01" / "anat"
    anat.mkdir(parents=True)
    told = {"Name": "heads", "BIDSVersion": "1.10.0", "DatasetType": "raw", "License": "CC0"}
    (folder / "dataset" / "dataset_description.json").write_text(json.dumps(told), encoding="utf-8")
    for suffix in ("T1w", "T2w"):
        shutil.copy(folder / "scan.nii.gz", anat / f"sub-01_{suffix}.nii.gz")
    shutil.copy(CHECKOUT / "RadiomicsPersona" / "Resources" / "Schemas" / "results.schema.json", folder)
    (folder / "scans.csv").write_text('scan,box,mask\nscan.nii.gz,"30,-26,26,18,18,18",mask.nii.gz\n', encoding="utf-8")
    return folder


def test_every_line_of_the_pages_runs_here_or_is_listed_with_its_reason():
    assert not [line for line in LINES if line not in COMMANDS and not any(words in line for words in ELSEWHERE)]
    unused = [words for words in ELSEWHERE if not any(words in line for line in LINES)]
    assert not unused, "no page has such a line any more"


@pytest.mark.parametrize("line", COMMANDS)
def test_a_command_of_a_page_does_what_it_says(line, folder, monkeypatch, capsys):
    if " regress " in line and not (folder / "P1").exists():
        pytest.skip("it reads what the command before it on the page writes")
    if "places/boxes/" in line:  # of what `scan` writes; in this head no place stands out
        (folder / "places" / "boxes").mkdir(parents=True, exist_ok=True)
        shutil.copy(folder / "lesions.mrk.json", folder / "places" / "boxes" / "place-1.mrk.json")
    if " features " in line:
        pytest.importorskip("mirp")
    if "dicom" in line:
        pytest.importorskip("highdicom")
    monkeypatch.chdir(folder)
    words = shlex.split(line)[1:]
    assert main(words) == 0, capsys.readouterr().err
    output = Path(words[next(words.index(name) for name in ("--output", "-o") if name in words) + 1])
    assert output.exists() and (output.is_file() or any(output.iterdir()))


def test_the_validator_of_the_page_on_standards_accepts_results(folder):
    pytest.importorskip("jsonschema")
    [line] = [line for line in LINES if line.startswith("python -m jsonschema")]
    if not (folder / "results" / "results.json").exists():
        words = ["--box", "30,-26,26,18,18,18", "--model", "harmonic", "--output", str(folder / "results")]
        assert main(["analyze", str(folder / "scan.nii.gz"), *words]) == 0
    words = [sys.executable, *shlex.split(line)[1:]]
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_readmes_python_does_what_it_says(folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    lines = code_of("README.md")
    start = lines.index("import RadiomicsPersonaLib as rp")
    exec("\n".join(lines[start : start + 4]), {})
    assert capsys.readouterr().out.split()[0] in ("0", "1", "None")
    assert (folder / "results" / "report.html").is_file()


def test_nothing_can_be_painted_into_fluid_and_that_is_said(tmp_path, monkeypatch, capsys):
    head = with_dark_blob(make_head(3.0), np.array([30, -26, 26]))
    write_nifti(tmp_path / "scan.nii.gz", head.array, head.affine)
    monkeypatch.chdir(tmp_path)
    words = "sensitivity scan.nii.gz --place 30,-26,26 --kind ms --contrast T1 --model harmonic --controls 2 --output o".split()
    assert main([*words, "--sizes", "0.3"]) == 2
    said = capsys.readouterr().err
    assert "changes no voxel here" in said and said.count("\n") == 1
    assert not (tmp_path / "o").exists()
    assert main([*words, "--strengths", "1"]) == 0
    assert "note: It was left out. A lesion of 0.1 ml changes no voxel here" in capsys.readouterr().out
