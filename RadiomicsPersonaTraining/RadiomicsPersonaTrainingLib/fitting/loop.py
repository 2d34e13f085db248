"""Loop: one training run on Lightning's loop, with its checkpoints, log and pictures in one folder.

best.ckpt, last.ckpt    the running average with the lowest validation error; the end of the last epoch
log.csv                 one line per epoch; `tensorboard --logdir RUN` shows the same as curves
pictures/               input, the network's answer and truth every few epochs
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import warnings
from collections.abc import Sequence
from pathlib import Path

import lightning
import torch
from lightning.pytorch.callbacks import Callback, EarlyStopping, EMAWeightAveraging, ModelCheckpoint
from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.plugins.io import TorchCheckpointIO
from torch.distributed import TCPStore
from torch.utils.data import DataLoader

from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.system.device import computes_in_bfloat16
from RadiomicsPersonaLib.system.output import file_written_whole
from RadiomicsPersonaLib.system.signals import Ended, sigterm_kills

from ..runs.state import BEST, LAST
from ..samples.draws import BY_WATCH, DrawingEnded, DrawSampler, SampleLoader
from ..settings.sections import FitSettings
from .callbacks import EndTogether, EpochLines, EpochLog, OutOfTime, PictureGrid, StopInTime
from .run_setup import Work

SMALLEST_LEVEL = 4
"""Voxels along the edge of the deepest level from which on bfloat16 is used."""


def fit(
    work: Work,
    run: FitSettings,
    output: Path,
    resume: bool = False,
    devices: int = 1,
    nodes: int = 1,
    minutes: float | None = None,
    callbacks: Sequence[Callback] = (),
) -> Path:
    """Train, or go on with a run.

    Args:
        work: the task with its samples; see `run_setup.work_of`.
        run: settings of the loop.
        output: the run's folder; see `record.begin`.
        resume: go on from `last.ckpt`; gives the same weights as a run that was never stopped (bit for bit on a CPU).
        devices, nodes: how many share the work (Lightning's strategies; processes on a CPU).
        minutes: stop after this time, ready to go on from the end of the last epoch.
        callbacks: further ones, for whoever wants to watch.
    Returns:
        Path of the best checkpoint.
    Raises:
        InputError: the loss is no longer a number, no space is left, a process that draws samples is gone, or not even one
            epoch was finished.
    """
    _quieten()
    if nodes == 1 < devices:
        store = _meeting_on_this_machine()  # noqa: F841 (listens as long as it is held)
    lightning.seed_everything(run.seed, verbose=False)
    monitor, end = work.task.monitor, EndTogether()
    trainer = lightning.Trainer(
        accelerator="gpu" if torch.cuda.is_available() else "cpu",
        devices=devices,
        num_nodes=nodes,
        strategy="ddp" if devices * nodes > 1 else "auto",
        precision=precision_of(run.precision, work),
        max_epochs=run.epochs,
        gradient_clip_val=1.0,
        deterministic="warn" if torch.cuda.is_available() else True,
        use_distributed_sampler=False,
        num_sanity_val_steps=0,
        log_every_n_steps=run.validate_every,
        enable_model_summary=False,
        enable_progress_bar=False,
        logger=TensorBoardLogger(output, name="", version="tensorboard"),
        callbacks=[
            EMAWeightAveraging(decay=run.average),
            ModelCheckpoint(output, Path(BEST).stem, monitor=monitor, enable_version_counter=False),
            ModelCheckpoint(
                output, Path(LAST).stem, every_n_epochs=1, save_on_train_epoch_end=True, enable_version_counter=False
            ),
            EarlyStopping(monitor, patience=run.patience),
            StopInTime(minutes),
            end,
            EpochLog(output / "log.csv"),
            EpochLines(run.epochs),
            PictureGrid(output / "pictures", run.pictures_every, work.validation[:4]),
            *callbacks,
        ],
        plugins=[_WholeCheckpoints()],
    )
    try:
        with sigterm_kills():  # Lightning answers it
            trainer.fit(
                work.task, datamodule=_Samples(work, run), ckpt_path=str(output / LAST) if resume else None, weights_only=True
            )
    except OutOfTime:
        print("Time is over before the epoch is: its steps are not kept.", flush=True)
    except SystemExit as left:  # Lightning's answer to Ctrl-C and to all that ends a process
        if end.asked or trainer.received_sigterm:
            raise Ended(signal.SIGTERM) from None
        raise (left.__context__ if isinstance(left.__context__, Ended) else KeyboardInterrupt) from None
    except (RuntimeError, OSError, InputError) as error:
        if end.asked or trainer.received_sigterm:
            raise Ended(signal.SIGTERM) from None  # the processes that draw samples got the signal too, and were missed
        if isinstance(error, RuntimeError) and str(error).startswith(BY_WATCH):
            raise DrawingEnded from error
        if isinstance(error, OSError):
            raise InputError(
                f"The run's folder '{output}' cannot be written ({error.strerror or error}): free some space there."
            ) from error
        raise
    if not (output / BEST).is_file():
        raise InputError(
            "The run ended before its first epoch was finished: give it more --minutes and --resume, or lower validate_every."
        )
    return output / BEST


def _meeting_on_this_machine() -> TCPStore | None:
    """Where the processes of one machine meet, listening before the second of them begins; None in those that come to it.

    The system names a port of the loopback interface that stays taken from then on: one that was only looked up may be another
    program's by then, and a host name may lead to an address that a firewall closes.
    """
    loopback = [name for _, name in socket.if_nameindex() if name in ("lo", "lo0")]
    if loopback:
        os.environ.setdefault("GLOO_SOCKET_IFNAME", loopback[0])
    if "LOCAL_RANK" in os.environ:  # begun by the first process, or by a launcher that has chosen a place
        return None
    # multi_tenant: the process group, which asks for a store on this port, is given this one
    store = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False, multi_tenant=True)
    os.environ["MASTER_ADDR"], os.environ["MASTER_PORT"] = "127.0.0.1", str(store.port)
    return store


class _Samples(lightning.LightningDataModule):
    """Loaders of training samples, fresh in every epoch, and of the validation samples, always the same."""

    def __init__(self, work: Work, run: FitSettings):
        super().__init__()
        self.work, self.run = work, run

    def train_dataloader(self) -> DataLoader:
        """Samples of this process."""
        world = self.trainer.world_size
        per_epoch = self.run.validate_every * self.run.batch * world
        # counted in steps: the trainer's own epoch is one behind when a run goes on
        sampler = DrawSampler(
            per_epoch, lambda: self.trainer.global_step // self.run.validate_every, self.trainer.global_rank, world
        )
        return SampleLoader(self.work.training, self.run.batch, sampler, self.run.workers)

    def val_dataloader(self) -> DataLoader:
        """Validation samples, every process its share."""
        return DataLoader(self.work.validation[self.trainer.global_rank :: self.trainer.world_size], batch_size=1)


class _WholeCheckpoints(TorchCheckpointIO):
    """Checkpoints that appear whole or not at all: a full disk leaves the one before."""

    def save_checkpoint(self, checkpoint: dict, path: str, storage_options=None) -> None:
        """Write beside the target, then move."""
        with file_written_whole(path) as staging:
            super().save_checkpoint(checkpoint, staging, storage_options)


def precision_of(asked: str, work: Work) -> str:
    """The arithmetic of a run, as Lightning calls it; "auto" takes what computes fast and right here."""
    if asked != "auto":
        return asked
    # on a CPU the bfloat16 gradient of a kernel wider than its input reads memory that was never written (oneDNN, torch 2.13)
    deepest = work.edge >> len(work.task.network.encoder)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return "bf16-mixed" if computes_in_bfloat16(device) and deepest >= SMALLEST_LEVEL else "32-true"


def _quieten() -> None:
    """Leave out Lightning's hints on hardware and workers, which are no news to the user."""
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    logging.getLogger("lightning.fabric").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", module="lightning")
