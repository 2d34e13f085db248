"""Painted box: the part of the calibrate page for a site without boxes: healthy scans into which lesions are painted."""

from __future__ import annotations

import qt
from slicer.i18n import tr as _

from . import dialogs
from .form import Note, folded, labelled, named, push, side_by_side
from .workplace import Workplace


class PaintedBox:
    """Which healthy scans are painted into, with which lesions' shapes.

    Attributes:
        widget: to be put on a page.
        changed: called when something was chosen.
    """

    def __init__(self, place: Workplace):
        self.place, self.changed = place, lambda: None
        self._folders: list[str] = []
        self.widget, form = folded(
            _("Healthy scans and lesion shapes"),
            _("Without boxes of your own: lesions of real ones' shapes are painted into healthy scans, one scan per subject."),
            collapsed=False,
        )
        self.addButton = push(_("Add scans..."), _("Add a folder with healthy scans, one per subject."), self.onAdd)
        self.clearButton = push(_("Start over"), _("Forget these folders; nothing is deleted."), self.onClear)
        form.addRow(side_by_side(self.addButton, self.clearButton))
        self.foldersNote = Note(_("Folders with healthy scans"))
        form.addRow(self.foldersNote.label)
        self.masksEdit = named(
            qt.QLineEdit(), _("Folder with binary masks of real lesions, whose shapes are painted."), _("Lesion masks")
        )
        self.masksEdit.textChanged.connect(lambda text: self.changed())
        self.masksButton = push(_("Lesion masks..."), _("Choose the folder with binary masks of real lesions."), self.onMasks)
        form.addRow(side_by_side(self.masksEdit, self.masksButton))
        self.looksSpinBox = labelled(
            form, _("Looks per scan:"), qt.QSpinBox(), _("As it is, and as in other contrasts; more take longer and tell more.")
        )
        self.looksSpinBox.setRange(1, 20)
        self.looksSpinBox.value = 2

    @property
    def is_ready(self) -> bool:
        """Whether scans and shapes were chosen."""
        return bool(self._folders and self.masksEdit.text.strip())

    @property
    def arguments(self) -> list[str]:
        """Of the command `calibrate`."""
        return [*self._folders, "--lesion-masks", self.masksEdit.text.strip(), "--looks", str(self.looksSpinBox.value)]

    def onAdd(self) -> None:
        """Add a folder."""
        folder = dialogs.folder(_("Folder with healthy scans"))
        if folder and folder not in self._folders:
            self._folders.append(folder)
        self._show()

    def onClear(self) -> None:
        """Forget the folders."""
        self._folders = []
        self._show()

    def onMasks(self) -> None:
        """Choose the folder of shapes."""
        folder = dialogs.folder(_("Folder with lesion masks"), self.masksEdit.text)
        if folder:
            self.masksEdit.text = folder

    def _show(self) -> None:
        self.foldersNote.say("\n".join(self._folders), warning=False)
        self.changed()
