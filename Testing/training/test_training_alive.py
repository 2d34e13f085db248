"""A training tells that it is at work, is found again, stops when it is asked to, and is never taken for another process."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from multiprocessing import resource_sharer
from pathlib import Path

import pytest
from bench.processes import children_of, in_proc
from bench.training_site import environment, tiny
from lightning.pytorch.callbacks import Callback
from torch.utils.data import Dataset

from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaTrainingLib.cli import main
from RadiomicsPersonaTrainingLib.data.split import read_split
from RadiomicsPersonaTrainingLib.fitting.loop import fit
from RadiomicsPersonaTrainingLib.fitting.run_setup import work_of
from RadiomicsPersonaTrainingLib.runs import heartbeat
from RadiomicsPersonaTrainingLib.runs import state as run_state
from RadiomicsPersonaTrainingLib.runs.state import state_of
from RadiomicsPersonaTrainingLib.settings.training_settings import read_settings

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("small_models")]


def wait_until(happened, seconds: float = 90) -> None:
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.1)


@pytest.fixture
def training(site, tmp_path):
    """Run folder and process of a training without end, which was begun as a script begins it in the background:
    deaf to Ctrl-C.
    """
    settings, run = site / f"{tmp_path.name}.toml", tmp_path / "run"
    settings.write_text(tiny(steps=100_000))
    command = [
        sys.executable,
        "-m",
        "RadiomicsPersonaTrainingLib",
        "fit",
        str(settings),
        "--output",
        str(run),
        "--cache",
        str(site / "cache"),
    ]
    deaf = {"preexec_fn": lambda: signal.signal(signal.SIGINT, signal.SIG_IGN)} if os.name != "nt" else {}
    process = subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **deaf)
    yield run, process
    process.kill()
    process.wait()


def test_a_running_training_is_seen_refused_a_second_time_and_stopped_with_its_best_kept(training, site, tmp_path, capsys):
    run, process = training
    wait_until(lambda: (run / "last.ckpt").is_file() and state_of(run).what.startswith("epoch"))
    state = state_of(run)
    assert (state.state, state.total, state.kind, state.name) == (run_state.RUNNING, 100_000, "reconstruction", "tiny")
    assert state.what.startswith("epoch ") and state.seconds_left > 1 and state.memory > 100 * 2**20
    settings = str(site / f"{tmp_path.name}.toml")
    before = (run / "run.json").read_bytes()
    assert main(["fit", settings, "--output", str(run), "--resume"]) == 2
    assert f"already running (process {process.pid} on" in capsys.readouterr().err
    assert (run / "run.json").read_bytes() == before and state_of(run).state == run_state.RUNNING
    with pytest.raises(InputError, match="cancel it first"):
        run_state.delete_run(run)

    heartbeat.ask_to_stop(run / heartbeat.NAME)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 130 and "--resume" in said
    state = state_of(run)
    assert (state.state, state.sentence) == (run_state.CANCELLED, "Cancelled; the best checkpoint is kept.")
    assert state.has_best and state.has_last and state.best < 10 and not (run / "heartbeat.stop").exists()
    size = sum(file.stat().st_size for file in run.rglob("*") if file.is_file())
    assert run_state.delete_run(run) == size and not run.exists()
    assert state_of(run).state == run_state.GONE


def _drawing(pid: int) -> list[int]:
    """The processes that draw samples for a training."""
    return [child for child in children_of(pid) if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()]


@in_proc
def test_a_training_whose_drawing_process_is_killed_says_so_and_can_go_on(training):
    run, process = training
    wait_until(lambda: (run / "last.ckpt").is_file() and _drawing(process.pid))
    for drawing in _drawing(process.pid):
        os.kill(drawing, signal.SIGKILL)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 2 and "Traceback" not in said
    assert "A process that draws samples was ended" in said and "--resume" in said
    state = state_of(run)
    assert state.state == run_state.REFUSED and "draws samples" in state.sentence and state.has_last


class _Dying(Dataset):
    """Samples whose drawing process hands out no more after the fourth, though two wait and it is not gone yet.

    So stands a process for a moment that is being killed.

    Args:
        mark: file that appears then.
    """

    def __init__(self, samples: Dataset, mark: Path):
        self.samples, self.mark = samples, mark

    def __getitem__(self, number: int):
        if number == 4:
            time.sleep(1)  # so that those before stand in the queue
            resource_sharer.stop()
            self.mark.touch()
            time.sleep(60)
        return self.samples[number]


class _Waits(Callback):
    """Holds the first step until a file is there."""

    def __init__(self, mark: Path):
        self.mark = mark

    def on_train_batch_start(self, *step) -> None:
        wait_until(self.mark.exists)


@pytest.fixture
def work(site, tmp_path):
    """What a short training in this process trains."""
    file = site / f"{tmp_path.name}.toml"
    file.write_text(tiny(steps=100))
    settings = read_settings(file)
    return settings, work_of(settings, read_split(site / "split.csv"), None, site / "cache")


def test_a_sample_that_a_dying_process_does_not_hand_out_is_told_in_the_same_words(work, tmp_path):
    (settings, work), mark = work, tmp_path / "mark"
    work = replace(work, training=_Dying(work.training, mark))
    with pytest.raises(InputError, match="A process that draws samples was ended.*--resume"):
        fit(work, replace(settings.fit, validate_every=4), tmp_path / "run", callbacks=[_Waits(mark)])


class _Lost(Dataset):
    """Samples whose files are gone."""

    def __getitem__(self, number: int):
        return open("/nowhere/scan.npy")


def test_a_sample_that_cannot_be_read_names_its_file(work, tmp_path):
    settings, work = work
    with pytest.raises(InputError, match="prepared scan cannot be read.*/nowhere/scan.npy.*--resume"):
        fit(replace(work, training=_Lost()), settings.fit, tmp_path / "run")


def test_another_process_of_the_same_number_is_not_taken_for_the_training(tmp_path):
    """A killed training's number may be anyone's after a restart: this process stands for anyone."""
    (tmp_path / "run.json").write_text("{}")
    told = {"pid": os.getpid(), "host": "here", "beat": time.time(), "job": "fit", "done": 3, "total": 9}
    (tmp_path / f"{heartbeat.NAME}.json").write_text(json.dumps(told))
    (tmp_path / f"{heartbeat.NAME}.lock").touch()
    assert not heartbeat.is_running(tmp_path / heartbeat.NAME)
    assert state_of(tmp_path).state == run_state.BROKEN_OFF
    heartbeat.kill(tmp_path / heartbeat.NAME)  # or this test would end here


def test_what_a_training_refuses_is_kept_in_its_folder(site, tmp_path, capsys):
    shutil.copy(site / "split.csv", tmp_path / "split.csv")
    (tmp_path / "settings.toml").write_text(tiny())
    (tmp_path / "heads").mkdir()
    assert main(["fit", str(tmp_path / "settings.toml"), "--output", str(tmp_path / "run")]) == 2
    said = capsys.readouterr().err.removeprefix("radiomics-persona-train: ").strip()
    state = state_of(tmp_path / "run")
    assert said.startswith("There is no scan") and (state.state, state.sentence) == (run_state.REFUSED, said)


def test_a_training_that_is_no_longer_heard_of_is_told_apart_from_one_at_work(tmp_path):
    with heartbeat.Alive(tmp_path / heartbeat.NAME, "fit"):
        assert state_of(tmp_path).state == run_state.RUNNING
        told = json.loads((tmp_path / f"{heartbeat.NAME}.json").read_text())
        (tmp_path / f"{heartbeat.NAME}.json").write_text(json.dumps(told | {"beat": time.time() - 300}))
        assert state_of(tmp_path).state == run_state.SILENT and "5 min" in state_of(tmp_path).sentence


def test_a_line_that_was_cut_off_does_not_break_the_curves(tmp_path):
    (tmp_path / "log.csv").write_text("epoch,step,training_loss,validation_mse\n0,2,0.5,0.9\n1,4,0.4,0.8\n2,6,0.")
    assert run_state.curves_of(tmp_path) == [
        {"epoch": 0, "step": 2, "training_loss": 0.5, "validation_mse": 0.9},
        {"epoch": 1, "step": 4, "training_loss": 0.4, "validation_mse": 0.8},
    ]


def test_a_run_of_an_older_version_is_shown_and_what_cannot_be_done_with_it_is_said(tmp_path, capsys):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "run.json").write_text(
        json.dumps({"version": "0.0.1", "settings": {"old": {"key": 1}, "data": []}, "rows": []})
    )
    (tmp_path / "run" / "best.ckpt").write_bytes(b"")
    assert (state_of(tmp_path / "run").version, state_of(tmp_path / "run").state) == ("0.0.1", run_state.FINISHED)
    assert main(["export", str(tmp_path / "run")]) == 2
    assert "written by another version" in capsys.readouterr().err
