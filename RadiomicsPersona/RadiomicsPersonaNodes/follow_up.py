"""Follow-up: visits of one patient on their way to the worker, and what it measured as a table node."""

from __future__ import annotations

import csv
import os
import re

import slicer
from slicer.i18n import tr as _

from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.geometry.markups import write_boxes
from RadiomicsPersonaLib.system.work_folder import work_folder

from . import output, roi, table
from . import scan as scans
from .parameter_node import analysis_options

TABLE, REPORT = "visits.csv", "report.html"
_DATE = re.compile(r"(?<!\d)((?:19|20)\d\d)[-_.]?(0[1-9]|1[0-2])[-_.]?(0[1-9]|[12]\d|3[01])(?!\d)")


def date_of(volume) -> str:
    """When a scan was taken, as 2026-03-31: from its DICOM study, else from its name, else nothing."""
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    item = hierarchy.GetItemByDataNode(volume)
    study = hierarchy.GetItemAncestorAtLevel(item, slicer.vtkMRMLSubjectHierarchyConstants.GetDICOMLevelStudy()) if item else 0
    attribute = slicer.vtkMRMLSubjectHierarchyConstants.GetDICOMStudyDateAttributeName()
    texts = [hierarchy.GetItemAttribute(study, attribute) if study else "", volume.GetName() or ""]
    found = [match for match in map(_DATE.search, texts) if match]
    return "-".join(found[0].groups()) if found else ""


def follow(parameter_node, visits: list, folder, run):
    """Analyze the checked boxes, which lie on the input volume, in it and in further scans of the same head.

    Args:
        visits: (volume, date or number of years as text), the input volume first.
        folder: for the report.
        run: called with the arguments of the command `follow`, see `worker`.
    Returns:
        the parameter node's table of visits.
    Raises:
        InputError: something cannot be used; the message says what to do.
    """
    first = visits[0][0]
    for volume, _date in visits:
        scans.check(volume)
    rois = [node for node in parameter_node.inputROIs if node]
    if not rois:
        raise InputError(_("No ROI is selected: draw a box around the region and check it."))
    missing = [volume.GetName() for volume, date in visits if not date]
    if missing:
        raise InputError(
            _("'{name}' has no date: write when it was taken, as 2026-03-31 or as a number of years.").format(name=missing[0])
        )
    boxes = [roi.box_from_roi(node, first) for node in rois]
    with work_folder() as work:
        paths = []
        for number, (volume, _date) in enumerate(visits):
            os.mkdir(os.path.join(work, str(number)))
            paths.append(scans.write(volume, os.path.join(work, str(number))))
        boxes_path = os.path.join(work, "boxes.mrk.json")
        write_boxes(boxes_path, boxes)
        run(
            [
                "follow",
                *paths,
                "--dates",
                *(date for _volume, date in visits),
                "--boxes",
                boxes_path,
                "--output",
                str(folder),
                "--",
                *analysis_options(parameter_node),
            ]
        )
    if not parameter_node.visitTable:
        parameter_node.visitTable = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTableNode")
    node = parameter_node.visitTable
    node.SetName(_("{name} visits").format(name=first.GetName()))
    with open(os.path.join(folder, TABLE), encoding="utf-8", newline="") as stream:
        table.fill_from_rows(node, list(csv.reader(stream)))
    output.place_beside(node, first)
    return node
