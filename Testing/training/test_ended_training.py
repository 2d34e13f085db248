"""Commands of the training that write results: ended at random moments, and called a second time while the first is at work.

RADIOMICS_PERSONA_KILLS=50 draws as many moments for each; what was found then stands in docs/what-is-checked.md.
"""

from __future__ import annotations

import csv
import os
import random
import signal
from functools import partial
from pathlib import Path

import pytest
from bench.ended import KILLS, NUMBERS, at_work, files_of, hidden_in, in_a_fork, times_ended
from bench.phantom import make_head
from bench.training_site import tiny

from RadiomicsPersonaLib.imaging.files import write_nifti
from RadiomicsPersonaLib.system.output import file_written_whole, folder_written_whole
from RadiomicsPersonaTrainingLib.cli import TRAINING, main
from RadiomicsPersonaTrainingLib.export.packing import SPLIT_NAME
from RadiomicsPersonaTrainingLib.runs.heartbeat import NAME, Alive

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("small_models")]
MANY = pytest.mark.skipif("RADIOMICS_PERSONA_KILLS" not in os.environ, reason="RADIOMICS_PERSONA_KILLS=3 runs it too")


def test_an_export_that_is_ended_leaves_the_old_model_or_the_new_one(finished_run, tmp_path, capfd):
    folder = tmp_path / "models"
    words = ["export", str(finished_run()), "--output", str(folder / "tiny")]
    assert times_ended(main, words, folder, lambda name: True, capfd)
    assert set(files_of(folder)) == {"tiny.json", "tiny.safetensors"}


def test_a_training_that_is_ended_at_any_moment_goes_on_to_the_same_weights_and_the_same_log(site, tmp_path, capfd):
    import torch

    from RadiomicsPersonaTrainingLib.fitting import loop  # noqa: F401 (here, so that no fork has to)

    settings = site / "ended.toml"
    settings.write_text(tiny(steps=4))

    def fit(run: Path, moment: int | None, number: int = signal.SIGKILL) -> tuple[int, int]:
        more = ["--resume"] if (run / "run.json").is_file() else []
        words = ["fit", str(settings), "--output", str(run), "--cache", str(site / "cache"), *more]
        return in_a_fork(lambda: main(words), moment, number)

    def outcome(run: Path) -> tuple:
        with open(run / "log.csv", newline="", encoding="utf-8") as stream:
            log = [row[:-1] for row in csv.reader(stream)]
        weights = [torch.load(run / name, weights_only=True)["state_dict"] for name in ("best.ckpt", "last.ckpt")]
        return {name for name in files_of(run) if "tensorboard" not in name}, log, weights

    code, total = fit(tmp_path / "whole", None)
    assert code == 0, capfd.readouterr().err
    names, log, weights = outcome(tmp_path / "whole")
    moments = random.Random(0)
    for turn in range(KILLS if "RADIOMICS_PERSONA_KILLS" in os.environ else 1):
        run, moment, number = tmp_path / str(turn), moments.randrange(total), NUMBERS[(turn + 1) % len(NUMBERS)]
        code, _ = fit(run, moment, number)
        assert code in (0, -number, 128 + number), capfd.readouterr().err
        assert number == signal.SIGKILL or not hidden_in(run)
        if code:
            assert fit(run, None)[0] == 0, capfd.readouterr().err
        assert not hidden_in(run), moment
        its_names, its_log, its_weights = outcome(run)
        assert (its_names, its_log) == (names, log), moment
        for ours, theirs in zip(its_weights, weights, strict=True):
            assert ours.keys() == theirs.keys() and all(torch.equal(ours[key], theirs[key]) for key in ours), moment


def test_lines_that_a_killed_training_wrote_too_many_are_not_in_its_log_twice(finished_run, site, tmp_path):
    run, settings = finished_run(), site / "killed.toml"
    with open(run / "log.csv", "a", encoding="utf-8") as stream:
        stream.write("1,4,0.5,0.5,0.5,0.001,1.0\n1,")
    settings.write_text(tiny(steps=4))
    assert main(["fit", str(settings), "--output", str(run), "--cache", str(site / "cache"), "--resume"]) == 0
    with open(run / "log.csv", newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert [(row["epoch"], row["step"]) for row in rows] == [("0", "2"), ("1", "4")]
    assert all(set(row) == set(rows[0]) and None not in row.values() for row in rows)


@MANY
def test_lesions_that_are_painted_for_training_are_the_old_ones_or_the_new_ones(tmp_path, capfd):
    head = make_head(4.0)
    write_nifti(tmp_path / "head.nii.gz", head.array, head.affine)
    words = (
        f"synthesize {tmp_path}/head.nii.gz --masks sphere --kind stroke --size 4 --count 1 --model harmonic --output".split()
    )
    output = tmp_path / "output"
    assert times_ended(main, [*words, str(output)], output, lambda name: NAME not in name, capfd)


@MANY
def test_a_classifier_is_the_old_one_or_the_new_one(site, tmp_path, capfd, monkeypatch):
    import numpy as np

    from RadiomicsPersonaTrainingLib.verdict import calibration

    monkeypatch.setattr(calibration, "PAINTED", 1)
    (tmp_path / "masks").mkdir()
    mask = np.zeros((12, 10, 9), np.uint8)
    mask[2:10, 2:8, 2:7] = 1
    for name in "abcdefgh":
        write_nifti(tmp_path / "masks" / f"{name}.nii.gz", mask, np.diag([2.0, 2, 2, 1]))
    words = f"--lesion-masks {tmp_path}/masks --model harmonic --looks 1 --output {tmp_path}/own.json".split()
    assert times_ended(main, ["calibrate", str(site / "heads"), *words], tmp_path, lambda name: name == "own.json", capfd)


ENDED = {
    "split": ("split heads --output OUT/split.csv", ""),
    "pack": ("pack tiny.toml --output OUT/pack.tar.xz", ""),
    "models": ("models --archive tissue --output OUT/tissue.zip", ""),
    "predict": ("predict RUN heads/sub-0.nii.gz --mask MASK --output OUT/filled.nii.gz", ""),
    "evaluate": ("evaluate data --model harmonic --boxes 1 --output OUT", "evaluation report"),
    "evaluate-verdict": ("evaluate-verdict data --model harmonic --output OUT", "evaluation report"),
    "evaluate-masks": (
        "evaluate-masks heads/sub-0.nii.gz --shapes masks --kinds ms --masks sphere --count 10 --output OUT",
        "evaluation report",
    ),
    "compare": ("compare tiny.toml candidates.toml --steps 2 --boxes 1 --cache cache --output OUT", "comparison"),
}
"""What is run, RUN a finished training and OUT a folder, and how the files begin that are written together; "" for all."""


@MANY
@pytest.mark.parametrize("command", ENDED)
def test_what_a_command_of_the_training_writes_is_the_old_or_the_new(command, site, finished_run, tmp_path, capfd):
    import numpy as np

    (site / "tiny.toml").write_text(tiny())
    (site / "candidates.toml").write_text('[candidates."as it is"]\n')
    head = make_head(4.0)
    mask = np.zeros(head.shape, np.uint8)
    mask[20:24, 20:24, 20:24] = 1
    patient, healthy = site / "data/lesion/ms/patient1", site / "data/healthy/ixi_2mm_eval_only"
    for folder in (site / "masks/ms", patient, healthy):
        folder.mkdir(parents=True, exist_ok=True)
    for name in ("MASK", "data/lesion/ms/patient1/patient1_mask", *(f"masks/ms/patient{number}_mask" for number in range(30))):
        write_nifti(site / f"{name}.nii.gz", mask, head.affine)
    write_nifti(patient / "patient1_T1.nii.gz", np.where(mask, 0.5 * head.array, head.array), head.affine)
    write_nifti(healthy / "IXI1.nii.gz", head.array, head.affine)
    output = tmp_path / "output"
    output.mkdir()
    words, beginnings = ENDED[command]
    at = {"RUN": finished_run(), "MASK": site / "MASK.nii.gz"}
    parts = [str(at.get(word) or word.replace("OUT", str(output), 1)) for word in words.split()]
    parts = [str(site / part) if (site / part).exists() else part for part in parts]
    assert times_ended(main, parts, output, lambda name: name.startswith(tuple(beginnings.split()) or ""), capfd)


WRITING = {
    "split": "heads --output OUT.csv",
    "init": "OUT.toml",
    "fit": "tiny.toml --output OUT",
    "predict": "RUN heads/sub-0.nii.gz --mask heads/sub-0.nii.gz --output OUT.nii.gz",
    "evaluate": "data --output OUT",
    "export": "RUN --output OUT/model",
    "models": "--archive tissue --output OUT.zip",
    "pack": "tiny.toml --output OUT.tar.xz",
    "calibrate": "data --lesion-masks masks --output OUT.json",
    "synthesize": "heads/sub-0.nii.gz --masks sphere --kind ms --model harmonic --output OUT",
    "evaluate-verdict": "data --output OUT",
    "evaluate-scan": "data --output OUT",
    "compare": "settings.toml candidates.toml --output OUT",
    "evaluate-masks": "data --shapes masks --output OUT",
    "experiment": "data --healthy heads --output OUT",
}
"""Words of every command; what stands without a file is not there, for the output is looked at first."""


def test_every_command_of_the_training_is_known_here():
    assert set(WRITING) == set(TRAINING.commands)


@pytest.mark.parametrize("command", WRITING)
def test_who_ends_a_command_is_told_of_resume_only_where_there_is_such_an_option(command):
    assert ("--resume" in TRAINING.commands[command].after_cancel) == ("--resume" in TRAINING.parser_of(command).format_help())


@pytest.mark.parametrize("command", WRITING)
def test_a_second_writer_is_refused_before_the_computing(command, site, finished_run, tmp_path, capfd):
    (site / "tiny.toml").write_text(tiny())
    output = tmp_path / "o"
    words = [word.replace("OUT", str(output)) for word in WRITING[command].split()]
    words = [str(finished_run()) if word == "RUN" else str(site / word) if (site / word).exists() else word for word in words]
    target = Path(words[-1] if command != "export" else output)
    if command == "fit":
        first = partial(Alive, output / NAME, "fit")
    else:
        first = partial(file_written_whole, target, alone=True) if target.suffix else partial(folder_written_whole, target)
    with at_work(first):
        assert main([command, *words]) == 2
        said = capfd.readouterr().err
        assert "right now: wait" in said or "is already running" in said, said
        assert said.count("\n") == 1


def test_subjects_that_are_called_alike_lie_in_a_pack_one_beside_the_other(site, tmp_path, capfd):
    import tarfile

    lines = ["source,subject,part,file"]
    for number, part in enumerate(("training", "training", "validation")):
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / "t1.nii.gz").write_bytes((site / "heads" / f"sub-{number}.nii.gz").read_bytes())
        lines.append(f'heads,"one, the {"first" if number < 2 else "last"}",{part},{number}/t1.nii.gz')
    (tmp_path / "split.csv").write_text("\n".join(lines) + "\n")
    (tmp_path / "settings.toml").write_text(tiny())
    assert main(["pack", str(tmp_path / "settings.toml"), "--output", str(tmp_path / "pack.tar.xz")]) == 0
    with tarfile.open(tmp_path / "pack.tar.xz") as archive:
        rows = list(csv.DictReader(archive.extractfile(SPLIT_NAME).read().decode().splitlines()))
        content = [archive.extractfile(row["file"]).read() for row in rows]
    assert [row["subject"] for row in rows] == ["one, the first", "one, the first", "one, the last"]
    assert len(set(content)) == 3
