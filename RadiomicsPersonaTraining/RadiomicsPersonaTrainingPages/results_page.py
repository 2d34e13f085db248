"""Results page: what the runs are worth, beside each other; their worst cases in the slice views; and what becomes of them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import qt
import slicer
from slicer.i18n import tr as _

from RadiomicsPersonaLib.card import RECONSTRUCTION_KIND
from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaNodes import view
from RadiomicsPersonaTrainingLib import alive, run_state
from RadiomicsPersonaTrainingLib.amounts import in_bytes, in_time
from RadiomicsPersonaTrainingLib.model_archive import taken_by_itself

from . import curves, dialogs, scene
from .form import Note, chosen_keys, fill, folded, labelled, named, push, side_by_side, table
from .page import Page

ALL = "all cuboids"
"""What an evaluation calls its cuboids of all sizes."""


class ResultsPage(Page):
    """The widget of the page.

    Attributes:
        installed: called with a model's name when it was put beside the shipped ones.
    """

    def __init__(self, place):
        super().__init__(place)
        self.installed = lambda name: None
        self._arrangement, self._worst, self._tables_of, self._sizes, self._evaluating = view.Arrangement(), [], None, {}, None
        layout = self.layout
        self.runsTable = table(
            _("The runs beside each other; choose one, or several to compare them. The ratio is the squared error as a share of the best simple fill's."),
            _("Runs"), [_("Run"), _("Task"), _("State"), _("Step"), _("Best validation"), _("Ratio"), _("Size")])
        self.runsTable.itemSelectionChanged.connect(self.onChosen)
        layout.addWidget(self.runsTable)
        self.curvesButton = push(_("Compare c&urves"), _("Loss and validation of the chosen runs in one plot."), lambda: None)
        self.ratiosButton = push(_("Compare &errors"), _("What the chosen runs leave of the best simple fill's error, by kind of hole."), lambda: None)
        for button, slot in ((self.curvesButton, self.onCurves), (self.ratiosButton, self.onRatios)):
            button.checkable = True
            button.toggled.connect(slot)
        layout.addWidget(side_by_side(self.curvesButton, self.ratiosButton))
        self.note = Note(_("Note on the runs"))
        layout.addWidget(self.note.label)

        box, form = folded(_("Evaluation"), _("Measured on the test scans of the run's own split."), collapsed=False)
        self.boxesSpinBox = labelled(form, _("&Holes per scan and size:"), qt.QSpinBox(), _("More holes take longer and give narrower intervals."))
        self.boxesSpinBox.setRange(1, 20)
        self.boxesSpinBox.value = 2
        self.evaluateButton = push(_("E&valuate"), _("Measure the run's best checkpoint, in a process of its own."), self.onEvaluate)
        self.stopButton = push(_("&Cancel"), _("End the evaluation; it goes on from there the next time."), self.onStop)
        self.reportButton = push(_("Open re&port"), _("The page with all tables, plots and pictures, in the browser."), self.onReport)
        form.addRow(side_by_side(self.evaluateButton, self.stopButton, self.reportButton))
        self.evaluationNote = Note(_("Note on the evaluation"))
        form.addRow(self.evaluationNote.label)
        self.tables = named(qt.QTextBrowser(), _("The tables of the evaluation."), _("Tables of the evaluation"))
        self.tables.setMinimumHeight(180)
        form.addRow(self.tables)
        self.worstTable = table(
            _("Click on one: the scan with what was rebuilt over it in the slice views."), _("Worst cases"),
            [_("Scan"), _("Hole"), _("ml"), _("Error"), _("SSIM")])
        self.worstTable.setSelectionMode(qt.QAbstractItemView.SingleSelection)
        self.worstTable.cellClicked.connect(lambda line, column: self.openCase(line))
        form.addRow(self.worstTable)
        self.caseNote = Note(_("Note on the case"))
        form.addRow(self.caseNote.label)
        layout.addWidget(box)

        box, form = folded(_("Use and delete"), _("What becomes of the chosen run."), collapsed=False)
        self.nameEdit = labelled(form, _("&Model's name:"), qt.QLineEdit(), _("What the model is called in RadiomicsPersona."))
        self.useButton = push(_("Use this &model in RadiomicsPersona"), _("Export the best checkpoint with its card beside the shipped models."), self.onUse)
        self.exportButton = push(_("E&xport..."), _("Write weights and card into a folder of your choice."), self.onExport)
        form.addRow(side_by_side(self.useButton, self.exportButton))
        self.scanComboBox = labelled(form, _("Sca&n:"), slicer.qMRMLNodeComboBox(), _("A loaded scan to try the run on before it is exported."))
        self.scanComboBox.nodeTypes = ["vtkMRMLScalarVolumeNode"]
        self.boxComboBox = labelled(form, _("&Box:"), slicer.qMRMLNodeComboBox(), _("An ROI whose inside is rebuilt."))
        self.boxComboBox.nodeTypes = ["vtkMRMLMarkupsROINode"]
        for combo in (self.scanComboBox, self.boxComboBox):
            combo.addEnabled = combo.removeEnabled = False
            combo.noneEnabled = True
        self.predictButton = push(_("Pre&dict"), _("Rebuild the box with the run's best checkpoint, before it is exported."), self.onPredict)
        self.deleteButton = push(_("De&lete..."), _("Remove the chosen runs with all their checkpoints."), self.onDelete)
        form.addRow(side_by_side(self.predictButton, self.deleteButton))
        self.useNote = Note(_("Note on the model"))
        form.addRow(self.useNote.label)
        layout.addWidget(box)
        layout.addStretch(1)

    def setMRMLScene(self, mrmlScene) -> None:
        """Hand the scene on."""
        for combo in (self.scanComboBox, self.boxComboBox):
            combo.setMRMLScene(mrmlScene)

    @property
    def chosen(self) -> list:
        """Folders of the chosen runs."""
        return [self.place.project.runs / name for name in chosen_keys(self.runsTable)] if self.place.project else []

    @property
    def run(self):
        """The one run that is chosen, or None."""
        return self.chosen[0] if len(self.chosen) == 1 else None

    def open_project(self) -> None:
        """Show the runs of the project."""
        self._tables_of = None
        self.refresh()

    def refresh(self) -> None:
        """Show what the folders hold now."""
        if self.place.project is None:
            return
        states = self.place.project.states()
        rows = []
        for state in states:
            ratios = ratios_in(state.folder / run_state.EVALUATION)
            overall = [value for kind, value in ratios.items() if kind.endswith(ALL)] or list(ratios.values())
            mean = sum(overall) / len(overall) if overall else None
            rows.append((
                state.folder.name, state.kind, state.state, state.steps or "", "" if state.best is None else f"{state.best:.4f}",
                "" if mean is None else f"{mean:.2f}", in_bytes(self._size(state)),
            ))
        fill(self.runsTable, rows, [state.folder.name for state in states])
        if states and not self.chosen and self.runsTable.rowCount:
            self.runsTable.selectRow(len(states) - 1)
        self._show_run()

    def onChosen(self) -> None:
        """Other runs were chosen."""
        for note in (self.note, self.caseNote, self.useNote, self.evaluationNote):
            note.say("")
        self._show_run()
        if self.curvesButton.checked:
            self.onCurves(True)
        if self.ratiosButton.checked:
            self.onRatios(True)

    def onCurves(self, checked) -> None:
        """Compare the curves of the chosen runs."""
        if checked:
            self._release(self.ratiosButton)
            view.show_chart(self._arrangement, curves.show_curves({run.name: run_state.curves_of(run) for run in self.chosen}))
        else:
            self._arrangement.give_back()

    def onRatios(self, checked) -> None:
        """Compare the evaluations of the chosen runs."""
        if not checked:
            self._arrangement.give_back()
            return
        found = {run.name: ratios for run in self.chosen if (ratios := ratios_in(run / run_state.EVALUATION))}
        if not found:
            self._release(self.ratiosButton)
            self.note.say(_("None of the chosen runs has been evaluated yet: evaluate one below."))
            return
        self._release(self.curvesButton)
        view.show_chart(self._arrangement, curves.show_ratios(found))

    def onEvaluate(self) -> None:
        """Start an evaluation."""
        if self.run is None:
            return
        folder = self.run / run_state.EVALUATION
        request = {"kind": "record", "run": str(self.run)}
        arguments = ["evaluate", str(self.run), "--boxes", str(self.boxesSpinBox.value), "--output", str(folder)]

        def start(answer):
            try:
                folder.mkdir(exist_ok=True)
                self.place.jobs.start(arguments, folder / run_state.OUTPUT)
            except (InputError, OSError) as error:
                self.evaluationNote.say(str(error))
                return
            self._tables_of, self._evaluating = None, self.run
            self.refresh()

        self.place.questions.ask(request, start, self.evaluationNote.say)

    def onStop(self) -> None:
        """End the evaluation."""
        if self.run:
            try:
                alive.ask_to_stop(self.run / run_state.EVALUATION / alive.NAME)
            except InputError as error:
                self.evaluationNote.say(str(error))

    def onReport(self) -> None:
        """Open the page of the evaluation."""
        folder = self.run / run_state.EVALUATION
        file = next(folder / name for name in ("report.html", "evaluation.md") if (folder / name).is_file())
        qt.QDesktopServices.openUrl(qt.QUrl.fromLocalFile(str(file)))

    def openCase(self, line: int) -> None:
        """Show one of the worst cases in the slice views."""
        if self.run is None or line >= len(self._worst):
            return
        row, evaluation = self._worst[line], self.run / run_state.EVALUATION
        name = _("{subject}, {hole}").format(subject=row["subject"], hole=row["stratum"])
        request = {"kind": "case", "run": str(self.run), "evaluation": str(evaluation), "row": row, "folder": str(evaluation / "case")}
        self.place.questions.ask(
            request, lambda answer: scene.show_case(answer["scan"], answer["rebuilt"], answer["center"], name), self.caseNote.say, "case")

    def onUse(self) -> None:
        """Put the model beside the shipped ones and choose it in the other module."""
        name = self.nameEdit.text.strip()
        request = {"kind": "use", "run": str(self.run), "name": name}
        self.place.questions.ask(request, lambda answer: self._used(name), self.useNote.say)

    def onExport(self) -> None:
        """Write the model somewhere."""
        folder = dialogs.folder(_("Folder for the model"))
        if folder and self.run:
            target = Path(folder) / (self.nameEdit.text.strip() or self.run.name)
            request = {"kind": "command", "arguments": ["export", str(self.run), "--output", str(target)]}
            said = _("Written: {file}").format(file=target.with_name(f"{target.name}.json"))
            self.place.questions.ask(request, lambda answer: self.useNote.say(said, warning=False), self.useNote.say)

    def onPredict(self) -> None:
        """Rebuild a box with a run that is not exported."""
        volume, roi = self.scanComboBox.currentNode(), self.boxComboBox.currentNode()
        if not volume or not roi:
            self.useNote.say(_("Choose a scan and a box to rebuild."))
            return
        folder = self.run / "predicted"
        try:
            folder.mkdir(exist_ok=True)
            box = scene.chosen_box(roi, volume)
            scene.write_volume(volume, folder / "scan.nii.gz")
        except (InputError, OSError) as error:
            self.useNote.say(str(error))
            return
        name = _("{scan} rebuilt by {run}").format(scan=volume.GetName(), run=self.run.name)
        request = {"kind": "predict", "run": str(self.run), "scan": str(folder / "scan.nii.gz"), "boxes": [box], "output": str(folder / "rebuilt.nii.gz")}

        def done(answer):
            scene.volume_like(str(folder / "rebuilt.nii.gz"), volume, name)
            shutil.rmtree(folder, ignore_errors=True)
            self.useNote.say("\n".join([_("'{name}' is in the scene.").format(name=name), *answer["notes"]]), warning=bool(answer["notes"]))

        self.place.questions.ask(request, done, self.useNote.say)

    def onDelete(self) -> None:
        """Remove the chosen runs, after asking."""
        chosen = self.chosen
        size = in_bytes(sum(run_state.size_of(run) for run in chosen))
        names = ", ".join(run.name for run in chosen)
        if not chosen or not dialogs.confirmed(
            _("Delete runs"), _("Delete {names}? This frees {size} and cannot be undone; exported models stay.").format(names=names, size=size)
        ):
            return
        freed = 0
        try:
            for run in chosen:
                freed += run_state.delete_run(run)
        except InputError as error:
            self.note.say(str(error))
            return
        self.refresh()
        self.note.say(_("Deleted {names}; {size} are free again.").format(names=names, size=in_bytes(freed)), warning=False)

    def forget_scene(self) -> None:
        """The scene is closed."""
        self._arrangement.give_back()
        self._release(self.curvesButton, self.ratiosButton)

    def _used(self, name: str) -> None:
        said = _("'{name}' is now among the models of RadiomicsPersona.").format(name=name)
        kind = run_state.state_of(self.run).kind if self.run else RECONSTRUCTION_KIND
        self.useNote.say(said + (_(" The analysis takes it by itself, in place of the shipped one.") if taken_by_itself(kind) else ""), warning=False)
        self.installed(name)

    def _show_run(self) -> None:
        run = self.run
        has_best = bool(run) and (run / run_state.BEST).is_file()
        folder = run / run_state.EVALUATION if run else None
        busy = bool(run) and (alive.is_running(folder / alive.NAME) or self.place.jobs.is_starting(folder / run_state.OUTPUT))
        self.evaluateButton.enabled = has_best and not busy
        self.stopButton.enabled = busy
        self.reportButton.enabled = bool(run) and any((folder / name).is_file() for name in ("report.html", "evaluation.md"))
        for button in (self.useButton, self.exportButton, self.predictButton):
            button.enabled = has_best
        self.deleteButton.enabled = bool(self.chosen)
        if run and not self.nameEdit.modified:
            self.nameEdit.text = run.name
            self.nameEdit.modified = False
        if busy:
            told = alive.told_by(folder / alive.NAME)
            left = _(", about {time} left").format(time=in_time(told["left"])) if told.get("left") else ""
            self.evaluationNote.say(_("Evaluating: {what} {done} of {total}{left}").format(
                what=told.get("what", ""), done=told.get("done", 0), total=told.get("total", 0), left=left), warning=False)
        elif run and self._evaluating == run:
            told = alive.told_by(folder / alive.NAME)
            cancelled = told.get("ended") == alive.CANCELLED
            refusal = self.place.jobs.refusal(folder / run_state.OUTPUT)
            self.evaluationNote.say(_("Cancelled; it goes on from there.") if cancelled else refusal or told.get("sentence", ""), warning=not cancelled)
        self._evaluating = run if busy else None
        self._show_tables(run, folder, busy)

    def _show_tables(self, run, folder, busy: bool) -> None:
        """The tables and the worst cases, read again when they have changed."""
        file = folder / "evaluation.md" if folder else None
        state = (run, file.stat().st_mtime_ns if file and file.is_file() else None)
        if state == self._tables_of or busy:
            return
        self._tables_of = state
        self.tables.setMarkdown(file.read_text(encoding="utf-8") if state[1] else "")
        self._worst = []
        fill(self.worstTable, [])
        if state[1] and (folder / "rows.csv").is_file():
            self.place.questions.ask({"kind": "worst", "evaluation": str(folder)}, self._show_worst, self.caseNote.say, "worst")

    def _show_worst(self, answer) -> None:
        self._worst = answer["rows"]
        fill(self.worstTable, [
            (row["subject"], row["stratum"], f"{float(row['milliliters']):.1f}", f"{float(row['mse']):.3f}", f"{float(row['ssim']):.2f}")
            for row in self._worst
        ])

    def _size(self, state) -> int:
        """What a run takes; summed up again only when its last epoch has changed."""
        key = (state.folder, state.steps, state.state)
        if key not in self._sizes:
            self._sizes[key] = run_state.size_of(state.folder)
        return self._sizes[key]

    @staticmethod
    def _release(*buttons) -> None:
        for button in buttons:
            button.blockSignals(True)
            button.checked = False
            button.blockSignals(False)


def ratios_in(evaluation) -> dict:
    """A model's error over the best simple fill's by kind of hole, from its evaluation; empty without one, or of another kind of model."""
    try:
        figures = json.loads((evaluation / "evaluation.json").read_text(encoding="utf-8"))["figures"]
        return {
            f"{group}, {stratum}": row["ratio_to_best_fill"]["value"]
            for group, strata in figures.items() for stratum, row in strata.items() if "ratio_to_best_fill" in row
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}
