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
from RadiomicsPersonaNodes import analyzed, origin
from RadiomicsPersonaNodes import table as tables

from .section import Section
from .wrapped_text import keep_whole, show_text

WORDS = {0: "healthy", 1: "pathological", None: "undetermined"}
NUMBER_WIDTH = 260
NOTHING = "\u2013"
"""Where there is no number."""


class ResultsSection(Section):
    """Shows what the table of results holds, struck out with the reason where it belongs to nothing that is there now.

    Args:
        run: the `RunSection`, during which nothing is said to have moved.
        views: the `ViewsSection`, which goes to the box whose row is clicked.
        menu: the `ResultsMenu`.

    Attributes:
        numbers: the window of all numbers, or None until it is asked for.
    """

    def __init__(self, ui, logic, run, views, menu):
        super().__init__(ui, logic)
        self._run, self._views, self._menu = run, views, menu
        self._shown = None
        self._outdated = []
        self._observed = []
        self._touched = None
        self.numbers = None
        for label in (ui.verdictLabel, ui.notesLabel):
            keep_whole(label)
        menu.copy.triggered.connect(self.on_copy)
        menu.export.triggered.connect(self.on_export)
        menu.report.triggered.connect(self.on_report)
        menu.tighten.triggered.connect(self.on_tighten)
        menu.numbers.triggered.connect(self.on_numbers)
        menu.name_scan.toggled.connect(self.on_name_scan)
        menu.sensitivity.toggled.connect(self.on_sensitivity)
        ui.sensitivityHereButton.toggled.connect(self.on_sensitivity)
        ui.boxTable.cellClicked.connect(self.on_row)

    def update(self) -> None:
        self._observe()
        self._show()
        if self.parameters:
            self._menu.name_scan.checked = self.parameters.nameScan

    def scene_closes(self) -> None:
        if self.numbers:
            self.numbers.close()

    def close(self) -> None:
        super().close()
        if self.numbers:
            self.numbers.deleteLater()
            self.numbers = None

    def look_again(self) -> None:
        """Show the table anew, also if it is the same."""
        self._shown = None
        self._observe()
        self._show()

    def on_changed(self, caller=None, event=None) -> None:
        """Called when the user moves, renames or deletes an analyzed box or the scan: a verdict belongs to one place."""
        if self.parameters and not self._run.running and self.logic.markROIs() != self._outdated:
            self.look_again()
            self._views.update_boxes()

    def on_voxels(self, caller=None, event=None) -> None:
        """Called when the scan is touched: a verdict belongs to its voxels."""
        touched = _touched(caller)
        if self.parameters and self.parameters.resultTable and touched != self._touched:
            self._touched = touched
            analyzed.look_at_voxels(self.parameters.resultTable)
        self.on_changed()

    def on_row(self, row, column) -> None:
        """Bring the views to a box."""
        name = self.ui.boxTable.item(row, 0).data(qt.Qt.UserRole)
        rois = self.logic.analyzedROIs()
        for roi in rois:
            if roi.GetID() == name:
                self._views.go_to(roi)

    def on_sensitivity(self, checked) -> None:
        """Both ways to the same controls look alike."""
        self._menu.sensitivity.checked = self.ui.sensitivityHereButton.checked = checked

    def on_name_scan(self, checked) -> None:
        """Whether the report names scan and patient."""
        if self.parameters:
            self.parameters.nameScan = checked

    def on_copy(self) -> None:
        """Copy the whole table, for a spreadsheet."""
        slicer.app.clipboard().setText(tables.text_of(self.parameters.resultTable, "\t"))
        self.say(_("The table is on the clipboard."))

    def on_numbers(self) -> None:
        """Show the whole table in a window of its own."""
        if self.numbers is None:
            self.numbers = qt.QDialog(self.ui.moreButton.window())
            self.numbers.windowTitle = _("All numbers")
            self._all = qt.QTableWidget()
            self._all.accessibleName = _("All numbers")
            self._all.setEditTriggers(qt.QAbstractItemView.NoEditTriggers)
            qt.QVBoxLayout(self.numbers).addWidget(self._all)
            self.numbers.resize(800, 300)
        names, *rows = tables.rows_of(self.parameters.resultTable)
        # a row per number and a column per box: numbers are many, boxes few
        _fill(self._all, [(name, *(row[place] for row in rows)) for place, name in enumerate(names)], [""] * (len(rows) + 1))
        for place in range(1, len(rows) + 1):
            self._all.setColumnWidth(place, NUMBER_WIDTH)
        self._all.resizeRowsToContents()
        self._all.horizontalHeader().hide()
        self.numbers.show()

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
        self._menu.report.enabled = False
        try:
            paths = self.logic.writeReport(folder, name, lambda line: not slicer.app.processEvents())
            self.say(_("Written: {paths}").format(paths=", ".join(paths)))
        except (InputError, ChildFailed) as error:
            self.say(str(error))
        finally:
            self._menu.report.enabled = True

    def ask_for_folder(self, title) -> str:
        """The folder that the user chooses, or an empty text."""
        return qt.QFileDialog.getExistingDirectory(self.ui.moreButton.window(), title)

    def ask_for_path(self, title, name, kinds) -> str:
        """The file that the user wants to write, or an empty text."""
        path = qt.QFileDialog.getSaveFileName(self.ui.moreButton.window(), title, name, kinds)
        return path if isinstance(path, str) else path[0]

    def _show(self) -> None:
        table = self.parameters.resultTable if self.parameters else None
        state = (table.GetID(), table.GetMTime()) if table else None
        if state == self._shown and state:
            return
        outdated = self._outdated = self.logic.markROIs() if table else []
        verdicts = self.logic.verdictsByBox(table) if table else []
        notes = list(dict.fromkeys(filter(None, outdated)))
        notes += (self.logic.notes(table) + self.logic.differencesFromInstalled()) if table else []
        details = self.logic.detailsByBox(table) if table else []
        show_text(
            self.ui.verdictLabel,
            "".join(_as_html(*verdict, why, detail) for verdict, why, detail in zip(verdicts, outdated, details)),
        )
        show_text(self.ui.notesLabel, "\n".join(notes))
        rows = analyzed.overview(table) if table else []
        _fill_boxes(self.ui.boxTable, rows, [roi.GetID() if roi else "" for roi in self._rois_of(table)], outdated)
        self.ui.resultsWidget.visible = bool(verdicts)
        healthy = any(label == 0 and not why for (_name, label, _reason), why in zip(verdicts, outdated))
        self.ui.sensitivityHereButton.visible = healthy or self.ui.sensitivityHereButton.checked
        for action in (self._menu.report, self._menu.copy, self._menu.export, self._menu.numbers):
            action.enabled = bool(verdicts)
        self._menu.tighten.enabled = self.logic.canTighten()
        self._shown = (table.GetID(), table.GetMTime()) if table else None

    def _rois_of(self, table) -> list:
        count = len(self._outdated)
        return [table.GetNthNodeReference(analyzed.BOX_ROLE, number) for number in range(count)] if table else []

    def _observe(self) -> None:
        """Follow the analyzed boxes, their scan and what is deleted, for as long as there are results."""
        table = self.parameters.resultTable if self.parameters else None
        scan = table.GetNodeReference(origin.INPUT_VOLUME_ROLE) if table else None
        modified, moved = vtk.vtkCommand.ModifiedEvent, slicer.vtkMRMLTransformableNode.TransformModifiedEvent
        wanted = [
            (node, event, self.on_changed)
            for node in (self.logic.analyzedROIs() if table else [])
            for event in (modified, moved)
        ]
        if scan:
            wanted += [(scan, moved, self.on_changed)]
            wanted += [(scan, e, self.on_voxels) for e in (modified, slicer.vtkMRMLVolumeNode.ImageDataModifiedEvent)]
            if (scan, modified, self.on_voxels) not in self._observed:
                self._touched = _touched(scan)
        if table:
            wanted += [(slicer.mrmlScene, slicer.vtkMRMLScene.NodeRemovedEvent, self.on_changed)]
        for node, event, method in [entry for entry in self._observed if entry not in wanted]:
            self.removeObserver(node, event, method)
        for node, event, method in [entry for entry in wanted if entry not in self._observed]:
            self.addObserver(node, event, method)
        self._observed = wanted


def _touched(scan):
    """What changes when somebody may have changed a scan's voxels: whether they did is found out only then."""
    image = scan.GetImageData()
    scalars = image.GetPointData().GetScalars() if image else None
    return (image.GetMTime(), scalars.GetMTime()) if scalars else None


def _fill_boxes(widget, boxes: list, identifiers: list, outdated: list) -> None:
    """What a reader looks at first, a row per box; a verdict that is outdated is struck out here too."""
    words = {
        "healthy": _("healthy (0)"),
        "pathological": _("pathological (1)"),
        "unusual": _("unusual (1)"),
        "undetermined": _("undetermined"),
    }
    heads = [_("Box"), _("Verdict"), _("Percentile"), "p", _("Unusual")]
    rows = [
        (
            box["name"],
            words[box["word"]],
            None if box["percentile"] is None else _("{share} %").format(share=f"{box['percentile']:.4g}"),
            box["p"],
            None if box["unusual_ml"] is None else _("{volume} ml").format(volume=f"{box['unusual_ml']:.2f}"),
        )
        for box in boxes
    ]
    _fill(widget, rows, heads)
    tips = (
        "",
        "",
        _("Share of the control regions than which this box is more unusual."),
        _("How often a control region would be as unusual."),
        _("Volume of what is unusual in the box."),
    )
    for place, tip in enumerate(tips):
        widget.horizontalHeaderItem(place).setToolTip(tip)
    widget.sortingEnabled = False
    for line, (identifier, why) in enumerate(zip(identifiers, outdated)):
        widget.item(line, 0).setData(qt.Qt.UserRole, identifier)
        for place in range(1, len(heads)) if why else ():
            font = widget.item(line, place).font()
            font.setStrikeOut(True)
            widget.item(line, place).setFont(font)
    widget.sortingEnabled = True
    # as high as its rows, up to eight of them
    lines = min(max(len(rows), 1), 8)
    widget.setFixedHeight(widget.horizontalHeader().height + lines * widget.verticalHeader().defaultSectionSize + 22)


def _fill(widget, rows: list, heads: list) -> None:
    """Texts and numbers, which sort as numbers."""
    widget.sortingEnabled = False
    widget.setRowCount(len(rows))
    widget.setColumnCount(len(heads))
    widget.setHorizontalHeaderLabels(heads)
    for line, row in enumerate(rows):
        for place, value in enumerate(row):
            item = qt.QTableWidgetItem()
            shown = float(f"{value:.3g}") if isinstance(value, float) else NOTHING if value is None else value
            item.setData(qt.Qt.DisplayRole, shown)
            widget.setItem(line, place, item)
    widget.resizeColumnsToContents()
    widget.verticalHeader().hide()


def _as_html(name, label, reason, outdated, detail) -> str:
    """One box's verdict: its colour, its name, the sentence, which begins with the word, and what is told beneath it."""
    word = "unusual" if label == 1 and reason.startswith("Unusual:") else WORDS[label]
    color = "#{:02x}{:02x}{:02x}".format(*VERDICT_COLORS[word])
    sentence = html.escape(reason)
    sentence = f"<s>{sentence}</s> {html.escape(outdated)}" if outdated else f"<b>{sentence}</b>"
    sentence += f"<br>{html.escape(detail)}" if detail and not outdated else ""
    return f"<p style='margin: 3px 0'><span style='color: {color}'>&#9632;</span> {html.escape(name)}: {sentence}</p>"
