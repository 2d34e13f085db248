"""Split box: the part of the data page that says which subjects train, validate and test, and what the training will take."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import qt
from slicer.i18n import tr as _

from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaTrainingLib.data.split import PARTS, ListedScan, split_subjects, write_split

from .form import Note, folded, labelled, push, side_by_side
from .project import Choices
from .workplace import Workplace


class SplitBox:
    """The split of the scans that are used.

    Attributes:
        widget: to be put on a page.
        used: rows of the scans that are used; see `show`.
        changed: called when a split was kept.
    """

    def __init__(self, place: Workplace):
        self.place, self.used = place, []
        self.changed: Callable[[], None] = lambda: None
        self._filling = False
        self.widget, form = folded(_("Split by subject"), _("All scans of a subject are in one part."), collapsed=False)
        self.validationSpinBox = labelled(
            form, _("Va&lidation %:"), qt.QSpinBox(), _("Share of the subjects that tells which checkpoint is best.")
        )
        self.testSpinBox = labelled(
            form, _("&Test %:"), qt.QSpinBox(), _("Share of the subjects that nothing is decided on: they measure the result.")
        )
        self.seedSpinBox = labelled(form, _("See&d:"), qt.QSpinBox(), _("Another seed draws other subjects."))
        for spinBox, low, high in ((self.validationSpinBox, 1, 50), (self.testSpinBox, 0, 50), (self.seedSpinBox, 0, 99999)):
            spinBox.setRange(low, high)
        usual = Choices()  # as a new project has them
        self.validationSpinBox.value, self.testSpinBox.value, self.seedSpinBox.value = usual.validation, usual.test, usual.seed
        for spinBox in (self.validationSpinBox, self.testSpinBox, self.seedSpinBox):
            spinBox.valueChanged.connect(lambda *value: self.onChanged())
        self.countsNote = Note(_("Counts of the split"))
        form.addRow(self.countsNote.label)
        self.keepButton = push(
            _("&Keep this split"), _("Write split.csv into the project; the next training uses it."), self.onKeep
        )
        self.estimateButton = push(
            _("&Estimate space and time"),
            _("Prepare one scan of either part and do one step, as now set: what a training takes of the disk and of time."),
            self.onEstimate,
        )
        self.keepButton.enabled = self.estimateButton.enabled = False  # until there are scans
        form.addRow(side_by_side(self.keepButton, self.estimateButton))
        self.note, self.estimateNote = Note(_("Note on the split")), Note(_("Disk space and time"))
        form.addRow(self.note.label)
        form.addRow(self.estimateNote.label)

    def open_project(self) -> None:
        """Show what was chosen in the project."""
        project = self.place.project
        self._filling = True
        self.validationSpinBox.value, self.testSpinBox.value = project.choices.validation, project.choices.test
        self.seedSpinBox.value = project.choices.seed
        self._filling = False
        self.estimateNote.say("")
        self.note.say(
            _("{file} of the project holds a split.").format(file=project.split.name) if project.split.is_file() else "", False
        )

    def show(self, used: list) -> None:
        """Show the split of other scans.

        Args:
            used: dictionaries with source, subject, kind and file.
        """
        self.used = used
        self.keepButton.enabled = self.estimateButton.enabled = bool(used)
        if not used:
            self.countsNote.say("")
            return
        try:
            self.countsNote.say(_counts(self._split()), warning=False)
        except InputError as error:
            self.countsNote.say(str(error))
            self.keepButton.enabled = self.estimateButton.enabled = False

    def onChanged(self) -> None:
        """The user wants other shares, or another draw."""
        if self._filling or not self.place.project:
            return
        choices = self.place.project.choices
        choices.validation, choices.test, choices.seed = (
            self.validationSpinBox.value,
            self.testSpinBox.value,
            self.seedSpinBox.value,
        )
        self.show(self.used)

    def onKeep(self) -> bool:
        """Write the split; returns whether that was done."""
        mixed = self._mixed_sources()
        if mixed:
            sentence = _("'{name}' holds scans and label maps: put them into folders of their own, or leave one kind out.")
            self.note.say(sentence.format(name=mixed[0]))
            return False
        try:
            write_split(self._split(), self.place.project.split)
            self.place.project.keep_choices()
        except InputError as error:
            self.note.say(str(error))
            return False
        self.note.say(_("Kept in {file} of the project.").format(file=self.place.project.split.name), warning=False)
        self.changed()
        return True

    def onEstimate(self) -> None:
        """Have a step done to see how long it takes."""
        if not self.onKeep():
            return
        table = self.place.settings_table()
        file = self.place.project.split.with_name("settings.toml")
        request = {"kind": "estimate", "table": table, "file": str(file), "cache": str(self.place.project.cache)}
        self.place.questions.ask(request, self._estimated, self.estimateNote.say, "estimate")

    def _estimated(self, answer) -> None:
        self.estimateNote.say(answer["sentence"], warning=not answer["fits"])
        self.place.estimated(answer)

    def _split(self) -> list:
        validation, test, seed = self.validationSpinBox.value / 100, self.testSpinBox.value / 100, self.seedSpinBox.value
        rows = []
        for source in dict.fromkeys(row["source"] for row in self.used):
            members = [row for row in self.used if row["source"] == source]
            parts = split_subjects([row["subject"] for row in members], validation, test, seed)
            rows += [ListedScan(source, row["subject"], parts[row["subject"]], Path(row["file"])) for row in members]
        return rows

    def _mixed_sources(self) -> list:
        kinds: dict = {}
        for row in self.used:
            kinds.setdefault(row["source"], set()).add(row["kind"])
        return [source for source, found in kinds.items() if len(found) > 1]


def _counts(rows: list) -> str:
    words = {"training": _("training"), "validation": _("validation"), "test": _("test")}
    parts = []
    for part in PARTS:
        members = [row for row in rows if row.part == part]
        subjects = len({(row.source, row.subject) for row in members})
        counts = _("1 subject") if subjects == 1 else _("{count} subjects").format(count=subjects)
        scans = _("1 scan") if len(members) == 1 else _("{count} scans").format(count=len(members))
        parts.append(_("{subjects} ({scans}): {word}").format(subjects=counts, scans=scans, word=words[part]))
    return ", ".join(parts) + "."
