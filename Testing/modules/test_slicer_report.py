"""The report from the panel, and the scene that is saved and comes back."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from bench.pdf_pages import pages_of

from RadiomicsPersonaLib.networks.card import model_cards, read_card
from RadiomicsPersonaLib.report.colors import VERDICT_COLORS

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed: pip install slicer-core")


def report_into(panel, folder: Path) -> tuple[str, str]:
    """Click "Save report..." and choose the folder; the text of HTML and PDF."""
    panel.results.ask_for_folder = lambda title: str(folder)
    panel.menu.report.trigger()
    assert panel.ui.statusLabel.text.startswith("Written: "), panel.ui.statusLabel.text
    return (folder / "report.html").read_text(encoding="utf-8"), "\n".join(pages_of(folder / "report.pdf"))


def name_the_patient(volume) -> None:
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    patient = hierarchy.CreateSubjectItem(hierarchy.GetSceneItemID(), "Muster^Anna")
    hierarchy.SetItemAttribute(patient, "DICOM.PatientID", "ID-4711")
    hierarchy.CreateItem(hierarchy.CreateStudyItem(patient, "study"), volume)


@pytest.mark.slow
def test_one_click_writes_the_report_anonymous_unless_ticked(panel, inputs, tmp_path):
    volume, _ = inputs
    volume.SetName("T1 of Muster")
    name_the_patient(volume)
    assert not panel.menu.report.enabled
    panel.ui.applyButton.click()
    texts = report_into(panel, tmp_path / "rapport é")
    for text in texts:
        assert "Pathological: reason 0." in text and "Research use only, not a medical device." in text
        assert not any(told in text for told in ("Muster", "Anna", "4711"))
    assert texts[0].count("<img") == 24, "four panels in three planes of two boxes"
    panel.menu.name_scan.trigger()
    for text in report_into(panel, tmp_path / "named"):
        assert "Healthy persona of T1 of Muster, Muster^Anna, ID-4711" in text


def test_a_report_that_cannot_be_written_is_one_sentence_and_a_cancelled_choice_is_nothing(panel, inputs, tmp_path):
    panel.ui.applyButton.click()
    (tmp_path / "file").write_text("")
    panel.results.ask_for_folder = lambda title: str(tmp_path / "file")
    panel.menu.report.trigger()
    assert panel.ui.statusLabel.text == f"The output '{tmp_path / 'file'}' is a file: name a folder."
    assert panel.menu.report.enabled
    panel.results.ask_for_folder = lambda title: ""
    panel.ui.statusLabel.text = "as before"
    panel.menu.report.trigger()
    assert panel.ui.statusLabel.text == "as before"
    slicer.mrmlScene.RemoveNode(panel.logic.getParameterNode().reconstructionVolume)
    panel.results.ask_for_folder = lambda title: str(tmp_path / "gone")
    panel.menu.report.trigger()
    assert panel.ui.statusLabel.text.startswith("There is nothing to report: apply first")


def save_and_open(slicer_bench, folder: Path):
    """Save the scene as .mrb as the application does, and open it in a fresh one; returns that one."""
    path = str(folder / "scène.mrb")
    messages = slicer.vtkMRMLMessageCollection()
    assert slicer.mrmlScene.WriteToMRB(path, None, messages), messages.GetAllMessagesAsString()
    again = slicer_bench.new_scene()
    again.node.GetCacheManager().SetRemoteCacheDirectory(str(folder))
    assert again.node.ReadFromMRB(path, True, messages), messages.GetAllMessagesAsString()
    return again


@pytest.fixture
def reopened(module, panel, inputs, slicer_bench, tmp_path):
    """A scene with results that was saved and opened again, with all it was about: (logic, what was saved)."""
    from RadiomicsPersonaNodes import roi as roi_nodes
    from RadiomicsPersonaNodes import table as table_nodes

    panel.ui.applyButton.click()
    panel.menu.controls.trigger()
    parameters = panel.logic.getParameterNode()
    saved = {
        "arrays": {
            name: slicer.util.arrayFromVolume(getattr(parameters, name)).copy()
            for name in ("reconstructionVolume", "differenceVolume", "deviationVolume", "expectedErrorVolume")
        },
        "rows": table_nodes.rows_of(parameters.resultTable),
        "rois": [(roi.GetName(), roi.GetDisplayNode().GetSelectedColor()) for roi in inputs[1]],
        "controls": sorted(roi.GetName() for roi in roi_nodes.control_rois()),
        "verdicts": panel.logic.verdicts(parameters.resultTable),
    }
    panel.exit()
    again = save_and_open(slicer_bench, tmp_path)
    yield module.RadiomicsPersonaLogic(), saved
    again.close()


def test_a_saved_scene_comes_back_whole(module, reopened, tmp_path):
    from RadiomicsPersonaNodes import roi as roi_nodes
    from RadiomicsPersonaNodes import table as table_nodes
    from RadiomicsPersonaNodes import volume as volume_nodes

    logic, saved = reopened
    parameters = logic.getParameterNode()
    for name, array in saved["arrays"].items():
        np.testing.assert_array_equal(slicer.util.arrayFromVolume(getattr(parameters, name)), array)
    assert table_nodes.rows_of(parameters.resultTable) == saved["rows"]
    assert logic.verdicts(parameters.resultTable) == saved["verdicts"]
    rois = list(parameters.inputROIs)
    assert [roi.GetName() for roi in rois] == [name for name, _ in saved["rois"]] == ["A (pathological)", "B (healthy)"]
    for roi, (_, color), word in zip(rois, saved["rois"], ("pathological", "healthy")):
        np.testing.assert_allclose(roi.GetDisplayNode().GetSelectedColor(), color, atol=1e-6)
        np.testing.assert_allclose(color, np.array(VERDICT_COLORS[word]) / 255, atol=1e-6)
    assert sorted(roi.GetName() for roi in roi_nodes.control_rois()) == saved["controls"] and len(saved["controls"]) == 6
    assert logic.analyzedROIs() == rois and logic.markROIs() == ["", ""]
    for chart, table in ((parameters.scoreChart, parameters.scoreTable), (parameters.standingChart, parameters.standingTable)):
        series = [chart.GetNthPlotSeriesNode(n) for n in range(chart.GetNumberOfPlotSeriesNodes())]
        assert series and all(node.GetTableNode() is table for node in series)
        assert all(table.GetTable().GetColumnByName(node.GetYColumnName()) for node in series)
    colors = parameters.differenceVolume.GetDisplayNode().GetColorNode()
    assert colors is volume_nodes.difference_colors() and colors.GetNumberOfColors() == 255
    shown = [0.0] * 4
    colors.GetColor(127, shown)
    assert shown == [1, 1, 1, 0]  # clear where there is no difference
    scale = slicer.vtkSlicerColorLogic.GetColorLegendDisplayNode(parameters.differenceVolume)
    assert scale and scale.GetTitleText() == "scan darker (-) or\nbrighter (+),\nexpected errors"
    assert parameters.reconstructionVolume.GetNodeReference(module.INPUT_VOLUME_ROLE) is parameters.inputVolume
    # and a moved box gets its own look back even now
    rois[0].SetCenter(3, 3, 3)
    assert logic.markROIs() == ["'A' has been moved since: apply again for its verdict.", ""] and rois[0].GetName() == "A"
    assert list(rois[0].GetDisplayNode().GetSelectedColor()) == pytest.approx([1.0, 0.5, 0.5])
    # the report needs nothing but the scene
    logic.writeReport(tmp_path / "again")
    assert "Pathological: reason 0." in (tmp_path / "again" / "report.html").read_text(encoding="utf-8")


def test_the_panel_says_when_version_or_weights_are_not_those_of_the_results(module, reopened):
    logic, _ = reopened
    assert logic.differencesFromInstalled() == []
    table = logic.getParameterNode().resultTable
    provenance = json.loads(table.GetAttribute("RadiomicsPersona.provenance"))
    installed = read_card(model_cards()["healthy-t1"])["sha256"]

    def said_of(model: dict, version: str = provenance["versions"]["RadiomicsPersona"], tissue: dict | None = None) -> str:
        made = provenance | {"model": model, "versions": {"RadiomicsPersona": version}}
        made["preprocessing"] = provenance["preprocessing"] | {"brain_found_by": tissue or {}}
        table.SetAttribute("RadiomicsPersona.provenance", json.dumps(made))
        return " ".join(logic.differencesFromInstalled())

    assert said_of({"name": "healthy-t1", "sha256": installed}) == ""
    assert "made with version 0.0.1 of this program" in said_of({"name": "harmonic", "sha256": None}, "0.0.1")
    assert "weights of the model 'healthy-t1' are not those" in said_of({"name": "healthy-t1", "sha256": "0" * 64})
    assert "model 'site-7', which is not installed here" in said_of({"name": "site-7", "sha256": "0" * 64})
    assert "weights of the model 'tissue' are not those" in said_of(
        {"name": "harmonic", "sha256": None}, tissue={"name": "tissue", "sha256": "1"}
    )


def test_the_difference_is_shown_in_the_panel(panel, inputs):
    panel.ui.applyButton.click()
    assert "version" not in panel.ui.notesLabel.text
    table = panel.logic.getParameterNode().resultTable
    provenance = json.loads(table.GetAttribute("RadiomicsPersona.provenance"))
    provenance["versions"]["RadiomicsPersona"] = "0.0.1"
    table.SetAttribute("RadiomicsPersona.provenance", json.dumps(provenance))
    panel.exit()
    panel.enter()
    assert panel.ui.notesLabel.text.splitlines()[-1].startswith("These results were made with version 0.0.1 of this program")
