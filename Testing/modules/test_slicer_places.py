"""The panel's list of suspicious regions: a click moves the views, draws a box, and Apply judges it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from bench.painted_scan import template

from RadiomicsPersonaLib.geometry.box import parse_box
from RadiomicsPersonaLib.system.child import Cancelled
from RadiomicsPersonaLib.system.json_text import written

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed: pip install slicer-core")

from bench.nodes import add_transform, add_volume, four_by_four

PLACES = [
    {"rank": 1, "p": 0.02, "false_per_head": 0.0, "ml": 7.1, "peak_r": 30.0, "peak_a": -26.0, "peak_s": 26.0}
    | {"box": "30,-26,26,24,22,20"},
    {"rank": 2, "p": 0.4, "false_per_head": 0.6, "ml": 1.2, "peak_r": -20.0, "peak_a": 10.0, "peak_s": 12.0}
    | {"box": "-20,10,12,10,10,12"},
]
SHIFT = np.array([5.0, 6.0, 7.0])


@pytest.fixture
def patient(panel):
    """A volume under a transform, chosen in the panel, and a search that lists two places."""
    scan = template()
    volume = add_volume(np.ascontiguousarray(scan.array.transpose(2, 1, 0)), scan.affine, "patient")
    volume.SetAndObserveTransformNodeID(add_transform(four_by_four(np.eye(3), SHIFT)).GetID())
    panel.ui.inputVolumeSelector.setCurrentNode(volume)
    search(panel, PLACES)
    return volume


def search(panel, found: list) -> None:
    """Let the search find these places."""

    def run(arguments, proceed):
        assert arguments[0] == "scan" and Path(arguments[1]).is_file()
        folder = Path(arguments[arguments.index("--output") + 1])
        folder.mkdir()
        told = {"places": found, "summary": f"{len(found)} places are listed.", "misses": ["Most small lesions are missed."]}
        (folder / "places.json").write_text(written(told), encoding="utf-8")

    panel.logic._runInWorker = run


def click(panel, row: int) -> None:
    widget = panel.ui.placesListWidget
    widget.itemClicked.emit(widget.item(row))


def test_a_click_moves_the_views_and_draws_the_box_that_apply_judges(panel, patient):
    view = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSliceNode")
    panel.ui.findPlacesButton.click()
    assert panel.ui.placesListWidget.count == 2 and "Most small lesions are missed." in panel.ui.placesStatusLabel.text
    assert panel.ui.placesListWidget.item(0).text().startswith("1: p = 0.02, 7.1 ml")
    for row in (0, 1, 0):
        click(panel, row)
        [roi] = panel.logic.getParameterNode().inputROIs
        box, wanted = panel.logic.boxFromROI(roi, patient), parse_box(PLACES[row]["box"])
        assert np.allclose(box.center, wanted.center) and np.allclose(box.size, wanted.size)
        peak = np.array([PLACES[row][f"peak_{axis}"] for axis in "ras"]) + SHIFT
        assert np.allclose([view.GetSliceToRAS().GetElement(axis, 3) for axis in range(3)], peak)
        assert roi.GetName() == f"place {row + 1}"
    assert len(slicer.util.getNodesByClass("vtkMRMLMarkupsROINode")) == 2
    panel.ui.applyButton.click()
    [judged] = panel.logic.runner.boxes
    assert np.allclose(judged.center, [30, -26, 26]) and np.allclose(judged.size, [24, 22, 20])


def test_a_list_belongs_to_its_scan_and_goes_with_it(panel, patient):
    panel.ui.findPlacesButton.click()
    scan = template()
    other = add_volume(np.ascontiguousarray(scan.array.transpose(2, 1, 0)), scan.affine, "another")
    panel.ui.inputVolumeSelector.setCurrentNode(other)
    assert panel.ui.placesListWidget.count == 0 and panel.ui.placesStatusLabel.text == ""


def test_cancel_keeps_the_list_of_before(panel, patient):
    panel.ui.findPlacesButton.click()

    def run(arguments, proceed):
        panel.ui.findPlacesButton.click()
        assert not proceed("Looking for places that stand out: 1 of 3")
        raise Cancelled

    panel.logic._runInWorker = run
    panel.ui.findPlacesButton.click()
    assert panel.ui.placesStatusLabel.text == "Cancelled; nothing was changed."
    assert panel.ui.placesListWidget.count == 2 and panel.ui.findPlacesButton.text == "Find suspicious regions"
