"""The Logic on real MRML nodes: what it hands to the analysis, and what it makes of the answer."""

from __future__ import annotations

import json

import numpy as np
import pytest
from bench.prepared_run import EXPECTED_ERROR, PreparedRun

from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.system.child import Cancelled, ChildFailed

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed: pip install slicer-core")

from bench.nodes import add_bspline, add_roi, add_transform, add_volume, four_by_four, ijk_to_ras, random_rotation, vtk_matrix
from vtk.util.numpy_support import vtk_to_numpy

SHEAR = np.array([[1, 0, 0], [0, 1, 0.4], [0, 0, 1]])


@pytest.fixture
def run() -> PreparedRun:
    return PreparedRun()


@pytest.fixture
def logic(module, run):
    return module.RadiomicsPersonaLogic(run)


def head_volume(affine=None, dtype=np.int16, name="MRI"):
    """A volume of 20 x 22 x 24 voxels."""
    array = np.random.default_rng(0).integers(0, 1000, (24, 22, 20)).astype(dtype)
    return add_volume(array, np.diag([2.0, 2, 2, 1]) if affine is None else affine, name)


def fill_in(logic, volume, *rois):
    parameters = logic.getParameterNode()
    parameters.inputVolume, parameters.inputROIs = volume, list(rois)
    return parameters


def test_the_scan_is_handed_over_exactly(logic, run):
    """Any rotation, flips, anisotropy, shear; every type of voxel; and never with the volume's parent transform."""
    random = np.random.default_rng(3)
    for number, dtype in enumerate([np.int16, np.uint8, np.uint16, np.int32, np.float32, np.float64]):
        linear = random_rotation(random) * random.uniform(0.3, 7, 3) * random.choice([-1.0, 1.0], 3)
        affine = four_by_four(linear @ SHEAR if number % 2 else linear, random.uniform(-200, 200, 3))
        volume = head_volume(affine, dtype)
        volume.SetAndObserveTransformNodeID(add_transform(four_by_four(np.eye(3), (5, 6, 7))).GetID())
        center = affine[:3, :3] @ [10, 11, 12] + affine[:3, 3] + [5, 6, 7]
        fill_in(logic, volume, add_roi("R", (30, 30, 30), np.eye(3), center))
        logic.apply()
        np.testing.assert_allclose(run.scan.affine, affine, rtol=1e-12, atol=1e-10)
        np.testing.assert_array_equal(run.scan.array, slicer.util.arrayFromVolume(volume).transpose(2, 1, 0))


def test_the_outputs_lie_on_the_grid_of_the_input_and_under_its_transform(logic, run):
    random = np.random.default_rng(4)
    for flip in ([1, 1, 1], [-1, 1, 1], [1, -1, -1], [1, 1, -1]):
        affine = four_by_four(random_rotation(random) @ SHEAR * [1.5, 2, 3] * flip, (10, 20, 30))
        volume = head_volume(affine)
        transform = add_transform(four_by_four(random_rotation(random), (5, 6, 7)))
        volume.SetAndObserveTransformNodeID(transform.GetID())
        roi = add_roi("R", (12, 14, 16), random_rotation(random), affine[:3, :3] @ [10, 11, 12] + affine[:3, 3])
        roi.SetAndObserveTransformNodeID(transform.GetID())
        parameters = fill_in(logic, volume, roi)
        logic.apply()
        before = slicer.util.arrayFromVolume(volume).transpose(2, 1, 0)
        inside = np.zeros(before.shape, bool)
        for index in np.ndindex(before.shape):
            local = run.boxes[0].axes.T @ (affine[:3, :3] @ index + affine[:3, 3] - run.boxes[0].center)
            inside[index] = (np.abs(local) <= [6, 7, 8]).all()
        after = slicer.util.arrayFromVolume(parameters.reconstructionVolume).transpose(2, 1, 0)
        difference = slicer.util.arrayFromVolume(parameters.differenceVolume).transpose(2, 1, 0)
        assert inside.sum() > 100
        assert (after[inside] == 7).all() and (after[~inside] == before[~inside]).all()
        np.testing.assert_allclose(difference, (before.astype(float) - after) / EXPECTED_ERROR)
        for output in (parameters.reconstructionVolume, parameters.differenceVolume):
            np.testing.assert_allclose(ijk_to_ras(output), affine)
            assert output.GetParentTransformNode() is transform


def test_several_rois_become_several_boxes_in_their_order(logic, run):
    places = (("right", 30), ("left", 10), ("right", 20))
    rois = [add_roi(name, (8, 8, 8), np.eye(3), (x, 20, 20)) for name, x in places]
    parameters = fill_in(logic, head_volume(), *rois)
    logic.apply()
    assert [box.center[0] for box in run.boxes] == [30, 10, 20]
    assert slicer.util.arrayFromTableColumn(parameters.resultTable, "center R").tolist() == [30, 10, 20]
    assert [parameters.resultTable.GetTable().GetValueByName(row, "box").ToString() for row in range(3)] == [
        "right",
        "left",
        "right (2)",
    ]


def test_the_settings_reach_the_command_line(logic, run):
    parameters = fill_in(logic, head_volume(name="Müller, T1"), add_roi("R", (8, 8, 8), np.eye(3), (20, 20, 20)))
    parameters.model, parameters.device = "mirror", "cpu"
    parameters.controls, parameters.threshold, parameters.seed = 19, 0.1, 5
    logic.apply()
    words = " ".join(run.arguments)
    assert run.arguments[0] == "analyze" and run.arguments[1].endswith("M_ller_T1.nrrd")
    for expected in ("--controls 19", "--model mirror", "--device cpu", "--threshold 0.1", "--seed 5", "--json"):
        assert expected in words


def test_the_table_says_what_the_results_say(logic):
    rois = [add_roi(name, (8, 8, 8), np.eye(3), (x, 20, 20)) for name, x in (("A", 10), ("B", 20), ("C", 30))]
    parameters = fill_in(logic, head_volume(), *rois)
    logic.apply()
    table = parameters.resultTable

    def texts(name):
        return [table.GetTable().GetValueByName(row, name).ToString() for row in range(3)]

    assert texts("verdict") == ["pathological (1)", "healthy (0)", "undetermined"]
    np.testing.assert_array_equal(slicer.util.arrayFromTableColumn(table, "label"), [1, 0, np.nan])
    np.testing.assert_array_equal(slicer.util.arrayFromTableColumn(table, "p"), [0.04, 0.6, np.nan])
    np.testing.assert_array_equal(slicer.util.arrayFromTableColumn(table, "mse"), [1.5, 2.5, 3.5])
    np.testing.assert_array_equal(slicer.util.arrayFromTableColumn(table, "ssim"), [0.25, 0.25, np.nan])
    assert table.GetColumnUnitLabel("size 1") == "mm"
    assert logic.verdictsByBox(table) == [
        ("A", 1, "Pathological: reason 0."),
        ("B", 0, "Healthy: reason 1."),
        ("C", None, "Undetermined: reason 2."),
    ]
    assert logic.verdicts(table)[2:4] == ["C (no label): Undetermined: reason 2.", "Note on B: Close to the rim."]
    assert logic.notes(table) == [
        "Note on B: Close to the rim.",
        "Note on C: Close to the rim.",
        "Rebuilt by healthy-any, taken because the scan does not look T1-weighted.",
        "Scores weighed by a classifier of your own, clinic.",
        "Note: The slices are thick; naïve détail is lost.",
    ]


def test_a_table_of_something_else_says_nothing(logic):
    table = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTableNode")
    assert logic.verdictsByBox(table) == logic.verdicts(table) == logic.notes(table) == []


def test_the_difference_has_its_own_colours_and_a_symmetric_range(logic):
    from RadiomicsPersonaNodes.volume import difference_colors

    volume = head_volume()
    volume.GetDisplayNode().SetAutoWindowLevel(False)
    volume.GetDisplayNode().SetWindowLevel(800, 410)
    parameters = fill_in(logic, volume, add_roi("R", (8, 8, 8), np.eye(3), (20, 20, 20)))
    logic.apply()
    display = parameters.differenceVolume.GetDisplayNode()
    assert (display.GetWindowLevelMin(), display.GetWindowLevelMax()) == (-3, 3)
    assert not display.GetAutoWindowLevel()
    colors = display.GetColorNode()
    assert colors is difference_colors()
    shown = colors.GetLookupTable()
    table = np.array([shown.GetTableValue(index) for index in range(colors.GetNumberOfColors())])
    middle = len(table) // 2
    assert len(table) % 2 == 1 and tuple(table[middle]) == (1, 1, 1, 0)  # no difference is clear
    assert (np.delete(table[:, 3], middle) == 1).all()
    assert table[0, 2] > 2 * table[0, 0] and table[-1, 0] > 2 * table[-1, 2]
    assert (np.diff(table[: middle + 1, 0]) >= 0).all() and (np.diff(table[middle:, 2]) <= 0).all()
    persona = parameters.reconstructionVolume.GetDisplayNode()
    assert (persona.GetWindow(), persona.GetLevel()) == (800, 410)
    assert persona.GetColorNode() is volume.GetDisplayNode().GetColorNode()


def test_what_is_unusual_is_outlined_until_nothing_is(logic):
    from RadiomicsPersonaNodes import unusual

    called = add_roi("A", (8, 8, 8), np.eye(3), (12, 20, 20))
    parameters = fill_in(logic, head_volume(), called, add_roi("B", (8, 8, 8), np.eye(3), (24, 20, 20)))
    logic.apply()
    node = parameters.unusualSegmentation
    display = node.GetDisplayNode()
    assert display.GetVisibility2DOutline() and not display.GetVisibility2DFill() and not display.GetVisibility3D()
    assert node.GetSegmentation().GetNumberOfSegments() == 1
    segment = node.GetSegmentation().GetSegment(node.GetSegmentation().GetNthSegmentID(0))
    image = segment.GetRepresentation("Binary labelmap")
    shown = vtk_to_numpy(image.GetPointData().GetScalars()).reshape(image.GetDimensions(), order="F") > 0
    changed = slicer.util.arrayFromVolume(parameters.deviationVolume).transpose(2, 1, 0) < 1
    assert shown.any() and changed[shown].all() and shown.sum() < changed.sum() / 3  # half of the called box, none of the other
    logic.apply()
    assert parameters.unusualSegmentation is node and node.GetSegmentation().GetNumberOfSegments() == 1
    unusual.show(parameters, parameters.inputVolume, {}, np.zeros((2, 2, 2), bool))
    assert parameters.unusualSegmentation is None and not slicer.mrmlScene.IsNodePresent(node)


def test_the_scores_behind_the_verdicts_become_a_bar_plot_with_the_most_unusual_first(logic):
    rois = [add_roi(name, (8, 8, 8), np.eye(3), (x, 20, 20)) for name, x in (("A", 10), ("B", 20), ("C", 30))]
    parameters = fill_in(logic, head_volume(), *rois)
    for _ in range(2):
        logic.apply()
    chart, table = parameters.scoreChart, parameters.scoreTable
    assert [table.GetTable().GetValueByName(row, "score").ToString() for row in range(2)] == ["Peak difference", "SSIM (3-D)"]
    assert slicer.util.arrayFromTableColumn(table, "2 B").tolist() == [5.0, 0.5]
    series = [chart.GetNthPlotSeriesNode(n) for n in range(chart.GetNumberOfPlotSeriesNodes())]
    assert [node.GetName() for node in series] == ["A", "B"]  # the third box has no verdict and no scores
    for node in series:
        assert node.GetPlotType() == node.PlotTypeBar and node.GetTableNode() is table and node.GetLabelColumnName() == "score"
    assert series[0].GetColor() != series[1].GetColor()
    # two of bars, and for each box one of dots and a diamond
    assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLPlotSeriesNode") == 2 + 4


def test_every_box_is_plotted_among_its_healthy_boxes(logic):
    rois = [add_roi(name, (8, 8, 8), np.eye(3), (x, 20, 20)) for name, x in (("A", 10), ("B", 20), ("C", 30))]
    parameters = fill_in(logic, head_volume(), *rois)
    results = logic.apply()
    chart = parameters.standingChart
    series = [chart.GetNthPlotSeriesNode(n) for n in range(chart.GetNumberOfPlotSeriesNodes())]
    assert [node.GetName() for node in series] == [
        "control regions of A",
        "A (pathological)",
        "control regions of B",
        "B (healthy)",
    ]
    for number, box in enumerate(results["boxes"][:2]):
        dots, own = series[2 * number], series[2 * number + 1]
        values = slicer.util.arrayFromTableColumn(dots.GetTableNode(), dots.GetXColumnName())
        np.testing.assert_array_equal(values, [control["combined"] for control in box["controls"]])
        assert slicer.util.arrayFromTableColumn(own.GetTableNode(), own.GetXColumnName())[0] == box["combined"]
        # told apart by shape and size as well as by colour
        assert own.GetMarkerStyle() == own.MarkerStyleDiamond and dots.GetMarkerStyle() == dots.MarkerStyleCircle
        assert own.GetMarkerSize() > dots.GetMarkerSize()


def test_the_map_of_deviations_lies_beside_the_difference(logic):
    parameters = fill_in(logic, head_volume(), add_roi("R", (8, 8, 8), np.eye(3), (20, 20, 20)))
    logic.apply()
    voxels = slicer.util.arrayFromVolume(parameters.deviationVolume)
    np.testing.assert_allclose(np.unique(voxels), [0.02, 1.0], rtol=1e-6)
    assert parameters.deviationVolume.GetName() == "MRI p of the difference"
    display = parameters.deviationVolume.GetDisplayNode()
    assert (display.GetWindowLevelMin(), display.GetWindowLevelMax()) == (0, pytest.approx(0.1))


def test_a_second_run_reuses_every_output(logic, run):
    parameters = fill_in(logic, head_volume(), add_roi("R", (8, 8, 8), np.eye(3), (20, 20, 20)))
    logic.apply()
    outputs = (parameters.reconstructionVolume, parameters.differenceVolume, parameters.resultTable)
    count = slicer.mrmlScene.GetNumberOfNodes()
    parameters.inputVolume.SetName("MRI 2")
    parameters.inputVolume.SetIJKToRASMatrix(vtk_matrix(np.diag([2, 2, 2.5, 1])))
    logic.apply()
    assert slicer.mrmlScene.GetNumberOfNodes() == count
    assert (parameters.reconstructionVolume, parameters.differenceVolume, parameters.resultTable) == outputs
    assert outputs[0].GetName() == "MRI 2 healthy persona"
    np.testing.assert_allclose(ijk_to_ras(outputs[0]), np.diag([2, 2, 2.5, 1]))
    assert outputs[2].GetTable().GetNumberOfRows() == 1


def test_an_output_cannot_become_the_input(logic, run):
    parameters = fill_in(logic, head_volume(), add_roi("R", (8, 8, 8), np.eye(3), (20, 20, 20)))
    logic.apply()
    first = parameters.reconstructionVolume
    before = slicer.util.arrayFromVolume(first).copy()
    parameters.inputVolume = first
    parameters.inputROIs = [add_roi("S", (8, 8, 8), np.eye(3), (30, 30, 30))]
    with pytest.raises(InputError, match="'MRI healthy persona' is a result of this module: choose the MRI itself."):
        logic.apply()
    np.testing.assert_array_equal(slicer.util.arrayFromVolume(first), before)


def test_changing_the_input_during_the_run_changes_nothing_in_it(logic):
    volume = head_volume(name="first")
    parameters = fill_in(logic, volume, add_roi("R", (8, 8, 8), np.eye(3), (20, 20, 20)))

    def choose_another(line):
        parameters.inputVolume = head_volume(np.diag([1.0, 1, 1, 1]), name="second")
        return True

    logic.apply(choose_another)
    assert parameters.reconstructionVolume is None  # the other one has no results yet
    logic.showResultsOf(volume)
    assert parameters.reconstructionVolume.GetName() == "first healthy persona"
    np.testing.assert_allclose(ijk_to_ras(parameters.reconstructionVolume), ijk_to_ras(volume))


def test_the_outputs_carry_their_provenance_through_a_saved_scene(module, logic, slicer_bench, tmp_path):
    parameters = fill_in(logic, head_volume(), add_roi('lésion; "1"', (8, 8, 8), np.eye(3), (20, 20, 20)))
    results = logic.apply()
    names = [node.GetName() for node in (parameters.reconstructionVolume, parameters.differenceVolume, parameters.resultTable)]
    slicer.mrmlScene.SetURL(str(tmp_path / "scene.mrml"))
    assert slicer.mrmlScene.Commit()
    kept = slicer.mrmlScene
    again = slicer_bench.new_scene()
    again.node.SetURL(str(tmp_path / "scene.mrml"))
    again.node.Connect()
    assert slicer.mrmlScene is not kept
    for name in names:
        node = slicer.mrmlScene.GetFirstNodeByName(name)
        assert json.loads(node.GetAttribute("RadiomicsPersona.provenance")) == results["provenance"]
        assert json.loads(node.GetAttribute("RadiomicsPersona.decision")) == results["decision"]
        assert json.loads(node.GetAttribute("RadiomicsPersona.warnings")) == results["warnings"]
        record, box = json.loads(node.GetAttribute("RadiomicsPersona.boxes"))[0], results["boxes"][0]
        assert record == {key: box[key] for key in record} and record["name"] == 'lésion; "1"'
        assert node.GetNodeReference(module.INPUT_VOLUME_ROLE).GetName() == "MRI"
    reloaded = module.RadiomicsPersonaLogic().getParameterNode()
    assert reloaded.inputVolume.GetName() == "MRI" and [roi.GetName() for roi in reloaded.inputROIs] == [
        'lésion; "1" (pathological)'
    ]
    assert reloaded.resultTable.GetName() == names[2]
    again.close()


def test_the_outputs_stand_beside_the_input_in_the_subject_hierarchy(logic):
    volume = head_volume()
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    study = hierarchy.CreateStudyItem(hierarchy.GetSceneItemID(), "study")
    hierarchy.CreateItem(study, volume)
    parameters = fill_in(logic, volume, add_roi("R", (8, 8, 8), np.eye(3), (20, 20, 20)))
    logic.apply()
    outputs = (parameters.reconstructionVolume, parameters.differenceVolume, parameters.resultTable)
    for node in outputs:  # the application's plugins do this when a node is added
        hierarchy.CreateItem(hierarchy.GetSceneItemID(), node)
    logic.apply()
    assert {hierarchy.GetItemParent(hierarchy.GetItemByDataNode(node)) for node in outputs} == {study}


def test_a_removed_roi_is_passed_over(logic, run):
    kept, removed = (add_roi(name, (8, 8, 8), np.eye(3), (20, 20, 20)) for name in ("kept", "removed"))
    fill_in(logic, head_volume(), kept, removed)
    slicer.mrmlScene.RemoveNode(removed)
    logic.apply()
    assert [box.name for box in run.boxes] == ["kept"]


def test_what_cannot_be_analyzed_is_refused_before_a_process_starts(logic, run):
    roi = add_roi("R", (8, 8, 8), np.eye(3), (20, 20, 20))
    empty = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "empty")
    colored = slicer.util.addVolumeFromArray(np.zeros((4, 4, 4, 3), np.uint8), nodeClassName="vtkMRMLVectorVolumeNode")
    warped = head_volume()
    warped.SetAndObserveTransformNodeID(add_bspline().GetID())
    for volume, rois, message in (
        (None, [roi], "No volume is selected"),
        (empty, [roi], "'empty' holds no image"),
        (colored, [roi], "3 values per voxel"),
        (warped, [roi], "harden the transform first"),
        (head_volume(), [], "No ROI is selected"),
        (head_volume(), [add_roi("flat", (8, 0, 8), np.eye(3), (20, 20, 20))], "ROI 'flat' has a size of"),
    ):
        fill_in(logic, volume, *rois)
        with pytest.raises(InputError, match=message):
            logic.apply()
    assert run.arguments is None


@pytest.mark.parametrize("error", [InputError("The box is outside."), ChildFailed("It crashed.", "log"), Cancelled()])
def test_a_run_without_a_result_leaves_the_scene_as_it_was(module, error):
    logic = module.RadiomicsPersonaLogic(PreparedRun(error=error))
    fill_in(logic, head_volume(), add_roi("R", (8, 8, 8), np.eye(3), (20, 20, 20)))
    count = slicer.mrmlScene.GetNumberOfNodes()
    with pytest.raises(type(error)):
        logic.apply()
    assert slicer.mrmlScene.GetNumberOfNodes() == count


def test_a_volume_removed_during_the_run_is_reported(logic):
    volume = head_volume()
    fill_in(logic, volume, add_roi("R", (8, 8, 8), np.eye(3), (20, 20, 20)))

    def remove_it(line):
        slicer.mrmlScene.RemoveNode(volume)
        return True

    with pytest.raises(InputError, match="removed during the analysis"):
        logic.apply(remove_it)


def test_no_file_of_the_run_stays_behind(logic, run, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    fill_in(logic, head_volume(), add_roi("R", (8, 8, 8), np.eye(3), (20, 20, 20)))
    logic.apply()
    assert run.arguments[1].startswith(str(tmp_path)) and not list(tmp_path.iterdir())


@pytest.mark.slow
def test_the_self_test_of_the_module_passes_and_looks_at_what_was_computed(module, monkeypatch):
    """It runs in Slicer, where nobody sees its assertions fail: here it must notice a lesion that was not rebuilt."""
    test, said = module.RadiomicsPersonaTest(), []
    monkeypatch.setattr(test, "delayDisplay", said.append)
    test.runTest()
    assert said == ["Test passed"]
    real = module.RadiomicsPersonaLogic.apply

    def leave_the_lesion(logic):
        results, parameters = real(logic), logic.getParameterNode()
        slicer.util.updateVolumeFromArray(parameters.reconstructionVolume, slicer.util.arrayFromVolume(parameters.inputVolume))
        return results

    monkeypatch.setattr(module.RadiomicsPersonaLogic, "apply", leave_the_lesion)
    with pytest.raises(AssertionError):
        test.runTest()
    assert said == ["Test passed"]
