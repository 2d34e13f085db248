"""Mesh: the surface of a segment, shown, measured and saved."""

from __future__ import annotations

import qt
from slicer.i18n import tr as _

from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaNodes import mesh

from .job import ButtonJob
from .section import Section


class MeshSection(Section):
    """Segmentation and segment, smoothing, decimation; the latest mesh can be saved."""

    def __init__(self, ui, logic):
        super().__init__(ui, logic)
        ui.meshCollapsibleButton.collapsed = True
        self._job = ButtonJob(logic, ui.meshButton, ui.meshProgressBar, ui.meshStatusLabel)
        self._watched = None
        ui.meshSegmentationSelector.currentNodeChanged.connect(self.update)
        ui.meshButton.clicked.connect(self.on_make)
        ui.meshSaveButton.clicked.connect(self.on_save)

    def update(self) -> None:
        self._watch(self.ui.meshSegmentationSelector.currentNode() if self.parameters else None)
        if self.parameters and not self.ui.meshSegmentationSelector.currentNode() and self.parameters.segmentation:
            self.ui.meshSegmentationSelector.setCurrentNode(self.parameters.segmentation)
        self.ui.meshSaveButton.enabled = bool(self.parameters and self.parameters.mesh)

    def scene_closes(self) -> None:
        self._job.cancel()
        self._watch(None)
        self.ui.meshStatusLabel.text = ""

    def close(self) -> None:
        super().close()
        self._job.cancel()

    def on_make(self) -> None:
        """Make the surface of the chosen segment, or end that."""
        self._job.run(self._make, _("The mesh failed unexpectedly ({error}); the Python console tells more."))
        self.update()

    def on_save(self) -> None:
        """Save the latest mesh."""
        path = self.ask_for_path()
        if not path:
            return
        try:
            mesh.save(self.parameters.mesh, path)
            self.ui.meshStatusLabel.text = _("Written: {path}").format(path=path)
        except InputError as error:
            self.ui.meshStatusLabel.text = str(error)

    def ask_for_path(self) -> str:
        """The file that the user wants to write, or an empty text."""
        kinds = _("Meshes (*.ply *.stl *.obj *.vtk)")
        path = qt.QFileDialog.getSaveFileName(self.ui.meshSaveButton.window(), _("Save the mesh"), "mesh.ply", kinds)
        return path if isinstance(path, str) else path[0]

    def on_segments(self, caller=None, event=None) -> None:
        """Called when a segment is added, removed or renamed: offer those that are there."""
        combo, before = self.ui.meshSegmentComboBox, self.ui.meshSegmentComboBox.currentData
        combo.clear()
        segments = self._watched
        for number in range(segments.GetNumberOfSegments() if segments else 0):
            key = segments.GetNthSegmentID(number)
            combo.addItem(segments.GetSegment(key).GetName(), key)
        combo.currentIndex = max(combo.findData(before), 0) if combo.count else -1
        self.ui.meshButton.enabled = bool(combo.count)

    def _make(self) -> str:
        combo = self.ui.meshSegmentComboBox
        model, surface = self.logic.makeMesh(
            self.ui.meshSegmentationSelector.currentNode(),
            combo.itemData(combo.currentIndex),
            self.ui.meshSmoothSpinBox.value,
            self.ui.meshDecimateSpinBox.value,
            self._job.proceed,
        )
        return _("'{name}': area {area} mm\u00b2, volume {volume} ml, {count} triangles.").format(
            name=model.GetName(), area=f"{surface.area_mm2:.1f}", volume=f"{surface.volume_ml:.3f}", count=len(surface.faces)
        )

    def _watch(self, node) -> None:
        """Follow the segments of a segmentation node, or of none."""
        segments = node.GetSegmentation() if node else None
        if segments is self._watched:
            return
        if self._watched:
            for event in self._events(self._watched):
                self.removeObserver(self._watched, event, self.on_segments)
        self._watched = segments
        if segments:
            for event in self._events(segments):
                self.addObserver(segments, event, self.on_segments)
        self.on_segments()

    @staticmethod
    def _events(segments) -> tuple:
        return segments.SegmentAdded, segments.SegmentRemoved, segments.SegmentModified
