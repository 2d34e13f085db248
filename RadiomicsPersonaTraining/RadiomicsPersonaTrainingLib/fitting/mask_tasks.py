"""Mask tasks: what networks are asked to do that draw lesion masks.

`MaskTask` draws lesion masks step by step, by flow matching (Lipman et al. 2023).

`MaskGanTask` sets a generator of lesion masks against a discriminator that sees the masked brain image: hinge loss (Lim and Ye
2017), spectral normalisation (Miyato et al. 2018), and a reward for drawing other masks from other noise (Mao et al. 2019) so
that it does not collapse. Both networks take their step at once, each with the gradient of its own loss alone, so that one
optimiser, one schedule and one checkpoint serve both. The generator begins with the weights of the one that was taught step by
step: from fresh ones it scattered its masks over the whole patch.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from scipy.stats import wasserstein_distance
from torch import nn
from torch.func import functional_call
from torch.nn.functional import relu
from torch.nn.utils.parametrizations import spectral_norm

from ..lesion_masks.mask_drawing import drawn_field, guessed_field, soft_mask
from ..settings.sample_sections import MaskRecipe
from ..settings.sections import TaskSettings
from .task import TrainingTask, axial


class MaskTask(TrainingTask):
    """A network that tells, from a mask's field mixed with noise, the field; on the samples of `mask_samples.MaskSamples`.

    Args:
        recipe: what it draws.
    """

    monitor = "validation_loss"

    def __init__(
        self, network: nn.Module, settings: TaskSettings, steps: int, name_of: Callable[[int], str], recipe: MaskRecipe
    ):
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


MASKED = -1.5
"""Value of the image inside a mask, which no tissue has: the image is a third of tissue units, cut at 4."""
SIZE_WEIGHT = 4.0
"""Weight of the squared relative error of the drawn volume, which keeps the generator to the requested size."""
APART = 0.6
"""Share of the volume by which two masks for one place must differ; more earns nothing,
or they would drift apart for its own sake."""
DISCRIMINATOR_LR = 2.0
"""Learning rate of the discriminator over the generator's (Heusel et al. 2017)."""


class MaskDiscriminator(nn.Module):
    """Judges masked images patch by patch; higher means more real.

    Args:
        inputs: the masked image and the constant conditions.
        channels: width at 1/2, 1/4, ... of the input's resolution.
    """

    def __init__(self, inputs: int, channels: tuple[int, ...]):
        super().__init__()
        layers = []
        for before, after in zip((inputs, *channels[:-1]), channels):
            layers += [spectral_norm(nn.Conv3d(before, after, 4, stride=2, padding=1)), nn.LeakyReLU(0.2)]
        self.body = nn.Sequential(*layers, spectral_norm(nn.Conv3d(channels[-1], 1, 3, padding=1)))

    def forward(self, shown: torch.Tensor) -> torch.Tensor:
        return self.body(shown).float()


class MaskGanTask(TrainingTask):
    """A generator and its discriminator on the samples of `mask_samples.MaskSamples`.

    Monitored is how far the drawn masks' surface, spread and share outside the brain lie from the real ones', over the
    validation samples: Wasserstein distances in standard deviations of the real ones. The losses of a GAN tell nothing of that.
    """

    monitor = "validation_distance"

    def __init__(
        self, network: nn.Module, settings: TaskSettings, steps: int, name_of: Callable[[int], str], recipe: MaskRecipe
    ):
        super().__init__(network, settings, steps, name_of)
        self.recipe = recipe
        self.discriminator = MaskDiscriminator(2 + len(recipe.kinds), recipe.discriminator)
        self._measured: list[tuple[list[float], list[float]]] = []

    def training_step(self, batch, index: int) -> torch.Tensor:
        """Both losses of a batch; neither reaches the other network's weights."""
        conditions, field, noise, _, numbers = batch
        real = soft_mask(field)
        fakes = [soft_mask(drawn_field(self.network, conditions, part, 1)) for part in noise.split(1, dim=1)]
        frozen = {name: value.detach() for name, value in self.discriminator.named_parameters()}
        fooled = -functional_call(self.discriminator, frozen, (shown_to_discriminator(conditions, fakes[0]),)).mean()
        volume = real.sum(dim=(1, 2, 3, 4)).clamp(min=1)
        size_error = sum((fake.sum(dim=(1, 2, 3, 4)) / volume - 1).clamp(-2, 2).square().mean() for fake in fakes) / 2
        apart = ((fakes[0] - fakes[1]).abs().sum(dim=(1, 2, 3, 4)) / (2 * volume)).clamp(max=APART).mean()
        judged = [self.discriminator(shown_to_discriminator(conditions, mask)) for mask in (real, fakes[0].detach())]
        telling = relu(1 - judged[0]).mean() + relu(1 + judged[1]).mean()
        for name, value in (("discriminator", telling), ("apart", apart), ("size_error", size_error)):
            self.log(f"training_{name}", value.detach(), on_step=False, on_epoch=True, batch_size=len(numbers))
        return self.logged(fooled + SIZE_WEIGHT * size_error - self.recipe.diversity * apart + telling, numbers)

    def validation_step(self, batch, index: int) -> None:
        """Measure a drawn mask and the real one."""
        conditions, field, noise, _, _ = batch
        drawn = soft_mask(drawn_field(self.network, conditions, noise[:, :1], 1))
        self._measured.append((_measures(drawn, conditions), _measures(soft_mask(field), conditions)))

    def on_validation_epoch_end(self) -> None:
        """The distance between the two distributions."""
        drawn, real = (np.array(part) for part in zip(*self._measured))
        self._measured.clear()
        distances = [wasserstein_distance(a, b) / max(b.std(), 1e-6) for a, b in zip(drawn.T, real.T)]
        self.log(self.monitor, float(np.mean(distances)), sync_dist=True)

    def views(self, sample: tuple) -> tuple[np.ndarray, ...]:
        """The image, a mask drawn for it, and the real one; through the middle."""
        return mask_views(self.network, sample, 1)

    def configure_optimizers(self) -> dict:
        """Adam without momentum (Miyato et al. 2018), with the schedule of all tasks."""
        lr = self.settings.learning_rate
        groups = [
            {"params": self.network.parameters()},
            {"params": self.discriminator.parameters(), "lr": DISCRIMINATOR_LR * lr},
        ]
        return self.scheduled(torch.optim.Adam(groups, lr, betas=(0.0, 0.9)))


def shown_to_discriminator(conditions: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """The masked image and the constant conditions, (N, 2 + kinds, S, S, S); `mask` is soft and passes its gradient on."""
    image, constants = conditions[:, :1], conditions[:, 1:]
    return torch.cat([image * (1 - mask) + MASKED * mask, constants], dim=1)


def _measures(mask: torch.Tensor, conditions: torch.Tensor) -> list[float]:
    """Of one soft mask: volume, surface over volume, distance of its parts from the middle, share on dark voxels."""
    mask = mask[0, 0]
    volume = float(mask.sum().clamp(min=1))
    surface = sum(float(mask.diff(dim=axis).abs().sum()) for axis in range(3))
    place = torch.stack(torch.meshgrid(*(torch.linspace(-1, 1, n, device=mask.device) for n in mask.shape), indexing="ij"))
    spread = float((mask * place.square().sum(dim=0)).sum()) / volume
    dark = float((mask * (conditions[0, 0] < -0.7)).sum()) / volume
    return [np.log(volume), surface / volume, spread, dark]
