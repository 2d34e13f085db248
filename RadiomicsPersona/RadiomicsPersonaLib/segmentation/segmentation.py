"""Segmentation: what a segmenting model finds in a head, on the grid of the head's first scan."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..geometry.model_grid import model_grid
from ..imaging.grid import Grid
from ..imaging.resampling import onto_grid_of
from ..imaging.scan import Scan
from .segmentation_model import SegmentationModel, segmentation_input


@dataclass(frozen=True, eq=False)
class Segmentation:
    """The classes of every voxel of a scan.

    Attributes:
        labels: uint16, axes I, J, K of the scan; 0 is the background, else the `number` of a class.
        affine: 4x4, IJK to RAS millimetres.
        classes: the model's `labels`.
        probabilities: float32 (K, I, J, K), one for every class in order; None unless asked for.
    """

    labels: np.ndarray
    affine: np.ndarray
    classes: tuple[dict, ...]
    probabilities: np.ndarray | None = None

    @cached_property
    def grid(self) -> Grid:
        """Where its voxels lie."""
        return Grid(self.labels.shape, self.affine)

    @property
    def milliliters(self) -> dict[str, float]:
        """Volume of every class by its name."""
        return {entry["name"]: float((self.labels == entry["number"]).sum() * self.grid.voxel_ml) for entry in self.classes}


def segment(
    scans: dict[int, Scan],
    model: SegmentationModel,
    probabilities: bool = False,
    progress: Callable[[int, int, str], None] | None = None,
) -> Segmentation:
    """Segment a head.

    Args:
        scans: contrasts of one head by their place among the model's channels; the result is on the grid of the first one
            given, onto which the others are resampled as their headers say.
        probabilities: whether to keep them.
        progress: called with (done, total, what); may raise to cancel.
    Raises:
        InputError: a scan lies elsewhere than the first.
    """
    first = next(iter(scans.values()))
    grid = model_grid(first, model.spacing)
    image = np.zeros((len(model.channels), *grid.shape), np.float32)
    for place, scan in scans.items():
        image[place] = grid.from_scan(segmentation_input(onto_grid_of(first, scan).array))
    found = model.probabilities(image, progress and (lambda done, total: progress(done, total, "Segmenting")))
    numbers = [entry["number"] for entry in model.labels]
    numbers = numbers if model.alone else [0, *numbers]
    labels, best, kept = np.zeros(first.shape, np.uint16), np.full(first.shape, 0.5 if model.alone else -1, np.float32), []
    for number, values in zip(numbers, found):
        share = grid.to_scan(values)
        higher = share >= best if model.alone else share > best
        labels[higher], best[higher] = number, share[higher]
        kept += [share] if probabilities and number else []
    return Segmentation(labels, first.affine, tuple(model.labels), np.stack(kept) if probabilities else None)
