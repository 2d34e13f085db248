"""Views: what lies over the scan in the views, fade and flicker, side by side, plots, healthy boxes."""

from __future__ import annotations

import numpy as np
import qt
import vtk
from slicer.i18n import tr as _

from RadiomicsPersonaNodes import view as views
from RadiomicsPersonaNodes import volume as volumes
from RadiomicsPersonaNodes.origin import INPUT_VOLUME_ROLE

from .fade_in import FadeIn
from .section import Section


class ViewsSection(Section):
    """The views are touched only when what the parameter node wants there has changed; what is changed is put back.

    Args:
        panel: the widget that holds the panel.

    Attributes:
        overlay: what lies over the scan.
        flicker_key: the shortcut, on while the module is shown.
        fade_in: the ramp with which a result appears.
    """

    def __init__(self, ui, logic, panel):
        super().__init__(ui, logic)
        self.overlay = views.Overlay()
        self.fade_in = FadeIn(panel, self.overlay.dim)
        self._arrangement = views.Arrangement()
        self._shown = self._controls_shown = self._display = None
        self._toggles = (ui.sideBySideButton, ui.showScoresButton, ui.showStandingButton)
        ui.flickerButton.clicked.connect(self.on_flicker)
        ui.sideBySideButton.toggled.connect(self.on_side_by_side)
        ui.showScoresButton.toggled.connect(self.on_scores)
        ui.showStandingButton.toggled.connect(self.on_standing)
        # beside Slicer's own T, which does the same in the one view under the mouse
        self.flicker_key = qt.QShortcut(qt.QKeySequence("Q"), panel.window())
        self.flicker_key.activated.connect(self.on_flicker)

    def follow(self, parameters) -> None:
        super().follow(parameters)
        if parameters:
            for index, text in enumerate(
                (_("nothing"), _("healthy persona"), _("difference, in SD"), _("p of the difference"))
            ):
                self.ui.shownComboBox.setItemText(index, text)
            # what a scene shows when it is opened is the user's own
            self._shown, self._controls_shown = self._wanted(), parameters.showControls
            self.overlay.adopt(*self._shown)

    def update(self) -> None:
        has = bool(self.parameters and self.parameters.reconstructionVolume)
        for widget in (
            self.ui.shownComboBox,
            self.ui.fadeSlider,
            self.ui.flickerButton,
            self.ui.sideBySideButton,
            self.ui.showControlsCheckBox,
        ):
            widget.enabled = has
        self.ui.showScoresButton.enabled = bool(self.parameters and self.parameters.scoreChart)
        self.ui.showStandingButton.enabled = bool(self.parameters and self.parameters.standingChart)
        self._observe_scan()
        if self.parameters:
            self._update_controls()
            self._update_overlay()

    def scene_closes(self) -> None:
        self.fade_in.stop()
        self.overlay.forget()
        self._arrangement.give_back()
        self._release()

    def close(self) -> None:
        super().close()
        self.fade_in.finish()
        if self.flicker_key:
            self.flicker_key.deleteLater()
            self.flicker_key = None

    def listen(self, on: bool) -> None:
        """Whether the key does anything: it belongs to other modules while they are shown."""
        if self.flicker_key:
            self.flicker_key.enabled = on

    def show_reconstruction(self) -> None:
        """Lay the healthy persona over the scan, unless the user wants another result there."""
        parameters = self.logic.getParameterNode()
        if parameters.shown == "nothing":
            parameters.shown = "reconstruction"
        self._shown = None
        if self.parameters:
            self._update_overlay()

    def on_flicker(self) -> None:
        """Take what lies over the scan away, or lay it back."""
        self.fade_in.finish()
        self.overlay.flicker()

    def on_side_by_side(self, checked) -> None:
        """Show the scan and the scan with the result over it beside each other, or the user's own layout again."""
        if not checked:
            self._arrangement.give_back()
            return
        self._release(self.ui.sideBySideButton)
        if self.parameters.shown == "nothing":
            self.parameters.shown = "reconstruction"
        rois = self.logic.analyzedROIs()
        center = np.zeros(3)
        if rois:
            rois[0].GetCenterWorld(center)
        views.side_by_side(
            self._arrangement, self.overlay.scan, self.overlay.volume, self.parameters.fade / 100, center if rois else None
        )

    def on_scores(self, checked) -> None:
        """Show the plot of scores in a layout that has room for one, or the user's own layout again."""
        self._toggle_chart(self.ui.showScoresButton, checked, "scoreChart")

    def on_standing(self, checked) -> None:
        """Show where the boxes stand among their healthy boxes, or the user's own layout again."""
        self._toggle_chart(self.ui.showStandingButton, checked, "standingChart")

    def on_scan_display(self, caller=None, event=None) -> None:
        """Called when the user changes the scan's window: outside the boxes the persona must look the same."""
        if self.parameters and self.parameters.reconstructionVolume and self._display:
            volumes.show_like(self.parameters.reconstructionVolume, self._display.GetDisplayableNode())

    def _wanted(self):
        """What the parameter node wants in the views: the scan, the volume over it, and the opacity."""
        parameters = self.parameters
        nodes = {
            "reconstruction": parameters.reconstructionVolume,
            "difference": parameters.differenceVolume,
            "deviation": parameters.deviationVolume,
        }
        volume = nodes.get(parameters.shown)
        scan = volume.GetNodeReference(INPUT_VOLUME_ROLE) if volume else None
        return (scan, volume, parameters.fade / 100) if scan else (None, None, parameters.fade / 100)

    def _update_overlay(self) -> None:
        wanted = self._wanted()
        if wanted == self._shown:
            return
        scan, volume, opacity = self._shown = wanted
        if not volume:
            self.fade_in.stop()
            self.overlay.hide()
        elif self.overlay.volume is volume and self.overlay.scan is scan:
            if opacity != self.overlay.opacity:  # the user moves the slider
                self.fade_in.stop()
            if not self.fade_in.running:
                self.overlay.fade(opacity)
        else:
            appears = not self.overlay.volume
            self.fade_in.stop()
            self.overlay.show(scan, volume, opacity)
            if appears:
                self.fade_in.start()

    def _update_controls(self) -> None:
        if self.parameters.showControls != self._controls_shown:
            self._controls_shown = self.parameters.showControls
            self.logic.showControls(self._controls_shown)

    def _toggle_chart(self, button, checked, name) -> None:
        if not checked:
            self._arrangement.give_back()
            return
        self._release(button)
        views.show_chart(self._arrangement, getattr(self.parameters, name))

    def _release(self, kept=None) -> None:
        """Let the other buttons of this row go, whose layout is about to be replaced."""
        for button in self._toggles:
            if button is not kept and button.checked:
                button.blockSignals(True)
                button.checked = False
                button.blockSignals(False)

    def _observe_scan(self) -> None:
        """Follow the scan's window for as long as there is a persona."""
        persona = self.parameters.reconstructionVolume if self.parameters else None
        scan = persona.GetNodeReference(INPUT_VOLUME_ROLE) if persona else None
        display = scan.GetDisplayNode() if scan else None
        if display is not self._display:
            if self._display:
                self.removeObserver(self._display, vtk.vtkCommand.ModifiedEvent, self.on_scan_display)
            if display:
                self.addObserver(display, vtk.vtkCommand.ModifiedEvent, self.on_scan_display)
            self._display = display
