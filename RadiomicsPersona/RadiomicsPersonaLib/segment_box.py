"""Segment box: the box around the largest part of what a segmentation found, and what else in it is pathological."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .box import Box
from .defaults import SEGMENT_MARGIN_MM
from .errors import InputError
from .markups import boxes_from_label_map
from .segmentation import Segmentation

PATHOLOGICAL = "SCT^49755003^"
"""How the code of a class begins that is a "Morphologically Altered Structure" (SNOMED CT)."""


def box_around(found: Segmentation, model: str, segment: str | None = None) -> Box:
    """The box around the largest connected part, `SEGMENT_MARGIN_MM` wider on every side, along the scan's axes.

    Args:
        model: name of the model that segmented.
        segment: name of a class; None for all classes together.
    Raises:
        InputError: there is no such class, or nothing of it was found.
    """
    numbers = {entry["name"]: entry["number"] for entry in found.classes}
    if segment is not None and segment not in numbers:
        raise InputError(f"The model '{model}' has no segment '{segment}': choose one of {', '.join(numbers)}.")
    mask = found.labels != 0 if segment is None else found.labels == numbers[segment]
    name = segment or (next(iter(numbers)) if len(numbers) == 1 else model)
    try:
        return replace(boxes_from_label_map(mask.astype(np.uint8), found.affine, SEGMENT_MARGIN_MM)[0], name=name)
    except InputError:
        raise InputError(f"The model '{model}' finds no {name} here: draw the box by hand, or choose another scan, segment or model.") from None


def pathology(found: Segmentation) -> np.ndarray:
    """Voxels of the classes whose codes say that they are no healthy tissue; boolean, axes I, J, K."""
    return np.isin(found.labels, [entry["number"] for entry in found.classes if entry["code"].startswith(PATHOLOGICAL)])
