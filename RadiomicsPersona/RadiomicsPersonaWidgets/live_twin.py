"""Live twin: the one that follows a box while it is dragged."""

from __future__ import annotations

import slicer
from slicer.i18n import tr as _

from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.system.child import Cancelled, ChildFailed

from .fade_in import Ticker
from .section import Section

INTERVAL_MS = 30


class LiveTwinSection(Section):
    """Observes the checked boxes while the toggle is on; a ticker takes the newest place,
    and on release the numbers are computed.

    Args:
        run: the `RunSection`; its run is cancelled by a drag.
        views: the `ViewsSection`.
    """

    def __init__(self, ui, logic, run, views):
        super().__init__(ui, logic)
        self._run, self._views = run, views
        self._ticker = Ticker(ui.liveTwinCheckBox, INTERVAL_MS, self.on_tick)
        self._soon = Ticker(ui.liveTwinCheckBox, 0, self._apply_if_ready)
        self._followed = []
        self._moved = self._dragged = None
        self._apply_again = False
        ui.liveTwinCheckBox.toggled.connect(self.on_toggled)

    @property
    def following(self) -> bool:
        """Whether a twin is to be asked for or still to come."""
        return self._ticker.running

    def update(self) -> None:
        self._observe()

    def scene_closes(self) -> None:
        self._forget()
        self.logic.liveTwin.stop()

    def close(self) -> None:
        super().close()
        self._forget()

    def on_toggled(self, checked: bool) -> None:
        """Follow the boxes with their healthy persona, or no longer."""
        self._observe()
        if not checked:
            self._ticker.stop()
            self.logic.liveTwin.stop()
            return
        try:
            self.logic.worker.start()  # so that the first step finds it ready
        except ChildFailed as error:
            self.say(str(error))
        if self._followed and not self.parameters.reconstructionVolume:
            self.on_moved(self._followed[0])
            self._dragged = None  # nobody holds it, so nobody lets go of it

    def on_moved(self, roi, event=None) -> None:
        """Called for every step of a drag, of which a ticker takes the latest."""
        if not roi.GetControlPointPlacementComplete():  # the user still clicks its corners
            return
        self._moved = self._dragged = roi
        self._run.cancel()  # numbers of where the box was help nobody
        self._ticker.start()

    def on_released(self, roi, event=None) -> None:
        """Called when the user lets go of a box: now the numbers, if it was moved at all."""
        if self._dragged is roi:
            self._dragged = None
            self._apply_after_drag()

    def on_tick(self) -> None:
        """Ask for the twin of the box as it is now, and show the newest that is there."""
        roi, self._moved = self._moved, None
        live = self.logic.liveTwin
        try:
            if roi and slicer.mrmlScene.IsNodePresent(roi) and not live.ask(roi):
                self._moved = self._moved or roi
            if live.take():
                self.say(_("Live persona of '{name}'; the numbers follow when you let go.").format(name=live.box_name))
                self._views.follow_drag(self._dragged is not None)
                if live.is_new:
                    self._views.show_reconstruction()
        except Cancelled:
            self._moved = self._moved or roi or self._dragged  # the worker was ended: the next one knows nothing of it
        except (InputError, ChildFailed) as error:
            self.say(str(error))
        finally:
            if not (self._moved or live.waiting):
                self._ticker.stop()

    def run_ended(self) -> None:
        """Called after every run: a box that was let go of meanwhile gets its own."""
        self._views.follow_drag(False)
        if self._apply_again:
            self._apply_after_drag()

    def _forget(self) -> None:
        """Nothing is to be asked or applied any more."""
        self._ticker.stop()
        self._soon.stop()
        self._moved = self._dragged = None
        self._apply_again = False
        self._views.follow_drag(False)

    def _apply_after_drag(self) -> None:
        """Apply as soon as the event that asks for it, or the run that it ends, is over."""
        self._apply_again = self._run.running
        if not self._run.running:
            self._soon.start()

    def _apply_if_ready(self) -> None:
        self._soon.stop()
        if not self._run.running and self.ui.applyButton.enabled and self.ui.liveTwinCheckBox.checked:
            self._run.on_apply()

    def _observe(self) -> None:
        """Observe the chosen boxes while the live twin is on, and no others."""
        wanted = [roi for roi in self.parameters.inputROIs if roi] if self.parameters else []
        wanted = wanted if self.ui.liveTwinCheckBox.checked else []
        changes = (
            (slicer.vtkMRMLMarkupsNode.PointModifiedEvent, self.on_moved),
            (slicer.vtkMRMLTransformableNode.TransformModifiedEvent, self.on_moved),
            (slicer.vtkMRMLMarkupsNode.PointEndInteractionEvent, self.on_released),
        )
        for event, method in changes:
            for roi in self._followed:
                if roi not in wanted:
                    self.removeObserver(roi, event, method)
            for roi in wanted:
                if roi not in self._followed:
                    self.addObserver(roi, event, method)
        self._followed = wanted
