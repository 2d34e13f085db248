"""A picture of what the slice views show after the demo, painted by Slicer's own views: scan, persona, difference, p,
expected error.

    make demo && python Testing/demos/view_pictures.py views.png demo-output

It needs a graphics library that renders without a display (EGL or OSMesa).
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

os.environ.setdefault("VTK_DEFAULT_OPENGL_WINDOW", "vtkEGLRenderWindow")
TESTING = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTING), str(TESTING.parent / "RadiomicsPersona")]
SIZE, FIELD_MM = 640, 190.0
MANAGERS = ("vtkMRMLColorLegendDisplayableManager", "vtkMRMLMarkupsDisplayableManager")


def main(arguments: list[str]) -> int:
    """Write the picture: five views from left to right."""
    target, demo = (Path(argument) for argument in arguments)
    from bench import application

    application.start()
    import numpy as np
    import slicer
    from demo import BOX_SIZE, LESION_CENTER, template_with_lesion
    from panel_pictures import hand_over
    from PIL import Image

    from RadiomicsPersonaLib.geometry.box import Box

    scene = application.new_scene()
    scene.open_views()
    module = application.load_module()
    from RadiomicsPersonaNodes.roi import add_roi
    from RadiomicsPersonaNodes.view import Overlay

    view = _View(scene)
    array, affine = template_with_lesion()
    scan = slicer.util.addVolumeFromArray(np.ascontiguousarray(array.transpose(2, 1, 0)), affine, "MRBrain T1")
    logic = module.RadiomicsPersonaLogic(lambda given, proceed: hand_over(demo, Path(given[given.index("--output") + 1])))
    parameters = logic.getParameterNode()
    parameters.inputVolume = scan
    centers = [np.array(LESION_CENTER), np.array(LESION_CENTER) * [-1, 1, 1]]  # both boxes of the demo
    rois = [add_roi(Box(center, np.array(BOX_SIZE), name=f"box {number}")) for number, center in enumerate(centers, start=1)]
    for roi in rois:
        roi.CreateDefaultDisplayNodes()
        roi.GetDisplayNode().SetHandlesInteractive(False)
    parameters.inputROIs = rois
    overlay = Overlay()
    overlay.show(scan, scan, 0.0)
    pictures = [view.painted(LESION_CENTER)]
    logic.apply()
    for name in ("reconstructionVolume", "differenceVolume", "deviationVolume", "expectedErrorVolume"):
        volume = getattr(parameters, name)
        overlay.show(scan, volume, 1.0)
        pictures.append(view.painted(LESION_CENTER))
    row = Image.new("RGB", (len(pictures) * (SIZE + 4) - 4, SIZE), "white")
    for number, picture in enumerate(pictures):
        row.paste(picture, (number * (SIZE + 4), 0))
    row.quantize(256).save(target, optimize=True)
    sys.stdout.flush()
    os._exit(0)  # the views' nodes and render window go in an order of their own


class _View:
    """The axial view, with the managers that paint boxes and scales."""

    def __init__(self, scene):
        import slicer
        import vtk

        self.node = scene.node.GetNodeByID("vtkMRMLSliceNodeRed")
        self.logic = scene.application.GetSliceLogicByLayoutName("Red")
        self.window = vtk.vtkRenderWindow()
        self.window.SetOffScreenRendering(1)
        self.window.SetSize(SIZE, SIZE)
        renderer = vtk.vtkRenderer()
        self.window.AddRenderer(renderer)
        self.interactor = vtk.vtkRenderWindowInteractor()
        self.interactor.SetRenderWindow(self.window)
        self.mapper, actor = vtk.vtkImageMapper(), vtk.vtkActor2D()
        self.mapper.SetColorWindow(255)
        self.mapper.SetColorLevel(127.5)
        actor.SetMapper(self.mapper)
        renderer.AddViewProp(actor)  # before the managers, so that the image lies below what they paint
        factory = slicer.vtkMRMLSliceViewDisplayableManagerFactory.GetInstance()
        factory.SetMRMLApplicationLogic(scene.application)
        for name in MANAGERS:
            if not factory.IsDisplayableManagerRegistered(name):
                factory.RegisterDisplayableManager(name)
        self.managers = factory.InstantiateDisplayableManagers(renderer)
        self.managers.SetMRMLDisplayableNode(self.node)

    def painted(self, center):
        """What the view shows around a point, as a Pillow image."""
        import slicer
        import vtk
        from PIL import Image
        from vtk.util.numpy_support import vtk_to_numpy

        self.node.SetDimensions(SIZE, SIZE, 1)
        self.logic.FitSliceToBackground()
        self.node.SetFieldOfView(FIELD_MM, FIELD_MM, self.node.GetFieldOfView()[2])
        self.node.JumpSliceByCentering(0.0, *center[1:])
        self.logic.UpdatePipeline()
        self.mapper.SetInputConnection(self.logic.GetImageDataConnection())
        for node in (self.logic.GetSliceCompositeNode(), *slicer.util.getNodesByClass("vtkMRMLColorLegendDisplayNode")):
            node.Modified()  # the managers look when something happens
        self.managers.RequestRender()
        self.window.Render()
        self.window.Render()
        grab = vtk.vtkWindowToImageFilter()
        grab.SetInput(self.window)
        grab.ReadFrontBufferOff()
        grab.Update()
        pixels = vtk_to_numpy(grab.GetOutput().GetPointData().GetScalars())
        return Image.fromarray(pixels.reshape(SIZE, SIZE, -1)[::-1, :, :3].copy())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
