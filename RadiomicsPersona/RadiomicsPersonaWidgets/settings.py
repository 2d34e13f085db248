"""Settings: model and its card, decision and threshold; folded away, since the defaults suit most scans."""

from __future__ import annotations

import qt
from slicer.i18n import tr as _

from RadiomicsPersonaLib.defaults import USUAL_THRESHOLDS
from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.metric import METRICS

from .section import Section


class SettingsSection(Section):
    """What the connections of the .ui file do not cover of the advanced settings.

    Attributes:
        card: the window of the model card, or None until it is asked for.
    """

    def __init__(self, ui, logic):
        super().__init__(ui, logic)
        self.card = None
        self._updating = False
        ui.modelComboBox.currentIndexChanged.connect(self.on_model)
        ui.modelCardButton.clicked.connect(self.on_card)
        ui.decisionComboBox.activated.connect(self.on_decision)

    def follow(self, parameters) -> None:
        super().follow(parameters)
        if parameters:
            self._name_choices()

    def update(self) -> None:
        if self.parameters:
            self._show_model()
            self._limit_threshold()

    def close(self) -> None:
        super().close()
        if self.card:
            self.card.deleteLater()
            self.card = None

    def on_model(self) -> None:
        """Called when the user chooses a model."""
        if self.parameters and not self._updating:
            self.parameters.model = self.ui.modelComboBox.itemData(self.ui.modelComboBox.currentIndex)

    def on_card(self) -> None:
        """Show what is known of the chosen model."""
        try:
            text = self.logic.cardText(self.parameters.model)
        except InputError as error:
            self.say(str(error))
            return
        if self.card is None:
            self._make_card()
        self._browser.setPlainText(text)
        self.card.show()

    def _make_card(self) -> None:
        self.card = qt.QDialog(self.ui.modelCardButton.window())
        self.card.windowTitle = _("Model card")
        self._browser = qt.QTextBrowser()
        self._browser.accessibleName = _("Model card")
        buttons = qt.QDialogButtonBox()
        buttons.setStandardButtons(qt.QDialogButtonBox.Close)
        buttons.rejected.connect(self.card.reject)
        layout = qt.QVBoxLayout(self.card)
        layout.addWidget(self._browser)
        layout.addWidget(buttons)
        self.card.resize(640, 560)

    def on_decision(self) -> None:
        """Called when the user chooses what the label rests on: begin with the threshold that is usual for it."""
        threshold = self.logic.usualThreshold(self.parameters.decision)
        if threshold is not None:
            self.parameters.threshold = float(f"{threshold:.3g}")
        else:
            self.say(_("Enter the value of {metric} at which a box counts as pathological.").format(
                metric=METRICS[self.parameters.decision].label))

    def _name_choices(self) -> None:
        """Words instead of keys; the connections of the .ui file go by the position in the list."""
        decisions = (_("p-value among healthy boxes"), _("probability by the classifier"), *(metric.label for metric in METRICS.values()))
        devices = (_("automatic"), _("processor (CPU)"), _("graphics card (CUDA)"), _("graphics card (Apple)"))
        for combo, words in ((self.ui.decisionComboBox, decisions), (self.ui.deviceComboBox, devices)):
            for index, text in enumerate(words):
                combo.setItemText(index, text)
        self._updating = True
        try:
            self.ui.modelComboBox.clear()
            for name, text in self.logic.models():
                self.ui.modelComboBox.addItem(text, name)
        except InputError as error:
            self.say(str(error))
        finally:
            self._updating = False

    def _show_model(self) -> None:
        combo, model = self.ui.modelComboBox, self.parameters.model
        self._updating = True
        try:
            if combo.findData(model) < 0:
                combo.addItem(_("{name} (not installed here)").format(name=model), model)
            combo.currentIndex = combo.findData(model)
        finally:
            self._updating = False

    def _limit_threshold(self) -> None:
        spin_box = self.ui.thresholdSpinBox
        if self.parameters.decision in USUAL_THRESHOLDS:
            spin_box.setRange(0.001, 0.999)
            spin_box.singleStep = 0.01
        else:
            spin_box.setRange(-100000.0, 100000.0)
            spin_box.singleStep = 0.1
