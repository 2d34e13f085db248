"""The live twin: it follows a dragged box with real nodes, real widgets and a real worker; the numbers come on release."""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from dataclasses import replace

import numpy as np
import pytest
import vtk
from bench.phantom import make_head
from bench.processes import alive, in_proc

from RadiomicsPersonaLib.analysis.analysis import analyze
from RadiomicsPersonaLib.brain.preparation import prepare
from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.geometry.box import Box
from RadiomicsPersonaLib.geometry.hole import hole_of_box
from RadiomicsPersonaLib.imaging.scan import make_scan
from RadiomicsPersonaLib.reconstruction.reconstruction_model import load_model
from RadiomicsPersonaLib.reconstruction.twin import twin_of

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed: pip install slicer-core")

from bench.nodes import add_roi, add_transform, add_volume, four_by_four

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("small_models")]

RELEASE = slicer.vtkMRMLMarkupsNode.PointEndInteractionEvent
MOVED = slicer.vtkMRMLMarkupsNode.PointModifiedEvent


@pytest.fixture(scope="module")
def head():
    return make_head(4.0)


@pytest.mark.parametrize("model", ["harmonic", "auto"])
def test_where_it_was_prepared_the_twin_is_what_the_analysis_rebuilds(head, model):
    box = Box([30.0, 0.0, 20.0], [24.0, 24.0, 24.0])
    loaded = load_model(model)
    analysis = analyze(head, [box], loaded, controls=0)
    twin = twin_of(prepare(head, [hole_of_box(head, box)]), [box], loaded)
    np.testing.assert_array_equal(twin.values, analysis.boxes[0].reconstruction.values)


def test_elsewhere_it_differs_from_the_analysis_by_far_less_than_tissue_does(head):
    """A drag of 3 cm: the scale is that of where it began."""
    began, box = (Box([x, 0.0, 20.0], [24.0, 24.0, 24.0]) for x in (10.0, 40.0))
    model = load_model("auto")
    prepared = prepare(head, [hole_of_box(head, began)])
    mask = (twin := twin_of(prepared, [box], model)).hole.mask
    full = analyze(head, [box], model, controls=0).boxes[0].reconstruction
    difference = (twin.values - full.values)[mask]
    assert 0 < np.abs(difference).mean() < 0.1 * prepared.tissue.scale.deviation


def test_nothing_in_the_boxes_is_looked_at(head):
    box, other = Box([30.0, 0.0, 20.0], [24.0, 24.0, 24.0]), Box([30.0, 20.0, 20.0], [20.0, 24.0, 20.0])
    model = load_model("auto")
    prepared = prepare(head, [hole_of_box(head, b) for b in (box, other)])
    changed = head.array.copy()
    for hole in (hole_of_box(head, b) for b in (box, other)):
        changed[hole.region][hole.mask] = 5000
    scans = (head, replace(head, array=changed))
    twins = [twin_of(replace(prepared, scan=scan), [box, other], model) for scan in scans]
    np.testing.assert_array_equal(*[twin.values[twin.hole.mask] for twin in twins])


@pytest.fixture
def panel(module, slicer_bench, tmp_path, monkeypatch):
    """The module's widget with its own worker, in a folder for temporary files whose name has accents and spaces."""
    if slicer.no_qt:
        pytest.skip(slicer.no_qt)
    import qt
    from bench.slicer_widgets import ModuleParent

    folder = tmp_path / "Zoë Müller"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    raised = []
    hook, sys.excepthook = sys.excepthook, lambda kind, error, trace: raised.append(error)
    parent = ModuleParent()
    parent.setLayout(qt.QVBoxLayout())
    widget = module.RadiomicsPersonaWidget(parent)
    widget.setup()
    yield widget
    widget.cleanup()
    parent.layout().itemAt(0).widget().setMRMLScene(None)
    sys.excepthook = hook
    if raised:
        raise raised[0]


@pytest.fixture
def inputs(panel, head):
    """A volume, left-handed and under a transform, with two ROIs; the first is checked."""
    affine = head.affine @ np.array([[-1, 0, 0, head.shape[0] - 1], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]])
    volume = add_volume(head.array[::-1].round().astype(np.int16).transpose(2, 1, 0), affine, "Kopf é")
    rois = [add_roi(name, (24, 24, 24), np.eye(3), (x, 0, 20)) for name, x in (("lésion", 30), ("B", -30))]
    transform = add_transform(four_by_four(np.eye(3), (5, 6, 7)))
    for node in (volume, *rois):
        node.SetAndObserveTransformNodeID(transform.GetID())
    panel.ui.inputVolumeSelector.setCurrentNode(volume)
    panel.ui.inputROIsSelector.check(rois[0])
    panel.logic.getParameterNode().model = "harmonic"
    panel.ui.controlsSpinBox.value = 3
    return volume, rois


def wait_until(condition, seconds=60.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it took too long"
        slicer.app.processEvents()
        time.sleep(0.005)


def settle(panel):
    """Let events pass until nothing is asked or expected any more."""
    wait_until(lambda: not panel.live_twin.following and not panel.run.running)


def drag(panel, roi, places):
    """As a mouse does: steps with the window alive in between."""
    for place in places:
        roi.SetCenter(*place)
        slicer.app.processEvents()
        time.sleep(0.01)


def arrays(panel, volume):
    """Twin and scan, and where the box of the ROI lies; axes I, J, K."""
    twin = slicer.util.arrayFromVolume(panel.logic.getParameterNode().reconstructionVolume).transpose(2, 1, 0)
    return twin, slicer.util.arrayFromVolume(volume).transpose(2, 1, 0)


def inside(panel, volume, roi):
    ijk_to_ras = vtk.vtkMatrix4x4()
    volume.GetIJKToRASMatrix(ijk_to_ras)
    matrix = slicer.util.arrayFromVTKMatrix(ijk_to_ras)
    scan = make_scan(slicer.util.arrayFromVolume(volume).transpose(2, 1, 0), matrix)
    return hole_of_box(scan, panel.logic.boxFromROI(roi, volume)).full_mask(scan.shape)


def test_switched_on_it_shows_the_twin_of_the_box_as_it_is(panel, inputs):
    volume, rois = inputs
    view = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSliceCompositeNode")
    panel.ui.liveTwinCheckBox.click()
    settle(panel)
    twin, scan = arrays(panel, volume)
    mask = inside(panel, volume, rois[0])
    np.testing.assert_array_equal(twin[~mask], scan[~mask])
    assert np.abs(twin - scan)[mask].mean() > 5
    parameters = panel.logic.getParameterNode()
    assert view.GetForegroundVolumeID() == parameters.reconstructionVolume.GetID()
    assert parameters.reconstructionVolume.GetParentTransformNode() is volume.GetParentTransformNode()
    assert parameters.reconstructionVolume.GetName() == "Kopf é healthy persona"
    assert panel.ui.statusLabel.text == "Live persona of 'lésion'; the numbers follow when you let go."
    assert parameters.resultTable is None  # nobody let go of anything


@pytest.mark.clock
def test_it_follows_the_box_and_the_numbers_come_on_release(panel, inputs):
    volume, rois = inputs
    panel.ui.liveTwinCheckBox.click()
    settle(panel)
    node = panel.logic.getParameterNode().reconstructionVolume
    memory = slicer.util.arrayFromVolume(node).__array_interface__["data"][0]
    nodes = slicer.mrmlScene.GetNumberOfNodes()
    seen = set()
    for step in range(30):
        drag(panel, rois[0], [(30 - step, step, 20)])
        seen.add(slicer.util.arrayFromVolume(node).tobytes())
    settle(panel)
    assert len(seen) > 2  # it fades in on the way, not only at the end
    twin, scan = arrays(panel, volume)
    mask = inside(panel, volume, rois[0])
    np.testing.assert_array_equal(twin[~mask], scan[~mask])  # no trace of where the box was
    assert np.abs(twin - scan)[mask].mean() > 5
    assert slicer.util.arrayFromVolume(node).__array_interface__["data"][0] == memory  # written in place
    assert slicer.mrmlScene.GetNumberOfNodes() == nodes
    assert panel.logic.getParameterNode().resultTable is None

    rois[0].InvokeEvent(RELEASE)
    wait_until(lambda: panel.ui.statusLabel.text == "Done.")
    table = panel.logic.getParameterNode().resultTable
    np.testing.assert_allclose(slicer.util.arrayFromTableColumn(table, "center R"), [1])
    assert json.loads(node.GetAttribute("RadiomicsPersona.boxes"))[0]["name"] == "lésion"
    np.testing.assert_allclose(arrays(panel, volume)[0][~mask], scan[~mask])


def test_a_click_that_moves_nothing_computes_nothing(panel, inputs):
    panel.ui.liveTwinCheckBox.click()
    settle(panel)
    inputs[1][0].InvokeEvent(RELEASE)
    for _ in range(20):
        slicer.app.processEvents()
    assert not panel.run.running and panel.logic.getParameterNode().resultTable is None


def test_while_it_is_dragged_the_volume_is_no_result(panel, inputs):
    """The provenance of the numbers does not stay with voxels that are not theirs."""
    volume, rois = inputs
    panel.ui.applyButton.click()
    node = panel.logic.getParameterNode().reconstructionVolume
    assert node.GetAttribute("RadiomicsPersona.provenance")
    panel.ui.liveTwinCheckBox.click()
    settle(panel)
    assert node.GetAttribute("RadiomicsPersona.provenance")  # not moved yet
    drag(panel, rois[0], [(20, 0, 20)])
    settle(panel)
    assert not node.GetAttribute("RadiomicsPersona.provenance")
    with pytest.raises(InputError, match="nothing to report"):
        panel.logic.writeReport(tempfile.gettempdir())
    mask = inside(panel, volume, rois[0])
    twin, scan = arrays(panel, volume)
    np.testing.assert_array_equal(twin[~mask], scan[~mask])
    assert panel.logic.getParameterNode().reconstructionVolume is node


def test_to_drag_on_while_the_numbers_are_computed_puts_them_off(panel, inputs):
    _, rois = inputs
    panel.ui.controlsSpinBox.value = 300
    panel.ui.liveTwinCheckBox.click()
    settle(panel)
    import qt

    def drag_on_when_it_counts():  # called by the window, which lives while the analysis runs
        if "controls: " not in panel.ui.statusLabel.text:
            qt.QTimer.singleShot(50, drag_on_when_it_counts)
            return
        panel.ui.controlsSpinBox.value = 3
        rois[0].SetCenter(24, 0, 20)
        rois[0].InvokeEvent(RELEASE)

    drag(panel, rois[0], [(28, 0, 20)])
    rois[0].InvokeEvent(RELEASE)
    drag_on_when_it_counts()
    wait_until(lambda: panel.ui.statusLabel.text == "Done.")
    table = panel.logic.getParameterNode().resultTable
    np.testing.assert_allclose(slicer.util.arrayFromTableColumn(table, "center R"), [24])
    np.testing.assert_allclose(slicer.util.arrayFromTableColumn(table, "controls"), [3])


def test_a_box_that_is_dragged_off_the_scan_is_told_and_shows_no_twin(panel, inputs):
    volume, rois = inputs
    panel.ui.liveTwinCheckBox.click()
    settle(panel)
    drag(panel, rois[0], [(500, 0, 0)])
    settle(panel)
    assert panel.ui.statusLabel.text.startswith("Box 'lésion' holds no voxel of the scan;")
    np.testing.assert_array_equal(*arrays(panel, volume))
    drag(panel, rois[0], [(30, 0, 20)])
    settle(panel)
    assert panel.ui.statusLabel.text.startswith("Live persona of 'lésion'")


@pytest.mark.own_worker
def test_a_worker_that_crashes_is_one_sentence_and_the_next_step_works(panel, inputs):
    _, rois = inputs
    panel.ui.liveTwinCheckBox.click()
    settle(panel)
    os.kill(panel.logic.worker.pid, 19)  # it hangs, and then it is gone
    rois[0].SetCenter(20, 0, 20)
    wait_until(lambda: panel.logic.liveTwin.waiting)
    os.kill(panel.logic.worker.pid, 9)
    settle(panel)
    assert "lack of memory" in panel.ui.statusLabel.text
    drag(panel, rois[0], [(22, 0, 20)])
    settle(panel)
    assert panel.ui.statusLabel.text.startswith("Live persona of 'lésion'")


def test_switched_off_in_the_middle_of_a_step_nothing_is_kept_of_it(panel, inputs):
    panel.ui.liveTwinCheckBox.click()
    settle(panel)
    for step in range(100):  # an answer may be so quick that none is waited for
        inputs[1][0].SetCenter(20 + 0.1 * step, 0, 20)
        panel.live_twin.on_tick()
        if panel.logic.liveTwin.waiting:
            break
    panel.ui.liveTwinCheckBox.click()
    worker = panel.logic.worker
    assert not panel.logic.liveTwin.waiting and not worker._open
    panel.ui.applyButton.click()  # the worker is as it was
    assert panel.ui.statusLabel.text == "Done." and not worker._open


@pytest.mark.own_worker
def test_a_worker_that_hears_nothing_does_not_freeze_the_window(panel, inputs):
    """Its pipe would be full after some hundred steps, and Slicer would wait at it."""
    _, rois = inputs
    panel.ui.liveTwinCheckBox.click()
    settle(panel)
    os.kill(panel.logic.worker.pid, 19)
    for step in range(40):
        rois[0].SetCenter(20 + 0.01 * step, 0, 20)
        panel.live_twin.on_tick()
    assert len(panel.logic.liveTwin._asked) == 8 and panel.live_twin.following
    os.kill(panel.logic.worker.pid, 18)
    settle(panel)
    mask = inside(panel, inputs[0], rois[0])
    twin, scan = arrays(panel, inputs[0])
    np.testing.assert_array_equal(twin[~mask], scan[~mask])  # the newest place, no other
    assert np.abs(twin - scan)[mask].mean() > 5


def test_only_checked_boxes_are_followed_and_switched_off_none_is(panel, inputs):
    _, rois = inputs
    before = [roi.HasObserver(event) for roi in rois for event in (MOVED, RELEASE)]
    panel.ui.liveTwinCheckBox.click()
    settle(panel)
    assert rois[0].HasObserver(RELEASE) and not rois[1].HasObserver(RELEASE)
    panel.ui.inputROIsSelector.check(rois[1])
    drag(panel, rois[1], [(-28, 0, 20)])
    settle(panel)
    assert panel.ui.statusLabel.text.startswith("Live persona of 'B'")
    panel.ui.inputROIsSelector.uncheck(rois[0])
    assert not rois[0].HasObserver(RELEASE)
    panel.exit()
    assert not rois[1].HasObserver(RELEASE)
    panel.enter()
    assert rois[1].HasObserver(RELEASE)
    panel.ui.liveTwinCheckBox.click()
    assert [roi.HasObserver(event) for roi in rois for event in (MOVED, RELEASE)] == before
    assert not os.listdir(tempfile.gettempdir())


@pytest.mark.parametrize("what", ["scene", "roi", "volume"])
def test_what_is_removed_in_the_middle_of_a_drag_ends_it_quietly(panel, inputs, what):
    volume, rois = inputs
    panel.ui.liveTwinCheckBox.click()
    settle(panel)
    for step in range(100):  # an answer may be so quick that none is waited for
        rois[0].SetCenter(20 + 0.1 * step, 0, 20)
        wait_until(lambda: panel.logic.liveTwin.waiting or not panel.live_twin.following)
        if panel.logic.liveTwin.waiting:
            break
    assert panel.logic.liveTwin.waiting
    if what == "scene":
        slicer.mrmlScene.Clear(0)
    else:
        slicer.mrmlScene.RemoveNode(rois[0] if what == "roi" else volume)
    settle(panel)
    assert what == "scene" or not slicer.mrmlScene.IsNodePresent(rois[0] if what == "roi" else volume)


@in_proc
@pytest.mark.own_worker
def test_a_closed_panel_leaves_no_process_and_no_file(panel, inputs):
    panel.ui.liveTwinCheckBox.click()
    settle(panel)
    pid = panel.logic.worker.pid
    assert alive(pid)
    panel.cleanup()
    assert not alive(pid) and not os.listdir(tempfile.gettempdir())


def test_a_scan_that_changes_is_handed_over_again(panel, inputs):
    volume, rois = inputs
    panel.ui.liveTwinCheckBox.click()
    settle(panel)
    first = arrays(panel, volume)[0].copy()
    slicer.util.arrayFromVolume(volume)[:] *= 2
    slicer.util.arrayFromVolumeModified(volume)
    drag(panel, rois[0], [(30.5, 0, 20)])
    settle(panel)
    twin, scan = arrays(panel, volume)
    mask = inside(panel, volume, rois[0])
    np.testing.assert_array_equal(twin[~mask], scan[~mask])
    assert twin[mask].mean() > 1.7 * first[mask].mean()
