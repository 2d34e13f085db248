"""Settings page: built from the definition of the settings file, key by key; nothing about a setting is written down here."""

from __future__ import annotations

import json
import re

import qt
from slicer.i18n import tr as _

from RadiomicsPersonaTrainingLib.settings.definition import complaints, definition, hidden_sections, settings_table
from RadiomicsPersonaTrainingLib.settings.training_settings import TrainingSettings

from . import dialogs
from .form import Note, folded, labelled, push, side_by_side
from .page import Page

LARGEST_SPIN = 2**31 - 1
CHECK_MS = 300
"""After the last change of a key until it is checked."""


class SettingsPage(Page):
    """The widget of the page, and the present settings.

    Attributes:
        controls: the control of every key, by "section.key".
        notes: the line below it.
    """

    def __init__(self, place):
        super().__init__(place)
        self.controls, self.notes = {}, {}
        self._definition, self._table, self._boxes, self._filling = definition(), settings_table(TrainingSettings()), {}, False
        self.freshButton = push(
            _("From &nothing"), _("The default settings of the chosen task, with fresh weights."), lambda: self.begin("")
        )
        self.shippedButton = push(
            _("Start from the &shipped model"),
            _("Fine-tuning: begin with the weights of the shipped model; short and gentle."),
            lambda: self.begin("auto"),
        )
        self.openButton = push(_("&Open..."), _("Read a settings file (TOML)."), self.onOpen)
        self.saveButton = push(_("Sa&ve..."), _("Write the settings as a file in which every key is explained."), self.onSave)
        self.layout.addWidget(side_by_side(self.freshButton, self.shippedButton))
        self.layout.addWidget(side_by_side(self.openButton, self.saveButton))
        self.note = Note(_("Note on the settings"))
        self.layout.addWidget(self.note.label)
        self._timer = qt.QTimer()
        self._timer.setSingleShot(True)
        self._timer.setInterval(CHECK_MS)
        self._timer.timeout.connect(self.check)
        self._build()
        self.layout.addStretch(1)
        self._read({"table": self._table})

    @property
    def table(self) -> dict:
        """The settings as the table of a TOML file."""
        table = {section: dict(keys) if isinstance(keys, dict) else keys for section, keys in self._table.items()}
        for name, control in self.controls.items():
            section, key = name.split(".", 1)
            if section != "data":
                table[section][key] = _value(control, self._keys[name])
        table["scans"]["split"] = "split.csv"
        masks = table["scans"]["lesion_masks"]
        if masks and self.place.project:  # the file that is written for a run lies elsewhere
            table["scans"]["lesion_masks"] = str(self.place.project.folder.absolute() / masks)
        table["data"] = self._sources()
        return table

    def begin(self, start: str) -> None:
        """Settings for the chosen task as `init` writes them."""
        task = self.controls["task.kind"].currentText
        request = {"kind": "begin", "task": task, "start": start, "split": ""}
        self.place.questions.ask(request, self._read, self.note.say, "settings")

    def onOpen(self) -> None:
        """Read a file."""
        file = dialogs.file(_("Settings"), "", _("Settings (*.toml)"))
        if file:
            self.place.questions.ask({"kind": "read", "file": file}, self._read, self.note.say, "settings")

    def onSave(self) -> None:
        """Write a file."""
        file = dialogs.new_file(_("Settings"), "settings.toml", _("Settings (*.toml)"))
        if file:
            said = _("Written: {file}").format(file=file)
            self.place.questions.ask(
                {"kind": "write", "table": self.table, "file": file},
                lambda answer: self.note.say(said, warning=False),
                self.note.say,
            )

    def onFolder(self, control) -> None:
        """Choose the folder that a setting names."""
        folder = dialogs.folder(_("Folder"), control.text)
        if folder:
            control.text = folder

    def show_sources(self, kinds: dict) -> None:
        """Fit the collections to those of the split.

        Args:
            kinds: "scan" or "label map" by the collection's name.
        """
        before = {source["name"]: source for source in self._sources()}
        words = {"scan": "scans", "label map": "label maps"}
        defaults = {key["name"]: key["default"] for key in self._definition["source"]}
        self._table["data"] = [
            before.get(name) or defaults | {"name": name, "kind": words[kind]} for name, kind in kinds.items()
        ]
        self._build_sources()

    def take(self, answer: dict, source: str) -> None:
        """Show settings that were read, for a split of one collection of that name."""
        self._read(answer)
        self.show_sources({source: "scan"})

    def check(self) -> None:
        """Check the settings, say below the keys what is wrong, and show the sections that the chosen task needs."""
        table = self.table
        found = complaints(table)
        self._hide(hidden_sections(table))
        for name, note in self.notes.items():
            note.say(found.get(name, ""))
        self.note.say(found.get("", ""))

    def show_complaint(self, sentence: str) -> None:
        """Show a sentence that names a key of a section beside that key, and others at the top."""
        for name, note in self.notes.items():
            section, key = name.split(".")[0], name.split(".")[-1]
            if f"'{key}' in [{section}]" in sentence:
                note.say(sentence)
                return
        self.note.say(sentence)

    def _build(self) -> None:
        self._keys = {f"{s['name']}.{key['name']}": key for s in self._definition["sections"] for key in s["keys"]}
        holder = qt.QWidget()
        layout = qt.QVBoxLayout(holder)
        layout.setContentsMargins(0, 0, 0, 0)
        top = qt.QWidget()
        form_on_top = qt.QFormLayout(top)
        layout.addWidget(top)
        self._sources_box, self._sources_form = folded(
            _("Collections of scans"), _("What the model's card says of them, and how often each is drawn.")
        )
        layout.addWidget(self._sources_box)
        for section in self._definition["sections"]:
            box, form = folded(f"[{section['name']}] {re.split('[.;,]', section['explanation'])[0]}", section["explanation"])
            for key in section["keys"]:
                if (section["name"], key["name"]) != ("scans", "split"):  # the Data page's
                    self._add_key(form_on_top if key["matters"] else form, f"{section['name']}.{key['name']}", key)
            self._boxes[section["name"]] = box
            box.collapsed = True
            layout.addWidget(box)
        self.layout.addWidget(holder)

    def _add_key(self, form, name: str, key: dict) -> None:
        text = key["name"].replace("_", " ").capitalize()
        control = labelled(form, f"{text}:", _control(key), _tip(key))
        if key["folder"]:
            choose = _("Choose the folder: {what}").format(what=text.lower())
            form.addRow("", push(_("Choose..."), choose, lambda: self.onFolder(control)))
        self._keys[name] = key
        self.controls[name] = control
        control.setObjectName(name)
        self.notes[name] = Note(_("Note on {name}").format(name=key["name"]))
        form.addRow(self.notes[name].label)
        _changed(control).connect(lambda *value: self._on_changed())

    def _build_sources(self) -> None:
        for name in [name for name in self.controls if name.startswith("data.")]:
            del self.controls[name], self.notes[name]
        while self._sources_form.rowCount():
            self._sources_form.removeRow(0)
        for number, source in enumerate(self._table["data"]):
            self._sources_form.addRow(qt.QLabel(source["name"]))
            for key in self._definition["source"]:
                if key["name"] != "name":
                    name = f"data.{number}.{key['name']}"
                    self._add_key(self._sources_form, name, key)
                    _show(self.controls[name], source[key["name"]])
        self._sources_box.collapsed = self._sources_box.collapsed  # what was added to a folded box is folded away with it

    def _sources(self) -> list:
        sources = [dict(source) for source in self._table["data"]]
        for name, control in self.controls.items():
            if name.startswith("data."):
                _data, number, key = name.split(".", 2)
                sources[int(number)][key] = _value(control, self._keys[name])
        return sources

    def _read(self, answer) -> None:
        kept = self._sources()
        self._table = answer["table"]
        if not self._table["data"]:
            self._table["data"] = kept
        self._filling = True
        for name, control in self.controls.items():
            section, key = name.split(".", 1)
            if section != "data":
                _show(control, self._table[section][key])
        self._filling = False
        self.show_sources(self.place.kinds_of_sources() or {source["name"]: "scan" for source in self._table["data"]})
        self.check()

    def _on_changed(self) -> None:
        if not self._filling:
            self._timer.start()

    def _hide(self, sections: list) -> None:
        for name, box in self._boxes.items():
            box.visible = name not in sections


def _control(key: dict):
    if key["choices"]:
        control = qt.QComboBox()
        for choice in key["choices"]:
            control.addItem(str(choice))
        return control
    if key["type"] == "bool" and key["length"] is None:
        return qt.QCheckBox()
    if key["type"] == "int" and key["length"] is None:
        control = qt.QSpinBox()
        control.setRange(
            0 if key["low"] is None else int(key["low"]),
            min(LARGEST_SPIN, LARGEST_SPIN if key["high"] is None else int(key["high"])),
        )
        control.setGroupSeparatorShown(True)
        return control
    return qt.QLineEdit()


def _changed(control):
    """The signal that a control's value was changed."""
    signals = {"QComboBox": "currentIndexChanged", "QCheckBox": "toggled", "QSpinBox": "valueChanged"}
    return getattr(control, signals.get(control.className(), "textChanged"))


def _show(control, value) -> None:
    kind = control.className()
    if kind == "QComboBox":
        control.currentIndex = control.findText(str(value))
    elif kind == "QCheckBox":
        control.checked = bool(value)
    elif kind == "QSpinBox":
        control.value = int(value)
    else:
        control.text = _written(value)


def _value(control, key: dict):
    """What a control holds, as TOML would give it; a text that is no number stays one, and is complained of."""
    kind = control.className()
    if kind == "QComboBox":
        return control.currentText
    if kind == "QCheckBox":
        return bool(control.checked)
    if kind == "QSpinBox":
        return int(control.value)
    if key["length"] is not None:
        return [_parsed(part.strip(), key["type"]) for part in control.text.split(",") if part.strip()]
    return _parsed(control.text, key["type"])


def _parsed(text: str, kind: str):
    if kind == "str":
        return text
    try:
        return int(text) if kind == "int" else float(text)
    except ValueError:
        return text


def _written(value) -> str:
    if isinstance(value, list):
        return ", ".join(_written(part) for part in value)
    return value if isinstance(value, str) else json.dumps(value) if not isinstance(value, float) else f"{value:.12g}"


def _tip(key: dict) -> str:
    """The explanation with the range."""
    text = key["explanation"]
    if key["choices"]:
        return text
    if key["low"] is not None and key["high"] is not None:
        return _("{text} {low:.12g} to {high:.12g}.").format(text=text, low=key["low"], high=key["high"])
    return text
