"""Scan: the volume with the region in question, checked, written for the worker, and named."""

from __future__ import annotations

import os
import re
import zlib

import numpy as np
import slicer
import vtk
from slicer.i18n import tr as _

from RadiomicsPersonaLib.errors import InputError

from . import origin
from .roi import matrix_to_world, refuse_non_linear_transform

LEAST_EXTENT_MM = 100.0
LEAST_MR_INTENSITY = -900.0


def loaded() -> list:
    """The volumes of the scene that can be chosen as a scan: no label maps, and no results of this module."""
    volumes = slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")
    return [node for node in volumes if node.GetClassName() == "vtkMRMLScalarVolumeNode" and not origin.is_result(node)]


def check(volume) -> None:
    """Refuse what cannot be a scan.

    Raises:
        InputError: no volume, no image in it, several values per voxel, or a transform that is not linear.
    """
    if not volume:
        raise InputError(_("No volume is selected: choose the MRI."))
    if volume.IsA("vtkMRMLLabelMapVolumeNode"):
        raise InputError(_("'{name}' is a label map: choose the MRI that it belongs to.").format(name=volume.GetName()))
    if origin.is_result(volume):
        raise InputError(_("'{name}' is a result of this module: choose the MRI itself.").format(name=volume.GetName()))
    image = volume.GetImageData()
    if not image or image.GetNumberOfPoints() == 0:
        raise InputError(_("The volume '{name}' holds no image: choose another one.").format(name=volume.GetName()))
    if image.GetNumberOfScalarComponents() != 1:
        raise InputError(
            _("The volume '{name}' has {count} values per voxel: choose a single grey-scale MRI.").format(
                name=volume.GetName(), count=image.GetNumberOfScalarComponents()
            )
        )
    refuse_non_linear_transform(volume)


def notes(volume) -> list:
    """Why a volume may not be a brain MRI that the models know, in sentences; only what the volume itself says for certain."""
    image = volume.GetImageData() if volume else None
    if not image or image.GetNumberOfPoints() == 0:
        return []
    sentences = []
    if volume.IsA("vtkMRMLLabelMapVolumeNode"):
        sentences.append(_("This is a label map, not an MRI."))
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    item = hierarchy.GetItemByDataNode(volume)
    modality = hierarchy.GetItemAttribute(item, "DICOM.Modality") if item else ""
    if modality and modality != "MR":
        sentences.append(
            _("Its DICOM header says {modality}, not MR; the verdict would mean nothing.").format(modality=modality)
        )
    elif image.GetScalarRange()[0] <= LEAST_MR_INTENSITY:
        sentences.append(
            _("It holds intensities down to {low:g}, as CT does; this needs an MRI.").format(low=image.GetScalarRange()[0])
        )
    extent = np.array(volume.GetSpacing()) * image.GetDimensions()
    if extent.min() < LEAST_EXTENT_MM:
        sentences.append(
            _("It covers {extent} mm, less than a whole head: check its spacing, or take a scan of the whole brain.").format(
                extent=" x ".join(f"{edge:.0f}" for edge in extent)
            )
        )
    return sentences


def place(volume) -> dict:
    """Where a volume lies, to tell later whether it still lies there.

    Returns:
        "grid": IJK to RAS before the volume's own parent transform, 16 numbers; "to_world": that transform, 16 numbers, or
        None where it is not linear.
    """
    ijk_to_ras = vtk.vtkMatrix4x4()
    volume.GetIJKToRASMatrix(ijk_to_ras)
    transform = volume.GetParentTransformNode()
    linear = not transform or transform.IsTransformToWorldLinear()
    return {
        "grid": slicer.util.arrayFromVTKMatrix(ijk_to_ras).ravel().tolist(),
        "to_world": matrix_to_world(volume).ravel().tolist() if linear else None,
    }


def state(volume) -> tuple:
    """What changes when a volume's name, voxels or grid do."""
    ijk_to_ras = vtk.vtkMatrix4x4()
    volume.GetIJKToRASMatrix(ijk_to_ras)
    matrix = slicer.util.arrayFromVTKMatrix(ijk_to_ras)
    return volume.GetID(), volume.GetName(), volume.GetImageData().GetMTime(), matrix.tobytes()


def checksum(volume) -> int:
    """Of the voxels as they lie in memory."""
    return zlib.crc32(np.ascontiguousarray(slicer.util.arrayFromVolume(volume)))


def is_same_place(one: list | None, other: list | None) -> bool:
    """Whether two grids or transforms of `place` are the same, as far as files keep them."""
    return one is not None and other is not None and np.allclose(one, other, rtol=1e-4, atol=1e-3)


def write(volume, folder, relative_to=None) -> str:
    """Write a volume as it is, without its parent transform, into the folder under its own name; returns the file's path.

    Args:
        relative_to: a volume in whose coordinates (before its own parent transform) this one shall lie; None for its own.
    """
    name = re.sub(r"[^A-Za-z0-9_-]+", "_", volume.GetName())[:60] or "scan"
    path = os.path.join(folder, name + ".nrrd")
    write_file(_placed(volume, relative_to) if relative_to else volume, path)
    return path


def _placed(volume, other):
    """The volume in the coordinates of another; a copy outside the scene where their transforms differ."""
    if volume.GetTransformNodeID() == other.GetTransformNodeID():
        return volume
    copy, ijk_to_ras = slicer.vtkMRMLScalarVolumeNode(), vtk.vtkMatrix4x4()
    volume.GetIJKToRASMatrix(ijk_to_ras)
    placed = np.linalg.inv(matrix_to_world(other)) @ matrix_to_world(volume) @ slicer.util.arrayFromVTKMatrix(ijk_to_ras)
    copy.SetAndObserveImageData(volume.GetImageData())
    copy.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(placed))
    return copy


def write_file(volume, path) -> None:
    """Write a volume as NRRD.

    Raises:
        InputError: it cannot be written.
    """
    storage = slicer.vtkMRMLVolumeArchetypeStorageNode()
    storage.SetFileName(str(path))
    storage.SetUseCompression(0)
    if not storage.WriteData(volume):
        raise InputError(
            _("The volume could not be written to '{folder}': make room on that disk.").format(folder=os.path.dirname(path))
        )


def identity(volume) -> str:
    """What names a scan and its patient: the volume's name, and the patient's from the subject hierarchy."""
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    item, parts = hierarchy.GetItemByDataNode(volume), [volume.GetName()]
    patient = hierarchy.GetItemAncestorAtLevel(item, "Patient") if item else 0
    if patient:
        parts.append(hierarchy.GetItemName(patient))
        identifier = hierarchy.GetItemAttribute(patient, "DICOM.PatientID") or hierarchy.GetItemUID(patient, "DICOM")
        parts += [identifier] if identifier and identifier not in parts[-1] else []
    return ", ".join(parts)
