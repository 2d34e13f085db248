"""The panel on a real Qt: the .ui file loads, its widgets and the parameter node follow each other, Apply works."""

from __future__ import annotations

import numpy as np
import pytest
from bench.prepared_run import PreparedRun

from RadiomicsPersonaLib.analysis.classifier import install_classifier, make_classifier, written
from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.networks.card import read_card
from RadiomicsPersonaLib.reconstruction.reconstruction_model import card_files
from RadiomicsPersonaLib.system.child import ChildFailed

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed: pip install slicer-core")

from bench.nodes import add_roi, add_segmentation, add_transform, add_volume, four_by_four, random_rotation, said


def test_the_panel_opens_on_an_empty_scene_and_says_what_is_missing(panel):
    assert not panel.ui.applyButton.enabled
    assert panel.ui.applyButton.toolTip == "Select a volume and check at least one ROI first."
    assert panel.ui.resultsWidget.isHidden()
    assert panel.ui.researchUseLabel.text == "Research use only, not a medical device."


def test_every_control_has_a_tooltip_and_an_accessible_name(panel):
    """A control is what takes the keyboard's focus, and whatever says something that changes."""
    import qt

    controls = [w for name, w in vars(panel.ui).items() if isinstance(w, qt.QWidget) and not name.startswith(("qt_", "Scroll"))]
    controls = [w for w in controls if w.focusPolicy != qt.Qt.NoFocus or w.property("SlicerParameterName")]
    assert len(controls) > 25
    for widget in controls:
        assert widget.toolTip, widget.objectName
        assert widget.accessibleName, widget.objectName
    labels = [w for w in vars(panel.ui).values() if type(w) is qt.QLabel and w.buddy() is None]
    assert {w.objectName for w in labels} == {
        "scanNoteLabel",
        "sampleHintLabel",
        "statusLabel",
        "verdictLabel",
        "notesLabel",
        "researchUseLabel",
        "placesStatusLabel",
        "settingsNoteLabel",
        "segmentNoteLabel",
        "segmentStatusLabel",
        "meshStatusLabel",
        "followUpStatusLabel",
        "regressionStatusLabel",
        "sensitivityStatusLabel",
    }
    assert all(w.accessibleName for w in labels)


def test_every_field_has_a_mnemonic_of_its_own(panel):
    """With Alt and a letter every field and button is reached by the keyboard."""
    import re

    texts = [
        w.property("text")
        for w in vars(panel.ui).values()
        if isinstance(w.property("text"), str) and w.className() != "QLineEdit"
    ]
    letters = [letter.lower() for text in texts for letter in re.findall(r"(?<!&)&([A-Za-z])", text)]
    assert len(letters) > 15
    assert sorted(letters) == sorted(set(letters))


def test_the_tab_key_goes_where_the_eye_goes(panel, inputs):
    """From top to bottom, and from left to right in one row."""

    panel.ui.applyButton.click()
    panel.ui.sensitivityHereButton.click()
    window = panel.parent
    window.resize(460, 1700)
    window.show()
    visited = []
    for page in range(panel.ui.tabWidget.count):
        panel.ui.tabWidget.currentIndex = page
        slicer.app.processEvents()
        visited += in_order_of_tab(panel, window)
    assert len(visited) > 40
    window.hide()


def in_order_of_tab(panel, window) -> list:
    """The visible controls in the order of the Tab key, which is seen to be that of the eye."""
    import qt

    controls = [
        w for w in vars(panel.ui).values() if isinstance(w, qt.QWidget) and w.isVisible() and w.focusPolicy & qt.Qt.TabFocus
    ]
    controls = [
        w
        for w in controls
        if w.objectName
        and not w.objectName.startswith(("qt_", "Scroll"))
        and w.parentWidget().className() != "QAbstractScrollArea"
    ]
    chain, widget = [], panel.ui.tabWidget
    while widget not in chain:
        chain.append(widget)
        widget = widget.nextInFocusChain()
    visited = [w for w in chain if w in controls]
    assert len(visited) == len(controls)
    places = [w.mapTo(window, qt.QPoint(0, 0)) for w in visited]
    for (one, here), (other, there) in zip(zip(visited, places), list(zip(visited, places))[1:]):
        # a heading is as high as what it folds away
        same_row = here.y() <= there.y() < here.y() + min(one.height, 20)
        assert (
            there.y() > here.y()
            or (same_row and there.x() > here.x())
            or abs(there.y() - here.y()) < 8
            and there.x() > here.x()
        ), (
            one.objectName,
            other.objectName,
        )
    return visited


def test_sections_that_are_unfolded_show_no_bar_before_anything_runs(panel):
    panel.parent.show()
    panel.menu.sensitivity.trigger()
    for button in (panel.ui.meshCollapsibleButton, panel.ui.regressionCollapsibleButton):
        assert button.collapsed
        button.collapsed = False
    pages = {"sensitivity": 0, "segment": 1, "mesh": 1, "followUp": 2, "regression": 2}
    for name, page in pages.items():
        panel.ui.tabWidget.currentIndex = page
        assert getattr(panel.ui, f"{name}ProgressBar").isHidden(), name
        assert getattr(panel.ui, f"{name}StatusLabel").isVisible(), name
    panel.parent.hide()


def test_the_widgets_show_the_parameter_node_and_change_it(panel, inputs):
    parameters = panel.logic.getParameterNode()
    volume, rois = inputs
    assert parameters.inputVolume is volume and list(parameters.inputROIs) == rois
    assert (panel.ui.modelComboBox.currentData, panel.ui.controlsSpinBox.value, panel.ui.thresholdSpinBox.value) == (
        "auto",
        15,
        0.05,
    )
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


def test_a_classifier_of_the_user_s_own_is_chosen_checked_and_taken(panel, inputs, tmp_path, monkeypatch):
    monkeypatch.setenv("RADIOMICS_PERSONA_CLASSIFIERS", str(tmp_path / "own"))
    combo, parameters = panel.ui.classifierComboBox, panel.logic.getParameterNode()
    assert combo.currentData == "healthy-or-not"
    panel.ui.applyButton.click()
    assert "--classifier" not in panel.logic.runner.arguments
    (tmp_path / "made.json").write_text(written(make_classifier("clinic", ("deviation",), (1.0,), 0.0, {})))
    install_classifier(tmp_path / "made.json", "clinic")
    parameters.classifier = "clinic"  # as the training module chooses it, while the panel is open
    assert (combo.currentData, combo.currentText) == ("clinic", "clinic: your own")
    panel.ui.applyButton.click()
    assert panel.logic.runner.arguments[panel.logic.runner.arguments.index("--classifier") + 1] == "clinic"
    combo.currentIndex = combo.findData("healthy-or-not")
    assert parameters.classifier == "healthy-or-not"
    (tmp_path / "own" / "clinic.json").write_text("{}")
    combo.currentIndex = combo.findData("clinic")
    assert "'clinic.json' is not a verdict classifier" in panel.ui.settingsNoteLabel.text
    parameters.classifier = "elsewhere"
    assert combo.currentText == "elsewhere (not installed here)"


def test_apply_shows_the_verdict_in_words_and_the_table(panel, inputs):
    assert panel.ui.applyButton.enabled
    panel.ui.applyButton.click()
    assert panel.ui.statusLabel.text == "Done."
    assert said(panel.ui.verdictLabel)[::2] == ["■ A: Pathological: reason 0.", "■ B: Healthy: reason 1."]
    assert panel.ui.notesLabel.text.splitlines() == [
        "Note on B: Close to the rim.",
        "Rebuilt by healthy-any, taken because the scan does not look T1-weighted.",
        "Scores weighed by a classifier of your own, clinic.",
        "Note: The slices are thick; naïve détail is lost.",
    ]
    assert not panel.ui.resultsWidget.isHidden()
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
        panel.run.on_apply()
    assert "No space left on device" in panel.ui.statusLabel.text
    assert panel.ui.applyButton.text == "Apply" and panel.ui.applyButton.enabled


@pytest.mark.parametrize("shown", [True, False])
def test_closing_the_scene_clears_the_results(panel, inputs, shown):
    panel.ui.applyButton.click()
    panel.parent.isEntered = shown
    slicer.mrmlScene.Clear(0)
    assert panel.ui.verdictLabel.text == "" and panel.ui.resultsWidget.isHidden()
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
    assert not panel.menu.scores.enabled
    layout = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLayoutNode")
    before = layout.GetViewArrangement()
    panel.ui.applyButton.click()
    assert panel.menu.scores.enabled
    panel.menu.scores.trigger()
    chart = panel.logic.getParameterNode().scoreChart
    assert layout.GetViewArrangement() != before
    assert slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLSelectionNode").GetActivePlotChartID() == chart.GetID()


def menu_texts(menu, fill) -> list[str]:
    """What a menu offers when it opens."""
    fill()
    return [action.text for action in menu.actions()]


def test_a_new_box_is_placed_with_the_mouse_and_is_checked(panel):
    volume = add_volume()
    panel.enter()
    panel.ui.inputVolumeSelector.setCurrentNode(volume)
    panel.ui.newBoxButton.click()
    roi = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLMarkupsROINode")
    interaction = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLInteractionNode")
    selection = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLSelectionNode")
    assert (selection.GetActivePlaceNodeID(), selection.GetActivePlaceNodeClassName()) == (roi.GetID(), "vtkMRMLMarkupsROINode")
    assert roi.GetNumberOfDisplayNodes() == 1  # the views place nothing that they cannot show
    assert interaction.GetCurrentInteractionMode() == interaction.Place and not interaction.GetPlaceModePersistence()
    assert list(panel.logic.getParameterNode().inputROIs) == [roi] == list(panel.ui.inputROIsSelector.checkedNodes())
    for corner in ([0, 0, 5], [20, 30, 5]):  # what the views do at each click
        roi.AddControlPoint(corner)
    box = panel.logic.boxFromROI(roi, volume)
    np.testing.assert_allclose([box.center, box.size], [[10, 15, 5], [20, 30, 20]])  # as deep as its shorter edge


def test_a_box_is_drawn_around_a_segment_two_millimetres_wider(panel):
    assert menu_texts(panel.inputs.segment_menu, panel.inputs.fill_segment_menu) == [
        "There is no segment: draw one in the Segment Editor"
    ]
    assert not panel.inputs.segment_menu.actions()[0].enabled
    random = np.random.default_rng(8)
    for _ in range(5):
        affine = four_by_four(random_rotation(random) * [1.0, 1.5, 2.0], (5, 6, 7))
        array = np.zeros((20, 22, 24), np.uint8)
        array[4:9, 6:13, 3:14] = 1
        segmentation = add_segmentation(array, affine)
        to_world = four_by_four(random_rotation(random), random.uniform(-30, 30, 3))
        segmentation.SetAndObserveTransformNodeID(add_transform(to_world).GetID())
        panel.inputs.fill_segment_menu()
        action = panel.inputs.segment_menu.actions()[0]
        assert action.text.startswith("Lesions && more: ")
        action.trigger()
        roi = panel.logic.getParameterNode().inputROIs[-1]
        sizes = np.zeros(3)
        roi.GetSizeWorld(sizes)
        np.testing.assert_allclose(sizes, [11 * 1 + 4, 7 * 1.5 + 4, 5 * 2 + 4], atol=1e-4)
        center = np.zeros(3)
        roi.GetCenterWorld(center)
        np.testing.assert_allclose(center, (to_world @ affine @ [8, 9, 6, 1])[:3], atol=1e-4)
        inside = np.array([to_world @ affine @ [*index[::-1], 1] for index in np.argwhere(array)])[:, :3]
        assert all(roi.IsPointInROIWorld(point) for point in inside.tolist())
        slicer.mrmlScene.RemoveNode(segmentation)


def test_an_empty_segment_is_refused_in_one_sentence(panel):
    segmentation = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "S")
    segmentation.GetSegmentation().AddEmptySegment("", "tumour")
    panel.inputs.fill_segment_menu()
    panel.inputs.segment_menu.actions()[0].trigger()
    assert panel.ui.statusLabel.text == "Segment 'tumour' is empty: paint it in the Segment Editor, or choose another one."
    assert not slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLMarkupsROINode")


def test_a_box_is_mirrored_at_the_middle_first_and_at_the_midplane_once_it_is_known(panel, inputs):
    volume, rois = inputs
    move = add_transform(four_by_four(np.eye(3), (100, 0, 0)))
    for node in (volume, *rois):
        node.SetAndObserveTransformNodeID(move.GetID())
    assert menu_texts(panel.inputs.mirror_menu, panel.inputs.fill_mirror_menu) == ["A", "B"]
    center = np.zeros(3)
    # the volume's middle is at 39 / 2 mm, and the prepared analysis finds the midplane at 18
    for plane, words in ((19.0, "check its place"), (18.0, "midplane that the analysis found")):
        panel.inputs.fill_mirror_menu()
        panel.inputs.mirror_menu.actions()[0].trigger()
        mirrored = panel.logic.getParameterNode().inputROIs[-1]
        mirrored.GetCenterWorld(center)
        np.testing.assert_allclose(center, [100 + 2 * plane - 10, 20, 20])
        assert mirrored.GetName().startswith("A mirrored") and words in panel.ui.statusLabel.text
        panel.ui.inputROIsSelector.uncheck(mirrored)
        panel.ui.applyButton.click()


def test_the_panel_warns_of_what_is_hardly_a_brain_mri_and_only_of_that(panel):
    head = add_volume(np.full((180, 200, 170), 40, np.int16), np.eye(4), "head")
    panel.enter()

    def note(volume) -> str:
        panel.ui.inputVolumeSelector.setCurrentNode(volume)
        assert panel.ui.scanNoteLabel.isHidden() == (panel.ui.scanNoteLabel.text == "")
        return panel.ui.scanNoteLabel.text

    assert note(head) == ""
    assert "covers 80 x 200 x 180 mm, less than a whole head" in note(
        add_volume(np.full((180, 200, 80), 40, np.int16), np.eye(4), "slab")
    )
    ct = np.full((180, 200, 170), -1000, np.int16)
    assert "intensities down to -1000, as CT does" in note(add_volume(ct, np.eye(4), "CT"))
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    hierarchy.SetItemAttribute(hierarchy.CreateItem(hierarchy.GetSceneItemID(), head), "DICOM.Modality", "PT")
    note(None)
    assert "DICOM header says PT, not MR" in note(head)


def test_what_the_analysis_says_of_the_scan_stands_beside_it(panel, inputs):
    panel.ui.applyButton.click()
    assert "⚠ The slices are thick; naïve détail is lost." in panel.ui.scanNoteLabel.text.splitlines()
    panel.ui.inputVolumeSelector.setCurrentNode(add_volume(name="another"))
    assert "slices are thick" not in panel.ui.scanNoteLabel.text


def test_the_card_of_the_chosen_model_is_one_click_away(panel):
    import qt

    checksum = read_card(card_files("healthy-t1")[0])["sha256"]
    for model, words in (
        ("auto", "Automatic: of the models below"),
        ("healthy-t1", "ds002748"),
        ("mirror", "It needs neither weights nor PyTorch"),
    ):
        panel.logic.getParameterNode().model = model
        panel.ui.modelCardButton.click()
        text = panel.settings.card.findChild(qt.QTextBrowser).toPlainText()
        assert words in text and panel.settings.card.isVisible()
        if model != "mirror":
            assert "Limits: Adults without focal lesions" in text and f"SHA-256 of the weights: {checksum}" in text
        panel.settings.card.findChild(qt.QDialogButtonBox).buttons()[0].click()
        assert not panel.settings.card.isVisible()
    panel.logic.getParameterNode().model = "site-7"
    assert panel.ui.modelComboBox.currentText == "site-7 (not installed here)"
    panel.ui.modelCardButton.click()
    assert panel.ui.settingsNoteLabel.text == "There is no model 'site-7' here: choose another one."


def test_the_decision_brings_its_usual_threshold_and_reaches_the_command_line(panel, inputs):
    combo, spin = panel.ui.decisionComboBox, panel.ui.thresholdSpinBox

    def decide(text: str) -> None:
        combo.currentIndex = combo.findText(text)
        combo.activated.emit(combo.currentIndex)

    decide("MSE")
    assert panel.ui.settingsNoteLabel.text == "Enter the value of MSE at which a box counts as pathological."
    decide("probability by the classifier")
    assert spin.value == 0.5 and (spin.minimum, spin.maximum) == (0.001, 0.999)
    panel.ui.applyButton.click()
    decide("MSE")
    assert spin.value == pytest.approx(np.percentile([1, 2, 3] * 2, 95), rel=1e-2) and spin.maximum == 100000
    panel.ui.applyButton.click()
    words = " ".join(panel.logic.runner.arguments)
    assert "--decision mse --threshold 3" in words
    decide("p-value among control regions")
    assert spin.value == 0.05


def test_the_bar_shows_how_much_is_done_and_the_time_left(panel, inputs, monkeypatch):
    """What is prepared takes its own time, and is not reckoned into the steps."""
    seen = []
    lines = ("Loading the model", "Preparing the head", "20/80 control 19 of A", "30/80 control 29 of A", "2/4 second look")
    panel.logic.runner = PreparedRun(lines)
    process, job, clock = slicer.app.processEvents, panel.run.job, [1000.0]

    def look():
        process()
        clock[0] += 10  # ten seconds pass
        seen.append((panel.ui.progressBar.value, panel.ui.progressBar.maximum, panel.ui.statusLabel.text))

    slicer.app.processEvents = look
    monkeypatch.setattr("RadiomicsPersonaWidgets.job.time.monotonic", lambda: clock[0])
    try:
        panel.ui.applyButton.click()
    finally:
        del slicer.app.processEvents
    assert not job.running
    assert seen[0][1:] == (0, "Loading the model (0 s)")  # a maximum of 0 is a bar that only moves
    assert seen[2] == (20, 80, "20/80 control 19 of A (20 s)")
    assert seen[3] == (30, 80, "30/80 control 29 of A (30 s, about 50 s left)")
    assert seen[4] == (2, 4, "2/4 second look (40 s)")


def test_the_table_sorts_numbers_as_numbers(panel, inputs):
    import qt

    from RadiomicsPersonaNodes import origin

    panel.ui.inputROIsSelector.check(add_roi("C", (8, 8, 8), np.eye(3), (30, 20, 20)))
    panel.ui.applyButton.click()
    table = panel.ui.boxTable

    def column(name: str) -> list:
        names = [table.horizontalHeaderItem(n).text() for n in range(table.columnCount)]
        return [table.item(row, names.index(name)).data(qt.Qt.DisplayRole) for row in range(table.rowCount)]

    assert column("Box") == ["A", "B", "C"] and column("Verdict") == ["pathological (1)", "healthy (0)", "undetermined"]
    result = panel.logic.getParameterNode().resultTable
    results = origin.results_in(result)
    for box, value in zip(results["boxes"], (10.0, 9.0, 0.00001)):
        box["p"] = value
    origin.record_results(result, results)
    result.Modified()
    panel.parameterNodeModified()
    table.sortItems(3, qt.Qt.AscendingOrder)
    assert column("p") == [0.00001, 9.0, 10.0] and column("Box") == ["C", "B", "A"]


def test_a_called_box_can_be_drawn_around_what_is_unusual_in_it_and_loses_its_verdict(panel, inputs):
    panel.ui.applyButton.click()
    assert panel.menu.tighten.enabled
    called, healthy = panel.logic.analyzedROIs()
    before, kept = np.array(called.GetSize()), np.array(healthy.GetSize())
    panel.menu.tighten.trigger()
    assert np.allclose(called.GetSize(), 0.5 * before) and np.allclose(healthy.GetSize(), kept)
    assert "A. Apply again" in panel.ui.statusLabel.text and "'A' has been moved since" in panel.ui.notesLabel.text
    assert not panel.menu.tighten.enabled


def test_beneath_a_verdict_stands_where_the_unusual_lies_and_how_often_such_boxes_are_right(panel, inputs):
    panel.ui.applyButton.click()
    text = panel.ui.verdictLabel.text
    assert "What is unusual measures 0.5 ml. Of boxes like this one 0 were called." in text
    called, _ = panel.logic.analyzedROIs()
    called.SetCenter(0, 0, 0)
    assert "Of boxes like this one 0" not in panel.ui.verdictLabel.text, "a moved box keeps what was told of its old place"
    assert "Of boxes like this one 1" in panel.ui.verdictLabel.text


def test_the_table_is_copied_and_exported_whole(panel, inputs, tmp_path):
    import csv

    panel.ui.applyButton.click()
    panel.menu.copy.trigger()
    copied = [line.split("\t") for line in slicer.app.clipboard().text().splitlines()]
    panel.results.ask_for_path = lambda *asked: str(tmp_path / "é.csv")
    panel.menu.export.trigger()
    with open(tmp_path / "é.csv", encoding="utf-8-sig", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert copied[0] == list(rows[0]) and copied[1] == list(rows[0].values())
    assert [(row["box"], row["label"], row["p"], row["mse"]) for row in rows] == [
        ("A", "1.0", "0.04", "1.5"),
        ("B", "0.0", "0.6", "2.5"),
    ]
    panel.results.ask_for_path = lambda *asked: str(tmp_path / "nowhere" / "a.csv")
    panel.menu.export.trigger()
    assert "cannot be written (No such file or directory): choose another place." in panel.ui.statusLabel.text
