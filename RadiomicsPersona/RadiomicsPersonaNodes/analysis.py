"""Analysis: the input volume and its boxes on their way to the worker, and what comes back as arrays."""

from __future__ import annotations

import os
from collections.abc import Callable

from RadiomicsPersonaLib.geometry.box import Box
from RadiomicsPersonaLib.geometry.markups import write_boxes
from RadiomicsPersonaLib.report.exchange import read_exchange, read_segmentation
from RadiomicsPersonaLib.system.work_folder import work_folder

from . import scan
from .parameter_node import RadiomicsPersonaParameterNode, analysis_options


def analyze(parameter_node: RadiomicsPersonaParameterNode, box_arguments: Callable, run: Callable) -> tuple:
    """What the worker makes of the input volume: the content of results.json, its arrays, and what was segmented or None.

    Args:
        box_arguments: called with the file of the volume and a folder for others;
            returns the arguments that say where the boxes are.
        run: called with the arguments of the command `analyze`, see `worker`.
    """
    with work_folder() as folder:
        path, output = scan.write(parameter_node.inputVolume, folder), os.path.join(folder, "output")
        options = analysis_options(parameter_node)
        run(["analyze", path, *box_arguments(path, folder), *options, "--json", "--output", output])
        return *read_exchange(output), read_segmentation(output)


def box_arguments(boxes: list[Box], folder: str) -> list[str]:
    """Boxes as a file in a folder, and the arguments that name it."""
    path = os.path.join(folder, "boxes.mrk.json")
    write_boxes(path, boxes)
    return ["--boxes", path]
