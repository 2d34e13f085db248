"""Segment: what a model finds in the volume, and from there in one click to a verdict."""

from __future__ import annotations

import qt
import slicer
from slicer.i18n import tr as _

from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaNodes import segmentation

from . import packages
from .job import ButtonJob
from .section import Section, show_table
from .wrapped_text import show_text


class SegmentSection(Section):
    """Model, its contrasts where it needs several, and two buttons: segment; segment, box, rebuild and judge.

    Args:
        done: called after every analysis, whether there are results (True) or not.
        go: called to bring the views to a box that was found.

    Attributes:
        contrast_selectors: the node selector of every contrast, by its name; none where the model takes one.
    """

    def __init__(self, ui, logic, done, go):
        super().__init__(ui, logic)
        self._done, self._go = done, go
        self._cards = {}
        self._updating = False
        self.contrast_selectors = {}
        self._form = qt.QFormLayout(ui.contrastsWidget)
        self._form.setContentsMargins(0, 0, 0, 0)
        status = (ui.segmentProgressBar, ui.segmentStatusLabel)
        self._segment_job = ButtonJob(logic, ui.segmentScanButton, *status)
        self._judge_job = ButtonJob(logic, ui.segmentJudgeButton, *status)
        ui.segmentModelComboBox.currentIndexChanged.connect(self.on_model)
        ui.segmentScanButton.clicked.connect(self.on_segment)
        ui.segmentJudgeButton.clicked.connect(self.on_judge)

    def follow(self, parameters) -> None:
        super().follow(parameters)
        if parameters:
            self._name_models()

    def update(self) -> None:
        has = bool(self.parameters and self.parameters.inputVolume)
        for button in (self.ui.segmentScanButton, self.ui.segmentJudgeButton):
            button.enabled = has
        if self.parameters:
            self._show_model()
        show_table(self.ui.segmentTableView, self.parameters.segmentTable if self.parameters else None)

    def scene_closes(self) -> None:
        self._cancel()
        self.ui.segmentStatusLabel.text = ""

    def close(self) -> None:
        super().close()
        self._cancel()

    def on_model(self) -> None:
        """Called when the user chooses a model."""
        if self.parameters and not self._updating:
            self.parameters.segmentationModel = self.ui.segmentModelComboBox.itemData(self.ui.segmentModelComboBox.currentIndex)

    def on_segment(self) -> None:
        """Segment the volume, or end that."""
        self._segment_job.run(
            self._segment, _("The segmentation failed unexpectedly ({error}); the Python console tells more.")
        )
        self.update()

    def on_judge(self) -> None:
        """Segment the volume and judge a box around what is found, or end that."""
        running, done = self._judge_job.running, False
        try:
            done = self._judge_job.run(
                self._judge, _("The analysis failed unexpectedly ({error}); the Python console tells more.")
            )
        finally:
            if not running:
                self._done(done)
        if done:
            self._go(self.logic.analyzedROIs()[0])

    def _segment(self) -> str:
        self._ensure_packages(self.parameters.segmentationModel)
        told = self.logic.segment(self._volumes(), self.ui.probabilitiesCheckBox.checked, self._segment_job.proceed)
        found = ", ".join(_("{name} {ml} ml").format(name=entry["name"], ml=f"{entry['ml']:.2f}") for entry in told["classes"])
        return _("Found: {found}.").format(found=found)

    def _judge(self) -> str:
        parameters = self.parameters
        self._ensure_packages(parameters.segmentationModel)
        self._ensure_packages(parameters.model)
        choice = self.ui.segmentChoiceComboBox
        results = self.logic.segmentAndApply(
            choice.itemData(choice.currentIndex) or None, self._volumes(), self._judge_job.proceed
        )
        return "\n".join(f"{box['name']}: {box['reason']}" for box in results["boxes"])

    def _ensure_packages(self, model: str) -> None:
        without = _("Without it, place the box by hand.") if model == self.parameters.segmentationModel else packages.HARMONIC
        if packages.ensure(model, without):
            self.logic.worker.end()  # it was started without them

    def _volumes(self) -> dict:
        return {name: selector.currentNode() for name, selector in self.contrast_selectors.items()}

    def _cancel(self) -> None:
        self._segment_job.cancel()
        self._judge_job.cancel()

    def _name_models(self) -> None:
        combo = self.ui.segmentModelComboBox
        self._updating = True
        try:
            self._cards = self.logic.segmentationCards()
            combo.clear()
            for name, card in self._cards.items():
                combo.addItem(f"{name}: {card.get('description', '')}", name)
        except InputError as error:
            self.ui.segmentStatusLabel.text = str(error)
        finally:
            self._updating = False

    def _show_model(self) -> None:
        combo, model = self.ui.segmentModelComboBox, self.parameters.segmentationModel
        self._updating = True
        try:
            if combo.findData(model) < 0:
                combo.addItem(_("{name} (not installed here)").format(name=model), model)
            combo.currentIndex = combo.findData(model)
        finally:
            self._updating = False
        card = self._cards.get(model, {})
        show_text(self.ui.segmentNoteLabel, card.get("limits", ""))
        self._offer_segments(segmentation.segment_names(card))
        wanted = segmentation.contrasts(card)
        self._ask_for_contrasts(wanted if len(wanted) > 1 else [])

    def _offer_segments(self, names: list) -> None:
        combo = self.ui.segmentChoiceComboBox
        if [combo.itemData(place) for place in range(1, combo.count)] != names or not combo.count:
            combo.clear()
            combo.addItem(_("all that is found"), "")
            for name in names:
                combo.addItem(name, name)
        combo.enabled = bool(names)

    def _ask_for_contrasts(self, names: list) -> None:
        """A selector for each contrast; the volume in question is chosen where its name tells which it is."""
        if list(self.contrast_selectors) == names:
            return
        while self._form.rowCount():
            self._form.removeRow(0)
        self.contrast_selectors = {}
        for name in names:
            selector = slicer.qMRMLNodeComboBox()
            selector.nodeTypes = ["vtkMRMLScalarVolumeNode"]
            selector.noneEnabled = True
            selector.addEnabled = selector.removeEnabled = selector.showChildNodeTypes = False
            selector.sizeAdjustPolicy = qt.QComboBox.AdjustToMinimumContentsLengthWithIcon  # a long name widens no panel
            selector.toolTip = _("The volume that shows {name}.").format(name=name)
            selector.accessibleName = name
            selector.setMRMLScene(slicer.mrmlScene)
            self._form.addRow(f"{name}:", selector)
            self.contrast_selectors[name] = selector
        for name, volume in self.logic.guessedContrasts(names).items():
            self.contrast_selectors[name].setCurrentNode(volume)
