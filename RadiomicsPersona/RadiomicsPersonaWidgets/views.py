"""Views: what lies over the scan in the views, where they are, fade and flicker, side by side, plots, healthy boxes."""

from __future__ import annotations

import numpy as np
import qt
import slicer
import vtk
from slicer.i18n import tr as _

from RadiomicsPersonaNodes import roi as roi_nodes
from RadiomicsPersonaNodes import view as views
from RadiomicsPersonaNodes import volume as volumes
from RadiomicsPersonaNodes.origin import INPUT_VOLUME_ROLE

from .fade_in import FadeIn, Ticker
from .section import Section


class ViewsSection(Section):
    """The views are touched only when what the parameter node wants there has changed; what is changed is put back.

    Args:
        panel: the widget that holds the panel.
        menu: the `ResultsMenu`.

    Attributes:
        overlay: what lies over the scan.
        flicker_key: the shortcut, on while the module is shown.
        fade_in: the ramp with which a result appears.
    """

    def __init__(self, ui, logic, panel, menu):
        super().__init__(ui, logic)
        self.overlay = views.Overlay()
        self.fade_in = FadeIn(panel, self.overlay.dim)
        self._arrangement = views.Arrangement()
        self._shown = self._controls_shown = self._display = None
        self._due = self._dragged = False
        self._observed, self._zooms, self._visited = [], None, set()
        self._menu = menu
        self._toggles = (menu.side_by_side, menu.scores, menu.standing)
        # views that are new get their size, and plots their chart, one event later
        self._settled = Ticker(panel, 0, self._when_settled)
        menu.flicker.triggered.connect(self.on_flicker)
        menu.side_by_side.toggled.connect(self.on_side_by_side)
        menu.scores.toggled.connect(self.on_scores)
        menu.standing.toggled.connect(self.on_standing)
        menu.controls.toggled.connect(self.on_controls)
        # beside Slicer's own T, which does the same in the one view under the mouse; none of Slicer's keys is taken
        self.flicker_key = qt.QShortcut(qt.QKeySequence("Q"), panel.window())
        self.flicker_key.activated.connect(self.on_flicker)

    def follow(self, parameters) -> None:
        super().follow(parameters)
        if parameters:
            for index, text in enumerate(
                (_("nothing"), _("healthy persona"), _("difference"), _("p of the difference"), _("expected error"))
            ):
                self.ui.shownComboBox.setItemText(index, text)
            # what a scene shows when it is opened is the user's own, unless a result came while the panel was away
            self._controls_shown = parameters.showControls
            if not self._due:
                self._shown = self._wanted()
                self.overlay.adopt(*self._shown)
            self._due = False
            if parameters.resultTable:
                self._visited.add(parameters.inputVolume)
            if views.is_side_by_side() and not self._menu.side_by_side.checked:  # a scene that was saved so
                self._arrangement.take(views.SIDE_BY_SIDE)
                _press(self._menu.side_by_side, True)
        else:
            self._observe_views([])

    def update(self) -> None:
        has = bool(self.parameters and self.parameters.reconstructionVolume)
        menu = self._menu
        for control in (self.ui.shownComboBox, self.ui.fadeSlider, menu.flicker, menu.side_by_side, menu.controls):
            control.enabled = has
        menu.scores.enabled = bool(self.parameters and self.parameters.scoreChart)
        menu.standing.enabled = bool(self.parameters and self.parameters.standingChart)
        self._observe_scan()
        if self.parameters:
            _press(menu.controls, self.parameters.showControls)
            self._update_controls()
            self._update_overlay()
            self.update_boxes()

    def scene_closes(self) -> None:
        self.fade_in.stop()
        self._settled.stop()
        self.overlay.forget()
        self._arrangement.give_back()
        self._release()
        self._observe_views([])
        self._visited.clear()

    def close(self) -> None:
        super().close()
        self.fade_in.finish()
        self._settled.stop()
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
        self._shown, self._due = None, not self.parameters
        if self.parameters:
            self._update_overlay()
            self.update_boxes()

    def follow_drag(self, on: bool) -> None:
        """Show the persona that follows a drag, also where a difference is wanted, which belongs to the box's old place."""
        if on != self._dragged:
            self._dragged = on
            if self.parameters:
                self._update_overlay()

    def first_result(self) -> None:
        """Bring the views to the box where a scan has its first result; later ones leave the views where the user has them."""
        rois = self.logic.analyzedROIs()
        if self.parameters and rois and self.parameters.inputVolume not in self._visited:
            self._visited.add(self.parameters.inputVolume)
            self.go_to(rois[0])

    def go_to(self, roi, zoom: bool = True) -> None:
        """Bring the slice views to a box, and zoom them to it."""
        bounds = np.zeros(6)
        roi.GetRASBounds(bounds)
        views.go_to(bounds, zoom)
        self._place_names()

    def update_boxes(self) -> None:
        """Keep the boxes from covering what is looked at: no fill while something lies over the scan, no name inside."""
        for roi in [roi for roi in self.parameters.inputROIs if roi] if self.parameters else []:
            roi_nodes.show_fill(roi, not (self.overlay.volume or roi_nodes.wears_verdict(roi)))
        self._observe_views(slicer.util.getNodesByClass("vtkMRMLSliceNode") if self.parameters else [])
        self._zooms = None
        self._place_names()

    def on_view(self, caller=None, event=None) -> None:
        """Called when the user scrolls or zooms."""
        if views.zooms() != self._zooms:
            self._place_names()

    def on_controls(self, checked) -> None:
        """Show the healthy boxes, or take them out of the scene."""
        if self.parameters:
            self.parameters.showControls = checked

    def on_flicker(self) -> None:
        """Take what lies over the scan away, or lay it back."""
        self.fade_in.finish()
        self.overlay.flicker()

    def on_side_by_side(self, checked) -> None:
        """Show the scan and the scan with the result over it beside each other, or the user's own layout again."""
        if not checked:
            self._arrangement.give_back()
            return
        self._release(self._menu.side_by_side)
        if self.parameters.shown == "nothing":
            self.parameters.shown = "reconstruction"
        views.side_by_side(self._arrangement, self.overlay.scan, self.overlay.volume, self.parameters.fade / 100)
        self._settled.start()

    def on_scores(self, checked) -> None:
        """Show the plot of scores in a layout that has room for one, or the user's own layout again."""
        self._toggle_chart(self._menu.scores, checked, "scoreChart")

    def on_standing(self, checked) -> None:
        """Show where the boxes stand among their healthy boxes, or the user's own layout again."""
        self._toggle_chart(self._menu.standing, checked, "standingChart")

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
            "error": parameters.expectedErrorVolume,
        }
        shown = "reconstruction" if self._dragged and parameters.shown != "nothing" else parameters.shown
        volume = nodes.get(shown)
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
        self._settled.start()

    def _when_settled(self) -> None:
        """What has to wait until the views of a new layout are there."""
        self._settled.stop()
        if self._menu.side_by_side.checked:
            rois, center = self.logic.analyzedROIs(), np.zeros(3)
            if rois:
                rois[0].GetCenterWorld(center)
            views.fit_side_by_side(center if rois else None)
        views.name_ticks()

    def _place_names(self) -> None:
        """Write the names of the boxes that wear a verdict outside of them."""
        self._zooms = views.zooms()
        for roi in self.logic.analyzedROIs() if self.parameters else []:
            if roi_nodes.wears_verdict(roi):
                bounds = np.zeros(6)
                roi.GetRASBounds(bounds)
                roi_nodes.put_name_below(roi, round(views.half_height(bounds)))

    def _observe_views(self, nodes: list) -> None:
        for node in [node for node in self._observed if node not in nodes]:
            self.removeObserver(node, vtk.vtkCommand.ModifiedEvent, self.on_view)
        for node in [node for node in nodes if node not in self._observed]:
            self.addObserver(node, vtk.vtkCommand.ModifiedEvent, self.on_view)
        self._observed = nodes

    def _release(self, kept=None) -> None:
        """Let the other buttons of this row go, whose layout is about to be replaced."""
        for button in self._toggles:
            if button is not kept and button.checked:
                _press(button, False)

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


def _press(button, pressed: bool) -> None:
    """Press or release a button without a word to those who listen."""
    if button.checked != pressed:
        button.blockSignals(True)
        button.checked = pressed
        button.blockSignals(False)
