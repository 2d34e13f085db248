"""Results: verdicts in words, notes, the table, and the report."""

from __future__ import annotations

import html

import qt
import slicer
import vtk
from slicer.i18n import tr as _

from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.report.colors import VERDICT_COLORS
from RadiomicsPersonaLib.system.child import ChildFailed
from RadiomicsPersonaNodes import origin
from RadiomicsPersonaNodes import table as tables

from .section import Section, show_note

WORDS = {0: "healthy", 1: "pathological", None: "undetermined"}


class ResultsSection(Section):
    """Shows what the table of results holds, for as long as the boxes are where they were.

    Args:
        run: the `RunSection`, during which nothing is said to have moved.
    """

    def __init__(self, ui, logic, run):
        super().__init__(ui, logic)
        self._run = run
        self._shown = None
        self._moved = []
        self._observed = []
        ui.copyButton.clicked.connect(self.on_copy)
        ui.exportButton.clicked.connect(self.on_export)
        ui.reportButton.clicked.connect(self.on_report)
        ui.tightenButton.clicked.connect(self.on_tighten)

    def update(self) -> None:
        self._observe()
        self._show()

    def look_again(self) -> None:
        """Show the table anew, also if it is the same."""
        self._shown = None
        self._show()

    def on_roi(self, caller=None, event=None) -> None:
        """Called when the user moves or renames an analyzed box: a verdict belongs to one place."""
        if self.parameters and not self._run.running and self.logic.markROIs() != self._moved:
            self.look_again()

    def on_copy(self) -> None:
        """Copy the whole table, for a spreadsheet."""
        slicer.app.clipboard().setText(tables.text_of(self.parameters.resultTable, "\t"))
        self.say(_("The table is on the clipboard."))

    def on_tighten(self) -> None:
        """Draw the boxes around what is unusual in them; their verdicts are then asked for anew."""
        moved = self.logic.tightenROIs()
        self.look_again()
        names = ", ".join(node.GetName() for node in moved)
        self.say(_("Drawn around what is unusual: {names}. Apply again for the verdict.").format(names=names))

    def on_export(self) -> None:
        """Write the whole table as a CSV file."""
        path = self.ask_for_path(_("Export the table"), "RadiomicsPersona.csv", _("Table (*.csv)"))
        if not path:
            return
        try:
            with open(path, "w", encoding="utf-8-sig", newline="") as stream:
                stream.write(tables.text_of(self.parameters.resultTable, ","))
        except OSError as error:
            self.say(_("'{path}' cannot be written ({error}): choose another place.").format(path=path, error=error.strerror))
            return
        self.say(_("Written: {path}").format(path=path))

    def on_report(self) -> None:
        """Write the report, HTML and PDF, beside each other."""
        folder = self.ask_for_folder(_("Folder for the report"))
        if not folder:
            return
        scan = self.parameters.resultTable.GetNodeReference(origin.INPUT_VOLUME_ROLE)
        name = self.logic.identityOf(scan) if scan and self.parameters.nameScan else None
        self.say(_("Writing the report..."))
        self.ui.reportButton.enabled = False
        try:
            paths = self.logic.writeReport(folder, name, lambda line: not slicer.app.processEvents())
            self.say(_("Written: {paths}").format(paths=", ".join(paths)))
        except (InputError, ChildFailed) as error:
            self.say(str(error))
        finally:
            self.ui.reportButton.enabled = True

    def ask_for_folder(self, title) -> str:
        """The folder that the user chooses, or an empty text."""
        return qt.QFileDialog.getExistingDirectory(self.ui.reportButton.window(), title)

    def ask_for_path(self, title, name, kinds) -> str:
        """The file that the user wants to write, or an empty text."""
        path = qt.QFileDialog.getSaveFileName(self.ui.exportButton.window(), title, name, kinds)
        return path if isinstance(path, str) else path[0]

    def _show(self) -> None:
        table = self.parameters.resultTable if self.parameters else None
        state = (table.GetID(), table.GetMTime()) if table else None
        if state == self._shown and state:
            return
        moved = self._moved = self.logic.markROIs() if table else []
        self._shown = state
        self.ui.resultTableView.setMRMLTableNode(table)
        verdicts = self.logic.verdictsByBox(table) if table else []
        notes = [_("'{name}' has been moved since: apply again for its verdict.").format(name=name) for name in moved]
        notes += (self.logic.notes(table) + self.logic.differencesFromInstalled()) if table else []
        details = (self.logic.detailsByBox(table) if table else []) or [""] * len(verdicts)
        self.ui.verdictLabel.text = "".join(
            _as_html(*verdict, verdict[0] in moved, detail) for verdict, detail in zip(verdicts, details)
        )
        show_note(self.ui.notesLabel, "\n".join(notes))
        _fill(self.ui.boxTable, table)
        self.ui.resultsCollapsibleButton.enabled = bool(table)
        self.ui.reportButton.enabled = bool(origin.results_in(table))
        self.ui.tightenButton.enabled = self.logic.canTighten()

    def _observe(self) -> None:
        """Follow the analyzed boxes for as long as there are results."""
        rois = self.logic.analyzedROIs() if self.parameters else []
        events = (vtk.vtkCommand.ModifiedEvent, slicer.vtkMRMLTransformableNode.TransformModifiedEvent)
        for roi in [roi for roi in self._observed if roi not in rois]:
            for event in events:
                self.removeObserver(roi, event, self.on_roi)
        for roi in [roi for roi in rois if roi not in self._observed]:
            for event in events:
                self.addObserver(roi, event, self.on_roi)
        self._observed = rois


def _fill(widget, table_node) -> None:
    """The columns that a reader looks at first, as numbers that sort as numbers."""
    shown = (
        ("box", _("Box")),
        ("verdict", _("Verdict")),
        ("p", "p"),
        ("probability", _("Probability")),
        ("controls", _("Healthy")),
        ("deviation", _("SD off")),
        ("ssim", "SSIM"),
    )
    names, *rows = tables.rows_of(table_node) if table_node else [[]]
    columns = [(names.index(key), title) for key, title in shown if key in names]
    widget.sortingEnabled = False
    widget.setRowCount(len(rows))
    widget.setColumnCount(len(columns))
    widget.setHorizontalHeaderLabels([title for _number, title in columns])
    for line, row in enumerate(rows):
        for place, (number, _title) in enumerate(columns):
            value = row[number]
            item = qt.QTableWidgetItem()
            item.setData(qt.Qt.DisplayRole, float(f"{value:.3g}") if isinstance(value, float) else value)
            widget.setItem(line, place, item)
    widget.sortingEnabled = True
    widget.resizeColumnsToContents()
    widget.verticalHeader().hide()
    # as high as its rows, up to eight of them
    lines = min(max(len(rows), 1), 8)
    widget.setFixedHeight(widget.horizontalHeader().height + lines * widget.verticalHeader().defaultSectionSize + 22)


def _as_html(name, label, reason, moved, detail) -> str:
    """One box's verdict: its colour, its name, the sentence, which begins with the word, and what is told beneath it."""
    word = "unusual" if label == 1 and reason.startswith("Unusual:") else WORDS[label]
    color = "#{:02x}{:02x}{:02x}".format(*VERDICT_COLORS[word])
    sentence = html.escape(reason)
    sentence = f"<s>{sentence}</s>" if moved else f"<b>{sentence}</b>"
    sentence += f"<br>{html.escape(detail)}" if detail and not moved else ""
    return f"<p style='margin: 3px 0'><span style='color: {color}'>&#9632;</span> {html.escape(name)}: {sentence}</p>"
