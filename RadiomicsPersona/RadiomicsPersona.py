"""RadiomicsPersona in 3D Slicer: nodes in, nodes out; everything is computed in a worker process.

Nothing here computes anything about the image. The scientific code is in RadiomicsPersonaLib, of which this process
imports only what needs the standard library and numpy.
"""

import json
import logging
import os
import re
import sys
import tempfile
import time
from typing import Annotated

import numpy as np
import vtk

import slicer
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.ScriptedLoadableModule import *
from slicer.util import VTKObservationMixin
from slicer.parameterNodeWrapper import (
    Choice,
    parameterNodeWrapper,
    WithinRange,
)

from slicer import vtkMRMLMarkupsROINode, vtkMRMLPlotChartNode, vtkMRMLScalarVolumeNode, vtkMRMLTableNode

from RadiomicsPersonaLib.box import Box
from RadiomicsPersonaLib.child import Cancelled, Child, child_environment, ChildFailed, FINAL, raise_if_ended_badly
from RadiomicsPersonaLib.colors import VERDICT_COLORS
from RadiomicsPersonaLib.defaults import USUAL_CONTROLS
from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.markups import write_boxes
from RadiomicsPersonaLib.nifti_voxels import read_nifti_voxels


#
# RadiomicsPersona
#


class RadiomicsPersona(ScriptedLoadableModule):
    """Uses ScriptedLoadableModule base class, available at:
    https://github.com/Slicer/Slicer/blob/main/Base/Python/slicer/ScriptedLoadableModule.py
    """

    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        self.parent.title = _("Radiomics Persona")
        self.parent.categories = [translate("qSlicerAbstractCoreModule", "Neuroimaging")]
        self.parent.dependencies = ["Markups", "Volumes", "Tables"]
        self.parent.contributors = ["RadiomicsPersona contributors"]
        self.parent.helpText = _("""
This module shows a boxed region of a brain MRI as it would look in healthy tissue, shows where and how much the real
tissue differs, and says whether the region looks healthy (0) or pathological (1), measured against healthy boxes of
the same scan. Research use only, not a medical device.
""")
        self.parent.acknowledgementText = _("""
See the list of contributors and the references in the documentation of the extension.
""")


#
# RadiomicsPersonaParameterNode
#


@parameterNodeWrapper
class RadiomicsPersonaParameterNode:
    """
    The parameters needed by module.

    inputVolume - The MRI with the region in question.
    inputROIs - The boxes around the regions, one verdict each.
    model - The name of the model that rebuilds healthy tissue, or "auto".
    controls - The number of healthy boxes of the same scan that a box is held against.
    threshold - The p-value at or below which a box is called pathological.
    device - Where the model computes; "auto" takes a graphics card if there is one.
    seed - The seed of everything random; the same inputs and seed give the same numbers.
    reconstructionVolume - The input volume with every box replaced by its healthy persona.
    differenceVolume - The input volume minus the reconstruction.
    deviationVolume - How unusual every voxel's difference is among the healthy boxes, as a p-value.
    scoreTable, scoreChart - The scores behind the verdicts as a bar plot.
    resultTable - One row per box: verdict, p-value, and the comparison's measures.
    """

    inputVolume: vtkMRMLScalarVolumeNode | None
    inputROIs: list[vtkMRMLMarkupsROINode]
    model: str = "auto"
    controls: Annotated[int, WithinRange(0, 500)] = USUAL_CONTROLS
    threshold: Annotated[float, WithinRange(0.001, 0.999)] = 0.05
    device: Annotated[str, Choice(["auto", "cpu", "cuda", "mps"])] = "auto"
    seed: int = 0
    reconstructionVolume: vtkMRMLScalarVolumeNode | None
    differenceVolume: vtkMRMLScalarVolumeNode | None
    deviationVolume: vtkMRMLScalarVolumeNode | None
    scoreTable: vtkMRMLTableNode | None
    scoreChart: vtkMRMLPlotChartNode | None
    resultTable: vtkMRMLTableNode | None


#
# RadiomicsPersonaWidget
#


class RadiomicsPersonaWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    """Uses ScriptedLoadableModuleWidget base class, available at:
    https://github.com/Slicer/Slicer/blob/main/Base/Python/slicer/ScriptedLoadableModule.py
    """

    def __init__(self, parent=None) -> None:
        """Called when the user opens the module the first time and the widget is initialized."""
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)  # needed for parameter node observation
        self.logic = None
        self._parameterNode = None
        self._parameterNodeGuiTag = None
        self._running = False
        self._cancelRequested = False
        self._startTime = 0.0
        self._updatingROIs = False
        self._observedROIs = []
        self._movedROI = None
        self._draggedROI = None
        self._applyAgain = False
        self._following = False

    def setup(self) -> None:
        ScriptedLoadableModuleWidget.setup(self)

        uiWidget = slicer.util.loadUI(self.resourcePath("UI/RadiomicsPersona.ui"))
        self.layout.addWidget(uiWidget)
        self.ui = slicer.util.childWidgetVariables(uiWidget)
        uiWidget.setMRMLScene(slicer.mrmlScene)

        self.logic = RadiomicsPersonaLogic()

        # These connections ensure that we let go of the parameter node when the scene is closed
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.StartCloseEvent, self.onSceneStartClose)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.EndCloseEvent, self.onSceneEndClose)

        self.ui.inputROIsSelector.checkedNodesChanged.connect(self.onCheckedROIsChanged)
        self.ui.applyButton.clicked.connect(self.onApplyButton)
        self.ui.showScoresButton.clicked.connect(self.onShowScoresButton)
        self.ui.liveTwinCheckBox.toggled.connect(self.onLiveTwinToggled)

        self.initializeParameterNode()

    def cleanup(self) -> None:
        """Called when the application closes and the module widget is destroyed."""
        self._cancelRequested = True
        self.setParameterNode(None)
        self.removeObservers()
        self._following = False
        self.logic.close()

    def enter(self) -> None:
        """Called each time the user opens this module."""
        self.initializeParameterNode()

    def exit(self) -> None:
        """Called each time the user opens a different module."""
        self.setParameterNode(None)

    def onSceneStartClose(self, caller, event) -> None:
        """Called just before the scene is closed."""
        self._cancelRequested = True
        self.setParameterNode(None)
        self.logic.liveTwin.stop()

    def onSceneEndClose(self, caller, event) -> None:
        """Called just after the scene is closed."""
        # If this module is shown while the scene is closed then take a new parameter node immediately
        if self.parent.isEntered:
            self.initializeParameterNode()

    def initializeParameterNode(self) -> None:
        """Ensure parameter node exists and is observed."""
        self.setParameterNode(self.logic.getParameterNode())

        # Select default input nodes if nothing is selected yet to save a few clicks for the user
        if not self._parameterNode.inputVolume:
            firstVolumeNode = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLScalarVolumeNode")
            if firstVolumeNode:
                self._parameterNode.inputVolume = firstVolumeNode

    def setParameterNode(self, inputParameterNode: RadiomicsPersonaParameterNode | None) -> None:
        """Set and observe parameter node, so that the panel follows it."""
        if self._parameterNode == inputParameterNode:
            return
        if self._parameterNode:
            self._parameterNode.disconnectGui(self._parameterNodeGuiTag)
            self.removeObserver(self._parameterNode, vtk.vtkCommand.ModifiedEvent, self.parameterNodeModified)
        self._parameterNode = inputParameterNode
        if self._parameterNode:
            # Note: in the .ui file, a Qt dynamic property called "SlicerParameterName" is set on each
            # ui element that needs connection.
            self._parameterNodeGuiTag = self._parameterNode.connectGui(self.ui)
            self.addObserver(self._parameterNode, vtk.vtkCommand.ModifiedEvent, self.parameterNodeModified)
        self.parameterNodeModified()

    def parameterNodeModified(self, caller=None, event=None) -> None:
        """Bring what the connections of the .ui file do not cover up to date: ROIs, Apply, results."""
        if self._parameterNode:
            self._checkROIs(self._parameterNode.inputROIs)
        self._observeROIs()
        self._updateApplyButton()
        self.showResults()

    def onCheckedROIsChanged(self) -> None:
        """Called when the user checks or unchecks an ROI."""
        if self._parameterNode and not self._updatingROIs:
            self._parameterNode.inputROIs = list(self.ui.inputROIsSelector.checkedNodes())

    def onApplyButton(self) -> None:
        """Run the analysis when the user clicks "Apply", end it when the button says "Cancel"."""
        if self._running:
            self._cancelRequested = True
            return
        self._running, self._cancelRequested, self._startTime = True, False, time.monotonic()
        self._updateApplyButton()
        self.ui.progressBar.visible = True
        self.ui.statusLabel.text = _("Starting the analysis...")
        try:
            self.logic.apply(self.onProgress)
            self.ui.statusLabel.text = _("Done.")
            self.showReconstruction()
        except Cancelled:
            self.ui.statusLabel.text = _("Cancelled; nothing was changed.")
        except (InputError, ChildFailed) as error:
            self.ui.statusLabel.text = str(error)
        except Exception as error:
            self.ui.statusLabel.text = _("The analysis failed unexpectedly ({error}); the Python console tells more.").format(
                error=error)
            raise
        finally:
            self._running = False
            self.ui.progressBar.visible = False
            self.parameterNodeModified()
            if self._applyAgain:
                self._applyAfterDrag()

    def onShowScoresButton(self) -> None:
        """Show the plot of scores in a layout that has room for one."""
        chart = self._parameterNode.scoreChart if self._parameterNode else None
        if chart:
            slicer.modules.plots.logic().ShowChartInLayout(chart)

    def onProgress(self, line: str) -> bool:
        """Show the newest message of the analysis and keep the window alive; returns False to end the analysis."""
        activity = line or _("Starting the analysis...")
        seconds = int(time.monotonic() - self._startTime)
        self.ui.statusLabel.text = _("{activity} ({seconds} s)").format(activity=activity, seconds=seconds)
        slicer.app.processEvents()
        return not self._cancelRequested

    def onLiveTwinToggled(self, checked: bool) -> None:
        """Follow the boxes with their healthy persona, or no longer."""
        self._observeROIs()
        if not checked:
            self._following = False
            self.logic.liveTwin.stop()
            return
        try:
            self.logic.worker.start()  # so that the first step finds it ready
        except ChildFailed as error:
            self.ui.statusLabel.text = str(error)
        if self._observedROIs and not self._parameterNode.reconstructionVolume:
            self.onROIMoved(self._observedROIs[0])
            self._draggedROI = None  # nobody holds it, so nobody lets go of it

    def onROIMoved(self, roi, event=None) -> None:
        """Called for every step of a drag, of which a timer takes the latest."""
        self._movedROI = self._draggedROI = roi
        self._cancelRequested = True  # numbers of where the box was help nobody
        if not self._following:
            self._following = True
            self._followSoon()

    def onROIReleased(self, roi, event=None) -> None:
        """Called when the user lets go of a box: now the numbers, if it was moved at all."""
        if self._draggedROI is roi:
            self._draggedROI = None
            self._applyAfterDrag()

    def onLiveTimer(self) -> None:
        """Ask for the twin of the box as it is now, and show the newest that is there."""
        if not self._following:
            return
        roi, self._movedROI = self._movedROI, None
        live = self.logic.liveTwin
        try:
            if roi and slicer.mrmlScene.IsNodePresent(roi):
                live.ask(roi)
            if live.take():
                self.ui.statusLabel.text = _("Live twin of '{name}'; the numbers follow when you let go.").format(name=live.boxName)
                if live.isNew:
                    self.showReconstruction()
        except Cancelled:
            pass  # the worker was ended, and will be there for the next step
        except (InputError, ChildFailed) as error:
            self.ui.statusLabel.text = str(error)
        finally:
            self._following = bool(self._movedROI or live.waiting)
            if self._following:
                self._followSoon()

    def _followSoon(self) -> None:
        import qt

        qt.QTimer.singleShot(LIVE_INTERVAL_MS, self.onLiveTimer)

    def _applyAfterDrag(self) -> None:
        """Apply as soon as the event that asks for it, or the run that it ends, is over."""
        import qt

        self._applyAgain = self._running
        if not self._running:
            qt.QTimer.singleShot(0, self._applyIfReady)

    def _applyIfReady(self) -> None:
        if not self._running and self.ui.applyButton.enabled and self.ui.liveTwinCheckBox.checked:
            self.onApplyButton()

    def _observeROIs(self) -> None:
        """Observe the chosen boxes while the live twin is on, and no others."""
        wanted = [roi for roi in self._parameterNode.inputROIs if roi] if self._parameterNode else []
        wanted = wanted if self.ui.liveTwinCheckBox.checked else []
        changes = ((slicer.vtkMRMLMarkupsNode.PointModifiedEvent, self.onROIMoved),
                   (slicer.vtkMRMLTransformableNode.TransformModifiedEvent, self.onROIMoved),
                   (slicer.vtkMRMLMarkupsNode.PointEndInteractionEvent, self.onROIReleased))
        for event, method in changes:
            for roi in self._observedROIs:
                if roi not in wanted:
                    self.removeObserver(roi, event, method)
            for roi in wanted:
                if roi not in self._observedROIs:
                    self.addObserver(roi, event, method)
        self._observedROIs = wanted

    def showReconstruction(self) -> None:
        """Put the healthy persona over the scan in the slice views; they differ inside the boxes only."""
        reconstruction = self.logic.getParameterNode().reconstructionVolume
        scan = reconstruction.GetNodeReference(INPUT_VOLUME_ROLE)
        slicer.util.setSliceViewerLayers(background=scan, foreground=reconstruction, foregroundOpacity=1.0)

    def showResults(self) -> None:
        """Show what the result table holds."""
        tableNode = self._parameterNode.resultTable if self._parameterNode else None
        self.ui.resultTableView.setMRMLTableNode(tableNode)
        self.ui.verdictLabel.text = "\n".join(self.logic.verdicts(tableNode)) if tableNode else ""
        self.ui.resultsCollapsibleButton.enabled = bool(tableNode)
        self.ui.showScoresButton.enabled = bool(self._parameterNode and self._parameterNode.scoreChart)

    def _checkROIs(self, rois) -> None:
        wanted = {roi.GetID() for roi in rois if roi}
        selector = self.ui.inputROIsSelector
        self._updatingROIs = True
        try:
            for roi in slicer.util.getNodesByClass("vtkMRMLMarkupsROINode"):
                if roi.GetID() in wanted:
                    selector.check(roi)
                else:
                    selector.uncheck(roi)
        finally:
            self._updatingROIs = False

    def _updateApplyButton(self) -> None:
        parameterNode = self._parameterNode
        ready = bool(parameterNode and parameterNode.inputVolume and any(parameterNode.inputROIs))
        button = self.ui.applyButton
        button.enabled = ready or self._running
        button.text = _("Cancel") if self._running else _("Apply")
        if self._running:
            button.toolTip = _("End the analysis; results of an earlier run stay as they are.")
        elif ready:
            button.toolTip = _("Rebuild the boxes, compare them, and say whether they look healthy.")
        else:
            button.toolTip = _("Select a volume and check at least one ROI first.")


#
# RadiomicsPersonaLogic
#

ATTRIBUTE_PREFIX = "RadiomicsPersona."
INPUT_VOLUME_ROLE = "RadiomicsPersona.inputVolume"
DIFFERENCE_COLOR_NAME = "RadiomicsPersona difference"
DIFFERENCE_RANGE_IN_DEVIATIONS = 3.0
DEVIATION_P_SHOWN = 0.1
WORDS = {0: "healthy", 1: "pathological", None: "undetermined"}
LIVE_INTERVAL_MS = 30
ANSWER_WAIT_SECONDS = 0.002  # long enough for the thread that reads them to have its turn


def makeWorker() -> Child:
    """The process in which everything is computed, a child of Slicer's Python; it starts when it is first asked.

    It starts from the environment that Slicer was started in: PythonSlicer adds what it needs itself.
    """
    folder = os.path.dirname(os.path.abspath(__file__))
    return Child([sys.executable, "-m", "RadiomicsPersonaLib.worker"],
                 lambda: child_environment(slicer.util.startupEnvironment(), folder))


class RadiomicsPersonaLogic(ScriptedLoadableModuleLogic):
    """From nodes to the command line's files and back.

    runner - Called with the command line's arguments and a function `proceed(line) -> bool`; returns when the results
      lie in the output folder; raises InputError, ChildFailed or Cancelled. Given from outside, tests need no process;
      otherwise the worker does it.
    worker - The process that this logic owns; `close` ends it.
    liveTwin - The healthy persona of a box while it is dragged.

    Uses ScriptedLoadableModuleLogic base class, available at:
    https://github.com/Slicer/Slicer/blob/main/Base/Python/slicer/ScriptedLoadableModule.py
    """

    def __init__(self, runner=None) -> None:
        """Called when the logic class is instantiated."""
        ScriptedLoadableModuleLogic.__init__(self)
        self.worker = makeWorker()
        self.runner = runner or self.runInWorker
        self.liveTwin = LiveTwin(self)
        self._parameterNode = None

    def runInWorker(self, arguments, proceed) -> None:
        """Have the worker do what the command line would."""
        self.worker.run({"kind": "analyze", "arguments": arguments}, proceed)

    def close(self) -> None:
        """Let go of the worker and of every file; a later call starts anew."""
        self.liveTwin.stop()
        self.worker.end()

    def getParameterNode(self) -> RadiomicsPersonaParameterNode:
        parameterNode = super().getParameterNode()
        if not self._parameterNode or self._parameterNode.parameterNode != parameterNode:
            self._parameterNode = RadiomicsPersonaParameterNode(parameterNode)
        return self._parameterNode

    def apply(self, proceed=lambda line: True) -> dict:
        """Analyze the parameter node's boxes and put the results into its output nodes, made at the first run.

        :param proceed: called many times a second with the newest message; returns False to end the analysis.
        :returns: the content of the command line's results.json.
        :raises InputError: an input cannot be used; the message says what to do.
        :raises Cancelled: `proceed` returned False; no node was touched.
        :raises ChildFailed: the analysis ended unexpectedly.
        """
        parameterNode = self.getParameterNode()
        inputVolume = parameterNode.inputVolume
        rois = [roi for roi in parameterNode.inputROIs if roi]
        self._checkVolume(inputVolume)
        if not rois:
            raise InputError(_("No ROI is selected: draw a box around the region and check it."))
        boxes = [self.boxFromROI(roi, inputVolume) for roi in rois]

        with tempfile.TemporaryDirectory(prefix="RadiomicsPersona-", ignore_cleanup_errors=True) as folder:
            arguments = self._writeInputs(parameterNode, boxes, folder)
            try:
                self.runner(arguments, proceed)
            except ChildFailed as error:
                logging.error(f"RadiomicsPersona: {error}\n{error.log}")
                raise
            with open(os.path.join(folder, "output", "results.json"), encoding="utf-8") as stream:
                results = json.load(stream)
            arrays = [self._readOutput(os.path.join(folder, "output", name), inputVolume)
                      for name in ("reconstruction.nii.gz", "difference.nii.gz", "deviation_p.nii.gz")]

        if not slicer.mrmlScene.IsNodePresent(inputVolume):
            raise InputError(_("The volume was removed during the analysis: load it again and apply."))
        self._createOutputNodes(parameterNode, inputVolume)
        self.liveTwin.forget()
        self._updateVolume(parameterNode.reconstructionVolume, inputVolume, arrays[0])
        self._updateVolume(parameterNode.differenceVolume, inputVolume, arrays[1])
        self._updateVolume(parameterNode.deviationVolume, inputVolume, arrays[2])
        self._showLikeInput(parameterNode.reconstructionVolume, inputVolume)
        self._showDifference(parameterNode.differenceVolume, results)
        self._showDeviation(parameterNode.deviationVolume)
        self._updateTable(parameterNode.resultTable, results)
        self._updateScores(parameterNode, results)
        for node in (parameterNode.reconstructionVolume, parameterNode.differenceVolume, parameterNode.deviationVolume,
                     parameterNode.resultTable, parameterNode.scoreTable):
            self._recordProvenance(node, inputVolume, results)
            self._placeBeside(node, inputVolume)
        return results

    @staticmethod
    def boxFromROI(roi, volume) -> Box:
        """The box that an ROI shows, in the RAS coordinates of the volume (before the volume's own parent transform).

        :raises InputError: a parent transform is not linear or shears the box, or the ROI has no extent.
        """
        for node in (roi, volume):
            _refuseNonLinearTransform(node)
        name = roi.GetName()
        if roi.GetInsideOut():
            raise InputError(_(
                "ROI '{name}' is inside out, it means everything but the box: switch 'Inside out' off in the Markups module."
            ).format(name=name))
        size = np.array(roi.GetSize())
        if roi.GetNumberOfDefinedControlPoints() == 0 or not (size > 0).all():
            extent = " x ".join(f"{edge:g}" for edge in size)
            raise InputError(_(
                "ROI '{name}' has a size of {extent} mm: draw it so that every edge is longer than zero."
            ).format(name=name, extent=extent))
        # not GetObjectToWorldMatrix(): it hides a shear by drawing some other, straight box
        objectToWorld = _matrixToWorld(roi) @ slicer.util.arrayFromVTKMatrix(roi.GetObjectToNodeMatrix())
        objectToVolumeRAS = np.linalg.inv(_matrixToWorld(volume)) @ objectToWorld
        if _isSheared(objectToWorld) or _isSheared(objectToVolumeRAS):
            raise InputError(_(
                "A transform skews ROI '{name}' so that it is no longer a box in the volume '{volume}': "
                "use a transform without shear, or draw the ROI again."
            ).format(name=name, volume=volume.GetName()))
        scales = np.linalg.norm(objectToVolumeRAS[:3, :3], axis=0)
        axes = objectToVolumeRAS[:3, :3] / scales
        if np.linalg.det(axes) < 0:  # under a mirroring transform; a box is its own mirror image
            axes[:, 0] *= -1
        return Box(objectToVolumeRAS[:3, 3], size * scales, axes, name)

    @staticmethod
    def verdicts(tableNode) -> list:
        """What a result table says, in words: one sentence per box, then the warnings."""
        table = tableNode.GetTable()
        columns = [table.GetColumnByName(name) for name in ("box", "label", "reason", "warnings")]
        if not all(columns):  # a table of something else
            return []
        sentences = []
        for row in range(table.GetNumberOfRows()):
            box, label, reason, warnings = (column.GetValue(row) for column in columns)
            labelText = _("no label") if np.isnan(label) else _("label {label}").format(label=int(label))
            sentences.append(_("{box} ({labelText}): {reason}").format(box=box, labelText=labelText, reason=reason))
            sentences += [_("Note on {box}: {warning}").format(box=box, warning=line) for line in warnings.splitlines()]
        notes = json.loads(tableNode.GetAttribute(ATTRIBUTE_PREFIX + "warnings") or "[]")
        rebuiltBy = tableNode.GetAttribute(ATTRIBUTE_PREFIX + "rebuilt_by")
        sentences += [json.loads(rebuiltBy)] if rebuiltBy else []
        return sentences + [_("Note: {warning}").format(warning=note) for note in notes]

    @staticmethod
    def differenceColorNode():
        """The colour table of difference volumes, blue to white to red; one per scene."""
        colorNode = slicer.mrmlScene.GetFirstNode(DIFFERENCE_COLOR_NAME, "vtkMRMLColorTableNode")
        if colorNode:
            return colorNode
        colorNode = slicer.vtkMRMLColorTableNode()
        colorNode.SetName(DIFFERENCE_COLOR_NAME)
        colorNode.SetTypeToUser()
        colorNode.SetNumberOfColors(256)
        blue, red = np.array([0.02, 0.19, 0.60]), np.array([0.70, 0.02, 0.10])
        for index in range(256):
            amount = max(abs(index - 127.5) - 0.5, 0) / 127  # the two middle entries, where 0 falls, are white
            color = 1 - amount * (1 - (red if index > 127 else blue))
            colorNode.SetColor(index, f"{index}", *color, 1.0)
        return slicer.mrmlScene.AddNode(colorNode)

    @staticmethod
    def _checkVolume(volume) -> None:
        if not volume:
            raise InputError(_("No volume is selected: choose the MRI."))
        image = volume.GetImageData()
        if not image or image.GetNumberOfPoints() == 0:
            raise InputError(_("The volume '{name}' holds no image: choose another one.").format(name=volume.GetName()))
        if image.GetNumberOfScalarComponents() != 1:
            raise InputError(_("The volume '{name}' has {count} values per voxel: choose a single grey-scale MRI.").format(
                name=volume.GetName(), count=image.GetNumberOfScalarComponents()))
        _refuseNonLinearTransform(volume)

    @staticmethod
    def writeScan(volume, folder) -> str:
        """Write a volume as it is, without its parent transform, into the folder; returns the file's path."""
        name = re.sub(r"[^A-Za-z0-9_-]+", "_", volume.GetName())[:60] or "scan"
        scanPath = os.path.join(folder, name + ".nrrd")
        storage = slicer.vtkMRMLVolumeArchetypeStorageNode()
        storage.SetFileName(scanPath)
        storage.SetUseCompression(0)
        if not storage.WriteData(volume):
            raise InputError(_("The volume could not be written to '{folder}': make room on that disk.").format(folder=folder))
        return scanPath

    @staticmethod
    def _writeInputs(parameterNode, boxes, folder) -> list:
        """Write scan and boxes into the folder; returns the command line's arguments."""
        scanPath = RadiomicsPersonaLogic.writeScan(parameterNode.inputVolume, folder)
        boxesPath = os.path.join(folder, "boxes.mrk.json")
        write_boxes(boxesPath, boxes)
        return [
            "analyze", scanPath,
            "--boxes", boxesPath,
            "--controls", str(parameterNode.controls),
            "--model", parameterNode.model,
            "--device", parameterNode.device,
            "--threshold", repr(parameterNode.threshold),
            "--seed", str(parameterNode.seed),
            "--json",
            "--output", os.path.join(folder, "output"),
        ]

    @staticmethod
    def _readOutput(path, inputVolume):
        """The array (axes K, J, I as in Slicer) of a result, which must be on the input's own grid."""
        voxels, affine = read_nifti_voxels(path)
        ijkToRAS = vtk.vtkMatrix4x4()
        inputVolume.GetIJKToRASMatrix(ijkToRAS)
        expected = slicer.util.arrayFromVTKMatrix(ijkToRAS)
        sameShape = voxels.shape == inputVolume.GetImageData().GetDimensions()
        if not sameShape or not np.allclose(affine, expected, rtol=1e-4, atol=1e-3):
            raise ChildFailed(f"{os.path.basename(path)} is not on the grid of the input volume.", "")
        return voxels.transpose(2, 1, 0)

    def createReconstruction(self, inputVolume):
        """The reconstruction volume, made if it is missing, with the input's voxels; and no result's provenance."""
        parameterNode = self.getParameterNode()
        if parameterNode.reconstructionVolume in (None, inputVolume):
            parameterNode.reconstructionVolume = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")
        volume = parameterNode.reconstructionVolume
        volume.SetName(_("{name} healthy persona").format(name=inputVolume.GetName()))
        array = slicer.util.arrayFromVolume(inputVolume)
        self._updateVolume(volume, inputVolume, array.astype(np.promote_types(array.dtype, np.float32)))
        self._showLikeInput(volume, inputVolume)
        self._placeBeside(volume, inputVolume)
        for name in volume.GetAttributeNames():
            if name.startswith(ATTRIBUTE_PREFIX):
                volume.RemoveAttribute(name)
        volume.SetNodeReferenceID(INPUT_VOLUME_ROLE, inputVolume.GetID())
        return volume

    @staticmethod
    def _createOutputNodes(parameterNode, inputVolume) -> None:
        """Make the outputs that are missing; an earlier output that is now the input is kept, and replaced by a new one."""
        name = inputVolume.GetName()
        if parameterNode.reconstructionVolume in (None, inputVolume):
            parameterNode.reconstructionVolume = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")
        if parameterNode.differenceVolume in (None, inputVolume):
            parameterNode.differenceVolume = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")
        if parameterNode.deviationVolume in (None, inputVolume):
            parameterNode.deviationVolume = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")
        if not parameterNode.resultTable:
            parameterNode.resultTable = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTableNode")
        if not parameterNode.scoreTable:
            parameterNode.scoreTable = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTableNode")
        if not parameterNode.scoreChart:
            parameterNode.scoreChart = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLPlotChartNode")
        parameterNode.reconstructionVolume.SetName(_("{name} healthy persona").format(name=name))
        parameterNode.differenceVolume.SetName(_("{name} difference").format(name=name))
        parameterNode.deviationVolume.SetName(_("{name} p of the difference").format(name=name))
        parameterNode.resultTable.SetName(_("{name} verdicts").format(name=name))
        parameterNode.scoreTable.SetName(_("{name} scores").format(name=name))
        parameterNode.scoreChart.SetName(_("{name} scores").format(name=name))

    @staticmethod
    def _updateVolume(volume, inputVolume, array) -> None:
        ijkToRAS = vtk.vtkMatrix4x4()
        inputVolume.GetIJKToRASMatrix(ijkToRAS)
        with slicer.util.NodeModify(volume):
            slicer.util.updateVolumeFromArray(volume, np.ascontiguousarray(array))
            volume.SetIJKToRASMatrix(ijkToRAS)
            volume.SetAndObserveTransformNodeID(inputVolume.GetTransformNodeID())
        volume.CreateDefaultDisplayNodes()

    @staticmethod
    def _showLikeInput(volume, inputVolume) -> None:
        source = inputVolume.GetDisplayNode()
        if source:
            display = volume.GetDisplayNode()
            display.SetAutoWindowLevel(False)
            display.SetWindowLevel(source.GetWindow(), source.GetLevel())
            display.SetAndObserveColorNodeID(source.GetColorNodeID())

    def _showDifference(self, volume, results) -> None:
        scale = results["provenance"]["preprocessing"]["tissue_scale"]
        reach = DIFFERENCE_RANGE_IN_DEVIATIONS * scale["deviation"]
        display = volume.GetDisplayNode()
        display.SetAutoWindowLevel(False)
        display.SetWindowLevelMinMax(-reach, reach)
        display.SetAndObserveColorNodeID(self.differenceColorNode().GetID())

    @staticmethod
    def _showDeviation(volume) -> None:
        display = volume.GetDisplayNode()
        display.SetAutoWindowLevel(False)
        display.SetWindowLevelMinMax(0, DEVIATION_P_SHOWN)
        display.SetAndObserveColorNodeID("vtkMRMLColorTableNodeInvertedGrey")

    @staticmethod
    def _updateScores(parameterNode, results) -> None:
        """The scores behind the verdicts as a bar plot: a series per box, the first box's most unusual score first."""
        boxes = [box for box in results["boxes"] if box["scores"]]
        scores = boxes[0]["scores"] if boxes else {}
        keys = sorted((key for key in scores if scores[key]["z"] is not None), key=lambda key: -scores[key]["z"])
        table = vtk.vtkTable()
        names, places = vtk.vtkStringArray(), vtk.vtkDoubleArray()
        names.SetName("score")
        places.SetName("place")
        for place, key in enumerate(keys, start=1):
            names.InsertNextValue(scores[key]["name"])
            places.InsertNextValue(place)
        table.AddColumn(names)
        table.AddColumn(places)
        for box in boxes:
            column = vtk.vtkDoubleArray()
            column.SetName(box["name"])
            for key in keys:
                value = box["scores"][key]["z"]
                column.InsertNextValue(float("nan") if value is None else value)
            table.AddColumn(column)
        with slicer.util.NodeModify(parameterNode.scoreTable):
            parameterNode.scoreTable.SetAndObserveTable(table)
        chart = parameterNode.scoreChart
        series = [chart.GetNthPlotSeriesNode(n) for n in range(chart.GetNumberOfPlotSeriesNodes())]
        chart.RemoveAllPlotSeriesNodeIDs()
        for node in series:
            slicer.mrmlScene.RemoveNode(node)
        for box in boxes:
            node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLPlotSeriesNode", box["name"])
            node.SetAndObserveTableNodeID(parameterNode.scoreTable.GetID())
            node.SetPlotType(node.PlotTypeBar)
            node.SetXColumnName("place")
            node.SetYColumnName(box["name"])
            node.SetLabelColumnName("score")
            node.SetColor(*(part / 255 for part in VERDICT_COLORS[WORDS[box["label"]]]))
            chart.AddAndObservePlotSeriesNodeID(node.GetID())
        chart.SetTitle(_("What stands out"))
        chart.SetXAxisTitle(_("score"))
        chart.SetYAxisTitle(_("robust SD of the healthy boxes"))

    @staticmethod
    def _updateTable(tableNode, results) -> None:
        boxes = results["boxes"]
        words = {0: _("healthy (0)"), 1: _("pathological (1)"), None: _("undetermined")}
        table = vtk.vtkTable()
        units = {}

        def addText(name, values):
            column = vtk.vtkStringArray()
            column.SetName(name)
            for value in values:
                column.InsertNextValue(value)
            table.AddColumn(column)

        def addNumbers(name, values, unit=""):
            column = vtk.vtkDoubleArray()
            column.SetName(name)
            for value in values:
                column.InsertNextValue(float("nan") if value is None else value)
            table.AddColumn(column)
            units[name] = unit

        addText("box", [box["name"] for box in boxes])
        addText("verdict", [words[box["label"]] for box in boxes])
        addNumbers("label", [box["label"] for box in boxes])
        addNumbers("p", [box["p"] for box in boxes])
        addNumbers("percentile", [box["percentile"] for box in boxes], "%")
        addNumbers("q", [box["q"] for box in boxes])
        addNumbers("probability", [box["probability"] for box in boxes])
        addNumbers("controls", [box["n_controls"] for box in boxes])
        addNumbers("voxels", [box["voxels"] for box in boxes])
        for axis, letter in enumerate("RAS"):
            addNumbers(f"center {letter}", [box["center_ras"][axis] for box in boxes], "mm")
        for axis in range(3):
            addNumbers(f"size {axis + 1}", [box["size_mm"][axis] for box in boxes], "mm")
        for key in dict.fromkeys(key for box in boxes for key in box["metrics"]):
            addNumbers(key, [box["metrics"].get(key) for box in boxes])
        addText("reason", [box["reason"] for box in boxes])
        addText("warnings", ["\n".join(box["warnings"]) for box in boxes])

        with slicer.util.NodeModify(tableNode):
            tableNode.SetAndObserveTable(table)
            for name, unit in units.items():
                tableNode.SetColumnUnitLabel(name, unit)

    @staticmethod
    def _recordProvenance(node, inputVolume, results) -> None:
        """Keep with the node how it came about, so that it is saved with the scene."""
        geometry = ("name", "center_ras", "size_mm", "axes", "voxels", "label", "p")
        record = {
            "provenance": results["provenance"],
            "rebuilt_by": results["rebuilt_by"],
            "decision": results["decision"],
            "warnings": results["warnings"],
            "boxes": [{key: box[key] for key in geometry} for box in results["boxes"]],
        }
        for key, value in record.items():
            node.SetAttribute(ATTRIBUTE_PREFIX + key, json.dumps(value))
        node.SetNodeReferenceID(INPUT_VOLUME_ROLE, inputVolume.GetID())

    @staticmethod
    def _placeBeside(node, inputVolume) -> None:
        """Put the node where the input is in the subject hierarchy (study, folder)."""
        hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
        item, inputItem = hierarchy.GetItemByDataNode(node), hierarchy.GetItemByDataNode(inputVolume)
        if item and inputItem:
            hierarchy.SetItemParent(item, hierarchy.GetItemParent(inputItem))


class LiveTwin:
    """The healthy persona of a box while it is dragged: in the reconstruction volume, and without any numbers.

    Only the box's voxels are touched from one step to the next. The worker drops steps that it cannot keep up with.

    boxName - The name of the ROI whose twin is shown.
    isNew - Whether the latest `take` had to make the reconstruction volume.
    """

    def __init__(self, logic) -> None:
        self._logic = logic
        self._folder = None
        self._scanState = None
        self._asked = {}
        self._volume = None
        self._covered = None
        self.boxName = ""
        self.isNew = False

    @property
    def waiting(self) -> bool:
        """Whether an answer is still to come."""
        return bool(self._asked)

    def ask(self, roi) -> None:
        """Ask for the twin of an ROI, without looking into it or any other chosen one; returns at once.

        :raises InputError: the volume or an ROI cannot be used.
        :raises ChildFailed: the worker cannot be started.
        """
        parameterNode = self._logic.getParameterNode()
        inputVolume = parameterNode.inputVolume
        self._logic._checkVolume(inputVolume)
        others = [other for other in parameterNode.inputROIs if other and other is not roi]
        boxes = [self._logic.boxFromROI(node, inputVolume) for node in (roi, *others)]
        state = self._stateOf(inputVolume)
        if state != self._scanState:
            self.stop()
            self._folder = tempfile.TemporaryDirectory(prefix="RadiomicsPersona-", ignore_cleanup_errors=True)
            self._scan = self._logic.writeScan(inputVolume, self._folder.name)
            self._scanState = state
        path = os.path.join(self._folder.name, f"twin {time.monotonic_ns()}.npz")
        number = self._logic.worker.send({
            "kind": "twin",
            "scan": self._scan,
            "boxes": [{"center": box.center.tolist(), "size": box.size.tolist(), "axes": box.axes.tolist(), "name": box.name}
                      for box in boxes],
            "model": parameterNode.model,
            "device": parameterNode.device,
            "output": path,
        })
        self._asked[number] = (path, inputVolume, roi.GetName())

    def take(self) -> bool:
        """Put the newest twin that came in into the reconstruction volume; returns whether there was one.

        :raises InputError: the worker refused the box; no twin is shown.
        :raises ChildFailed: the worker crashed.
        :raises Cancelled: the worker was ended.
        """
        newest = None
        for number, (path, inputVolume, name) in list(self._asked.items()):
            try:
                final = [answer for answer in self._logic.worker.answers(number, ANSWER_WAIT_SECONDS) if FINAL & set(answer)]
            except (ChildFailed, Cancelled):
                self._asked.clear()
                raise
            for answer in final:
                del self._asked[number]
                if "done" in answer:
                    newest = (answer["done"], self._read(path), inputVolume, name)
                elif "dropped" not in answer:
                    self._uncover()
                    raise_if_ended_badly(answer)
        if newest:
            self._show(*newest)
        return bool(newest)

    def forget(self) -> None:
        """The reconstruction volume holds something else now."""
        self._volume = self._covered = None

    def stop(self) -> None:
        """Let go of the files; what is on its way is not waited for."""
        self._asked.clear()
        self.forget()
        self._scanState = None
        if self._folder:
            self._folder.cleanup()
            self._folder = None

    @staticmethod
    def _read(path) -> tuple:
        """The arrays of an answer, axes K, J, I as in Slicer; their file is no longer needed."""
        with np.load(path) as arrays:
            values, mask = (arrays[key].transpose(2, 1, 0) for key in ("values", "mask"))
        os.remove(path)
        return values, mask

    def _show(self, done, arrays, inputVolume, name) -> None:
        values, mask = arrays
        if not slicer.mrmlScene.IsNodePresent(inputVolume):
            return
        self.isNew = self._logic.getParameterNode().reconstructionVolume in (None, inputVolume)
        if self._volume is None or not slicer.mrmlScene.IsNodePresent(self._volume):
            self._volume, self._covered = self._logic.createReconstruction(inputVolume), None
        self._uncover()
        first = done["start"][::-1]
        region = tuple(slice(low, low + size) for low, size in zip(first, values.shape))
        part = slicer.util.arrayFromVolume(self._volume)[region]
        self._covered = (region, mask, part[mask])
        part[mask] = values[mask]
        slicer.util.arrayFromVolumeModified(self._volume)
        self.boxName = name

    def _uncover(self) -> None:
        """Give the voxels of the latest twin back what they were."""
        if self._covered and slicer.mrmlScene.IsNodePresent(self._volume):
            region, mask, values = self._covered
            slicer.util.arrayFromVolume(self._volume)[region][mask] = values
            slicer.util.arrayFromVolumeModified(self._volume)
        self._covered = None

    @staticmethod
    def _stateOf(volume) -> tuple:
        """What changes when a volume's name, voxels or grid do."""
        ijkToRAS = vtk.vtkMatrix4x4()
        volume.GetIJKToRASMatrix(ijkToRAS)
        matrix = slicer.util.arrayFromVTKMatrix(ijkToRAS)
        return volume.GetID(), volume.GetName(), volume.GetImageData().GetMTime(), matrix.tobytes()


def _matrixToWorld(node):
    """The node's parent transform, which must be linear, as a 4x4 array."""
    matrix = vtk.vtkMatrix4x4()
    slicer.vtkMRMLTransformNode.GetMatrixTransformBetweenNodes(node.GetParentTransformNode(), None, matrix)
    return slicer.util.arrayFromVTKMatrix(matrix)


def _isSheared(matrix) -> bool:
    """Whether the columns of a 4x4 matrix are no longer perpendicular."""
    axes = matrix[:3, :3] / np.linalg.norm(matrix[:3, :3], axis=0)
    return not np.allclose(axes.T @ axes, np.eye(3), atol=1e-4)


def _refuseNonLinearTransform(node) -> None:
    transform = node.GetParentTransformNode()
    if transform and not transform.IsTransformToWorldLinear():
        raise InputError(_(
            "'{name}' is under the non-linear transform '{transform}': harden the transform first "
            "(right-click '{name}' in the Data module, Harden transform)."
        ).format(name=node.GetName(), transform=transform.GetName()))


#
# RadiomicsPersonaTest
#


class RadiomicsPersonaTest(ScriptedLoadableModuleTest):
    """
    What can be checked inside Slicer in a second, without packages and downloads; the whole analysis is tested by the
    suite in the Testing folder.
    Uses ScriptedLoadableModuleTest base class, available at:
    https://github.com/Slicer/Slicer/blob/main/Base/Python/slicer/ScriptedLoadableModule.py
    """

    def setUp(self):
        """Reset the state by clearing the scene."""
        slicer.mrmlScene.Clear()

    def runTest(self, **kwargs):
        """Run every test."""
        for test in (self.test_boxFollowsTransforms, self.test_nonLinearTransformIsRefused):
            self.setUp()
            test()
        self.delayDisplay("Test passed")

    def makeInputs(self):
        """A small volume and an ROI on it."""
        volume = slicer.util.addVolumeFromArray(np.arange(1000, dtype=np.int16).reshape(10, 10, 10))
        roi = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsROINode", "R")
        roi.SetXYZ(4, 5, 6)
        roi.SetSize(2, 3, 4)
        return volume, roi

    def test_boxFollowsTransforms(self):
        """An ROI under a transform is the box that is shown; a volume under the same transform cancels it."""
        volume, roi = self.makeInputs()
        matrix = vtk.vtkMatrix4x4()
        matrix.SetElement(0, 3, 10)
        matrix.SetElement(1, 1, 2)
        transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
        transform.SetMatrixTransformToParent(matrix)
        roi.SetAndObserveTransformNodeID(transform.GetID())
        box = RadiomicsPersonaLogic.boxFromROI(roi, volume)
        np.testing.assert_allclose(box.center, [14, 10, 6])
        np.testing.assert_allclose(box.size, [2, 6, 4])
        volume.SetAndObserveTransformNodeID(transform.GetID())
        box = RadiomicsPersonaLogic.boxFromROI(roi, volume)
        np.testing.assert_allclose(box.center, [4, 5, 6])
        np.testing.assert_allclose(box.size, [2, 3, 4])

    def test_nonLinearTransformIsRefused(self):
        """A non-linear transform is refused with the remedy."""
        volume, roi = self.makeInputs()
        transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLBSplineTransformNode")
        transform.SetAndObserveTransformToParent(vtk.vtkThinPlateSplineTransform())
        roi.SetAndObserveTransformNodeID(transform.GetID())
        with self.assertRaisesRegex(InputError, "harden"):
            RadiomicsPersonaLogic.boxFromROI(roi, volume)
