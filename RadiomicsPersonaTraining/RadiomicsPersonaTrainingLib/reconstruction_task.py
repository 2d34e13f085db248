"""Reconstruction task: what the network that rebuilds holes is asked to do, and how it is optimised."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import lightning
import torch
from torch import nn

from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.network import ReconstructionUNet

from .optimizer import muon_for
from .setting import setting

SSIM_RANGE = 6.0
"""Tissue units between dark and bright, SSIM's data range."""
SSIM_WINDOW = 7


@dataclass(frozen=True)
class NetworkSettings:
    """The network; see `RadiomicsPersonaLib.network.ReconstructionUNet`."""

    channels: tuple[int, ...] = setting(
        (32, 64, 128, 128), "Width of the levels at 1/2, 1/4, 1/8, 1/16 of the patch's resolution; multiples of 8.", low=8, high=512
    )
    blocks: tuple[int, ...] = setting((1, 2, 1, 2), "Residual blocks of each level, on the way down and again up.", low=1, high=8)


@dataclass(frozen=True)
class TaskSettings:
    """Loss and optimisation."""

    learning_rate: float = setting(
        2e-3, "Peak learning rate (Muon), reached after the warm-up and then led to zero along half a cosine.", low=1e-6, high=1.0
    )
    warmup: int = setting(200, "Steps until the peak.", low=1, high=100_000)
    weight_decay: float = setting(1e-3, "Decay of the weights per step and learning rate.", low=0.0, high=1.0)
    l1: float = setting(0.3, "Weight of the absolute error beside the squared one (Huber, one tissue SD).", low=0.0, high=10.0)
    ssim: float = setting(
        0.0, "Weight of 1 - SSIM (3-D, in context) beside them; 0.5 favours the challenge's metric over squared error.", low=0.0, high=10.0
    )


class ReconstructionTask(lightning.LightningModule):
    """The network with its loss, its validation and its optimiser.

    Args:
        network: see `network_from`.
        settings: loss and optimisation.
        steps: optimisation steps of the whole run; the learning rate is 0 at their end.
        name_of: tells the name of the scan that a numbered pair came from, for the message when the loss breaks.
    """

    def __init__(self, network: ReconstructionUNet, settings: TaskSettings, steps: int, name_of: Callable[[int], str]):
        super().__init__()
        self.network = network.to(memory_format=torch.channels_last_3d)
        self.settings, self.steps, self.name_of = settings, steps, name_of

    def forward(self, image: torch.Tensor, mirror: torch.Tensor) -> torch.Tensor:
        """Rebuild; see `ReconstructionUNet.forward`. The result is float32 whatever the precision."""
        image, mirror = (x.contiguous(memory_format=torch.channels_last_3d) for x in (image, mirror))
        return self.network(image, mirror).float()

    def training_step(self, batch, index: int) -> torch.Tensor:
        """Loss of a batch of pairs."""
        image, mirror, target, weight, numbers = batch
        loss = reconstruction_loss(self(image, mirror), target, weight, self.settings.l1, self.settings.ssim)
        if not torch.isfinite(loss):
            names = ", ".join(sorted({self.name_of(int(n)) for n in numbers}))
            raise InputError(
                f"The loss is no longer a number at step {self.global_step}, with pairs of {names}: look at these scans, or lower "
                "learning_rate. The best checkpoint so far is kept."
            )
        self.log("training_loss", loss, on_step=False, on_epoch=True, batch_size=len(image))
        return loss

    def validation_step(self, batch, index: int) -> None:
        """Mean squared error in the holes, with the mirrored side and without it."""
        image, mirror, target, weight, _ = batch
        for name, side in (("validation_mse", mirror), ("validation_mse_without_mirror", torch.zeros_like(mirror))):
            self.log(name, hole_mse(self(image, side), target, image[:, 1:2]), batch_size=len(image), sync_dist=True)

    def configure_optimizers(self) -> dict:
        """Muon with a warm-up and half a cosine, stepped after every batch."""
        optimizer = muon_for(self.network, self.settings.learning_rate, self.settings.weight_decay)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, self._share_of_peak)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def _share_of_peak(self, step: int) -> float:
        warmup = min(self.settings.warmup, self.steps)
        if step < warmup:
            return (step + 1) / warmup
        return 0.5 * (1 + math.cos(math.pi * min(1.0, (step - warmup) / max(1, self.steps - warmup)))) + 1e-3


def reconstruction_loss(
    rebuilt: torch.Tensor, target: torch.Tensor, weight: torch.Tensor, l1: float, ssim: float = 0.0
) -> torch.Tensor:
    """Huber error, plus `l1` times the absolute error, plus `ssim` times 1 - SSIM; weighted over voxels, averaged over samples.

    Args:
        rebuilt, target, weight: (N, 1, S, S, S), tissue units; see `samples.HealthyPairs` for the weight.
    """
    error = nn.functional.huber_loss(rebuilt, target, reduction="none", delta=1.0) + l1 * (rebuilt - target).abs()
    loss = _weighted_mean(error, weight)
    if ssim > 0:
        from monai.metrics.regression import compute_ssim_and_cs  # slow to import

        composed = torch.where(weight > 0, rebuilt, target)
        window = (SSIM_WINDOW,) * 3
        likeness, _ = compute_ssim_and_cs(composed, target, 3, window, (1.5,) * 3, SSIM_RANGE)
        edge = SSIM_WINDOW // 2
        inner = weight[..., edge:-edge, edge:-edge, edge:-edge]
        loss = loss + ssim * _weighted_mean(1 - likeness, inner)
    return loss.mean()


def hole_mse(rebuilt: torch.Tensor, target: torch.Tensor, hole: torch.Tensor) -> torch.Tensor:
    """Mean squared error over the hole of every sample, averaged over samples; all (N, 1, S, S, S)."""
    return _weighted_mean((rebuilt - target) ** 2, hole).mean()


def network_from(settings: NetworkSettings) -> ReconstructionUNet:
    """A network with fresh weights.

    Raises:
        InputError: channels and blocks do not fit together.
    """
    if len(settings.channels) != len(settings.blocks) or any(c % 8 for c in settings.channels):
        raise InputError("[network] needs as many channels as blocks, and channels that are multiples of 8: correct the settings.")
    return ReconstructionUNet(settings.channels, settings.blocks)


def _weighted_mean(values: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    return (values * weight).sum(dim=(1, 2, 3, 4)) / weight.sum(dim=(1, 2, 3, 4)).clamp_min(1e-6)
