"""Lesions painted into a scan as nodes of their own, and what the verdict finds of them as table and chart."""

from __future__ import annotations

import json
import os

import numpy as np
import slicer
import vtk
from slicer.i18n import tr as _

from RadiomicsPersonaLib.defaults import LESION_KINDS, USUAL_THRESHOLDS
from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.report.colors import FOUND_COLORS
from RadiomicsPersonaLib.report.exchange import read_painted
from RadiomicsPersonaLib.system.csv_table import CsvTable
from RadiomicsPersonaLib.system.work_folder import work_folder

from . import origin, output, roi, segmentation, table, volume
from . import scan as scans

PAINTED = "RadiomicsPersona.painted"
"""Attribute of a volume with a painted lesion, and of the segmentation of its outline."""
REPORT = "sensitivity.html"
SHOWN = ("asked_ml", "diameter_mm", "strength", "contrast_sd", "p", "probability", "word")
_LEAST, _MARKS = (
    "faintest found",
    {"found": "MarkerStyleCircle", "undetermined": "MarkerStyleDiamond", "not found": "MarkerStyleCross"},
)


def place_in(node, scan) -> np.ndarray:
    """Where a lesion shall be painted, RAS millimetres of the scan before its own parent transform.

    Args:
        node: an ROI, whose middle it is; points, of which the first counts; or None for the crosshair.
    Raises:
        InputError: there is no such place.
    """
    if node and node.IsA("vtkMRMLMarkupsROINode"):
        return roi.box_from_roi(node, scan).center
    roi.refuse_non_linear_transform(scan)
    if node:
        if node.GetNumberOfDefinedControlPoints() == 0:
            raise InputError(_("'{name}' holds no point: place one, or choose a box.").format(name=node.GetName()))
        world = np.array(node.GetNthControlPointPositionWorld(0))
    else:
        crosshairs = slicer.util.getNodesByClass("vtkMRMLCrosshairNode")
        if not crosshairs:
            raise InputError(_("There is no crosshair: choose a box or a point for the place."))
        world = np.array(crosshairs[0].GetCrosshairRAS())
    return (np.linalg.inv(roi.matrix_to_world(scan)) @ [*world, 1])[:3]


def paint(parameter_node, place, kind: str, contrast: str, size: float, strength: float, run):
    """The scan with a lesion in it, as a volume node beside it, and its outline as a segmentation node.

    Args:
        place: see `place_in`.
        contrast: an empty text lets it be told.
        size: millilitres.
        run: called with the arguments of the command `paint`, see `worker`.
    Returns:
        the volume, the segmentation, and what is told of them.
    Raises:
        InputError: something cannot be used; the message says what to do.
    """
    scan = parameter_node.inputVolume
    scans.check(scan)
    with work_folder() as work:
        folder = os.path.join(work, "output")
        run(
            [
                "paint",
                scans.write(scan, work),
                *_arguments(parameter_node, place, kind, contrast),
                "--size",
                repr(float(size)),
                "--strength",
                repr(float(strength)),
                "--output",
                folder,
            ]
        )
        arrays = read_painted(folder)
        with open(os.path.join(folder, "painted.json"), encoding="utf-8") as stream:
            told = json.load(stream)
    output.refuse_changed(scan, arrays["affine"], arrays["values"].shape)
    image, outline = (
        _node(kind_, scan, name)
        for kind_, name in (
            ("vtkMRMLScalarVolumeNode", _("{name} with a painted lesion")),
            ("vtkMRMLSegmentationNode", _("{name} painted lesion")),
        )
    )
    output.fill_volume(image, scan, arrays["values"])
    volume.show_like(image, scan)
    color = FOUND_COLORS["found"]
    segmentation.fill_segmentation(
        outline, scan, [{"name": LESION_KINDS[kind], "number": 1, "color": color, "code": ""}], arrays["lesion"]
    )
    for node in (image, outline):
        node.SetAttribute(PAINTED, json.dumps(told))
        node.SetNodeReferenceID(origin.INPUT_VOLUME_ROLE, scan.GetID())
        output.place_beside(node, scan)
    return image, outline, told


def sensitivity(parameter_node, place, kind: str, contrast: str, folder, run) -> dict:
    """Which painted lesions the verdict finds at a place, as the parameter node's table and chart.

    Args:
        place, kind, contrast: as `paint`.
        folder: for the page and its files.
        run: called with the arguments of the command `sensitivity`, see `worker`.
    Returns:
        the content of sensitivity.json.
    Raises:
        InputError: something cannot be used; the message says what to do.
    """
    scan = parameter_node.inputVolume
    scans.check(scan)
    decision, threshold = parameter_node.decision, parameter_node.threshold
    if decision not in USUAL_THRESHOLDS:
        decision, threshold = "p", USUAL_THRESHOLDS["p"]
    with work_folder() as work:
        run(
            [
                "sensitivity",
                scans.write(scan, work),
                *_arguments(parameter_node, place, kind, contrast),
                "--controls",
                str(parameter_node.controls),
                "--decision",
                decision,
                "--threshold",
                repr(threshold),
                "--output",
                str(folder),
            ]
        )
    with open(os.path.join(folder, "sensitivity.json"), encoding="utf-8") as stream:
        record = json.load(stream)
    for field in ("sensitivityTable", "sensitivityCurve", "sensitivityChart"):
        if not getattr(parameter_node, field):
            kind_ = "vtkMRMLPlotChartNode" if field.endswith("Chart") else "vtkMRMLTableNode"
            setattr(parameter_node, field, slicer.mrmlScene.AddNewNodeByClass(kind_))
    rows = [cells for _line, cells in CsvTable(os.path.join(folder, "sensitivity.csv"))]
    parameter_node.sensitivityTable.SetName(_("{name} painted lesions").format(name=scan.GetName()))
    table.fill_from_rows(parameter_node.sensitivityTable, [list(SHOWN), *([row[name] for name in SHOWN] for row in rows)])
    _fill_chart(
        parameter_node.sensitivityCurve,
        parameter_node.sensitivityChart,
        _("{name} sensitivity").format(name=scan.GetName()),
        record,
    )
    for node in (parameter_node.sensitivityTable, parameter_node.sensitivityCurve):
        node.SetNodeReferenceID(origin.INPUT_VOLUME_ROLE, scan.GetID())
        output.place_beside(node, scan)
    return record


def _arguments(parameter_node, place, kind: str, contrast: str) -> list:
    """What painting and judging have in common."""
    return [
        f"--place={','.join(repr(float(value)) for value in place)}",
        "--kind",
        kind,
        *(["--contrast", contrast] if contrast else []),
        "--model",
        parameter_node.model,
        "--device",
        parameter_node.device,
        "--seed",
        str(parameter_node.seed),
    ]


def _node(kind: str, scan, name: str):
    """The node of the scan's latest painted lesion, or a new one."""
    for node in slicer.util.getNodesByClass(kind):
        if node.GetAttribute(PAINTED) and node.GetNodeReference(origin.INPUT_VOLUME_ROLE) is scan:
            return node
    return slicer.mrmlScene.AddNewNodeByClass(kind, name.format(name=scan.GetName()))


def _fill_chart(table_node, chart, name: str, record: dict) -> None:
    """Contrast over size: a series for each outcome, and a line through the faintest that were found."""
    found = {word: [(t["diameter_mm"], t["contrast_sd"]) for t in record["trials"] if t["word"] == word] for word in _MARKS}
    found[_LEAST] = [
        (size["diameter_mm"], size["least_contrast_sd"]) for size in record["sizes"] if size["least_contrast_sd"] is not None
    ]
    longest = max(len(points) for points in found.values())
    columns = vtk.vtkTable()
    for word, points in found.items():
        for suffix, place in (("mm", 0), ("SD", 1)):
            columns.AddColumn(
                table.numbers(f"{word} {suffix}", [*(point[place] for point in points), *[None] * (longest - len(points))])
            )
    with slicer.util.NodeModify(table_node):
        table.put(table_node, columns)
    for node in (table_node, chart):
        node.SetName(name)
    table.remove_series(chart)
    for word in found:
        series = table.add_series(
            chart, _(word), table_node, f"{word} mm", f"{word} SD", FOUND_COLORS.get(word, FOUND_COLORS["found"])
        )
        series.SetPlotType(series.PlotTypeScatter)
        line = word == _LEAST
        series.SetLineStyle(series.LineStyleSolid if line else series.LineStyleNone)
        series.SetMarkerStyle(series.MarkerStyleNone if line else getattr(series, _MARKS[word]))
        series.SetMarkerSize(12)
    chart.SetTitle(name)
    chart.SetXAxisTitle(_("diameter of the painted lesion (mm)"))
    chart.SetYAxisTitle(_("contrast (tissue SD)"))
