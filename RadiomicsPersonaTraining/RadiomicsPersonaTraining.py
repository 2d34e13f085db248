"""RadiomicsPersonaTraining in 3D Slicer: a site adapts the models to its own scans without a terminal.

This file wires pages, worker and processes together. The pages are in RadiomicsPersonaTrainingPages; everything is computed by
RadiomicsPersonaTrainingLib in other processes, of which this one imports only what needs the standard library and numpy.
"""

import os
import sys
from pathlib import Path

import qt
import slicer
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)
from slicer.util import VTKObservationMixin

import RadiomicsPersonaLib
from RadiomicsPersonaLib.analysis.classifier import DEFAULT
from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.system.child import Child, child_environment
from RadiomicsPersonaTrainingPages import dialogs, packages
from RadiomicsPersonaTrainingPages.calibrate_page import CalibratePage
from RadiomicsPersonaTrainingPages.curves import show_curves
from RadiomicsPersonaTrainingPages.data_page import DataPage
from RadiomicsPersonaTrainingPages.form import Note, named, push, side_by_side
from RadiomicsPersonaTrainingPages.jobs import Jobs
from RadiomicsPersonaTrainingPages.models_page import ModelsPage
from RadiomicsPersonaTrainingPages.project import gone
from RadiomicsPersonaTrainingPages.questions import Questions
from RadiomicsPersonaTrainingPages.results_page import ResultsPage
from RadiomicsPersonaTrainingPages.run_page import RunPage
from RadiomicsPersonaTrainingPages.settings_page import SettingsPage
from RadiomicsPersonaTrainingPages.synthesize_page import SynthesizePage
from RadiomicsPersonaTrainingPages.workplace import Workplace

REFRESH_MS = 1000
PROJECT_KEY = "RadiomicsPersonaTraining/project"
"""Of the application's settings: the folder that was open last."""


#
# RadiomicsPersonaTraining
#


class RadiomicsPersonaTraining(ScriptedLoadableModule):
    """Uses ScriptedLoadableModule base class, available at:
    https://github.com/Slicer/Slicer/blob/main/Base/Python/slicer/ScriptedLoadableModule.py
    """

    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        self.parent.title = _("Radiomics Persona Training")
        self.parent.categories = [translate("qSlicerAbstractCoreModule", "Neuroimaging")]
        self.parent.dependencies = ["RadiomicsPersona", "Markups", "Plots", "SubjectHierarchy", "Tables", "Volumes"]
        self.parent.contributors = ["RadiomicsPersona contributors"]
        self.parent.helpText = _("""
This module adapts the models of Radiomics Persona to a site's own scans: data, settings, training, results, the verdict's
classifier, painted lesions, and the models themselves. Everything stays on this machine. Research use only, not a medical
device.
""")
        self.parent.acknowledgementText = _("""
Made by the RadiomicsPersona contributors. The page Method of the documentation names the publications that it rests on.
""")


#
# RadiomicsPersonaTrainingWidget
#


class RadiomicsPersonaTrainingWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    """Uses ScriptedLoadableModuleWidget base class, available at:
    https://github.com/Slicer/Slicer/blob/main/Base/Python/slicer/ScriptedLoadableModule.py
    """

    def __init__(self, parent=None) -> None:
        """Called when the user opens the module the first time and the widget is initialized."""
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)
        self.logic = None

    def setup(self) -> None:
        ScriptedLoadableModuleWidget.setup(self)
        self.logic = RadiomicsPersonaTrainingLogic()
        place = self.place = Workplace(self.logic.questions, self.logic.jobs)

        uiWidget = qt.QWidget()
        layout = qt.QVBoxLayout(uiWidget)
        self.projectEdit = named(
            qt.QLineEdit(), _("Folder of this project: split, settings, trainings and what they need."), _("Project")
        )
        self.projectEdit.readOnly = True
        self.projectButton = push(
            _("Pro&ject..."),
            _("Choose the folder in which everything of this project lies, or a new one."),
            self.onProjectButton,
        )
        layout.addWidget(side_by_side(self.projectEdit, self.projectButton))
        self.projectNote = Note(_("Note on the project"))
        layout.addWidget(self.projectNote.label)
        self.packagesNote = Note(_("Note on packages"))
        layout.addWidget(self.packagesNote.label)
        self.packagesButton = push(_("&Install"), _("Install these packages into Slicer's Python."), self.onPackagesButton)
        layout.addWidget(self.packagesButton)

        self.tabs = named(qt.QTabWidget(), _("The steps of a training."), _("Pages"))
        self.data, self.settings, self.run = DataPage(place), SettingsPage(place), RunPage(place)
        self.results, self.calibrate, self.models = ResultsPage(place), CalibratePage(place), ModelsPage(place)
        self.synthesize = SynthesizePage(place)
        self.pages = [self.data, self.settings, self.run, self.results, self.calibrate, self.synthesize, self.models]
        titles = (_("Data"), _("Settings"), _("Run"), _("Results"), _("Calibrate"), _("Synthesize"), _("Models"))
        # seven tabs are wider than the panel: their titles stand in rows
        self.steps = named(qt.QListWidget(), _("The steps of a training."), _("Pages"))
        self.steps.setFlow(qt.QListView.LeftToRight)
        self.steps.setWrapping(True)
        self.steps.setResizeMode(qt.QListView.Adjust)
        self.steps.setSpacing(2)
        self.tabs.tabBar().hide()
        for page, title in zip(self.pages, titles):
            self.tabs.addTab(page.widget, title)
            self.steps.addItem(title)
        self.steps.setFixedHeight(2 * self.steps.sizeHintForRow(0) + 16)
        self.steps.setCurrentRow(0)
        self.steps.currentRowChanged.connect(lambda row: self.tabs.setCurrentIndex(row))
        self.tabs.currentChanged.connect(lambda index: self.steps.setCurrentRow(index))
        layout.addWidget(self.steps)
        self.tabs.currentChanged.connect(self.onPageChanged)
        layout.addWidget(self.tabs)
        self.activityLabel = named(qt.QLabel(), _("What is being done."), _("Status"))
        self.activityLabel.wordWrap = True
        self.activityLabel.setSizePolicy(qt.QSizePolicy.Ignored, qt.QSizePolicy.Preferred)
        self.stopButton = push(
            _("Sto&p"), _("Give up what is being looked up. A training is not ended by this."), self.logic.questions.cancel
        )
        layout.addWidget(side_by_side(self.activityLabel, self.stopButton))
        self.researchUseLabel = named(
            qt.QLabel(_("Research use only, not a medical device.")), _("What the models are for."), _("Research use")
        )
        layout.addWidget(self.researchUseLabel)
        self.layout.addWidget(uiWidget)
        for page in self.pages:
            page.setMRMLScene(slicer.mrmlScene)

        self.logic.questions.activity = self.onActivity
        place.settings_table = lambda: self.settings.table
        place.show_complaint = self.settings.show_complaint
        place.kinds_of_sources = self.data.kinds_of_sources
        place.on_estimate = lambda answer: self.run.estimateNote.say(
            answer["sentence"] if answer else "", warning=bool(answer) and not answer["fits"]
        )
        self.data.split.changed = lambda: self.settings.show_sources(self.data.kinds_of_sources())
        self.results.installed = self.onModelInstalled
        self.results.deleted = self.run.forget_run
        self.calibrate.installed = self.logic.chooseClassifier
        self.models.removed = self.logic.forgetClassifier
        self.synthesize.to_train = self.settings.take
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.StartCloseEvent, self.onSceneStartClose)
        self._timer = qt.QTimer()
        self._timer.setInterval(REFRESH_MS)
        self._timer.timeout.connect(self.refresh)
        self.onActivity("")
        self.checkPackages()
        self.openProject(self.logic.lastProject())
        self.refresh()

    def cleanup(self) -> None:
        """Called when the application closes and the module widget is destroyed. Trainings go on."""
        self._timer.stop()
        self.removeObservers()
        for page in self.pages:
            page.setMRMLScene(None)
        self.logic.close()

    def enter(self) -> None:
        """Called each time the user opens this module."""
        self.refresh()
        self._timer.start()

    def exit(self) -> None:
        """Called each time the user opens a different module. Trainings go on."""
        self._timer.stop()

    def onSceneStartClose(self, caller, event) -> None:
        """Called just before the scene is closed."""
        for page in self.pages:
            page.forget_scene()

    def refresh(self) -> None:
        """Show what the project's folder holds now; called every second while the module is shown."""
        folder = self.projectEdit.text
        if folder and not os.path.isdir(folder):
            self.projectNote.say(gone(folder))
            return
        if folder and not self.place.project:  # it is back
            self.openProject(folder)
        self.projectNote.say(
            "" if folder else _("Choose a folder for this project; nothing leaves this computer."), warning=False
        )
        self.pages[self.tabs.currentIndex].refresh()

    def onPageChanged(self, index) -> None:
        """Called when the user turns to another page."""
        if self.pages[index] is self.models:
            self.models.show()
        self.refresh()

    def onProjectButton(self) -> None:
        """Choose the project's folder."""
        folder = dialogs.folder(_("Folder of the project"), self.projectEdit.text)
        if folder:
            self.openProject(folder)

    def openProject(self, folder: str) -> None:
        """Open a project and show what it holds; a folder that vanished since is not made anew."""
        if folder == self.logic.lastProject() and not os.path.isdir(folder):
            self.projectEdit.text = folder
            return
        try:
            self.place.open(Path(folder))
        except InputError as error:
            self.projectNote.say(str(error))
            return
        self.projectEdit.text = folder
        self.logic.keepProject(folder)
        for page in self.pages:
            page.open_project()

    def checkPackages(self) -> None:
        """Say which packages are missing and what they take, before anything is installed."""
        missing = packages.missing()
        self.packagesNote.say(packages.offer(missing), warning=False)
        self.packagesButton.visible = bool(missing)

    def onPackagesButton(self) -> None:
        """Install what is missing."""
        try:
            packages.install(self.resourcePath("training-requirements.txt"))
        except InputError as error:
            self.packagesNote.say(str(error))
            return
        self.logic.questions.close()  # the next worker finds the new packages
        self.checkPackages()
        self.onPageChanged(self.tabs.currentIndex)

    def onModelInstalled(self, name: str) -> None:
        """A model was put beside the shipped ones: choose it in the other module."""
        self.models.show(name)
        self.logic.chooseModel(name)

    def onActivity(self, text: str) -> None:
        """Show what the worker is at."""
        waiting = self.logic.questions.waiting
        self.activityLabel.text = text if waiting else ""
        self.stopButton.visible = waiting


#
# RadiomicsPersonaTrainingLogic
#


class RadiomicsPersonaTrainingLogic(ScriptedLoadableModuleLogic):
    """The worker that looks things up, and the trainings, which are processes of their own.

    questions - Requests to the worker; see RadiomicsPersonaTrainingLib.panel_worker for what can be asked.
    jobs - Starts trainings, evaluations and calibrations, which outlive this object and Slicer.

    Uses ScriptedLoadableModuleLogic base class, available at:
    https://github.com/Slicer/Slicer/blob/main/Base/Python/slicer/ScriptedLoadableModule.py
    """

    def __init__(self) -> None:
        """Called when the logic class is instantiated."""
        ScriptedLoadableModuleLogic.__init__(self)
        self.questions = Questions(Child([sys.executable, "-m", "RadiomicsPersonaTrainingLib.panel_worker"], self.environment))
        self.jobs = Jobs(self.environment)

    @staticmethod
    def environment() -> dict:
        """The environment of a process: the one that Slicer was started in, and where the libraries lie."""
        folders = [Path(__file__).resolve().parent, Path(RadiomicsPersonaLib.__file__).resolve().parent.parent]
        return child_environment(slicer.util.startupEnvironment(), os.pathsep.join(dict.fromkeys(map(str, folders))))

    def close(self) -> None:
        """Let go of the worker; trainings go on."""
        self.questions.close()

    @staticmethod
    def lastProject() -> str:
        """The folder that was open last, or an empty text."""
        return slicer.app.userSettings().value(PROJECT_KEY) or ""

    @staticmethod
    def keepProject(folder: str) -> None:
        """Remember the open folder for the next start of Slicer."""
        slicer.app.userSettings().setValue(PROJECT_KEY, folder)

    @staticmethod
    def chooseModel(name: str) -> None:
        """Choose a model in RadiomicsPersona, where a model of this kind can be chosen."""
        from RadiomicsPersona import RadiomicsPersonaLogic  # as it is now: that module can be reloaded

        logic = RadiomicsPersonaLogic()
        if name in dict(logic.models()):
            logic.getParameterNode().model = name

    @staticmethod
    def chooseClassifier(name: str) -> None:
        """Choose a classifier in RadiomicsPersona."""
        from RadiomicsPersona import RadiomicsPersonaLogic  # as it is now: that module can be reloaded

        RadiomicsPersonaLogic().getParameterNode().classifier = name

    @staticmethod
    def forgetClassifier(name: str) -> bool:
        """Have RadiomicsPersona judge by its own classifier where it judged by this one; returns whether it did."""
        from RadiomicsPersona import RadiomicsPersonaLogic  # as it is now: that module can be reloaded

        parameters = RadiomicsPersonaLogic().getParameterNode()
        judged = parameters.classifier == name
        if judged:
            parameters.classifier = DEFAULT
        return judged


#
# RadiomicsPersonaTrainingTest
#


class RadiomicsPersonaTrainingTest(ScriptedLoadableModuleTest):
    """
    What can be checked inside Slicer in a second, without packages; a whole training is tested by the suite in the Testing
    folder. Uses ScriptedLoadableModuleTest base class, available at:
    https://github.com/Slicer/Slicer/blob/main/Base/Python/slicer/ScriptedLoadableModule.py
    """

    def setUp(self):
        """Reset the state by clearing the scene."""
        slicer.mrmlScene.Clear()

    def runTest(self, **kwargs):
        """Run every test."""
        self.setUp()
        self.test_curvesAreFoundAgain()
        self.delayDisplay("Test passed")

    def test_curvesAreFoundAgain(self):
        """The plot of a run is one chart, however often it is drawn."""
        rows = [{"epoch": 0.0, "step": 2.0, "training_loss": 0.5, "validation_mse": 0.9}]
        chart = show_curves({"run": rows})
        self.assertIs(show_curves({"run": rows + [rows[0] | {"step": 4.0}]}), chart)
        self.assertEqual(chart.GetNumberOfPlotSeriesNodes(), 2)
        self.assertEqual(chart.GetNthPlotSeriesNode(0).GetTableNode().GetNumberOfRows(), 2)
