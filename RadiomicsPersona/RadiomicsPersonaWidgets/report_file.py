"""Report file: a folder for the latest report of a section, and the browser that shows it."""

from __future__ import annotations

import os

import qt
from slicer.i18n import tr as _

from RadiomicsPersonaLib.system.work_folder import work_folder


class ReportFile:
    """The folder goes when a new report comes, and with the panel; from the browser the report can be saved.

    Args:
        button: opens the report.
        label: where it is said that no browser could be opened, and where the report lies then.
    """

    def __init__(self, button, label):
        self._button, self._label = button, label
        self._folder = self._next = None
        self.path = ""
        button.clicked.connect(self.open)

    def fresh_folder(self) -> str:
        """An empty folder for the next report; the latest one stays until `keep`."""
        self._next = work_folder()
        return self._next.name

    def keep(self, name: str) -> None:
        """The report is there, under this name in the fresh folder."""
        self.forget()
        self._folder, self._next = self._next, None
        self.path = os.path.join(self._folder.name, name)
        self._button.enabled = True

    def open(self) -> None:
        """Show the report in the browser, or say where it lies."""
        if not qt.QDesktopServices.openUrl(qt.QUrl.fromLocalFile(self.path)):
            self._label.text = _("No browser could be opened: open this file by hand, {path}").format(path=self.path)

    def forget(self) -> None:
        """Let go of the report."""
        if self._folder:
            self._folder.cleanup()  # of a folder that was never kept its own object takes care
        self._folder, self.path = None, ""
        self._button.enabled = False
