"""Models page: the shipped models and classifiers and the site's own, with their cards and checksums, and the models' way to
other machines.
"""

from __future__ import annotations

from pathlib import Path

import qt
from slicer.i18n import tr as _

from RadiomicsPersonaLib.analysis.classifier import (
    DEFAULT,
    KIND,
    classifier_files,
    read_classifier,
    remove_classifier,
)
from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.networks.card import text_of_card
from RadiomicsPersonaTrainingLib.amounts import in_bytes
from RadiomicsPersonaTrainingLib.export.model_archive import InstalledModel, installed_models, remove_model

from . import dialogs
from .calibrate_page import text_of_fit
from .form import Note, chosen_keys, fill, named, push, side_by_side, table
from .page import Page


class ModelsPage(Page):
    """The widget of the page.

    Attributes:
        removed: called with a classifier's name when it was deleted; returns whether the analysis judged by it.
    """

    def __init__(self, place):
        super().__init__(place)
        self._models, self.removed = {}, lambda name: False
        layout = self.layout
        self.table = table(
            _("Models and classifiers that the analysis can take. Choose one to read its card."),
            _("Models"),
            [_("Model"), _("Checksum"), _("From"), _("What it does"), _("Meant for")],
        )
        self.table.setSelectionMode(qt.QAbstractItemView.SingleSelection)
        self.table.itemSelectionChanged.connect(self.onChosen)
        layout.addWidget(self.table)
        self.importButton = push(
            _("&Import..."),
            _("Install a model from one file (.zip with weights and card); everything in it is checked."),
            self.onImport,
        )
        self.archiveButton = push(
            _("E&xport as a file..."), _("Put the model, weights and card, into one file for another machine."), self.onArchive
        )
        self.removeButton = push(_("Re&move..."), _("Delete a model or a classifier of your own."), self.onRemove)
        layout.addWidget(side_by_side(self.importButton, self.archiveButton, self.removeButton))
        self.note = Note(_("Note on the models"))
        layout.addWidget(self.note.label)
        self.card = named(qt.QTextBrowser(), _("What is known of the model."), _("Model card"))
        self.card.setMinimumHeight(220)
        layout.addWidget(self.card)
        layout.addStretch(1)

    def show(self, chosen: str = "") -> None:
        """Look at all models, and choose one."""
        self._models = {str(model.file): model for model in (*installed_models(), *_classifiers())}
        rows = [
            (
                model.name,
                _("wrong") if model.problem else _("right"),
                _("your own") if model.own else _("shipped"),
                model.kind,
                model.card.get("contrasts", ""),
            )
            for model in self._models.values()
        ]
        fill(self.table, rows, list(self._models))
        for line, model in enumerate(self._models.values()):
            if model.name == chosen:
                self.table.selectRow(line)
        if not chosen_keys(self.table) and rows:
            self.table.selectRow(0)
        self.onChosen()

    @property
    def model(self):
        """The chosen model, or None."""
        chosen = chosen_keys(self.table)
        return self._models.get(chosen[0]) if chosen else None

    def onChosen(self) -> None:
        """Show the card."""
        model = self.model
        self.note.say(model.problem if model else "")
        self.archiveButton.enabled = bool(model) and not model.problem and model.kind != KIND
        self.removeButton.enabled = bool(model) and model.own
        self.card.setPlainText(_text(model) if model and model.card else "")

    def onImport(self) -> None:
        """Install a model from a file."""
        file = dialogs.file(_("Import a model"), "", _("Model (*.zip)"))
        if file:
            self.place.questions.ask(
                {"kind": "install", "file": file}, lambda answer: self._installed(Path(answer["card"]).stem), self.note.say
            )

    def onArchive(self) -> None:
        """Put the model into a file."""
        model = self.model
        file = dialogs.new_file(_("Export the model"), f"{model.name}.zip", _("Model (*.zip)"))
        if file:
            said = _("Written: {file}").format(file=file)
            request = {"kind": "archive", "card": str(model.file), "file": file}
            self.place.questions.ask(request, lambda answer: self.note.say(said, warning=False), self.note.say)

    def onRemove(self) -> None:
        """Delete the model or classifier, after asking."""
        model = self.model
        judges = model.kind == KIND
        if not dialogs.confirmed(
            _("Remove a classifier") if judges else _("Remove a model"),
            _("Delete '{name}' from {folder}? This cannot be undone.").format(name=model.name, folder=model.file.parent),
        ):
            return
        try:
            freed = remove_classifier(model.name) if judges else remove_model(model.name)
        except InputError as error:
            self.note.say(str(error))
            return
        text = _("Removed '{name}'; {size} are free again.").format(name=model.name, size=in_bytes(freed))
        if judges and self.removed(model.name):
            text += _(" RadiomicsPersona judges by its own classifier again.")
        self.show()
        self.note.say(text, warning=False)

    def _installed(self, name: str) -> None:
        self.show(name)
        self.note.say(_("'{name}' is now among the models of RadiomicsPersona.").format(name=name), warning=False)


def _classifiers() -> list[InstalledModel]:
    """The classifiers of the verdict as rows beside the models; their cards are what they say about themselves."""
    found = []
    for name, file in classifier_files().items():
        about, problem = {}, ""
        try:
            classifier = read_classifier(file)
            about = classifier.about | {"sha256": classifier.sha256}
        except InputError as error:
            problem = str(error)
        found.append(InstalledModel(name, KIND, file, name != DEFAULT, about, problem))
    return found


def _text(model: InstalledModel) -> str:
    """What a reader should know of a model or a classifier."""
    if model.kind != KIND:
        return text_of_card(model.card)
    measured = model.card.get("cross_validation", {})
    said = text_of_fit(measured, model.file) if measured else _("It does not say what it was fitted on.")
    return _("{text}\n\nSHA-256 of the classifier: {digest}").format(text=said, digest=model.card["sha256"])
