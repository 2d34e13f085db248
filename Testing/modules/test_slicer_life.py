"""The module's life: reloaded, opened on a scene from a newer version, changed under its feet; nothing is left behind."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import vtk
from bench.prepared_run import PreparedRun
from bench.processes import alive, in_proc

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed: pip install slicer-core")

from bench.nodes import add_roi, add_volume

pytestmark = [pytest.mark.own_worker, pytest.mark.slow, pytest.mark.usefixtures("small_models")]

EVENTS = (
    vtk.vtkCommand.ModifiedEvent,
    slicer.vtkMRMLTransformableNode.TransformModifiedEvent,
    slicer.vtkMRMLMarkupsNode.PointModifiedEvent,
    slicer.vtkMRMLMarkupsNode.PointEndInteractionEvent,
)


def watched(nodes) -> list[bool]:
    """Whether somebody observes each event of each node."""
    return [bool(node.HasObserver(event)) for node in nodes for event in EVENTS]


def make_panel(module, parent):
    """As the application does when the module is opened."""
    widget = module.RadiomicsPersonaWidget(parent)
    slicer.modules.RadiomicsPersonaWidget = widget
    widget.setup()
    widget.logic.runner = PreparedRun()
    return widget


@pytest.fixture
def parent(slicer_bench, module):
    """The module's place in the window, which can be reloaded as the application does; fails if any slot raised."""
    if slicer.no_qt:
        pytest.skip(slicer.no_qt)
    import qt
    from bench.slicer_widgets import ModuleParent

    raised = []
    hook, sys.excepthook = sys.excepthook, lambda kind, error, trace: raised.append(error)
    parent = ModuleParent()
    parent.setLayout(qt.QVBoxLayout())
    parent.reload = lambda: make_panel(sys.modules["RadiomicsPersona"], parent)
    slicer.modules.radiomicspersona.widgetRepresentation = lambda: parent
    loaded = dict(sys.modules)
    yield parent
    slicer.modules.RadiomicsPersonaWidget.cleanup()
    for child in parent.children():
        if hasattr(child, "setMRMLScene"):
            child.setMRMLScene(None)
    del slicer.modules.RadiomicsPersonaWidget
    # other tests hold classes of the modules as they were
    for name in [name for name in sys.modules if name.startswith("RadiomicsPersona")]:
        del sys.modules[name]
    sys.modules.update({name: module for name, module in loaded.items() if name.startswith("RadiomicsPersona")})
    sys.excepthook = hook
    if raised:
        raise raised[0]


def fill_in(widget):
    """A volume and two checked ROIs."""
    volume = add_volume(np.random.default_rng(0).integers(0, 900, (24, 22, 20)).astype(np.int16), np.diag([2.0, 2, 2, 1]))
    rois = [add_roi(name, (8, 8, 8), np.eye(3), (x, 20, 20)) for name, x in (("A", 10), ("B", 20))]
    widget.ui.inputVolumeSelector.setCurrentNode(volume)
    for roi in rois:
        widget.ui.inputROIsSelector.check(roi)
    return volume, rois


@in_proc
def test_reloading_leaves_one_panel_with_its_results_and_nothing_of_the_old_one(module, parent):
    """Through slicer.util.reloadScriptedModule, which Slicer's Reload button calls."""
    import qt

    old = make_panel(module, parent)
    volume, rois = fill_in(old)
    nodes = [*rois, volume.GetDisplayNode()]
    before = watched(nodes)
    old.ui.applyButton.click()
    old.ui.liveTwinCheckBox.click()
    pid = old.logic.worker.pid
    assert alive(pid) and watched(nodes) != before
    count = slicer.mrmlScene.GetNumberOfNodes()
    old_library = sys.modules["RadiomicsPersonaLib.system.child"]

    old.onReload()

    new = slicer.modules.RadiomicsPersonaWidget
    assert new is not old and type(new) is not type(old)
    assert sys.modules["RadiomicsPersonaLib.system.child"] is not old_library  # an edit of any file counts
    assert not alive(pid)
    assert slicer.mrmlScene.GetNumberOfNodes() == count
    assert old.sections and not [section for section in old.sections if section.Observations] and not old.Observations
    for _ in range(3):
        slicer.app.processEvents()
    qt.QApplication.sendPostedEvents(None, 52)  # deferred deletion
    assert len(parent.findChildren(qt.QShortcut)) == 1
    assert not [timer for timer in parent.findChildren(qt.QTimer.__mro__[1]) if timer.isActive()]
    assert "Pathological: reason 0." in new.ui.verdictLabel.text
    assert list(new.ui.inputROIsSelector.checkedNodes()) == rois
    new.ui.applyButton.click()
    assert new.ui.statusLabel.text == "Done." and slicer.mrmlScene.GetNumberOfNodes() == count
    new.cleanup()
    assert watched(nodes) == before


@pytest.mark.parametrize(
    "field, value", [("decision", "a rule of tomorrow"), ("device", "tpu"), ("shown", "hologram"), ("model", "healthy-2031")]
)
def test_a_scene_from_a_newer_version_opens_and_can_be_used(panel, inputs, field, value):
    panel.exit()
    node = panel.logic.getParameterNode().parameterNode
    node.SetParameter(field, value)
    panel.enter()
    assert (field in panel.ui.statusLabel.text) == (field != "model")  # a model may be installed later
    assert panel.ui.applyButton.enabled
    panel.ui.applyButton.click()
    assert panel.ui.statusLabel.text == "Done."


def test_a_scene_opened_while_the_panel_is_shown_brings_its_results_and_settings(panel, inputs, tmp_path):
    """Also one of a newer version, whose decision is not known here."""
    panel.ui.controlsSpinBox.value = 21
    panel.ui.applyButton.click()
    panel.exit()
    panel.logic.getParameterNode().parameterNode.SetParameter("decision", "a rule of tomorrow")
    messages = slicer.vtkMRMLMessageCollection()
    assert slicer.mrmlScene.WriteToMRB(str(tmp_path / "scene.mrb"), None, messages)
    panel.enter()
    slicer.mrmlScene.Clear(0)
    assert panel.ui.verdictLabel.text == "" and panel.ui.controlsSpinBox.value == 15
    slicer.mrmlScene.GetCacheManager().SetRemoteCacheDirectory(str(tmp_path))
    assert slicer.mrmlScene.ReadFromMRB(str(tmp_path / "scene.mrb"), True, messages)
    assert panel.ui.controlsSpinBox.value == 21 and "Pathological: reason 0." in panel.ui.verdictLabel.text
    assert panel.ui.decisionComboBox.currentIndex == 0 and "decision is not known here" in panel.ui.statusLabel.text
    assert len(panel.ui.inputROIsSelector.checkedNodes()) == 2
    panel.ui.applyButton.click()
    assert panel.ui.statusLabel.text == "Done."


def test_an_roi_that_is_deleted_or_renamed_in_the_middle_of_a_run_changes_nothing_else(panel, inputs):
    volume, rois = inputs

    def meddle():
        rois[0].SetName("renamed")
        slicer.mrmlScene.RemoveNode(rois[1])

    process = slicer.app.processEvents
    slicer.app.processEvents = lambda: (process(), meddle())
    try:
        panel.ui.applyButton.click()
    finally:
        del slicer.app.processEvents
    assert panel.ui.statusLabel.text == "Done."
    assert rois[0].GetName() == "renamed (pathological)"
    assert panel.ui.notesLabel.text.splitlines()[0] == "'B' was deleted; its verdict no longer holds."
    assert panel.logic.analyzedROIs() == [rois[0]] and list(panel.ui.inputROIsSelector.checkedNodes()) == [rois[0]]


@pytest.mark.parametrize("how", ["other grid", "other voxels", "removed"])
def test_a_scan_that_is_replaced_in_the_middle_of_a_run_gets_no_results_of_the_old_one(panel, inputs, how):
    volume, _ = inputs

    def meddle():
        if how == "other grid":
            volume.SetSpacing(1, 2, 3)
        elif how == "other voxels":
            slicer.util.updateVolumeFromArray(volume, np.ones((5, 6, 7), np.int16))
        elif slicer.mrmlScene.IsNodePresent(volume):
            slicer.mrmlScene.RemoveNode(volume)

    count = slicer.mrmlScene.GetNumberOfNodes()
    process = slicer.app.processEvents
    slicer.app.processEvents = lambda: (process(), meddle())
    try:
        panel.ui.applyButton.click()
    finally:
        del slicer.app.processEvents
    words = "was removed during the analysis" if how == "removed" else "was changed during the analysis: apply again"
    assert words in panel.ui.statusLabel.text
    assert not panel.logic.getParameterNode().reconstructionVolume
    assert slicer.mrmlScene.GetNumberOfNodes() <= count


def test_every_scan_keeps_its_own_results_and_applying_again_adds_no_node(panel, inputs):
    before = slicer.mrmlScene.GetNumberOfNodes()
    panel.ui.applyButton.click()
    volumes, counts = [inputs[0]], [slicer.mrmlScene.GetNumberOfNodes()]
    for number in range(2):
        volume = add_volume(
            np.random.default_rng(number).integers(0, 900, (24, 22, 20)).astype(np.int16), np.diag([2.0, 2, 2, 1])
        )
        volumes.append(volume)
        panel.ui.inputVolumeSelector.setCurrentNode(volume)
        panel.ui.applyButton.click()
        assert panel.ui.statusLabel.text == "Done."
        counts.append(slicer.mrmlScene.GetNumberOfNodes())
    # every scan has results of its own: the volume, its display, and no more than the first one's
    assert counts[2] - counts[1] == counts[1] - counts[0] <= counts[0] - before + 2
    count = counts[-1]
    for volume in volumes:
        panel.ui.inputVolumeSelector.setCurrentNode(volume)
        panel.ui.applyButton.click()
        assert panel.ui.statusLabel.text == "Done." and slicer.mrmlScene.GetNumberOfNodes() == count
