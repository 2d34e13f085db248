"""Follow-up and regression in the panel: real nodes, and a real worker process."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from bench.later_scan import motion, seen_again
from bench.phantom import make_head

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed: pip install slicer-core")

from bench.nodes import add_roi, add_transform, add_volume

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("small_models")]

CENTER = np.array([34.0, -10, 14])
MOVED = motion((4, -3, 8), (6, -4, 5))


@pytest.fixture
def visits(panel):
    """A head with a box on it, and the head moved a year later with a brighter spot in the box; the first is chosen."""
    head = make_head(4.0)
    points = head.ras_from_ijk(np.stack(np.indices(head.shape), axis=-1))
    spot = np.where(np.linalg.norm(points - CENTER, axis=-1) < 8, 900, head.array)
    later = seen_again(head, MOVED, values=spot)
    volumes = [
        add_volume(np.ascontiguousarray(scan.array.transpose(2, 1, 0)), scan.affine, name)
        for scan, name in ((head, "p1 2021-03-01"), (later, "p1 20220301 T1"))
    ]
    volumes[1].SetAndObserveTransformNodeID(
        add_transform(motion((0, 0, 30), (50, 0, 0))).GetID()
    )  # where it is shown does not matter
    panel.ui.inputVolumeSelector.setCurrentNode(volumes[0])
    panel.ui.inputROIsSelector.check(add_roi("spot", (24, 24, 24), np.eye(3), CENTER))
    parameters = panel.logic.getParameterNode()
    parameters.model, parameters.controls = "harmonic", 3
    return volumes


def column(table, name: str) -> list:
    data = table.GetTable().GetColumnByName(name)
    return [data.GetValue(row) for row in range(data.GetNumberOfTuples())]


def texts(combo) -> list[str]:
    return [combo.itemText(number) for number in range(combo.count)]


def test_the_boxes_follow_the_head_and_the_table_goes_into_a_regression(panel, visits):
    ui, parameters = panel.ui, panel.logic.getParameterNode()
    assert not ui.followUpButton.enabled and not ui.followUpReportButton.enabled
    ui.visitsSelector.check(visits[1])
    dates = [[ui.visitDatesTable.item(row, place).text() for place in (0, 1)] for row in range(ui.visitDatesTable.rowCount)]
    assert dates == [["p1 2021-03-01", "2021-03-01"], ["p1 20220301 T1", "2022-03-01"]]
    ui.visitDatesTable.item(1, 1).setText("")
    ui.followUpButton.click()
    assert (
        ui.followUpStatusLabel.text
        == "'p1 20220301 T1' has no date: write when it was taken, as 2026-03-31 or as a number of years."
    )
    ui.visitDatesTable.item(1, 1).setText("soon")
    ui.followUpButton.click()
    assert (
        ui.followUpStatusLabel.text
        == "The dates 2021-03-01, soon cannot be read: write all as 2026-03-31, or all as numbers of years."
    )
    assert parameters.visitTable is None
    ui.visitDatesTable.item(1, 1).setText("2022-03-01")
    lines, proceed = [], panel.followUp._job.proceed
    panel.followUp._job.proceed = lambda line: lines.append(line) or proceed(line)
    ui.followUpButton.click()
    assert ui.followUpStatusLabel.text == "'p1 2021-03-01 visits' holds 2 rows, one for every box at every visit.", (
        ui.followUpStatusLabel.text
    )
    assert any("visit 2: " in line for line in lines), "it tells how far it is"
    table = parameters.visitTable
    assert column(table, "years") == pytest.approx([0, 1], abs=2e-3) and column(table, "date") == ["2021-03-01", "2022-03-01"]
    center = [column(table, f"center_{axis}")[1] for axis in "ras"]
    assert np.abs(np.array(center) - (MOVED @ [*CENTER, 1])[:3]).max() < 1
    assert column(table, "combined")[1] > column(table, "combined")[0]
    assert ui.followUpTableView.mrmlTableNode() is table and ui.followUpReportButton.enabled
    report = Path(panel.followUp.report.path)
    assert "Follow-up of a region" in report.read_text(encoding="utf-8")

    # one patient with two visits: a slope without an interval, and the command line's own words about it
    assert ui.regressionTableSelector.currentNode() is table
    assert (ui.outcomeComboBox.currentData, ui.timeComboBox.currentData, ui.patientComboBox.currentData) == (
        "deviating_ml",
        "years",
        "patient",
    )
    panel.cleanup()
    assert not report.exists()


def test_a_date_comes_from_the_dicom_study_before_the_name(module):
    from RadiomicsPersonaNodes.follow_up import date_of

    volume = add_volume(name="T1 2021-03-01")
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    patient = hierarchy.CreateSubjectItem(hierarchy.GetSceneItemID(), "P")
    study = hierarchy.CreateStudyItem(patient, "S")
    hierarchy.CreateItem(study, volume)
    assert date_of(volume) == "2021-03-01"
    hierarchy.SetItemAttribute(study, "DICOM.StudyDate", "20240229")
    assert date_of(volume) == "2024-02-29"
    assert date_of(add_volume(name="T1 20211399 12345678")) == ""


@pytest.fixture
def growth(tmp_path):
    """A CSV file of ten patients whose lesions grow by 0.5 ml a year, those of group b by 1."""
    random = np.random.default_rng(3)
    path = tmp_path / "growth é.csv"
    with open(path, "w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, delimiter=";")
        writer.writerow(["patient", "years", "volume_ml", "age", "group", "site"])
        for patient in range(10):
            start, slope = random.normal(6, 1), random.normal(0.5 + 0.5 * (patient % 2), 0.05)
            for years in range(4):
                writer.writerow(
                    [
                        f"p{patient}",
                        years,
                        round(start + slope * years + random.normal(0, 0.1), 4),
                        40 + patient * 3 % 7,
                        "ab"[patient % 2],
                        1,
                    ]
                )
    return path


def check(items, name: str) -> None:
    import qt

    [item] = items.findItems(name, qt.Qt.MatchExactly)
    item.setCheckState(qt.Qt.Checked)


def test_a_table_is_regressed_with_figures_and_a_report(panel, growth, monkeypatch):
    import qt

    ui, parameters = panel.ui, panel.logic.getParameterNode()
    assert not ui.regressionButton.enabled
    panel.regression.ask_for_path = lambda: str(growth)
    ui.regressionLoadButton.click()
    assert ui.regressionTableSelector.currentNode().GetName() == "growth é"
    assert texts(ui.outcomeComboBox) == ["years", "volume_ml", "age", "site"] and texts(ui.timeComboBox)[:3] == [
        "none",
        "patient",
        "years",
    ]
    assert [getattr(ui, name).currentData for name in ("outcomeComboBox", "timeComboBox", "patientComboBox")] == [
        "volume_ml",
        "years",
        "patient",
    ]
    check(ui.covariatesList, "group")
    ui.regressionButton.click()
    said = ui.regressionStatusLabel.text.splitlines()
    assert said[0].startswith("volume_ml per years: 0.7"), said
    table = parameters.estimateTable
    assert column(table, "term")[:2] == ["years", "group = b"] and column(table, "estimate")[0] == pytest.approx(0.75, abs=0.1)
    assert column(table, "low")[0] < 0.75 < column(table, "high")[0]
    assert ui.regressionTableView.mrmlTableNode() is table

    assert texts(ui.figureComboBox) == ["volume_ml over years", "residuals of volume_ml"]
    layout = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLayoutNode")
    before = layout.GetViewArrangement()
    ui.figureButton.click()
    chart = slicer.mrmlScene.GetNodeByID(slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLSelectionNode").GetActivePlotChartID())
    assert chart.GetTitle() == "volume_ml over years" and layout.GetViewArrangement() != before
    names = [chart.GetNthPlotSeriesNode(number).GetName() for number in range(chart.GetNumberOfPlotSeriesNodes())]
    assert names == ["visits", "mean", "95 % low", "95 % high"]
    data = chart.GetNthPlotSeriesNode(0).GetTableNode()
    with open(growth, encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream, delimiter=";"))
    shown = sorted(zip(column(data, "visits x"), column(data, "visits y")))[: len(rows)]
    assert np.allclose(shown, sorted((float(row["years"]), float(row["volume_ml"])) for row in rows))
    middle = np.interp(1.5, column(data, "mean x"), column(data, "mean y"))
    assert middle == pytest.approx(np.mean([float(row["volume_ml"]) for row in rows]), abs=0.05)
    ui.figureButton.click()
    assert layout.GetViewArrangement() == before

    opened = []
    monkeypatch.setattr(qt.QDesktopServices, "openUrl", opened.append)
    ui.regressionReportButton.click()
    report = Path(opened[0].toLocalFile())
    assert "Regression of measurements" in report.read_text(encoding="utf-8")

    charts = len(slicer.util.getNodesByClass("vtkMRMLPlotSeriesNode"))
    check(ui.covariatesList, "site")
    ui.regressionButton.click()
    assert "site" in ui.regressionStatusLabel.text and "\n" not in ui.regressionStatusLabel.text, (
        "a constant covariate is refused"
    )
    assert report.exists() and len(texts(ui.figureComboBox)) == 2, "what there was stays"
    ui.covariatesList.findItems("site", qt.Qt.MatchExactly)[0].setCheckState(qt.Qt.Unchecked)
    ui.logarithmsCheckBox.checked = True
    ui.regressionButton.click()
    assert ui.regressionStatusLabel.text.startswith("ln volume_ml per years: 0.1")
    assert len(slicer.util.getNodesByClass("vtkMRMLPlotSeriesNode")) == charts and not report.exists()

    # without time the covariates alone explain
    ui.timeComboBox.currentIndex = 0
    ui.covariatesList.findItems("group", qt.Qt.MatchExactly)[0].setCheckState(qt.Qt.Unchecked)
    ui.regressionButton.click()
    assert "The table has no column of time" in ui.regressionStatusLabel.text, ui.regressionStatusLabel.text
    check(ui.covariatesList, "age")
    ui.regressionButton.click()
    assert (
        ui.regressionStatusLabel.text.startswith("ln volume_ml per age: ")
        and texts(ui.figureComboBox)[0] == "volume_ml over age"
    )


@pytest.mark.parametrize(
    "content, sentence",
    [(b"", "has no rows below its heads: add some."), (b"\xff\xfe\x00a", "is not a CSV table in UTF-8: save it as one.")],
)
def test_a_file_that_is_no_table_is_refused_in_one_sentence(panel, tmp_path, content, sentence):
    path = tmp_path / "x.csv"
    path.write_bytes(content)
    panel.regression.ask_for_path = lambda: str(path)
    panel.ui.regressionLoadButton.click()
    assert panel.ui.regressionStatusLabel.text.endswith(sentence) and panel.ui.regressionTableSelector.currentNode() is None
