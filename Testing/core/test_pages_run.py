"""What README and how-to tell a reader to type runs as it stands there, on a small head, and writes what it names."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from bench.phantom import make_head, with_dark_blob

import RadiomicsPersonaLib as rp
from RadiomicsPersonaLib.cli import main
from RadiomicsPersonaLib.geometry.hole import hole_of_box
from RadiomicsPersonaLib.geometry.markups import write_boxes
from RadiomicsPersonaLib.imaging.files import write_nifti

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("small_models")]

CHECKOUT = Path(__file__).resolve().parents[2]
PAGES = ("README.md", "docs/howto.md")
ELSEWHERE = ("tcp://HOST", "--model hippocampus")
"""What needs a cluster, or a crop that this head is not."""


def code_of(page: str) -> list[str]:
    """Lines of a page's indented code, without what is said about them."""
    text = (CHECKOUT / page).read_text(encoding="utf-8")
    return [re.split(r"\s{2,}#", line)[0].removeprefix("    ") for line in text.splitlines() if line.startswith("    ")]


COMMANDS = sorted({line for page in PAGES for line in code_of(page) if line.startswith("radiomics-persona ")})


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
    (folder / "scans.csv").write_text('scan,box,mask\nscan.nii.gz,"30,-26,26,18,18,18",mask.nii.gz\n', encoding="utf-8")
    return folder


@pytest.mark.parametrize("line", [line for line in COMMANDS if not any(words in line for words in ELSEWHERE)])
def test_a_command_of_a_page_does_what_it_says(line, folder, monkeypatch, capsys):
    if " regress " in line and not (folder / "P1").exists():
        pytest.skip("it reads what the command before it on the page writes")
    if " features " in line:
        pytest.importorskip("mirp")
    monkeypatch.chdir(folder)
    words = shlex.split(line)[1:]
    assert main(words) == 0, capsys.readouterr().err
    output = Path(words[words.index("--output") + 1])
    assert output.exists() and (output.is_file() or any(output.iterdir()))


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
