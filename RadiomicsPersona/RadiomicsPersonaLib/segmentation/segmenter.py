"""Segmenter: from a model's name and files of scans to a segmentation, whatever kind of model it is; the box around the largest
part of what was found, and what else in it is pathological.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy import ndimage

from ..brain.head_maps import HeadMap, head_maps
from ..brain.preparation import PreparedScan, prepare
from ..brain.tissue import FLUID, GREY, WHITE, estimate_tissue
from ..defaults import SEGMENT_MARGIN_MM
from ..errors import InputError
from ..geometry.box import Box
from ..geometry.markups import boxes_from_label_map
from ..imaging.contrast_name import channel_files
from ..imaging.files import read_scan
from ..imaging.scan import Scan
from ..networks.card import LESION_KIND, SEGMENTATION_KIND, TISSUE_KIND, model_cards, read_card
from ..networks.head_model import LesionModel, TissueModel
from ..networks.trained_model import TrainedModel
from ..system.device import require_torch
from ..system.names import meant
from .segmentation import Segmentation, segment
from .segmentation_model import SegmentationModel

KINDS = {SEGMENTATION_KIND: SegmentationModel, LESION_KIND: LesionModel}
LESION = {
    "name": "lesion",
    "number": 1,
    "color": [213, 94, 0],
    "code": "SCT^49755003^Morphologically Altered Structure~SCT^52988006^Lesion",
}
"""The one class of a lesion model."""

WITH_TISSUE = {**KINDS, TISSUE_KIND: TissueModel}
"""Kinds of models that segment a scan for its own sake: around tissue lies no box."""
_ANATOMY, _SUBSTANCE = "SCT^123037004^Anatomical Structure", "SCT^91720002^Body Substance"
TISSUES = {
    GREY: {"name": "grey matter", "number": 1, "color": [200, 200, 235], "code": f"{_ANATOMY}~SCT^389080008^Gray matter"},
    WHITE: {"name": "white matter", "number": 2, "color": [250, 250, 225], "code": f"{_ANATOMY}~SCT^389081007^White matter"},
    FLUID: {"name": "fluid", "number": 3, "color": [230, 159, 0], "code": f"{_SUBSTANCE}~SCT^65216001^Cerebrospinal fluid"},
}
"""The classes of a tissue model by the `tissue` module's numbers; written with those that BIDS names for them. Together they
are the brain."""

Progress = Callable[[int, int, str], None]


def segmenting_cards() -> dict[str, Path]:
    """Names and card files of all models that segment.

    Raises:
        InputError: a card is damaged.
    """
    return {name: path for kind in KINDS for name, path in model_cards(kind).items()}


def load_segmenting(name: str, device: str = "cpu", kinds: dict[str, type[TrainedModel]] = KINDS) -> TrainedModel:
    """A segmentation model, or a model of whole heads; the latter computes on the CPU, which takes it a second.

    Args:
        kinds: what it may be: `KINDS` where a lesion is looked for, or `WITH_TISSUE`.

    Raises:
        InputError: there is none of that name, its card or weights are damaged, or the device is not there.
    """
    require_torch()
    cards = {named: path for kind in kinds for named, path in model_cards(kind).items()}
    path = cards.get(name, Path(name))
    kind = kinds.get(read_card(path).get("kind")) if path.is_file() else None
    if kind is None:
        raise InputError(
            f"There is no segmentation model '{name}'{meant(name, cards)}: choose one of {', '.join(cards)}, or name a card."
        )
    return kind.load(str(path), device if kind is SegmentationModel else "cpu")


def segment_files(
    files: list[str],
    model: TrainedModel,
    probabilities: bool = False,
    progress: Progress | None = None,
    scans: dict[str, Scan] | None = None,
    prepare: Callable[[Scan], PreparedScan] = prepare,
) -> tuple[Segmentation, dict]:
    """Segment the head that these files show.

    Args:
        files: its contrasts, in any order, told by their names or as `NAME=FILE`; the result is on the first one's grid. A
            lesion or tissue model takes a single scan of any contrast.
        probabilities: whether to keep them.
        progress: called with (done, total, what); may raise to cancel.
        scans: those that are read already, by their files.
        prepare: what finds the brain for a lesion model; one that remembers, where the scan is analyzed next.
    Returns:
        the segmentation; what to tell of it in plain JSON types: the files, the classes with their `ml`, the model.
    Raises:
        InputError: the files do not fit the model or each other.
    """

    def read(file: str) -> Scan:
        return (scans or {}).get(file) or read_scan(file)

    if isinstance(model, (LesionModel, TissueModel)):
        if len(files) > 1:
            raise InputError(
                f"The model '{model.name}' takes one scan, of any contrast, and {len(files)} were given: choose one."
            )
        shown = {"scan": files[0]}
        if isinstance(model, LesionModel):
            found = segment_lesions(read(files[0]), model, probabilities, progress, prepare)
        else:
            found = segment_tissue(read(files[0]), model, probabilities, progress)
    else:
        chosen = channel_files(files, model.channels, model.may_miss)
        shown = {model.channels[place]["name"]: file for place, file in chosen.items()}
        found = segment({place: read(file) for place, file in chosen.items()}, model, probabilities, progress)
    told = {
        "scans": {name: Path(file).name for name, file in shown.items()},
        "classes": [{**entry, "ml": round(found.milliliters[entry["name"]], 4)} for entry in found.classes],
        "model": model.provenance(),
    }
    return found, told


def segment_lesions(
    scan: Scan,
    model: LesionModel,
    probabilities: bool = False,
    progress: Progress | None = None,
    prepare: Callable[[Scan], PreparedScan] = prepare,
) -> Segmentation:
    """What a lesion model calls lesion with a probability of at least 0.5 in the brain, on the scan's own grid;
    see `segment_files`.
    """
    tell = progress or (lambda done, total, what: None)
    tell(0, 2, "Finding the brain")
    prepared = prepare(scan)
    tell(1, 2, "Segmenting")
    maps = prepared.maps if model is LesionModel.installed() else head_maps(scan, prepared.tissue, model)
    share = _on_grid(maps.lesion, 0, scan, outside=0)
    if maps.tissue is not None:
        share[_on_grid(maps.tissue, 0, scan, outside=1) > 0.5] = 0
    tell(2, 2, "Segmenting")
    return Segmentation((share >= 0.5).astype(np.uint16), scan.affine, (LESION,), share[None] if probabilities else None)


def segment_tissue(
    scan: Scan, model: TissueModel, probabilities: bool = False, progress: Progress | None = None
) -> Segmentation:
    """Grey matter, white matter and fluid as a tissue model sees them, on the scan's own grid; see `segment_files`.

    Raises:
        InputError: the model sees no brain in the scan.
    """
    tell = progress or (lambda done, total, what: None)
    tell(0, 1, "Segmenting")
    tissue = estimate_tissue(scan, model=model)
    if tissue.anatomy is None:
        raise InputError(f"'{scan.name}' shows no brain that {model.name} recognises: choose an MRI of a whole head.")
    shares = tissue.anatomy.shares_on(scan.affine, scan.shape)[[kind - 1 for kind in TISSUES]]
    classes = tuple(TISSUES.values())
    numbers = np.array([entry["number"] for entry in classes], np.uint16)
    labels = np.where(shares.sum(axis=0) >= 0.5, numbers[shares.argmax(axis=0)], np.uint16(0))
    tell(1, 1, "Segmenting")
    return Segmentation(labels, scan.affine, classes, shares if probabilities else None)


def _on_grid(found: HeadMap, channel: int, scan: Scan, outside: float) -> np.ndarray:
    """One channel of a map on a scan's grid, float32; beyond the map a value of its own."""
    matrix = found.grid.inverse @ scan.affine
    values = found.values[channel].astype(np.float32)
    return ndimage.affine_transform(
        values, matrix[:3, :3], matrix[:3, 3], scan.shape, order=1, mode="grid-constant", cval=outside
    )


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
        raise InputError(
            f"The model '{model}' finds no {name} here: draw the box by hand, or choose another scan, segment or model."
        ) from None


def pathology(found: Segmentation) -> np.ndarray:
    """Voxels of the classes whose codes say that they are no healthy tissue; boolean, axes I, J, K."""
    return np.isin(found.labels, [entry["number"] for entry in found.classes if entry["code"].startswith(PATHOLOGICAL)])
