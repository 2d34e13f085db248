"""ROI: the boxes that the user sees, as the library's boxes and back, and their verdicts in colour and word."""

from __future__ import annotations

import json
import re

import numpy as np
import slicer
import vtk
from slicer.i18n import tr as _

from RadiomicsPersonaLib.defaults import SEGMENT_MARGIN_MM
from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.geometry.box import Box
from RadiomicsPersonaLib.report.colors import CONTROL_COLOR, VERDICT_COLORS

LOOK_BEFORE = "RadiomicsPersona.lookBefore"
"""Attribute of an ROI with its colours from before it was given a verdict's."""
FILL_BEFORE = "RadiomicsPersona.fillBefore"
"""Attribute of an ROI whose fill is off for a while: whether it was on."""
NAME_GAP = 8
"""Pixels between a box and its name."""
CONTROL_OF = "RadiomicsPersona.controlOf"
"""Attribute of a control's ROI, and of the folder that holds it, with the name of the box it was compared with."""
SAME_PLACE_MM = 0.01
_WORDED = re.compile(rf" \(({'|'.join(VERDICT_COLORS)})\)$")


def plain_name(roi) -> str:
    """The ROI's name without the verdict's word."""
    return _WORDED.sub("", roi.GetName() or "")


def box_from_roi(roi, volume) -> Box:
    """The box that an ROI shows, in the RAS coordinates of the volume (before the volume's own parent transform).

    Raises:
        InputError: a parent transform is not linear or shears the box, or the ROI has no extent.
    """
    for node in (roi, volume):
        refuse_non_linear_transform(node)
    name = plain_name(roi)
    if roi.GetInsideOut():
        raise InputError(
            _(
                "ROI '{name}' is inside out, it means everything but the box: switch 'Inside out' off in the Markups module."
            ).format(name=name)
        )
    size = np.array(roi.GetSize())
    if roi.GetNumberOfDefinedControlPoints() == 0 or not (size > 0).all():
        extent = " x ".join(f"{edge:g}" for edge in size)
        raise InputError(
            _("ROI '{name}' has a size of {extent} mm: draw it so that every edge is longer than zero.").format(
                name=name, extent=extent
            )
        )
    # not GetObjectToWorldMatrix(): it hides a shear by drawing some other, straight box
    object_to_world = matrix_to_world(roi) @ slicer.util.arrayFromVTKMatrix(roi.GetObjectToNodeMatrix())
    object_to_volume_ras = np.linalg.inv(matrix_to_world(volume)) @ object_to_world
    if _is_sheared(object_to_world) or _is_sheared(object_to_volume_ras):
        raise InputError(
            _(
                "A transform skews ROI '{name}' so that it is no longer a box in the volume '{volume}': "
                "use a transform without shear, or draw the ROI again."
            ).format(name=name, volume=volume.GetName())
        )
    scales = np.linalg.norm(object_to_volume_ras[:3, :3], axis=0)
    axes = object_to_volume_ras[:3, :3] / scales
    if np.linalg.det(axes) < 0:  # under a mirroring transform; a box is its own mirror image
        axes[:, 0] *= -1
    return Box(object_to_volume_ras[:3, 3], size * scales, axes, name)


def add_roi(box: Box, volume=None):
    """A new ROI that shows a box given in the RAS coordinates of a volume, under the volume's transform;
    of the world without.
    """
    roi = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsROINode", slicer.mrmlScene.GenerateUniqueName(box.name))
    set_roi(roi, box, volume)
    return roi


def set_roi(roi, box: Box, volume=None) -> None:
    """Make an ROI show a box; see `add_roi`."""
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = box.axes, box.center
    with slicer.util.NodeModify(roi):
        roi.SetAndObserveTransformNodeID(volume.GetTransformNodeID() if volume else None)
        roi.SetSize(*box.size)
        roi.SetAndObserveObjectToNodeMatrix(slicer.util.vtkMatrixFromArray(matrix))


def start_placing(name: str):
    """A new ROI whose opposite corners the next two clicks in a view place; returns the ROI."""
    roi = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsROINode", slicer.mrmlScene.GenerateUniqueName(name))
    # the views place only what they can show
    roi.CreateDefaultDisplayNodes()
    application = slicer.app.applicationLogic()
    # not the Markups logic's StartPlaceMode, which places points whatever is active
    selection, interaction = application.GetSelectionNode(), application.GetInteractionNode()
    selection.SetReferenceActivePlaceNodeClassName(roi.GetClassName())
    selection.SetActivePlaceNodeID(roi.GetID())
    interaction.SwitchToSinglePlaceMode()
    return roi


def segments() -> list:
    """Every segment of the scene: (segmentation node, segment identifier, "segmentation: segment")."""
    found = []
    for node in slicer.util.getNodesByClass("vtkMRMLSegmentationNode"):
        segmentation = node.GetSegmentation()
        for number in range(segmentation.GetNumberOfSegments()):
            key = segmentation.GetNthSegmentID(number)
            found.append((node, key, f"{node.GetName()}: {segmentation.GetSegment(key).GetName()}"))
    return found


def box_around_segment(segmentation, key: str) -> Box:
    """The box around a segment in world coordinates, along the axes of its label map, `SEGMENT_MARGIN_MM` wider on every side.

    Raises:
        InputError: the segment is empty, or its segmentation is under a transform that is not linear or skews it.
    """
    refuse_non_linear_transform(segmentation)
    mask, to_node = label_map_of(segmentation, key)
    name = segmentation.GetSegmentation().GetSegment(key).GetName()
    found = np.argwhere(mask)[:, ::-1]
    low, high = found.min(axis=0) - 0.5, found.max(axis=0) + 0.5
    to_world = matrix_to_world(segmentation) @ to_node
    if _is_sheared(to_world):
        raise InputError(
            _(
                "A transform skews segment '{name}', so no box fits it: use a transform without shear, or draw the box by hand."
            ).format(name=name)
        )
    scales = np.linalg.norm(to_world[:3, :3], axis=0)
    axes = to_world[:3, :3] / scales
    if np.linalg.det(axes) < 0:
        axes[:, 0] *= -1
    center = to_world[:3, :3] @ ((low + high) / 2) + to_world[:3, 3]
    return Box(center, (high - low) * scales + 2 * SEGMENT_MARGIN_MM, axes, name)


def label_map_of(segmentation, key: str) -> tuple[np.ndarray, np.ndarray]:
    """The voxels of a segment: boolean, axes K, J, I, and the 4x4 matrix from I, J, K to the segmentation's own coordinates.

    Raises:
        InputError: the segment is empty.
    """
    segment = segmentation.GetSegmentation().GetSegment(key)
    if not segmentation.GetSegmentation().ContainsRepresentation("Binary labelmap"):
        segmentation.CreateBinaryLabelmapRepresentation()
    image = segmentation.GetBinaryLabelmapInternalRepresentation(key)
    mask = None
    if image and image.GetNumberOfPoints():
        mask = slicer.util.arrayFromSegmentInternalBinaryLabelmap(segmentation, key) == segment.GetLabelValue()
    if mask is None or not mask.any():
        raise InputError(
            _("Segment '{name}' is empty: paint it in the Segment Editor, or choose another one.").format(
                name=segment.GetName()
            )
        )
    matrix = vtk.vtkMatrix4x4()
    image.GetImageToWorldMatrix(matrix)
    to_node = slicer.util.arrayFromVTKMatrix(matrix)
    to_node[:3, 3] += to_node[:3, :3] @ np.array(image.GetExtent())[::2]  # the array begins at the extent's corner
    return mask, to_node


def mirrored_box(roi, volume, midplane: dict | None) -> Box:
    """The box of an ROI on the other side of the head, in the volume's RAS coordinates.

    Args:
        midplane: "normal" and "offset_mm" as an analysis of the volume found them; None for the sagittal plane through the
            middle of the volume.
    """
    box = box_from_roi(roi, volume)
    if midplane is None:
        matrix = vtk.vtkMatrix4x4()
        volume.GetIJKToRASMatrix(matrix)
        middle = (np.array(volume.GetImageData().GetDimensions()) - 1) / 2
        normal, offset = np.array([1.0, 0.0, 0.0]), float(slicer.util.arrayFromVTKMatrix(matrix)[0] @ [*middle, 1])
    else:
        normal, offset = np.array(midplane["normal"], float), float(midplane["offset_mm"])
    matrix = np.eye(4)
    matrix[:3, :3] -= 2 * np.outer(normal, normal)
    matrix[:3, 3] = 2 * offset * normal
    return box.transformed(matrix, _("{name} mirrored").format(name=box.name))


def is_where(roi, volume, record: dict) -> bool:
    """Whether an ROI still shows the box of a record: "center_ras", "size_mm", and "axes" row by row."""
    try:
        box = box_from_roi(roi, volume)
    except InputError:
        return False
    return bool(np.abs(box.corners - box_of_record(record).corners).max() < SAME_PLACE_MM)


def box_of_record(record: dict) -> Box:
    """The box of a record as in results.json: "center_ras", "size_mm", "axes" row by row, and "name"."""
    return Box(record["center_ras"], record["size_mm"], np.array(record["axes"]).T, record.get("name", "box"))


def show_verdict(roi, word: str) -> None:
    """Give an ROI the colour of a verdict and its word, which the views write beside the box."""
    roi.CreateDefaultDisplayNodes()
    display = roi.GetDisplayNode()
    if not roi.GetAttribute(LOOK_BEFORE):
        look = {
            "color": display.GetColor(),
            "selected": display.GetSelectedColor(),
            "active": display.GetActiveColor(),
            "label": bool(display.GetPropertiesLabelVisibility()),
        }
        roi.SetAttribute(LOOK_BEFORE, json.dumps(look))
    color = [part / 255 for part in VERDICT_COLORS[word]]
    with slicer.util.NodeModify(display):
        display.SetColor(color)
        display.SetSelectedColor(color)
        display.SetActiveColor(color)
        display.SetPropertiesLabelVisibility(True)
    show_fill(roi, False)
    _rename(roi, f"{plain_name(roi)} ({word})")


def hide_verdict(roi) -> None:
    """Give an ROI back the look it had before `show_verdict`."""
    _rename(roi, plain_name(roi))
    before = roi.GetAttribute(LOOK_BEFORE)
    display = roi.GetDisplayNode()
    if not before or not display:
        return
    look = json.loads(before)
    with slicer.util.NodeModify(display):
        display.SetColor(look["color"])
        display.SetSelectedColor(look["selected"])
        display.SetActiveColor(look["active"])
        display.SetPropertiesLabelVisibility(look["label"])
    if "fill" in look:  # a scene of an earlier version
        roi.SetAttribute(FILL_BEFORE, str(look["fill"]))
    roi.RemoveAttribute(LOOK_BEFORE)


def show_fill(roi, shown: bool) -> None:
    """Switch the fill of an ROI off, which would tint what is to be looked at, or back to what it was."""
    roi.CreateDefaultDisplayNodes()
    display, before = roi.GetDisplayNode(), roi.GetAttribute(FILL_BEFORE)
    if not shown:
        if before is None:
            roi.SetAttribute(FILL_BEFORE, str(bool(display.GetFillVisibility())))
        display.SetFillVisibility(False)
    elif before is not None:
        display.SetFillVisibility(before == "True")
        roi.RemoveAttribute(FILL_BEFORE)


def wears_verdict(roi) -> bool:
    """Whether an ROI shows a verdict's colour and word."""
    return bool(roi.GetAttribute(LOOK_BEFORE))


def put_name_below(roi, pixels: float) -> None:
    """Have the views write an ROI's name that far below its middle, where it covers nothing of the box.

    The views begin it at the middle, whatever the box; only the text's own offset and justification move it.
    """
    text = roi.GetDisplayNode().GetTextProperty()
    if text.GetLineOffset() != pixels + NAME_GAP:
        text.SetLineOffset(pixels + NAME_GAP)
        text.SetJustificationToCentered()
        text.SetVerticalJustificationToTop()
        roi.GetDisplayNode().Modified()


def show_controls(records: list, volume) -> list:
    """Locked ROIs of the healthy boxes of every record, in one folder per box of the subject hierarchy; returns the ROIs."""
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    shown = []
    for record in records:
        if not record["controls"]:
            continue
        folder = hierarchy.CreateFolderItem(
            hierarchy.GetSceneItemID(), _("Control regions of {name}").format(name=record["name"])
        )
        hierarchy.SetItemAttribute(folder, CONTROL_OF, record["name"])
        for control in record["controls"]:
            name = _("{control} of {name}").format(control=control["name"], name=record["name"])
            roi = add_roi(Box(control["center_ras"], control["size_mm"], np.array(control["axes"]).T, name), volume)
            roi.SetAttribute(CONTROL_OF, record["name"])
            roi.SetLocked(True)
            roi.CreateDefaultDisplayNodes()
            display, color = roi.GetDisplayNode(), [part / 255 for part in CONTROL_COLOR]
            with slicer.util.NodeModify(display):
                display.SetColor(color)
                display.SetSelectedColor(color)
                display.SetActiveColor(color)
                display.SetHandlesInteractive(False)
                display.SetFillVisibility(False)
                # forty names would cover the picture
                display.SetPropertiesLabelVisibility(False)
                display.SetPointLabelsVisibility(False)
            # the application's own plugins have made the item already
            item = hierarchy.GetItemByDataNode(roi) or hierarchy.CreateItem(folder, roi)
            hierarchy.SetItemParent(item, folder)
            shown.append(roi)
        hierarchy.SetItemExpanded(folder, False)
    return shown


def control_rois() -> list:
    """The ROIs that `show_controls` made."""
    return [roi for roi in slicer.util.getNodesByClass("vtkMRMLMarkupsROINode") if roi.GetAttribute(CONTROL_OF)]


def hide_controls() -> None:
    """Take what `show_controls` made out of the scene again."""
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    for roi in control_rois():
        item = hierarchy.GetItemByDataNode(roi)
        if item:
            hierarchy.RemoveItem(item, False)
        for node in (roi.GetDisplayNode(), roi):
            slicer.mrmlScene.RemoveNode(node)
    items = vtk.vtkIdList()
    hierarchy.GetItemChildren(hierarchy.GetSceneItemID(), items, True)
    for number in range(items.GetNumberOfIds()):
        if hierarchy.GetItemAttribute(items.GetId(number), CONTROL_OF):
            hierarchy.RemoveItem(items.GetId(number))


def matrix_to_world(node) -> np.ndarray:
    """The node's parent transform, which must be linear, as a 4x4 array."""
    matrix = vtk.vtkMatrix4x4()
    slicer.vtkMRMLTransformNode.GetMatrixTransformBetweenNodes(node.GetParentTransformNode(), None, matrix)
    return slicer.util.arrayFromVTKMatrix(matrix)


def refuse_non_linear_transform(node) -> None:
    """Raise an InputError with the remedy where a node is under a transform that is not linear."""
    transform = node.GetParentTransformNode()
    if transform and not transform.IsTransformToWorldLinear():
        raise InputError(
            _(
                "'{name}' is under the non-linear transform '{transform}': harden the transform first "
                "(right-click '{name}' in the Data module, Harden transform)."
            ).format(name=node.GetName(), transform=transform.GetName())
        )


def _is_sheared(matrix) -> bool:
    """Whether the columns of a 4x4 matrix are no longer perpendicular."""
    axes = matrix[:3, :3] / np.linalg.norm(matrix[:3, :3], axis=0)
    return not np.allclose(axes.T @ axes, np.eye(3), atol=1e-4)


def _rename(roi, name: str) -> None:
    if roi.GetName() != name:
        roi.SetName(name)
