"""A MRML scene with the logics that Slicer's application would set up around it."""

from __future__ import annotations

import slicer
import vtk

LOGICS = {
    "Colors": "vtkSlicerColorLogic",
    "Volumes": "vtkSlicerVolumesLogic",
    "Markups": "vtkSlicerMarkupsLogic",
    "Tables": "vtkSlicerTablesLogic",
    "Plots": "vtkSlicerPlotsLogic",
    "Segmentations": "vtkSlicerSegmentationsModuleLogic",
    "SubjectHierarchy": "vtkSlicerSubjectHierarchyModuleLogic",
}
"""Colors comes first: without its logic volumes get no colour node."""


class Scene:
    """Owns a scene, its application logic and its module logics; nothing in VTK keeps them alive.

    Attributes:
        node: the vtkMRMLScene.
        logics: module logics by module name.
        layout, slices: the layout's logic and those of the slice views; None and empty until `open_views`.
    """

    def __init__(self):
        self.node = slicer.vtkMRMLScene()
        self.application = slicer.vtkSlicerApplicationLogic()
        # the folder of the colour files, which slicer-core does not have
        self.application.SetHomeDirectory(slicer.__path__[0])
        self.application.SetShareDirectory("share")
        self._cache = slicer.vtkCacheManager()
        self._io = slicer.vtkDataIOManager()
        self._io.SetCacheManager(self._cache)
        self.node.SetCacheManager(self._cache)
        self.node.SetDataIOManager(self._io)
        self.application.SetMRMLScene(self.node)
        self.logics = {}
        for name, class_name in LOGICS.items():
            logic = getattr(slicer, class_name)()
            logic.SetMRMLApplicationLogic(self.application)
            self.application.SetModuleLogic(name, logic)
            logic.SetMRMLScene(self.node)
            self.logics[name] = logic
        self.layout = None
        self.slices = []

    def open_views(self) -> None:
        """Slice views as the application's window has them: a layout,
        and for every slice node a logic with its composite node.
        """
        self.application.SetSliceLogics(vtk.vtkCollection())
        self._tag = self.node.AddObserver(slicer.vtkMRMLScene.NodeAddedEvent, self._on_node_added)
        self.layout = slicer.vtkMRMLLayoutLogic()
        self.layout.SetMRMLScene(self.node)
        self.layout.GetLayoutNode().SetViewArrangement(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView)

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def _on_node_added(self, caller, event, node) -> None:
        if not node.IsA("vtkMRMLSliceNode"):
            return
        logic = slicer.vtkMRMLSliceLogic()
        logic.SetMRMLApplicationLogic(self.application)
        logic.SetMRMLScene(self.node)
        logic.SetSliceNode(node)
        self.application.GetSliceLogics().AddItem(logic)
        self.slices.append(logic)

    def close(self) -> None:
        """Take everything down in the order of the application, before the garbage collector does it in its own."""
        # the views first, as the application's window goes before its scene
        for logic in self.slices:
            logic.SetSliceNode(None)
            logic.SetMRMLScene(None)
        self.slices.clear()
        if self.layout:
            self.application.GetSliceLogics().RemoveAllItems()
            self.node.RemoveObserver(self._tag)
            self.layout.SetMRMLScene(None)
            self.layout = None
        self.node.Clear(True)
        for logic in self.logics.values():
            logic.SetMRMLScene(None)
        self.application.SetMRMLScene(None)
