"""Model: a surface as a model node at its place in the scene."""

from __future__ import annotations

import slicer

from RadiomicsPersonaLib.surface import Surface, poly_data


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
