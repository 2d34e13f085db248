"""Fitting: the training loop of the reconstruction network."""

from __future__ import annotations

import csv
import math
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader

from RadiomicsPersonaLib.network import ReconstructionUNet

from .samples import HealthySamples, HealthyScan, Recipe


@dataclass(frozen=True)
class FitSettings:
    """Everything that decides a training run.

    Attributes:
        steps, batch: optimisation steps, and pairs in each.
        learning_rate: peak, reached after `warmup` steps and then led to zero along a half cosine.
        l1: weight of the absolute error beside the squared one (Huber, one tissue SD) in the hole.
        average: decay of the running average of the weights, which is what is validated and exported.
        validate_every: steps between validations; each also writes a checkpoint.
        workers: processes that draw pairs.
        seed: of the draws and of the network's first weights.
        channels, blocks: the network (see `ReconstructionUNet`).
    """

    steps: int = 5200
    batch: int = 8
    learning_rate: float = 8e-4
    warmup: int = 200
    weight_decay: float = 1e-4
    l1: float = 0.3
    average: float = 0.998
    validate_every: int = 100
    validation_pairs: int = 24
    workers: int = 1
    seed: int = 0
    channels: tuple[int, ...] = (32, 64, 128, 128)
    blocks: tuple[int, ...] = (1, 2, 1, 2)
    recipe: Recipe = field(default_factory=Recipe)


def reconstruction_loss(rebuilt: torch.Tensor, target: torch.Tensor, weight: torch.Tensor, l1: float) -> torch.Tensor:
    """Huber error plus `l1` times the absolute error, averaged over the hole of every sample, then over samples."""
    error = nn.functional.huber_loss(rebuilt, target, reduction="none", delta=1.0) + l1 * (rebuilt - target).abs()
    return ((error * weight).sum(dim=(1, 2, 3, 4)) / weight.sum(dim=(1, 2, 3, 4))).mean()


def fit(
    training: list[HealthyScan],
    chances: np.ndarray,
    validation: list[HealthyScan],
    settings: FitSettings,
    output: Path,
    resume: bool = False,
    report=print,
) -> Path:
    """Train, and write `last.pt` and `log.csv` into `output`.

    Args:
        training, validation: healthy scans; `chances` weighs the training scans.
        resume: go on from `last.pt`; the draws continue where they stopped.
        report: called with a line of text after every validation.
    Returns:
        Path of the checkpoint.
    """
    output.mkdir(parents=True, exist_ok=True)
    checkpoint, log = output / "last.pt", output / "log.csv"
    torch.manual_seed(settings.seed)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    network = ReconstructionUNet(settings.channels, settings.blocks).to(device).to(memory_format=torch.channels_last_3d)
    average = torch.optim.swa_utils.AveragedModel(
        network, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(settings.average)
    )
    optimizer = torch.optim.AdamW(network.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay)
    step = 0
    if resume and checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True, map_location=device)
        network.load_state_dict(state["network"])
        average.load_state_dict(state["average"])
        optimizer.load_state_dict(state["optimizer"])
        step = state["step"]
    held_out = HealthySamples(validation, np.ones(len(validation)), settings.recipe, settings.seed + 1)
    validation_batch = [held_out.draw(n) for n in range(settings.validation_pairs)]
    stream = HealthySamples(training, chances, settings.recipe, settings.seed, first_draw=step * settings.batch)
    loader = iter(DataLoader(stream, settings.batch, num_workers=settings.workers, prefetch_factor=4))
    started, first_step, losses = time.time(), step, []
    while step < settings.steps:
        for group in optimizer.param_groups:
            group["lr"] = settings.learning_rate * _schedule(step, settings)
        image, mirror, target, weight = (x.to(device) for x in next(loader))
        image, mirror = (x.to(memory_format=torch.channels_last_3d) for x in (image, mirror))
        with torch.autocast(device, torch.bfloat16):
            rebuilt = network(image, mirror)
        loss = reconstruction_loss(rebuilt.float(), target, weight, settings.l1)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        average.update_parameters(network)
        losses.append(loss.item())
        step += 1
        if step % settings.validate_every == 0 or step == settings.steps:
            with_mirror, without = validate(average.module, validation_batch)
            state = {"network": network.state_dict(), "average": average.state_dict(), "optimizer": optimizer.state_dict(), "step": step}
            state["settings"] = _plain(asdict(settings))
            torch.save(state, checkpoint.with_suffix(".tmp"))
            checkpoint.with_suffix(".tmp").replace(checkpoint)
            row = {
                "step": step,
                "training_loss": round(float(np.mean(losses)), 5),
                "validation_mse": round(with_mirror, 5),
                "validation_mse_without_mirror": round(without, 5),
                "seconds": round(time.time() - started, 1),
            }
            _append(log, row)
            left = (time.time() - started) / (step - first_step) * (settings.steps - step) / 60
            report("  ".join(f"{key} {value}" for key, value in row.items()) + f"  minutes_left {left:.0f}")
            losses = []
    return checkpoint


@torch.no_grad()
def validate(network: nn.Module, pairs: list) -> tuple[float, float]:
    """Mean squared error in the hole (tissue units), averaged over pairs; with the mirrored side and without it."""
    errors = ([], [])
    device = next(network.parameters()).device
    for pair in pairs:
        image, mirror, target, weight = (x.to(device) for x in pair)
        for result, side in zip(errors, (mirror, torch.zeros_like(mirror))):
            with torch.autocast(device.type, torch.bfloat16):
                rebuilt = network(image[None], side[None]).float()[0]
            result.append(((rebuilt - target) ** 2)[weight == 1].mean().item())
    return float(np.mean(errors[0])), float(np.mean(errors[1]))


def _schedule(step: int, settings: FitSettings) -> float:
    if step < settings.warmup:
        return (step + 1) / settings.warmup
    progress = (step - settings.warmup) / max(1, settings.steps - settings.warmup)
    return 0.5 * (1 + math.cos(math.pi * min(1.0, progress))) + 1e-3


def _plain(value):
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, (tuple, list)) else value


def _append(log: Path, row: dict) -> None:
    new = not log.exists()
    with open(log, "a", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(row))
        if new:
            writer.writeheader()
        writer.writerow(row)
