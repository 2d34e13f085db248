"""The panel on a real Qt: the .ui file loads, its widgets and the parameter node follow each other, Apply works."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from bench.prepared_run import PreparedRun
from test_slicer_boxes import add_roi, add_volume

from RadiomicsPersonaLib.child import ChildFailed
from RadiomicsPersonaLib.errors import InputError

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed: pip install slicer-core")


@pytest.fixture
def panel(module, slicer_bench):
    """The module's widget in a window, with a prepared run; fails the test if any slot raised."""
    if slicer.no_qt:
        pytest.skip(slicer.no_qt)
    import qt

    raised = []
    hook, sys.excepthook = sys.excepthook, lambda kind, error, trace: raised.append(error)
    parent = qt.QWidget()
    parent.setLayout(qt.QVBoxLayout())
    parent.isEntered = True
    widget = module.RadiomicsPersonaWidget(parent)
    widget.setup()
    widget.logic.runner = PreparedRun()
    yield widget
    widget.cleanup()
    parent.layout().itemAt(0).widget().setMRMLScene(None)
    sys.excepthook = hook
    if raised:
        raise raised[0]


def said(label) -> list[str]:
    """The lines of a label of rich text, as they are read."""
    import qt

    document = qt.QTextDocument()
    document.setHtml(label.text)
    return document.toPlainText().splitlines()


@pytest.fixture
def inputs(panel):
    """A volume and two ROIs, selected in the panel."""
    volume = add_volume(np.random.default_rng(0).integers(0, 900, (24, 22, 20)).astype(np.int16), np.diag([2.0, 2, 2, 1]))
    rois = [add_roi(name, (8, 8, 8), np.eye(3), (x, 20, 20)) for name, x in (("A", 10), ("B", 20))]
    panel.ui.inputVolumeSelector.setCurrentNode(volume)
    for roi in rois:
        panel.ui.inputROIsSelector.check(roi)
    return volume, rois


def test_the_panel_opens_on_an_empty_scene_and_says_what_is_missing(panel):
    assert not panel.ui.applyButton.enabled
    assert panel.ui.applyButton.toolTip == "Select a volume and check at least one ROI first."
    assert not panel.ui.resultsCollapsibleButton.enabled
    assert panel.ui.researchUseLabel.text == "Research use only, not a medical device."


def test_every_control_has_a_tooltip_and_an_accessible_name(panel):
    """A control is what takes the keyboard's focus, and whatever says something that changes."""
    import qt

    controls = [w for name, w in vars(panel.ui).items() if isinstance(w, qt.QWidget) and not name.startswith("qt_")]
    controls = [w for w in controls if w.focusPolicy != qt.Qt.NoFocus or w.property("SlicerParameterName")]
    assert len(controls) > 25
    for widget in controls:
        assert widget.toolTip, widget.objectName
        assert widget.accessibleName, widget.objectName
    labels = [w for w in vars(panel.ui).values() if type(w) is qt.QLabel and w.buddy() is None]
    assert {w.objectName for w in labels} == {"scanNoteLabel", "statusLabel", "verdictLabel", "notesLabel", "researchUseLabel"}
    assert all(w.accessibleName for w in labels)


def test_every_field_has_a_mnemonic_of_its_own(panel):
    """With Alt and a letter every field and button is reached by the keyboard."""
    import re

    texts = [w.text for w in vars(panel.ui).values() if isinstance(w.property("text"), str) and w.metaObject().className() != "QLineEdit"]
    letters = [letter.lower() for text in texts for letter in re.findall(r"(?<!&)&([A-Za-z])", text)]
    assert len(letters) > 15
    assert sorted(letters) == sorted(set(letters))


def test_the_tab_key_goes_where_the_eye_goes(panel, inputs):
    """From top to bottom, and from left to right in one row."""
    import qt

    panel.ui.applyButton.click()
    for name in ("settingsCollapsibleButton", "allNumbersCollapsibleButton"):
        getattr(panel.ui, name).collapsed = False
    window = panel.parent
    window.resize(460, 1700)
    window.show()
    slicer.app.processEvents()
    controls = [w for w in vars(panel.ui).values() if isinstance(w, qt.QWidget) and w.isVisible() and w.focusPolicy & qt.Qt.TabFocus]
    controls = [w for w in controls if w.objectName and not w.objectName.startswith("qt_") and w.parentWidget().metaObject().className() != "QAbstractScrollArea"]
    chain, widget = [], panel.ui.inputsCollapsibleButton
    while widget not in chain:
        chain.append(widget)
        widget = widget.nextInFocusChain()
    visited = [w for w in chain if w in controls]
    assert len(visited) == len(controls) > 25
    places = [w.mapTo(window, qt.QPoint(0, 0)) for w in visited]
    for (one, here), (other, there) in zip(zip(visited, places), list(zip(visited, places))[1:]):
        # a heading is as high as what it folds away
        same_row = here.y() <= there.y() < here.y() + min(one.height, 20)
        assert there.y() > here.y() or (same_row and there.x() > here.x()) or abs(there.y() - here.y()) < 8 and there.x() > here.x(), (
            one.objectName, other.objectName,
        )
    window.hide()


def test_the_widgets_show_the_parameter_node_and_change_it(panel, inputs):
    parameters = panel.logic.getParameterNode()
    volume, rois = inputs
    assert parameters.inputVolume is volume and list(parameters.inputROIs) == rois
    assert (panel.ui.modelComboBox.currentData, panel.ui.controlsSpinBox.value, panel.ui.thresholdSpinBox.value) == ("auto", 39, 0.05)
    panel.ui.modelComboBox.currentIndex = panel.ui.modelComboBox.findData("mirror")
    panel.ui.controlsSpinBox.value = 19
    panel.ui.thresholdSpinBox.value = 0.1
    panel.ui.deviceComboBox.currentIndex = 1
    assert (parameters.model, parameters.controls, parameters.threshold, parameters.device) == ("mirror", 19, 0.1, "cpu")
    parameters.model, parameters.controls, parameters.inputROIs = "harmonic", 40, rois[1:]
    assert (panel.ui.modelComboBox.currentData, panel.ui.controlsSpinBox.value) == ("harmonic", 40)
    assert list(panel.ui.inputROIsSelector.checkedNodes()) == rois[1:]


def test_the_first_volume_of_the_scene_is_chosen_on_entering(panel):
    volume = add_volume()
    panel.enter()
    panel.initializeParameterNode()
    assert panel.ui.inputVolumeSelector.currentNode() is volume


def test_apply_shows_the_verdict_in_words_and_the_table(panel, inputs):
    assert panel.ui.applyButton.enabled
    panel.ui.applyButton.click()
    assert panel.ui.statusLabel.text == "Done."
    assert said(panel.ui.verdictLabel) == ["■ A: Pathological: reason 0.", "■ B: Healthy: reason 1."]
    assert panel.ui.notesLabel.text.splitlines() == [
        "Note on B: Close to the rim.",
        "Rebuilt by healthy-any, taken because the scan does not look T1-weighted.",
        "Note: The slices are thick; naïve détail is lost.",
    ]
    assert panel.ui.resultTableView.mrmlTableNode() is panel.logic.getParameterNode().resultTable
    assert panel.ui.resultsCollapsibleButton.enabled
    assert panel.ui.applyButton.text == "Apply" and panel.ui.progressBar.isHidden()


def test_the_persona_is_laid_over_the_scan_in_the_slice_views(panel, inputs):
    view = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSliceCompositeNode")
    panel.ui.applyButton.click()
    assert view.GetBackgroundVolumeID() == inputs[0].GetID()
    assert view.GetForegroundVolumeID() == panel.logic.getParameterNode().reconstructionVolume.GetID()


def test_the_window_lives_while_the_analysis_runs(panel, inputs):
    seen = []

    def look():
        seen.append((panel.ui.statusLabel.text, panel.ui.applyButton.text, panel.ui.progressBar.isHidden()))

    panel.logic.runner = PreparedRun(("Loading the model", "Control 1 of 2"))
    before = slicer.app.events_processed
    process = slicer.app.processEvents
    slicer.app.processEvents = lambda: (process(), look())
    try:
        panel.ui.applyButton.click()
    finally:
        del slicer.app.processEvents
    assert slicer.app.events_processed == before + 2
    assert [text.split(" (")[0] for text, _, _ in seen] == ["Loading the model", "Control 1 of 2"]
    assert {(label, hidden) for _, label, hidden in seen} == {("Cancel", False)}


def test_a_second_click_cancels_and_leaves_the_scene_alone(panel, inputs):
    count = slicer.mrmlScene.GetNumberOfNodes()
    process = slicer.app.processEvents
    slicer.app.processEvents = lambda: (process(), panel.ui.applyButton.click())
    try:
        panel.ui.applyButton.click()
    finally:
        del slicer.app.processEvents
    assert panel.ui.statusLabel.text == "Cancelled; nothing was changed."
    assert slicer.mrmlScene.GetNumberOfNodes() == count
    assert panel.ui.applyButton.text == "Apply" and panel.ui.applyButton.enabled


@pytest.mark.parametrize("error", [InputError("Box 'A' holds no voxel: move it."), ChildFailed("It crashed.", "log")])
def test_an_error_is_one_sentence_in_the_panel(panel, inputs, error):
    panel.logic.runner = PreparedRun(error=error)
    panel.ui.applyButton.click()
    assert panel.ui.statusLabel.text == str(error)
    assert panel.ui.verdictLabel.text == ""


def test_an_error_that_nobody_foresaw_is_told_and_leaves_the_panel_usable(panel, inputs):
    panel.logic.runner = PreparedRun(error=OSError("No space left on device"))
    with pytest.raises(OSError):
        panel.onApplyButton()
    assert "No space left on device" in panel.ui.statusLabel.text
    assert panel.ui.applyButton.text == "Apply" and panel.ui.applyButton.enabled


@pytest.mark.parametrize("shown", [True, False])
def test_closing_the_scene_clears_the_results(panel, inputs, shown):
    panel.ui.applyButton.click()
    panel.parent.isEntered = shown
    slicer.mrmlScene.Clear(0)
    assert panel.ui.verdictLabel.text == "" and panel.ui.resultTableView.mrmlTableNode() is None
    assert not panel.ui.applyButton.enabled


def test_closing_the_scene_lets_go_of_everything(panel, inputs):
    panel.ui.applyButton.click()
    slicer.mrmlScene.Clear(0)
    assert panel.logic.getParameterNode().inputVolume is None
    volume = add_volume()
    panel.enter()
    panel.ui.inputVolumeSelector.setCurrentNode(volume)
    panel.ui.inputROIsSelector.check(add_roi("C", (8, 8, 8), np.eye(3), (2, 2, 2)))
    assert panel.ui.applyButton.enabled


def test_closing_the_scene_during_the_run_ends_the_run(panel, inputs):
    process = slicer.app.processEvents
    slicer.app.processEvents = lambda: (process(), slicer.mrmlScene.Clear(0))
    try:
        panel.ui.applyButton.click()
    finally:
        del slicer.app.processEvents
    assert panel.ui.statusLabel.text == "Cancelled; nothing was changed."
    assert not panel.ui.applyButton.enabled


def test_the_panel_forgets_the_parameter_node_while_another_module_is_shown(panel, inputs):
    panel.exit()
    panel.logic.getParameterNode().model = "mirror"
    assert panel.ui.modelComboBox.currentData == "auto"
    panel.enter()
    assert panel.ui.modelComboBox.currentData == "mirror"
    assert list(panel.ui.inputROIsSelector.checkedNodes()) == inputs[1]


def test_what_stands_out_is_plotted_when_asked_for(panel, inputs):
    assert not panel.ui.showScoresButton.enabled
    layout = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLayoutNode")
    before = layout.GetViewArrangement()
    panel.ui.applyButton.click()
    assert panel.ui.showScoresButton.enabled
    panel.ui.showScoresButton.click()
    chart = panel.logic.getParameterNode().scoreChart
    assert layout.GetViewArrangement() != before
    assert slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLSelectionNode").GetActivePlotChartID() == chart.GetID()
