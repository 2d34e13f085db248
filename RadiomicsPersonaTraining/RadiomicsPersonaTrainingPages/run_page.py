"""Run page: start, cancel and resume a training, and watch it; all that is shown is read from the run's folder."""

from __future__ import annotations

import shutil

import qt
from slicer.i18n import tr as _

from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaNodes import view
from RadiomicsPersonaTrainingLib.amounts import in_bytes, in_time
from RadiomicsPersonaTrainingLib.runs import heartbeat
from RadiomicsPersonaTrainingLib.runs import state as run_state

from . import curves
from .form import PICTURE_WIDTH, Note, choose, chosen_keys, fill, folded, labelled, named, push, side_by_side, table
from .page import Page

WAIT_BEFORE_KILL = 30
"""Looks, one per second, at a training that was asked to stop until it may be ended by force."""


class RunPage(Page):
    """The widget of the page.

    Attributes:
        run: folder of the run that is shown, or None.
    """

    def __init__(self, place):
        super().__init__(place)
        self.run = None
        self._arrangement, self._waited, self._starting, self._shown_picture = view.Arrangement(), 0, False, None
        layout = self.layout
        top = qt.QWidget()
        form = qt.QFormLayout(top)
        self.nameEdit = labelled(form, _("&Name of the run:"), qt.QLineEdit("run"), _("Of its folder in the project."))
        layout.addWidget(top)
        self.startButton = push(
            _("&Start"), _("Begin a training with the present split and settings, in a process of its own."), self.onStart
        )
        self.cancelButton = push(
            _("&Cancel"), _("End the training; the best checkpoint is kept, and it can go on later."), self.onCancel
        )
        self.resumeButton = push(_("&Resume"), _("Go on from the end of the last epoch."), self.onResume)
        self.killButton = push(
            _("End &by force"), _("It did not end when it was asked to: end its process. What was kept stays."), self.onKill
        )
        self.killButton.visible = False
        layout.addWidget(side_by_side(self.startButton, self.cancelButton, self.resumeButton, self.killButton))
        self.startNote = Note(_("Note on the start"))
        layout.addWidget(self.startNote.label)
        self.estimateNote = Note(_("Disk space and time"))
        layout.addWidget(self.estimateNote.label)
        self.progressBar = named(qt.QProgressBar(), _("How far the training is."), _("Progress"))
        self.progressNote, self.stateNote = Note(_("What the training is at")), Note(_("State of the run"))
        for widget in (self.progressBar, self.progressNote.label, self.stateNote.label):
            layout.addWidget(widget)
        self.runsTable = table(
            _("The runs of this project. Choose one to see it."),
            _("Runs"),
            [_("Run"), _("State"), _("Step"), _("Best validation")],
        )
        self.runsTable.setSelectionMode(qt.QAbstractItemView.SingleSelection)
        self.runsTable.itemSelectionChanged.connect(self.onRunChosen)
        layout.addWidget(self.runsTable)
        self.curvesButton = push(
            _("Show c&urves"), _("Loss and validation in a plot view, while the training goes on."), lambda: None
        )
        self.curvesButton.checkable = True
        self.curvesButton.toggled.connect(self.onCurves)
        layout.addWidget(self.curvesButton)
        self.picture = named(qt.QLabel(), _("Held-out samples: input, the network's answer, truth."), _("Example pictures"))
        self.picture.alignment = qt.Qt.AlignHCenter
        layout.addWidget(self.picture)
        box, form = folded(_("Log"), _("The last lines that the training has printed."))
        self.log = named(qt.QPlainTextEdit(), _("The last lines that the training has printed."), _("Log"))
        self.log.readOnly = True
        form.addRow(self.log)
        layout.addWidget(box)
        layout.addStretch(1)

    def open_project(self) -> None:
        """Show the run that is at work, or the newest."""
        states = self.place.project.states()
        at_work = [state for state in states if state.at_work]
        self.run = (at_work or states)[-1].folder if states else None
        self.nameEdit.text = self.place.project.free_name("run")
        self.refresh()

    def refresh(self) -> None:
        """Show what the folders hold now; called every second."""
        project = self.place.project
        if project is None:
            self._show_nothing()
            return
        states = project.states()
        rows = [(s.folder.name, s.state, s.steps or "", "" if s.best is None else f"{s.best:.4f}") for s in states]
        fill(self.runsTable, rows, [s.folder.name for s in states])
        names = [s.folder for s in states]
        if self.run in names and chosen_keys(self.runsTable) != [self.run.name]:
            self.runsTable.blockSignals(True)
            choose(self.runsTable, names.index(self.run))
            self.runsTable.blockSignals(False)
        state = run_state.state_of(self.run) if self.run else None
        if state is None:
            self._show_nothing()
            return
        self._show(state)
        if self.curvesButton.checked:
            curves.show_curves({self.run.name: run_state.curves_of(self.run)})

    def onStart(self) -> None:
        """Begin a training."""
        self.startNote.say("")
        table_ = self.place.settings_table()
        try:
            project = self.place.opened()
            project.refuse_second_training()
            if self.place.estimate and not self.place.estimate["fits"]:
                raise InputError(self.place.estimate["sentence"])
            settings = project.new_run(self.nameEdit.text.strip())
        except InputError as error:
            self.startNote.say(str(error))
            return
        request = {"kind": "write", "table": table_, "file": str(settings)}
        self.place.questions.ask(
            request, lambda answer: self._launch(settings.parent, False), lambda text: self._not_written(settings.parent, text)
        )

    def onResume(self) -> None:
        """Go on with the run that is shown; from the beginning where it had not finished an epoch."""
        self.startNote.say("")
        try:
            self.place.project.refuse_second_training()
            if not (self.run / run_state.SETTINGS).is_file():
                sentence = _("'{name}' was not begun by this module: go on with radiomics-persona-train fit, with --resume.")
                raise InputError(sentence.format(name=self.run.name))
        except InputError as error:
            self.startNote.say(str(error))
            return
        if not (self.run / run_state.RECORD).is_file():
            self._launch(self.run, False)
            return
        # a run of another version is told before anything is touched
        request = {"kind": "record", "run": str(self.run)}
        self.place.questions.ask(
            request, lambda answer: self._launch(self.run, (self.run / run_state.LAST).is_file()), self.startNote.say
        )

    def onCancel(self) -> None:
        """Ask the training to end; one that is only starting is ended at once."""
        output = self.run / run_state.OUTPUT
        if self.place.jobs.is_starting(output) and not heartbeat.is_running(self.run / heartbeat.NAME):
            self.place.jobs.end(output)
            self.refresh()
            return
        try:
            heartbeat.ask_to_stop(self.run / heartbeat.NAME)
        except InputError as error:
            self.startNote.say(str(error))
            return
        self._waited = 1
        self.stateNote.say(_("Ending; what was learnt up to the last epoch is kept."), warning=False)

    def onKill(self) -> None:
        """End the process."""
        try:
            heartbeat.kill(self.run / heartbeat.NAME)
        except InputError as error:
            self.startNote.say(str(error))

    def onRunChosen(self) -> None:
        """Show another run."""
        chosen = chosen_keys(self.runsTable)
        if chosen and self.place.project:
            self.run = self.place.project.runs / chosen[0]
            self.startNote.say("")
            self.refresh()

    def onCurves(self, checked) -> None:
        """Show the curves in a layout that has room for them, or the user's own layout again."""
        if not checked:
            self._arrangement.give_back()
        elif self.run:
            view.show_chart(self._arrangement, curves.show_curves({self.run.name: run_state.curves_of(self.run)}))

    def forget_run(self, run) -> None:
        """A run was deleted: show the newest instead."""
        if run == self.run:
            self.open_project()

    def forget_scene(self) -> None:
        """The scene is closed: its nodes and its layout are gone."""
        self._arrangement.give_back()
        self.curvesButton.checked = False

    def _launch(self, run, resume: bool) -> None:
        arguments = ["fit", str(run / run_state.SETTINGS), "--output", str(run), "--cache", str(self.place.project.cache)]
        try:
            self.place.jobs.start(arguments + (["--resume"] if resume else []), run / run_state.OUTPUT)
        except InputError as error:
            self.startNote.say(str(error))
            return
        self.run, self._waited, self._starting = run, 0, True
        self.nameEdit.text = self.place.project.free_name("run")
        self.refresh()

    def _not_written(self, run, text: str) -> None:
        """The settings were refused: the run was never begun."""
        if text:
            if run.is_dir() and not (run / run_state.SETTINGS).is_file():
                shutil.rmtree(run, ignore_errors=True)
            self.startNote.say(text)
            self.place.show_complaint(text)

    def _show(self, state) -> None:
        output = self.run / run_state.OUTPUT
        starting = self.place.jobs.is_starting(output) and not state.at_work
        busy = starting or state.at_work
        if self._starting and not starting:
            self._starting = False
            # what was refused before the training could tell it itself
            refusal = "" if busy else self.place.jobs.refusal(output)
            self.startNote.say(refusal if refusal != state.sentence else "")
        self.startButton.enabled, self.curvesButton.enabled = not busy, True
        self.cancelButton.enabled = busy and self._waited == 0
        self.resumeButton.enabled = not busy and state.state not in (run_state.FINISHED, run_state.GONE)
        self._waited = self._waited + 1 if busy and self._waited else 0
        self.killButton.visible = busy and (self._waited > WAIT_BEFORE_KILL or state.state == run_state.SILENT)
        self.progressBar.visible = busy
        self.progressBar.maximum = state.total if state.at_work else 0
        self.progressBar.value = state.done if state.at_work else 0
        self.progressNote.say(
            _("Starting; the libraries take a moment to load.") if starting else _progress(state) if busy else "", warning=False
        )
        if starting:
            self.stateNote.say("")
        elif not (busy and self._waited):
            self.stateNote.say(
                state.sentence,
                warning=state.state in (run_state.REFUSED, run_state.BROKEN_OFF, run_state.SILENT, run_state.GONE),
            )
        self._show_picture(run_state.picture_of(self.run))
        text = run_state.end_of_log(self.run)
        if self.log.plainText != text:
            self.log.setPlainText(text)
            self.log.verticalScrollBar().value = self.log.verticalScrollBar().maximum

    def _show_picture(self, picture) -> None:
        if picture == self._shown_picture:
            return
        self._shown_picture = picture
        image = qt.QPixmap(str(picture)) if picture else qt.QPixmap()
        if not image.isNull():
            image = image.scaledToWidth(min(PICTURE_WIDTH, image.width()), qt.Qt.SmoothTransformation)
        self.picture.setPixmap(image)

    def _show_nothing(self) -> None:
        for button in (self.cancelButton, self.resumeButton):
            button.enabled = False
        self.curvesButton.enabled = self.curvesButton.checked
        self.startButton.enabled = True
        self.progressBar.visible = False
        for note in (self.progressNote, self.stateNote):
            note.say("")
        self._show_picture(None)


def _progress(state) -> str:
    """What a training is at, in a line."""
    parts = [_("{what}: {done} of {total}").format(what=state.what, done=state.done, total=state.total)] if state.total else []
    parts += [_("about {time} left").format(time=in_time(state.seconds_left))] if state.seconds_left is not None else []
    parts += [_("{size} of memory").format(size=in_bytes(state.memory))] if state.memory else []
    if state.gpu_memory and state.gpu_total:
        taken, total = in_bytes(state.gpu_memory), in_bytes(state.gpu_total)
        parts.append(_("{taken} of the GPU's {total} taken").format(taken=taken, total=total))
    return "; ".join(parts)
