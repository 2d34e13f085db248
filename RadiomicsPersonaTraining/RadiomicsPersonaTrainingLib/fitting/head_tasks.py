"""Head tasks: what the networks are asked to do that tell tissues apart and that find lesions."""

from __future__ import annotations

import numpy as np
import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from .task import HeadTask, axial, mean_dice

CLASSES = ("fluid", "grey", "white", "brain")
"""What is counted: three tissues, and all of them together."""


class TissueTask(HeadTask):
    """A `TissueUNet` on the samples of `tissue_samples.TissueSamples`."""

    monitor = "validation_one_minus_dice"

    def training_step(self, batch, index: int) -> torch.Tensor:
        """Loss of a batch of heads."""
        image, shares, numbers = batch
        return self.logged(tissue_loss(self(image), shares), numbers)

    def validation_step(self, batch, index: int) -> None:
        """Dice of every class on the model's grid, and one minus their mean."""
        image, shares, _ = batch
        dice = tissue_dice(self(image), shares)
        figures = {f"validation_dice_{name}": value for name, value in zip(CLASSES, dice)}
        self.log_dict({self.monitor: 1 - sum(dice) / len(dice), **figures}, batch_size=len(image), sync_dist=True)

    def views(self, sample: tuple) -> tuple[np.ndarray, ...]:
        """The head, its tissues as the network sees them, and as they are; through the middle."""
        image, shares, _ = sample
        guess = self(image[None])[0].argmax(dim=0)
        level = image.shape[-1] // 2
        return tuple(axial(volume, level) for volume in (image[0] / 1.5, guess / 3, shares.argmax(dim=0) / 3))


def tissue_loss(logits: torch.Tensor, shares: torch.Tensor) -> torch.Tensor:
    """Cross entropy plus Dice loss, both for voxels that may hold several tissues.

    The Dice loss is ``1 - (2 sum(p s) + e) / (sum(p^2) + sum(s^2) + e)`` (Milletari et al. 2016), averaged over the four
    classes and the brain as a whole; its squares leave a voxel's right shares the best answer.

    Args:
        logits: (N, 4, D, H, W).
        shares: (N, 4, D, H, W), adding up to 1 over the classes.
    """
    logs = torch.log_softmax(logits.float(), dim=1)
    entropy = -(shares * logs).sum(dim=1).mean()
    guess = logs.exp()
    guess = torch.cat([guess, 1 - guess[:, :1]], dim=1)
    truth = torch.cat([shares, 1 - shares[:, :1]], dim=1)
    space = (2, 3, 4)
    both = 2 * (guess * truth).sum(dim=space) + 1
    dice = both / (guess.square().sum(dim=space) + truth.square().sum(dim=space) + 1)
    return entropy + (1 - dice).mean()


def tissue_dice(logits: torch.Tensor, shares: torch.Tensor) -> list[float]:
    """Dice of `CLASSES`; every voxel counts for its greatest share. Two empty sets agree (1).

    Args:
        logits, shares: (N, 4, D, H, W).
    """
    guess, truth = logits.argmax(dim=1), shares.argmax(dim=1)
    pairs = [(guess == kind, truth == kind) for kind in (1, 2, 3)] + [(guess > 0, truth > 0)]
    return [float(mean_dice(a[None], b[None])) for a, b in pairs]


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
    """Cross entropy, weighed up to the lesions' rarity, plus the Dice loss of `head_tasks.tissue_loss`.

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
