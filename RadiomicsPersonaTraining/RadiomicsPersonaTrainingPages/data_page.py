"""Data page: which scans train, what speaks against each, how they are split, and what the training will take."""

from __future__ import annotations

from pathlib import Path

import qt
from slicer.i18n import tr as _

from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaTrainingLib.amounts import in_bytes
from RadiomicsPersonaTrainingLib.split import PARTS, ListedScan, split_subjects, write_split

from . import dialogs, scene
from .form import Note, fill, folded, labelled, named, push, side_by_side, table
from .page import Page

SCANS, LABEL_MAPS = "scan", "label map"
THUMBNAIL = 48
"""Pixels along the edge of a thumbnail in the table."""


class DataPage(Page):
    """The widget of the page, and the scans that were found.

    Attributes:
        rows: dictionaries as `survey.SurveyedScan`, with the collection's name under "source".
        changed: called when a split was kept.
    """

    def __init__(self, place):
        super().__init__(place)
        self.rows, self.changed = [], lambda: None
        self._filling = False
        layout = self.layout

        self.folderButton = push(_("&Folder..."), _("Add a folder of .nii.gz scans, or of a BIDS data set."), self.onFolder)
        self.csvButton = push(_("&CSV..."), _("Add a list of scans: a table with the columns subject and file."), self.onCSV)
        self.volumesButton = push(
            _("From &Slicer"), _("Add volumes that are loaded in Slicer, one by one or a patient, study or folder at once."), lambda: None
        )
        self.volumesMenu = qt.QMenu(self.widget)
        self.volumesMenu.aboutToShow.connect(self.fillVolumesMenu)
        self.volumesButton.setMenu(self.volumesMenu)
        self.clearButton = push(_("Start o&ver"), _("Forget these scans; nothing is deleted."), self.onClear)
        layout.addWidget(side_by_side(self.folderButton, self.csvButton, self.volumesButton, self.clearButton))
        self.placesNote, self.note = Note(_("Where the scans lie")), Note(_("Note on the scans"))
        layout.addWidget(self.placesNote.label)
        layout.addWidget(self.note.label)
        self.closelyCheckBox = named(
            qt.QCheckBox(_("&Look closely")),
            _("Look for the brain and the contrast in every scan; takes some seconds per scan."),
            _("Look closely"),
        )
        self.closelyCheckBox.checked = True
        layout.addWidget(self.closelyCheckBox)
        self.table = table(
            _("What was found. Uncheck what should not be trained on."),
            _("Scans"),
            ["", _("Subject"), _("Grid"), _("Contrast"), _("Problems"), _("File")],
        )
        self.table.setIconSize(qt.QSize(THUMBNAIL, THUMBNAIL))
        self.table.itemChanged.connect(self.onItemChanged)
        layout.addWidget(self.table)
        self.summaryNote = Note(_("Summary of the scans"))
        layout.addWidget(self.summaryNote.label)

        box, form = folded(_("Split by subject"), _("All scans of a subject are in one part."), collapsed=False)
        self.validationSpinBox = labelled(
            form, _("Va&lidation %:"), qt.QSpinBox(), _("Share of the subjects that tells which checkpoint is best.")
        )
        self.testSpinBox = labelled(
            form, _("&Test %:"), qt.QSpinBox(), _("Share of the subjects that nothing is decided on: they measure the result.")
        )
        self.seedSpinBox = labelled(form, _("See&d:"), qt.QSpinBox(), _("Another seed draws other subjects."))
        for spinBox, low, high in ((self.validationSpinBox, 1, 50), (self.testSpinBox, 0, 50), (self.seedSpinBox, 0, 99999)):
            spinBox.setRange(low, high)
            spinBox.valueChanged.connect(lambda value: self.onSplitChanged())
        self.splitNote = Note(_("Counts of the split"))
        form.addRow(self.splitNote.label)
        self.keepButton = push(_("&Keep this split"), _("Write split.csv into the project; the next training uses it."), self.onKeep)
        self.estimateButton = push(
            _("&Estimate disk space and time"),
            _("Prepare one scan of either part and do one step with the present settings."),
            self.onEstimate,
        )
        form.addRow(side_by_side(self.keepButton, self.estimateButton))
        self.keepNote, self.estimateNote = Note(_("Note on the split")), Note(_("Disk space and time"))
        form.addRow(self.keepNote.label)
        form.addRow(self.estimateNote.label)
        layout.addWidget(box)
        layout.addStretch(1)

    @property
    def used(self) -> list:
        """The rows that are trained on."""
        left_out = set(self.place.project.choices.left_out) if self.place.project else set()
        return [row for row in self.rows if row["kind"] != "unusable" and row["file"] not in left_out]

    def open_project(self) -> None:
        """Show what the project's folder holds."""
        choices = self.place.project.choices
        self._filling = True
        self.validationSpinBox.value, self.testSpinBox.value, self.seedSpinBox.value = choices.validation, choices.test, choices.seed
        self._filling = False
        self.rows = []
        self.show()
        self.estimateNote.say("")
        self.keepNote.say(
            _("{file} of the project holds a split.").format(file=self.place.project.split.name)
            if self.place.project.split.is_file()
            else "",
            warning=False,
        )
        if choices.places:
            self.look()

    def onFolder(self) -> None:
        """Add a folder."""
        self._add(dialogs.folder(_("Folder with scans")))

    def onCSV(self) -> None:
        """Add a list."""
        self._add(dialogs.file(_("List of scans"), "", _("Table (*.csv)")))

    def fillVolumesMenu(self) -> None:
        """Offer what is loaded."""
        self.volumesMenu.clear()
        choices = scene.sources()
        for text, volumes in choices:
            self.volumesMenu.addAction(text.replace("&", "&&")).triggered.connect(lambda checked=False, v=volumes: self.addVolumes(v))
        if not choices:
            self.volumesMenu.addAction(_("No volume is loaded")).enabled = False

    def addVolumes(self, volumes) -> None:
        """Write volumes into the project and add them."""
        if not self._has_project():
            return
        try:
            scene.write_scans(volumes, self.place.project.scans)
        except InputError as error:
            self.note.say(str(error))
            return
        self._add(str(self.place.project.scans))

    def onClear(self) -> None:
        """Forget what was chosen."""
        if self.place.project:
            self.place.project.choices.places, self.place.project.choices.left_out, self.rows = [], [], []
            self._keep_choices()
            self.show()

    def look(self) -> None:
        """Have all places looked at."""
        choices = self.place.project.choices
        rows: list = []

        def ask(places):
            place, *others = places
            request = {
                "kind": "survey",
                "places": [place],
                "folder": str(self.place.project.survey),
                "closely": self.closelyCheckBox.checked,
            }
            self.place.questions.ask(request, lambda answer: done(place, others, answer), self.note.say, "survey")

        def done(place, others, answer):
            path = Path(place)
            rows.extend(row | {"source": path.stem if path.suffix else path.name} for row in answer["rows"])
            if others:
                ask(others)
            else:
                self.rows = rows
                self.show()

        if choices.places:
            ask(choices.places)

    def show(self) -> None:
        """Fill the table."""
        choices = self.place.project.choices
        self.placesNote.say("\n".join(choices.places), warning=False)
        self._filling = True
        texts = [
            (
                "",
                row["subject"],
                _grid(row),
                row["contrast"] or ("" if row["kind"] == SCANS else row["kind"]),
                "\n".join(row["problems"]),
                Path(row["file"]).name,
            )
            for row in self.rows
        ]
        fill(self.table, texts, [row["file"] for row in self.rows])
        for line, row in enumerate(self.rows):
            item = self.table.item(line, 0)
            if row["thumbnail"]:
                item.setIcon(qt.QIcon(qt.QPixmap(row["thumbnail"])))
            usable = row["kind"] != "unusable"
            item.setFlags(qt.Qt.ItemIsSelectable | (qt.Qt.ItemIsEnabled | qt.Qt.ItemIsUserCheckable if usable else qt.Qt.NoItemFlags))
            item.setCheckState(qt.Qt.Checked if usable and row["file"] not in choices.left_out else qt.Qt.Unchecked)
            self.table.setRowHeight(line, THUMBNAIL + 4)
        self.table.resizeColumnToContents(0)
        if self.rows:
            self.table.setFixedHeight(self.table.horizontalHeader().height + min(len(self.rows), 5) * (THUMBNAIL + 4) + 6)
        self._filling = False
        self.onSplitChanged()

    def onItemChanged(self, item) -> None:
        """A row was checked or unchecked."""
        if self._filling or item.column() != 0:
            return
        file, left_out = item.data(qt.Qt.UserRole), self.place.project.choices.left_out
        if item.checkState() == qt.Qt.Unchecked and file not in left_out:
            left_out.append(file)
        elif item.checkState() == qt.Qt.Checked and file in left_out:
            left_out.remove(file)
        self._keep_choices()
        self.onSplitChanged()

    def onSplitChanged(self) -> None:
        """Say how many subjects every part gets."""
        if self._filling or not self.place.project:
            return
        choices = self.place.project.choices
        choices.validation, choices.test, choices.seed = self.validationSpinBox.value, self.testSpinBox.value, self.seedSpinBox.value
        used = self.used
        problems = sum(bool(row["problems"]) for row in self.rows)
        unusable = sum(row["kind"] == "unusable" for row in self.rows)
        self.summaryNote.say(
            _("{used} of {count} scans are used, {size}; {unusable} cannot be used, {problems} have a note.").format(
                used=len(used),
                count=len(self.rows),
                size=in_bytes(sum(row["bytes"] for row in used)),
                unusable=unusable,
                problems=problems,
            )
            if self.rows
            else "",
            warning=False,
        )
        self.keepButton.enabled = self.estimateButton.enabled = bool(used)
        if not used:
            self.splitNote.say("")
            return
        try:
            self.splitNote.say(_counts(self._split()), warning=False)
        except InputError as error:
            self.splitNote.say(str(error))
            self.keepButton.enabled = self.estimateButton.enabled = False

    def onKeep(self) -> bool:
        """Write the split."""
        if {row["kind"] for row in self.used} == {SCANS, LABEL_MAPS} and self._mixed_sources():
            self.keepNote.say(
                _("'{name}' holds scans and label maps: put them into folders of their own, or leave one kind out.").format(
                    name=self._mixed_sources()[0]
                )
            )
            return False
        try:
            write_split(self._split(), self.place.project.split)
        except InputError as error:
            self.keepNote.say(str(error))
            return False
        self._keep_choices()
        self.keepNote.say(_("Kept in {file} of the project.").format(file=self.place.project.split.name), warning=False)
        self.changed()
        return True

    def onEstimate(self) -> None:
        """Have a step done to see how long it takes."""
        if not self.onKeep():
            return
        table = self.place.settings_table()
        if table is None:
            self.estimateNote.say(_("The settings are not known yet: look at the Settings page first."))
            return
        self.estimateNote.say(_("Preparing a scan and doing a step..."), warning=False)
        request = {
            "kind": "estimate",
            "table": table,
            "file": str(self.place.project.split.with_name("settings.toml")),
            "cache": str(self.place.project.cache),
        }
        self.place.questions.ask(request, self._estimated, self.estimateNote.say, "estimate")

    def _estimated(self, answer) -> None:
        self.estimateNote.say(answer["sentence"], warning=not answer["fits"])
        self.place.estimated(answer)

    def _split(self) -> list:
        rows = []
        for source in dict.fromkeys(row["source"] for row in self.used):
            members = [row for row in self.used if row["source"] == source]
            parts = split_subjects(
                [row["subject"] for row in members],
                self.validationSpinBox.value / 100,
                self.testSpinBox.value / 100,
                self.seedSpinBox.value,
            )
            rows += [ListedScan(source, row["subject"], parts[row["subject"]], Path(row["file"])) for row in members]
        return rows

    def _mixed_sources(self) -> list:
        kinds: dict = {}
        for row in self.used:
            kinds.setdefault(row["source"], set()).add(row["kind"])
        return [source for source, found in kinds.items() if len(found) > 1]

    def kinds_of_sources(self) -> dict:
        """What every collection holds, "scan" or "label map", by its name."""
        return {row["source"]: row["kind"] for row in self.used}

    def _add(self, place: str) -> None:
        if not place or not self._has_project():
            return
        if place not in self.place.project.choices.places:
            self.place.project.choices.places.append(place)
            self._keep_choices()
        self.look()

    def _has_project(self) -> bool:
        if self.place.project is None:
            self.note.say(_("Choose the project's folder first, at the top of this module."))
        return self.place.project is not None

    def _keep_choices(self) -> None:
        try:
            self.place.project.keep_choices()
        except InputError as error:
            self.note.say(str(error))


def _grid(row) -> str:
    if not row["shape"]:
        return ""
    return _("{shape}\n{spacing} mm").format(
        shape=" x ".join(map(str, row["shape"])), spacing=" x ".join(f"{s:.3g}" for s in row["spacing"])
    )


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
