"""RadiomicsPersona in 3D Slicer: nodes in, nodes out; everything is computed in a worker process.

Nothing here computes anything about the image. The scientific code is in RadiomicsPersonaLib, of which this process
imports only what needs the standard library and numpy.
"""

import html
import json
import logging
import os
import re
import sys
import tempfile
import time
from typing import Annotated

import numpy as np
import qt
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

from RadiomicsPersonaLib.card import model_cards, read_card, text_of_card
from RadiomicsPersonaLib.child import Cancelled, Child, child_environment, ChildFailed
from RadiomicsPersonaLib.colors import VERDICT_COLORS
from RadiomicsPersonaLib.defaults import CLASSICAL, DEFAULT_MODEL, USUAL_CONTROLS, USUAL_THRESHOLDS
from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.markups import write_boxes
from RadiomicsPersonaLib.metric import METRICS
from RadiomicsPersonaLib.nifti_voxels import read_nifti_voxels
from RadiomicsPersonaNodes import live_twin, origin, roi as roi_nodes, table as table_nodes, view as view_nodes, volume as volume_nodes
from RadiomicsPersonaNodes.origin import ATTRIBUTE_PREFIX, INPUT_VOLUME_ROLE


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
        self.parent.dependencies = ["Colors", "Markups", "Plots", "Segmentations", "Tables", "Volumes"]
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
    decision - What the label rests on: "p", "classifier", or the key of a metric.
    threshold - Where the label changes; in the decision's own unit, for example the p-value at or below which a box is
        called pathological.
    device - Where the model computes; "auto" takes a graphics card if there is one.
    seed - The seed of everything random; the same inputs and seed give the same numbers.
    reconstructionVolume - The input volume with every box replaced by its healthy persona.
    differenceVolume - The input volume minus the reconstruction, in tissue SD.
    deviationVolume - How unusual every voxel's difference is among the healthy boxes, as a p-value.
    scoreTable, scoreChart - The scores behind the verdicts as a bar plot.
    standingTable, standingChart - Every box's combined score among those of its healthy boxes as a scatter plot.
    resultTable - One row per box: verdict, p-value, and the comparison's measures.
    shown - What lies over the scan in the slice views: "nothing", or one of the three result volumes.
    fade - Its opacity in percent.
    showControls - Whether the healthy boxes are in the scene as ROIs.
    nameScan - Whether a report names the scan and the patient.
    """

    inputVolume: vtkMRMLScalarVolumeNode | None
    inputROIs: list[vtkMRMLMarkupsROINode]
    model: str = "auto"
    controls: Annotated[int, WithinRange(0, 500)] = USUAL_CONTROLS
    decision: Annotated[str, Choice([*USUAL_THRESHOLDS, *METRICS])] = "p"
    threshold: Annotated[float, WithinRange(-100000.0, 100000.0)] = USUAL_THRESHOLDS["p"]
    device: Annotated[str, Choice(["auto", "cpu", "cuda", "mps"])] = "auto"
    seed: Annotated[int, WithinRange(0, 99999)] = 0
    reconstructionVolume: vtkMRMLScalarVolumeNode | None
    differenceVolume: vtkMRMLScalarVolumeNode | None
    deviationVolume: vtkMRMLScalarVolumeNode | None
    scoreTable: vtkMRMLTableNode | None
    scoreChart: vtkMRMLPlotChartNode | None
    standingTable: vtkMRMLTableNode | None
    standingChart: vtkMRMLPlotChartNode | None
    resultTable: vtkMRMLTableNode | None
    shown: Annotated[str, Choice(["nothing", "reconstruction", "difference", "deviation"])] = "nothing"
    fade: Annotated[int, WithinRange(0, 100)] = 100
    showControls: bool = False
    nameScan: bool = False


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
        self._followedROIs = []
        self._movedROI = None
        self._draggedROI = None
        self._applyAgain = False
        self._following = False
        self._updatingModels = False
        self._observedROIs = []
        self._observedDisplay = None
        self._shownState = None
        self._shownResults = None
        self._controlsShown = None
        self._overlay = view_nodes.Overlay()
        self._arrangement = view_nodes.Arrangement()
        self._flickerShortcut = None
        self._cardDialog = None

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
        self.ui.newBoxButton.clicked.connect(self.onNewBoxButton)
        self.ui.modelComboBox.currentIndexChanged.connect(self.onModelChosen)
        self.ui.modelCardButton.clicked.connect(self.onModelCardButton)
        self.ui.decisionComboBox.activated.connect(self.onDecisionChosen)
        self.ui.applyButton.clicked.connect(self.onApplyButton)
        self.ui.liveTwinCheckBox.toggled.connect(self.onLiveTwinToggled)
        self.ui.flickerButton.clicked.connect(self.onFlicker)
        self.ui.sideBySideButton.toggled.connect(self.onSideBySideButton)
        self.ui.showScoresButton.toggled.connect(self.onShowScoresButton)
        self.ui.showStandingButton.toggled.connect(self.onShowStandingButton)
        self.ui.copyButton.clicked.connect(self.onCopyButton)
        self.ui.exportButton.clicked.connect(self.onExportButton)
        self.ui.reportButton.clicked.connect(self.onReportButton)
        self._segmentMenu, self._mirrorMenu = qt.QMenu(uiWidget), qt.QMenu(uiWidget)
        self.ui.segmentButton.setMenu(self._segmentMenu)
        self.ui.mirrorButton.setMenu(self._mirrorMenu)
        self._segmentMenu.aboutToShow.connect(self.fillSegmentMenu)
        self._mirrorMenu.aboutToShow.connect(self.fillMirrorMenu)
        # beside Slicer's own T, which does the same in the one view under the mouse
        self._flickerShortcut = qt.QShortcut(qt.QKeySequence("Q"), uiWidget.window())
        self._flickerShortcut.activated.connect(self.onFlicker)

        self.initializeParameterNode()

    def cleanup(self) -> None:
        """Called when the application closes and the module widget is destroyed."""
        self._cancelRequested = True
        self.setParameterNode(None)
        self.removeObservers()
        if self._flickerShortcut:
            self._flickerShortcut.deleteLater()
            self._flickerShortcut = None
        self._following = False
        self.logic.close()

    def enter(self) -> None:
        """Called each time the user opens this module."""
        self.initializeParameterNode()
        self._flickerShortcut.enabled = True

    def exit(self) -> None:
        """Called each time the user opens a different module."""
        self._flickerShortcut.enabled = False
        self.setParameterNode(None)

    def onSceneStartClose(self, caller, event) -> None:
        """Called just before the scene is closed."""
        self._cancelRequested = True
        self._overlay.forget()
        self._arrangement.give_back()
        self._releaseToggles()
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
            self._nameChoices()
            # what a scene shows when it is opened is the user's own
            self._shownState, self._shownResults, self._controlsShown = self._stateOfViews(), None, self._parameterNode.showControls
            self._overlay.adopt(*self._shownState)
            self.addObserver(self._parameterNode, vtk.vtkCommand.ModifiedEvent, self.parameterNodeModified)
        self.parameterNodeModified()

    def parameterNodeModified(self, caller=None, event=None) -> None:
        """Bring what the connections of the .ui file do not cover up to date: ROIs, model, Apply, views, results."""
        if self._parameterNode:
            self._checkROIs(self._parameterNode.inputROIs)
            self._showModel()
            self._limitThreshold()
        notes = self.logic.scanNotes(self._parameterNode.inputVolume) if self._parameterNode else []
        self._say(self.ui.scanNoteLabel, "\n".join(f"\u26a0 {note}" for note in notes))
        self._followROIs()
        self._updateApplyButton()
        self._updateControls()
        self._updateViews()
        self._observeResults()
        self.showResults()

    #
    # Inputs
    #

    def onCheckedROIsChanged(self) -> None:
        """Called when the user checks or unchecks an ROI."""
        if self._parameterNode and not self._updatingROIs:
            self._parameterNode.inputROIs = list(self.ui.inputROIsSelector.checkedNodes())

    def onNewBoxButton(self) -> None:
        """Let the user place a new box with two clicks in a view."""
        roi = roi_nodes.start_placing(_("box"))
        self._parameterNode.inputROIs = [*(node for node in self._parameterNode.inputROIs if node), roi]
        self._status(_("Click the middle of the region in a slice view, then drag the handles of '{name}'.").format(name=roi.GetName()))

    def fillSegmentMenu(self) -> None:
        """Offer every segment of the scene."""
        choices = [(text, lambda checked=False, s=node, k=key: self.onBoxAroundSegment(s, k)) for node, key, text in roi_nodes.segments()]
        self._fillMenu(self._segmentMenu, choices, _("There is no segment: draw one in the Segment Editor"))

    def fillMirrorMenu(self) -> None:
        """Offer every box."""
        rois = [roi for roi in slicer.util.getNodesByClass("vtkMRMLMarkupsROINode") if not roi.GetAttribute(roi_nodes.CONTROL_OF)]
        choices = [(roi.GetName(), lambda checked=False, r=roi: self.onMirrorBox(r)) for roi in rois]
        self._fillMenu(self._mirrorMenu, choices, _("There is no box: place one first"))

    def onBoxAroundSegment(self, segmentation, segmentID) -> None:
        """Draw a box around a segment."""
        try:
            roi = self.logic.addBoxAroundSegment(segmentation, segmentID)
        except InputError as error:
            self._status(str(error))
            return
        self._status(_("'{name}' lies around the segment.").format(name=roi.GetName()))

    def onMirrorBox(self, roi) -> None:
        """Draw a box on the other side of the head."""
        try:
            mirrored, byMidplane = self.logic.addMirroredBox(roi)
        except InputError as error:
            self._status(str(error))
            return
        if byMidplane:
            self._status(_("'{name}' is mirrored at the midplane that the analysis found.").format(name=mirrored.GetName()))
        else:
            self._status(_(
                "'{name}' is mirrored at the middle of the volume, since this scan has not been analyzed yet: check its place."
            ).format(name=mirrored.GetName()))

    def onModelChosen(self, index) -> None:
        """Called when the user chooses a model."""
        if self._parameterNode and not self._updatingModels:
            self._parameterNode.model = self.ui.modelComboBox.itemData(index)

    def onModelCardButton(self) -> None:
        """Show what is known of the chosen model."""
        try:
            text = self.logic.cardText(self._parameterNode.model)
        except InputError as error:
            self._status(str(error))
            return
        self._cardDialog = qt.QDialog(self.ui.modelCardButton.window())
        self._cardDialog.windowTitle = _("Model card")
        browser = qt.QTextBrowser()
        browser.accessibleName = _("Model card")
        browser.setPlainText(text)
        buttons = qt.QDialogButtonBox()
        buttons.setStandardButtons(qt.QDialogButtonBox.Close)
        buttons.rejected.connect(self._cardDialog.reject)
        layout = qt.QVBoxLayout(self._cardDialog)
        layout.addWidget(browser)
        layout.addWidget(buttons)
        self._cardDialog.resize(640, 560)
        self._cardDialog.show()

    def onDecisionChosen(self, index) -> None:
        """Called when the user chooses what the label rests on: begin with the threshold that is usual for it."""
        threshold = self.logic.usualThreshold(self._parameterNode.decision)
        if threshold is not None:
            self._parameterNode.threshold = float(f"{threshold:.3g}")
        else:
            self._status(_("Enter the value of {metric} at which a box counts as pathological.").format(
                metric=METRICS[self._parameterNode.decision].label))

    #
    # Run
    #

    def onApplyButton(self) -> None:
        """Run the analysis when the user clicks "Apply", end it when the button says "Cancel"."""
        if self._running:
            self._cancelRequested = True
            return
        self._running, self._cancelRequested, self._startTime = True, False, time.monotonic()
        self._updateApplyButton()
        self.ui.progressBar.visible = True
        self.ui.progressBar.maximum = 0
        self._status(_("Starting the analysis..."))
        try:
            self.logic.apply(self.onProgress)
            self._status(_("Done."))
            self.showReconstruction()
        except Cancelled:
            self._status(_("Cancelled; nothing was changed."))
        except (InputError, ChildFailed) as error:
            self._status(str(error))
        except Exception as error:
            self._status(_("The analysis failed unexpectedly ({error}); the Python console tells more.").format(error=error))
            raise
        finally:
            self._running = False
            self.ui.progressBar.visible = False
            self._shownResults = None
            self.parameterNodeModified()
            if self._applyAgain:
                self._applyAfterDrag()

    def onProgress(self, line: str) -> bool:
        """Show the newest message of the analysis and keep the window alive; returns False to end the analysis.

        A line with "12/80" or "12 of 80" in it moves the bar and tells the time left.
        """
        activity = line or _("Starting the analysis...")
        seconds = time.monotonic() - self._startTime
        counted = re.search(r"(\d+) ?(?:/|of) ?(\d+)", line)
        done, total = (int(number) for number in counted.groups()) if counted else (0, 0)
        self.ui.progressBar.maximum = total
        self.ui.progressBar.value = done
        if 0 < done < total:
            text = _("{activity} ({seconds} s, about {left} s left)").format(
                activity=activity, seconds=int(seconds), left=max(1, round(seconds / done * (total - done))))
        else:
            text = _("{activity} ({seconds} s)").format(activity=activity, seconds=int(seconds))
        self._status(text)
        slicer.app.processEvents()
        return not self._cancelRequested

    #
    # Live twin
    #

    def onLiveTwinToggled(self, checked: bool) -> None:
        """Follow the boxes with their healthy persona, or no longer."""
        self._followROIs()
        if not checked:
            self._following = False
            self.logic.liveTwin.stop()
            return
        try:
            self.logic.worker.start()  # so that the first step finds it ready
        except ChildFailed as error:
            self._status(str(error))
        if self._followedROIs and not self._parameterNode.reconstructionVolume:
            self.onROIMoved(self._followedROIs[0])
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
                self._status(_("Live twin of '{name}'; the numbers follow when you let go.").format(name=live.box_name))
                if live.is_new:
                    self.showReconstruction()
        except Cancelled:
            self._movedROI = self._movedROI or roi or self._draggedROI  # the worker was ended: the next one knows nothing of it
        except (InputError, ChildFailed) as error:
            self._status(str(error))
        finally:
            self._following = bool(self._movedROI or live.waiting)
            if self._following:
                self._followSoon()

    def _followSoon(self) -> None:
        qt.QTimer.singleShot(LIVE_INTERVAL_MS, self.onLiveTimer)

    def _applyAfterDrag(self) -> None:
        """Apply as soon as the event that asks for it, or the run that it ends, is over."""
        self._applyAgain = self._running
        if not self._running:
            qt.QTimer.singleShot(0, self._applyIfReady)

    def _applyIfReady(self) -> None:
        if not self._running and self.ui.applyButton.enabled and self.ui.liveTwinCheckBox.checked:
            self.onApplyButton()

    def _followROIs(self) -> None:
        """Observe the chosen boxes while the live twin is on, and no others."""
        wanted = [roi for roi in self._parameterNode.inputROIs if roi] if self._parameterNode else []
        wanted = wanted if self.ui.liveTwinCheckBox.checked else []
        changes = ((slicer.vtkMRMLMarkupsNode.PointModifiedEvent, self.onROIMoved),
                   (slicer.vtkMRMLTransformableNode.TransformModifiedEvent, self.onROIMoved),
                   (slicer.vtkMRMLMarkupsNode.PointEndInteractionEvent, self.onROIReleased))
        for event, method in changes:
            for roi in self._followedROIs:
                if roi not in wanted:
                    self.removeObserver(roi, event, method)
            for roi in wanted:
                if roi not in self._followedROIs:
                    self.addObserver(roi, event, method)
        self._followedROIs = wanted

    #
    # Views
    #

    def showReconstruction(self) -> None:
        """Lay the healthy persona over the scan in the slice views, unless the user wants another result there."""
        parameterNode = self.logic.getParameterNode()
        if parameterNode.shown == "nothing":
            parameterNode.shown = "reconstruction"
        self._shownState = None
        self._updateViews()

    def onFlicker(self) -> None:
        """Take what lies over the scan away, or lay it back."""
        self._overlay.flicker()

    def onSideBySideButton(self, checked) -> None:
        """Show the scan and the scan with the result over it beside each other, or the user's own layout again."""
        if not checked:
            self._arrangement.give_back()
            return
        self._releaseToggles(self.ui.sideBySideButton)
        if self._parameterNode.shown == "nothing":
            self._parameterNode.shown = "reconstruction"
        rois = self.logic.analyzedROIs()
        center = np.zeros(3)
        if rois:
            rois[0].GetCenterWorld(center)
        view_nodes.side_by_side(self._arrangement, self._overlay.scan, self._overlay.volume,
                                self._parameterNode.fade / 100, center if rois else None)

    def onShowScoresButton(self, checked) -> None:
        """Show the plot of scores in a layout that has room for one, or the user's own layout again."""
        self._toggleChart(self.ui.showScoresButton, checked, "scoreChart")

    def onShowStandingButton(self, checked) -> None:
        """Show where the boxes stand among their healthy boxes, or the user's own layout again."""
        self._toggleChart(self.ui.showStandingButton, checked, "standingChart")

    def onScanDisplayModified(self, caller=None, event=None) -> None:
        """Called when the user changes the scan's window: outside the boxes the persona must look the same."""
        if self._parameterNode and self._parameterNode.reconstructionVolume and self._observedDisplay:
            volume_nodes.show_like(self._parameterNode.reconstructionVolume, self._observedDisplay.GetDisplayableNode())

    def onAnalyzedROIModified(self, caller=None, event=None) -> None:
        """Called when the user moves or renames an analyzed box: a verdict belongs to one place."""
        if self._parameterNode and not self._running:
            self._shownResults = None
            self.showResults()

    #
    # Results
    #

    def showResults(self) -> None:
        """Show what the result table holds."""
        tableNode = self._parameterNode.resultTable if self._parameterNode else None
        state = (tableNode.GetID(), tableNode.GetMTime()) if tableNode else None
        if state == self._shownResults and state:
            return
        moved = self.logic.markROIs() if tableNode else []
        self._shownResults = state
        self.ui.resultTableView.setMRMLTableNode(tableNode)
        verdicts = self.logic.verdictsByBox(tableNode) if tableNode else []
        notes = [_("'{name}' has been moved since: apply again for its verdict.").format(name=name) for name in moved]
        notes += (self.logic.notes(tableNode) + self.logic.differencesFromInstalled()) if tableNode else []
        self.ui.verdictLabel.text = "".join(_verdictHtml(*verdict, verdict[0] in moved) for verdict in verdicts)
        self._say(self.ui.notesLabel, "\n".join(notes))
        self._fillBoxTable(tableNode)
        self.ui.resultsCollapsibleButton.enabled = bool(tableNode)
        self.ui.reportButton.enabled = bool(origin.results_in(tableNode))
        self.ui.showScoresButton.enabled = bool(self._parameterNode and self._parameterNode.scoreChart)
        self.ui.showStandingButton.enabled = bool(self._parameterNode and self._parameterNode.standingChart)

    def onCopyButton(self) -> None:
        """Copy the whole table, for a spreadsheet."""
        slicer.app.clipboard().setText(table_nodes.text_of(self._parameterNode.resultTable, "\t"))
        self._status(_("The table is on the clipboard."))

    def onExportButton(self) -> None:
        """Write the whole table as a CSV file."""
        path = self.askForPath(_("Export the table"), "RadiomicsPersona.csv", _("Table (*.csv)"))
        if path:
            self._write(path, table_nodes.text_of(self._parameterNode.resultTable, ","))

    def onReportButton(self) -> None:
        """Write the report, HTML and PDF, beside each other."""
        folder = self.askForFolder(_("Folder for the report"))
        if not folder:
            return
        scan = self._parameterNode.resultTable.GetNodeReference(INPUT_VOLUME_ROLE)
        name = self.logic.identityOf(scan) if scan and self._parameterNode.nameScan else None
        self._status(_("Writing the report..."))
        self.ui.reportButton.enabled = False
        try:
            paths = self.logic.writeReport(folder, name, lambda line: not slicer.app.processEvents())
            self._status(_("Written: {paths}").format(paths=", ".join(paths)))
        except (InputError, ChildFailed) as error:
            self._status(str(error))
        finally:
            self.ui.reportButton.enabled = True

    def askForFolder(self, title) -> str:
        """The folder that the user chooses, or an empty text."""
        return qt.QFileDialog.getExistingDirectory(self.ui.reportButton.window(), title)

    def askForPath(self, title, name, kinds) -> str:
        """The file that the user wants to write, or an empty text."""
        path = qt.QFileDialog.getSaveFileName(self.ui.exportButton.window(), title, name, kinds)
        return path if isinstance(path, str) else path[0]

    #
    # Helpers
    #

    def _status(self, text: str) -> None:
        self.ui.statusLabel.text = text

    @staticmethod
    def _say(label, text: str) -> None:
        """Show a note, or no empty line where there is none."""
        label.text = text
        label.visible = bool(text)

    @staticmethod
    def _fillMenu(menu, choices, nothing: str) -> None:
        menu.clear()
        for text, function in choices:
            # a name may hold what Qt takes for a mnemonic
            menu.addAction(text.replace("&", "&&")).triggered.connect(function)
        if not choices:
            menu.addAction(nothing).enabled = False

    def _nameChoices(self) -> None:
        """Words instead of keys; the connections of the .ui file go by the position in the list."""
        words = [_("p-value among healthy boxes"), _("probability by the classifier"), *(metric.label for metric in METRICS.values())]
        for index, text in enumerate(words):
            self.ui.decisionComboBox.setItemText(index, text)
        for index, text in enumerate((_("nothing"), _("healthy persona"), _("difference, in SD"), _("p of the difference"))):
            self.ui.shownComboBox.setItemText(index, text)
        for index, text in enumerate((_("automatic"), _("processor (CPU)"), _("graphics card (CUDA)"), _("graphics card (Apple)"))):
            self.ui.deviceComboBox.setItemText(index, text)
        self._updatingModels = True
        try:
            self.ui.modelComboBox.clear()
            for name, text in self.logic.models():
                self.ui.modelComboBox.addItem(text, name)
        except InputError as error:
            self._status(str(error))
        finally:
            self._updatingModels = False

    def _showModel(self) -> None:
        combo, model = self.ui.modelComboBox, self._parameterNode.model
        self._updatingModels = True
        try:
            if combo.findData(model) < 0:
                combo.addItem(_("{name} (not installed here)").format(name=model), model)
            combo.currentIndex = combo.findData(model)
        finally:
            self._updatingModels = False

    def _limitThreshold(self) -> None:
        spinBox = self.ui.thresholdSpinBox
        if self._parameterNode.decision in USUAL_THRESHOLDS:
            spinBox.setRange(0.001, 0.999)
            spinBox.singleStep = 0.01
        else:
            spinBox.setRange(-100000.0, 100000.0)
            spinBox.singleStep = 0.1

    def _checkROIs(self, rois) -> None:
        wanted = {roi.GetID() for roi in rois if roi}
        selector = self.ui.inputROIsSelector
        self._updatingROIs = True
        try:
            selector.sortFilterProxyModel().hiddenNodeIDs = [roi.GetID() for roi in roi_nodes.control_rois()]
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

    def _updateControls(self) -> None:
        if self._parameterNode and self._parameterNode.showControls != self._controlsShown:
            self._controlsShown = self._parameterNode.showControls
            self.logic.showControls(self._controlsShown)
            self._checkROIs(self._parameterNode.inputROIs)

    def _stateOfViews(self):
        """What the parameter node wants over the scan: the scan, the volume, and the opacity."""
        parameterNode = self._parameterNode
        nodes = {"reconstruction": parameterNode.reconstructionVolume, "difference": parameterNode.differenceVolume,
                 "deviation": parameterNode.deviationVolume}
        volume = nodes.get(parameterNode.shown)
        scan = volume.GetNodeReference(INPUT_VOLUME_ROLE) if volume else None
        return (scan, volume, parameterNode.fade / 100) if scan else (None, None, parameterNode.fade / 100)

    def _updateViews(self) -> None:
        """Lay the wanted result over the scan; the views are touched only when the wish has changed."""
        has = bool(self._parameterNode and self._parameterNode.reconstructionVolume)
        for widget in (self.ui.shownComboBox, self.ui.fadeSlider, self.ui.flickerButton, self.ui.sideBySideButton,
                       self.ui.showControlsCheckBox):
            widget.enabled = has
        if not self._parameterNode:
            return
        state = self._stateOfViews()
        if state == self._shownState:
            return
        scan, volume, opacity = self._shownState = state
        if not volume:
            self._overlay.hide()
        elif self._overlay.volume is volume and self._overlay.scan is scan:
            self._overlay.fade(opacity)
        else:
            self._overlay.show(scan, volume, opacity)

    def _toggleChart(self, button, checked, name) -> None:
        if not checked:
            self._arrangement.give_back()
            return
        self._releaseToggles(button)
        view_nodes.show_chart(self._arrangement, getattr(self._parameterNode, name))

    def _releaseToggles(self, kept=None) -> None:
        """Let the other buttons of this row go, whose layout is about to be replaced."""
        for button in (self.ui.sideBySideButton, self.ui.showScoresButton, self.ui.showStandingButton):
            if button is not kept and button.checked:
                button.blockSignals(True)
                button.checked = False
                button.blockSignals(False)

    def _observeResults(self) -> None:
        """Follow the analyzed boxes and the scan's window for as long as there are results."""
        rois = self.logic.analyzedROIs() if self._parameterNode else []
        events = (vtk.vtkCommand.ModifiedEvent, slicer.vtkMRMLTransformableNode.TransformModifiedEvent)
        for roi in [roi for roi in self._observedROIs if roi not in rois]:
            for event in events:
                self.removeObserver(roi, event, self.onAnalyzedROIModified)
        for roi in [roi for roi in rois if roi not in self._observedROIs]:
            for event in events:
                self.addObserver(roi, event, self.onAnalyzedROIModified)
        self._observedROIs = rois
        reconstruction = self._parameterNode.reconstructionVolume if self._parameterNode else None
        scan = reconstruction.GetNodeReference(INPUT_VOLUME_ROLE) if reconstruction else None
        display = scan.GetDisplayNode() if scan else None
        if display is not self._observedDisplay:
            if self._observedDisplay:
                self.removeObserver(self._observedDisplay, vtk.vtkCommand.ModifiedEvent, self.onScanDisplayModified)
            if display:
                self.addObserver(display, vtk.vtkCommand.ModifiedEvent, self.onScanDisplayModified)
            self._observedDisplay = display

    def _fillBoxTable(self, tableNode) -> None:
        """The columns that a reader looks at first, as numbers that sort as numbers."""
        shown = (("box", _("Box")), ("verdict", _("Verdict")), ("p", "p"), ("probability", _("Probability")),
                 ("controls", _("Healthy")), ("deviation", _("SD off")), ("ssim", "SSIM"))
        table = self.ui.boxTable
        names, *rows = table_nodes.rows_of(tableNode) if tableNode else [[]]
        columns = [(names.index(key), title) for key, title in shown if key in names]
        table.sortingEnabled = False
        table.setRowCount(len(rows))
        table.setColumnCount(len(columns))
        table.setHorizontalHeaderLabels([title for _number, title in columns])
        for line, row in enumerate(rows):
            for place, (number, _title) in enumerate(columns):
                value = row[number]
                item = qt.QTableWidgetItem()
                item.setData(qt.Qt.DisplayRole, float(f"{value:.3g}") if isinstance(value, float) else value)
                item.setFlags(qt.Qt.ItemIsSelectable | qt.Qt.ItemIsEnabled)
                table.setItem(line, place, item)
        table.sortingEnabled = True
        table.resizeColumnsToContents()
        table.verticalHeader().hide()
        # as high as its rows, up to eight of them
        lines = min(max(len(rows), 1), 8)
        table.setFixedHeight(table.horizontalHeader().height + lines * table.verticalHeader().defaultSectionSize + 22)

    def _write(self, path, text: str) -> None:
        try:
            with open(path, "w", encoding="utf-8-sig", newline="") as stream:
                stream.write(text)
        except OSError as error:
            self._status(_("'{path}' cannot be written ({error}): choose another place.").format(path=path, error=error.strerror))
            return
        self._status(_("Written: {path}").format(path=path))


def _verdictHtml(name, label, reason, moved) -> str:
    """One box's verdict: its colour, its name, and the sentence, which begins with the word."""
    word = table_nodes.WORDS[label]
    color = "#{:02x}{:02x}{:02x}".format(*VERDICT_COLORS[word])
    sentence = html.escape(reason)
    sentence = f"<s>{sentence}</s>" if moved else f"<b>{sentence}</b>"
    return f"<p style='margin: 3px 0'><span style='color: {color}'>&#9632;</span> {html.escape(name)}: {sentence}</p>"


#
# RadiomicsPersonaLogic
#

BOX_ROLE = "RadiomicsPersona.box"
LIVE_INTERVAL_MS = 30
LEAST_EXTENT_MM = 100.0
LEAST_MR_INTENSITY = -900.0


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
    reportRunner - The same for reports.
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
        self.reportRunner = self.runInWorker
        self.liveTwin = live_twin.LiveTwin(self)
        self._parameterNode = None

    def runInWorker(self, arguments, proceed) -> None:
        """Have the worker do what the command line would."""
        self.worker.run({"kind": "command", "arguments": arguments}, proceed)

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
        deviation = results["provenance"]["preprocessing"]["tissue_scale"]["deviation"]
        self._updateVolume(parameterNode.differenceVolume, inputVolume, (arrays[1] / deviation).astype(np.float32))
        self._updateVolume(parameterNode.deviationVolume, inputVolume, arrays[2])
        volume_nodes.show_like(parameterNode.reconstructionVolume, inputVolume)
        volume_nodes.show_difference(parameterNode.differenceVolume)
        volume_nodes.show_deviation(parameterNode.deviationVolume)
        table_nodes.fill_results(parameterNode.resultTable, results)
        table_nodes.fill_scores(parameterNode.scoreTable, parameterNode.scoreChart, results)
        table_nodes.fill_standing(parameterNode.standingTable, parameterNode.standingChart, results)
        for node in (parameterNode.reconstructionVolume, parameterNode.differenceVolume, parameterNode.deviationVolume,
                     parameterNode.resultTable, parameterNode.scoreTable, parameterNode.standingTable):
            origin.record(node, inputVolume, results)
            self._placeBeside(node, inputVolume)
        origin.record_results(parameterNode.resultTable, results)
        self._recordROIs(parameterNode.resultTable, rois)
        self.markROIs()
        if parameterNode.showControls:
            self.showControls(True)
        return results

    boxFromROI = staticmethod(roi_nodes.box_from_roi)
    differenceColorNode = staticmethod(volume_nodes.difference_colors)

    @staticmethod
    def verdictsByBox(tableNode) -> list:
        """Name, label (0, 1 or None) and reason of every box in a result table; none in a table of something else."""
        table = tableNode.GetTable()
        columns = [table.GetColumnByName(name) for name in ("box", "label", "reason")]
        if not all(columns):
            return []
        rows = [[column.GetValue(row) for column in columns] for row in range(table.GetNumberOfRows())]
        return [(name, None if np.isnan(label) else int(label), reason) for name, label, reason in rows]

    @classmethod
    def verdicts(cls, tableNode) -> list:
        """What a result table says, in words: one sentence per box, then the notes."""
        labels = {0: _("label 0"), 1: _("label 1"), None: _("no label")}
        sentences = [_("{box} ({labelText}): {reason}").format(box=name, labelText=labels[label], reason=reason)
                     for name, label, reason in cls.verdictsByBox(tableNode)]
        return sentences + (cls.notes(tableNode) if sentences else [])

    @staticmethod
    def notes(tableNode) -> list:
        """What the user should know about the boxes and the scan of a result table, in sentences."""
        table = tableNode.GetTable()
        names, warnings = table.GetColumnByName("box"), table.GetColumnByName("warnings")
        sentences = []
        for row in range(table.GetNumberOfRows()) if names and warnings else ():
            sentences += [_("Note on {box}: {warning}").format(box=names.GetValue(row), warning=line)
                          for line in warnings.GetValue(row).splitlines()]
        rebuiltBy = tableNode.GetAttribute(ATTRIBUTE_PREFIX + "rebuilt_by")
        sentences += [json.loads(rebuiltBy)] if rebuiltBy else []
        notes = json.loads(tableNode.GetAttribute(ATTRIBUTE_PREFIX + "warnings") or "[]")
        return sentences + [_("Note: {warning}").format(warning=note) for note in notes]

    @staticmethod
    def models() -> list:
        """Names and one-line descriptions of the models that can be chosen here, the automatic choice first.

        :raises InputError: a model card is damaged.
        """
        cards = [read_card(path) for path in model_cards().values()]
        return [
            (DEFAULT_MODEL, _("automatic")),
            *((card["name"], _("{name}: {text}").format(name=card["name"], text=card.get("description", ""))) for card in cards),
            *((name, _("{name}: {text}, no weights").format(name=name, text=text)) for name, text in CLASSICAL.items()),
        ]

    @staticmethod
    def cardText(model) -> str:
        """What is known of a model, as text for a reader.

        :raises InputError: the model's card is damaged, or there is no such model.
        """
        if model in CLASSICAL:
            return _("{name}\n\nFills the box by: {text}. It needs neither weights nor PyTorch, and knows nothing of anatomy.").format(
                name=model, text=CLASSICAL[model])
        cards = {name: read_card(path) for name, path in model_cards().items()}
        chosen = [card for name, card in cards.items() if name == model or (model == DEFAULT_MODEL and card.get("default"))]
        if not chosen:
            raise InputError(_("There is no model '{name}' here: choose another one.").format(name=model))
        parts = [text_of_card(card) for card in chosen]
        if model == DEFAULT_MODEL:
            parts.insert(0, _("Automatic: of the models below, the one that is meant for the scan's contrast."))
        return "\n\n".join(parts)

    def scanNotes(self, volume) -> list:
        """Why a volume may not be a brain MRI that the models know, in sentences; none for most.

        Before an analysis only what the volume itself says for certain; afterwards what the analysis found.
        """
        image = volume.GetImageData() if volume else None
        if not image or image.GetNumberOfPoints() == 0:
            return []
        notes = []
        if volume.IsA("vtkMRMLLabelMapVolumeNode"):
            notes.append(_("This is a label map, not an MRI."))
        hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
        item = hierarchy.GetItemByDataNode(volume)
        modality = hierarchy.GetItemAttribute(item, "DICOM.Modality") if item else ""
        if modality and modality != "MR":
            notes.append(_("Its DICOM header says {modality}, not MR; the verdict would mean nothing.").format(modality=modality))
        elif image.GetScalarRange()[0] <= LEAST_MR_INTENSITY:
            notes.append(_("It holds intensities down to {low:g}, as CT does; this needs an MRI.").format(low=image.GetScalarRange()[0]))
        extent = np.array(volume.GetSpacing()) * image.GetDimensions()
        if extent.min() < LEAST_EXTENT_MM:
            notes.append(_("It covers {extent} mm, less than a whole head: check its spacing, or take a scan of the whole brain.").format(
                extent=" x ".join(f"{edge:.0f}" for edge in extent)))
        return notes + self._warningsAbout(volume)

    def markROIs(self) -> list:
        """Show every analyzed ROI in its verdict's colour and with its word, those moved since then as before.

        :returns: the names of the boxes that have been moved or removed since the analysis.
        """
        table = self.getParameterNode().resultTable
        text = table.GetAttribute(ATTRIBUTE_PREFIX + "boxes") if table else None
        volume = table.GetNodeReference(INPUT_VOLUME_ROLE) if table else None
        if not text or not volume:
            return []
        moved = []
        for number, record in enumerate(json.loads(text)):
            roi = table.GetNthNodeReference(BOX_ROLE, number)
            if roi and roi_nodes.is_where(roi, volume, record):
                roi_nodes.show_verdict(roi, table_nodes.WORDS[record["label"]])
                continue
            moved.append(record["name"])
            if roi:
                roi_nodes.hide_verdict(roi)
        return moved

    def analyzedROIs(self) -> list:
        """The ROIs that the present results are about."""
        table = self.getParameterNode().resultTable
        rois = [table.GetNthNodeReference(BOX_ROLE, n) for n in range(table.GetNumberOfNodeReferences(BOX_ROLE))] if table else []
        return [roi for roi in rois if roi]

    def showControls(self, shown) -> None:
        """Put the healthy boxes of the present results into the scene as locked ROIs, or take them out again."""
        roi_nodes.hide_controls()
        table = self.getParameterNode().resultTable
        results, volume = origin.results_in(table), table.GetNodeReference(INPUT_VOLUME_ROLE) if table else None
        if shown and results and volume:
            roi_nodes.show_controls(results["boxes"], volume)

    def addBoxAroundSegment(self, segmentation, segmentID):
        """A new ROI around a segment, checked as input.

        :raises InputError: the segment is empty or lies under a transform that no box can follow.
        """
        return self._checked(roi_nodes.add_roi(roi_nodes.box_around_segment(segmentation, segmentID)))

    def addMirroredBox(self, roi):
        """A new ROI on the other side of the head, checked as input.

        :returns: the ROI, and whether an analysis of the scan had found its midplane; without one the middle of the volume serves.
        :raises InputError: there is no scan, or the ROI cannot be used as a box.
        """
        volume = self.getParameterNode().inputVolume
        self._checkVolume(volume)
        results = self._resultsOf(volume)
        midplane = results["provenance"]["preprocessing"].get("midplane") if results else None
        mirrored = roi_nodes.add_roi(roi_nodes.mirrored_box(roi, volume, midplane), volume)
        return self._checked(mirrored), midplane is not None

    def usualThreshold(self, decision) -> float | None:
        """The threshold to begin with: the usual one, or for a metric where 95 % of the healthy boxes of the last results lie."""
        if decision in USUAL_THRESHOLDS:
            return USUAL_THRESHOLDS[decision]
        results = origin.results_in(self.getParameterNode().resultTable)
        values = [control["metrics"].get(decision) for box in results["boxes"] for control in box["controls"]] if results else []
        values = [value for value in values if value is not None]
        return float(np.percentile(values, 95 if METRICS[decision].higher_is_worse else 5)) if values else None

    def differencesFromInstalled(self) -> list:
        """Sentences about parts of this program that are not those that made the present results."""
        table = self.getParameterNode().resultTable
        text = table.GetAttribute(ATTRIBUTE_PREFIX + "provenance") if table else None
        return origin.differences_from_installed(json.loads(text)) if text else []

    def writeReport(self, folder, name=None, proceed=lambda line: True) -> list:
        """Write the present results as a report that can be sent, HTML and PDF; nothing is computed anew.

        :param folder: where to; it is made if it is not there.
        :param name: what the report calls the scan; None leaves it anonymous.
        :returns: the paths of the files.
        :raises InputError: there are no results, their scan is gone or has another grid now, or the folder cannot be written.
        :raises ChildFailed: the report ended unexpectedly.
        """
        parameterNode = self.getParameterNode()
        table = parameterNode.resultTable
        results, scan = origin.results_in(table), table.GetNodeReference(INPUT_VOLUME_ROLE) if table else None
        persona = parameterNode.reconstructionVolume
        if not results or not scan or not persona or not persona.GetAttribute(ATTRIBUTE_PREFIX + "provenance"):  # a live twin has none
            raise InputError(_("There is nothing to report: apply first; the scan and the healthy persona must be in the scene."))
        with tempfile.TemporaryDirectory(prefix="RadiomicsPersona-", ignore_cleanup_errors=True) as work:
            scanPath = os.path.join(work, "scan.nrrd")
            self._writeVolume(scan, scanPath)
            self._writeVolume(parameterNode.reconstructionVolume, os.path.join(work, "reconstruction.nrrd"))
            with open(os.path.join(work, "results.json"), "w", encoding="utf-8") as stream:
                json.dump(results, stream)
            arguments = ["report", work, scanPath, "--output", str(folder)]
            self.reportRunner(arguments + ([f"--with-name={name}"] if name else []), proceed)
        return [os.path.join(folder, file) for file in ("report.html", "report.pdf")]

    @staticmethod
    def identityOf(volume) -> str:
        """What names a scan and its patient: the volume's name, and the patient's from the subject hierarchy."""
        hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
        item, parts = hierarchy.GetItemByDataNode(volume), [volume.GetName()]
        patient = hierarchy.GetItemAncestorAtLevel(item, "Patient") if item else 0
        if patient:
            parts.append(hierarchy.GetItemName(patient))
            identifier = hierarchy.GetItemAttribute(patient, "DICOM.PatientID") or hierarchy.GetItemUID(patient, "DICOM")
            parts += [identifier] if identifier and identifier not in parts[-1] else []
        return ", ".join(parts)

    def _resultsOf(self, volume):
        table = self.getParameterNode().resultTable
        return origin.results_in(table) if table and table.GetNodeReference(INPUT_VOLUME_ROLE) is volume else None

    def _warningsAbout(self, volume) -> list:
        results = self._resultsOf(volume)
        return list(results["warnings"]) if results else []

    def _checked(self, roi):
        parameterNode = self.getParameterNode()
        parameterNode.inputROIs = [*(node for node in parameterNode.inputROIs if node), roi]
        return roi

    def _recordROIs(self, table, rois) -> None:
        for before in self.analyzedROIs():
            if before not in rois:
                roi_nodes.hide_verdict(before)
        table.RemoveNodeReferenceIDs(BOX_ROLE)
        for roi in rois:
            table.AddNodeReferenceID(BOX_ROLE, roi.GetID())

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
        roi_nodes.refuse_non_linear_transform(volume)

    @staticmethod
    def writeScan(volume, folder) -> str:
        """Write a volume as it is, without its parent transform, into the folder; returns the file's path."""
        name = re.sub(r"[^A-Za-z0-9_-]+", "_", volume.GetName())[:60] or "scan"
        scanPath = os.path.join(folder, name + ".nrrd")
        RadiomicsPersonaLogic._writeVolume(volume, scanPath)
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
            "--decision", parameterNode.decision,
            "--threshold", repr(parameterNode.threshold),
            "--seed", str(parameterNode.seed),
            "--json",
            "--output", os.path.join(folder, "output"),
        ]

    @staticmethod
    def _writeVolume(volume, path) -> None:
        storage = slicer.vtkMRMLVolumeArchetypeStorageNode()
        storage.SetFileName(path)
        storage.SetUseCompression(0)
        if not storage.WriteData(volume):
            raise InputError(_("The volume could not be written to '{folder}': make room on that disk.").format(
                folder=os.path.dirname(path)))

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
        volume_nodes.show_like(volume, inputVolume)
        self._placeBeside(volume, inputVolume)
        origin.erase(volume)
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
        if not parameterNode.standingTable:
            parameterNode.standingTable = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTableNode")
        if not parameterNode.standingChart:
            parameterNode.standingChart = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLPlotChartNode")
        parameterNode.reconstructionVolume.SetName(_("{name} healthy persona").format(name=name))
        parameterNode.differenceVolume.SetName(_("{name} difference in SD").format(name=name))
        parameterNode.deviationVolume.SetName(_("{name} p of the difference").format(name=name))
        parameterNode.resultTable.SetName(_("{name} verdicts").format(name=name))
        parameterNode.scoreTable.SetName(_("{name} scores").format(name=name))
        parameterNode.scoreChart.SetName(_("{name} scores").format(name=name))
        parameterNode.standingTable.SetName(_("{name} among healthy boxes").format(name=name))
        parameterNode.standingChart.SetName(_("{name} among healthy boxes").format(name=name))

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
    def _placeBeside(node, inputVolume) -> None:
        """Put the node where the input is in the subject hierarchy (study, folder)."""
        hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
        item, inputItem = hierarchy.GetItemByDataNode(node), hierarchy.GetItemByDataNode(inputVolume)
        if item and inputItem:
            hierarchy.SetItemParent(item, hierarchy.GetItemParent(inputItem))


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
