"""A MRML scene with the logics that Slicer's application would set up around it."""

from __future__ import annotations

import slicer

LOGICS = {
    "Colors": "vtkSlicerColorLogic",
    "Volumes": "vtkSlicerVolumesLogic",
    "Markups": "vtkSlicerMarkupsLogic",
    "Tables": "vtkSlicerTablesLogic",
    "Plots": "vtkSlicerPlotsLogic",
    "SubjectHierarchy": "vtkSlicerSubjectHierarchyModuleLogic",
}
"""Colors comes first: without its logic volumes get no colour node."""


class Scene:
    """Owns a scene, its application logic and its module logics; nothing in VTK keeps them alive.

    Attributes:
        node: the vtkMRMLScene.
        logics: module logics by module name.
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

    def close(self) -> None:
        """Take everything down in the order of the application, before the garbage collector does it in its own."""
        self.node.Clear(True)
        for logic in self.logics.values():
            logic.SetMRMLScene(None)
        self.application.SetMRMLScene(None)
