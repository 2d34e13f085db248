"""Head model: a shipped network that looks at a whole head of any contrast, on a grid of its own."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..system.kept_arrays import kept
from .card import LESION_KIND, TISSUE_KIND
from .trained_model import TrainedModel, numbers_of

STEP = 16
"""Sides of what the network is shown are multiples of this."""


class HeadModel(TrainedModel):
    """A network that looks at heads.

    Attributes:
        spacing: millimetres of its grid.
    """

    def __init__(self, card: dict, weights: Path, device: str = "cpu"):
        super().__init__(card, weights, device)
        self.spacing = float(card["grid"]["spacing_mm"])

    def probabilities(self, values: np.ndarray) -> np.ndarray:
        """Probabilities of what the network tells apart.

        The mean of the head's and its left-right flip's, so that neither side is judged otherwise than the other; see
        `kept_arrays` for how it may be remembered.

        Args:
            values: intensities (D, H, W) on a grid of `spacing`, axes nearly R, A, S; sides multiples of `STEP`.
        Returns:
            float32 (K, D, H, W): not brain, fluid, grey and white, adding up to 1, by a tissue model; lesion by a lesion model.
        """
        import torch  # which a Slicer may lack

        shown = tissue_input(values)
        what = f"{self.kind} {self.card['sha256']} {self.precision} torch {torch.__version__}"
        return kept(what, shown, lambda: self._probabilities(shown))

    def probabilities_within(self, values: np.ndarray, window: tuple[slice, slice, slice]) -> np.ndarray:
        """`probabilities` of a part of the head as seen without the rest and unflipped: a quick look that differs a little.

        Args:
            values: the whole head.
            window: its sides are multiples of `STEP`.
        """
        return self._probabilities(np.ascontiguousarray(tissue_input(values)[window]), ([],))

    def _probabilities(self, values: np.ndarray, all_flips: tuple[list[int], ...] = ([], [2])) -> np.ndarray:
        """`probabilities` of what the network is shown, the mean over flips of it."""
        import torch  # which a Slicer may lack

        image = torch.from_numpy(values)[None, None]
        total = 0
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=self.precision == "bfloat16"):
            for flips in all_flips:
                shown = image.flip(flips).contiguous(memory_format=torch.channels_last_3d)
                logits = self.network(shown).float()
                total = total + (torch.softmax(logits, dim=1) if logits.shape[1] > 1 else torch.sigmoid(logits)).flip(flips)
        return numbers_of(self.name, (total / len(all_flips))[0].numpy())


class TissueModel(HeadModel):
    """Tells not-brain, fluid, grey and white matter apart."""

    kind = TISSUE_KIND


class LesionModel(HeadModel):
    """Finds what is no healthy tissue."""

    kind = LESION_KIND


HEAD_MODELS = {model.kind: model for model in (TissueModel, LesionModel)}
"""By what they do."""


def installed_head_models() -> dict[str, str | None]:
    """SHA-256 of the weights of the model of every kind that the analysis asks, None where there is none."""
    models = {kind: model.installed() for kind, model in HEAD_MODELS.items()}
    return {kind: model.card["sha256"] if model else None for kind, model in models.items()}


BRIGHTEST = 1.5
"""Where scaled intensities are cut."""


def tissue_input(values: np.ndarray) -> np.ndarray:
    """Intensities scaled so that air is near 0 and bright tissue near 1, whatever the contrast and whether the head is whole.

    Zero is the 1st percentile of all voxels; one is the 99th of those that exceed a tenth of the range, so that the
    share of air does not matter.

    Args:
        values: a resampled scan, any shape.
    Returns:
        float32 of the same shape, 0 to `BRIGHTEST`; all 0 where the scan is constant.
    """
    sample = values.ravel()[:: max(1, values.size // 200_000)]
    low, top = np.percentile(sample, [1, 99.9])
    if top <= low:
        return np.zeros(values.shape, np.float32)
    high = np.percentile(sample[sample > low + 0.1 * (top - low)], 99)
    return np.clip((values - np.float32(low)) / np.float32(high - low), 0, BRIGHTEST).astype(np.float32)
