"""Reconstruction task: what the network that rebuilds holes is asked to do."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from .task import TrainingTask, axial

SSIM_RANGE = 6.0
"""Tissue units between dark and bright, SSIM's data range."""
SSIM_WINDOW = 7


class ReconstructionTask(TrainingTask):
    """A `ReconstructionUNet` on the pairs of `healthy_pairs.HealthyPairs`."""

    monitor = "validation_mse"

    def forward(self, image: torch.Tensor, guide: torch.Tensor) -> torch.Tensor:
        """Rebuild; see `ReconstructionUNet.forward`. The result is float32 whatever the precision."""
        image, guide = (x.contiguous(memory_format=torch.channels_last_3d) for x in (image, guide))
        return self.network(image, guide).float()

    def training_step(self, batch, index: int) -> torch.Tensor:
        """Loss of a batch of pairs."""
        image, guide, target, weight, numbers = batch
        return self.logged(
            reconstruction_loss(self(image, guide), target, weight, self.settings.l1, self.settings.ssim), numbers
        )

    def validation_step(self, batch, index: int) -> None:
        """Mean squared error in the holes, with all that the network may be shown, and without the mirrored side."""
        image, guide, target, _, _ = batch
        without = torch.cat([torch.zeros_like(guide[:, :2]), guide[:, 2:]], dim=1)
        for name, side in ((self.monitor, guide), ("validation_mse_without_mirror", without)):
            self.log(name, hole_mse(self(image, side), target, image[:, 1:2]), batch_size=len(image), sync_dist=True)

    def views(self, sample: tuple) -> tuple[np.ndarray, ...]:
        """The patch with black holes, rebuilt, and as it was; through the holes' middle."""
        image, guide, target = sample[:3]
        rebuilt = self(image[None], guide[None])[0, 0]
        hole = image[1] > 0
        level = int(torch.nonzero(hole)[:, 2].float().mean().round())
        volumes = (image[0] * ~hole - 3.0 * hole, torch.where(hole, rebuilt, target[0]), target[0])
        return tuple((axial(volume, level) + 3) / 6 for volume in volumes)


def reconstruction_loss(
    rebuilt: torch.Tensor, target: torch.Tensor, weight: torch.Tensor, l1: float, ssim: float = 0.0
) -> torch.Tensor:
    """Huber error, plus `l1` times the absolute error, plus `ssim` times 1 - SSIM; weighted over voxels, averaged over samples.

    Args:
        rebuilt, target, weight: (N, 1, S, S, S), tissue units; see `healthy_pairs.HealthyPairs` for the weight.
    """
    error = nn.functional.huber_loss(rebuilt, target, reduction="none", delta=1.0) + l1 * (rebuilt - target).abs()
    loss = _weighted_mean(error, weight)
    if ssim > 0:
        from monai.metrics.regression import compute_ssim_and_cs  # takes seconds to load

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


def _weighted_mean(values: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    return (values * weight).sum(dim=(1, 2, 3, 4)) / weight.sum(dim=(1, 2, 3, 4)).clamp_min(1e-6)
