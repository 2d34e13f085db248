"""Segment, judge in one click, and mesh, in the panel: real nodes, and a real worker process."""

from __future__ import annotations

import json

import numpy as np
import pytest
from bench.bright_lesion import CENTER, RADIUS, head_with_bright_lesion

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed: pip install slicer-core")

from bench.nodes import add_roi, add_segmentation, add_transform, add_volume, four_by_four, said

pytestmark = pytest.mark.slow

TURNED = four_by_four([[0.8, -0.6, 0], [0.6, 0.8, 0], [0, 0, 1]], (50, -20, 10))


@pytest.fixture
def worker(panel):
    """The panel with its own worker."""
    panel.logic.runner = panel.logic._runInWorker
    return panel


@pytest.fixture
def head(worker):
    """A head with a lesion under a transform, chosen in the panel; the volume, and where the lesion is, axes K, J, I."""
    scan, lesion = head_with_bright_lesion()
    volume = add_volume(np.ascontiguousarray(scan.array.transpose(2, 1, 0)), scan.affine, "Kopf é")
    volume.SetAndObserveTransformNodeID(add_transform(TURNED).GetID())
    worker.ui.inputVolumeSelector.setCurrentNode(volume)
    parameters = worker.logic.getParameterNode()
    parameters.model, parameters.controls, parameters.threshold = "harmonic", 5, 0.2
    return volume, lesion.transpose(2, 1, 0)


def choose(combo, data) -> None:
    assert combo.findData(data) >= 0, [combo.itemData(place) for place in range(combo.count)]
    combo.currentIndex = combo.findData(data)


def world(point) -> np.ndarray:
    return (TURNED @ [*point, 1])[:3]


def test_one_click_leads_from_a_scan_to_a_judged_lesion_and_a_mesh(worker, head, tmp_path):
    volume, lesion = head
    ui, parameters = worker.ui, worker.logic.getParameterNode()
    assert ui.segmentModelComboBox.currentData == "lesion" and "no healthy tissue" in ui.segmentModelComboBox.currentText
    assert "delineates nothing" in ui.segmentNoteLabel.text
    ui.segmentJudgeButton.click()
    assert ui.segmentStatusLabel.text.startswith("lesion: Pathological: more unusual than all 5"), ui.segmentStatusLabel.text
    assert said(ui.verdictLabel)[0].startswith("■ lesion: Pathological")
    assert "lies around the largest part of what lesion found" in ui.notesLabel.text

    [roi] = parameters.inputROIs
    center, size = np.zeros(3), np.zeros(3)
    roi.GetCenterWorld(center)
    roi.GetSizeWorld(size)
    assert (
        np.abs(center - world(CENTER)).max() < 4 and (size < 2 * RADIUS + 14).all() and roi.GetName() == "lesion (pathological)"
    )
    assert list(ui.inputROIsSelector.checkedNodes()) == [roi]

    node = parameters.segmentation
    segment = node.GetSegmentation().GetNthSegment(0)
    assert node.GetTransformNodeID() == volume.GetTransformNodeID() and segment.GetName() == "lesion"
    assert np.allclose(segment.GetColor(), np.array([213, 94, 0]) / 255)
    assert "~SCT^49755003^Morphologically Altered Structure~SCT^52988006^Lesion~" in read_tag(segment)
    marked = voxels_of_first_segment(node)
    assert 2 * (marked & lesion).sum() / (marked.sum() + lesion.sum()) > 0.7
    assert json.loads(node.GetAttribute("RadiomicsPersona.provenance"))["model"]["name"] == "lesion"
    table = ui.segmentTableView
    assert [table.item(0, column).text() for column in (0, 1)] == ["lesion", f"{marked.sum() * 8 / 1000:.5g}"]

    # a second time the nodes are filled anew, with probabilities when asked for
    ui.probabilitiesCheckBox.checked = True
    ui.segmentScanButton.click()
    assert ui.segmentStatusLabel.text == f"Found: lesion {marked.sum() * 8 / 1000:.2f} ml."
    nodes = slicer.util.getNodesByClass("vtkMRMLSegmentationNode")
    assert parameters.segmentation is node and [n for n in nodes if n is not parameters.unusualSegmentation] == [node]
    share = slicer.util.getNode("Kopf é probability of lesion")
    assert (
        np.array_equal(slicer.util.arrayFromVolume(share) >= 0.5, marked)
        and share.GetTransformNodeID() == volume.GetTransformNodeID()
    )

    assert ui.meshSegmentationSelector.currentNode() is node
    ui.meshButton.click()
    model = parameters.mesh
    assert ui.meshStatusLabel.text.startswith("'lesion mesh': area "), ui.meshStatusLabel.text
    volume_ml = float(ui.meshStatusLabel.text.split("volume ")[1].split(" ml")[0])
    assert volume_ml == pytest.approx(marked.sum() * 8 / 1000, rel=0.05)  # specks lose their corners
    assert model.GetTransformNodeID() == volume.GetTransformNodeID() and model.GetDisplayNode().GetVisibility2D()
    assert np.allclose(model.GetDisplayNode().GetColor(), segment.GetColor())
    points = slicer.util.arrayFromModelPoints(model)
    near = points[np.linalg.norm(points - CENTER, axis=1) < 1.6 * RADIUS]
    assert np.abs(near.mean(axis=0) - CENTER).max() < 2
    ui.meshDecimateSpinBox.value = 0.5
    before = model.GetPolyData().GetNumberOfPolys()
    ui.meshButton.click()
    assert parameters.mesh is model and model.GetPolyData().GetNumberOfPolys() < 0.6 * before
    worker.mesh.ask_for_path = lambda: str(tmp_path / "é.ply")
    ui.meshSaveButton.click()
    assert ui.meshStatusLabel.text == f"Written: {tmp_path / 'é.ply'}"
    assert b"SPACE=RAS" in (tmp_path / "é.ply").read_bytes()[:200]
    worker.mesh.ask_for_path = lambda: str(tmp_path / "mesh.xyz")
    ui.meshSaveButton.click()
    assert "must end in .ply, .stl, .obj or .vtk" in ui.meshStatusLabel.text


def voxels_of_first_segment(node) -> np.ndarray:
    """Boolean, axes K, J, I."""
    key = node.GetSegmentation().GetNthSegmentID(0)
    return (
        slicer.util.arrayFromSegmentInternalBinaryLabelmap(node, key) == node.GetSegmentation().GetSegment(key).GetLabelValue()
    )


def read_tag(segment) -> str:
    import vtk

    text = vtk.reference("")
    segment.GetTag(segment.GetTerminologyEntryTagName(), text)
    return str(text)


def test_cancel_ends_it_and_nothing_was_changed(worker, head):
    count = slicer.mrmlScene.GetNumberOfNodes()
    process, button = slicer.app.processEvents, worker.ui.segmentScanButton
    texts = []
    slicer.app.processEvents = lambda: (process(), texts.append(button.text), button.click())
    try:
        button.click()
    finally:
        del slicer.app.processEvents
    assert "Cancel" in texts and worker.ui.segmentStatusLabel.text == "Cancelled; nothing was changed."
    assert slicer.mrmlScene.GetNumberOfNodes() == count and button.text == "Segment" and worker.ui.segmentProgressBar.isHidden()


def test_two_things_at_once_are_refused_in_one_sentence(worker, head):
    worker.ui.inputROIsSelector.check(add_roi("A", (8, 8, 8), np.eye(3), (10, 20, 20)))
    process, texts = slicer.app.processEvents, []

    def click():
        process()
        worker.ui.applyButton.click()
        texts.append(worker.ui.statusLabel.text)
        worker.ui.segmentScanButton.click()

    slicer.app.processEvents = click
    try:
        worker.ui.segmentScanButton.click()
    finally:
        del slicer.app.processEvents
    assert texts[0] == "Something else is being computed: wait for its end, or cancel it."
    assert worker.ui.segmentStatusLabel.text == "Cancelled; nothing was changed."


def test_a_refusal_stands_beside_the_button(worker):
    volume = add_volume(np.random.default_rng(0).integers(0, 900, (30, 30, 30)).astype(np.int16), np.eye(4), "my_flair")
    worker.ui.inputVolumeSelector.setCurrentNode(volume)
    choose(worker.ui.segmentModelComboBox, "hippocampus")
    assert [worker.ui.segmentChoiceComboBox.itemText(n) for n in range(3)] == ["all that is found", "anterior", "posterior"]
    worker.ui.segmentScanButton.click()
    assert "looks like flair, and this model takes t1" in worker.ui.segmentStatusLabel.text
    assert worker.logic.getParameterNode().segmentation is None


@pytest.fixture
def two_contrasts(tmp_path, monkeypatch, scene):
    """A model of T1 and FLAIR, untrained, in the folder of own models; installed before the panel is made."""
    from safetensors.torch import save_file

    from RadiomicsPersonaLib.imaging.files import sha256_of
    from RadiomicsPersonaLib.networks.unets import network_of

    folder = tmp_path / "models"
    folder.mkdir()
    architecture = {"class": "PlainUNet", "inputs": 2, "outputs": 1, "channels": [8, 16], "blocks": [1, 1]}
    network = network_of(architecture)
    save_file(network.state_dict(), str(folder / "pair.safetensors"))
    card = {
        "name": "pair",
        "kind": "segmentation",
        "description": "something in two contrasts",
        "architecture": architecture,
        "grid": {"spacing_mm": [2.0, 2.0, 2.0], "window_voxels": [32, 32, 32], "flips": False},
        "weights": "pair.safetensors",
        "sha256": sha256_of(folder / "pair.safetensors"),
        "limits": "Untrained.",
        "segmentation": {
            "channels": [{"name": "t1", "endings": ["t1"]}, {"name": "flair", "endings": ["flair"]}],
            "may_miss": False,
            "labels": [{"name": "thing", "number": 7, "color": [0, 0, 255], "code": ""}],
        },
    }
    (folder / "pair.json").write_text(json.dumps(card))
    monkeypatch.setenv("RADIOMICS_PERSONA_MODELS", str(folder))


@pytest.mark.own_worker
def test_several_contrasts_are_asked_for_and_laid_where_they_are(two_contrasts, worker):
    random = np.random.default_rng(1)
    first = add_volume(random.normal(500, 90, (30, 32, 34)).astype(np.float32), np.diag([2.0, 2, 2, 1]), "scan FLAIR")
    second = add_volume(
        random.normal(500, 90, (30, 32, 34)).astype(np.float32), np.linalg.inv(TURNED) @ np.diag([2.0, 2, 2, 1]), "scan T1"
    )
    worker.ui.inputVolumeSelector.setCurrentNode(first)
    choose(worker.ui.segmentModelComboBox, "pair")
    selectors = worker.segment.contrast_selectors
    assert {name: selector.currentNode() for name, selector in selectors.items()} == {"t1": second, "flair": first}
    worker.ui.segmentScanButton.click()
    assert "do not lie in the same place" in worker.ui.segmentStatusLabel.text
    # where its transform brings it, it lies on the first
    second.SetAndObserveTransformNodeID(add_transform(TURNED).GetID())
    worker.ui.segmentScanButton.click()
    assert worker.ui.segmentStatusLabel.text.startswith("Found: thing "), worker.ui.segmentStatusLabel.text
    together = voxels_of_first_segment(worker.logic.getParameterNode().segmentation)
    # as if it had been there without
    second.SetAndObserveTransformNodeID(None)
    second.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(np.diag([2.0, 2, 2, 1])))
    worker.ui.segmentScanButton.click()
    alone = voxels_of_first_segment(worker.logic.getParameterNode().segmentation)
    assert (together == alone).mean() > 0.99 and 0.01 < alone.mean()
    selectors["t1"].setCurrentNode(None)
    worker.ui.segmentScanButton.click()
    assert "The contrast t1 is missing" in worker.ui.segmentStatusLabel.text
    selectors["flair"].setCurrentNode(second)
    worker.ui.segmentJudgeButton.click()
    assert (
        worker.ui.segmentStatusLabel.text
        == "The volume 'scan FLAIR' is to be judged, and the model is not shown it: choose it as one of t1, flair."
    )


def test_an_empty_segment_has_no_mesh(worker):
    node = add_segmentation(np.pad(np.ones((3, 3, 3)), 2), np.eye(4))
    node.GetSegmentation().AddEmptySegment("nothing", "nothing")
    worker.ui.meshSegmentationSelector.setCurrentNode(node)
    choose(worker.ui.meshSegmentComboBox, "nothing")
    worker.ui.meshButton.click()
    assert (
        worker.ui.meshStatusLabel.text == "Segment 'nothing' is empty: paint it in the Segment Editor, or choose another one."
    )
    assert worker.logic.getParameterNode().mesh is None and not worker.ui.meshSaveButton.enabled
