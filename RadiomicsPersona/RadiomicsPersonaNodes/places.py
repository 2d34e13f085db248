"""Places: what stands out in a whole head, and the views and the box of one of them."""

from __future__ import annotations

import json
import os

import numpy as np
import slicer
from slicer.i18n import tr as _

from RadiomicsPersonaLib.geometry.box import parse_box
from RadiomicsPersonaLib.system.work_folder import work_folder

from . import origin, roi
from . import scan as scans

PLACE = "RadiomicsPersona.place"
"""Attribute of the ROI of a place, with its rank."""


def find(parameter_node, run) -> dict:
    """Search the whole head of the parameter node's volume.

    Args:
        run: called with the arguments of the command `scan`, see `worker`.
    Returns:
        the content of places.json.
    Raises:
        InputError: something cannot be used; the message says what to do.
    """
    volume = parameter_node.inputVolume
    scans.check(volume)
    with work_folder() as work:
        folder = os.path.join(work, "output")
        run(["scan", scans.write(volume, work), "--output", folder])
        with open(os.path.join(folder, "places.json"), encoding="utf-8") as stream:
            return json.load(stream)


def line_of(place: dict) -> str:
    """A place in the list."""
    return _("{rank}: p = {p}, {ml} ml, {common} as striking in a healthy head").format(
        rank=place["rank"], p=f"{place['p']:.2g}", ml=f"{place['ml']:.3g}", common=f"{place['false_per_head']:.2g}"
    )


def show(place: dict, volume):
    """Draw a place's box, the same ROI every time, and let all slice views jump to it.

    Args:
        place: of places.json.
        volume: that was searched.
    Returns:
        the ROI.
    Raises:
        InputError: the volume is under a transform that is not linear.
    """
    roi.refuse_non_linear_transform(volume)
    box = parse_box(place["box"], _("place {rank}").format(rank=place["rank"]))
    node = next((node for node in _rois_of(volume) if node.GetAttribute(PLACE) == str(place["rank"])), None)
    if node is None:
        node = roi.add_roi(box, volume)
        node.SetAttribute(PLACE, str(place["rank"]))
        node.SetNodeReferenceID(origin.INPUT_VOLUME_ROLE, volume.GetID())
        node.CreateDefaultDisplayNodes()
        # the fill would tint what is to be looked at
        node.GetDisplayNode().SetFillVisibility(False)
    else:
        roi.set_roi(node, box, volume)
    peak = np.array([*(place[f"peak_{axis}"] for axis in "ras"), 1.0])
    for view in slicer.util.getNodesByClass("vtkMRMLSliceNode"):
        view.JumpSliceByCentering(*(roi.matrix_to_world(volume) @ peak)[:3].tolist())
    return node


def _rois_of(volume) -> list:
    nodes = slicer.util.getNodesByClass("vtkMRMLMarkupsROINode")
    return [node for node in nodes if node.GetAttribute(PLACE) and node.GetNodeReference(origin.INPUT_VOLUME_ROLE) is volume]
