"""Report file: a folder for the latest report of a section, and the browser that shows it."""

from __future__ import annotations

import os
import tempfile

import qt


class ReportFile:
    """The folder goes when a new report comes, and with the panel; from the browser the report can be saved."""

    def __init__(self, button):
        self._button = button
        self._folder = self._next = None
        self.path = ""
        button.clicked.connect(self.open)

    def fresh_folder(self) -> str:
        """An empty folder for the next report; the latest one stays until `keep`."""
        self._next = tempfile.TemporaryDirectory(prefix="RadiomicsPersona-", ignore_cleanup_errors=True)
        return self._next.name

    def keep(self, name: str) -> None:
        """The report is there, under this name in the fresh folder."""
        self.forget()
        self._folder, self._next = self._next, None
        self.path = os.path.join(self._folder.name, name)
        self._button.enabled = True

    def open(self) -> None:
        """Show the report in the browser."""
        qt.QDesktopServices.openUrl(qt.QUrl.fromLocalFile(self.path))

    def forget(self) -> None:
        """Let go of the report."""
        if self._folder:
            self._folder.cleanup()  # of a folder that was never kept its own object takes care
        self._folder, self.path = None, ""
        self._button.enabled = False
