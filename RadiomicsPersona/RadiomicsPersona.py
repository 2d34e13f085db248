"""RadiomicsPersona in 3D Slicer: nodes in, nodes out; everything is computed in a worker process.

Nothing here computes anything about the image. The scientific code is in RadiomicsPersonaLib, of which this process
imports only what needs the standard library and numpy; RadiomicsPersonaNodes knows the nodes, RadiomicsPersonaWidgets
the panel's sections.
"""

import logging
import os
import sys

import numpy as np
import slicer
import vtk
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.ScriptedLoadableModule import *
from slicer.util import VTKObservationMixin

from RadiomicsPersonaLib.analysis.classifier import load_classifier
from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.geometry.surface import USUAL_SMOOTHING
from RadiomicsPersonaLib.system.child import Child, ChildFailed, child_environment
from RadiomicsPersonaLib.system.work_folder import sweep
from RadiomicsPersonaNodes import (
    analysis,
    analyzed,
    follow_up,
    lesions,
    live_twin,
    mesh,
    model_choice,
    origin,
    output,
    places,
    regression,
    report,
    sample_data,
    unusual,
)
from RadiomicsPersonaNodes import roi as roi_nodes
from RadiomicsPersonaNodes import scan as scan_nodes
from RadiomicsPersonaNodes import segmentation as segmentation_nodes
from RadiomicsPersonaNodes import view as view_nodes
from RadiomicsPersonaNodes.origin import INPUT_VOLUME_ROLE
from RadiomicsPersonaNodes.parameter_node import RadiomicsPersonaParameterNode, forget_foreign_choices
from RadiomicsPersonaWidgets.follow_up import FollowUpSection
from RadiomicsPersonaWidgets.inputs import InputsSection
from RadiomicsPersonaWidgets.live_twin import LiveTwinSection
from RadiomicsPersonaWidgets.mesh import MeshSection
from RadiomicsPersonaWidgets.places import PlacesSection
from RadiomicsPersonaWidgets.preparation import PreparationSection
from RadiomicsPersonaWidgets.regression import RegressionSection
from RadiomicsPersonaWidgets.results import ResultsSection
from RadiomicsPersonaWidgets.results_menu import ResultsMenu
from RadiomicsPersonaWidgets.run import RunSection
from RadiomicsPersonaWidgets.segment import SegmentSection
from RadiomicsPersonaWidgets.sensitivity import SensitivitySection
from RadiomicsPersonaWidgets.settings import SettingsSection
from RadiomicsPersonaWidgets.views import ViewsSection

UI_PARTS = {
    "Sensitivity": "judgeTab",
    "Places": "segmentTab",
    "Segment": "segmentTab",
    "FollowUp": "overTimeTab",
    "Regression": "overTimeTab",
}
"""The .ui files of sections, and the pages that they go at the end of."""


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
        self.parent.dependencies = ["Colors", "Markups", "Models", "Plots", "Segmentations", "Tables", "Volumes"]
        self.parent.contributors = ["RadiomicsPersona contributors"]
        self.parent.helpText = (
            _("""
This module shows a boxed region of a brain MRI as it would look in healthy tissue, shows where and how much the real
tissue differs, and says whether the region looks healthy (0) or pathological (1), measured against control
regions of the same scan. Research use only, not a medical device.
""")
            + '<p><a href="https://github.com/RadiomicsPersona/SlicerRadiomicsPersona/blob/main/RadiomicsPersona/README.md">'
            + _("Tutorial and troubleshooting")
            + "</a></p>"
        )
        self.parent.acknowledgementText = _("""
Made by the RadiomicsPersona contributors. The page Method of the documentation names the publications that it rests on.
""")
        slicer.app.connect("startupCompleted()", view_nodes.register_layout)
        slicer.app.connect("startupCompleted()", sample_data.register)


#
# RadiomicsPersonaWidget
#


class RadiomicsPersonaWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    """Connects the panel's sections with each other and with the parameter node; what they do is in RadiomicsPersonaWidgets.
    Uses ScriptedLoadableModuleWidget base class, available at:
    https://github.com/Slicer/Slicer/blob/main/Base/Python/slicer/ScriptedLoadableModule.py
    """

    def __init__(self, parent=None) -> None:
        """Called when the user opens the module the first time and the widget is initialized."""
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)  # needed for parameter node observation
        self.logic = None
        self.sections = []
        self._parameterNode = None
        self._parameterNodeGuiTag = None

    def setup(self) -> None:
        ScriptedLoadableModuleWidget.setup(self)

        uiWidget = slicer.util.loadUI(self.resourcePath("UI/RadiomicsPersona.ui"))
        self.layout.addWidget(uiWidget)
        for name, page in UI_PARTS.items():
            part = slicer.util.loadUI(self.resourcePath(f"UI/{name}.ui"))
            column = slicer.util.findChild(uiWidget, page).layout()
            column.insertWidget(column.count() - 1, part)  # above the empty space
            uiWidget.mrmlSceneChanged.connect(part.setMRMLScene)
        self.ui = slicer.util.childWidgetVariables(uiWidget)
        uiWidget.setMRMLScene(slicer.mrmlScene)

        self.logic = RadiomicsPersonaLogic()

        self.menu = menu = ResultsMenu(self.ui.moreButton)
        self.views = ViewsSection(self.ui, self.logic, uiWidget, menu)
        self.inputs = InputsSection(self.ui, self.logic)
        self.settings = SettingsSection(self.ui, self.logic)
        self.run = RunSection(self.ui, self.logic, self.onRunDone)
        self.preparation = PreparationSection(self.ui, self.logic)
        self.live_twin = LiveTwinSection(self.ui, self.logic, self.run, self.views)
        self.results = ResultsSection(self.ui, self.logic, self.run, self.views, menu)
        self.places = PlacesSection(self.ui, self.logic)
        self.segment = SegmentSection(self.ui, self.logic, self.onRunDone, self.views.go_to)
        self.mesh = MeshSection(self.ui, self.logic)
        self.followUp = FollowUpSection(self.ui, self.logic)
        self.regression = RegressionSection(self.ui, self.logic)
        self.sensitivity = SensitivitySection(self.ui, self.logic)
        # in the order in which they are brought up to date: views may add ROIs that inputs leaves out
        self.sections = [
            self.views,
            self.inputs,
            self.settings,
            self.run,
            self.preparation,
            self.live_twin,
            self.results,
            self.places,
            self.segment,
            self.mesh,
            self.followUp,
            self.regression,
            self.sensitivity,
        ]

        # These connections ensure that we let go of the parameter node while it is replaced
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.StartCloseEvent, self.onSceneStartClose)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.EndCloseEvent, self.onSceneEnd)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.StartImportEvent, self.onSceneStartImport)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.EndImportEvent, self.onSceneEnd)

        self.initializeParameterNode()

    def cleanup(self) -> None:
        """Called when the application closes and the module widget is destroyed."""
        self.setParameterNode(None)
        self.removeObservers()
        for section in self.sections:
            section.close()
        if self.logic:
            self.logic.close()

    def enter(self) -> None:
        """Called each time the user opens this module."""
        self.initializeParameterNode()
        self.views.listen(True)

    def exit(self) -> None:
        """Called each time the user opens a different module."""
        self.views.listen(False)
        self.setParameterNode(None)

    def onReload(self) -> None:
        """Slicer reloads this file alone; what it imports is to be read anew as well."""
        for name in list(sys.modules):
            if name.split(".")[0] in ("RadiomicsPersonaLib", "RadiomicsPersonaNodes", "RadiomicsPersonaWidgets"):
                del sys.modules[name]
        ScriptedLoadableModuleWidget.onReload(self)

    def onSceneStartClose(self, caller, event) -> None:
        """Called just before the scene is closed."""
        for section in self.sections:
            section.scene_closes()
        self.setParameterNode(None)

    def onSceneStartImport(self, caller, event) -> None:
        """Called just before a scene is read."""
        self.setParameterNode(None)

    def onSceneEnd(self, caller, event) -> None:
        """Called just after the scene is closed or read."""
        # If this module is shown meanwhile then take the parameter node immediately
        if self.parent.isEntered:
            self.initializeParameterNode()

    def initializeParameterNode(self) -> None:
        """Ensure parameter node exists and is observed."""
        self.setParameterNode(self.logic.getParameterNode())

        # Select default input nodes if nothing is selected yet to save a few clicks for the user
        if not self._parameterNode.inputVolume:
            self._parameterNode.inputVolume = next(iter(scan_nodes.loaded()), None)

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
            if self.logic.foreignSettings:
                self.run.say(
                    _(
                        "This scene was made by another version; what it chose for {names} is not known here, the default is "
                        "set."
                    ).format(names=", ".join(self.logic.foreignSettings))
                )
                self.logic.foreignSettings = []
        for section in self.sections:
            section.follow(self._parameterNode)
        self.parameterNodeModified()

    def parameterNodeModified(self, caller=None, event=None) -> None:
        """Bring what the connections of the .ui file do not cover up to date."""
        if self._parameterNode:
            self.logic.showResultsOf(self._parameterNode.inputVolume)
        for section in self.sections:
            section.update()

    def onRunDone(self, hasResults) -> None:
        """Called after every run: show what there is now."""
        if hasResults:
            self.views.show_reconstruction()
            self.views.first_result()
        self.results.look_again()
        self.parameterNodeModified()
        self.live_twin.run_ended()


#
# RadiomicsPersonaLogic
#


def makeWorker() -> Child:
    """The process in which everything is computed, a child of Slicer's Python; it starts when it is first asked.

    It starts from the environment that Slicer was started in: PythonSlicer adds what it needs itself.
    """
    folder = os.path.dirname(os.path.abspath(__file__))
    return Child(
        [sys.executable, "-m", "RadiomicsPersonaLib.worker"],
        lambda: child_environment(slicer.util.startupEnvironment(), folder),
    )


class RadiomicsPersonaLogic(ScriptedLoadableModuleLogic):
    """From nodes to the command line's arguments and back.

    job - What runs in the worker for the panel at present, or None.
    runner - Called with the arguments of the command line's `analyze` and a function `proceed(line) -> bool`; returns when
      the files of `exchange` lie in the output folder; raises InputError, ChildFailed or Cancelled. Given from outside,
      tests need no process; otherwise the worker does it.
    reportRunner - The same for reports, with the files of the command line.
    worker - The process that this logic owns; `close` ends it.
    liveTwin - The healthy persona of a box while it is dragged.
    foreignSettings - The parameters whose values, from another version's scene, were replaced by the defaults.

    Uses ScriptedLoadableModuleLogic base class, available at:
    https://github.com/Slicer/Slicer/blob/main/Base/Python/slicer/ScriptedLoadableModule.py
    """

    def __init__(self, runner=None) -> None:
        """Called when the logic class is instantiated."""
        ScriptedLoadableModuleLogic.__init__(self)
        self.job = None
        self.worker = makeWorker()
        self.runner = runner or self._runInWorker
        self.reportRunner = lambda arguments, proceed: self._runInWorker(arguments, proceed, forSlicer=False)
        self.liveTwin = live_twin.LiveTwin(self)
        self.foreignSettings = []
        self._parameterNode = None
        self._shownScan = None
        sweep()

    def _runInWorker(self, arguments, proceed, forSlicer=True) -> None:
        """Run a command of the command line in the worker, with arrays for nodes or with the files for people."""
        try:
            self.worker.run({"kind": "command", "arguments": arguments, "for_slicer": forSlicer}, proceed)
        except ChildFailed as error:
            logging.error(f"RadiomicsPersona: {error}\n{error.log}")
            raise

    def close(self) -> None:
        """Let go of the worker and of every file; a later call starts anew."""
        self.liveTwin.stop()
        self.worker.end()

    def getParameterNode(self) -> RadiomicsPersonaParameterNode:
        parameterNode = super().getParameterNode()
        self.foreignSettings = forget_foreign_choices(parameterNode) or self.foreignSettings
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
        scan_nodes.check(inputVolume)
        if not rois:
            raise InputError(_("No ROI is selected: draw a box around the region and check it."))
        boxes = [self.boxFromROI(roi, inputVolume) for roi in rois]
        results, arrays, _found = self._analyze(lambda path, folder: analysis.box_arguments(boxes, folder), proceed)
        self._show(inputVolume, rois, results, arrays)
        return results

    def segmentAndApply(self, segment=None, contrasts=None, proceed=lambda line: True) -> dict:
        """Segment the input volume, draw a box around the largest part of what is found, and analyze that box.

        :param segment: the name of the segment that is to be judged; None for all together.
        :param contrasts: the volumes that the segmentation model is shown, by the names of its contrasts, if it takes several.
        :returns: the content of the command line's results.json; the box is the only one checked then.
        :raises InputError: as `apply`; or the model finds nothing, or cannot be used.
        """
        parameterNode = self.getParameterNode()
        inputVolume = parameterNode.inputVolume
        scan_nodes.check(inputVolume)
        results, arrays, found = self._analyze(
            lambda path, folder: segmentation_nodes.analysis_arguments(
                inputVolume, parameterNode.segmentationModel, segment, contrasts or {}, path, folder
            ),
            proceed,
        )
        segmentation_nodes.fill(parameterNode, inputVolume, *found)
        roi = segmentation_nodes.show_box(results["boxes"][0], inputVolume)
        parameterNode.inputROIs = [roi]
        self._show(inputVolume, [roi], results, arrays)
        return results

    def segment(self, contrasts=None, probabilities=False, proceed=lambda line: True) -> dict:
        """Segment the input volume with the chosen model; see `RadiomicsPersonaNodes.segmentation.segment`."""
        return segmentation_nodes.segment(
            self.getParameterNode(),
            self.getParameterNode().segmentationModel,
            contrasts or {},
            probabilities,
            lambda arguments: self._runInWorker(arguments, proceed),
        )

    def findPlaces(self, proceed=lambda line: True) -> dict:
        """Places of the whole head that stand out; see `RadiomicsPersonaNodes.places.find`."""
        return places.find(self.getParameterNode(), lambda arguments: self._runInWorker(arguments, proceed))

    def makeMesh(self, segmentation, segmentID, smooth=USUAL_SMOOTHING, decimate=0.0, proceed=lambda line: True):
        """The surface of a segment as a model node; see `RadiomicsPersonaNodes.mesh.make`."""
        made = mesh.make(segmentation, segmentID, smooth, decimate, lambda arguments: self._runInWorker(arguments, proceed))
        self.getParameterNode().mesh = made[0]
        return made

    def followUp(self, visits, folder, proceed=lambda line: True):
        """Analyze the checked boxes in several visits; see `RadiomicsPersonaNodes.follow_up.follow`."""
        return follow_up.follow(
            self.getParameterNode(), visits, folder, lambda arguments: self._runInWorker(arguments, proceed)
        )

    def regress(self, table, outcome, time, patient, covariates, log, folder, proceed=lambda line: True) -> dict:
        """Fit what a column of a table does over time; see `RadiomicsPersonaNodes.regression.regress`."""
        return regression.regress(
            self.getParameterNode(),
            table,
            outcome,
            time,
            patient,
            covariates,
            log,
            folder,
            lambda arguments: self._runInWorker(arguments, proceed, forSlicer=False),
        )

    def paintLesion(self, place, kind, contrast, size, strength, proceed=lambda line: True) -> tuple:
        """The input volume with a lesion painted into it; see `RadiomicsPersonaNodes.lesions.paint`."""
        return lesions.paint(
            self.getParameterNode(),
            place,
            kind,
            contrast,
            size,
            strength,
            lambda arguments: self._runInWorker(arguments, proceed),
        )

    def sensitivity(self, place, kind, contrast, folder, proceed=lambda line: True) -> dict:
        """How small and how faint a painted lesion is found; see `RadiomicsPersonaNodes.lesions.sensitivity`."""
        return lesions.sensitivity(
            self.getParameterNode(),
            place,
            kind,
            contrast,
            folder,
            lambda arguments: self._runInWorker(arguments, proceed),
        )

    def showResultsOf(self, volume) -> None:
        """Have the parameter node hold the results of a volume, which may be none; every scan keeps its own."""
        if volume is not self._shownScan:
            self._shownScan = volume
            self.liveTwin.forget()
            output.take_those_of(self.getParameterNode(), volume)

    def _analyze(self, boxArguments, proceed) -> tuple:
        """See `RadiomicsPersonaNodes.analysis.analyze`.

        :raises InputError: the scan got other voxels meanwhile.
        """
        scan = self.getParameterNode().inputVolume
        before = scan_nodes.checksum(scan)
        made = analysis.analyze(self.getParameterNode(), boxArguments, lambda arguments: self.runner(arguments, proceed))
        output.refuse_changed(scan, made[1]["affine"], made[1]["reconstruction"].shape)
        if scan_nodes.checksum(scan) != before:
            raise output.changed(scan)
        return made

    def _show(self, inputVolume, rois, results, arrays) -> None:
        parameterNode = self.getParameterNode()
        output.fill(parameterNode, inputVolume, rois, results, arrays)
        unusual.show(parameterNode, inputVolume, results, arrays["unusual"])
        self.liveTwin.forget()
        # another one may have been chosen while this one was analyzed; what is shown belongs to what is chosen
        self._shownScan = parameterNode.inputVolume
        output.take_those_of(parameterNode, parameterNode.inputVolume)
        if self.getParameterNode().showControls:
            self.showControls(True)

    def writeReport(self, folder, name=None, proceed=lambda line: True) -> list:
        """Write the present results as a report that can be sent, HTML and PDF; nothing is computed anew.

        :param folder: where to; it is made if it is not there.
        :param name: what the report calls the scan; None leaves it anonymous.
        :returns: the paths of the files.
        :raises InputError: there are no results, their scan is gone or has another grid now, or the folder cannot be written.
        :raises ChildFailed: the report ended unexpectedly.
        """
        return report.write(self.getParameterNode(), folder, name, lambda arguments: self.reportRunner(arguments, proceed))

    boxFromROI = staticmethod(roi_nodes.box_from_roi)
    identityOf = staticmethod(scan_nodes.identity)
    models = staticmethod(model_choice.choices)
    cardText = staticmethod(model_choice.card_text)
    segmentationCards = staticmethod(segmentation_nodes.cards)
    classifiers = staticmethod(model_choice.classifier_choices)
    checkClassifier = staticmethod(load_classifier)
    verdictsByBox = staticmethod(analyzed.by_box)

    detailsByBox = staticmethod(analyzed.details)
    verdicts = staticmethod(analyzed.sentences)
    notes = staticmethod(analyzed.notes)

    def canTighten(self) -> bool:
        """Whether an analyzed box holds a part that is unusual, around which it can be drawn."""
        return bool(analyzed.parts_by_box(self.getParameterNode().resultTable))

    def tightenROIs(self) -> list:
        """Draw the analyzed boxes tightly around what is unusual in them; returns the ROIs that were moved."""
        return analyzed.tighten(self.getParameterNode().resultTable)

    def scanNotes(self, volume) -> list:
        """Why a volume may not be a brain MRI that the models know, in sentences; afterwards with what the analysis found."""
        results = self._resultsOf(volume)
        return scan_nodes.notes(volume) + (list(results["warnings"]) if results else [])

    def guessedContrasts(self, names) -> dict:
        """The volumes that show a model's contrasts as their names tell, by contrast."""
        return segmentation_nodes.guessed(names, self.getParameterNode().inputVolume)

    def analyzedROIs(self) -> list:
        """The ROIs that the present results are about."""
        return analyzed.rois(self.getParameterNode().resultTable)

    def markROIs(self) -> list:
        """Show every analyzed ROI's verdict; returns why each is outdated, one sentence, or an empty text."""
        return analyzed.mark(self.getParameterNode().resultTable)

    def showControls(self, shown) -> None:
        """Put the healthy boxes of the present results into the scene as locked ROIs, or take them out again."""
        analyzed.show_controls(self.getParameterNode().resultTable, shown)

    def addBoxAroundSegment(self, segmentation, segmentID):
        """A new ROI around a segment, checked as input.

        :raises InputError: the segment is empty or lies under a transform that no box can follow.
        """
        return self._checked(roi_nodes.add_roi(roi_nodes.box_around_segment(segmentation, segmentID)))

    def addMirroredBox(self, roi):
        """A new ROI on the other side of the head, checked as input.

        :returns: the ROI, and whether an analysis of the scan had found its midplane;
            without one the middle of the volume serves.
        :raises InputError: there is no scan, or the ROI cannot be used as a box.
        """
        volume = self.getParameterNode().inputVolume
        scan_nodes.check(volume)
        midplane = origin.midplane_in(self._resultsOf(volume))
        return self._checked(roi_nodes.add_roi(roi_nodes.mirrored_box(roi, volume, midplane), volume)), midplane is not None

    def usualThreshold(self, decision) -> float | None:
        """The threshold to begin with; see `RadiomicsPersonaNodes.analyzed.usual_threshold`."""
        return analyzed.usual_threshold(self.getParameterNode().resultTable, decision)

    def differencesFromInstalled(self) -> list:
        """Sentences about parts of this program that are not those that made the present results."""
        return origin.differences_from_installed(self.getParameterNode().resultTable)

    def _resultsOf(self, volume):
        table = self.getParameterNode().resultTable
        return origin.results_in(table) if table and table.GetNodeReference(INPUT_VOLUME_ROLE) is volume else None

    def _checked(self, roi):
        parameterNode = self.getParameterNode()
        parameterNode.inputROIs = [*(node for node in parameterNode.inputROIs if node), roi]
        return roi


#
# RadiomicsPersonaTest
#


class RadiomicsPersonaTest(ScriptedLoadableModuleTest):
    """
    What can be checked inside Slicer in some seconds, without packages and downloads: boxes under transforms, and an
    analysis from nodes to nodes through the worker. The suite in the Testing folder tests the rest.
    Uses ScriptedLoadableModuleTest base class, available at:
    https://github.com/Slicer/Slicer/blob/main/Base/Python/slicer/ScriptedLoadableModule.py
    """

    def setUp(self):
        """Reset the state by clearing the scene."""
        slicer.mrmlScene.Clear()

    def runTest(self, **kwargs):
        """Run every test."""
        for test in (self.test_boxFollowsTransforms, self.test_nonLinearTransformIsRefused, self.test_lesionIsRebuilt):
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

    def makeHead(self):
        """A head of ellipsoids, 4 mm a voxel, with a bright lesion of 16 mm; the volume, and an ROI around the lesion."""
        z, y, x = np.indices((48, 56, 48))
        depth = np.sqrt(((x - 23.5) / 18) ** 2 + ((y - 27.5) / 22) ** 2 + ((z - 23.5) / 18) ** 2)
        head = np.select([depth < 0.25, depth < 0.7, depth < 1, depth < 1.1, depth < 1.2], [30, 140, 100, 10, 120], 0)
        head = head + np.random.default_rng(0).normal(0, 3, head.shape)
        lesion = (x - 32) ** 2 + (y - 27) ** 2 + (z - 27) ** 2 < 2.5**2
        head[lesion] = 400
        volume = slicer.util.addVolumeFromArray(np.maximum(head, 0).astype(np.int16), np.diag([4.0, 4, 4, 1]), "head")
        roi = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsROINode", "lesion")
        roi.SetXYZ(128, 108, 108)
        roi.SetSize(28, 28, 28)
        return volume, roi, lesion

    def test_lesionIsRebuilt(self):
        """A classical fill needs no package and no network: the lesion is gone, everything else stays,
        and there is a verdict.
        """
        volume, roi, lesion = self.makeHead()
        logic = RadiomicsPersonaLogic()
        parameterNode = logic.getParameterNode()
        parameterNode.inputVolume, parameterNode.inputROIs = volume, [roi]
        parameterNode.model, parameterNode.controls, parameterNode.threshold = "harmonic", 3, 0.25
        try:
            results = logic.apply()
        finally:
            logic.close()
        self.assertEqual((results["boxes"][0]["n_controls"], results["boxes"][0]["label"]), (3, 1))
        before, after = slicer.util.arrayFromVolume(volume), slicer.util.arrayFromVolume(parameterNode.reconstructionVolume)
        self.assertLess(after[lesion].max(), 200)
        np.testing.assert_array_equal(after[:20], before[:20])
        self.assertIn("Pathological", logic.verdicts(parameterNode.resultTable)[0])
