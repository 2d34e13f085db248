"""What the views show: real slice views' nodes and logics, in a layout as the application has it."""

from __future__ import annotations

import time
from types import SimpleNamespace

import numpy as np
import pytest
import vtk
from vtk.util.numpy_support import vtk_to_numpy

from RadiomicsPersonaLib.report.colors import FOG, VERDICT_COLORS

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed: pip install slicer-core")

from bench.nodes import add_transform, add_volume, four_by_four, said
from bench.prepared_run import PreparedRun
from bench.scene import SIZE

pytestmark = pytest.mark.usefixtures("small_models")


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
        ("difference", "differenceVolume"),
        ("p of the difference", "deviationVolume"),
        ("expected error", "expectedErrorVolume"),
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
    panel.menu.flicker.trigger()
    choose(panel.ui.shownComboBox, "nothing")
    assert views[1].GetForegroundVolumeID() == own.GetID() and views[1].GetForegroundOpacity() == 0.8


def test_the_slider_fades_and_flicker_switches_in_place(panel, views):
    import qt

    panel.ui.applyButton.click()
    panel.ui.fadeSlider.value = 40
    assert {round(c.GetForegroundOpacity(), 6) for c in views} == {0.4}
    panel.menu.flicker.trigger()
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
    for volume, title, ends, least in (
        (parameters.differenceVolume, "scan darker (-) or\nbrighter (+),\nexpected errors", (-3, 3), 200),
        (parameters.deviationVolume, "p of the\ndifference", (0, 0.1), 200),
        (parameters.expectedErrorVolume, "expected error,\ntissue SD", (0, FOG[1]), 200),
    ):
        display = volume.GetDisplayNode()
        display.GetOutputImageDataConnection().GetProducer().Update()
        opacity = vtk_to_numpy(display.GetOutputImageData().GetPointData().GetScalars())[:, 3]
        assert (opacity[~inside] == 0).all() and opacity[inside].mean() > least
        scale = slicer.vtkSlicerColorLogic.GetColorLegendDisplayNode(volume)
        assert scale.GetVisibility() and scale.GetTitleText() == title
        assert (display.GetWindowLevelMin(), display.GetWindowLevelMax()) == (pytest.approx(ends[0]), pytest.approx(ends[1]))


def test_side_by_side_shows_scan_and_twin_in_linked_views_of_their_own(panel, views):
    panel.ui.applyButton.click()
    wait_until(lambda: not panel.views.fade_in.running)
    before, layout = state(views), layout_number()
    panel.menu.side_by_side.trigger()
    composites = {c.GetLayoutName(): c for c in slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode")}
    left, right = composites["RadiomicsPersonaScan"], composites["RadiomicsPersonaTwin"]
    persona = panel.logic.getParameterNode().reconstructionVolume
    assert left.GetBackgroundVolumeID() == right.GetBackgroundVolumeID() == panel.logic.getParameterNode().inputVolume.GetID()
    assert left.GetForegroundVolumeID() is None and right.GetForegroundVolumeID() == persona.GetID()
    assert left.GetLinkedControl() and right.GetLinkedControl()
    slices = {n.GetLayoutName(): n for n in slicer.util.getNodesByClass("vtkMRMLSliceNode")}
    own = [slices["RadiomicsPersonaScan"], slices["RadiomicsPersonaTwin"]]
    assert own[0].GetViewGroup() == own[1].GetViewGroup() != slices["Red"].GetViewGroup()
    wait_until(lambda: not panel.views._settled.running)
    for node in own:  # both in the slice of the first box, with the whole head in the picture
        assert node.GetOrientation() == "Axial"
        assert node.GetSliceToRAS().GetElement(2, 3) == pytest.approx(20)
        middle = np.array([node.GetSliceToRAS().GetElement(axis, 3) for axis in range(2)])
        np.testing.assert_allclose(middle, [19, 21], atol=1.5)  # of the scan, 40 x 44 mm
        width, height = node.GetFieldOfView()[:2]
        assert tuple(node.GetDimensions()[:2]) == SIZE and width / height == pytest.approx(SIZE[0] / SIZE[1])
        assert 40 <= width < 60  # fitted to the size that the view has now, not to that of its first moment
    assert layout_number() != layout
    choose(panel.ui.shownComboBox, "difference")
    assert left.GetForegroundVolumeID() is None
    assert right.GetForegroundVolumeID() == panel.logic.getParameterNode().differenceVolume.GetID()
    choose(panel.ui.shownComboBox, "healthy persona")
    panel.menu.side_by_side.trigger()
    assert layout_number() == layout and state(views) == before


def test_a_scene_saved_side_by_side_opens_in_a_layout_that_slicer_knows(module, panel, views, slicer_bench, tmp_path):
    """Also before the module is opened: what Slicer does at its start is enough."""
    from RadiomicsPersonaNodes.view import SIDE_BY_SIDE

    panel.ui.applyButton.click()
    panel.menu.side_by_side.trigger()
    messages = slicer.vtkMRMLMessageCollection()
    assert slicer.mrmlScene.WriteToMRB(str(tmp_path / "scene.mrb"), None, messages)
    panel.exit()
    again = slicer_bench.new_scene()
    layout = slicer.vtkMRMLLayoutNode()
    layout.SetSingletonTag("vtkMRMLLayoutNode")
    slicer.mrmlScene.AddNode(layout)
    started = []
    slicer.app.connect = lambda signal, slot: started.append((signal, slot))
    try:
        module.RadiomicsPersona(SimpleNamespace(path=slicer.modules.radiomicspersona.path))
    finally:
        del slicer.app.connect
    for signal, slot in started:
        assert signal == "startupCompleted()"
        slot()
    again.node.GetCacheManager().SetRemoteCacheDirectory(str(tmp_path))
    assert again.node.ReadFromMRB(str(tmp_path / "scene.mrb"), True, messages)
    assert layout is slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLLayoutNode")
    assert layout.GetViewArrangement() == SIDE_BY_SIDE and layout.IsLayoutDescription(SIDE_BY_SIDE)
    again.close()


@pytest.mark.parametrize("name", ["side_by_side", "scores", "standing"])
def test_a_pressed_button_gives_the_users_layout_back_when_it_is_released(panel, views, name):
    panel.ui.applyButton.click()
    layout = layout_number()
    getattr(panel.menu, name).trigger()
    assert layout_number() != layout
    getattr(panel.menu, name).trigger()
    assert layout_number() == layout


def test_one_button_after_the_other_still_ends_at_the_users_layout(panel, views):
    panel.ui.applyButton.click()
    layout = layout_number()
    panel.menu.side_by_side.trigger()
    panel.menu.standing.trigger()
    assert not panel.menu.side_by_side.checked
    chart = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLSelectionNode").GetActivePlotChartID()
    assert chart == panel.logic.getParameterNode().standingChart.GetID()
    panel.menu.standing.trigger()
    assert layout_number() == layout


def test_a_layout_that_the_user_chose_meanwhile_is_kept(panel, views):
    panel.ui.applyButton.click()
    panel.menu.side_by_side.trigger()
    slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLLayoutNode").SetViewArrangement(4)
    panel.menu.side_by_side.trigger()
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
    assert not rois[0].GetDisplayNode().GetFillVisibility()  # while the persona lies over the scan
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
    panel.menu.controls.trigger()
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
    assert hierarchy.GetItemName(folder) == "Control regions of A"
    listed = [panel.ui.inputROIsSelector.itemText(n) for n in range(panel.ui.inputROIsSelector.count)]
    assert not [text for text in listed if "control" in text]  # forty boxes nobody wants to judge
    panel.menu.controls.trigger()
    assert (slicer.mrmlScene.GetNumberOfNodes(), hierarchy.GetNumberOfItems()) == (count, items)


def test_closing_the_scene_leaves_no_pressed_button_and_no_observer(panel, views, inputs):
    panel.ui.applyButton.click()
    panel.menu.side_by_side.trigger()
    display = inputs[0].GetDisplayNode()
    assert panel.views.hasObserver(display, vtk.vtkCommand.ModifiedEvent, panel.views.on_scan_display)
    slicer.mrmlScene.Clear(0)
    assert not panel.menu.side_by_side.checked and not panel.menu.side_by_side.enabled
    assert not panel.views.hasObserver(display, vtk.vtkCommand.ModifiedEvent, panel.views.on_scan_display)
    assert not [
        roi for roi in inputs[1] if panel.results.hasObserver(roi, vtk.vtkCommand.ModifiedEvent, panel.results.on_changed)
    ]


def test_the_scale_of_colours_comes_and_goes_with_what_is_shown(scene, panel, views):
    panel.ui.applyButton.click()
    parameters = panel.logic.getParameterNode()
    for word, wanted in (
        ("difference", {parameters.differenceVolume}),
        ("p of the difference", {parameters.deviationVolume}),
        ("expected error", {parameters.expectedErrorVolume}),
        ("healthy persona", set()),
        ("nothing", set()),
    ):
        choose(panel.ui.shownComboBox, word)
        assert scene.legends.shown == wanted, word


def test_a_result_that_comes_while_another_module_is_shown_is_there_when_the_user_comes_back(panel, views):
    panel.logic.runner = lambda given, proceed: (panel.exit(), PreparedRun()(given, proceed))
    panel.ui.applyButton.click()
    panel.enter()
    wait_until(lambda: not panel.views.fade_in.running)
    assert {c.GetForegroundVolumeID() for c in views} == {panel.logic.getParameterNode().reconstructionVolume.GetID()}
    assert said(panel.ui.verdictLabel)[0] == "■ A: Pathological: reason 0."


def test_a_scene_that_was_saved_side_by_side_can_leave_that_layout(panel, views, slicer_bench):
    panel.ui.applyButton.click()
    panel.menu.side_by_side.trigger()
    wait_until(lambda: not panel.views._settled.running)
    panel.exit()
    panel.views._arrangement.forget()  # another session opens the scene: it knows nothing of the layout before
    panel.menu.side_by_side.blockSignals(True)
    panel.menu.side_by_side.checked = False
    panel.menu.side_by_side.blockSignals(False)
    panel.enter()
    assert panel.menu.side_by_side.checked
    panel.menu.side_by_side.trigger()
    assert layout_number() == slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView


def slice_node(name: str):
    """The slice view of that name."""
    return next(node for node in slicer.util.getNodesByClass("vtkMRMLSliceNode") if node.GetLayoutName() == name)


def fields(views) -> list[tuple]:
    nodes = [slice_node(view.GetLayoutName()) for view in views]
    return [(*node.GetFieldOfView()[:2], *(node.GetSliceToRAS().GetElement(axis, 3) for axis in range(3))) for node in nodes]


def test_the_first_result_brings_the_views_to_the_box_and_later_ones_leave_them(panel, views, inputs):
    slices = slicer.util.getNodesByClass("vtkMRMLSliceNode")
    panel.ui.applyButton.click()
    for node in slices:
        np.testing.assert_allclose([node.GetSliceToRAS().GetElement(axis, 3) for axis in range(3)], [10, 20, 20], atol=1e-6)
        assert min(node.GetFieldOfView()[:2]) == pytest.approx(90)  # the box is small
        width, height = node.GetDimensions()[:2]
        assert node.GetFieldOfView()[0] / node.GetFieldOfView()[1] == pytest.approx(width / height)  # nothing is stretched
    slices[0].JumpSliceByOffsetting(0, 0, 35)
    before = fields(views)
    panel.ui.applyButton.click()
    assert fields(views) == before
    panel.ui.boxTable.cellClicked.emit(1, 0)  # a row brings them to its box
    assert slices[0].GetSliceToRAS().GetElement(0, 3) == pytest.approx(20)


def test_the_fill_of_a_box_is_off_while_something_lies_over_the_scan(panel, views, inputs):
    display = inputs[1][0].GetDisplayNode()
    assert display.GetFillVisibility()
    panel.ui.applyButton.click()
    inputs[1][0].SetCenter(12, 20, 20)
    assert not display.GetFillVisibility()
    choose(panel.ui.shownComboBox, "nothing")
    assert display.GetFillVisibility()  # it wears no verdict, and covers nothing
    assert not inputs[1][1].GetDisplayNode().GetFillVisibility()


def test_the_name_of_a_box_is_written_below_it_at_every_zoom(panel, views, inputs):
    panel.ui.applyButton.click()
    node = slice_node("Red")
    for millimetres in (90, 30):
        pixels = 8 / millimetres * node.GetDimensions()[1]  # of the box's edge
        for view in slicer.util.getNodesByClass("vtkMRMLSliceNode"):
            ratio = view.GetDimensions()[0] / view.GetDimensions()[1]
            view.SetFieldOfView(millimetres * ratio, millimetres, 1)
        text = inputs[1][0].GetDisplayNode().GetTextProperty()
        assert pixels / 2 < text.GetLineOffset() < pixels / 2 + 20
        assert text.GetVerticalJustificationAsString() == "Top" and text.GetJustificationAsString() == "Centered"


def test_our_key_is_none_of_slicers_and_nothing_changes_how_the_wheel_and_the_links_work(panel, views):
    before = [(c.GetLinkedControl(), c.GetHotLinkedControl()) for c in views]
    panel.ui.applyButton.click()
    assert [(c.GetLinkedControl(), c.GetHotLinkedControl()) for c in views] == before
    taken = {"B", "F", "R", "V", "G", "T", "[", "]", "{", "}", "Left", "Right"}  # of Slicer's slice views
    assert panel.views.flicker_key.key.toString() not in taken


def test_what_is_unusual_is_outlined_and_not_filled(panel, views):
    panel.ui.applyButton.click()
    display = panel.logic.getParameterNode().unusualSegmentation.GetDisplayNode()
    assert display.GetVisibility2DOutline() and not display.GetVisibility2DFill()


class PlotViews:
    """A layout manager with one plot view, whose chart is VTK's own."""

    plotViewCount = 1

    def __init__(self):
        self.axes = vtk.vtkChartXY()
        self.view, self.scene = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLPlotViewNode"), vtk.vtkContextScene()

    def plotWidget(self, number):
        view = SimpleNamespace(chart=lambda: self.axes, scene=lambda: self.scene)
        return SimpleNamespace(mrmlPlotViewNode=lambda: self.view, plotView=lambda: view)

    def names(self, axis: int) -> list[str]:
        found = self.axes.GetAxis(axis)
        found.Update()
        labels = found.GetTickLabels()
        return [labels.GetValue(n) for n in range(labels.GetNumberOfValues())]


def test_bars_and_boxes_have_their_names_at_the_axis(panel, views, monkeypatch):
    plots = PlotViews()
    monkeypatch.setattr(slicer.app, "layoutManager", lambda: plots, raising=False)
    panel.ui.applyButton.click()
    parameters = panel.logic.getParameterNode()
    for button, chart, axis, names in (
        (panel.menu.scores, parameters.scoreChart, vtk.vtkAxis.BOTTOM, ["Peak difference", "SSIM (3-D)"]),
        (panel.menu.standing, parameters.standingChart, vtk.vtkAxis.LEFT, ["A", "B"]),
    ):
        plots.view.SetPlotChartNodeID(chart.GetID())
        button.trigger()
        wait_until(lambda: not panel.views._settled.running)
        assert plots.names(axis) == names
        assert not set(names) & set(plots.names(vtk.vtkAxis.LEFT if axis == vtk.vtkAxis.BOTTOM else vtk.vtkAxis.BOTTOM))
    low, high = parameters.scoreChart.GetXAxisRange()
    assert -1 < low < 0 and 1 < high < 2  # two bars stand at 0 and 1


def test_a_drag_shows_the_persona_that_follows_it_also_where_a_difference_was_shown(panel, views):
    panel.ui.applyButton.click()
    choose(panel.ui.shownComboBox, "difference")
    parameters = panel.logic.getParameterNode()
    panel.views.follow_drag(True)
    assert {c.GetForegroundVolumeID() for c in views} == {parameters.reconstructionVolume.GetID()}
    panel.views.follow_drag(False)
    assert {c.GetForegroundVolumeID() for c in views} == {parameters.differenceVolume.GetID()}
    assert parameters.shown == "difference"
