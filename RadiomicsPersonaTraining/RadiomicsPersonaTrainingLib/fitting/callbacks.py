"""Callbacks: what a training run tells while it goes on: a line and a log row per epoch, and pictures."""

from __future__ import annotations

import csv
import signal
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import lightning
import numpy as np
import torch
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.utilities import rank_zero_only
from lightning.pytorch.utilities.exceptions import SIGTERMException
from PIL import Image

from RadiomicsPersonaLib.system.output import file_written_whole

from .task import TrainingTask

TILE = 192
"""Pixels along the edge of one picture of the grid."""


def _figures(trainer: lightning.Trainer) -> dict[str, float]:
    """The epoch's training loss and validation figures, always in the same order."""
    names = sorted(name for name in trainer.callback_metrics if name.startswith(("training_", "validation_")))
    return {name: float(trainer.callback_metrics[name]) for name in names}


class EpochLog(Callback):
    """One line of CSV per epoch; a resumed run continues the file, without the lines of epochs that it does again.

    Lightning's own CSV log starts anew whenever a run is resumed.
    """

    def __init__(self, path: Path):
        self.path, self.started = path, time.monotonic()
        self.rows: list[list[str]] = []

    @rank_zero_only
    def on_train_start(self, trainer: lightning.Trainer, task: lightning.LightningModule) -> None:
        """Read what was written up to the checkpoint: a process that was killed may have written more, and half a line."""
        text = self.path.read_text(encoding="utf-8") if self.path.exists() else ""
        head, *rows = [*csv.reader(line for line in text.splitlines(keepends=True) if line.endswith("\n"))] or [[]]
        kept = [row for row in rows if row and row[0].isdigit() and int(row[0]) < trainer.current_epoch]
        self.rows = [head, *kept] if kept else []

    @rank_zero_only
    def on_train_epoch_end(self, trainer: lightning.Trainer, task: lightning.LightningModule) -> None:
        """Append the epoch."""
        row = {"epoch": trainer.current_epoch, "step": trainer.global_step}
        row |= {name: f"{value:.6f}" for name, value in _figures(trainer).items()}
        row["learning_rate"] = f"{trainer.optimizers[0].param_groups[0]['lr']:.3g}"
        row["seconds"] = f"{time.monotonic() - self.started:.1f}"
        self.rows = [*(self.rows or [list(row)]), [str(value) for value in row.values()]]
        with file_written_whole(self.path) as path, open(path, "w", newline="", encoding="utf-8") as stream:
            csv.writer(stream).writerows(self.rows)


class EpochLines(Callback):
    """A line of text per epoch with the time left, for terminals, log files and the Slicer panel alike."""

    def __init__(self, epochs: int):
        self.epochs = epochs

    def on_train_start(self, trainer: lightning.Trainer, task: lightning.LightningModule) -> None:
        """Remember where and when this part of the run began."""
        self.first, self.started = trainer.current_epoch, time.monotonic()

    @rank_zero_only
    def on_train_epoch_end(self, trainer: lightning.Trainer, task: lightning.LightningModule) -> None:
        """Print the epoch."""
        done = trainer.current_epoch + 1
        left = (time.monotonic() - self.started) / (done - self.first) * (self.epochs - done) / 60
        figures = "  ".join(f"{name} {value:.4f}" for name, value in _figures(trainer).items())
        print(f"epoch {done}/{self.epochs}  step {trainer.global_step}  {figures}  {left:.0f} min left", flush=True)


class StepsTold(Callback):
    """Tells how far the run is after every step, with what is done meanwhile (see `runs.heartbeat`)."""

    def __init__(self, epochs: int, steps_per_epoch: int, told: Callable[[int, int, str], None]):
        self.epochs, self.total, self.told = epochs, epochs * steps_per_epoch, told

    def on_train_start(self, trainer: lightning.Trainer, task: lightning.LightningModule) -> None:
        """The first step takes longest."""
        self.told(trainer.global_step, self.total, "first step")

    def on_train_batch_end(self, trainer: lightning.Trainer, task: lightning.LightningModule, *batch) -> None:
        """Tell the step."""
        self.told(trainer.global_step, self.total, f"epoch {trainer.current_epoch + 1} of {self.epochs}")


FIRST_EPOCH_SECONDS = 60.0
"""A first epoch that is done within this is finished, however few minutes were asked for."""


class OutOfTime(Exception):
    """The minutes of a run are over before its first epoch is."""


class StopInTime(Callback):
    """Ends a run after the last epoch that fits into a number of minutes (None: never), so that it can go on from there.

    A first epoch that takes longer than that is left in its middle, by `OutOfTime`.

    Processes that share the run end together: where only one of them ran out of time, the others would wait for it.
    """

    def __init__(self, minutes: float | None):
        self.seconds = None if minutes is None else 60 * minutes
        self.started = self.epoch_started = time.monotonic()
        self.longest = 0.0

    def on_train_epoch_start(self, trainer: lightning.Trainer, task: lightning.LightningModule) -> None:
        """Time the epoch."""
        self.epoch_started = time.monotonic()

    def on_train_batch_end(self, trainer: lightning.Trainer, task: lightning.LightningModule, *batch) -> None:
        """Leave a first epoch that does not end in time."""
        if self.seconds is None or self.longest:
            return
        late = time.monotonic() - self.started > max(self.seconds, FIRST_EPOCH_SECONDS)
        if trainer.strategy.reduce_boolean_decision(late, all=False):
            raise OutOfTime

    def on_train_epoch_end(self, trainer: lightning.Trainer, task: lightning.LightningModule) -> None:
        """Stop when another epoch, with a fifth to spare, would be too long."""
        now = time.monotonic()
        self.longest = max(self.longest, now - self.epoch_started)
        if self.seconds is None:
            return
        late = now - self.started + 1.2 * self.longest > self.seconds
        if trainer.strategy.reduce_boolean_decision(late, all=False):
            trainer.should_stop = True


class EndTogether(Callback):
    """A signal to end (SIGTERM) ends all processes that share a run, after the same step.

    Lightning's own answer talks to the other processes from within the signal, while they may be waiting for something else of
    this one; then nobody ends.
    """

    def __init__(self):
        self.asked = False

    def on_train_start(self, trainer: lightning.Trainer, task: lightning.LightningModule) -> None:
        """Answer from now on; Lightning puts back what was there when the run ends."""
        if trainer.world_size > 1:
            signal.signal(signal.SIGTERM, self._remember)

    def on_train_batch_end(self, trainer: lightning.Trainer, task: lightning.LightningModule, *batch) -> None:
        """End if any of the processes was asked to."""
        if trainer.world_size > 1 and trainer.strategy.reduce_boolean_decision(self.asked, all=False):
            raise SIGTERMException

    def _remember(self, number: int, frame: FrameType | None) -> None:
        self.asked = True


class PictureGrid(Callback):
    """Every few epochs a picture: one row per held-out sample with input, the network's answer and the truth."""

    def __init__(self, folder: Path, every: int, samples: list):
        self.folder, self.every, self.samples = folder, every, samples

    @rank_zero_only
    def on_validation_epoch_end(self, trainer: lightning.Trainer, task: TrainingTask) -> None:
        """Draw with the averaged weights, which are in place during validation."""
        if trainer.sanity_checking or (trainer.current_epoch + 1) % self.every:
            return

        grid = Image.new("L", (3 * TILE, len(self.samples) * TILE))
        for row, sample in enumerate(self.samples):
            sample = tuple(x.to(task.device) if torch.is_tensor(x) else x for x in sample)
            with (
                torch.inference_mode(),
                torch.autocast(task.device.type, torch.bfloat16, enabled="bf16" in str(trainer.precision)),
            ):
                views = task.views(sample)
            for column, view in enumerate(views):
                picture = Image.fromarray(np.clip(255 * view, 0, 255).astype(np.uint8))
                scale = TILE / max(picture.size)
                size = tuple(round(scale * n) for n in picture.size)
                grid.paste(picture.resize(size, Image.Resampling.BICUBIC), (column * TILE, row * TILE))
        self.folder.mkdir(exist_ok=True)
        with file_written_whole(self.folder / f"epoch-{trainer.current_epoch + 1:05d}.png") as path:
            grid.save(path, format="PNG")
