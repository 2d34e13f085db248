"""Inputs: the scan, the boxes, and what helps to draw them."""

from __future__ import annotations

import qt
import slicer
from slicer.i18n import tr as _

from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaNodes import output, sample_data
from RadiomicsPersonaNodes import roi as roi_nodes
from RadiomicsPersonaNodes import scan as scan_nodes

from .section import Section
from .wrapped_text import show_text


class InputsSection(Section):
    """Scan with its note, checked ROIs, and the button for new ones.

    Attributes:
        segment_menu, mirror_menu: of the button, boxes around segments and mirrored ones.
    """

    def __init__(self, ui, logic):
        super().__init__(ui, logic)
        self._updating = False
        ui.inputROIsSelector.checkedNodesChanged.connect(self.on_checked)
        ui.newBoxButton.clicked.connect(self.on_new_box)
        menu = qt.QMenu(ui.newBoxButton)
        ui.newBoxButton.setMenu(menu)
        self.segment_menu, self.mirror_menu = menu.addMenu(_("&Around a segment")), menu.addMenu(_("&Mirrored"))
        self.segment_menu.aboutToShow.connect(self.fill_segment_menu)
        self.mirror_menu.aboutToShow.connect(self.fill_mirror_menu)
        ui.sampleHintLabel.linkActivated.connect(slicer.util.selectModule)
        for event in (slicer.vtkMRMLScene.NodeAddedEvent, slicer.vtkMRMLScene.NodeRemovedEvent):
            self.addObserver(slicer.mrmlScene, event, self.on_nodes)

    def on_nodes(self, caller=None, event=None) -> None:
        """Say where to get a scan while there is none."""
        hint = _('No scan yet? {link} has MRBrainTumor1, MRBrainTumor2 and "{own}".').format(
            link='<a href="SampleData">Sample Data</a>', own=sample_data.NAME
        )
        show_text(self.ui.sampleHintLabel, "" if scan_nodes.loaded() else hint)

    def update(self) -> None:
        self.on_nodes()
        if self.parameters:
            self._check(self.parameters.inputROIs)
            self._hide_results()
        notes = self.logic.scanNotes(self.parameters.inputVolume) if self.parameters else []
        show_text(self.ui.scanNoteLabel, "\n".join(f"\u26a0 {note}" for note in notes))

    def on_checked(self) -> None:
        """Called when the user checks or unchecks an ROI."""
        if self.parameters and not self._updating:
            self.parameters.inputROIs = list(self.ui.inputROIsSelector.checkedNodes())

    def on_new_box(self) -> None:
        """Let the user place a new box with two clicks in a view."""
        roi = roi_nodes.start_placing(_("box"))
        self.parameters.inputROIs = [*(node for node in self.parameters.inputROIs if node), roi]
        self.say(
            _("Click two opposite corners of the region in a slice view, then drag the handles of '{name}'.").format(
                name=roi.GetName()
            )
        )

    def fill_segment_menu(self) -> None:
        """Offer every segment of the scene."""
        choices = [
            (text, lambda checked=False, s=node, k=key: self._box_around(s, k)) for node, key, text in roi_nodes.segments()
        ]
        _fill(self.segment_menu, choices, _("There is no segment: draw one in the Segment Editor"))

    def fill_mirror_menu(self) -> None:
        """Offer every box."""
        rois = [
            roi for roi in slicer.util.getNodesByClass("vtkMRMLMarkupsROINode") if not roi.GetAttribute(roi_nodes.CONTROL_OF)
        ]
        choices = [(roi.GetName(), lambda checked=False, r=roi: self._mirror(r)) for roi in rois]
        _fill(self.mirror_menu, choices, _("There is no box: place one first"))

    def _hide_results(self) -> None:
        """Results are no scans: the list of volumes leaves them out, also when it chooses by itself."""
        proxy, hidden = self.ui.inputVolumeSelector.sortFilterProxyModel(), [node.GetID() for node in output.volumes()]
        if list(proxy.hiddenNodeIDs) != hidden:
            proxy.hiddenNodeIDs = hidden

    def _box_around(self, segmentation, key) -> None:
        try:
            roi = self.logic.addBoxAroundSegment(segmentation, key)
        except InputError as error:
            self.say(str(error))
            return
        self.say(_("'{name}' lies around the segment.").format(name=roi.GetName()))

    def _mirror(self, roi) -> None:
        try:
            mirrored, by_midplane = self.logic.addMirroredBox(roi)
        except InputError as error:
            self.say(str(error))
            return
        if by_midplane:
            self.say(_("'{name}' is mirrored at the midplane that the analysis found.").format(name=mirrored.GetName()))
        else:
            self.say(
                _(
                    "'{name}' is mirrored at the middle of the volume, since this scan has not been analyzed yet: check its "
                    "place."
                ).format(name=mirrored.GetName())
            )

    def _check(self, rois) -> None:
        wanted = {roi.GetID() for roi in rois if roi}
        selector = self.ui.inputROIsSelector
        self._updating = True
        try:
            selector.sortFilterProxyModel().hiddenNodeIDs = [roi.GetID() for roi in roi_nodes.control_rois()]
            for roi in slicer.util.getNodesByClass("vtkMRMLMarkupsROINode"):
                if roi.GetID() in wanted:
                    selector.check(roi)
                else:
                    selector.uncheck(roi)
        finally:
            self._updating = False


def _fill(menu, choices, nothing: str) -> None:
    menu.clear()
    for text, function in choices:
        # a name may hold what Qt takes for a mnemonic
        menu.addAction(text.replace("&", "&&")).triggered.connect(function)
    if not choices:
        menu.addAction(nothing).enabled = False
