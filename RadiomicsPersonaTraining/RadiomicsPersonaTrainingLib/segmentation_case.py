"""Segmentation case: the contrasts of one head and its label map, read, laid upon each other, and brought onto the model's grid."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.model_grid import model_grid
from RadiomicsPersonaLib.same_grid import onto_grid_of, share_grid
from RadiomicsPersonaLib.scan import Scan, name_of, read_label_map, read_scan
from RadiomicsPersonaLib.segmentation_input import segmentation_input

from .segmentation_labels import labels_of
from .segmentation_layout import images_of
from .segmentation_settings import SegmentationSettings


@dataclass(frozen=True, eq=False)
class SegmentationCase:
    """What samples are drawn from.

    Attributes:
        name: of its label map.
        image: float16 (C, D, H, W), axes nearly R, A, S, as `segmentation_input` scales it; 0 where a contrast is missing.
        truth: uint8 (D, H, W), classes from 0.
    """

    name: str
    image: np.ndarray
    truth: np.ndarray


def read_case(truth: Path, settings: SegmentationSettings) -> tuple[list[Scan | None], np.ndarray]:
    """The contrasts of a case on the grid of its label map, None for those that are missing, and its classes.

    Raises:
        InputError: a file cannot be used, the label map is on the grid of none of the contrasts, or a header places one elsewhere.
    """
    files = images_of(truth, settings)
    scans = [None if file is None else read_scan(file) for file in files]
    marked = read_label_map(truth)
    first = next((scan for scan in scans if scan is not None and share_grid(marked, scan)), None)
    if first is None:
        raise InputError(f"The label map '{truth.name}' is on another grid than all of its scans: resample it onto one of them.")
    classes = labels_of(settings).classes_of(marked.array, name_of(truth))
    return [None if scan is None else onto_grid_of(first, scan) for scan in scans], classes


def prepared_case(truth: Path, settings: SegmentationSettings) -> SegmentationCase:
    """A case on the model's grid.

    Raises:
        InputError: see `read_case`.
    """
    scans, classes = read_case(truth, settings)
    grid = model_grid(next(scan for scan in scans if scan is not None), settings.spacing)
    image = np.zeros((len(scans), *grid.shape), np.float16)
    for channel, scan in enumerate(scans):
        if scan is not None:
            image[channel] = grid.from_scan(segmentation_input(scan.array))
    return SegmentationCase(name_of(truth), image, grid.labels_from_scan(classes, len(labels_of(settings).names)))

