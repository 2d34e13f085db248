"""Segmentation model: a trained network that tells classes apart in one or several contrasts of one head."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from ..networks.card import SEGMENTATION_KIND
from ..networks.trained_model import TrainedModel, numbers_of
from .sliding_window import slid


class SegmentationModel(TrainedModel):
    """A network that segments.

    Attributes:
        spacing: millimetres of its grid along R, A, S; 0 for every scan's own.
        window: voxels that it is shown at once along R, A, S.
        flips: whether it is asked twice, once with left and right exchanged.
        channels: contrasts that it takes, in order; each with its `name` and the `endings` of its files' names.
        may_miss: whether some of them may be missing.
        labels: its classes in order; each with its `name`, the `number` that is written, a `color` (red, green, blue; 0 to
            255), and a `code`, category and type as Slicer's terminologies write them ("SCT^…~SCT^…"), empty where there is
            none.
        alone: whether every class is judged alone (at 0.5) rather than against the others and the background.
    """

    kind, automatic = SEGMENTATION_KIND, False

    def __init__(self, card: dict, weights: Path, device: str = "cpu"):
        super().__init__(card, weights, device)
        grid, what = card["grid"], card["segmentation"]
        self.spacing = tuple(float(s) for s in grid["spacing_mm"])
        self.window = tuple(int(n) for n in grid["window_voxels"])
        self.flips = bool(grid["flips"])
        self.channels, self.labels, self.may_miss = what["channels"], what["labels"], bool(what["may_miss"])
        self.alone = int(card["architecture"]["outputs"]) == len(self.labels)

    def probabilities(self, image: np.ndarray, progress: Callable[[int, int], None] | None = None) -> np.ndarray:
        """Probabilities of the classes, before them that of the background unless every class is judged alone.

        Args:
            image: float32 (C, D, H, W) on a grid of `spacing`, axes nearly R, A, S, as `segmentation_input` scales it; 0 for
                a contrast that is missing.
            progress: called with (done, total) windows; may raise to cancel.
        Returns:
            float32 (K, D, H, W).
        """
        return slid(image, self.window, self._answer, progress)

    def _answer(self, window: np.ndarray) -> np.ndarray:
        import torch  # which a Slicer may lack

        image = torch.from_numpy(np.ascontiguousarray(window, np.float32))[None].to(self.device)
        kind = torch.device(self.device).type
        total = 0
        with torch.inference_mode(), torch.autocast(kind, torch.bfloat16, enabled=self.precision == "bfloat16"):
            for flips in ([], [2])[: 1 + self.flips]:
                logits = self.network(image.flip(flips).contiguous(memory_format=torch.channels_last_3d)).float()
                total = total + (torch.sigmoid(logits) if self.alone else torch.softmax(logits, dim=1)).flip(flips)
        return numbers_of(self.name, (total / (1 + self.flips))[0].cpu().numpy())


FARTHEST = 5.0
"""Standard deviations at which intensities are cut."""
EXTRACTED = 0.25
"""Share of voxels that are exactly 0 from which on a scan counts as cut out (brain-extracted)."""


def segmentation_input(values: np.ndarray) -> np.ndarray:
    """Intensities as standard scores of the scan, or of what is not 0 where a quarter or more of it is (Isensee et al. 2021).

    Mean and deviation are taken between the 0.5th and the 99.5th percentile, so that a few bright voxels do not matter.
    What was cut out stays 0.

    Args:
        values: a scan, any shape.
    Returns:
        float32 of the same shape, -`FARTHEST` to `FARTHEST`; all 0 where the scan is constant.
    """
    values = np.asarray(values, np.float32)
    seen = values != 0
    if seen.mean() > 1 - EXTRACTED:
        seen = np.ones(values.shape, bool)
    inside = values[seen]
    low, high = np.percentile(inside, [0.5, 99.5]) if inside.size else (0.0, 0.0)
    middle = inside[(inside >= low) & (inside <= high)].astype(np.float64)
    if not middle.size or middle.std() == 0:
        return np.zeros(values.shape, np.float32)
    scores = (values - np.float32(middle.mean())) / np.float32(middle.std())
    return np.where(seen, np.clip(scores, -FARTHEST, FARTHEST), np.float32(0))
