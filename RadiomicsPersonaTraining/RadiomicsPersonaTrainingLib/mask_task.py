"""Mask task: what a network is asked to do that draws lesion masks step by step, by flow matching (Lipman et al. 2023)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import nn

from .mask_drawing import drawn_field, guessed_field
from .mask_samples import MaskRecipe
from .training_task import TaskSettings, TrainingTask, axial


class MaskTask(TrainingTask):
    """A network that tells, from a mask's field mixed with noise, the field; on the samples of `mask_samples.MaskSamples`.

    Args:
        recipe: what it draws.
    """

    monitor = "validation_loss"

    def __init__(self, network: nn.Module, settings: TaskSettings, steps: int, name_of: Callable[[int], str], recipe: MaskRecipe):
        super().__init__(network, settings, steps, name_of)
        self.recipe = recipe

    def training_step(self, batch, index: int) -> torch.Tensor:
        """Loss of a batch."""
        return self.logged(self._loss(batch), batch[-1])

    def validation_step(self, batch, index: int) -> None:
        """The same loss."""
        self.log(self.monitor, self._loss(batch), batch_size=len(batch[0]), sync_dist=True)

    def views(self, sample: tuple) -> tuple[np.ndarray, ...]:
        """The image, a mask drawn for it, and the real one; through the middle."""
        return mask_views(self.network, sample, self.recipe.steps)

    def _loss(self, batch) -> torch.Tensor:
        conditions, field, noise, time, _ = batch
        share = time[:, None, None, None, None]
        noisy = share * field + (1 - share) * noise[:, :1]
        return (guessed_field(self.network, conditions, noisy, time) - field).square().mean()


def mask_views(network: nn.Module, sample: tuple, steps: int) -> tuple[np.ndarray, ...]:
    """The image of a sample, a mask drawn for it, and the real one; axial, through the middle."""
    conditions, field, noise, _, _ = sample
    drawn = drawn_field(network, conditions[None], noise[None, :1], steps)[0]
    level = field.shape[-1] // 2
    return tuple(axial(volume[0], level) for volume in (conditions / 2 + 0.5, drawn / 2 + 0.5, field / 2 + 0.5))
