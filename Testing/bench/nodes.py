"""Nodes: what a user puts into a scene, made in one line each, and what a label of the panel says."""

from __future__ import annotations

import numpy as np
import slicer
import slicer.util
import vtk


def random_rotation(random: np.random.Generator) -> np.ndarray:
    """A rotation, uniformly distributed."""
    matrix, triangle = np.linalg.qr(random.standard_normal((3, 3)))
    matrix = matrix * np.sign(np.diag(triangle))
    return matrix * [np.sign(np.linalg.det(matrix)), 1, 1]


def four_by_four(linear, translation=(0, 0, 0)) -> np.ndarray:
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = linear, translation
    return matrix


def vtk_matrix(matrix) -> vtk.vtkMatrix4x4:
    result = vtk.vtkMatrix4x4()
    result.DeepCopy(np.asarray(matrix, float).ravel().tolist())
    return result


def add_roi(name, size, axes, center):
    """A rotated ROI node in the scene."""
    roi = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsROINode", name)
    roi.SetSize(*size)
    roi.SetAndObserveObjectToNodeMatrix(vtk_matrix(four_by_four(axes, center)))
    return roi


def add_transform(matrix):
    transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    transform.SetMatrixTransformToParent(vtk_matrix(matrix))
    return transform


def add_bspline():
    """A transform that is not linear."""
    transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLBSplineTransformNode", "warp")
    transform.SetAndObserveTransformToParent(vtk.vtkThinPlateSplineTransform())
    return transform


def add_volume(array_kji=None, affine=None, name="MRI"):
    array_kji = np.arange(4 * 5 * 6, dtype=np.int16).reshape(6, 5, 4) if array_kji is None else array_kji
    return slicer.util.addVolumeFromArray(array_kji, np.eye(4) if affine is None else affine, name)


def add_segmentation(array_kji, affine):
    """A segmentation of one segment from a label map."""
    label = slicer.util.addVolumeFromArray(array_kji.astype(np.uint8), affine, "label", "vtkMRMLLabelMapVolumeNode")
    segmentation = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Lesions & more")
    assert slicer.vtkSlicerSegmentationsModuleLogic.ImportLabelmapToSegmentationNode(label, segmentation)
    slicer.mrmlScene.RemoveNode(label)
    return segmentation


def ijk_to_ras(volume) -> np.ndarray:
    matrix = vtk.vtkMatrix4x4()
    volume.GetIJKToRASMatrix(matrix)
    return slicer.util.arrayFromVTKMatrix(matrix)


def said(label) -> list[str]:
    """The lines of a label of rich text, as they are read."""
    import qt

    document = qt.QTextDocument()
    document.setHtml(label.text)
    return document.toPlainText().splitlines()
