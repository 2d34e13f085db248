"""Sensitivity: a lesion painted at a place of this scan, and how small and how faint one is still found there."""

from __future__ import annotations

import slicer
from slicer.i18n import tr as _

from RadiomicsPersonaLib.defaults import LESION_CONTRASTS, LESION_KINDS
from RadiomicsPersonaNodes import lesions
from RadiomicsPersonaNodes import view as views

from . import packages
from .job import ButtonJob
from .report_file import ReportFile
from .section import Section, show_table


class SensitivitySection(Section):
    """Place, kind, size and strength; two buttons: paint one lesion; judge many and show the curve.

    Attributes:
        report: of the latest curve.
    """

    def __init__(self, ui, logic):
        super().__init__(ui, logic)
        ui.sensitivityWidget.visible = False
        ui.sensitivityHereButton.toggled.connect(self.on_here)
        status = (ui.sensitivityProgressBar, ui.sensitivityStatusLabel)
        self._paint_job, self._curve_job = (
            ButtonJob(logic, ui.paintButton, *status),
            ButtonJob(logic, ui.sensitivityButton, *status),
        )
        self.report = ReportFile(ui.sensitivityReportButton, ui.sensitivityStatusLabel)
        self._arrangement = views.Arrangement()
        for kind, name in LESION_KINDS.items():
            ui.lesionKindComboBox.addItem(_(name), kind)
        ui.lesionContrastComboBox.addItem(_("told from the scan"), "")
        for contrast in LESION_CONTRASTS:
            ui.lesionContrastComboBox.addItem(contrast, contrast)
        ui.paintButton.clicked.connect(self.on_paint)
        ui.sensitivityButton.clicked.connect(self.on_sensitivity)
        ui.sensitivityChartButton.toggled.connect(self.on_chart)

    def update(self) -> None:
        has = bool(self.parameters and self.parameters.inputVolume)
        for button in (self.ui.paintButton, self.ui.sensitivityButton):
            button.enabled = has
        selector = self.ui.lesionPlaceSelector
        boxes = [roi for roi in self.parameters.inputROIs if roi] if self.parameters else []
        if boxes and not selector.currentNode():
            selector.setCurrentNode(boxes[0])
        chart = self.parameters.sensitivityChart if self.parameters else None
        show_table(self.ui.sensitivityTableView, self.parameters.sensitivityTable if self.parameters else None)
        self.ui.sensitivityChartButton.enabled = bool(chart)

    def scene_closes(self) -> None:
        self._cancel()
        self._arrangement.give_back()
        self.report.forget()
        self.ui.sensitivityChartButton.checked = False
        self.ui.sensitivityStatusLabel.text = ""

    def close(self) -> None:
        super().close()
        self._cancel()
        self.report.forget()

    def on_here(self, checked) -> None:
        """Show what is asked for, or fold it away again."""
        self.ui.sensitivityWidget.visible = checked

    def on_paint(self) -> None:
        """Show the scan with a painted lesion, or end that."""
        self._paint_job.run(self._paint, _("Painting failed unexpectedly ({error}); the Python console tells more."))
        self.update()

    def on_sensitivity(self) -> None:
        """Find out how small and how faint a lesion is found, or end that."""
        if self._curve_job.run(self._find_out, _("This failed unexpectedly ({error}); the Python console tells more.")):
            self.report.keep(lesions.REPORT)
        self.update()

    def on_chart(self, checked) -> None:
        """Show the curve in a layout that has room for a plot, or the user's own layout again."""
        if checked and self.parameters and self.parameters.sensitivityChart:
            views.show_chart(self._arrangement, self.parameters.sensitivityChart)
        else:
            self._arrangement.give_back()

    def _paint(self) -> str:
        image, _outline, told = self.logic.paintLesion(
            *self._asked(), self.ui.lesionSizeSpinBox.value, self.ui.lesionStrengthSpinBox.value, self._paint_job.proceed
        )
        slicer.util.setSliceViewerLayers(background=image)
        return _("'{name}' has a lesion of {ml} ml, painted as {contrast} shows it; the scan is as it was.").format(
            name=image.GetName(), ml=f"{told['size_ml']:.2f}", contrast=told["contrast"]
        )

    def _find_out(self) -> str:
        record = self.logic.sensitivity(*self._asked(), self.report.fresh_folder(), self._curve_job.proceed)
        return "\n".join([*record["summary"], *record["warnings"], record["caveat"]])

    def _asked(self) -> tuple:
        """Place, kind and contrast."""
        if packages.ensure(self.parameters.model):
            self.logic.worker.end()  # it was started without them
        kind, contrast = self.ui.lesionKindComboBox, self.ui.lesionContrastComboBox
        return (
            lesions.place_in(self.ui.lesionPlaceSelector.currentNode(), self.parameters.inputVolume),
            kind.itemData(kind.currentIndex),
            contrast.itemData(contrast.currentIndex),
        )

    def _cancel(self) -> None:
        self._paint_job.cancel()
        self._curve_job.cancel()
