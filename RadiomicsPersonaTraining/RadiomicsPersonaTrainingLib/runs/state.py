"""State: what a run's folder tells of its training, while it goes on and afterwards; the standard library only."""

from __future__ import annotations

import csv
import math
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.system.json_text import object_in

from . import heartbeat

BEST, LAST = "best.ckpt", "last.ckpt"
"""The running average with the lowest validation error, and the state at the end of the last epoch."""
RECORD, CURVES, PICTURES, OUTPUT = "run.json", "log.csv", "pictures", "output.log"
"""How the run was begun, its figures epoch by epoch, its pictures, and what it has printed."""
SETTINGS = "settings.toml"
"""Settings of a run that the Slicer module began; beside them lies their split."""
EVALUATION = "evaluation"
"""Folder of the evaluation of a run's best checkpoint."""

WAITING, RUNNING, SILENT, FINISHED, CANCELLED, REFUSED, BROKEN_OFF, GONE = (
    "not begun", "running", "not answering", "finished", "cancelled", "stopped", "broken off", "gone",
)  # fmt: skip
"""What a run can be."""
FULL_BYTES = 20 * 2**20
"""Free room below which a disk is called full: not even a small checkpoint fits."""
_LOG_BYTES = 20_000


@dataclass(frozen=True)
class RunState:
    """A run as its folder shows it.

    Attributes:
        folder: the run's.
        state: one of the words above.
        sentence: what a user should know or do; empty where there is nothing to say.
        what, done, total: what the training is at, and how far it is.
        seconds_left: of that, or None where it is not known.
        memory, gpu_memory, gpu_total: bytes that it takes, that are taken of the GPU, and that it has, or None.
        kind, name, version: as in the run's record; empty without one.
        has_best, has_last: whether there is a checkpoint to export, and one to go on from.
        steps, best: optimisation steps of the last epoch, and the lowest value of the validation figure that decides.
    """

    folder: Path
    state: str
    sentence: str = ""
    what: str = ""
    done: int = 0
    total: int = 0
    seconds_left: float | None = None
    memory: int | None = None
    gpu_memory: int | None = None
    gpu_total: int | None = None
    kind: str = ""
    name: str = ""
    version: str = ""
    has_best: bool = False
    has_last: bool = False
    steps: int = 0
    best: float | None = None

    @property
    def at_work(self) -> bool:
        """Whether a process is at it."""
        return self.state in (RUNNING, SILENT)


def state_of(folder: Path) -> RunState:
    """What a run's folder shows now."""
    if not folder.is_dir():
        return RunState(folder, GONE, f"The run's folder '{folder}' is gone: bring it back, or begin another run.")
    record, told, rows = _record_in(folder), heartbeat.told_by(folder / heartbeat.NAME), curves_of(folder)
    state, sentence = _state_and_sentence(folder, told)
    settings = record.get("settings") if isinstance(record.get("settings"), dict) else {}
    figures = _deciding(rows)
    return RunState(
        folder,
        state,
        sentence,
        told.get("what", ""),
        int(told.get("done") or 0),
        int(told.get("total") or 0),
        told.get("left"),
        told.get("memory"),
        told.get("gpu_memory"),
        told.get("gpu_total"),
        (settings.get("task") or {}).get("kind", ""),
        (settings.get("model") or {}).get("name", ""),
        str(record.get("version", "")),
        (folder / BEST).is_file(),
        (folder / LAST).is_file(),
        int(rows[-1]["step"]) if rows and "step" in rows[-1] else 0,
        min(figures) if figures else None,
    )


def runs_in(folder: Path) -> list[Path]:
    """The folders of runs in a folder, the newest last."""
    if not folder.is_dir():
        return []
    found = [path for path in folder.iterdir() if path.is_dir() and is_run(path)]
    return sorted(found, key=lambda path: (_began(path), path.name))


def is_run(folder: Path) -> bool:
    """Whether a folder is that of a run, begun or about to begin."""
    return any((folder / name).is_file() for name in (RECORD, SETTINGS)) and not (folder / "rows.csv").exists()


def curves_of(folder: Path) -> list[dict[str, float]]:
    """The figures of a run, a row per epoch with `epoch`, `step`, losses, learning rate and seconds;
    a line cut off is left out.
    """
    try:
        with open(folder / CURVES, newline="", encoding="utf-8") as stream:
            rows = list(csv.DictReader(stream))
    except (OSError, UnicodeDecodeError, csv.Error):
        return []
    return [numbers for row in rows if (numbers := _numbers(row)) is not None]


def picture_of(folder: Path) -> Path | None:
    """The newest picture of input, the network's answer and truth."""
    return max((folder / PICTURES).glob("epoch-*.png"), default=None, key=lambda path: path.name)


def end_of_log(folder: Path) -> str:
    """The last lines that a run has printed."""
    try:
        with open(folder / OUTPUT, "rb") as stream:
            stream.seek(max(0, stream.seek(0, 2) - _LOG_BYTES))
            return stream.read().decode("utf-8", errors="replace")
    except OSError:
        return ""


def size_of(folder: Path) -> int:
    """Bytes that a folder takes."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


def delete_run(folder: Path) -> int:
    """Remove a run; returns the bytes that this freed.

    Raises:
        InputError: it is being trained, or the folder is no run.
    """
    if not is_run(folder):
        raise InputError(f"'{folder}' is no training run: nothing was deleted.")
    if any(heartbeat.is_running(place / heartbeat.NAME) for place in (folder, folder / EVALUATION)):
        raise InputError(f"The training or the evaluation in '{folder}' is running: cancel it first.")
    size = size_of(folder)
    try:
        shutil.rmtree(folder)
    except OSError as error:
        raise InputError(
            f"'{error.filename or folder}' cannot be deleted ({error.strerror}): close the programs that use it."
        ) from error
    return size


def _state_and_sentence(folder: Path, told: dict) -> tuple[str, str]:
    if heartbeat.is_running(folder / heartbeat.NAME):
        silence = time.time() - told.get("beat", time.time())
        if silence < heartbeat.SILENT_SECONDS:
            return RUNNING, ""
        return (
            SILENT,
            f"The training was not heard of for {silence / 60:.0f} min: it sleeps, hangs, or its disk is full. Wait, or end "
            "it.",
        )
    end = told.get("ended")
    if end == heartbeat.DONE:
        return FINISHED, ""
    if end == heartbeat.CANCELLED:
        kept = "the best checkpoint is kept" if (folder / BEST).is_file() else "it had not finished its first epoch"
        return CANCELLED, f"Cancelled; {kept}."
    if end in (heartbeat.REFUSED, heartbeat.FAILED):
        return REFUSED, told.get("sentence") or "It ended unexpectedly; the log tells more."
    if not told and not (folder / RECORD).is_file():
        said = _last_line(end_of_log(folder))
        return (REFUSED, said) if said else (WAITING, "")
    if not told and (folder / BEST).is_file():  # trained by a version that did not tell
        return FINISHED, ""
    return BROKEN_OFF, _why_broken_off(folder)


def _why_broken_off(folder: Path) -> str:
    try:
        free = shutil.disk_usage(folder).free
    except OSError:
        free = FULL_BYTES
    if free < FULL_BYTES:
        return f"The training broke off, and the disk of '{folder}' is full: free some space, then go on with Resume."
    return (
        "The training broke off without a word: it was ended from outside, or memory ran out, or the computer went off. Go "
        "on with Resume."
    )


def _deciding(rows: list[dict[str, float]]) -> list[float]:
    """The values of the first validation figure."""
    key = next((key for key in (rows[-1] if rows else ()) if key.startswith("validation_")), "")
    return [row[key] for row in rows if math.isfinite(row.get(key, math.nan))]


def _record_in(folder: Path) -> dict:
    try:
        return object_in(folder / RECORD)
    except (OSError, ValueError):
        return {}


def _numbers(row: dict) -> dict[str, float] | None:
    try:
        return {key: float(value) for key, value in row.items()}
    except (TypeError, ValueError):
        return None


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1].removeprefix("radiomics-persona-train: ") if lines else ""


def _began(folder: Path) -> float:
    for name in (SETTINGS, RECORD):
        if (folder / name).is_file():
            return (folder / name).stat().st_mtime
    return 0.0
