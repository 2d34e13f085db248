"""Boxes and masks that a command's options name."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from ..errors import InputError
from ..geometry.box import Box, parse_box
from ..geometry.markups import boxes_from_label_map, read_boxes
from ..imaging.files import read_labels, read_mask
from ..imaging.resampling import share_grid
from ..imaging.scan import Scan


def boxes_without_scan(options: argparse.Namespace) -> list[Box]:
    """The boxes that can be told before the scan is read: numbers and markups.

    Raises:
        InputError: there is none, or one cannot be used.
    """
    segments = getattr(options, "segment_with", None)
    if not (options.box or options.boxes or options.labels or segments):
        raise InputError("There is no box: give --box R,A,S,X,Y,Z, --boxes FILE.mrk.json or --labels FILE.")
    largest = getattr(options, "largest", None)
    if largest is not None and not (options.labels and largest > 0):
        raise InputError("--largest is a number above 0 and goes with --labels: correct it, or leave it out.")
    if not segments and (getattr(options, "segment", None) or getattr(options, "contrast", None)):
        raise InputError("--segment and --contrast go with --segment-with: name the model that segments.")
    boxes = [parse_box(text, f"box {number}") for number, text in enumerate(options.box, 1)]
    for file in options.boxes:
        boxes += read_boxes(file)
    return boxes


def boxes_of(options: argparse.Namespace) -> tuple[list[Box], tuple[str, ...]]:
    """All boxes that the options name, those around the labels of a map too, and what the user should know of the map.

    Raises:
        InputError: there is none, or one cannot be used.
    """
    boxes, told = label_boxes(options.labels, options.largest) if options.labels else ([], ())
    return boxes_without_scan(options) + boxes, told


def add_box_arguments(parser: argparse.ArgumentParser, labels: str = "a label map") -> None:
    """Add --box, --boxes, --labels and --largest."""
    parser.add_argument(
        "--box", action="append", default=[], metavar="R,A,S,X,Y,Z", help="centre and sizes in RAS mm; may be repeated"
    )
    parser.add_argument(
        "--boxes", action="append", default=[], metavar="FILE", help="boxes of a Slicer .mrk.json; may be repeated"
    )
    parser.add_argument("--labels", metavar="FILE", help=f"{labels}: a box around each connected part of each label")
    parser.add_argument("--largest", type=int, metavar="N", help="with --labels: only the N largest parts of all labels")


def label_boxes(path: str, largest: int | None = None) -> tuple[list[Box], tuple[str, ...]]:
    """A box around each connected part of each label of a map, or around the largest of them, the largest first; and what the
    user should know of its file.
    """
    labels = read_labels(path)
    boxes = boxes_from_label_map(labels.array, labels.affine, largest_first=largest is not None)
    taken = boxes[:largest]
    told = (f"Of the {len(boxes)} parts of '{Path(path).name}' the {len(taken)} largest were taken.",)
    return taken, labels.warnings + (told if len(taken) < len(boxes) else ())


def mask_on(scan: Scan, path: str) -> np.ndarray:
    """A mask file as a boolean array of the scan's shape.

    Raises:
        InputError: as `read_mask`, or it is on another grid than the scan.
    """
    mask, name = read_mask(path), Path(path).name
    if mask.shape != scan.shape:
        raise InputError(
            f"The mask '{name}' is on another grid than the scan ({_shape(mask)} against {_shape(scan)} voxels): resample it "
            "onto the scan."
        )
    if not share_grid(scan, mask):
        raise InputError(
            f"The mask '{name}' is on another grid than the scan (its voxels lie up to {scan.grid.apart(mask.grid):.3g} mm "
            "from the scan's): resample it onto the scan."
        )
    return mask.array


def _shape(scan: Scan) -> str:
    return " x ".join(map(str, scan.shape))
