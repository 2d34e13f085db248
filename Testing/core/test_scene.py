"""The scene bundle opens in Slicer's own scene with every voxel, box, colour and view in its place."""

from __future__ import annotations

import dataclasses
import json
import zipfile

import numpy as np
import pytest
from bench.blurred_analysis import blurred_analysis
from bench.phantom import make_head

from RadiomicsPersonaLib.geometry.box import Box
from RadiomicsPersonaLib.imaging.scan import make_scan
from RadiomicsPersonaLib.metrics.metric import METRICS
from RadiomicsPersonaLib.report.slicer_scene import write_scene

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed: pip install slicer-core")


pytestmark = pytest.mark.usefixtures("small_models")


@pytest.fixture(scope="module")
def analysis(synthetic_head):
    """With characters in its names that XML, zip archives and MRML attributes each treat in their own way."""
    turned = np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))[0]
    turned *= [np.sign(np.linalg.det(turned)), 1, 1]
    boxes = [
        Box([-30, 10, 20], [30, 24, 20], turned, 'Läsion "links" <1> & 50 %; a:b'),
        Box([30, -20, 30], [20, 20, 20], name="rechts"),
    ]
    made = blurred_analysis(dataclasses.replace(synthetic_head, name="tête à droite"), boxes)
    first = dataclasses.replace(made.boxes[0], reason=made.boxes[0].reason + " 5 % of it; 'so' %3B.")
    return dataclasses.replace(made, boxes=(first, made.boxes[1]))


@pytest.fixture(scope="module")
def opened(analysis, tmp_path_factory):
    """The bundle of the analysis, read back by Slicer's scene."""
    return open_in_slicer(analysis, tmp_path_factory.mktemp("scène é"), analysis.scan.name)


def open_in_slicer(analysis, folder, name=None):
    from bench.scene import Scene

    write_scene(analysis, folder / "scène.mrb", name)
    scene = Scene()
    scene.node.GetCacheManager().SetRemoteCacheDirectory(str(folder))
    messages = slicer.vtkMRMLMessageCollection()
    assert scene.node.ReadFromMRB(str(folder / "scène.mrb"), True, messages), messages.GetAllMessagesAsString()
    assert messages.GetNumberOfMessages() == 0, messages.GetAllMessagesAsString()
    return scene


def node_named(opened, name):
    node = opened.node.GetFirstNodeByName(name)
    assert node, f"no node '{name}'"
    return node


def matrix_of(volume) -> np.ndarray:
    import vtk

    matrix = vtk.vtkMatrix4x4()
    volume.GetIJKToRASMatrix(matrix)
    return slicer.util.arrayFromVTKMatrix(matrix)


def array_of(volume) -> np.ndarray:
    return slicer.util.arrayFromVolume(volume).transpose(2, 1, 0)


def rois_of(opened):
    count = opened.node.GetNumberOfNodesByClass("vtkMRMLMarkupsROINode")
    return [opened.node.GetNthNodeByClass(number, "vtkMRMLMarkupsROINode") for number in range(count)]


def test_the_volumes_keep_their_values_bit_for_bit_and_their_place(analysis, opened):
    for name, expected in (
        ("tête à droite", analysis.scan.array),
        ("tête à droite healthy persona", analysis.reconstruction),
        ("tête à droite difference in tissue SD", analysis.difference_in_units),
        ("tête à droite p of the difference", analysis.deviation_p),
    ):
        volume = node_named(opened, name)
        assert array_of(volume).dtype == expected.dtype
        assert np.array_equal(array_of(volume), expected)
        np.testing.assert_allclose(matrix_of(volume), analysis.scan.affine, atol=1e-9)


def test_every_box_has_a_bar_plot_of_its_scores_with_the_most_unusual_first(analysis, opened):
    for result in analysis.boxes:
        charts = [opened.node.GetNthNodeByClass(n, "vtkMRMLPlotChartNode") for n in range(len(analysis.boxes))]
        chart = next(node for node in charts if node.GetName() == f"Scores of {result.box.name}")
        series = [chart.GetNthPlotSeriesNode(n) for n in range(chart.GetNumberOfPlotSeriesNodes())]
        assert len(series) == 2 and all(node.GetPlotType() == node.PlotTypeBar for node in series)
        table = series[0].GetTableNode()
        values = slicer.util.arrayFromTableColumn(table, series[0].GetYColumnName())
        np.testing.assert_allclose(values, [result.standings[key].z for key in result.sorted_scores])
        assert (np.diff(values) <= 0).all() and series[1].GetTableNode() is table
        assert table.GetTable().GetValueByName(0, "Score").ToString() == METRICS[result.sorted_scores[0]].label


def test_a_left_handed_oblique_scan_with_nan_and_doubles_keeps_every_value_at_its_place(tmp_path):
    axes, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))
    affine = np.eye(4)
    affine[:3, :3] = axes * [-np.sign(np.linalg.det(axes)), 1, 1] * [3.0, 4.0, 5.0]
    affine[:3, 3] = 11.5, -20.25, 33.125
    head = make_head(affine=affine)
    values = head.array.astype(np.float64) / 3
    values[1, 2, 3] = np.nan
    scan = make_scan(values, head.affine, "oblique")
    middle = scan.ras_from_ijk((np.array(scan.shape) - 1) / 2)
    opened = open_in_slicer(blurred_analysis(scan, [Box(middle, [30, 30, 30])], controls=1), tmp_path, scan.name)
    volume = node_named(opened, "oblique")
    stored, matrix = array_of(volume), matrix_of(volume)
    # Slicer may turn a left-handed volume into a right-handed one: compare where the values are, not in which order
    points = scan.ras_from_ijk(np.indices(scan.shape).reshape(3, -1).T)
    index = (points - matrix[:3, 3]) @ np.linalg.inv(matrix[:3, :3]).T
    np.testing.assert_allclose(index, np.rint(index), atol=1e-6)
    assert stored.dtype == np.float64
    assert np.array_equal(stored[tuple(np.rint(index).astype(int).T)].reshape(scan.shape), values, equal_nan=True)


def test_the_persona_is_shown_like_the_scan_and_the_difference_from_minus_to_plus_three_sd(analysis, opened):
    scan, persona, difference = (
        node_named(opened, name).GetDisplayNode()
        for name in ("tête à droite", "tête à droite healthy persona", "tête à droite difference in tissue SD")
    )
    assert not scan.GetAutoWindowLevel()
    assert (scan.GetWindow(), scan.GetLevel()) == (persona.GetWindow(), persona.GetLevel())
    assert scan.GetColorNodeID() == "vtkMRMLColorTableNodeGrey"
    assert difference.GetWindow() == pytest.approx(6)
    assert difference.GetLevel() == 0
    colors = difference.GetColorNode()
    darkest, equal, brightest = ([0.0] * 4 for _ in range(3))
    last = colors.GetNumberOfColors() - 1
    for number, color in ((0, darkest), (last // 2, equal), (last, brightest)):
        assert colors.GetColor(number, color)
    assert darkest[2] > 2 * darkest[0] and darkest[3] == 1
    assert brightest[0] > 2 * brightest[2] and brightest[3] == 1
    assert equal == [1, 1, 1, 0]
    assert colors.GetColorName(last) == "+3.00 tissue SD"


def test_the_difference_as_slicer_paints_it_is_clear_outside_the_boxes_red_and_blue_inside(analysis, opened):
    from vtk.util.numpy_support import vtk_to_numpy

    display = node_named(opened, "tête à droite difference in tissue SD").GetDisplayNode()
    display.GetOutputImageDataConnection().GetProducer().Update()
    painted = display.GetOutputImageData()
    shape = analysis.scan.shape
    colors = vtk_to_numpy(painted.GetPointData().GetScalars()).reshape(*shape[::-1], 4).transpose(2, 1, 0, 3).astype(int)
    difference = analysis.difference / analysis.tissue.scale.deviation
    assert (colors[difference == 0][:, 3] == 0).all()
    assert (difference > 0.2).any() and (difference < -0.2).any()
    brighter, darker = colors[difference > 0.2], colors[difference < -0.2]
    assert (brighter[:, 3] == 255).all() and (darker[:, 3] == 255).all()
    assert (brighter[:, 0] > brighter[:, 2]).all()
    assert (darker[:, 2] > darker[:, 0]).all()


def test_the_users_boxes_are_where_they_were_and_carry_their_verdicts(analysis, opened):
    for result in analysis.boxes:
        roi = node_named(opened, f"{result.box.name} ({result.word})")
        matrix = slicer.util.arrayFromVTKMatrix(roi.GetObjectToWorldMatrix())
        np.testing.assert_allclose(matrix[:3, 3], result.box.center, atol=1e-9)
        np.testing.assert_allclose(matrix[:3, :3], result.box.axes, atol=1e-9)
        np.testing.assert_allclose(roi.GetSize(), result.box.size)
        assert roi.GetDisplayVisibility()
        assert roi.GetLocked()
        assert roi.GetAttribute("RadiomicsPersona.Verdict") == result.reason
    pathological, healthy = (roi.GetDisplayNode().GetSelectedColor() for roi in rois_of(opened) if roi.GetDisplayVisibility())
    assert pathological[0] > 0.8 > healthy[0]
    assert healthy[1] > 0.5 > pathological[1]


def test_the_controls_are_there_hidden_grey_and_in_a_folder(analysis, opened):
    first = analysis.boxes[0]
    hidden = [roi for roi in rois_of(opened) if not roi.GetDisplayVisibility()]
    assert len(hidden) == sum(len(result.controls) for result in analysis.boxes)
    roi = node_named(opened, f"{first.controls[0].box.name} of {first.box.name}")
    np.testing.assert_allclose(roi.GetCenter(), first.controls[0].box.center, atol=1e-9)
    assert np.ptp(roi.GetDisplayNode().GetSelectedColor()) < 0.1
    tree = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(opened.node)
    folder = tree.GetItemParent(tree.GetItemByDataNode(roi))
    assert tree.GetItemName(folder) == f"Control regions of {first.box.name}"
    assert not tree.GetItemExpanded(folder)


def test_the_views_open_at_the_first_box_with_the_persona_over_the_scan(analysis, opened):
    directions = {
        "Red": ("Axial", [-1, 0, 0], [0, 1, 0]),
        "Green": ("Coronal", [-1, 0, 0], [0, 0, 1]),
        "Yellow": ("Sagittal", [0, -1, 0], [0, 0, 1]),
    }
    for view, (orientation, right, up) in directions.items():
        plane = opened.node.GetNodeByID(f"vtkMRMLSliceNode{view}")
        matrix = slicer.util.arrayFromVTKMatrix(plane.GetSliceToRAS())
        assert plane.GetOrientation() == orientation
        assert plane.GetLayoutName() == view
        np.testing.assert_allclose(matrix[:3, 3], analysis.boxes[0].box.center)
        assert matrix[:3, 0].tolist() == right
        assert matrix[:3, 1].tolist() == up
        composite = opened.node.GetNodeByID(f"vtkMRMLSliceCompositeNode{view}")
        assert opened.node.GetNodeByID(composite.GetBackgroundVolumeID()).GetName() == "tête à droite"
        assert opened.node.GetNodeByID(composite.GetForegroundVolumeID()).GetName() == "tête à droite healthy persona"
        assert composite.GetForegroundOpacity() == 0.5
        assert composite.GetLinkedControl()
    selection = opened.node.GetFirstNodeByClass("vtkMRMLSelectionNode")
    assert opened.node.GetNodeByID(selection.GetActiveVolumeID()).GetName() == "tête à droite"
    layout = opened.node.GetFirstNodeByClass("vtkMRMLLayoutNode")
    assert layout.GetViewArrangement() == layout.SlicerLayoutFourUpView
    camera = opened.node.GetFirstNodeByClass("vtkMRMLCameraNode")
    assert camera.GetLayoutName() == "1"
    np.testing.assert_allclose(camera.GetFocalPoint(), analysis.boxes[0].box.center)


def test_the_table_holds_the_numbers_of_every_box_and_control(analysis, opened):
    table = node_named(opened, "RadiomicsPersona results").GetTable()
    assert table.GetNumberOfRows() == sum(1 + len(result.controls) for result in analysis.boxes)
    first = analysis.boxes[0]
    assert table.GetValueByName(0, "Box").ToString() == "Läsion 'links' <1> & 50 %; a:b"
    assert table.GetValueByName(0, "Verdict").ToString() == "pathological"
    assert table.GetValueByName(1, "Verdict").ToString() == "control"
    assert table.GetColumnByName("p").GetValue(0) == first.p
    assert np.isnan(table.GetColumnByName("p").GetValue(1))
    assert table.GetColumnByName("MSE (intensity^2)").GetValue(0) == first.metrics["mse"]
    assert table.GetNumberOfColumns() == 4 + len(METRICS)


def test_the_scene_says_what_it_rests_on_and_names_no_file(analysis, opened):
    text = node_named(opened, "RadiomicsPersona verdicts and provenance").GetText()
    assert text.startswith("Research use only, not a medical device.")
    assert analysis.boxes[0].reason in text
    assert '"name": "blur"' in text
    provenance = json.loads(node_named(opened, "tête à droite healthy persona").GetAttribute("RadiomicsPersona.Provenance"))
    assert provenance["seed"] == 3
    assert provenance["scan"] == "tête à droite"
    assert "Patient^Name" not in text + json.dumps(provenance)


def test_nothing_in_the_bundle_names_the_scan_unless_it_is_given_a_name(analysis, tmp_path):
    scan = dataclasses.replace(analysis.scan, name="Anna Muster")
    told = dataclasses.replace(analysis, scan=scan, provenance=analysis.provenance | {"command": "analyze Anna Muster.nii"})
    found = {}
    for name in (None, "Anna Muster"):
        write_scene(told, tmp_path / "scene.mrb", name)
        with zipfile.ZipFile(tmp_path / "scene.mrb") as archive:
            content = {file: archive.read(file) for file in archive.namelist()}
        assert not any("Muster" in file for file in content)
        found[name] = [file for file, text in content.items() if b"Muster" in text]
    assert found == {None: [], "Anna Muster": ["RadiomicsPersona/RadiomicsPersona.mrml"]}
    opened = open_in_slicer(told, tmp_path)
    nodes = [opened.node.GetNthNode(number) for number in range(opened.node.GetNumberOfNodes())]
    assert not [node.GetName() for node in nodes if "Muster" in (node.GetName() or "")]
    assert not [node.GetName() for node in nodes for key in node.GetAttributeNames() if "Muster" in node.GetAttribute(key)]
    assert {"scan", "scan healthy persona"} <= {node.GetName() for node in nodes}
    opened.close()


def test_the_same_analysis_gives_the_same_bundle_of_plainly_named_files(analysis, tmp_path):
    write_scene(analysis, tmp_path / "a.mrb")
    write_scene(analysis, tmp_path / "b.mrb")
    with zipfile.ZipFile(tmp_path / "a.mrb") as a, zipfile.ZipFile(tmp_path / "b.mrb") as b:
        assert a.namelist() == b.namelist()
        assert all(name.isascii() for name in a.namelist())
        assert {name.split("/")[0] for name in a.namelist()} == {"RadiomicsPersona"}
        assert all(a.read(name) == b.read(name) for name in a.namelist())
    assert (tmp_path / "a.mrb").read_bytes() == (tmp_path / "b.mrb").read_bytes()


def test_a_file_name_that_is_not_utf8_does_not_stop_the_scene(analysis, tmp_path):
    scan = dataclasses.replace(analysis.scan, name=b"t\xeate".decode("utf-8", "surrogateescape"))
    opened = open_in_slicer(dataclasses.replace(analysis, scan=scan, boxes=analysis.boxes[1:]), tmp_path, scan.name)
    names = [opened.node.GetNthNodeByClass(n, "vtkMRMLScalarVolumeNode").GetName() for n in range(4)]
    # a question mark or U+FFFD where the byte was, and the words behind it
    assert all(name.startswith("t") and "te" in name for name in names), names
    assert sum(name.endswith(" healthy persona") for name in names) == 1
    box = analysis.boxes[1]
    assert node_named(opened, f"{box.box.name} ({box.word})").IsA("vtkMRMLMarkupsROINode")
    assert any(np.array_equal(array_of(node_named(opened, name)), analysis.reconstruction) for name in names)


def test_the_panel_shows_the_verdicts_of_a_bundle_that_is_opened(analysis, tmp_path, slicer_bench):
    """It finds its scan, boxes, results and what lies over the scan, as if it had made them."""
    scene = slicer_bench.new_scene()
    scene.node.GetCacheManager().SetRemoteCacheDirectory(str(tmp_path))
    write_scene(analysis, tmp_path / "scene.mrb")
    assert scene.node.ReadFromMRB(str(tmp_path / "scene.mrb"), True, slicer.vtkMRMLMessageCollection())
    logic = slicer_bench.load_module().RadiomicsPersonaLogic(runner=lambda arguments, proceed: None)
    parameters = logic.getParameterNode()
    assert parameters.inputVolume.GetName() == "scan" and len(parameters.inputROIs) == 2
    assert (parameters.shown, parameters.fade) == ("reconstruction", 50)
    logic.showResultsOf(parameters.inputVolume)
    assert parameters.reconstructionVolume.GetName() == "scan healthy persona"
    assert parameters.differenceVolume and parameters.deviationVolume
    said = logic.verdictsByBox(parameters.resultTable)
    assert said == [(result.box.name, result.label, result.reason) for result in analysis.boxes]
    assert logic.markROIs() == ["", ""] and logic.analyzedROIs() == list(parameters.inputROIs)
    parameters.inputROIs[0].SetSize(5, 5, 5)
    assert "has been moved since" in logic.markROIs()[0]
    scene.close()
