"""The training module on a real Qt, with a real tiny training in a process of its own: page by page,
from scans to a model in use.
"""

from __future__ import annotations

import json
import shutil
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from bench import SMALL_MODELS
from bench.known_boxes import simulated
from bench.prepared_run import PreparedRun
from bench.segmentation_site import cut_down, make_site
from bench.training_site import tiny

from RadiomicsPersonaLib.analysis.classifier import written
from RadiomicsPersonaLib.imaging.files import read_label_map, read_scan, write_nifti
from RadiomicsPersonaLib.networks.card import checked_weights, model_cards, read_card
from RadiomicsPersonaLib.system.child import Child
from RadiomicsPersonaTrainingLib.cli import main
from RadiomicsPersonaTrainingLib.runs import heartbeat
from RadiomicsPersonaTrainingLib.runs import state as run_state
from RadiomicsPersonaTrainingLib.verdict.calibration import fit_classifier

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed: pip install slicer-core")

from bench.nodes import add_roi, add_volume

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Folder of the user's own models."""
    folder = tmp_path_factory.mktemp("own") / "models"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RADIOMICS_PERSONA_MODELS", str(folder))
        yield folder


@pytest.fixture(scope="module")
def worker(models):
    """One worker for all panels of this file, since its libraries take seconds to load; it ends with the last of them."""
    workers = []
    yield workers
    for child in workers:
        child.end()


@pytest.fixture
def training_module(slicer_bench, scene, models, worker, tmp_path, monkeypatch):
    """The module RadiomicsPersonaTraining.py on a fresh scene, with settings of the test's own and the small models."""
    if slicer.no_qt:
        pytest.skip(slicer.no_qt)
    import qt

    shutil.rmtree(models, ignore_errors=True)
    shutil.copytree(SMALL_MODELS, models)
    slicer.app.user_settings = qt.QSettings(str(tmp_path / "Slicer.ini"), qt.QSettings.IniFormat)
    scene.open_views()
    slicer_bench.load_module()
    module = slicer_bench.load_module("RadiomicsPersonaTraining")
    monkeypatch.setattr(
        module, "Child", lambda *arguments: worker[0] if worker else worker.append(Child(*arguments)) or worker[0]
    )
    monkeypatch.setattr(module.Questions, "close", module.Questions.cancel)
    return module


@pytest.fixture
def opened(training_module):
    """Opens the panel, as often as Slicer is started; fails the test if any slot raised."""
    import qt

    raised, panels = [], []
    hook, sys.excepthook = sys.excepthook, lambda kind, error, trace: raised.append(error)

    def close(panel):
        panel.exit()
        panel.cleanup()
        panel.parent.hide()
        panels.remove(panel)

    def open_():
        for panel in list(panels):
            close(panel)
        parent = qt.QWidget()
        parent.setLayout(qt.QVBoxLayout())
        panel = training_module.RadiomicsPersonaTrainingWidget(parent)
        panel.setup()
        panels.append(panel)
        panel.enter()
        return panel

    yield open_
    for panel in list(panels):
        for run in Path(panel.projectEdit.text or "nowhere").glob("runs/*"):
            heartbeat.kill(run / heartbeat.NAME)
        close(panel)
    sys.excepthook = hook
    if raised:
        raise raised[0]


@pytest.fixture
def panel(opened, tmp_path):
    """The panel with an empty project."""
    panel = opened()
    panel.openProject(str(tmp_path / "Projekt é"))
    return panel


WIDTH, NARROW = 430, 360
"""Of Slicer's module panel, as it usually is, and as narrow as users make it."""


def wait(panel, happened, seconds: float = 150) -> None:
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, f"it never happened; said: {said(panel)}"
        slicer.app.processEvents()
        panel.refresh()
        time.sleep(0.1)


def said(panel) -> list[str]:
    """All sentences that the panel shows."""
    parts = [*panel.pages, panel.results.evaluation, panel.data.split]
    notes = [value for part in parts for value in vars(part).values() if hasattr(value, "label")]
    return [note.text for note in [*notes, *panel.settings.notes.values(), panel.projectNote] if note.text]


def answer_with(monkeypatch, **answers) -> None:
    """What the user chooses in the dialogs from now on."""
    from RadiomicsPersonaTrainingPages import dialogs

    for name, value in answers.items():
        monkeypatch.setattr(dialogs, name, lambda *asked, value=value: value)


def no_browser(monkeypatch) -> None:
    """No browser can be opened from now on."""
    import qt

    monkeypatch.setattr(qt.QDesktopServices, "openUrl", lambda url: False)


def turn_to(panel, page) -> None:
    panel.tabs.currentIndex = panel.pages.index(page)


def look_at_scans(panel, monkeypatch, folder) -> None:
    answer_with(monkeypatch, folder=str(folder))
    panel.data.folderButton.click()
    wait(panel, lambda: panel.data.rows)


def ready_to_train(panel, monkeypatch, site, tmp_path, **settings) -> None:
    """Scans looked at, split kept, and the settings of a tiny training."""
    look_at_scans(panel, monkeypatch, site / "heads")
    set_up(panel, monkeypatch, tmp_path, **settings)


def set_up(panel, monkeypatch, tmp_path, **settings) -> None:
    """The split of the scans that were looked at, and the settings of a tiny training."""
    panel.data.split.keepButton.click()
    (tmp_path / "tiny.toml").write_text(tiny(**settings))
    answer_with(monkeypatch, file=str(tmp_path / "tiny.toml"))
    panel.settings.openButton.click()
    wait(panel, lambda: panel.settings.table["model"]["name"] == "tiny")


def test_from_scans_to_a_model_in_use(opened, panel, site, tmp_path, monkeypatch):
    ready_to_train(panel, monkeypatch, site, tmp_path, steps=100_000)
    project, run = panel.place.project, panel.run
    assert (
        panel.data.table.rowCount == 4
        and "2 subjects (2 scans): training, 1 subject (1 scan): validation" in panel.data.split.countsNote.text
    )
    assert [source["name"] for source in panel.settings.table["data"]] == ["heads"]
    panel.data.split.estimateButton.click()
    wait(panel, lambda: "on the disk" in panel.data.split.estimateNote.text)
    assert run.estimateNote.text == panel.data.split.estimateNote.text

    turn_to(panel, run)
    run.nameEdit.text = "first"
    run.startButton.click()
    folder = project.runs / "first"
    wait(panel, lambda: len(run_state.curves_of(folder)) >= 2 and run_state.picture_of(folder))
    assert heartbeat.is_running(folder / heartbeat.NAME) and not run.startButton.enabled and run.cancelButton.enabled
    wait(panel, lambda: run.progressNote.text.startswith("epoch") and not run.picture.pixmap.isNull())
    assert panel.parent.minimumSizeHint().width() <= NARROW
    assert run.progressBar.maximum == 100_000 and "left" in run.progressNote.text and "of memory" in run.progressNote.text
    assert "epoch 1/50000" in run.log.plainText
    run.curvesButton.click()
    chart = slicer.util.getNodesByClass("vtkMRMLPlotChartNode")[0]
    curve = chart.GetNthPlotSeriesNode(1)
    before = curve.GetTableNode().GetNumberOfRows()
    assert curve.GetYColumnName() == "validation_mse" and before >= 2

    # Slicer is left and started anew: the training went on
    panel = opened()
    run = panel.run
    assert panel.projectEdit.text == str(project.folder) and run.run == folder and run.cancelButton.enabled
    turn_to(panel, run)
    run.curvesButton.click()
    wait(panel, lambda: curve.GetTableNode().GetNumberOfRows() > before)
    run.cancelButton.click()
    wait(panel, lambda: run_state.state_of(folder).state == run_state.CANCELLED)
    wait(panel, lambda: run.resumeButton.enabled)
    assert run.stateNote.text == "Cancelled; the best checkpoint is kept." and (folder / "best.ckpt").is_file()

    steps = run_state.state_of(folder).steps
    run.resumeButton.click()
    wait(panel, lambda: run_state.state_of(folder).steps > steps)
    run.killButton.click()
    wait(panel, lambda: "broke off" in run.stateNote.text)
    assert run.resumeButton.enabled

    results = panel.results
    turn_to(panel, results)
    results.refresh()
    assert results.run == folder
    results.evaluation.boxesSpinBox.value = 1
    for button in (results.evaluation.evaluateButton, results.evaluation.stopButton, results.evaluation.evaluateButton):
        wait(panel, lambda button=button: button.enabled)
        button.click()
    wait(panel, lambda: results.evaluation.worstTable.rowCount > 0)
    assert (
        "Network against the best simple fill" in results.evaluation.tables.plainText
        and results.evaluation.reportButton.enabled
    )
    assert float(results.runsTable.item(0, 5).text()) > 0.1
    results.evaluation.worstTable.cellClicked.emit(0, 0)
    wait(panel, lambda: any("rebuilt" in node.GetName() for node in slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")))
    scan, rebuilt = slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")[:2]
    changed = slicer.util.arrayFromVolume(scan) != slicer.util.arrayFromVolume(rebuilt)
    composite = slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode")[0]
    assert changed.any() and (composite.GetBackgroundVolumeID(), composite.GetForegroundVolumeID()) == (
        scan.GetID(),
        rebuilt.GetID(),
    )
    no_browser(monkeypatch)
    results.evaluation.reportButton.click()
    assert results.evaluation.note.text.endswith(str(folder / run_state.EVALUATION / "report.html"))
    results.curvesButton.click()
    assert curve.GetTableNode().GetNumberOfRows() == len(run_state.curves_of(folder))
    results.ratiosButton.click()
    assert not results.curvesButton.checked
    assert any(series.GetPlotType() == series.PlotTypeBar for series in slicer.util.getNodesByClass("vtkMRMLPlotSeriesNode"))

    roi = add_roi("box", (30, 30, 30), np.eye(3), (30, 0, 20))
    results.scanComboBox.setCurrentNode(scan)
    results.boxComboBox.setCurrentNode(roi)
    results.predictButton.click()
    wait(panel, lambda: "is in the scene" in results.useNote.text)

    results.nameEdit.text = "clinic"
    results.useButton.click()
    wait(panel, lambda: "clinic" in model_cards())
    wait(panel, lambda: "among the models" in results.useNote.text)
    from RadiomicsPersona import RadiomicsPersonaLogic

    logic = RadiomicsPersonaLogic()
    try:
        parameters = logic.getParameterNode()
        assert parameters.model == "clinic" and "clinic" in dict(logic.models())
        parameters.inputVolume, parameters.inputROIs, parameters.controls = scan, [roi], 3
        done = logic.apply()
        assert done["provenance"]["model"]["name"] == "clinic"
    finally:
        logic.close()

    asked = []
    from RadiomicsPersonaTrainingPages import dialogs

    monkeypatch.setattr(dialogs, "confirmed", lambda title, question: not asked.append(question))
    results.deleteButton.click()
    assert asked and "MB" in asked[0] and not folder.exists() and "are free again" in results.note.text


def test_real_scans_train_a_model_that_the_analysis_takes(panel, data_root, models, tmp_path, monkeypatch):
    """Every third voxel of three people: looked at, split, trained for a few steps, tried, exported,
    and used on the one kept for the test.
    """
    from RadiomicsPersona import RadiomicsPersonaLogic

    archive = str(tmp_path / "real-model.zip")
    shutil.rmtree(models)  # the small ones know no real heads
    folder = data_root / "healthy" / "ds002748"
    if not folder.is_dir():
        pytest.skip(f"No healthy scans in '{folder}'.")
    (tmp_path / "real").mkdir()
    for file in sorted(folder.glob("*.nii.gz"))[:3]:
        scan = read_scan(file)
        write_nifti(
            tmp_path / "real" / file.name,
            np.ascontiguousarray(scan.array[::3, ::3, ::3]),
            scan.affine @ np.diag([3.0, 3, 3, 1]),
        )
    look_at_scans(panel, monkeypatch, tmp_path / "real")
    contrasts = [panel.data.table.item(line, 3).text() for line in range(3)]
    assert set(contrasts) == {"T1w"} and all("3 x 3 x 3 mm" in panel.data.table.item(line, 2).text() for line in range(3))
    set_up(panel, monkeypatch, tmp_path, steps=4)
    run, results, split = panel.run, panel.results, panel.place.project.split.read_text()
    run.nameEdit.text = "real"
    run.startButton.click()
    folder = panel.place.project.runs / "real"
    wait(panel, lambda: run_state.state_of(folder).state == run_state.FINISHED)
    assert len(run_state.curves_of(folder)) == 2 and run_state.picture_of(folder)
    turn_to(panel, results)
    kept = next(line for line in split.splitlines() if ",test," in line).split(",")[-1]
    scan = read_scan(kept)
    volume = add_volume(scan.array.transpose(2, 1, 0), scan.affine, "kept")
    center = scan.ras_from_ijk(np.array(scan.shape) * [0.65, 0.5, 0.55])
    roi = add_roi("box", (24, 24, 24), np.eye(3), tuple(center))
    results.scanComboBox.setCurrentNode(volume)
    results.boxComboBox.setCurrentNode(roi)
    results.predictButton.click()
    wait(panel, lambda: "is in the scene" in results.useNote.text)
    rebuilt = slicer.util.getNode("kept rebuilt by real")
    changed = slicer.util.arrayFromVolume(rebuilt) != slicer.util.arrayFromVolume(volume)
    assert 100 < changed.sum() <= 9**3
    results.nameEdit.text = "real-model"
    results.useButton.click()
    wait(panel, lambda: "among the models" in results.useNote.text)
    logic = RadiomicsPersonaLogic()
    try:
        parameters = logic.getParameterNode()
        parameters.inputVolume, parameters.inputROIs, parameters.controls = volume, [roi], 3
        assert logic.apply()["provenance"]["model"]["name"] == "real-model"
    finally:
        logic.close()
    (tmp_path / "to").mkdir()
    answer_with(monkeypatch, folder=str(tmp_path / "to"), confirmed=True, **dict.fromkeys(("file", "new_file"), archive))
    results.nameEdit.text = "real-model"  # by a program, which a line that nobody typed into forgets
    results.exportButton.click()
    wait(panel, lambda: results.useNote.text.startswith("Written"))
    exported = tmp_path / "to" / "real-model.json"
    assert checked_weights(read_card(exported), exported).read_bytes() == (models / "real-model.safetensors").read_bytes()
    page = panel.models
    turn_to(panel, page)
    page.show("real-model")
    page.archiveButton.click()
    wait(panel, lambda: page.note.text.startswith("Written"))
    page.removeButton.click()
    assert "real-model" not in model_cards()
    page.importButton.click()
    wait(panel, lambda: "real-model" in model_cards())
    turn_to(panel, results)
    results.deleteButton.click()
    assert not folder.exists() and "are free again" in results.note.text and "real-model" in model_cards()


def test_a_segmentation_run_is_evaluated_looked_at_and_tried_on_loaded_scans(panel, checkout, tmp_path):
    """Its worst case comes with truth and answer as segmentations, and a loaded scan is segmented before it is exported."""
    data, settings = make_site(tmp_path / "data", "hippocampus"), tmp_path / "settings.toml"
    settings.write_text(cut_down(checkout / "RadiomicsPersonaTraining/Resources/segmentation/hippocampus.toml", 4, 2))
    run, results = panel.place.project.runs / "seg", panel.results
    assert main(["fit", str(settings), "--data", str(data), "--output", str(run)]) == 0
    turn_to(panel, results)
    results.evaluation.evaluateButton.click()
    wait(panel, lambda: results.evaluation.worstTable.rowCount > 0)
    heads = [results.evaluation.worstTable.horizontalHeaderItem(column).text() for column in range(5)]
    assert heads == ["Case", "Structure", "ml", "Dice", "HD95 (mm)"] and "anterior" in results.evaluation.tables.plainText
    results.evaluation.worstTable.cellClicked.emit(0, 0)
    wait(panel, lambda: len(slicer.util.getNodesByClass("vtkMRMLSegmentationNode")) == 2)
    truth, found = slicer.util.getNodesByClass("vtkMRMLSegmentationNode")
    case = results.evaluation.worstTable.item(0, 0).text()
    kept = read_label_map(data / "labelsTr" / f"{case}.nii.gz")
    scan = slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")[0]
    assert [truth.GetName().split()[-1], found.GetName().split()[-1]] == ["truth", "found"] and case in truth.GetName()
    names = [truth.GetSegmentation().GetNthSegment(number).GetName() for number in range(2)]
    segments = [truth.GetSegmentation().GetNthSegmentID(number) for number in range(2)]
    arrays = [slicer.util.arrayFromSegmentBinaryLabelmap(truth, segment, scan) for segment in segments]
    assert names == ["anterior", "posterior"]
    for number, array in enumerate(arrays, start=1):
        assert np.array_equal(array.transpose(2, 1, 0) > 0, kept.array == number)
    composite = slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode")[0]
    assert composite.GetBackgroundVolumeID() == scan.GetID()
    center = [slicer.util.getNodesByClass("vtkMRMLSliceNode")[0].GetSliceToRAS().GetElement(row, 3) for row in range(3)]
    assert (np.abs(kept.ijk_from_ras(np.array(center)) - np.array(kept.shape) / 2) < np.array(kept.shape) / 2).all()

    composite.SetBackgroundVolumeID(None)
    results.predictButton.click()
    assert results.useNote.text == "Choose a scan."
    results.scanComboBox.setCurrentNode(scan)
    results.predictButton.click()
    wait(panel, lambda: "is in the scene" in results.useNote.text)
    node = slicer.util.getNodesByClass("vtkMRMLSegmentationNode")[-1]
    assert composite.GetBackgroundVolumeID() == scan.GetID()  # shown, and not only in the scene
    assert node.GetName().endswith("segmented by seg") and node.GetSegmentation().GetNumberOfSegments() == 2
    assert not (run / "predicted").exists()


def test_what_was_found_can_be_left_out_and_is_said_in_words(panel, site, tmp_path, monkeypatch):
    import qt

    scans = tmp_path / "scans"
    shutil.copytree(site / "heads", scans)
    (scans / "sub-9.nii.gz").write_bytes(b"nothing")
    panel.data.closelyCheckBox.checked = False
    look_at_scans(panel, monkeypatch, scans)
    table = panel.data.table
    assert [table.item(line, 1).text() for line in range(table.rowCount)] == ["sub-0", "sub-1", "sub-2", "sub-3", "sub-9"]
    assert "sub-9.nii.gz" in table.item(4, 4).text() and not table.item(4, 0).flags() & qt.Qt.ItemIsEnabled
    assert not table.item(0, 0).icon().isNull() and "4 x 4 x 4 mm" in table.item(0, 2).text()
    table.item(0, 0).setCheckState(qt.Qt.Unchecked)
    assert "3 of 5 scans are used" in panel.data.summaryNote.text
    table.item(1, 0).setCheckState(qt.Qt.Unchecked)
    assert "only 2 subjects" in panel.data.split.countsNote.text and not panel.data.split.keepButton.enabled
    table.item(1, 0).setCheckState(qt.Qt.Checked)
    panel.data.split.keepButton.click()
    text = panel.place.project.split.read_text()
    assert "sub-0" not in text and "sub-9" not in text and text.count("sub-") >= 3
    # what was chosen is there again
    panel.openProject(str(panel.place.project.folder))
    wait(panel, lambda: panel.data.rows)
    assert "3 of 5 scans are used" in panel.data.summaryNote.text
    panel.data.clearButton.click()
    assert not panel.data.rows and panel.data.table.rowCount == 0 and len(list(scans.iterdir())) == 5
    (tmp_path / "list.csv").write_text("subject,file\nanna,scans/sub-1.nii.gz\n")
    answer_with(monkeypatch, file=str(tmp_path / "list.csv"))
    panel.data.csvButton.click()
    wait(panel, lambda: [row["subject"] for row in panel.data.rows] == ["anna"])


def test_volumes_of_slicer_become_scans_without_their_patients_names(panel, site):
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    patient = hierarchy.CreateSubjectItem(hierarchy.GetSceneItemID(), "Müller^Zoë")
    head = read_scan(site / "heads" / "sub-0.nii.gz")
    for name in ("T1", "FLAIR"):
        volume = add_volume(head.array.transpose(2, 1, 0), head.affine, name)
        hierarchy.CreateItem(patient, volume)
    panel.data.closelyCheckBox.checked = False
    panel.data.fillVolumesMenu()
    texts = [action.text for action in panel.data.volumesMenu.actions()]
    assert texts == ["all loaded volumes (2)", "Müller^Zoë (2)", "T1", "FLAIR"]
    panel.data.volumesMenu.actions()[1].trigger()
    wait(panel, lambda: len(panel.data.rows) == 2)
    assert len({row["subject"] for row in panel.data.rows}) == 1
    assert not any("ller" in row["file"].replace("Projekt", "") or "ller" in row["subject"] for row in panel.data.rows)
    assert np.allclose(read_scan(panel.data.rows[0]["file"]).array, head.array)


def test_the_settings_are_built_from_their_definition_and_complained_of_beside_the_key(panel, tmp_path, monkeypatch):
    from RadiomicsPersonaTrainingLib.settings.definition import definition, settings_table
    from RadiomicsPersonaTrainingLib.settings.training_settings import TrainingSettings, read_settings

    settings = panel.settings
    turn_to(panel, settings)
    assert settings.controls["fit.steps"].showGroupSeparator
    keys = {f"{s['name']}.{key['name']}" for s in definition()["sections"] for key in s["keys"]} - {"scans.split"}
    assert keys == {name for name in settings.controls if not name.startswith("data.")}
    for name, control in settings.controls.items():
        assert control.toolTip and control.accessibleName, name
    answer_with(monkeypatch, new_file=str(tmp_path / "out.toml"))
    settings.saveButton.click()
    wait(panel, lambda: (tmp_path / "out.toml").is_file())
    assert read_settings(tmp_path / "out.toml") == TrainingSettings()

    settings.controls["recipe.side"].text = "9, abc"
    settings.controls["task.learning_rate"].text = "7"
    wait(panel, lambda: settings.notes["task.learning_rate"].text)
    assert settings.notes["task.learning_rate"].text == "'learning_rate' in [task] is 7, out of its range: give 1e-06 to 1."
    assert "'side' in [recipe]" in settings.notes["recipe.side"].text
    answer_with(monkeypatch, folder=str(tmp_path / "masks"))
    next(button for button in panel.parent.findChildren(type(settings.openButton)) if "lesion masks" in button.toolTip).click()
    assert settings.table["scans"]["lesion_masks"] == str(tmp_path / "masks")
    settings.controls["scans.lesion_masks"].text = "my masks"
    assert settings.table["scans"]["lesion_masks"] == str(panel.place.project.folder / "my masks")
    settings.shippedButton.click()
    wait(panel, lambda: settings.table["fit"]["start"] == "auto")
    assert settings.table["fit"]["steps"] == 1500 and not settings.notes["task.learning_rate"].text
    assert settings._boxes["tissue"].isHidden() and not settings._boxes["recipe"].isHidden()
    settings.freshButton.click()
    wait(panel, lambda: settings.table["fit"]["start"] == "")
    assert settings.table["fit"] == settings_table(TrainingSettings())["fit"]
    settings.controls["task.kind"].currentIndex = settings.controls["task.kind"].findText("tissue")
    wait(panel, lambda: settings._boxes["recipe"].isHidden())
    (tmp_path / "bad.toml").write_text("[fit]\nstepz = 3\n")
    answer_with(monkeypatch, file=str(tmp_path / "bad.toml"))
    settings.openButton.click()
    wait(panel, lambda: settings.note.text)
    assert "did you mean 'steps'?" in settings.note.text
    (tmp_path / "beside.toml").write_text('[scans]\nlesion_masks = "shapes"\n')
    answer_with(monkeypatch, file=str(tmp_path / "beside.toml"))
    settings.openButton.click()
    wait(panel, lambda: settings.controls["scans.lesion_masks"].text == str(tmp_path / "shapes"))


def test_the_settings_are_there_at_once_and_without_the_packages_of_a_training(opened, tmp_path, monkeypatch):
    from RadiomicsPersonaTrainingPages import packages

    monkeypatch.setattr(packages, "missing", lambda: ["torch", "monai"])
    panel = opened()
    settings = panel.settings
    turn_to(panel, settings)
    assert settings.table["fit"]["steps"] == settings.controls["fit.steps"].value > 0
    assert not panel.logic.questions.waiting and not panel.activityLabel.text
    settings.controls["task.learning_rate"].text = "7"
    settings.check()
    assert "out of its range" in settings.notes["task.learning_rate"].text
    assert not panel.logic.questions.waiting


def test_what_cannot_be_started_is_said_beside_start(panel, site, tmp_path, monkeypatch):
    run = panel.run
    turn_to(panel, run)
    run.startButton.click()
    assert "no split yet" in run.startNote.text
    panel.data.closelyCheckBox.checked = False
    ready_to_train(panel, monkeypatch, site, tmp_path)
    for name, sentence in (("a/b", "cannot be called"), ("", "cannot be called")):
        run.nameEdit.text = name
        run.startButton.click()
        assert sentence in run.startNote.text
    project = panel.place.project
    # the disk will not do
    panel.place.estimated({"sentence": "About 4 GB on the disk, which has 2 GB free.", "fits": False})
    run.nameEdit.text = "second"
    run.startButton.click()
    assert (
        run.startNote.text == "About 4 GB on the disk, which has 2 GB free." == run.estimateNote.text
        and not (project.runs / "second").exists()
    )
    panel.place.estimated(None)
    # somebody trains already
    (project.runs / "busy").mkdir(parents=True)
    (project.runs / "busy" / "settings.toml").write_text("")
    with heartbeat.Alive(project.runs / "busy" / heartbeat.NAME, "fit"):
        run.startButton.click()
        assert run.startNote.text == "A training is running in 'busy': wait for it, or cancel it first."
        # this machine may have no GPU
        monkeypatch.setattr(heartbeat, "gpu_memory", lambda: (2 * 10**9, 8 * 10**9))
        run.run = project.runs / "busy"
        wait(panel, lambda: "2 GB of the GPU's 8 GB taken" in run.progressNote.text)
        assert not run.startButton.enabled
    run.refresh()
    # a scan is gone when the training begins
    moved = project.folder / "scans.away"
    text = project.split.read_text().replace("sub-1.nii.gz", "sub-none.nii.gz")
    project.split.write_text(text)
    run.startButton.click()
    wait(panel, lambda: "There is no scan" in run.stateNote.text)
    assert run.startButton.enabled and not moved.exists()
    # cancelled before it began
    run.nameEdit.text = "soon"
    run.startButton.click()
    output = project.runs / "soon" / run_state.OUTPUT
    wait(panel, lambda: panel.place.jobs.is_starting(output) and run.cancelButton.enabled)
    run.cancelButton.click()
    assert not panel.place.jobs.is_starting(output) and run.startButton.enabled and not run.startNote.text
    # a run of another version
    old = project.runs / "old"
    old.mkdir()
    (old / "settings.toml").write_text("")
    (old / "run.json").write_text(json.dumps({"version": "0.0.1", "settings": {"old": {}, "data": []}, "rows": []}))
    run.run = old
    run.refresh()
    run.resumeButton.click()
    wait(panel, lambda: run.startNote.text)
    assert "written by another version" in run.startNote.text
    # the project's folder vanishes, with its disk for example
    project.folder.rename(tmp_path / "elsewhere")
    panel.refresh()
    assert "is gone" in panel.projectNote.text
    run.startButton.click()
    assert "is gone" in run.startNote.text and not project.folder.exists()
    panel.calibrate.table.setRowCount(1)
    panel.calibrate.onStart()
    panel.synthesize.onStart()
    head = read_scan(site / "heads" / "sub-0.nii.gz")
    panel.data.addVolumes([add_volume(head.array.transpose(2, 1, 0), head.affine, "scan")])
    for note in (panel.calibrate.note, panel.synthesize.note, panel.data.note):
        assert "is gone" in note.text and not project.folder.exists()


def test_a_project_that_vanished_is_not_made_anew(opened, tmp_path):
    panel = opened()
    panel.openProject(str(tmp_path / "project"))
    shutil.rmtree(tmp_path / "project")
    panel = opened()
    assert "is gone" in panel.projectNote.text and not (tmp_path / "project").exists()


def test_what_is_missing_is_offered_with_its_size_before_anything_is_installed(panel, monkeypatch):
    from RadiomicsPersonaTrainingPages import packages

    assert packages.missing() == [] and not panel.packagesButton.isVisible()
    monkeypatch.setattr(packages, "missing", lambda: ["monai", "lightning"])
    panel.checkPackages()
    assert (
        "monai, lightning" in panel.packagesNote.text
        and "about 51 MB" in panel.packagesNote.text
        and not panel.packagesButton.isHidden()
    )


def test_own_boxes_of_the_scene_become_a_list_and_the_classifier_is_shown(panel, site, tmp_path, monkeypatch):
    from RadiomicsPersonaTrainingLib.verdict.own_box_list import read_own_boxes

    head = read_scan(site / "heads" / "sub-0.nii.gz")
    volume = add_volume(head.array.transpose(2, 1, 0), head.affine, "scan")
    sick, healthy = (add_roi(name, (20, 22, 24), np.eye(3), (x, -10, 14)) for name, x in (("lesion", 34), ("well", -34)))
    page = panel.calibrate
    turn_to(panel, page)
    page.addButton.click()
    assert "Choose a scan" in page.listNote.text
    page.scanComboBox.setCurrentNode(volume)
    page.sickComboBox.check(sick)
    page.healthyComboBox.check(sick)
    page.addButton.click()
    assert "cannot be both" in page.listNote.text
    page.healthyComboBox.uncheck(sick)
    page.healthyComboBox.check(healthy)
    page.subjectEdit.text = "p1"
    page.addButton.click()
    assert page.table.rowCount == 2 and "2 lines, 1 subject." in page.listNote.text
    boxes = read_own_boxes(page.listFile)
    assert [(box.subject, box.sick, box.box.size.tolist()) for box in boxes] == [
        ("p1", True, [20, 22, 24]),
        ("p1", False, [20, 22, 24]),
    ]
    assert np.allclose(boxes[0].box.center, [34, -10, 14])
    own = page.listFile
    (tmp_path / "other.csv").write_text("subject,scan,truth,box\n" + 'p9,x.nii.gz,healthy,"1,2,3,4,5,6"\n' * 3)
    answer_with(monkeypatch, file=str(tmp_path / "other.csv"))
    page.csvButton.click()
    assert page.table.rowCount == 3 and not page.removeButton.enabled  # somebody else's list is not changed here
    page.ownButton.click()
    assert page.listFile == own and page.table.rowCount == 2
    page.table.selectRow(0)
    page.removeButton.click()
    assert [box.sick for box in read_own_boxes(own)] == [False] and page.table.rowCount == 1
    page.listFile.write_text(page.listFile.read_text().replace("healthy,", "well,"))
    page.startButton.click()
    wait(panel, lambda: "write healthy or pathological" in page.note.text)

    cross = {
        "subjects": 9,
        "boxes": 400,
        "lesions": 18,
        "auroc_mean_over_subjects": 0.9,
        "brier": 0.1,
        "slope": 1.1,
        "reliability": [[0.1, 0.05, 300], [0.9, 0.8, 100]],
    }
    page.output.write_text(json.dumps({"about": {"cross_validation": cross}}))
    page.refresh()
    assert (
        "9 subjects, 18 pathological boxes and 382 healthy ones" in page.resultNote.text
        and "AUROC 0.90" in page.resultNote.text
    )
    page.reliabilityButton.click()
    series = [node for node in slicer.util.getNodesByClass("vtkMRMLPlotSeriesNode") if node.GetYColumnName() == "share"]
    assert slicer.util.arrayFromTableColumn(series[0].GetTableNode(), "share").tolist() == [0.05, 0.8]
    chart = next(node for node in slicer.util.getNodesByClass("vtkMRMLPlotChartNode") if node.GetName() == "Reliability")
    assert chart.GetXAxisRange() == (0, 1) and chart.GetYAxisRange()[1] > 1.3  # the legend stands above the curve


def test_lesions_are_painted_into_healthy_scans_for_the_classifier(panel, site, tmp_path, monkeypatch):
    """The time is said before, and what was measured survives Cancel."""
    (tmp_path / "masks").mkdir()
    for name in "abc":
        write_nifti(tmp_path / "masks" / f"{name}.nii.gz", np.pad(np.ones((5, 5, 5), np.uint8), 2), np.diag([2.0, 2, 2, 1]))
    page = panel.calibrate
    turn_to(panel, page)
    page.fromComboBox.currentIndex = 1
    assert page.listBox.isHidden() and not page.painted.widget.isHidden() and not page.startButton.enabled
    answer_with(monkeypatch, folder=str(site / "heads"))
    page.painted.addButton.click()
    page.painted.clearButton.click()
    assert not page.painted.arguments[0].endswith("heads")
    page.painted.addButton.click()
    answer_with(monkeypatch, folder=str(tmp_path / "none"))
    page.painted.masksButton.click()
    page.estimateButton.click()
    wait(panel, lambda: "There is no folder" in page.note.text)
    answer_with(monkeypatch, folder=str(tmp_path / "masks"))
    page.painted.masksButton.click()
    page.painted.looksSpinBox.value = 1
    page.nameEdit.text = "a/b"
    page.startButton.click()
    assert "cannot be called 'a/b'" in page.note.text and not list(panel.place.project.calibration.glob("*"))
    page.nameEdit.text = "clinic"
    page.estimateButton.click()
    wait(panel, lambda: "4 scans, of which 3 are left to measure: about" in page.note.text)
    journal = page.output.with_name("clinic-boxes.jsonl")
    page.startButton.click()
    wait(panel, lambda: page.note.text.startswith("Measuring sub-") and page.cancelButton.enabled)
    page.cancelButton.click()
    wait(panel, lambda: page.note.text == "Cancelled; it goes on from there.")
    kept = journal.read_text().count('"key"')
    assert 1 <= kept < 4 and page.startButton.enabled and not page.useButton.enabled


def test_an_own_classifier_is_taken_by_the_analysis_and_removed_only_when_asked(panel, site, tmp_path, monkeypatch):
    from RadiomicsPersona import RadiomicsPersonaLogic

    monkeypatch.setenv("RADIOMICS_PERSONA_CLASSIFIERS", str(tmp_path / "classifiers"))
    page = panel.calibrate
    turn_to(panel, page)
    page.nameEdit.text = "clinic"
    page.output.parent.mkdir()
    page.output.write_text(written(fit_classifier(simulated(6), "clinic", {})))
    page.refresh()
    assert "6 subjects" in page.resultNote.text
    installed = tmp_path / "classifiers" / "clinic.json"
    installed.parent.mkdir()
    installed.write_text("of somebody else")
    answer_with(monkeypatch, confirmed=False)
    page.useButton.click()
    assert installed.read_text() == "of somebody else" and not page.useNote.text
    answer_with(monkeypatch, confirmed=True)
    page.useButton.click()
    assert "among the classifiers of RadiomicsPersona" in page.useNote.text
    logic = RadiomicsPersonaLogic(PreparedRun())
    try:
        parameters = logic.getParameterNode()
        assert parameters.classifier == "clinic" and "your own, 6 subjects" in dict(logic.classifiers())["clinic"]
        head = read_scan(site / "heads" / "sub-0.nii.gz")
        parameters.inputVolume = add_volume(head.array.transpose(2, 1, 0), head.affine, "scan")
        parameters.inputROIs = [add_roi("box", (30, 30, 30), np.eye(3), (30, 0, 20))]
        logic.apply()
        assert " ".join(logic.runner.arguments).count("--classifier clinic") == 1
        turn_to(panel, panel.models)
        panel.models.show("healthy-or-not")
        assert not panel.models.removeButton.enabled and "25 subjects" in panel.models.card.plainText
        panel.models.show("clinic")
        assert "6 subjects" in panel.models.card.plainText and not panel.models.archiveButton.enabled
        answer_with(monkeypatch, confirmed=False)
        panel.models.removeButton.click()
        assert installed.is_file() and parameters.classifier == "clinic"
        answer_with(monkeypatch, confirmed=True)
        panel.models.removeButton.click()
        assert not installed.exists() and page.output.is_file() and "clinic" not in dict(logic.classifiers())
        assert "judges by its own classifier again" in panel.models.note.text and parameters.classifier == "healthy-or-not"
    finally:
        logic.close()
    turn_to(panel, page)
    page.output.write_text(page.output.read_text().replace("clinic", "other"))
    page.useButton.click()
    assert "was changed after it was fitted" in page.useNote.text


def test_lesions_are_painted_looked_at_and_a_segmentation_is_set_up_to_be_trained_on_them(panel, tmp_path, monkeypatch):
    pytest.importorskip("RadiomicsPersonaTrainingLib.commands.synthesize")
    template = pytest.importorskip("nilearn.datasets").load_mni152_template(resolution=2)
    array, affine = np.asarray(template.dataobj, np.float32), np.array(template.affine)
    files = [tmp_path / f"sub-{number}.nii.gz" for number in range(3)]
    for number, file in enumerate(files):
        write_nifti(file, np.ascontiguousarray(array * np.float32(1 + number)), affine)
    page = panel.synthesize
    turn_to(panel, page)
    page.startButton.click()
    assert page.note.text == "Add healthy scans to paint into."
    answer_with(monkeypatch, folder=str(tmp_path))
    page.folderButton.click()
    page.shapesEdit.text = ""
    page.onShapes()
    assert page.scansNote.text == page.shapesEdit.text == str(tmp_path)
    page.shapesEdit.text = ""
    page.clearButton.click()
    assert not page.scansNote.text
    for file in files:
        answer_with(monkeypatch, file=str(file))
        page.fileButton.click()
    page.nameEdit.text = "a/b"
    page.startButton.click()
    assert "A set cannot be called 'a/b'" in page.note.text
    page.nameEdit.text = "strokes"
    page.kindComboBox.currentIndex = page.kindComboBox.findData("stroke")
    page.masksComboBox.currentIndex = page.masksComboBox.findData("shapes")
    page.startButton.click()
    assert "choose one" in page.note.text and not page.folder.exists()
    page.masksComboBox.currentIndex = page.masksComboBox.findData("sphere")
    assert not page.shapesButton.enabled
    files[2].rename(tmp_path / "away")
    page.sizeSpinBox.value, page.seedSpinBox.value = 8.0, 3
    page.startButton.click()
    wait(panel, lambda: page.note.text and page.startButton.enabled)
    assert page.table.rowCount == 0 and "There is no file or folder" in page.note.text
    (tmp_path / "away").rename(files[2])
    page.startButton.click()
    counted = set()
    wait(panel, lambda: counted.add(page.progressBar.maximum) or (page.table.rowCount == 3 and page.startButton.enabled))
    assert not page.note.text and 3 in counted
    mask = slicer.util.getNodesByClass("vtkMRMLSegmentationNode")[0]
    scan = slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")[0]
    marked = (
        slicer.util.arrayFromSegmentBinaryLabelmap(mask, mask.GetSegmentation().GetNthSegmentID(0), scan).transpose(2, 1, 0) > 0
    )
    changed = slicer.util.arrayFromVolume(scan).transpose(2, 1, 0) != read_scan(files[0]).array
    voxel = abs(np.linalg.det(affine[:3, :3])) / 1000
    assert marked.sum() * voxel == pytest.approx(8.0, rel=0.1) and changed[marked].mean() > 0.9
    composite = slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode")[0]
    assert composite.GetBackgroundVolumeID() == scan.GetID() and scan.GetName().startswith("sub-0_stroke")

    assert page.picture.pixmap.width() > 100 and panel.parent.minimumSizeHint().width() <= NARROW
    page.nameEdit.text = "other"
    page.refresh()
    assert page.table.rowCount == 0
    page.open_project()
    assert page.nameEdit.text == "strokes" and page.table.rowCount == 3

    page.trainButton.click()
    wait(panel, lambda: "open on the Settings page" in page.pairsNote.text)
    table = panel.settings.table
    assert table["task"]["kind"] == "segmentation" and [source["name"] for source in table["data"]] == ["strokes"]
    assert panel.place.project.split.read_text().count("_mask.nii.gz") == 3
    panel.run.nameEdit.text = "on-painted"
    panel.run.startButton.click()
    run = panel.place.project.runs / "on-painted"
    wait(panel, lambda: "1 cases train, 1 validate." in run_state.end_of_log(run))
    panel.run.refresh()
    panel.run.cancelButton.click()


def test_models_are_shown_with_their_checksum_and_travel_as_one_file(panel, models, tmp_path, monkeypatch, checkout):
    shipped, own = checkout / "RadiomicsPersona" / "Resources" / "Models", models
    shutil.rmtree(own)
    own.mkdir()
    card = json.loads((shipped / "tissue.json").read_text()) | {"name": "mine", "weights": "mine.safetensors"}
    (own / "mine.json").write_text(json.dumps(card))
    shutil.copy(shipped / "tissue.safetensors", own / "mine.safetensors")
    page = panel.models
    turn_to(panel, page)
    rows = {
        page.table.item(line, 0).text(): [page.table.item(line, place).text() for place in (3, 2, 1)]
        for line in range(page.table.rowCount)
    }
    assert rows["healthy-t1"] == ["reconstruction", "shipped", "right"] and rows["mine"] == ["tissue", "your own", "right"]
    panel.parent.resize(WIDTH, 700)
    panel.parent.show()
    slicer.app.processEvents()
    assert page.table.columnViewportPosition(1) + page.table.columnWidth(1) <= page.table.viewport().width  # the checksum
    page.show("healthy-t1")
    assert not page.removeButton.enabled and "SHA-256" in page.card.plainText
    page.show("mine")
    answer_with(monkeypatch, new_file=str(tmp_path / "mine.zip"), confirmed=True, file=str(tmp_path / "mine.zip"))
    page.archiveButton.click()
    wait(panel, lambda: (tmp_path / "mine.zip").is_file())
    page.importButton.click()
    wait(panel, lambda: "already installed" in page.note.text)
    page.removeButton.click()
    assert "are free again" in page.note.text and not list(own.iterdir())
    page.importButton.click()
    wait(panel, lambda: page.model is not None and page.model.name == "mine" and page.model.own)
    (own / "mine.safetensors").write_bytes(b"0")
    page.show("mine")
    assert "damaged" in page.note.text and not page.archiveButton.enabled


def test_every_control_has_a_tooltip_and_an_accessible_name(panel):
    import qt

    kinds = (
        qt.QAbstractButton,
        qt.QLineEdit,
        qt.QComboBox,
        qt.QAbstractSpinBox,
        qt.QTableWidget,
        qt.QTextEdit,
        qt.QPlainTextEdit,
        qt.QProgressBar,
    )
    inside = [w for w in panel.parent.findChildren(qt.QWidget) if isinstance(w, kinds) and not w.objectName.startswith("qt_")]
    inside = [
        w for w in inside if not isinstance(w.parentWidget(), (qt.QAbstractSpinBox, qt.QTabBar, qt.QTableWidget, qt.QComboBox))
    ]
    assert len(inside) > 80
    for widget in inside:
        assert widget.toolTip and widget.accessibleName, (widget.className(), widget.objectName, widget.property("text"))


def test_all_pages_are_seen_and_reached_in_a_narrow_panel(opened):
    panel = opened()
    panel.parent.resize(NARROW, 700)
    panel.parent.show()
    for index, page in enumerate(panel.pages):
        panel.steps.setCurrentRow(index)
        slicer.app.processEvents()
        assert page.widget.isVisible() and panel.parent.minimumSizeHint().width() <= NARROW, panel.steps.item(index).text()
        assert panel.steps.viewport().rect.contains(panel.steps.visualItemRect(panel.steps.item(index)))
    panel.tabs.currentIndex = 1
    assert panel.steps.currentRow == 1


def test_before_a_project_is_chosen_the_defaults_are_shown(opened):
    panel = opened()
    split = panel.data.split
    assert (split.validationSpinBox.value, split.testSpinBox.value, split.seedSpinBox.value) == (10, 10, 0)
    assert panel.settings.controls["fit.steps"].value > 100


def test_before_a_project_is_chosen_no_button_fails(opened, monkeypatch):
    """What needs a project says so or cannot be pressed."""
    import qt

    panel, pressed = opened(), set()
    answer_with(monkeypatch, folder="", file="", new_file="", confirmed=False)
    for page in panel.pages:
        turn_to(panel, page)
        for button in page.widget.findChildren(qt.QPushButton):
            if button.enabled and not button.isHidden() and not button.menu():
                button.click()
                pressed.add(button)
    assert len(pressed) > 15
    for page in (panel.results, panel.results.evaluation, panel.calibrate, panel.run, panel.synthesize):
        assert not pressed & {getattr(page, name, None) for name in ("cancelButton", "stopButton", "useButton", "deleteButton")}


def test_the_key_enter_deletes_nothing(training_module, monkeypatch):
    """It presses the button that the question has as its default."""
    import qt

    from RadiomicsPersonaTrainingPages import dialogs

    monkeypatch.setattr(qt.QMessageBox, "question", lambda parent, title, text, answers, default: default)
    assert not dialogs.confirmed("Delete runs", "Delete first?")


def test_an_export_stays_in_its_folder_and_replaces_nothing_unasked(panel, tmp_path, monkeypatch):
    page, asked = panel.results, []
    (tmp_path / "run").mkdir()
    monkeypatch.setattr(type(page), "run", tmp_path / "run")
    monkeypatch.setattr(page.place.questions, "ask", lambda request, *more: asked.append(request))
    answer_with(monkeypatch, folder=str(tmp_path / "models"), confirmed=False)
    page.nameEdit.text = "../x/y"
    page.onExport()
    assert "A model cannot be called '../x/y'" in page.useNote.text and not asked and not (tmp_path / "x").exists()
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "mine.json").write_text("{}")
    page.nameEdit.text = "mine"
    page.onExport()
    assert not asked
    answer_with(monkeypatch, confirmed=True)
    page.onExport()
    assert asked[0]["arguments"][-1] == str(tmp_path / "models" / "mine")


@pytest.mark.parametrize("name", ["synthesize", "calibrate"])
def test_what_is_cancelled_while_it_starts_says_so(panel, name, monkeypatch):
    page = getattr(panel, name)
    turn_to(panel, page)
    monkeypatch.setattr(type(page.place.jobs), "is_starting", lambda self, output: not ended)
    monkeypatch.setattr(type(page.place.jobs), "end", lambda self, output: ended.append(output))
    ended, page._busy = [], True
    page.onCancel()
    assert ended and page.note.text == "Cancelled."
    page.refresh()
    assert page.note.text == "Cancelled."


IN_SLICERS_PROCESS = """
import sys
sys.path[:0] = ["Testing", "RadiomicsPersona", "RadiomicsPersonaTraining"]
from bench import application
application.start()
before = set(sys.modules)
import qt, slicer
slicer.app.user_settings = qt.QSettings({ini!r}, qt.QSettings.IniFormat)
scene = application.new_scene()
module = application.load_module("RadiomicsPersonaTraining")
parent = qt.QWidget()
parent.setLayout(qt.QVBoxLayout())
widget = module.RadiomicsPersonaTrainingWidget(parent)
widget.setup()
widget.openProject({project!r})
for index in range(7):
    widget.tabs.currentIndex = index
    widget.refresh()
new = {{name.split(".")[0] for name in set(sys.modules) - before}}
heavy = new & {{"torch", "scipy", "skimage", "nibabel", "SimpleITK", "safetensors", "PIL", "monai", "lightning", "sklearn"}}
widget.cleanup()
scene.close()
sys.exit(f"imported: {{heavy}}" if heavy else 0)
"""


def test_slicers_process_imports_nothing_heavy_for_any_page(training_module, tmp_path):
    import subprocess

    code = IN_SLICERS_PROCESS.format(ini=str(tmp_path / "x.ini"), project=str(tmp_path / "project"))
    checkout = Path(__file__).resolve().parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=checkout, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-800:]
