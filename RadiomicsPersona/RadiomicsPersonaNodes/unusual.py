"""Unusual: the part of the boxes that drives their verdicts, as an outline in the views."""

from __future__ import annotations

import numpy as np
import slicer
from slicer.i18n import tr as _

from RadiomicsPersonaLib.report.colors import UNUSUAL_COLOR

from . import origin, output
from .segmentation import fill_segmentation

OUTLINE_WIDTH = 2
"""Pixels."""


def show(parameter_node, scan, results: dict, unusual: np.ndarray) -> None:
    """Outline what is unusual, as a segmentation without filling; where nothing is, an earlier outline goes.

    Args:
        scan: what was analyzed.
        results: the content of results.json.
        unusual: boolean, axes I, J, K of the scan.
    """
    node = parameter_node.unusualSegmentation
    if not unusual.any():
        parameter_node.unusualSegmentation = None
        if node:
            slicer.mrmlScene.RemoveNode(node)
        return
    if not node:
        node = parameter_node.unusualSegmentation = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode")
        output.belong(node, "unusualSegmentation", scan)
    node.SetName(_("{name} unusual part").format(name=scan.GetName()))
    entry = {"name": _("unusual part"), "number": 1, "color": UNUSUAL_COLOR, "code": None}
    fill_segmentation(node, scan, [entry], unusual.astype(np.uint8))
    display = node.GetDisplayNode()
    display.SetVisibility2DFill(False)
    display.SetVisibility3D(False)
    display.SetSliceIntersectionThickness(OUTLINE_WIDTH)
    origin.record(node, scan, results)
    output.place_beside(node, scan)
