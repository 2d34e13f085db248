"""Preparation: what is done as soon as a scan is chosen, quietly, so that Apply is short."""

from __future__ import annotations

import slicer
from slicer.i18n import tr as _

from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.system.child import ChildFailed
from RadiomicsPersonaNodes.preparation import Preparation

from . import packages
from .fade_in import Ticker
from .section import Section

PREFERENCE = "RadiomicsPersona/prepareScan"
"""Key of the user's settings: whether a scan is prepared when it is chosen."""
INTERVAL_MS = 200


class PreparationSection(Section):
    """Prepares the chosen volume a moment after it was chosen; another choice ends that. It says so in the line below Apply
    while nothing else stands there.

    Attributes:
        preparation: of the latest volume.
    """

    def __init__(self, ui, logic):
        super().__init__(ui, logic)
        self.preparation = Preparation(logic)
        self._ticker = Ticker(ui.prepareCheckBox, INTERVAL_MS, self.on_tick)
        self._chosen = self._due = None
        self._last_seconds = 0
        self._said = ""
        wanted = slicer.util.settingsValue(PREFERENCE, True, slicer.util.toBool, slicer.app.userSettings())
        ui.prepareCheckBox.checked = wanted
        ui.prepareCheckBox.toggled.connect(self.on_toggled)

    def update(self) -> None:
        """Look at the chosen volume, which may be another one."""
        volume = self.parameters.inputVolume if self.parameters else None
        if volume is self._chosen or not self.parameters:
            return
        self.preparation.stop()
        self._chosen = volume
        self._begin_soon()

    def scene_closes(self) -> None:
        self._forget()

    def close(self) -> None:
        super().close()
        self._forget()

    def on_toggled(self, checked: bool) -> None:
        """Prepare scans from now on, or no longer."""
        slicer.app.userSettings().setValue(PREFERENCE, checked)
        if checked:
            self._begin_soon()
        else:
            self._ticker.stop()
            self.preparation.stop()
            self.say("")

    def on_tick(self) -> None:
        """Begin with what is due, then tell how far it is, until it has ended."""
        volume, self._due = self._due, None
        preparation = self.preparation
        try:
            if volume and slicer.mrmlScene.IsNodePresent(volume) and not self.logic.job:
                preparation.ask(volume)
            if not preparation.waiting:
                self._ticker.stop()
            elif preparation.take():
                self._last_seconds = max(round(preparation.seconds), 1)
                self._ticker.stop()
                self.say(_("'{name}' is prepared.").format(name=preparation.name))
            else:
                self.say(self._how_far())
        except (InputError, ChildFailed) as error:
            self._ticker.stop()
            self.say(str(error))

    def say(self, text: str) -> None:
        """Tell it where nothing else is told and nothing runs."""
        if self.ui.statusLabel.text in ("", self._said) and not self.logic.job:
            self.ui.statusLabel.text = self._said = text

    def _how_far(self) -> str:
        seconds, usual = int(self.preparation.seconds), self._last_seconds
        said = _("Preparing '{name}' ({seconds} s").format(name=self.preparation.name, seconds=seconds)
        return said + (_(", about {left} s left)").format(left=usual - seconds) if usual > seconds else ")")

    def _begin_soon(self) -> None:
        """A moment later, so that the click that chose the volume is over first."""
        wanted = self.ui.prepareCheckBox.checked and self.parameters and packages.are_there(self.parameters.model)
        self._due = self._chosen if wanted else None
        if self._due:
            self._ticker.start()

    def _forget(self) -> None:
        self._ticker.stop()
        self.preparation.stop()
        self._chosen = self._due = None
