"""What the views show: real slice views' nodes and logics, in a layout as the application has it."""

from __future__ import annotations

import time
from types import SimpleNamespace

import numpy as np
import pytest
import vtk
from vtk.util.numpy_support import vtk_to_numpy

from RadiomicsPersonaLib.report.colors import VERDICT_COLORS

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed: pip install slicer-core")

from bench.nodes import add_transform, add_volume, four_by_four, said


@pytest.fixture
def views(scene, panel, inputs):
    """The composite nodes of three slice views that show the scan with another volume over it at 30 %."""
    scene.open_views()
    other = add_volume(name="another volume")
    found = slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode")
    assert len(found) == 3
    for composite in found:
        composite.SetBackgroundVolumeID(inputs[0].GetID())
        composite.SetForegroundVolumeID(other.GetID())
        composite.SetForegroundOpacity(0.3)
    return found


def state(composites) -> list[tuple]:
    return [(c.GetBackgroundVolumeID(), c.GetForegroundVolumeID(), round(c.GetForegroundOpacity(), 6)) for c in composites]


def choose(combo, text: str) -> None:
    """Choose an entry as a click does."""
    index = combo.findText(text)
    assert index >= 0, text
    combo.currentIndex = index
    combo.activated.emit(index)


def wait_until(condition, seconds: float = 60.0) -> None:
    """Let events pass until something is so."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it took too long"
        slicer.app.processEvents()


def timers_at_work(panel) -> list:
    """Every timer of the panel that is still to fire."""
    import qt

    return [timer for timer in panel.parent.findChildren(qt.QTimer.__mro__[1]) if timer.isActive()]


def layout_number() -> int:
    return slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLLayoutNode").GetViewArrangement()


def test_nothing_over_the_scan_brings_back_what_the_views_showed(panel, views):
    before = state(views)
    panel.ui.applyButton.click()
    wait_until(lambda: not panel.views.fade_in.running)
    for word, name in (
        ("healthy persona", "reconstructionVolume"),
        ("difference, in SD", "differenceVolume"),
        ("p of the difference", "deviationVolume"),
    ):
        choose(panel.ui.shownComboBox, word)
        wanted = getattr(panel.logic.getParameterNode(), name).GetID()
        assert {c.GetForegroundVolumeID() for c in views} == {wanted}
        assert {c.GetForegroundOpacity() for c in views} == {1.0}
    choose(panel.ui.shownComboBox, "nothing")
    assert state(views) == before


def test_a_view_in_which_the_user_chose_something_else_is_left_alone(panel, views, inputs):
    panel.ui.applyButton.click()
    own = add_volume(name="third")
    views[1].SetForegroundVolumeID(own.GetID())
    views[1].SetForegroundOpacity(0.8)
    panel.ui.fadeSlider.value = 20
    panel.ui.flickerButton.click()
    choose(panel.ui.shownComboBox, "nothing")
    assert views[1].GetForegroundVolumeID() == own.GetID() and views[1].GetForegroundOpacity() == 0.8


def test_the_slider_fades_and_flicker_switches_in_place(panel, views):
    import qt

    panel.ui.applyButton.click()
    panel.ui.fadeSlider.value = 40
    assert {round(c.GetForegroundOpacity(), 6) for c in views} == {0.4}
    panel.ui.flickerButton.click()
    assert {c.GetForegroundOpacity() for c in views} == {0.0}
    panel.views.flicker_key.activated.emit()
    assert {round(c.GetForegroundOpacity(), 6) for c in views} == {0.4}
    assert panel.views.flicker_key.key == qt.QKeySequence("Q")
    panel.exit()
    assert not panel.views.flicker_key.enabled  # Q belongs to other modules while they are shown


@pytest.mark.clock
def test_a_result_fades_in_until_the_user_takes_the_slider(panel, views):
    panel.ui.applyButton.click()
    assert {c.GetForegroundOpacity() for c in views} == {0.0} and len(timers_at_work(panel)) == 1
    panel.views.fade_in._started = time.monotonic() - 0.15
    panel.views.fade_in._step()
    assert 0.4 < views[0].GetForegroundOpacity() < 1.0
    panel.ui.fadeSlider.value = 20
    assert not timers_at_work(panel)
    assert {round(c.GetForegroundOpacity(), 6) for c in views} == {0.2}
    choose(panel.ui.shownComboBox, "nothing")
    choose(panel.ui.shownComboBox, "healthy persona")
    wait_until(lambda: not timers_at_work(panel))
    assert {round(c.GetForegroundOpacity(), 6) for c in views} == {0.2}  # what the slider says, and no more


@pytest.mark.parametrize("how", ["scene", "panel"])
@pytest.mark.clock
def test_what_is_closed_while_it_fades_leaves_no_timer(panel, views, how):
    panel.ui.applyButton.click()
    assert timers_at_work(panel)
    if how == "scene":
        slicer.mrmlScene.Clear(0)
    else:
        panel.cleanup()
        assert {c.GetForegroundOpacity() for c in views} == {1.0}
    assert not timers_at_work(panel)


def test_only_the_box_changes_whatever_window_the_user_sets(panel, views, inputs):
    """The pixels of scan and persona as the slice view paints them, outside the boxes equal and inside not."""
    volume, _ = inputs
    panel.ui.applyButton.click()
    persona = panel.logic.getParameterNode().reconstructionVolume
    for window, level in ((300, 200), (40, 25)):
        volume.GetDisplayNode().SetAutoWindowLevel(False)
        volume.GetDisplayNode().SetWindowLevel(window, level)
        painted = []
        for node in (volume, persona):
            display = node.GetDisplayNode()
            display.GetOutputImageDataConnection().GetProducer().Update()
            painted.append(vtk_to_numpy(display.GetOutputImageData().GetPointData().GetScalars()).astype(int))
        differs = (painted[0] != painted[1]).any(axis=1)
        inside = slicer.util.arrayFromVolume(panel.logic.getParameterNode().deviationVolume).ravel() < 1
        assert not differs[~inside].any()
        assert differs[inside].mean() > 0.3


def test_the_difference_and_its_p_are_clear_outside_the_boxes_and_have_a_scale(panel, views):
    panel.ui.applyButton.click()
    parameters = panel.logic.getParameterNode()
    inside = slicer.util.arrayFromVolume(parameters.deviationVolume).ravel() < 1
    for volume, title, ends in (
        (parameters.differenceVolume, "scan darker (-) or\nbrighter (+), SD", (-3, 3)),
        (parameters.deviationVolume, "p of the\ndifference", (0, 0.1)),
    ):
        display = volume.GetDisplayNode()
        display.GetOutputImageDataConnection().GetProducer().Update()
        opacity = vtk_to_numpy(display.GetOutputImageData().GetPointData().GetScalars())[:, 3]
        assert (opacity[~inside] == 0).all() and opacity[inside].mean() > 200
        scale = slicer.vtkSlicerColorLogic.GetColorLegendDisplayNode(volume)
        assert scale.GetVisibility() and scale.GetTitleText() == title
        assert (display.GetWindowLevelMin(), display.GetWindowLevelMax()) == (pytest.approx(ends[0]), pytest.approx(ends[1]))


def test_side_by_side_shows_scan_and_twin_in_linked_views_of_their_own(panel, views):
    panel.ui.applyButton.click()
    wait_until(lambda: not panel.views.fade_in.running)
    before, layout = state(views), layout_number()
    panel.ui.sideBySideButton.click()
    composites = {c.GetLayoutName(): c for c in slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode")}
    left, right = composites["RadiomicsPersonaScan"], composites["RadiomicsPersonaTwin"]
    persona = panel.logic.getParameterNode().reconstructionVolume
    assert left.GetBackgroundVolumeID() == right.GetBackgroundVolumeID() == panel.logic.getParameterNode().inputVolume.GetID()
    assert left.GetForegroundVolumeID() is None and right.GetForegroundVolumeID() == persona.GetID()
    assert left.GetLinkedControl() and right.GetLinkedControl()
    slices = {n.GetLayoutName(): n for n in slicer.util.getNodesByClass("vtkMRMLSliceNode")}
    own = [slices["RadiomicsPersonaScan"], slices["RadiomicsPersonaTwin"]]
    assert own[0].GetViewGroup() == own[1].GetViewGroup() != slices["Red"].GetViewGroup()
    for node in own:  # both at the middle of the first box
        assert node.GetOrientation() == "Axial"
        np.testing.assert_allclose([node.GetSliceToRAS().GetElement(axis, 3) for axis in range(3)], [10, 20, 20], atol=1e-6)
    assert layout_number() != layout
    choose(panel.ui.shownComboBox, "difference, in SD")
    assert left.GetForegroundVolumeID() is None
    assert right.GetForegroundVolumeID() == panel.logic.getParameterNode().differenceVolume.GetID()
    choose(panel.ui.shownComboBox, "healthy persona")
    panel.ui.sideBySideButton.click()
    assert layout_number() == layout and state(views) == before


def test_a_scene_saved_side_by_side_opens_in_a_layout_that_slicer_knows(module, panel, views, slicer_bench, tmp_path):
    """Also before the module is opened: what Slicer does at its start is enough."""
    from RadiomicsPersonaNodes.view import SIDE_BY_SIDE

    panel.ui.applyButton.click()
    panel.ui.sideBySideButton.click()
    messages = slicer.vtkMRMLMessageCollection()
    assert slicer.mrmlScene.WriteToMRB(str(tmp_path / "scene.mrb"), None, messages)
    panel.exit()
    again = slicer_bench.new_scene()
    layout = slicer.vtkMRMLLayoutNode()
    layout.SetSingletonTag("vtkMRMLLayoutNode")
    slicer.mrmlScene.AddNode(layout)
    started = {}
    slicer.app.connect = started.__setitem__
    try:
        module.RadiomicsPersona(SimpleNamespace(path=slicer.modules.radiomicspersona.path))
    finally:
        del slicer.app.connect
    started["startupCompleted()"]()
    again.node.GetCacheManager().SetRemoteCacheDirectory(str(tmp_path))
    assert again.node.ReadFromMRB(str(tmp_path / "scene.mrb"), True, messages)
    assert layout is slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLLayoutNode")
    assert layout.GetViewArrangement() == SIDE_BY_SIDE and layout.IsLayoutDescription(SIDE_BY_SIDE)
    again.close()


@pytest.mark.parametrize("name", ["sideBySideButton", "showScoresButton", "showStandingButton"])
def test_a_pressed_button_gives_the_users_layout_back_when_it_is_released(panel, views, name):
    panel.ui.applyButton.click()
    layout = layout_number()
    getattr(panel.ui, name).click()
    assert layout_number() != layout
    getattr(panel.ui, name).click()
    assert layout_number() == layout


def test_one_button_after_the_other_still_ends_at_the_users_layout(panel, views):
    panel.ui.applyButton.click()
    layout = layout_number()
    panel.ui.sideBySideButton.click()
    panel.ui.showStandingButton.click()
    assert not panel.ui.sideBySideButton.checked
    chart = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLSelectionNode").GetActivePlotChartID()
    assert chart == panel.logic.getParameterNode().standingChart.GetID()
    panel.ui.showStandingButton.click()
    assert layout_number() == layout


def test_a_layout_that_the_user_chose_meanwhile_is_kept(panel, views):
    panel.ui.applyButton.click()
    panel.ui.sideBySideButton.click()
    slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLLayoutNode").SetViewArrangement(4)
    panel.ui.sideBySideButton.click()
    assert layout_number() == 4


def test_a_box_says_its_verdict_in_colour_and_in_words(panel, views, inputs):
    _, rois = inputs
    before = rois[0].GetDisplayNode().GetSelectedColor()
    panel.ui.applyButton.click()
    assert [roi.GetName() for roi in rois] == ["A (pathological)", "B (healthy)"]
    for roi, word in zip(rois, ("pathological", "healthy")):
        display = roi.GetDisplayNode()
        np.testing.assert_allclose(display.GetSelectedColor(), np.array(VERDICT_COLORS[word]) / 255, atol=1e-6)
        assert display.GetPropertiesLabelVisibility()  # the views write the name beside the box
        assert not display.GetFillVisibility()  # which would tint scan and persona
    rois[0].SetCenter(12, 20, 20)
    assert rois[0].GetName() == "A" and rois[0].GetDisplayNode().GetSelectedColor() == before
    assert rois[0].GetDisplayNode().GetFillVisibility()
    assert rois[1].GetName() == "B (healthy)"
    assert panel.ui.notesLabel.text.splitlines()[0] == "'A' has been moved since: apply again for its verdict."
    assert "<s>" in panel.ui.verdictLabel.text.split("</p>")[0] and "<s>" not in panel.ui.verdictLabel.text.split("</p>")[1]
    rois[0].SetCenter(10, 20, 20)
    assert rois[0].GetName() == "A (pathological)" and "moved" not in panel.ui.notesLabel.text


def test_a_second_verdict_replaces_the_first_and_the_analysis_never_sees_the_word(panel, views, inputs):
    panel.ui.applyButton.click()
    panel.ui.applyButton.click()
    assert [box.name for box in panel.logic.runner.boxes] == ["A", "B"]
    assert inputs[1][0].GetName() == "A (pathological)"
    panel.ui.inputROIsSelector.uncheck(inputs[1][0])
    panel.ui.applyButton.click()
    assert inputs[1][0].GetName() == "A"  # no longer among the results
    assert inputs[1][1].GetName() == "B (pathological)"
    assert said(panel.ui.verdictLabel)[0] == "■ B: Pathological: reason 0."
    assert not [line for line in said(panel.ui.verdictLabel) if "A:" in line]


def test_the_healthy_boxes_come_on_demand_and_go_again(panel, views, inputs):
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    move = add_transform(four_by_four(np.eye(3), (5, 6, 7)))
    for node in (inputs[0], *inputs[1]):
        node.SetAndObserveTransformNodeID(move.GetID())
    panel.ui.applyButton.click()
    count, items = slicer.mrmlScene.GetNumberOfNodes(), hierarchy.GetNumberOfItems()
    panel.ui.showControlsCheckBox.click()
    controls = [roi for roi in slicer.util.getNodesByClass("vtkMRMLMarkupsROINode") if roi not in inputs[1]]
    assert [roi.GetName() for roi in controls] == [f"control {n} of {name}" for name in "AB" for n in (1, 2, 3)]
    first = controls[0]
    center = np.zeros(3)
    first.GetCenterWorld(center)
    own = np.zeros(3)
    inputs[1][0].GetCenterWorld(own)
    np.testing.assert_allclose(center, own + [0, 2, 0])  # where the analysis placed it, under the scan's transform
    np.testing.assert_allclose(first.GetSize(), [8, 8, 8])
    assert first.GetLocked() and not first.GetDisplayNode().GetHandlesInteractive()
    folder = hierarchy.GetItemParent(hierarchy.GetItemByDataNode(first))
    assert hierarchy.GetItemName(folder) == "Healthy boxes of A"
    listed = [panel.ui.inputROIsSelector.itemText(n) for n in range(panel.ui.inputROIsSelector.count)]
    assert not [text for text in listed if "control" in text]  # forty boxes nobody wants to judge
    panel.ui.showControlsCheckBox.click()
    assert (slicer.mrmlScene.GetNumberOfNodes(), hierarchy.GetNumberOfItems()) == (count, items)


def test_closing_the_scene_leaves_no_pressed_button_and_no_observer(panel, views, inputs):
    panel.ui.applyButton.click()
    panel.ui.sideBySideButton.click()
    display = inputs[0].GetDisplayNode()
    assert panel.views.hasObserver(display, vtk.vtkCommand.ModifiedEvent, panel.views.on_scan_display)
    slicer.mrmlScene.Clear(0)
    assert not panel.ui.sideBySideButton.checked and not panel.ui.sideBySideButton.enabled
    assert not panel.views.hasObserver(display, vtk.vtkCommand.ModifiedEvent, panel.views.on_scan_display)
    assert not [roi for roi in inputs[1] if panel.results.hasObserver(roi, vtk.vtkCommand.ModifiedEvent, panel.results.on_roi)]
