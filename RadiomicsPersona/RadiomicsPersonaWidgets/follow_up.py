"""Follow-up: the checked boxes in further scans of the same head, as a table that goes into the regression."""

from __future__ import annotations

import qt
from slicer.i18n import tr as _

from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaNodes import follow_up

from . import packages
from .job import ButtonJob
from .report_file import ReportFile
from .section import Section, show_table


class FollowUpSection(Section):
    """Visits with their dates, which the scans tell where they can; the volume of the inputs is one of them.

    Attributes:
        report: of the latest follow-up.
    """

    def __init__(self, ui, logic):
        super().__init__(ui, logic)
        self._job = ButtonJob(logic, ui.followUpButton, ui.followUpProgressBar, ui.followUpStatusLabel)
        self.report = ReportFile(ui.followUpReportButton, ui.followUpStatusLabel)
        self._dates = {}
        self._shown = None
        ui.visitDatesTable.setColumnCount(2)
        ui.visitDatesTable.setHorizontalHeaderLabels([_("Visit"), _("Date or years")])
        ui.visitDatesTable.verticalHeader().hide()
        ui.visitDatesTable.itemChanged.connect(self.on_date)
        ui.visitsSelector.checkedNodesChanged.connect(self.update)
        ui.followUpButton.clicked.connect(self.on_follow)

    def update(self) -> None:
        visits = self._visits()
        state = [(volume.GetID(), volume.GetName()) for volume in visits]
        if state != self._shown:
            self._shown = state
            self._show_dates(visits)
        self.ui.followUpButton.enabled = bool(len(visits) > 1 and any(self.parameters.inputROIs)) or self._job.running
        show_table(self.ui.followUpTableView, self.parameters.visitTable if self.parameters else None)

    def scene_closes(self) -> None:
        self._job.cancel()
        self.report.forget()
        self._dates = {}
        self.ui.followUpStatusLabel.text = ""

    def close(self) -> None:
        super().close()
        self._job.cancel()
        self.report.forget()

    def on_date(self, item) -> None:
        """Called when the user writes a date."""
        if item.column() == 1:
            self._dates[item.data(qt.Qt.UserRole)] = item.text().strip()

    def on_follow(self) -> None:
        """Analyze the boxes at every visit, or end that."""
        if self._job.run(self._follow, _("The follow-up failed unexpectedly ({error}); the Python console tells more.")):
            self.report.keep(follow_up.REPORT)
        self.update()

    def _follow(self) -> str:
        visits = [(volume, self._dates.get(volume.GetID(), "")) for volume in self._visits()]
        if len(visits) < 2:
            raise InputError(_("There is one scan only: check at least one other visit."))
        if packages.ensure(self.parameters.model):
            self.logic.worker.end()  # it was started without them
        table = self.logic.followUp(visits, self.report.fresh_folder(), self._job.proceed)
        return _("'{name}' holds {count} rows, one for every box at every visit.").format(
            name=table.GetName(), count=table.GetNumberOfRows()
        )

    def _visits(self) -> list:
        """The volume of the inputs, on which the boxes lie, and the checked ones."""
        first = self.parameters.inputVolume if self.parameters else None
        return [first, *(volume for volume in self.ui.visitsSelector.checkedNodes() if volume is not first)] if first else []

    def _show_dates(self, visits: list) -> None:
        table = self.ui.visitDatesTable
        table.blockSignals(True)
        table.setRowCount(len(visits))
        for row, volume in enumerate(visits):
            date = self._dates.setdefault(volume.GetID(), follow_up.date_of(volume))
            name, written = qt.QTableWidgetItem(volume.GetName()), qt.QTableWidgetItem(date)
            name.setFlags(qt.Qt.ItemIsEnabled)
            written.setData(qt.Qt.UserRole, volume.GetID())
            table.setItem(row, 0, name)
            table.setItem(row, 1, written)
        table.blockSignals(False)
        table.resizeColumnsToContents()
        table.setFixedHeight(
            table.horizontalHeader().height + max(len(visits), 1) * table.verticalHeader().defaultSectionSize + 6
        )
