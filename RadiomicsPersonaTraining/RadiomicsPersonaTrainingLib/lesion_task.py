"""Lesion task: what the network that finds lesions is asked to do."""

from __future__ import annotations

import numpy as np
import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from .training_task import HeadTask, axial, mean_dice


class LesionTask(HeadTask):
    """A `LesionUNet` on the samples of `tissue_samples.LesionSamples`."""

    monitor = "validation_loss"

    def training_step(self, batch, index: int) -> torch.Tensor:
        """Loss of a batch of heads."""
        image, share, numbers = batch
        return self.logged(lesion_loss(self(image), share), numbers)

    def validation_step(self, batch, index: int) -> None:
        """The loss, and the Dice of what is lesion by at least half."""
        image, share, _ = batch
        logits = self(image)
        figures = {self.monitor: lesion_loss(logits, share), "validation_dice": lesion_dice(logits, share)}
        self.log_dict(figures, batch_size=len(image), sync_dist=True)

    def views(self, sample: tuple) -> tuple[np.ndarray, ...]:
        """The head, its lesions as the network sees them, and as they are; through the level that holds most lesion."""
        image, share, _ = sample
        guess = torch.sigmoid(self(image[None])[0])
        level = int(share[0].sum(dim=(0, 1)).argmax()) or image.shape[-1] // 2
        return tuple(axial(volume[0], level) for volume in (image / 1.5, guess, share))


def lesion_loss(logits: torch.Tensor, share: torch.Tensor) -> torch.Tensor:
    """Cross entropy, weighed up to the lesions' rarity, plus the Dice loss of `tissue_task.tissue_loss`.

    Args:
        logits, share: (N, 1, D, H, W).
    """
    entropy = 10 * binary_cross_entropy_with_logits(logits, share)
    guess = torch.sigmoid(logits)
    space = (1, 2, 3, 4)
    both = 2 * (guess * share).sum(dim=space) + 20
    dice = both / (guess.square().sum(dim=space) + share.square().sum(dim=space) + 20)
    return entropy + (1 - dice).mean()


def lesion_dice(logits: torch.Tensor, share: torch.Tensor) -> torch.Tensor:
    """Mean Dice over the batch; two empty sets agree (1)."""
    return mean_dice(logits > 0, share >= 0.5)
