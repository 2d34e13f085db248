"""Evaluation box: the part of the results page that measures one run: its tables, and its worst cases in the slice views."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import qt
from slicer.i18n import tr as _

from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.networks.card import LESION_KIND, RECONSTRUCTION_KIND, SEGMENTATION_KIND, TISSUE_KIND
from RadiomicsPersonaTrainingLib.amounts import in_time
from RadiomicsPersonaTrainingLib.runs import heartbeat
from RadiomicsPersonaTrainingLib.runs import state as run_state

from . import scene
from .form import Note, fill, folded, labelled, named, push, side_by_side, table
from .workplace import Workplace

COLUMNS = {
    RECONSTRUCTION_KIND: {
        "subject": _("Scan"),
        "stratum": _("Hole"),
        "milliliters": _("ml"),
        "mse": _("Error"),
        "ssim": _("SSIM"),
    },
    SEGMENTATION_KIND: {
        "case": _("Case"),
        "structure": _("Structure"),
        "true_ml": _("ml"),
        "dice": _("Dice"),
        "hd95_mm": _("HD95 (mm)"),
    },
    TISSUE_KIND: {
        "label_map": _("Label map"),
        "contrast": _("Contrast"),
        "slice_mm": _("Slices (mm)"),
        "grey": _("Dice of grey"),
        "white": _("Dice of white"),
    },
    LESION_KIND: {
        "subject": _("Label map"),
        "group": _("Contrast"),
        "true_ml": _("ml"),
        "found_ml": _("Found (ml)"),
        "dice": _("Dice"),
    },
}
"""What is shown of a worst case, by what the model does: heads by the evaluation's columns."""
_HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)
_FIRST_TABLE = re.compile(r"^(## |\|)", re.MULTILINE)


class EvaluationBox:
    """The evaluation of the best checkpoint of one run.

    Attributes:
        widget: to be put on a page.
        run: folder of the run, or None.
    """

    def __init__(self, place: Workplace):
        self.place, self.run = place, None
        self._worst, self._kind, self._tables_of, self._evaluating = [], RECONSTRUCTION_KIND, None, None
        self.widget, form = folded(_("Evaluation"), _("Measured on the test scans of the run's own split."), collapsed=False)
        self.boxesSpinBox = labelled(
            form, _("&Holes per scan and size:"), qt.QSpinBox(), _("More holes take longer and give narrower intervals.")
        )
        self.boxesSpinBox.setRange(1, 20)
        self.boxesSpinBox.value = 2
        self.evaluateButton = push(
            _("E&valuate"), _("Measure the run's best checkpoint, in a process of its own."), self.onEvaluate
        )
        self.stopButton = push(_("&Cancel"), _("End the evaluation; it goes on from there the next time."), self.onStop)
        self.reportButton = push(
            _("Open re&port"), _("The page with all tables, plots and pictures, in the browser."), self.onReport
        )
        form.addRow(side_by_side(self.evaluateButton, self.stopButton, self.reportButton))
        self.note = Note(_("Note on the evaluation"))
        form.addRow(self.note.label)
        self.tables = named(qt.QTextBrowser(), _("The tables of the evaluation."), _("Tables of the evaluation"))
        self.tables.setMinimumHeight(180)
        self.tables.setLineWrapMode(qt.QTextEdit.NoWrap)  # wide tables are scrolled
        form.addRow(self.tables)
        self.worstTable = table(
            _(
                "Click on one: the scan with what was rebuilt over it, or with truth and answer as segmentations, in the "
                "slice views."
            ),
            _("Worst cases"),
            list(COLUMNS[RECONSTRUCTION_KIND].values()),
        )
        self.worstTable.setSelectionMode(qt.QAbstractItemView.SingleSelection)
        self.worstTable.cellClicked.connect(lambda line, column: self.openCase(line))
        form.addRow(self.worstTable)
        self.caseNote = Note(_("Note on the case"))
        form.addRow(self.caseNote.label)

    @property
    def folder(self) -> Path:
        """Where the evaluation of the run lies."""
        return self.run / run_state.EVALUATION

    def show(self, run: Path | None) -> None:
        """Show another run, or what has become of the same one."""
        if run != self.run:
            self.run = run
            self.note.say("")
            self.caseNote.say("")
        has_best = bool(run) and (run / run_state.BEST).is_file()
        busy = bool(run) and (
            heartbeat.is_running(self.folder / heartbeat.NAME) or self.place.jobs.is_starting(self.folder / run_state.OUTPUT)
        )
        self.evaluateButton.enabled = has_best and not busy
        self.stopButton.enabled = busy
        self.reportButton.enabled = bool(run) and self._report is not None
        if busy:
            self._show_progress()
        elif run:
            self._show_end()
        self._evaluating = run if busy else None
        if not busy:
            self._show_tables()

    def look_again(self) -> None:
        """Read everything again."""
        self._tables_of = None

    def onEvaluate(self) -> None:
        """Start an evaluation; one of an earlier checkpoint is begun anew."""
        arguments = ["evaluate", str(self.run), "--boxes", str(self.boxesSpinBox.value), "--output", str(self.folder)]

        def start(answer):
            try:
                if self._is_outdated():
                    shutil.rmtree(self.folder)
                self.folder.mkdir(exist_ok=True)
                self.place.jobs.start(arguments, self.folder / run_state.OUTPUT)
            except (InputError, OSError) as error:
                self.note.say(str(error))
                return
            self._tables_of, self._evaluating = None, self.run
            self.show(self.run)

        # a run of another version is told before anything is touched
        self.place.questions.ask({"kind": "record", "run": str(self.run)}, start, self.note.say)

    def onStop(self) -> None:
        """End the evaluation; one that is only starting is ended at once."""
        output = self.folder / run_state.OUTPUT
        if self.place.jobs.is_starting(output) and not heartbeat.is_running(self.folder / heartbeat.NAME):
            self.place.jobs.end(output)
            return
        try:
            heartbeat.ask_to_stop(self.folder / heartbeat.NAME)
        except InputError as error:
            self.note.say(str(error))

    def onReport(self) -> None:
        """Open the page of the evaluation."""
        if not qt.QDesktopServices.openUrl(qt.QUrl.fromLocalFile(str(self._report))):
            self.note.say(_("No browser could be opened: open this file by hand, {path}").format(path=self._report))

    def openCase(self, line: int) -> None:
        """Show one of the worst cases in the slice views."""
        if self.run is None or line >= len(self._worst):
            return
        row, folder = self._worst[line], self.folder / "case"
        name = ", ".join(_cells(row, self._kind)[:2])
        request = {"kind": "case", "run": str(self.run), "evaluation": str(self.folder), "row": row, "folder": str(folder)}

        def done(answer):
            scene.show_case(answer, name)
            shutil.rmtree(folder, ignore_errors=True)  # it is in the scene now

        self.place.questions.ask(request, done, self.caseNote.say, "case")

    @property
    def _report(self) -> Path | None:
        return next((self.folder / name for name in ("report.html", "evaluation.md") if (self.folder / name).is_file()), None)

    def _is_outdated(self) -> bool:
        """Whether the run was trained on since it was evaluated."""
        claimed, best = self.folder / run_state.RECORD, self.run / run_state.BEST
        return claimed.is_file() and best.is_file() and best.stat().st_mtime > claimed.stat().st_mtime

    def _show_progress(self) -> None:
        told = heartbeat.told_by(self.folder / heartbeat.NAME)
        left = _(", about {time} left").format(time=in_time(told["left"])) if told.get("left") else ""
        text = _("Evaluating: {what} {done} of {total}{left}").format(
            what=told.get("what", ""), done=told.get("done", 0), total=told.get("total", 0), left=left
        )
        self.note.say(text, warning=False)

    def _show_end(self) -> None:
        """How the evaluation ended, once; or that it is of an earlier checkpoint."""
        if self._evaluating == self.run:
            told = heartbeat.told_by(self.folder / heartbeat.NAME)
            cancelled = told.get("ended") == heartbeat.CANCELLED
            refusal = self.place.jobs.refusal(self.folder / run_state.OUTPUT)
            text = _("Cancelled; it goes on from there.") if cancelled else refusal or told.get("sentence", "")
            self.note.say(text, warning=not cancelled)
        elif self._is_outdated() and not self.note.text:
            self.note.say(_("This evaluation is of an earlier checkpoint of the run: evaluate again."))

    def _show_tables(self) -> None:
        """The tables and the worst cases, read again when they have changed."""
        file = self.folder / "evaluation.md" if self.run else None
        state = (self.run, file.stat().st_mtime_ns if file and file.is_file() else None)
        if state == self._tables_of:
            return
        self._tables_of = state
        text = file.read_text(encoding="utf-8") if state[1] else ""
        first = _FIRST_TABLE.search(text)
        # how it was measured is told by the report
        text = _HEADING.sub(r"**\1**", text[first.start() :] if first else text)  # no larger than the panel's text
        self.tables.setMarkdown(text)
        self._worst = []
        fill(self.worstTable, [])
        self._kind = (run_state.state_of(self.run).kind if self.run else "") or RECONSTRUCTION_KIND
        if state[1] and self._kind in COLUMNS and any((self.folder / name).is_file() for name in ("rows.csv", "cases.csv")):
            request = {"kind": "worst", "evaluation": str(self.folder), "task": self._kind}
            self.place.questions.ask(request, self._show_worst, self.caseNote.say, "worst")

    def _show_worst(self, answer) -> None:
        self._worst = answer["rows"]
        self.worstTable.setHorizontalHeaderLabels(list(COLUMNS[self._kind].values()))
        fill(self.worstTable, [_cells(row, self._kind) for row in self._worst])


def _cells(row: dict, kind: str) -> list[str]:
    """What is shown of a worst case; numbers to two digits."""
    texts = [row[key] for key in COLUMNS[kind]]
    return [*texts[:2], *(f"{float(text):.2f}" for text in texts[2:])]


def ratios_in(evaluation: Path) -> dict:
    """A model's error over the best simple fill's by kind of hole, from its evaluation; empty without one,
    or of another kind of model.
    """
    try:
        figures = json.loads((evaluation / "evaluation.json").read_text(encoding="utf-8"))["figures"]
        return {
            f"{group}, {stratum}": row["ratio_to_best_fill"]["value"]
            for group, strata in figures.items()
            for stratum, row in strata.items()
            if "ratio_to_best_fill" in row
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}
