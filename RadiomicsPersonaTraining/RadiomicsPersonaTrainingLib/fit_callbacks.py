"""Fit callbacks: what a training run tells while it goes on: a line and a log row per epoch, and pictures."""

from __future__ import annotations

import csv
import time
from pathlib import Path

import lightning
import numpy as np
import torch
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.utilities import rank_zero_only

from RadiomicsPersonaLib.output import file_written_whole

FIGURES = ("training_loss", "validation_mse", "validation_mse_without_mirror")


class EpochLog(Callback):
    """One line of CSV per epoch; a resumed run continues the file.

    Lightning's own CSV log starts anew whenever a run is resumed.
    """

    def __init__(self, path: Path):
        self.path, self.started = path, time.monotonic()

    @rank_zero_only
    def on_train_epoch_end(self, trainer: lightning.Trainer, task: lightning.LightningModule) -> None:
        """Append the epoch."""
        row = {"epoch": trainer.current_epoch, "step": trainer.global_step}
        row |= {name: f"{float(trainer.callback_metrics[name]):.6f}" for name in FIGURES if name in trainer.callback_metrics}
        row["learning_rate"] = f"{trainer.optimizers[0].param_groups[0]['lr']:.3g}"
        row["seconds"] = f"{time.monotonic() - self.started:.1f}"
        new = not self.path.exists()
        with open(self.path, "a", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, list(row))
            if new:
                writer.writeheader()
            writer.writerow(row)


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
        figures = "  ".join(f"{name} {float(trainer.callback_metrics[name]):.4f}" for name in FIGURES if name in trainer.callback_metrics)
        print(f"epoch {done}/{self.epochs}  step {trainer.global_step}  {figures}  {left:.0f} min left", flush=True)


class StopInTime(Callback):
    """Ends a run after the last epoch that fits into a number of minutes (None: never), so that it can go on from there."""

    def __init__(self, minutes: float | None):
        self.seconds = None if minutes is None else 60 * minutes
        self.started = self.epoch_started = time.monotonic()
        self.longest = 0.0

    def on_train_epoch_start(self, trainer: lightning.Trainer, task: lightning.LightningModule) -> None:
        """Time the epoch."""
        self.epoch_started = time.monotonic()

    def on_train_epoch_end(self, trainer: lightning.Trainer, task: lightning.LightningModule) -> None:
        """Stop when another epoch, with a fifth to spare, would be too long."""
        now = time.monotonic()
        self.longest = max(self.longest, now - self.epoch_started)
        if self.seconds is not None and now - self.started + 1.2 * self.longest > self.seconds:
            trainer.should_stop = True


class PictureGrid(Callback):
    """Every few epochs a picture: one row per held-out pair with input, rebuilt and truth, cut through the hole's middle."""

    def __init__(self, folder: Path, every: int, pairs: list):
        self.folder, self.every, self.pairs = folder, every, pairs

    @rank_zero_only
    def on_validation_epoch_end(self, trainer: lightning.Trainer, task: lightning.LightningModule) -> None:
        """Draw with the averaged weights, which are in place during validation."""
        if trainer.sanity_checking or (trainer.current_epoch + 1) % self.every:
            return
        with torch.inference_mode():
            rows = [self._row(task, pair) for pair in self.pairs]
        self.folder.mkdir(exist_ok=True)
        from PIL import Image

        with file_written_whole(self.folder / f"epoch-{trainer.current_epoch + 1:05d}.png") as path:
            Image.fromarray(np.concatenate(rows)).resize((3 * 192, len(rows) * 192), Image.Resampling.BICUBIC).save(path, format="PNG")

    @staticmethod
    def _row(task: lightning.LightningModule, pair: tuple) -> np.ndarray:
        image, mirror, target = (x.to(task.device) for x in pair[:3])
        with torch.autocast(task.device.type, torch.bfloat16, enabled="bf16" in str(task.trainer.precision)):
            rebuilt = task(image[None], mirror[None])[0, 0]
        hole = image[1] > 0
        level = int(torch.nonzero(hole)[:, 2].float().mean().round())
        views = (image[0] * ~hole - 3.0 * hole, torch.where(hole, rebuilt, target[0]), target[0])
        # axial, anterior up
        cuts = [np.rot90(view[:, :, level].float().cpu().numpy()) for view in views]
        return np.concatenate([np.clip((cut + 3) / 6 * 255, 0, 255).astype(np.uint8) for cut in cuts], axis=1)
