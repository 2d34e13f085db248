"""A scan is looked at as soon as it is chosen, so that Apply is short; numbers and blindness stay as they were."""

from __future__ import annotations

import time

import numpy as np
import pytest

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed: pip install slicer-core")

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("small_models")]

MINUTE = 60.0


@pytest.fixture
def head(panel, synthetic_head):
    """A head in the scene, and a panel whose user wants scans to be prepared; a fill and few healthy boxes, for speed."""
    from bench.nodes import add_roi, add_volume

    panel.ui.prepareCheckBox.checked = True
    parameters = panel.logic.getParameterNode()
    parameters.model, parameters.controls = "harmonic", 3
    array = synthetic_head.array.transpose(2, 1, 0).astype(np.int16)
    volume = add_volume(array, synthetic_head.affine, "head")
    roi = add_roi("lesion", (30, 30, 30), np.eye(3), (34, -10, 14))
    return volume, roi


def until(holds, what: str) -> None:
    """Let the window live until something holds."""
    ends = time.monotonic() + MINUTE
    while not holds():
        assert time.monotonic() < ends, what
        slicer.app.processEvents()
        time.sleep(0.02)


def choose(panel, volume) -> list:
    """Choose a volume, and wait until it is prepared; returns what the line below Apply said meanwhile."""
    said = []
    panel.ui.inputVolumeSelector.setCurrentNode(volume)

    def prepared() -> bool:
        said.append(panel.ui.statusLabel.text)
        return said[-1].endswith(" is prepared.")

    until(prepared, "the scan was not prepared")
    return said


def activities_of(panel, roi) -> list:
    """What Apply says it does."""
    panel.ui.inputROIsSelector.check(roi)
    told = []
    panel.logic.runner = panel.logic._runInWorker
    panel.logic.apply(lambda line: told.append(line) or True)
    return told


def test_a_chosen_scan_is_prepared_and_apply_reads_nothing_again(panel, head):
    volume, roi = head
    said = choose(panel, volume)
    assert any(line.startswith("Preparing 'head' (") for line in said), said
    told = activities_of(panel, roi)
    assert not any("Reading the scan" in line for line in told), told


def test_the_numbers_are_those_of_an_analysis_without(panel, head):
    from RadiomicsPersonaNodes import origin

    volume, roi = head
    choose(panel, volume)
    activities_of(panel, roi)
    table = panel.logic.getParameterNode().resultTable
    prepared = origin.results_in(table)
    panel.logic.worker._child.end()  # the next one knows nothing
    panel.logic.apply(lambda line: True)
    assert origin.results_in(table)["boxes"] == prepared["boxes"]


def test_another_choice_ends_it_and_what_the_user_is_told_stays(panel, head):
    from bench.nodes import add_volume

    volume, _roi = head
    other = add_volume(slicer.util.arrayFromVolume(volume)[:, ::-1] + 1, np.diag([4.0, 4, 4, 1]), "other")
    panel.ui.inputVolumeSelector.setCurrentNode(volume)
    until(lambda: panel.preparation.preparation.waiting, "it did not begin")
    first = panel.preparation.preparation._number
    said = choose(panel, other)
    assert said[-1] == "'other' is prepared." and first not in panel.logic.worker._child._open
    panel.ui.statusLabel.text = "Something else."
    panel.ui.inputVolumeSelector.setCurrentNode(volume)
    until(lambda: panel.preparation.preparation.name == "head", "it did not begin")
    until(lambda: not panel.preparation.preparation.waiting, "it did not end")
    assert panel.ui.statusLabel.text == "Something else."


def test_who_does_not_want_it_has_no_worker_for_it(panel, head):
    volume, _roi = head
    panel.ui.prepareCheckBox.checked = False
    panel.ui.inputVolumeSelector.setCurrentNode(volume)
    for _ in range(20):
        slicer.app.processEvents()
        time.sleep(0.02)
    assert not panel.preparation.preparation.name and panel.ui.statusLabel.text == ""
    kept = slicer.util.settingsValue("RadiomicsPersona/prepareScan", True, slicer.util.toBool, slicer.app.userSettings())
    assert kept is False


def test_a_volume_that_is_no_scan_is_told_in_one_sentence(panel, head):
    from bench.nodes import add_volume

    air = add_volume(np.zeros((40, 40, 40), np.int16), np.diag([4.0, 4, 4, 1]), "air")
    panel.ui.inputVolumeSelector.setCurrentNode(air)
    until(lambda: panel.ui.statusLabel.text and "Preparing" not in panel.ui.statusLabel.text, "nothing was said")
    assert panel.ui.statusLabel.text == "'air' is empty: all its voxels have the value 0; choose another scan."
