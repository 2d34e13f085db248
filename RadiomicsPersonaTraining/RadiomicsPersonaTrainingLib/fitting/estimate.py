"""Estimate: how much disk space and time a training will take, from a step that is really done on this machine."""

from __future__ import annotations

import shutil
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch.utils.data import default_collate

from RadiomicsPersonaLib.errors import InputError

from ..amounts import in_bytes, in_time
from ..data.split import TRAINING, VALIDATION, ListedScan
from ..data.training_scans import sources_of
from ..runs.state import size_of
from ..settings.sections import SCANS
from ..settings.training_settings import TrainingSettings
from .loop import precision_of
from .run_setup import Work, work_of

VARIANT_BYTES = 40 * 2**20
"""Of one image that is synthesised from a label map and kept in the cache."""
_COPIES = 9
"""Copies of the weights on the disk: weights, average and momentum in the best and the last checkpoint,
and in one being written."""
_SPARE = 1.1


@dataclass(frozen=True)
class TrainingEstimate:
    """What a training will take.

    Attributes:
        scans: prepared scans in the cache.
        cache_bytes, run_bytes: on the disk, for the cache and for the run.
        free_bytes: of the disk.
        preparing_seconds, step_seconds, seconds: for all scans, one step, and the whole run.
        steps, device: how many and where.
        gpu_memory, gpu_total: bytes of the GPU that a step takes, and that it has; None without one.
    """

    scans: int
    cache_bytes: int
    run_bytes: int
    free_bytes: int
    preparing_seconds: float
    step_seconds: float
    seconds: float
    steps: int
    device: str
    gpu_memory: int | None = None
    gpu_total: int | None = None

    @property
    def fits(self) -> bool:
        """Whether the disk has room for it."""
        return self.cache_bytes + self.run_bytes < self.free_bytes

    @property
    def sentence(self) -> str:
        """All of it for a reader."""
        need = f"{in_bytes(self.cache_bytes + self.run_bytes)} on the disk, which has {in_bytes(self.free_bytes)} free"
        time_needed = (
            f"{in_time(self.seconds)} on this {self.device}: {in_time(self.preparing_seconds)} to prepare "
            f"{self.scans} scans and"
        )
        advice = "" if self.fits else " Free some space, or train on fewer scans."
        card = ""
        if self.gpu_memory and self.gpu_total:
            card = f" A step takes {in_bytes(self.gpu_memory)} of the GPU's {in_bytes(self.gpu_total)}."
        return f"About {need}, and about {time_needed} {self.steps} steps of {self.step_seconds:.2g} s.{card}{advice}"


def estimate(
    settings: TrainingSettings,
    rows: list[ListedScan],
    lesion_masks: Path | None,
    cache: Path,
    progress: Callable[[int, int, str], None] | None = None,
) -> TrainingEstimate:
    """Prepare one scan of either part, which stays in the cache, and do a step of the training with them.

    Args:
        rows, lesion_masks, cache: as for `run_setup.work_of`.
    Raises:
        InputError: what the training itself would refuse of these scans.
    """
    few = _few(settings, rows)
    before = size_of(cache)
    started = time.monotonic()
    run = replace(settings.fit, validation_pairs=1)
    work = work_of(replace(settings, fit=run), few, lesion_masks, cache, progress)
    preparing, written = time.monotonic() - started, size_of(cache) - before
    if progress:
        progress(0, 1, "timing a step")
    drawing, step = _timed(work, settings)
    kinds = {source.name: source for source in sources_of(settings, rows)}
    used = [row for row in rows if row.part in (TRAINING, VALIDATION)]
    read = [row for row in used if kinds[row.source].kind == SCANS]
    prepared = [row for row in few if kinds[row.source].kind == SCANS]
    left = len(read) - len(prepared)
    # scans that were in the cache before say nothing about those that are not
    share = left / len(prepared) if prepared and written else 0.0
    variants = sum(
        source.variants * sum(row.source == source.name for row in used)
        for source in kinds.values()
        if source.kind != SCANS and read
    )
    device = "GPU" if torch.cuda.is_available() else "CPU"
    step = max(step, drawing * settings.fit.batch / settings.fit.workers)
    validating = settings.fit.epochs * settings.fit.validation_pairs * step / settings.fit.batch / 3
    run_bytes = _COPIES * 4 * sum(p.numel() for p in work.task.network.parameters())
    seconds = preparing * share + settings.fit.steps * step + validating
    cache_bytes = written * share + variants * VARIANT_BYTES
    free = shutil.disk_usage(cache if cache.is_dir() else cache.parent).free
    return TrainingEstimate(
        len(read),
        int(_SPARE * cache_bytes),
        int(_SPARE * run_bytes),
        free,
        preparing * share,
        step,
        seconds,
        settings.fit.steps,
        device,
        *_gpu_memory(),
    )


def _few(settings: TrainingSettings, rows: list[ListedScan]) -> list[ListedScan]:
    """One row of either part, from collections that are drawn from."""
    shares = {source.name: source.share for source in sources_of(settings, rows)}
    few = []
    for part in (TRAINING, VALIDATION):
        found = [row for row in rows if row.part == part and shares[row.source] > 0]
        few += found[:1]
    if not few:
        raise InputError("No scan is left for training: add scans to the split, or raise the shares of the collections.")
    return few


def _gpu_memory() -> tuple[int | None, int | None]:
    """Bytes of the GPU that the timed step took at most, and that it has; None without one."""
    if not torch.cuda.is_available():
        return None, None
    return torch.cuda.max_memory_reserved(), torch.cuda.mem_get_info()[1]


def _timed(work: Work, settings: TrainingSettings) -> tuple[float, float]:
    """Seconds that drawing a sample takes, and a step with a whole batch of them."""
    started = time.monotonic()
    sample = work.training[0]
    drawing = time.monotonic() - started
    device = "cuda" if torch.cuda.is_available() else "cpu"
    task = work.task.to(device)
    size = settings.fit.batch if device == "cuda" else 1
    batch = [part.to(device) if torch.is_tensor(part) else part for part in default_collate([sample] * size)]
    optimizer = task.configure_optimizers()["optimizer"]
    half = "bf16" in precision_of(settings.fit.precision, work)
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    for _ in range(2):  # the first one warms up
        started = time.monotonic()
        with torch.autocast(device, torch.bfloat16, enabled=half), warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="lightning")  # there is no trainer to log for
            loss = task.training_step(batch, 0)
        loss.backward()
        optimizer.step()
        loss.item()  # a GPU is done only then
        seconds = time.monotonic() - started
    return drawing, seconds * settings.fit.batch / size
