"""Regression: what a column of a table does over time or with covariates."""

from __future__ import annotations

import os

import qt
import slicer
import vtk
from slicer.i18n import tr as _

from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaNodes import regression
from RadiomicsPersonaNodes import table as tables
from RadiomicsPersonaNodes import view as views

from . import packages
from .job import ButtonJob
from .report_file import ReportFile
from .section import Section, show_table

USUAL = {
    "outcomeComboBox": ("volume_ml", "deviating_ml", "combined", "deviation"),
    "timeComboBox": ("years", "date", "days", "time"),
    "patientComboBox": ("patient",),
}
"""Columns that are chosen where they are there, as the command line does."""


class RegressionSection(Section):
    """Table and columns; estimates, figures and report of the latest regression.

    Attributes:
        report: of the latest regression.
    """

    def __init__(self, ui, logic):
        super().__init__(ui, logic)
        ui.regressionCollapsibleButton.collapsed = True  # now, so that what is hidden inside stays so when it is unfolded
        self._job = ButtonJob(logic, ui.regressionButton, ui.regressionProgressBar, ui.regressionStatusLabel)
        self.report = ReportFile(ui.regressionReportButton, ui.regressionStatusLabel)
        self._arrangement = views.Arrangement()
        self._columns = self._table = None
        ui.regressionTableSelector.currentNodeChanged.connect(self.update)
        ui.regressionLoadButton.clicked.connect(self.on_load)
        ui.regressionButton.clicked.connect(self.on_regress)
        ui.figureButton.toggled.connect(self.on_figure)
        ui.figureComboBox.currentIndexChanged.connect(lambda: self.on_figure(ui.figureButton.checked))

    def follow(self, parameters) -> None:
        super().follow(parameters)
        shown = [self.ui.figureComboBox.itemData(place) for place in range(self.ui.figureComboBox.count)]
        if parameters and shown != [chart.GetID() for chart in regression.charts()]:  # those of a scene that was opened
            self._show_figures(regression.charts())

    def update(self) -> None:
        selector = self.ui.regressionTableSelector
        if self.parameters and not selector.currentNode() and self.parameters.visitTable:
            selector.setCurrentNode(self.parameters.visitTable)
        self._observe(selector.currentNode() if self.parameters else None)
        columns = regression.columns_of(self._table)
        if columns != self._columns:
            self._columns = columns
            self._offer(*columns)
        self.ui.regressionButton.enabled = bool(self.ui.outcomeComboBox.count) or self._job.running
        show_table(self.ui.regressionTableView, self.parameters.estimateTable if self.parameters else None)

    def on_table(self, caller=None, event=None) -> None:
        """Called when the chosen table gets other columns."""
        self.update()

    def scene_closes(self) -> None:
        self._job.cancel()
        self._observe(None)
        self._arrangement.give_back()
        self.report.forget()
        self._show_figures([])
        self.ui.regressionStatusLabel.text = ""

    def close(self) -> None:
        super().close()
        self._job.cancel()
        self.report.forget()

    def on_load(self) -> None:
        """Read a CSV file into a table node and choose it."""
        path = self.ask_for_path()
        if not path:
            return
        try:
            rows = tables.read_csv(path)
        except InputError as error:
            self.ui.regressionStatusLabel.text = str(error)
            return
        node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTableNode", os.path.splitext(os.path.basename(path))[0])
        tables.fill_from_rows(node, rows)
        self.ui.regressionTableSelector.setCurrentNode(node)

    def ask_for_path(self) -> str:
        """The file that the user wants to read, or an empty text."""
        path = qt.QFileDialog.getOpenFileName(
            self.ui.regressionLoadButton.window(), _("Table with a row per visit"), "", _("Tables (*.csv *.tsv)")
        )
        return path if isinstance(path, str) else path[0]

    def on_regress(self) -> None:
        """Fit, or end that."""
        if self._job.run(self._regress, _("The regression failed unexpectedly ({error}); the Python console tells more.")):
            self.report.keep(regression.REPORT)
            self._show_figures(regression.charts())
        self.update()

    def on_figure(self, checked) -> None:
        """Show the chosen figure in a layout that has room for one, or the user's own layout again."""
        combo = self.ui.figureComboBox
        if not checked or combo.currentIndex < 0:
            self._arrangement.give_back()
            return
        views.show_chart(self._arrangement, slicer.mrmlScene.GetNodeByID(combo.itemData(combo.currentIndex)))

    def _observe(self, table) -> None:
        if table is not self._table:
            if self._table:
                self.removeObserver(self._table, vtk.vtkCommand.ModifiedEvent, self.on_table)
            if table:
                self.addObserver(table, vtk.vtkCommand.ModifiedEvent, self.on_table)
            self._table = table

    def _regress(self) -> str:
        if packages.ensure_statsmodels():
            self.logic.worker.end()  # it was started without it
        chosen = {name: getattr(self.ui, name).itemData(getattr(self.ui, name).currentIndex) for name in USUAL}
        items = [self.ui.covariatesList.item(row) for row in range(self.ui.covariatesList.count)]
        covariates = [item.text() for item in items if item.checkState() == qt.Qt.Checked]
        record = self.logic.regress(
            self._table,
            chosen["outcomeComboBox"],
            chosen["timeComboBox"],
            chosen["patientComboBox"],
            covariates,
            self.ui.logarithmsCheckBox.checked,
            self.report.fresh_folder(),
            self._job.proceed,
        )
        return "\n".join(regression.sentences(record))

    def _offer(self, names: list, numbers: list) -> None:
        """The columns of a table where they may be chosen."""
        offered = {"outcomeComboBox": numbers, "timeComboBox": ["", *names], "patientComboBox": ["", *names]}
        for combo_name, columns in offered.items():
            combo = getattr(self.ui, combo_name)
            combo.clear()
            for name in columns:
                combo.addItem(name or _("none"), name)
            usual = next((name for name in USUAL[combo_name] if name in columns), None)
            if usual:
                combo.currentIndex = combo.findData(usual)
        self.ui.covariatesList.clear()
        for name in names:
            item = qt.QListWidgetItem(name)
            item.setFlags(qt.Qt.ItemIsUserCheckable | qt.Qt.ItemIsEnabled)
            item.setCheckState(qt.Qt.Unchecked)
            self.ui.covariatesList.addItem(item)

    def _show_figures(self, charts: list) -> None:
        combo = self.ui.figureComboBox
        self.ui.figureButton.checked = False
        combo.clear()
        for chart in charts:
            combo.addItem(chart.GetTitle(), chart.GetID())
        self.ui.figureButton.enabled = bool(charts)
