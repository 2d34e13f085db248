"""Calibrate page: the verdict's classifier fitted on boxes whose truth the site knows,
or on lesions painted into healthy scans.
"""

from __future__ import annotations

import json
from pathlib import Path

import qt
import slicer
from slicer.i18n import tr as _

from RadiomicsPersonaLib.analysis.classifier import install_classifier, own_classifiers, refuse_classifier_name
from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaNodes import view
from RadiomicsPersonaTrainingLib.amounts import in_time
from RadiomicsPersonaTrainingLib.runs import heartbeat
from RadiomicsPersonaTrainingLib.runs import state as run_state
from RadiomicsPersonaTrainingLib.verdict.own_box_list import rows_of, write_rows

from . import curves, dialogs, scene
from .form import Note, chosen_keys, fill, folded, labelled, named, push, side_by_side, table
from .page import Page
from .painted_box import PaintedBox


class CalibratePage(Page):
    """The widget of the page.

    Attributes:
        painted: see `PaintedBox`.
        installed: called with a classifier's name when it was put among the user's own.
    """

    def __init__(self, place):
        super().__init__(place)
        self._arrangement, self._shown, self._busy = view.Arrangement(), None, False
        self.installed = lambda name: None
        layout = self.layout
        self.fromComboBox = named(
            qt.QComboBox(),
            _("What the classifier is fitted on; boxes of your own are better where you have them."),
            _("Fitted on"),
        )
        for text in (_("Fitted on boxes of your own"), _("Fitted on lesions painted into healthy scans")):
            self.fromComboBox.addItem(text)
        self.fromComboBox.currentIndexChanged.connect(lambda index: self.show_source())
        layout.addWidget(self.fromComboBox)
        self.painted = PaintedBox(place)
        self.painted.changed = self.show_source
        layout.addWidget(self.painted.widget)
        self.boxesBox, form = folded(
            _("Boxes from the scene"),
            _("ROIs around what is known to be pathological, and around what is known to be healthy."),
            collapsed=False,
        )
        self.scanComboBox = labelled(form, _("Sca&n:"), slicer.qMRMLNodeComboBox(), _("The scan that the boxes are in."))
        self.scanComboBox.nodeTypes = ["vtkMRMLScalarVolumeNode"]
        self.scanComboBox.addEnabled = self.scanComboBox.removeEnabled = False
        self.subjectEdit = labelled(
            form, _("S&ubject:"), qt.QLineEdit(), _("Whose scan it is; empty takes the patient's, without the name.")
        )
        self.sickComboBox = labelled(
            form, _("&Pathological:"), slicer.qMRMLCheckableNodeComboBox(), _("ROIs that are known to be pathological.")
        )
        self.healthyComboBox = labelled(
            form, _("&Healthy:"), slicer.qMRMLCheckableNodeComboBox(), _("ROIs that are known to be healthy.")
        )
        for combo in (self.sickComboBox, self.healthyComboBox):
            combo.nodeTypes = ["vtkMRMLMarkupsROINode"]
        self.addButton = push(_("&Add to the list"), _("Write the scan and its boxes into the project's list."), self.onAdd)
        form.addRow(self.addButton)
        layout.addWidget(self.boxesBox)

        self.listBox, form = folded(_("The list"), _("A table with the columns subject, scan, truth and box."), collapsed=False)
        self.csvButton = push(
            _("&CSV..."), _("Take a list that lies elsewhere: columns subject, scan, truth and box."), self.onCSV
        )
        self.ownButton = push(_("Pr&oject's list"), _("Back to the list of this project."), self.onOwn)
        self.removeButton = push(_("Re&move"), _("Take the chosen lines out of the list."), self.onRemove)
        form.addRow(side_by_side(self.csvButton, self.ownButton, self.removeButton))
        self.listNote = Note(_("The list of boxes"))
        form.addRow(self.listNote.label)
        self.table = table(_("The boxes of the list."), _("Boxes"), [_("Subject"), _("Truth"), _("Scan"), _("Box")])
        form.addRow(self.table)
        layout.addWidget(self.listBox)

        box, form = folded(_("Fit"), _("At least four subjects are needed; twenty are better."), collapsed=False)
        self.nameEdit = labelled(form, _("Na&me:"), qt.QLineEdit("my-site"), _("Of the classifier and its file."))
        self.startButton = push(
            _("&Start"), _("Measure every box and fit the classifier, in a process of its own."), self.onStart
        )
        self.cancelButton = push(_("&Cancel"), _("End it; what was measured is kept for the next time."), self.onCancel)
        self.estimateButton = push(
            _("Estimate &time"), _("Measure one scan, which is kept, and say how long all will take."), self.onEstimate
        )
        form.addRow(side_by_side(self.startButton, self.cancelButton, self.estimateButton))
        self.progressBar = named(qt.QProgressBar(), _("How far the measuring is."), _("Progress"))
        self.progressBar.visible = False
        form.addRow(self.progressBar)
        self.note = Note(_("Note on the calibration"))
        form.addRow(self.note.label)
        self.resultNote = Note(_("The classifier"))
        form.addRow(self.resultNote.label)
        self.reliabilityButton = push(
            _("Show re&liability"),
            _("How often boxes were pathological that got a probability, in subjects that were left out."),
            lambda: None,
        )
        self.reliabilityButton.checkable = True
        self.reliabilityButton.toggled.connect(self.onReliability)
        self.useButton = push(
            _("&Use this classifier in RadiomicsPersona"),
            _("Put it among your own classifiers, and have the analysis judge by it."),
            self.onUse,
        )
        form.addRow(self.reliabilityButton)
        form.addRow(self.useButton)
        self.useNote = Note(_("Note on the classifier's use"))
        form.addRow(self.useNote.label)
        layout.addWidget(box)
        layout.addStretch(1)
        self._list = None
        self.show_list()
        self.show_source()

    def setMRMLScene(self, mrmlScene) -> None:
        """Hand the scene on."""
        for combo in (self.scanComboBox, self.sickComboBox, self.healthyComboBox):
            combo.setMRMLScene(mrmlScene)

    @property
    def listFile(self) -> Path | None:
        """The file of the boxes."""
        return self._list or (self.place.project.calibration / scene.BOXES if self.place.project else None)

    @property
    def output(self) -> Path | None:
        """The classifier's file."""
        return (
            self.place.project.calibration / f"{self.nameEdit.text.strip() or 'my-site'}.json" if self.place.project else None
        )

    def open_project(self) -> None:
        """Show the project's list."""
        self._list, self._shown = None, None
        self.show_list()
        self.refresh()

    def show_list(self) -> None:
        """Fill the table."""
        rows = []
        self.listNote.say("")
        try:
            rows = rows_of(self.listFile) if self.listFile else []
        except InputError as error:
            self.listNote.say(str(error))
        fill(
            self.table,
            [tuple(row.get(key) or "" for key in ("subject", "truth", "scan", "box")) for row in rows],
            list(range(len(rows))),
        )
        if rows and not self.listNote.text:
            subjects = {row.get("subject") for row in rows}
            self.listNote.say(
                _("{file}: {lines}, {subjects}.").format(
                    file=self.listFile,
                    lines=_("1 line") if len(rows) == 1 else _("{count} lines").format(count=len(rows)),
                    subjects=_("1 subject") if len(subjects) == 1 else _("{count} subjects").format(count=len(subjects)),
                ),
                warning=False,
            )
        self.startButton.enabled = self._is_ready
        self.removeButton.enabled = bool(rows) and self._list is None

    @property
    def from_painted(self) -> bool:
        """Whether lesions are painted, instead of boxes of the user's own."""
        return self.fromComboBox.currentIndex == 1

    def show_source(self) -> None:
        """Show what belongs to the kind of boxes that is chosen."""
        self.painted.widget.visible = self.estimateButton.visible = self.from_painted
        self.boxesBox.visible = self.listBox.visible = not self.from_painted
        self.note.say("")
        self.startButton.enabled = self.estimateButton.enabled = self._is_ready

    def onAdd(self) -> None:
        """Put the chosen boxes into the list."""
        volume = self.scanComboBox.currentNode()
        sick, healthy = list(self.sickComboBox.checkedNodes()), list(self.healthyComboBox.checkedNodes())
        twice = [roi for roi in sick if roi in healthy]
        if not volume or not (sick or healthy):
            self.listNote.say(_("Choose a scan and check at least one ROI."))
            return
        if twice:
            self.listNote.say(
                _("'{name}' cannot be both pathological and healthy: uncheck it in one of the lists.").format(
                    name=twice[0].GetName()
                )
            )
            return
        try:
            self.place.opened()
            pairs = [(roi, "pathological") for roi in sick] + [(roi, "healthy") for roi in healthy]
            scene.add_own_boxes(volume, pairs, self.subjectEdit.text.strip(), self.place.project.calibration)
        except InputError as error:
            self.listNote.say(str(error))
            return
        for combo in (self.sickComboBox, self.healthyComboBox):
            for roi in combo.checkedNodes():
                combo.uncheck(roi)
        self._list = None
        self.show_list()

    def onCSV(self) -> None:
        """Take another list."""
        file = dialogs.file(_("List of boxes"), "", _("Table (*.csv)"))
        if file:
            self._list = Path(file)
            self.show_list()

    def onOwn(self) -> None:
        """Back to the project's list."""
        self._list = None
        self.show_list()

    def onRemove(self) -> None:
        """Take lines out of the project's list."""
        chosen = set(chosen_keys(self.table))
        try:
            write_rows(self.listFile, [row for number, row in enumerate(rows_of(self.listFile)) if number not in chosen])
        except InputError as error:
            self.listNote.say(str(error))
            return
        self.show_list()

    def onStart(self) -> None:
        """Fit."""
        self.note.say("")
        try:
            self.place.jobs.start(self._arguments(), self._log)
        except (InputError, OSError) as error:
            self.note.say(str(error))
            return
        self._shown, self._busy = None, True
        self.refresh()

    def onEstimate(self) -> None:
        """Say how long the measuring of painted lesions takes."""
        try:
            arguments = [*self._arguments(), "--estimate"]
        except (InputError, OSError) as error:
            self.note.say(str(error))
            return
        request = {"kind": "command", "arguments": arguments}
        self.place.questions.ask(
            request, lambda answer: self.note.say(answer["text"].strip(), warning=False), self.note.say, "estimate"
        )

    def onUse(self) -> None:
        """Put the classifier where the analysis finds it."""
        name, file = self.output.stem, self.output
        there = own_classifiers() / file.name
        try:
            other = there.is_file() and there.read_bytes() != file.read_bytes()
            if other and not dialogs.confirmed(
                _("Use the classifier"), _("Another classifier is called '{name}' already: replace it?").format(name=name)
            ):
                return
            install_classifier(file, name)
        except (InputError, OSError) as error:
            self.useNote.say(str(error))
            return
        self.useNote.say(
            _("'{name}' is now among the classifiers of RadiomicsPersona, and chosen there.").format(name=name), warning=False
        )
        self.installed(name)

    def onCancel(self) -> None:
        """End it; one that is only starting is ended at once."""
        if self.place.jobs.is_starting(self._log) and not heartbeat.is_running(self._base):
            self.place.jobs.end(self._log)
            self._busy = False  # it had not begun, and says nothing itself
            self.refresh()
            self.note.say(_("Cancelled."), warning=False)
            return
        try:
            heartbeat.ask_to_stop(self._base)
        except InputError as error:
            self.note.say(str(error))

    def onReliability(self, checked) -> None:
        """Show the plot."""
        measured = self._measured()
        if not checked or not measured:
            self._arrangement.give_back()
            return
        view.show_chart(self._arrangement, curves.show_reliability(self.output.stem, measured.get("reliability", [])))

    def refresh(self) -> None:
        """Show what the folder holds now."""
        if self.place.project is None:
            for button in (self.cancelButton, self.reliabilityButton, self.useButton):
                button.enabled = False
            return
        running = heartbeat.is_running(self._base)
        busy = running or self.place.jobs.is_starting(self._log)
        self.cancelButton.enabled = busy
        self.startButton.enabled = self.estimateButton.enabled = not busy and self._is_ready
        self.progressBar.visible = busy
        told = heartbeat.told_by(self._base)
        if busy:
            self.progressBar.maximum, self.progressBar.value = told.get("total", 0), told.get("done", 0)
            left = _("; about {time} left").format(time=in_time(told["left"])) if told.get("left") else ""
            self.note.say(_("Measuring {what}{left}").format(what=told.get("what", ""), left=left), warning=False)
        elif self._busy:
            cancelled = told.get("ended") == heartbeat.CANCELLED
            self.note.say(
                _("Cancelled; it goes on from there.")
                if cancelled
                else self.place.jobs.refusal(self._log) or told.get("sentence", ""),
                not cancelled,
            )
        self._busy = busy
        measured = self._measured()
        self.reliabilityButton.enabled = self.useButton.enabled = bool(measured)
        if measured != self._shown:
            self._shown = measured
            self.resultNote.say(text_of_fit(measured, self.output) if measured else "", warning=False)
            if self.reliabilityButton.checked:
                self.onReliability(True)

    def forget_scene(self) -> None:
        """The scene is closed."""
        self._arrangement.give_back()
        self.reliabilityButton.checked = False

    def _arguments(self) -> list[str]:
        """Of the command; the project's folder is made ready.

        Raises:
            InputError: there is no project, or the name cannot be used.
            OSError: the folder cannot be made.
        """
        self.place.opened()
        name = self.nameEdit.text.strip() or "my-site"
        refuse_classifier_name(name)
        self.output.parent.mkdir(parents=True, exist_ok=True)
        source = self.painted.arguments if self.from_painted else ["--boxes", str(self.listFile)]
        return ["calibrate", *source, "--name", name, "--output", str(self.output)]

    @property
    def _is_ready(self) -> bool:
        return self.painted.is_ready if self.from_painted else self.table.rowCount > 0

    @property
    def _base(self) -> Path:
        return self.output.with_name(f"{self.output.stem}-alive")

    @property
    def _log(self) -> Path:
        return self.output.with_name(f"{self.output.stem}-{run_state.OUTPUT}")

    def _measured(self) -> dict:
        """How well the classifier does on subjects that were left out; empty without one."""
        try:
            return json.loads(self.output.read_text(encoding="utf-8"))["about"]["cross_validation"]
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return {}


def text_of_fit(measured: dict, output: Path) -> str:
    """What a classifier was fitted on, and how well it does on subjects that were left out.

    Args:
        measured: its cross-validation.
        output: its file.
    """
    return _(
        "{file}: {subjects} subjects, {lesions} pathological boxes and {healthy} healthy ones. On subjects that were left "
        "out: AUROC {auroc:.2f}, Brier score {brier:.2f} (0.25 knows nothing), slope of the log odds {slope:.2f} before they "
        "were recalibrated."
    ).format(
        file=output,
        subjects=measured["subjects"],
        lesions=measured["lesions"],
        healthy=measured["boxes"] - measured["lesions"],
        auroc=measured["auroc_mean_over_subjects"],
        brier=measured["brier"],
        slope=measured["slope"],
    )
