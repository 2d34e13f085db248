"""A verdict on screen belongs to the scan, the box and the place that are on screen, or is struck out with the reason."""

from __future__ import annotations

import numpy as np
import pytest

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed: pip install slicer-core")

from bench.nodes import add_roi, add_transform, add_volume, four_by_four, said
from bench.prepared_run import PreparedRun


def struck(panel) -> list[bool]:
    """Of every verdict whether it is struck out."""
    return ["<s>" in line for line in panel.ui.verdictLabel.text.split("</p>")[:-1]]


def test_a_scan_that_is_moved_takes_its_verdicts_along(panel, inputs):
    panel.ui.applyButton.click()
    assert struck(panel) == [False, False]
    move = add_transform(four_by_four(np.eye(3), (0, 0, 30)))
    inputs[0].SetAndObserveTransformNodeID(move.GetID())
    assert struck(panel) == [True, True]
    assert "The scan 'MRI' has been moved since: apply again for the verdict on 'A'." in panel.ui.notesLabel.text
    assert inputs[1][0].GetName() == "A"
    for roi in inputs[1]:  # a head and its boxes that move together are the same question
        roi.SetAndObserveTransformNodeID(move.GetID())
    assert struck(panel) == [False, False] and inputs[1][0].GetName() == "A (pathological)"


def test_another_scan_shows_its_own_verdicts_and_the_first_one_keeps_its(panel, inputs):
    volume, rois = inputs
    panel.ui.applyButton.click()
    first = panel.logic.getParameterNode().reconstructionVolume
    other = add_volume(slicer.util.arrayFromVolume(volume)[::-1].copy(), np.diag([2.0, 2, 2, 1]), "other")
    panel.ui.inputVolumeSelector.setCurrentNode(other)
    assert panel.ui.verdictLabel.text == "" and panel.ui.resultsWidget.isHidden()
    assert panel.logic.getParameterNode().reconstructionVolume is None
    assert [roi.GetName() for roi in rois] == ["A", "B"]  # nor do the boxes in the views wear them
    panel.ui.applyButton.click()
    second = panel.logic.getParameterNode().reconstructionVolume
    assert (first.GetName(), second.GetName()) == ("MRI healthy persona", "other healthy persona")
    panel.ui.inputVolumeSelector.setCurrentNode(volume)
    assert panel.logic.getParameterNode().reconstructionVolume is first
    assert said(panel.ui.verdictLabel)[0] == "■ A: Pathological: reason 0." and struck(panel) == [False, False]
    assert [roi.GetName() for roi in rois] == ["A (pathological)", "B (healthy)"]
    assert slicer.mrmlScene.IsNodePresent(second)


def test_a_scan_that_is_chosen_during_a_run_shows_none_of_the_other_ones_verdicts(panel, inputs):
    other = add_volume(name="other")
    panel.logic.runner = lambda given, proceed: (
        panel.ui.inputVolumeSelector.setCurrentNode(other),
        PreparedRun()(given, proceed),
    )
    panel.ui.applyButton.click()
    assert panel.ui.verdictLabel.text == "" and panel.logic.getParameterNode().resultTable is None
    assert [roi.GetName() for roi in inputs[1]] == ["A", "B"]
    panel.ui.inputVolumeSelector.setCurrentNode(inputs[0])
    assert said(panel.ui.verdictLabel)[0] == "■ A: Pathological: reason 0."


def test_results_of_an_earlier_version_are_kept_with_their_scan(panel, inputs):
    """Their nodes do not say which field they are in; the table's scan is theirs."""
    panel.ui.applyButton.click()
    parameters = panel.logic.getParameterNode()
    fields = ("resultTable", "reconstructionVolume", "scoreChart")
    kept = [getattr(parameters, field) for field in fields]
    for node in kept:
        node.RemoveAttribute("RadiomicsPersona.output")
    parameters.scoreChart.RemoveNodeReferenceIDs("RadiomicsPersona.inputVolume")
    panel.ui.inputVolumeSelector.setCurrentNode(add_volume(name="other"))
    assert parameters.resultTable is None
    panel.ui.inputVolumeSelector.setCurrentNode(inputs[0])
    assert [getattr(parameters, field) for field in fields] == kept


def test_a_box_that_is_deleted_strikes_its_verdict_out(panel, inputs):
    panel.ui.applyButton.click()
    slicer.mrmlScene.RemoveNode(inputs[1][1])
    assert struck(panel) == [False, True]
    assert "'B' was deleted; its verdict no longer holds." in panel.ui.notesLabel.text
    assert "moved" not in panel.ui.notesLabel.text
    assert panel.ui.boxTable.item(1, 1).font().strikeOut() and not panel.ui.boxTable.item(0, 1).font().strikeOut()


def test_a_scan_that_gets_other_voxels_strikes_all_out(panel, inputs):
    panel.ui.applyButton.click()
    array = slicer.util.arrayFromVolume(inputs[0])
    slicer.util.arrayFromVolumeModified(inputs[0])  # looked at and left as it was
    assert struck(panel) == [False, False]
    array[3, 3, 3] += 1
    slicer.util.arrayFromVolumeModified(inputs[0])
    assert struck(panel) == [True, True] and "The scan 'MRI' was changed since" in panel.ui.notesLabel.text
    array[3, 3, 3] -= 1
    slicer.util.arrayFromVolumeModified(inputs[0])
    assert struck(panel) == [False, False]


def test_voxels_that_change_during_the_analysis_end_it_without_a_verdict(panel, inputs):
    def run(given, proceed):
        PreparedRun()(given, proceed)
        slicer.util.arrayFromVolume(inputs[0])[3, 3, 3] += 1

    panel.logic.runner = run
    panel.ui.applyButton.click()
    assert panel.ui.statusLabel.text == "The volume 'MRI' was changed during the analysis: apply again."
    assert panel.logic.getParameterNode().resultTable is None


def test_a_volume_that_is_removed_in_a_run_leaves_no_result_chosen_as_scan(panel, inputs):
    panel.ui.applyButton.click()
    persona = panel.logic.getParameterNode().reconstructionVolume
    panel.logic.runner = lambda given, proceed: (PreparedRun()(given, proceed), slicer.mrmlScene.RemoveNode(inputs[0]))
    panel.ui.applyButton.click()
    assert panel.ui.inputVolumeSelector.currentNode() is None and not panel.ui.applyButton.enabled
    assert panel.ui.statusLabel.text == "The volume was removed during the analysis: load it again and apply."
    panel.logic.getParameterNode().inputVolume = persona  # by a script
    panel.run.on_apply()
    assert panel.ui.statusLabel.text == "'MRI healthy persona' is a result of this module: choose the MRI itself."


def test_a_label_map_is_not_judged(module, scene):
    label = slicer.util.addVolumeFromArray(np.ones((4, 5, 6), np.uint8), np.eye(4), "mask", "vtkMRMLLabelMapVolumeNode")
    logic = module.RadiomicsPersonaLogic(PreparedRun())
    parameters = logic.getParameterNode()
    parameters.inputVolume, parameters.inputROIs = label, [add_roi("A", (2, 2, 2), np.eye(3), (2, 2, 2))]
    with pytest.raises(module.InputError, match="'mask' is a label map: choose the MRI that it belongs to."):
        logic.apply()


HOSTILE = 'say "x" now'


def test_a_reopened_scene_has_a_row_per_box_whatever_notes_and_names_hold(module, panel, inputs, slicer_bench, tmp_path):
    """Slicer's files of tables hold no line, tab or double quote in a cell: they come back as other rows, or cut."""
    inputs[1][1].SetName(HOSTILE)

    class Told(PreparedRun):
        def _record(self, number, box, hole):
            notes = ["First\nnote.", "Second\tnote.", 'Third "note".']
            return super()._record(number, box, hole) | {"warnings": notes if number else []}

    panel.logic.runner = Told()
    panel.ui.applyButton.click()
    table = panel.logic.getParameterNode().resultTable
    before = panel.logic.verdicts(table)
    assert slicer.mrmlScene.WriteToMRB(str(tmp_path / "scene.mrb"), None, slicer.vtkMRMLMessageCollection())
    panel.exit()
    again = slicer_bench.new_scene()
    again.node.GetCacheManager().SetRemoteCacheDirectory(str(tmp_path))
    assert again.node.ReadFromMRB(str(tmp_path / "scene.mrb"), True, slicer.vtkMRMLMessageCollection())
    logic = module.RadiomicsPersonaLogic(PreparedRun())
    table = logic.getParameterNode().resultTable
    names = table.GetTable().GetColumnByName("box")
    assert [names.GetValue(row) for row in range(table.GetTable().GetNumberOfRows())] == ["A", "say 'x' now"]
    assert table.GetTable().GetColumnByName("warnings").GetValue(1) == "First note. Second note. Third 'note'."
    assert logic.verdicts(table) == before and len(logic.verdictsByBox(table)) == 2
    assert [name for name, _label, _reason in logic.verdictsByBox(table)] == ["A", HOSTILE]
    again.close()


def test_cells_that_a_user_edits_or_a_file_cuts_change_no_verdict(panel, inputs):
    panel.ui.applyButton.click()
    table = panel.logic.getParameterNode().resultTable
    for name, value in (("label", 0.0), ("reason", ""), ("verdict", "healthy (0)")):
        table.GetTable().GetColumnByName(name).SetValue(0, value)
    table.GetTable().InsertNextBlankRow()
    table.Modified()
    panel.parameterNodeModified()
    assert said(panel.ui.verdictLabel)[::2] == ["■ A: Pathological: reason 0.", "■ B: Healthy: reason 1."]
    assert panel.ui.boxTable.rowCount == 2 and panel.ui.boxTable.item(0, 1).text() == "pathological (1)"
