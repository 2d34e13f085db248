"""Task: what all tasks share, whatever their networks are asked to do."""

from __future__ import annotations

import math
from collections.abc import Callable

import lightning
import numpy as np
import torch
from torch import nn

from RadiomicsPersonaLib.errors import InputError

from ..settings.sections import TaskSettings
from .optimizer import muon_for


class TrainingTask(lightning.LightningModule):
    """A network with its optimiser; each task adds loss, validation and pictures.

    Attributes:
        monitor: name of the validation figure that is to fall.

    Args:
        network: see `training_settings.architecture_in`.
        settings: loss and optimisation.
        steps: optimisation steps of the whole run; the learning rate is 0 at their end.
        name_of: tells the name of the scan that a numbered sample came from, for the message when the loss breaks.
    """

    monitor: str

    def __init__(self, network: nn.Module, settings: TaskSettings, steps: int, name_of: Callable[[int], str]):
        super().__init__()
        self.network = network.to(memory_format=torch.channels_last_3d)
        self.settings, self.steps, self.name_of = settings, steps, name_of

    def views(self, sample: tuple) -> tuple[np.ndarray, ...]:
        """Input, the network's answer and the truth of one sample, cut axially: 2-D, 0 (black) to 1 (white), anterior up."""
        raise NotImplementedError

    def logged(self, loss: torch.Tensor, numbers: torch.Tensor) -> torch.Tensor:
        """The loss of a batch, logged.

        Args:
            numbers: of the batch's samples.
        Raises:
            InputError: it is no longer a number.
        """
        if not torch.isfinite(loss):
            names = ", ".join(sorted({self.name_of(int(n)) for n in numbers}))
            raise InputError(
                f"The loss is no longer a number at step {self.global_step}, with samples of {names}: look at these scans, or "
                "lower learning_rate. The best checkpoint so far is kept."
            )
        self.log("training_loss", loss, on_step=False, on_epoch=True, batch_size=len(numbers))
        return loss

    def configure_optimizers(self) -> dict:
        """Muon with a warm-up and half a cosine, stepped after every batch."""
        return self.scheduled(muon_for(self.network, self.settings.learning_rate, self.settings.weight_decay))

    def scheduled(self, optimizer: torch.optim.Optimizer) -> dict:
        """An optimizer whose learning rates all rise over the warm-up and then fall along half a cosine."""
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, self._share_of_peak)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def _share_of_peak(self, step: int) -> float:
        warmup = min(self.settings.warmup, self.steps)
        if step < warmup:
            return (step + 1) / warmup
        return 0.5 * (1 + math.cos(math.pi * min(1.0, (step - warmup) / max(1, self.steps - warmup)))) + 1e-3


class HeadTask(TrainingTask):
    """A task whose network answers with one map per class."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """The network's logits, (N, K, D, H, W) for images (N, C, D, H, W); float32 whatever the precision."""
        return self.network(image.contiguous(memory_format=torch.channels_last_3d)).float()


def mean_dice(found: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """Mean over the batch of 2 |A and B| / (|A| + |B|); two empty sets agree (1). Boolean (N, 1, D, H, W)."""
    space = (1, 2, 3, 4)
    both, size = (found & truth).sum(dim=space), found.sum(dim=space) + truth.sum(dim=space)
    return torch.where(size > 0, 2 * both / size.clamp(min=1), torch.ones(len(size), device=size.device)).mean()


def axial(volume: torch.Tensor, level: int) -> np.ndarray:
    """One axial slice of (R, A, S) as rows from anterior to posterior."""
    return np.rot90(volume[:, :, level].float().cpu().numpy())
