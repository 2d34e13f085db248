"""Output: the nodes that hold the results, made where they are missing and filled."""

from __future__ import annotations

import numpy as np
import slicer
import vtk
from slicer.i18n import tr as _

from RadiomicsPersonaLib.errors import InputError

from . import analyzed, origin, roi, volume
from . import table as tables

VOLUMES = ("reconstructionVolume", "blindVolume", "differenceVolume", "deviationVolume", "expectedErrorVolume")
NODES = {
    **dict.fromkeys(VOLUMES, "vtkMRMLScalarVolumeNode"),
    **dict.fromkeys(("resultTable", "scoreTable", "standingTable"), "vtkMRMLTableNode"),
    **dict.fromkeys(("scoreChart", "standingChart"), "vtkMRMLPlotChartNode"),
}
"""Class of the node behind each field of the parameter node."""
PER_SCAN = {**NODES, "unusualSegmentation": "vtkMRMLSegmentationNode"}
"""The same of all nodes of which every scan has its own."""


def fill(parameter_node, scan, rois: list, results: dict, arrays: dict) -> None:
    """Put the results of an analysis into the output nodes.

    Args:
        scan, rois: what was analyzed.
        results: the content of results.json.
        arrays: `reconstruction`, `blind`, `difference`, `deviation_p` and perhaps `expected_error`, axes I, J, K, and the
            `affine` of their grid.
    Raises:
        InputError: the scan was removed or put on another grid meanwhile; no node was touched.
    """
    refuse_changed(scan, arrays["affine"], arrays["reconstruction"].shape)
    take_those_of(parameter_node, scan)
    deviation = results["provenance"]["preprocessing"]["tissue_scale"]["deviation"]
    expected, difference = arrays.get("expected_error"), arrays["difference"]
    if expected is None:
        unit, in_units, expected = _("SD"), difference / deviation, np.zeros_like(difference)
    else:
        unit = _("expected errors")
        in_units = np.divide(difference, expected, out=np.zeros_like(difference), where=expected > 0)
    _make_missing(parameter_node, scan, unit)
    fill_volume(parameter_node.reconstructionVolume, scan, arrays["reconstruction"])
    fill_volume(parameter_node.blindVolume, scan, arrays["blind"])
    fill_volume(parameter_node.differenceVolume, scan, in_units.astype(np.float32))
    fill_volume(parameter_node.deviationVolume, scan, arrays["deviation_p"])
    fill_volume(parameter_node.expectedErrorVolume, scan, (expected / deviation).astype(np.float32))
    volume.show_like(parameter_node.reconstructionVolume, scan)
    volume.show_like(parameter_node.blindVolume, scan)
    volume.show_difference(parameter_node.differenceVolume, unit)
    volume.show_deviation(parameter_node.deviationVolume)
    volume.show_expected_error(parameter_node.expectedErrorVolume)
    tables.fill_results(parameter_node.resultTable, results)
    tables.fill_scores(parameter_node.scoreTable, parameter_node.scoreChart, results)
    tables.fill_standing(parameter_node.standingTable, parameter_node.standingChart, results)
    for field, kind in NODES.items():
        if kind != "vtkMRMLPlotChartNode":
            origin.record(getattr(parameter_node, field), scan, results)
            place_beside(getattr(parameter_node, field), scan)
    origin.record_results(parameter_node.resultTable, results)
    analyzed.record(parameter_node.resultTable, rois)


def take_those_of(parameter_node, scan) -> None:
    """Put the results of a scan into the parameter node's fields, and none where the scan has none; no result is lost."""
    table = parameter_node.resultTable
    analyzed_scan = table.GetNodeReference(origin.INPUT_VOLUME_ROLE) if table else None
    for field in PER_SCAN:
        node = getattr(parameter_node, field)
        if node and not node.GetAttribute(origin.OUTPUT):  # of a scene of an earlier version
            belong(node, field, node.GetNodeReference(origin.INPUT_VOLUME_ROLE) or analyzed_scan)
    own = {}
    for kind in dict.fromkeys(PER_SCAN.values()) if scan else ():
        for node in slicer.util.getNodesByClass(kind):
            if node.GetAttribute(origin.OUTPUT) and node.GetNodeReference(origin.INPUT_VOLUME_ROLE) is scan:
                own[node.GetAttribute(origin.OUTPUT)] = node
    with slicer.util.NodeModify(parameter_node.parameterNode):
        for field in PER_SCAN:
            if getattr(parameter_node, field) is not own.get(field):
                setattr(parameter_node, field, own.get(field))
    if parameter_node.resultTable is not table:  # boxes wear the verdicts on the scan that is chosen, and no other's
        for node in analyzed.rois(table):
            roi.hide_verdict(node)
        if parameter_node.resultTable:
            analyzed.mark(parameter_node.resultTable)
        if parameter_node.showControls:
            analyzed.show_controls(parameter_node.resultTable, True)


def belong(node, field: str, scan) -> None:
    """Have a node be a scan's result of that field."""
    node.SetAttribute(origin.OUTPUT, field)
    if scan:
        node.SetNodeReferenceID(origin.INPUT_VOLUME_ROLE, scan.GetID())


def volumes() -> list:
    """The volumes of the scene that are results, and no scans."""
    return [node for node in slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode") if origin.is_result(node)]


def reconstruction_of(parameter_node, scan):
    """The reconstruction volume, made if it is missing, with the scan's voxels; and no result's provenance."""
    take_those_of(parameter_node, scan)
    _make(parameter_node, "reconstructionVolume", scan)
    node = parameter_node.reconstructionVolume
    node.SetName(_names(scan)["reconstructionVolume"])
    array = slicer.util.arrayFromVolume(scan)
    fill_volume(node, scan, array.transpose(2, 1, 0).astype(np.promote_types(array.dtype, np.float32)))
    volume.show_like(node, scan)
    place_beside(node, scan)
    origin.erase(node)
    node.SetNodeReferenceID(origin.INPUT_VOLUME_ROLE, scan.GetID())
    return node


def refuse_changed(scan, affine: np.ndarray, shape: tuple) -> None:
    """Raise an InputError where a scan was removed, or is no longer on the grid (affine 4x4, shape I, J,
    K) that results are on.
    """
    if not slicer.mrmlScene.IsNodePresent(scan):
        raise InputError(_("The volume was removed during the analysis: load it again and apply."))
    ijk_to_ras = vtk.vtkMatrix4x4()
    scan.GetIJKToRASMatrix(ijk_to_ras)
    same_place = np.allclose(affine, slicer.util.arrayFromVTKMatrix(ijk_to_ras), rtol=1e-4, atol=1e-3)
    if not same_place or tuple(shape) != scan.GetImageData().GetDimensions():
        raise changed(scan)


def changed(scan) -> InputError:
    """What is said of a scan that is no longer what was analyzed."""
    return InputError(_("The volume '{name}' was changed during the analysis: apply again.").format(name=scan.GetName()))


def _names(scan, unit: str = "") -> dict:
    name = scan.GetName()
    scores, standing = _("{name} scores").format(name=name), _("{name} control distribution").format(name=name)
    return {
        "reconstructionVolume": _("{name} healthy persona").format(name=name),
        "blindVolume": _("{name} blind persona").format(name=name),
        "differenceVolume": _("{name} difference in {unit}").format(name=name, unit=unit),
        "deviationVolume": _("{name} p of the difference").format(name=name),
        "expectedErrorVolume": _("{name} expected error in SD").format(name=name),
        "resultTable": _("{name} verdicts").format(name=name),
        "scoreTable": scores,
        "scoreChart": scores,
        "standingTable": standing,
        "standingChart": standing,
    }


def _make_missing(parameter_node, scan, unit: str) -> None:
    for field, name in _names(scan, unit).items():
        _make(parameter_node, field, scan)
        getattr(parameter_node, field).SetName(name)


def _make(parameter_node, field: str, scan) -> None:
    """Make an output that is missing."""
    if not getattr(parameter_node, field):
        node = slicer.mrmlScene.AddNewNodeByClass(NODES[field])
        belong(node, field, scan)
        setattr(parameter_node, field, node)


def fill_volume(node, scan, array) -> None:
    """Give a volume an array (axes I, J, K) on the scan's grid, under the scan's transform."""
    ijk_to_ras = vtk.vtkMatrix4x4()
    scan.GetIJKToRASMatrix(ijk_to_ras)
    with slicer.util.NodeModify(node):
        slicer.util.updateVolumeFromArray(node, np.ascontiguousarray(array.transpose(2, 1, 0)))
        node.SetIJKToRASMatrix(ijk_to_ras)
        node.SetAndObserveTransformNodeID(scan.GetTransformNodeID())
    node.CreateDefaultDisplayNodes()


def place_beside(node, scan) -> None:
    """Put the node where the scan is in the subject hierarchy (study, folder)."""
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    item, scan_item = hierarchy.GetItemByDataNode(node), hierarchy.GetItemByDataNode(scan)
    if item and scan_item:
        hierarchy.SetItemParent(item, hierarchy.GetItemParent(scan_item))
