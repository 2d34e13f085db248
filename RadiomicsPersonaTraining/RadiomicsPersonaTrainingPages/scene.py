"""Scene: volumes and boxes of Slicer's scene as the files that the training reads,
and results as volumes in the slice views.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import numpy as np
import slicer
import vtk
from slicer.i18n import tr as _

from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.geometry.markups import write_boxes
from RadiomicsPersonaLib.report.colors import CLASS_COLORS
from RadiomicsPersonaNodes.roi import box_from_roi, plain_name, refuse_non_linear_transform
from RadiomicsPersonaTrainingLib.verdict.own_box_list import rows_of, write_rows

from .nifti_voxels import read_nifti_voxels

BOXES = "boxes.csv"
PART = "RadiomicsPersonaTraining.part"


def sources() -> list:
    """What scans can be taken from: (text, subject-hierarchy item or None, volumes), the whole scene first."""
    volumes = _volumes()
    choices = [(_("all loaded volumes ({count})").format(count=len(volumes)), volumes)] if volumes else []
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    items = []
    _collect(hierarchy, hierarchy.GetSceneItemID(), items)
    for item in items:
        inside = [volume for volume in volumes if _is_beneath(hierarchy, hierarchy.GetItemByDataNode(volume), item)]
        if inside and not hierarchy.GetItemDataNode(item):
            choices.append((_("{name} ({count})").format(name=hierarchy.GetItemName(item), count=len(inside)), inside))
    return choices + [(volume.GetName(), [volume]) for volume in volumes]


def fill_menu(menu, chosen) -> None:
    """Offer what scans can be taken from; `chosen` is called with the volumes."""
    menu.clear()
    choices = sources()
    for text, volumes in choices:
        menu.addAction(text.replace("&", "&&")).triggered.connect(lambda checked=False, taken=volumes: chosen(taken))
    if not choices:
        menu.addAction(_("No volume is loaded")).enabled = False


def write_scans(volumes: list, folder: Path) -> list:
    """Write volumes as scans of the project; returns the files.

    A patient's name does not go into file names: subjects are called after a digest of it.

    Raises:
        InputError: a volume cannot be used as a scan, or the folder cannot be written.
    """
    files = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            _("The folder '{folder}' cannot be made ({error}): free some space there.").format(
                folder=folder, error=error.strerror
            )
        ) from error
    for volume in volumes:
        subject = subject_of(volume)
        file = folder / f"{subject}_{_digest(volume.GetID() + volume.GetName())[:6]}.nii.gz"
        write_volume(volume, file)
        files.append(file)
    return files


def subject_of(volume) -> str:
    """A name for whose volume it is: the same for all of a patient's, and not the patient's own."""
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    item = hierarchy.GetItemByDataNode(volume)
    patient = hierarchy.GetItemAncestorAtLevel(item, "Patient") if item else 0
    whose = (hierarchy.GetItemUID(patient, "DICOM") or hierarchy.GetItemName(patient)) if patient else volume.GetName()
    return f"sub-{_digest(whose)[:8]}"


def write_volume(volume, file: Path) -> None:
    """Write a volume as NIfTI, without its parent transform.

    Raises:
        InputError: it holds no image, several values per voxel, or cannot be written.
    """
    image = volume.GetImageData()
    if not image or image.GetNumberOfPoints() == 0 or image.GetNumberOfScalarComponents() != 1:
        raise InputError(
            _("The volume '{name}' is no single grey-scale image: choose another one.").format(name=volume.GetName())
        )
    storage = slicer.vtkMRMLVolumeArchetypeStorageNode()
    storage.SetFileName(str(file))
    if not storage.WriteData(volume):
        raise InputError(_("'{file}' cannot be written: make room on that disk.").format(file=file))


def write_named(volumes: list, folder: Path) -> list[str]:
    """Write volumes under their own names, by which contrasts are told; returns the files.

    Raises:
        InputError: a volume cannot be used as a scan.
    """
    files = []
    for number, volume in enumerate(volumes):
        place = folder / str(number)  # names may be alike
        place.mkdir(exist_ok=True)
        name = re.sub(r"[^0-9A-Za-z._-]+", "_", volume.GetName()).strip(".") or "scan"
        files.append(str(place / f"{name}.nii.gz"))
        write_volume(volume, place / f"{name}.nii.gz")
    return files


def add_own_boxes(volume, rois: list, subject: str, folder: Path) -> None:
    """Put a scan's boxes into the list of a site's own boxes, in place of those it had there.

    Args:
        rois: pairs of an ROI and its truth, "healthy" or "pathological".
        subject: whose scan it is; empty takes the patient's digest.
        folder: of the list; the scan is written beside it.
    Raises:
        InputError: a box or the volume cannot be used.
    """
    refuse_non_linear_transform(volume)
    boxes = [(box_from_roi(roi, volume), truth) for roi, truth in rois]
    (file,) = write_scans([volume], folder)
    rows = []
    for truth in dict.fromkeys(truth for box, truth in boxes):
        place = folder / f"{file.name.split('.')[0]}_{truth}.mrk.json"
        write_boxes(place, [box for box, other in boxes if other == truth])
        rows.append({"subject": subject or subject_of(volume), "scan": file.name, "truth": truth, "box": place.name})
    before = [row for row in rows_of(folder / BOXES) if row.get("scan") != file.name]
    write_rows(folder / BOXES, before + rows)


def chosen_box(roi, volume) -> dict:
    """A box as the worker takes it.

    Raises:
        InputError: the ROI cannot be used as a box.
    """
    box = box_from_roi(roi, volume)
    return {"center": box.center.tolist(), "size": box.size.tolist(), "axes": box.axes.tolist(), "name": plain_name(roi)}


def show_case(case: dict, name: str) -> None:
    """Show a scan in the slice views, around a place, with what was rebuilt over it or with truth and answer as segmentations.

    Args:
        case: an `opened_case.OpenedCase` as the worker tells it.
        name: of the nodes.
    """
    scan, rebuilt = _volume(case["scan"], "case scan", name), None
    if case["rebuilt"]:
        rebuilt = _volume(case["rebuilt"], "case rebuilt", _("{name} rebuilt").format(name=name))
        display = scan.GetDisplayNode()
        rebuilt.GetDisplayNode().SetAutoWindowLevel(False)
        rebuilt.GetDisplayNode().SetWindowLevel(display.GetWindow(), display.GetLevel())
    words = {"truth": _("{name} truth"), "found": _("{name} found")}
    for what, words_of in words.items():
        if case["maps"]:
            _segmentation(
                case["maps"][what], f"case {what}", words_of.format(name=name), case["labels"], filled=what == "found"
            )
        else:
            _forget(f"case {what}")
    slicer.util.setSliceViewerLayers(background=scan, foreground=rebuilt, foregroundOpacity=1.0)
    _jump(case["center"])


def show_painted(scan_file: str, mask_file: str, name: str) -> None:
    """Show a scan with a synthesised lesion and its mask in the slice views, around the lesion."""
    scan = _volume(scan_file, "painted scan", name)
    labels = {"1": (_("lesion"), CLASS_COLORS[0])}
    mask = _segmentation(mask_file, "painted mask", _("{name} mask").format(name=name), labels, filled=False)
    slicer.util.setSliceViewerLayers(background=scan, foreground=None)
    bounds = [0.0] * 6
    mask.GetRASBounds(bounds)
    _jump([(low + high) / 2 for low, high in zip(bounds[::2], bounds[1::2])])


def _jump(center) -> None:
    for node in slicer.util.getNodesByClass("vtkMRMLSliceNode"):
        logic = slicer.app.applicationLogic().GetSliceLogicByLayoutName(node.GetLayoutName())
        if logic:
            logic.FitSliceToBackground()
        node.JumpSliceByCentering(*(float(value) for value in center))


def volume_like(file: str, volume, name: str):
    """A volume from a file of a result, where the given volume stands."""
    result = _volume(file, f"predicted {volume.GetID()}", name)
    result.SetAndObserveTransformNodeID(volume.GetTransformNodeID())
    return result


def segmentation_like(file: str, volume, name: str, labels: dict):
    """A segmentation from a label map of a result, where the given volume stands.

    Args:
        labels: names and colours (0 to 255) by the number.
    """
    result = _segmentation(file, f"predicted {volume.GetID()}", name, labels, filled=True)
    result.SetAndObserveTransformNodeID(volume.GetTransformNodeID())
    return result


def _volume(file: str, part: str, name: str):
    """The volume of ours that is called so, with the voxels of a NIfTI file."""
    node = _ours(part, "vtkMRMLScalarVolumeNode") or slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")
    node.SetAttribute(PART, part)
    node.SetName(name)
    _fill(node, file)
    node.CreateDefaultDisplayNodes()
    return node


def _fill(volume, file: str) -> None:
    """Put the voxels of a NIfTI file into a volume."""
    voxels, affine = read_nifti_voxels(file)
    slicer.util.updateVolumeFromArray(volume, np.ascontiguousarray(voxels.transpose(2, 1, 0)))
    volume.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(affine))


def _segmentation(file: str, part: str, name: str, labels: dict, filled: bool):
    """The segmentation of ours that is called so, with a segment for every label of a NIfTI file, an empty one too.

    Args:
        labels: names and colours (0 to 255) by the number, as text or number.
        filled: whether segments are shown filled, or as outlines.
    """
    _forget(part)
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", name)
    node.SetAttribute(PART, part)
    node.CreateDefaultDisplayNodes()
    voxels, _affine = read_nifti_voxels(file)
    label_map = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode")
    try:
        _fill(label_map, file)
        node.SetReferenceImageGeometryParameterFromVolumeNode(label_map)
        for number, (text, color) in labels.items():
            values = (voxels == int(number)).astype(np.uint8)
            slicer.util.updateVolumeFromArray(label_map, np.ascontiguousarray(values.transpose(2, 1, 0)))
            color = tuple(value / 255 for value in color)
            identifier = node.GetSegmentation().AddEmptySegment(f"{text} {number}", text, color)
            if values.any():
                image = slicer.vtkSlicerSegmentationsModuleLogic.CreateOrientedImageDataFromVolumeNode(label_map)
                image.UnRegister(None)
                slicer.vtkSlicerSegmentationsModuleLogic.SetBinaryLabelmapToSegment(image, node, identifier)
    finally:
        slicer.mrmlScene.RemoveNode(label_map)
    display = node.GetDisplayNode()
    display.SetVisibility2DFill(filled)
    display.SetOpacity2DFill(0.4)
    return node


def _ours(part: str, kind: str):
    """The node of ours that is called so, or None."""
    return next((node for node in slicer.util.getNodesByClass(kind) if node.GetAttribute(PART) == part), None)


def _forget(part: str) -> None:
    node = _ours(part, "vtkMRMLSegmentationNode")
    if node:
        slicer.mrmlScene.RemoveNode(node)


def _volumes() -> list:
    return [node for node in slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode") if node.GetImageData()]


def _collect(hierarchy, item, found: list) -> None:
    children = vtk.vtkIdList()
    hierarchy.GetItemChildren(item, children)
    for number in range(children.GetNumberOfIds()):
        found.append(children.GetId(number))
        _collect(hierarchy, children.GetId(number), found)


def _is_beneath(hierarchy, item, above) -> bool:
    while item and item != hierarchy.GetSceneItemID():
        if item == above:
            return True
        item = hierarchy.GetItemParent(item)
    return False


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
