"""The panel's section on sensitivity: a painted lesion as new nodes, and the curve as table and chart."""

from __future__ import annotations

import numpy as np
import pytest
from bench.painted_scan import DEEP_WHITE, template

from RadiomicsPersonaLib.commands.job import Job
from RadiomicsPersonaLib.commands.registry import ANALYSIS
from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.system.child import Cancelled

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed: pip install slicer-core")

from bench.nodes import add_roi, add_transform, add_volume, four_by_four

pytestmark = pytest.mark.slow


@pytest.fixture
def patient(panel):
    """A volume under a transform and a box on its white matter, chosen in the panel; no network is needed."""
    scan = template()
    volume = add_volume(np.ascontiguousarray(scan.array.transpose(2, 1, 0)), scan.affine, "patient")
    volume.SetAndObserveTransformNodeID(add_transform(four_by_four(np.eye(3), (5, 6, 7))).GetID())
    panel.ui.inputVolumeSelector.setCurrentNode(volume)
    panel.ui.inputROIsSelector.check(add_roi("white matter", (12, 12, 12), np.eye(3), DEEP_WHITE + [5, 6, 7]))
    parameters = panel.logic.getParameterNode()
    parameters.model, parameters.decision, parameters.threshold, parameters.controls = "harmonic", "classifier", 0.5, 8
    choose(panel.ui.lesionKindComboBox, "ms")
    return volume


def choose(combo, data: str) -> None:
    combo.currentIndex = combo.findData(data)


def run_here(panel, *more: str):
    """Let the panel's commands run in this process, with further options."""

    def run(arguments, proceed):
        job = Job(lambda done, total, what: proceed(f"{what}: {done} of {total}"), for_slicer=True)
        ANALYSIS.run(ANALYSIS.options_of([*arguments, *more]), job)

    panel.logic._runInWorker = run


def test_paint_makes_a_new_volume_and_an_outline_and_leaves_the_scan_alone(panel, patient):
    """In the worker's own process."""
    before = slicer.util.arrayFromVolume(patient).copy()
    panel.ui.lesionSizeSpinBox.value, panel.ui.lesionStrengthSpinBox.value = 1.5, 2.0
    for _ in range(2):  # the second time the same nodes are filled anew
        panel.ui.paintButton.click()
        assert panel.ui.sensitivityStatusLabel.text.startswith("'patient with a painted lesion' has a lesion of 1."), (
            panel.ui.sensitivityStatusLabel.text
        )
    np.testing.assert_array_equal(slicer.util.arrayFromVolume(patient), before)
    image, outline = slicer.util.getNode("patient with a painted lesion"), slicer.util.getNode("patient painted lesion")
    assert (
        len(slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")) == 2
        and len(slicer.util.getNodesByClass("vtkMRMLSegmentationNode")) == 1
    )
    assert image.GetTransformNodeID() == outline.GetTransformNodeID() == patient.GetTransformNodeID()
    darker = before - slicer.util.arrayFromVolume(image)
    inside = slicer.util.arrayFromSegmentInternalBinaryLabelmap(outline, outline.GetSegmentation().GetNthSegmentID(0)) > 0
    assert 150 <= inside.sum() <= 230 and darker[inside].mean() > 0.05 * before.max()
    index = np.argwhere(inside)[:, ::-1].mean(axis=0)
    place = template().ras_from_ijk(index)
    assert np.linalg.norm(place - DEEP_WHITE) < 6


def test_the_curve_is_a_table_and_a_chart(panel, patient):
    # the faintest has p 1/3 and a probability of 0.6, the strongest of 1: the threshold lies far from both
    panel.logic.getParameterNode().threshold = 0.9
    run_here(panel, "--sizes", "1", "--strengths", "0.05,2")
    panel.ui.sensitivityButton.click()
    parameters = panel.logic.getParameterNode()
    rows = parameters.sensitivityTable.GetTable()
    assert rows.GetNumberOfRows() == 3
    words = [rows.GetColumnByName("word").GetValue(row) for row in range(3)]
    assert words[0] != "found" == words[2] and set(words) <= {"found", "undetermined", "not found"}
    chart = parameters.sensitivityChart
    names = [chart.GetNthPlotSeriesNode(n).GetName() for n in range(chart.GetNumberOfPlotSeriesNodes())]
    assert names == ["found", "undetermined", "not found", "faintest found"]
    assert panel.ui.sensitivityTableView.mrmlTableNode() is parameters.sensitivityTable
    said = panel.ui.sensitivityStatusLabel.text
    assert "lesions were found from" in said and "painted, not real" in said
    assert panel.ui.sensitivityReportButton.enabled and panel.sensitivity.report.path.endswith("sensitivity.html")
    panel.ui.sensitivityChartButton.click()
    assert panel.ui.sensitivityChartButton.checked


def test_cancel_leaves_no_node(panel, patient):
    def run(arguments, proceed):
        panel.ui.sensitivityButton.click()
        assert not proceed("1 ml: 2 of 50")
        raise Cancelled

    panel.logic._runInWorker = run
    panel.ui.sensitivityButton.click()
    assert panel.ui.sensitivityStatusLabel.text == "Cancelled; nothing was changed."
    assert (
        panel.ui.sensitivityButton.text == "Sensitivity in this patient" and not panel.logic.getParameterNode().sensitivityTable
    )


def test_what_cannot_be_painted_is_said_in_one_sentence(panel, patient):
    run_here(panel)
    panel.ui.lesionPlaceSelector.setCurrentNode(add_roi("air", (9, 9, 9), np.eye(3), (-80, -100, -60)))
    panel.ui.paintButton.click()
    assert "does not lie in grey or white matter" in panel.ui.sensitivityStatusLabel.text
    assert len(slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")) == 1


def test_the_place_is_a_point_a_box_or_the_crosshair(panel, patient):
    from RadiomicsPersonaNodes import lesions

    points = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", "points")
    with pytest.raises(InputError, match="holds no point"):
        lesions.place_in(points, patient)
    points.AddControlPoint(15, 26, 37)
    np.testing.assert_allclose(lesions.place_in(points, patient), (10, 20, 30))
    np.testing.assert_allclose(lesions.place_in(panel.ui.lesionPlaceSelector.currentNode(), patient), DEEP_WHITE)
    crosshair = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLCrosshairNode")
    crosshair.SetCrosshairRAS(1, 2, 3)
    np.testing.assert_allclose(lesions.place_in(None, patient), (-4, -4, -4))
