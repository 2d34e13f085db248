"""Places: a button that lists what stands out in the whole head; each place is a click away."""

from __future__ import annotations

from slicer.i18n import tr as _

from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaNodes import places

from . import packages
from .job import ButtonJob
from .section import Section

NEEDS = "auto"
"""The model whose packages the search needs: those of any network."""


class PlacesSection(Section):
    """A button and a list; a click on a place moves the views, draws its box and checks that box alone."""

    def __init__(self, ui, logic):
        super().__init__(ui, logic)
        ui.placesCollapsibleButton.collapsed = True  # now, so that what is hidden inside stays so when it is unfolded
        self._job = ButtonJob(logic, ui.findPlacesButton, ui.placesProgressBar, ui.placesStatusLabel)
        self._volume, self._places = None, []
        ui.findPlacesButton.clicked.connect(self.on_find)
        ui.placesListWidget.itemClicked.connect(self.on_place)
        ui.placesListWidget.itemActivated.connect(self.on_place)

    def update(self) -> None:
        volume = self.parameters.inputVolume if self.parameters else None
        self.ui.findPlacesButton.enabled = bool(volume)
        if self._volume and volume is not self._volume:
            self._list(None, [])
            self.ui.placesStatusLabel.text = ""

    def scene_closes(self) -> None:
        self._job.cancel()
        self._list(None, [])
        self.ui.placesStatusLabel.text = ""

    def close(self) -> None:
        super().close()
        self._job.cancel()

    def on_find(self) -> None:
        """Search the head, or end that."""
        self._job.run(self._find, _("The search failed unexpectedly ({error}); the Python console tells more."))
        self.update()

    def on_place(self, item) -> None:
        """Show the place that was clicked, so that Apply judges it."""
        place = self._places[self.ui.placesListWidget.row(item)]
        try:
            self.parameters.inputROIs = [places.show(place, self._volume)]
        except InputError as error:
            self.ui.placesStatusLabel.text = str(error)
            return
        self.say(_("Apply judges place {rank}.").format(rank=place["rank"]))

    def _find(self) -> str:
        if packages.ensure(NEEDS):
            self.logic.worker.end()  # it was started without them
        volume = self.parameters.inputVolume
        told = self.logic.findPlaces(self._job.proceed)
        self._list(volume, told["places"])
        return "\n".join([told["summary"], *told["misses"]])

    def _list(self, volume, found: list) -> None:
        self._volume, self._places = volume, found
        self.ui.placesListWidget.clear()
        for place in found:
            self.ui.placesListWidget.addItem(places.line_of(place))
        self.ui.placesListWidget.visible = bool(found)
