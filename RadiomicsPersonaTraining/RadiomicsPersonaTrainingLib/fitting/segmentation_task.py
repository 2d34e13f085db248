"""Segmentation task: what the network that tells classes apart is asked to do."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from ..settings.sample_sections import DICE_BCE, DICE_CE, TVERSKY
from ..settings.sections import TaskSettings
from ..settings.segmentation_labels import Labels, outputs_of
from .task import HeadTask, axial, mean_dice


class SegmentationTask(HeadTask):
    """A network of `unets.NETWORKS` on `segmentation_samples.SegmentationSamples`; monitored is the mean Dice.

    Args:
        labels: what is told apart.
    """

    monitor = "validation_one_minus_dice"

    def __init__(self, network: nn.Module, settings: TaskSettings, steps: int, name_of, labels: Labels):
        super().__init__(network, settings, steps, name_of)
        self.labels = labels
        self.loss = segmentation_loss(settings.loss, len(labels.names), settings.missed)

    def training_step(self, batch, index: int) -> torch.Tensor:
        """Loss of a batch of patches."""
        image, truth, numbers = batch
        return self.logged(self.loss(self(image), truth), numbers)

    def validation_step(self, batch, index: int) -> None:
        """Dice of every class and region, and one minus their mean."""
        image, truth, _ = batch
        found = classes_of(self(image), len(self.labels.names))
        dice = {
            name: mean_dice(torch.isin(found, _as(kinds, found)), torch.isin(truth, _as(kinds, truth)))
            for name, kinds in self.labels.measured.items()
        }
        figures = {f"validation_dice_{name}": value for name, value in dice.items()}
        self.log_dict({self.monitor: 1 - sum(dice.values()) / len(dice), **figures}, batch_size=len(image), sync_dist=True)

    def views(self, sample: tuple) -> tuple[np.ndarray, ...]:
        """The first contrast, the classes as the network sees them, and as they are;
        through the level that holds most of them.
        """
        image, truth, _ = sample
        count = len(self.labels.names)
        found = classes_of(self(image[None]), count)[0]
        level = int((truth[0] > 0).sum(dim=(0, 1)).argmax()) or image.shape[-1] // 2
        shown = image[image.abs().sum(dim=(1, 2, 3)).argmax()]
        return tuple(axial(volume, level) for volume in ((shown + 2) / 5, found[0] / count, truth[0] / count))


def classes_of(logits: torch.Tensor, classes: int) -> torch.Tensor:
    """Classes (N, 1, D, H, W) of logits (N, K, D, H, W): the likeliest; where each is judged alone, at 0.5 or more."""
    if logits.shape[1] > classes:
        return logits.argmax(dim=1, keepdim=True)
    best, number = logits.max(dim=1, keepdim=True)
    return torch.where(best >= 0, number + 1, 0)


def segmentation_loss(name: str, classes: int, missed: float):
    """A loss of logits (N, K, D, H, W) and classes (N, 1, D, H, W), K as `outputs_of` says; MONAI's Dice and Tversky.

    Sums run over the whole batch, so that a patch without a class does not count as much as one that is full of it.

    Args:
        missed: weight of a missed voxel in the Tversky loss; one found too many has the rest of 1 (Salehi et al. 2017).
    """
    # takes seconds to load
    from monai.losses import DiceLoss, TverskyLoss
    from monai.networks.utils import one_hot

    alone = outputs_of(name, classes) == classes
    how = {"sigmoid": alone, "softmax": not alone, "include_background": alone, "batch": True}
    overlap = TverskyLoss(alpha=1 - missed, beta=missed, **how) if name == TVERSKY else DiceLoss(**how)

    def loss(logits: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
        target = one_hot(truth, classes + 1).to(logits.dtype)
        target = target[:, 1:] if alone else target
        value = overlap(logits, target)
        if name == DICE_BCE or (name == DICE_CE and alone):
            value = value + nn.functional.binary_cross_entropy_with_logits(logits, target)
        elif name == DICE_CE:
            value = value + nn.functional.cross_entropy(logits, truth[:, 0])
        return value

    return loss


def _as(kinds: tuple[int, ...], like: torch.Tensor) -> torch.Tensor:
    return torch.tensor(kinds, device=like.device)
