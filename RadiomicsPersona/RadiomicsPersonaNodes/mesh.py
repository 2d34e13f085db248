"""Mesh: a segment on its way to the worker that makes its surface, and the surface as a model node and as a file."""

from __future__ import annotations

import os

import numpy as np
import slicer
from slicer.i18n import tr as _
from vtk.util.numpy_support import vtk_to_numpy

from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.geometry.surface import Surface, poly_data, write_surface
from RadiomicsPersonaLib.report.exchange import read_arrays_of_surface
from RadiomicsPersonaLib.system.output import file_written_whole
from RadiomicsPersonaLib.system.work_folder import work_folder

from . import output, roi
from . import scan as scans

MESH_OF = "RadiomicsPersona.meshOf"
"""Attribute of a model node with the segment whose surface it shows; its reference of the same name is the segmentation."""


def make(segmentation, key: str, smooth: int, decimate: float, run):
    """The surface of a segment as a model node in its place, under the segmentation's transform and in the segment's colour.

    Args:
        key: identifier of the segment.
        smooth, decimate: see `surface.surface_of`.
        run: called with the arguments of the command `mesh`, see `worker`.
    Returns:
        the model node, that of the segment's earlier mesh if there is one; and the `Surface`.
    Raises:
        InputError: the segment is empty or gone.
    """
    source = segmentation.GetSegmentation().GetSegment(key) if segmentation else None
    if not source:
        raise InputError(_("No segment is selected: choose a segmentation and one of its segments."))
    name = source.GetName()
    array, image_to_node = roi.label_map_of(segmentation, key)
    with work_folder() as folder:
        volume = slicer.vtkMRMLScalarVolumeNode()  # in no scene
        slicer.util.updateVolumeFromArray(volume, array.astype(np.uint8))
        volume.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(image_to_node))
        path, result = os.path.join(folder, "segment.nrrd"), os.path.join(folder, "output")
        scans.write_file(volume, path)
        run(["mesh", path, "--smooth", str(smooth), "--decimate", repr(decimate), "--output", result])
        surface = Surface(**read_arrays_of_surface(result))
    if not slicer.mrmlScene.IsNodePresent(segmentation):
        raise InputError(_("The segmentation was removed meanwhile: choose another one."))
    model = _model_of(segmentation, key, name)
    show_surface(model, surface, segmentation)
    model.GetDisplayNode().SetColor(*source.GetColor())
    output.place_beside(model, segmentation)
    return model, surface


def save(model, path: str) -> None:
    """Write a mesh as PLY, STL, OBJ or VTK in the coordinates of the scan's own file, without parent transforms,
    as `mesh` does.

    Raises:
        InputError: another suffix, or the file cannot be written.
    """
    data = model.GetPolyData()
    faces = vtk_to_numpy(data.GetPolys().GetConnectivityArray()).reshape(-1, 3)
    surface = Surface(vtk_to_numpy(data.GetPoints().GetData()).astype(np.float64), faces.astype(np.int64))
    with file_written_whole(path) as staging:
        write_surface(surface, staging)


def _model_of(segmentation, key: str, name: str):
    for node in slicer.util.getNodesByClass("vtkMRMLModelNode"):
        if node.GetAttribute(MESH_OF) == key and node.GetNodeReference(MESH_OF) is segmentation:
            return node
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLModelNode", _("{name} mesh").format(name=name))
    node.SetAttribute(MESH_OF, key)
    node.SetNodeReferenceID(MESH_OF, segmentation.GetID())
    return node


def show_surface(model, surface: Surface, source=None) -> None:
    """Put a surface into a model node and make it visible, in the slices too.

    Args:
        model: vtkMRMLModelNode; what it showed before is replaced.
        surface: in the coordinates (RAS mm) of the node that it was made from.
        source: that volume or segmentation node; its parent transform is taken over. None leaves the model's own.
    """
    model.SetAndObservePolyData(poly_data(surface))
    if source:
        model.SetAndObserveTransformNodeID(source.GetTransformNodeID())
    if not model.GetDisplayNode():
        model.CreateDefaultDisplayNodes()
    with slicer.util.NodeModify(model.GetDisplayNode()):
        model.GetDisplayNode().SetVisibility(True)
        model.GetDisplayNode().SetVisibility2D(True)
