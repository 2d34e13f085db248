"""Every writing command, ended by Ctrl-C or a kill at moments drawn at random: the old results or the new ones, nothing hidden.

RADIOMICS_PERSONA_KILLS=50 draws as many moments for each; what was found then stands in docs/what-is-checked.md.
"""

from __future__ import annotations

import importlib
import os
import resource
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from bench.ended import at_work, files_of, hidden_in, times_ended
from bench.phantom import make_head

from RadiomicsPersonaLib.cli import main
from RadiomicsPersonaLib.commands.registry import ANALYSIS
from RadiomicsPersonaLib.imaging.files import write_nifti
from RadiomicsPersonaLib.system.output import file_written_whole, folder_written_whole

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("small_models")]

BOX = "24,12,20,24,24,24"
QUICK = ("--model", "harmonic", "--controls", "2")


@pytest.fixture(scope="module")
def inputs(tmp_path_factory) -> Path:
    """A head, a mask, a table of visits, and an analysis."""
    folder = tmp_path_factory.mktemp("inputs")
    head = make_head(6.0)
    write_nifti(folder / "scan.nii.gz", head.array, head.affine)
    finer = make_head(4.0)  # which shows grey and white matter apart
    write_nifti(folder / "finer.nii.gz", finer.array, finer.affine)
    mask = np.zeros(head.shape, np.uint8)
    mask[12:16, 12:16, 12:16] = 1
    write_nifti(folder / "mask.nii.gz", mask, head.affine)
    lines = [f"{p},{t},{p + 2 * t + (p * 7 + t * 3) % 5 / 10}" for p in range(6) for t in range(4)]
    (folder / "visits.csv").write_text("\n".join(["patient,years,volume_ml", *lines]), encoding="utf-8")
    (folder / "cohort.csv").write_text(f"mask\n{folder / 'mask.nii.gz'}\n", encoding="utf-8")
    words = ["analyze", str(folder / "scan.nii.gz"), "--box", BOX, *QUICK, "--output", str(folder / "analysis")]
    assert main(words) == 0
    return folder


COMMANDS = {
    "mesh": ("mesh mask.nii.gz --output OUT.ply", "cheap"),
    "inpaint": ("inpaint scan.nii.gz --mask mask.nii.gz --model harmonic --output OUT.nii.gz", "cheap"),
    "regress": ("regress visits.csv --output OUT", "cheap"),
    "report": ("report analysis scan.nii.gz --output OUT", "cheap"),
    "analyze": (f"analyze scan.nii.gz --box {BOX} --model harmonic --controls 2 --output OUT", ""),
    "follow": (
        f"follow scan.nii.gz scan.nii.gz --dates 2024-01-01 2025-01-01 --box {BOX} --output OUT "
        "-- --model harmonic --controls 2",
        "",
    ),
    "paint": (
        "paint finer.nii.gz --contrast T1 --kind stroke --size 4 --place 24,12,20 --model harmonic --output OUT",
        "",
    ),
    "sensitivity": (
        "sensitivity finer.nii.gz --contrast T1 --kind stroke --place 24,12,20 --sizes 4 --strengths 1 --model harmonic "
        "--controls 2 --output OUT",
        "",
    ),
    "segment": ("segment scan.nii.gz --model hippocampus --output OUT.nii.gz --probabilities OUT-p.nii.gz", ""),
    "cohort": ("cohort cohort.csv --command mesh --output OUT", ""),
    "scan": ("scan finer.nii.gz --output OUT", ""),
    "features": ("features scan.nii.gz --mask mask.nii.gz --model harmonic --controls 2 --output OUT.csv", ""),
}
"""What is run in the folder of the inputs, and whether the suite runs it too."""


COMPUTING = {
    "mesh": ("commands.mesh", "surface_of"),
    "inpaint": ("commands.inpaint", "inpaint"),
    "regress": ("commands.regress", "analyze_visits"),
    "report": ("commands.report", "write_reports"),
    "analyze": ("commands.analyze", "analyze"),
    "follow": ("commands.follow", "follow_into_folder"),
    "paint": ("commands.paint", "paint_lesion"),
    "sensitivity": ("commands.sensitivity", "sensitivity"),
    "segment": ("commands.segment", "found_by"),
    "cohort": ("cohort.command", "run_cohort"),
    "scan": ("commands.scan", "search_head"),
    "features": ("commands.features", "radiomics_of"),
}
"""The function of each command that does its work."""


def words_of(command: str, inputs: Path, output: Path) -> list[str]:
    """The words of a command, with files by their paths and OUT in place of the output."""
    words = [str(output) + word[3:] if word.startswith("OUT") else word for word in COMMANDS[command][0].split()]
    return [str(inputs / word) if (inputs / word).exists() else word for word in words]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_that_is_ended_leaves_old_or_new_results(command, inputs, tmp_path, capfd):
    if COMMANDS[command][1] != "cheap" and "RADIOMICS_PERSONA_KILLS" not in os.environ:
        pytest.skip("it takes seconds; RADIOMICS_PERSONA_KILLS=3 runs it too")
    # finished rows of a cohort are kept, and only its table and page are made anew
    assert times_ended(main, words_of(command, inputs, tmp_path / "o"), tmp_path, lambda name: "scans" not in name, capfd)


@contextmanager
def no_file_larger_than(size: int):
    """What a full disk does to a file, from this size on."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("command", ["mesh", "inpaint", "regress", "report"])
def test_a_disk_that_fills_leaves_the_old_results(command, inputs, tmp_path, capfd):
    words = words_of(command, inputs, tmp_path / "o")
    assert main(words) == 0
    before = files_of(tmp_path)
    capfd.readouterr()
    with no_file_larger_than(1500):
        code = main(words)
    said = capfd.readouterr().err
    assert code == 2 and "cannot be written" in said and said.count("\n") == 1, said
    assert files_of(tmp_path) == before and not hidden_in(tmp_path)


@pytest.mark.parametrize("command", COMMANDS)
def test_an_output_that_cannot_be_written_is_found_before_the_computing(command, inputs, tmp_path, capfd, monkeypatch):
    """The output lies in a file, as if it were a folder; no room of the computing is entered."""
    (tmp_path / "file").touch()

    def computes(*arguments, **options):
        pytest.fail("it was begun")

    module, name = COMPUTING[command]
    importlib.import_module(f"RadiomicsPersonaLib.{module}")
    monkeypatch.setattr(f"RadiomicsPersonaLib.{module}.{name}", computes)
    assert main(words_of(command, inputs, tmp_path / "file" / "o")) == 2
    said = capfd.readouterr().err
    assert "cannot be written" in said and said.count("\n") == 1, said
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_every_writing_command_is_known_here():
    assert set(COMMANDS) == set(ANALYSIS.commands) - {"models"}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_second_writer_is_refused_before_the_computing(command, inputs, tmp_path, capfd, monkeypatch):
    def computes(*arguments, **options):
        pytest.fail("it was begun")

    module, name = COMPUTING[command]
    importlib.import_module(f"RadiomicsPersonaLib.{module}")
    monkeypatch.setattr(f"RadiomicsPersonaLib.{module}.{name}", computes)
    words = words_of(command, inputs, tmp_path / "o")
    output = words[words.index("--output") + 1]
    whole = partial(file_written_whole, alone=True) if Path(output).suffix else folder_written_whole
    with at_work(lambda: whole(output)):
        assert main(words) == 2
        said = capfd.readouterr().err
        assert f"Another process writes into '{output}' right now: wait" in said and said.count("\n") == 1, said
