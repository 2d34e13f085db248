"""Data page: which scans there are to train on, and what speaks against each."""

from __future__ import annotations

from pathlib import Path

import qt
from slicer.i18n import tr as _

from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaTrainingLib.amounts import in_bytes

from . import dialogs, scene
from .form import Note, fill, named, push, side_by_side, table
from .page import Page
from .split_box import SplitBox

THUMBNAIL = 48
"""Pixels along the edge of a thumbnail in the table."""


class DataPage(Page):
    """The widget of the page, and the scans that were found.

    Attributes:
        rows: dictionaries as `survey.SurveyedScan`, with the collection's name under "source".
        split: see `SplitBox`.
    """

    def __init__(self, place):
        super().__init__(place)
        self.rows, self._filling = [], False
        layout = self.layout

        self.folderButton = push(_("&Folder..."), _("Add a folder of .nii.gz scans, or of a BIDS data set."), self.onFolder)
        self.csvButton = push(_("&CSV..."), _("Add a list of scans: a table with the columns subject and file."), self.onCSV)
        self.volumesButton = push(
            _("From &Slicer"),
            _("Add volumes that are loaded in Slicer, one by one or a patient, study or folder at once."),
            lambda: None,
        )
        self.volumesMenu = qt.QMenu(self.widget)
        self.volumesMenu.aboutToShow.connect(self.fillVolumesMenu)
        self.volumesButton.setMenu(self.volumesMenu)
        self.clearButton = push(_("Start o&ver"), _("Forget these scans; nothing is deleted."), self.onClear)
        layout.addWidget(side_by_side(self.folderButton, self.csvButton))
        layout.addWidget(side_by_side(self.volumesButton, self.clearButton))
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
        self.table.iconSize = qt.QSize(THUMBNAIL, THUMBNAIL)
        self.table.itemChanged.connect(self.onItemChanged)
        layout.addWidget(self.table)
        self.summaryNote = Note(_("Summary of the scans"))
        layout.addWidget(self.summaryNote.label)

        self.split = SplitBox(place)
        layout.addWidget(self.split.widget)
        layout.addStretch(1)

    @property
    def used(self) -> list:
        """The rows that are trained on."""
        left_out = set(self.place.project.choices.left_out) if self.place.project else set()
        return [row for row in self.rows if row["kind"] != "unusable" and row["file"] not in left_out]

    def open_project(self) -> None:
        """Show what the project's folder holds."""
        self.rows = []
        self.split.open_project()
        self.show()
        if self.place.project.choices.places:
            self.look()

    def onFolder(self) -> None:
        """Add a folder."""
        self._add(dialogs.folder(_("Folder with scans")))

    def onCSV(self) -> None:
        """Add a list."""
        self._add(dialogs.file(_("List of scans"), "", _("Table (*.csv)")))

    def fillVolumesMenu(self) -> None:
        """Offer what is loaded."""
        scene.fill_menu(self.volumesMenu, self.addVolumes)

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
                row["contrast"] or ("" if row["kind"] == "scan" else row["kind"]),
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
            item.setFlags(
                qt.Qt.ItemIsSelectable | (qt.Qt.ItemIsEnabled | qt.Qt.ItemIsUserCheckable if usable else qt.Qt.NoItemFlags)
            )
            item.setCheckState(qt.Qt.Checked if usable and row["file"] not in choices.left_out else qt.Qt.Unchecked)
            self.table.setRowHeight(line, THUMBNAIL + 4)
        self.table.resizeColumnToContents(0)
        if self.rows:
            self.table.setFixedHeight(self.table.horizontalHeader().height + min(len(self.rows), 5) * (THUMBNAIL + 4) + 6)
        self._filling = False
        self._sum_up()

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
        self._sum_up()

    def _sum_up(self) -> None:
        used, text = self.used, ""
        if self.rows:
            text = _("{used} of {count} scans are used, {size}; {unusable} cannot be used, {problems} have a note.").format(
                used=len(used),
                count=len(self.rows),
                size=in_bytes(sum(row["bytes"] for row in used)),
                unusable=sum(row["kind"] == "unusable" for row in self.rows),
                problems=sum(bool(row["problems"]) for row in self.rows),
            )
        self.summaryNote.say(text, warning=False)
        self.split.show(used)

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
        try:
            self.place.opened()
        except InputError as error:
            self.note.say(str(error))
            return False
        return True

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
