"""Settings: model and its card, classifier, decision and threshold; folded away, since the defaults suit most scans."""

from __future__ import annotations

import qt
from slicer.i18n import tr as _

from RadiomicsPersonaLib.defaults import USUAL_THRESHOLDS
from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.metrics.metric import METRICS

from .section import Section
from .wrapped_text import show_text


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
        ui.classifierComboBox.currentIndexChanged.connect(self.on_classifier)
        ui.decisionComboBox.activated.connect(self.on_decision)

    def follow(self, parameters) -> None:
        super().follow(parameters)
        if parameters:
            self._name_choices()

    def update(self) -> None:
        if self.parameters:
            self._show_model()
            self._show_classifier()
            self._limit_threshold()

    def close(self) -> None:
        super().close()
        if self.card:
            self.card.deleteLater()
            self.card = None

    def say(self, text: str) -> None:
        """Tell the user on this page."""
        show_text(self.ui.settingsNoteLabel, text)

    def on_model(self) -> None:
        """Called when the user chooses a model."""
        if self.parameters and not self._updating:
            self.parameters.model = self.ui.modelComboBox.itemData(self.ui.modelComboBox.currentIndex)

    def on_classifier(self) -> None:
        """Called when the user chooses a classifier: it is checked at once, and complained of where it cannot be used."""
        if not self.parameters or self._updating:
            return
        self.parameters.classifier = self.ui.classifierComboBox.itemData(self.ui.classifierComboBox.currentIndex)
        try:
            self.logic.checkClassifier(self.parameters.classifier)
        except InputError as error:
            self.say(str(error))

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
            self.say(
                _("Enter the value of {metric} at which a box counts as pathological.").format(
                    metric=METRICS[self.parameters.decision].label
                )
            )

    def _name_choices(self) -> None:
        """Words instead of keys; the connections of the .ui file go by the position in the list."""
        decisions = (
            _("p-value among control regions"),
            _("probability by the classifier"),
            *(metric.label for metric in METRICS.values()),
        )
        devices = (_("automatic"), _("CPU"), _("GPU (CUDA)"), _("GPU (Apple)"))
        for combo, words in ((self.ui.decisionComboBox, decisions), (self.ui.deviceComboBox, devices)):
            for index, text in enumerate(words):
                combo.setItemText(index, text)
        self._updating = True
        try:
            self._name_classifiers()
            self.ui.modelComboBox.clear()
            for name, text in self.logic.models():
                self.ui.modelComboBox.addItem(text, name)
        except InputError as error:
            self.say(str(error))
        finally:
            self._updating = False

    def _name_classifiers(self) -> None:
        self.ui.classifierComboBox.clear()
        for name, text in self.logic.classifiers():
            self.ui.classifierComboBox.addItem(text, name)

    def _show_model(self) -> None:
        self._choose(self.ui.modelComboBox, self.parameters.model)

    def _show_classifier(self) -> None:
        combo, classifier = self.ui.classifierComboBox, self.parameters.classifier
        if combo.findData(classifier) < 0:  # it may have been put there since
            self._updating = True
            self._name_classifiers()
            self._updating = False
        self._choose(combo, classifier)

    def _choose(self, combo, name: str) -> None:
        self._updating = True
        try:
            if combo.findData(name) < 0:
                combo.addItem(_("{name} (not installed here)").format(name=name), name)
            combo.currentIndex = combo.findData(name)
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
