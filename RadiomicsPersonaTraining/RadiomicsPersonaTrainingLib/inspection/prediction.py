"""Prediction: what a run's best checkpoint makes of a scan, before it is exported."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import ndimage

from RadiomicsPersonaLib.brain.anatomy import head_view
from RadiomicsPersonaLib.brain.tissue import estimate_tissue
from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.geometry.box import Box
from RadiomicsPersonaLib.geometry.hole import hole_of_box
from RadiomicsPersonaLib.imaging.contrast_name import channel_files
from RadiomicsPersonaLib.imaging.files import read_scan, write_nifti
from RadiomicsPersonaLib.imaging.grid import Grid
from RadiomicsPersonaLib.imaging.scan import Scan
from RadiomicsPersonaLib.networks.card import LESION_KIND, RECONSTRUCTION_KIND, SEGMENTATION_KIND, TISSUE_KIND
from RadiomicsPersonaLib.reconstruction.inpainting import inpaint
from RadiomicsPersonaLib.report.colors import CLASS_COLORS
from RadiomicsPersonaLib.segmentation.segmentation import segment
from RadiomicsPersonaLib.system.output import file_written_whole

from ..runs.record import read_record
from .held_out_run import HeldOutRun
from .opened_case import TISSUE_NAMES

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Prediction:
    """What a model made of a scan.

    Attributes:
        labels: names and colours (red, green, blue; 0 to 255) by the number, where the file is a label map; None for an image.
        notes: what the user should know, one sentence each.
    """

    labels: dict[int, tuple[str, tuple[int, int, int]]] | None = None
    notes: tuple[str, ...] = ()


def predict(run: Path, scans: list[str], boxes: list[Box], output: Path, progress: Progress | None = None) -> Prediction:
    """Write what a run's best checkpoint makes of a scan, on the grid of the first contrast.

    A model that rebuilds gives the scan with the boxes rebuilt, a segmentation and a tissue model a label map, a lesion model
    the probability of lesion.

    Args:
        run: its folder.
        scans: files; one, but for a segmentation its contrasts.
        boxes: what is rebuilt; the other models need none.
        output: .nii or .nii.gz.
        progress: called with (done, total, what); may raise to cancel.
    Raises:
        InputError: there is no checkpoint, or a scan or box cannot be used.
    """
    held_out = HeldOutRun(run, read_record(run))
    if held_out.kind not in _PREDICT:
        raise InputError(f"A {held_out.kind} model is not tried on a scan: export it.")
    if held_out.kind != SEGMENTATION_KIND and len(scans) != 1:
        raise InputError(f"A {held_out.kind} model takes one scan, not {len(scans)}: choose one.")
    if held_out.kind == RECONSTRUCTION_KIND and not boxes:
        raise InputError("A model that rebuilds needs a box to rebuild: choose one.")
    with file_written_whole(output, alone=True) as path:
        model = held_out.model()
        return _PREDICT[held_out.kind](model, scans, boxes, path, progress)


def _rebuilt(model, scans: list[str], boxes: list[Box], path: Path, progress: Progress | None) -> Prediction:
    scan = read_scan(scans[0])
    mask = sum(hole_of_box(scan, box).full_mask(scan.shape) for box in boxes) > 0
    rebuilt, _, notes = inpaint(scan, mask, model, progress)
    write_nifti(path, rebuilt, scan.affine)
    return Prediction(notes=tuple(notes))


def _segmented(model, scans: list[str], boxes: list[Box], path: Path, progress: Progress | None) -> Prediction:
    files = channel_files(scans, model.channels, model.may_miss)
    found = segment({place: read_scan(file) for place, file in files.items()}, model, progress=progress)
    write_nifti(path, found.labels, found.affine)
    return Prediction({entry["number"]: (entry["name"], tuple(entry["color"])) for entry in found.classes})


def _tissues(model, scans: list[str], boxes: list[Box], path: Path, progress: Progress | None) -> Prediction:
    scan = read_scan(scans[0])
    anatomy = estimate_tissue(scan, model=model).anatomy
    if anatomy is None:
        raise InputError(f"The model sees no brain in '{scan.name}': choose another scan, or train longer.")
    write_nifti(path, anatomy.classes_on(scan.affine, scan.shape).astype(np.uint8), scan.affine)
    return Prediction({number: (name, CLASS_COLORS[number - 1]) for number, name in enumerate(TISSUE_NAMES, start=1)})


def _lesions(model, scans: list[str], boxes: list[Box], path: Path, progress: Progress | None) -> Prediction:
    scan = read_scan(scans[0])
    write_nifti(path, lesion_probability(scan, model), scan.affine)
    return Prediction()


def lesion_probability(scan: Scan, model) -> np.ndarray:
    """A lesion model's probability of lesion on the scan's grid, float32; 0 beyond what it was shown."""
    tissue = estimate_tissue(scan)
    values, affine = head_view(scan, model, tissue.stretch, tissue.background)
    matrix = Grid(values.shape, affine).inverse @ scan.affine
    return ndimage.affine_transform(
        model.probabilities(values)[0], matrix[:3, :3], matrix[:3, 3], scan.shape, order=1, mode="constant"
    )


_PREDICT = {RECONSTRUCTION_KIND: _rebuilt, SEGMENTATION_KIND: _segmented, TISSUE_KIND: _tissues, LESION_KIND: _lesions}
