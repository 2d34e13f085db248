"""A MRML scene with the logics that Slicer's application would set up around it."""

from __future__ import annotations

import slicer
import slicer.util
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


SIZE_AT_FIRST, SIZE = (595, 320), (557, 821)
"""Pixels of a slice view, as measured in the application."""


class Legends:
    """Which colour legends the views show. As Slicer's displayable manager it looks at a legend when that was modified, and at
    a view's layers only when they were changed with interaction flags, as the view's own controls do.

    Attributes:
        shown: the volumes whose legend is shown.
    """

    LAYERS = (
        slicer.vtkMRMLSliceCompositeNode.ForegroundVolumeFlag
        | slicer.vtkMRMLSliceCompositeNode.BackgroundVolumeFlag
        | slicer.vtkMRMLSliceCompositeNode.LabelVolumeFlag
    )

    def __init__(self, scene):
        self._scene, self.shown = scene, set()
        for node in slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode", scene):
            node.AddObserver(vtk.vtkCommand.ModifiedEvent, self._on_layers)
        scene.AddObserver(slicer.vtkMRMLScene.NodeAddedEvent, self._on_node_added)

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def _on_node_added(self, caller, event, node) -> None:
        if node.IsA("vtkMRMLColorLegendDisplayNode"):
            node.AddObserver(vtk.vtkCommand.ModifiedEvent, self._on_legend)
        if node.IsA("vtkMRMLSliceCompositeNode"):
            node.AddObserver(vtk.vtkCommand.ModifiedEvent, self._on_layers)

    def _on_layers(self, composite, event) -> None:
        if composite.GetInteractionFlags() & self.LAYERS:
            for legend in slicer.util.getNodesByClass("vtkMRMLColorLegendDisplayNode", self._scene):
                self._on_legend(legend, event)

    def _on_legend(self, legend, event) -> None:
        volume = legend.GetDisplayableNode()
        views = slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode", self._scene)
        layers = {layer for view in views for layer in (view.GetBackgroundVolumeID(), view.GetForegroundVolumeID())}
        if volume:
            (self.shown.add if legend.GetVisibility() and volume.GetID() in layers else self.shown.discard)(volume)


class Scene:
    """Owns a scene, its application logic and its module logics; nothing in VTK keeps them alive.

    Attributes:
        node: the vtkMRMLScene.
        logics: module logics by module name.
        layout, slices: the layout's logic and those of the slice views; None and empty until `open_views`.
        legends: what colour legends the views show, from `open_views` on.
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
        self.layout = self.legends = None
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
        for logic in self.slices:
            logic.ResizeSliceNode(*SIZE)
        self.legends = Legends(self.node)

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
        if self.legends:  # a view of a layout that was changed to: its window gets its place one event later
            import qt

            logic.ResizeSliceNode(*SIZE_AT_FIRST)
            qt.QTimer.singleShot(0, lambda: logic.GetSliceNode() and logic.ResizeSliceNode(*SIZE))

    def close(self) -> None:
        """Take everything down in the order of the application, before the garbage collector does it in its own."""
        # the views first, as the application's window goes before its scene
        for logic in self.slices:
            logic.SetSliceNode(None)
            logic.SetMRMLScene(None)
        self.slices.clear()
        self.legends = None
        if self.layout:
            self.application.GetSliceLogics().RemoveAllItems()
            self.node.RemoveObserver(self._tag)
            self.layout.SetMRMLScene(None)
            self.layout = None
        self.node.Clear(True)
        for logic in self.logics.values():
            logic.SetMRMLScene(None)
        self.application.SetMRMLScene(None)
