"""Boxes come out of Slicer's markups files where Slicer shows them, and go back the same way."""

from __future__ import annotations

import json

import numpy as np
import pytest

from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.geometry.box import Box
from RadiomicsPersonaLib.geometry.markups import boxes_from_label_map, read_boxes, write_boxes

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")


def random_axes(random: np.random.Generator) -> np.ndarray:
    axes, _ = np.linalg.qr(random.normal(size=(3, 3)))
    return axes * [np.sign(np.linalg.det(axes)), 1, 1]


def random_box(random: np.random.Generator, name: str = "box") -> Box:
    return Box(random.uniform(-80, 80, 3), random.uniform(5, 60, 3), random_axes(random), name)


@pytest.fixture
def scene():
    """An MRML scene with the markups logic, as Slicer has it."""
    from bench.scene import Scene

    bench = Scene()
    bench.node.bench = bench  # keeps the logics alive as long as the scene
    yield bench.node
    bench.node.Clear(1)


def add_roi(scene, box: Box):
    import vtk

    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = box.axes, box.center
    to_node = vtk.vtkMatrix4x4()
    to_node.DeepCopy(matrix.ravel())
    roi = scene.AddNewNodeByClass("vtkMRMLMarkupsROINode", box.name)
    roi.SetSize(*box.size)
    roi.SetAndObserveObjectToNodeMatrix(to_node)
    roi.CreateDefaultDisplayNodes()
    return roi


def save_with_slicer(scene, roi, path, coordinate_system="LPS"):
    storage = scene.AddNewNodeByClass("vtkMRMLMarkupsROIJsonStorageNode")
    storage.SetCoordinateSystem(storage.GetCoordinateSystemFromString(coordinate_system))
    storage.SetFileName(str(path))
    assert storage.WriteData(roi) == 1


def world_matrix(roi) -> np.ndarray:
    matrix = roi.GetObjectToWorldMatrix()
    return np.array([[matrix.GetElement(i, j) for j in range(4)] for i in range(4)])


def assert_same_box(box: Box, roi):
    matrix = world_matrix(roi)
    np.testing.assert_allclose(box.center, matrix[:3, 3], atol=1e-9)
    np.testing.assert_allclose(box.axes, matrix[:3, :3], atol=1e-9)
    np.testing.assert_allclose(box.size, roi.GetSize(), atol=1e-9)


def write_markups(path, *rois):
    path.write_text(json.dumps({"@schema": "…markups-schema-v1.0.3.json#", "markups": list(rois)}), encoding="utf-8")
    return path


def roi_dict(**changes) -> dict:
    roi = {"type": "ROI", "center": [10, 20, 30], "orientation": [-1, 0, 0, 0, -1, 0, 0, 0, 1], "size": [4, 5, 6]}
    return {key: value for key, value in (roi | changes).items() if value is not None}


@pytest.mark.parametrize("coordinate_system", ["LPS", "RAS"])
def test_a_rotated_roi_saved_by_slicer_is_read_where_slicer_shows_it(scene, tmp_path, coordinate_system):
    random = np.random.default_rng(0)
    for number in range(10):
        roi = add_roi(scene, random_box(random, f"région {number}"))
        save_with_slicer(scene, roi, tmp_path / "roi.mrk.json", coordinate_system)
        (box,) = read_boxes(tmp_path / "roi.mrk.json")
        assert_same_box(box, roi)
        assert box.name == f"région {number}"


def test_the_same_points_are_inside_the_box_and_inside_slicers_roi(scene, tmp_path):
    random = np.random.default_rng(1)
    for _ in range(5):
        expected = random_box(random)
        roi = add_roi(scene, expected)
        save_with_slicer(scene, roi, tmp_path / "roi.mrk.json")
        (box,) = read_boxes(tmp_path / "roi.mrk.json")
        points = expected.center + random.uniform(-0.7, 0.7, (400, 3)) * expected.size @ expected.axes.T
        in_slicer = [bool(roi.IsPointInROIWorld(point)) for point in points]
        assert 10 < sum(in_slicer) < 390
        assert box.contains(points).tolist() == in_slicer


def test_a_bounding_box_roi_is_the_box_around_its_points(scene, tmp_path):
    roi = scene.AddNewNodeByClass("vtkMRMLMarkupsROINode", "around points")
    roi.SetROIType(roi.ROITypeBoundingBox)
    for point in ([1, 2, 3], [21, 12, 43], [5, 32, 7]):
        roi.AddControlPoint(point)
    save_with_slicer(scene, roi, tmp_path / "roi.mrk.json")
    (box,) = read_boxes(tmp_path / "roi.mrk.json")
    assert box.center.tolist() == [11, 17, 23]
    assert box.size.tolist() == [20, 30, 40]


def test_written_boxes_load_into_slicer_as_one_locked_and_coloured_roi_each(scene, tmp_path):
    random = np.random.default_rng(2)
    boxes = [random_box(random, name) for name in ("lésion gauche", "left 2", "third")]
    colors = [(1, 0, 0), (0, 0.5, 0), (0.25, 0.5, 0.75)]
    write_boxes(tmp_path / "boîtes à lire.mrk.json", boxes, colors)
    assert scene.bench.logics["Markups"].LoadMarkups(str(tmp_path / "boîtes à lire.mrk.json"))
    count = scene.GetNumberOfNodesByClass("vtkMRMLMarkupsROINode")
    rois = [scene.GetNthNodeByClass(number, "vtkMRMLMarkupsROINode") for number in range(count)]
    assert [roi.GetName() for roi in rois] == [box.name for box in boxes]
    for box, color, roi in zip(boxes, colors, rois):
        assert_same_box(box, roi)
        assert roi.GetLocked()
        assert roi.GetDisplayNode().GetSelectedColor() == color
        assert not roi.GetDisplayNode().GetHandlesInteractive()


def test_a_single_written_box_can_be_read_by_slicers_storage_node(scene, tmp_path):
    box = random_box(np.random.default_rng(3))
    write_boxes(tmp_path / "one.mrk.json", [box], locked=False)
    roi = scene.AddNewNodeByClass("vtkMRMLMarkupsROINode")
    storage = scene.AddNewNodeByClass("vtkMRMLMarkupsROIJsonStorageNode")
    storage.SetFileName(str(tmp_path / "one.mrk.json"))
    assert storage.ReadData(roi) == 1
    assert_same_box(box, roi)
    assert not roi.GetLocked()


def test_boxes_survive_writing_and_reading_exactly(tmp_path):
    random = np.random.default_rng(4)
    boxes = [random_box(random, f"box {number}") for number in range(4)]
    write_boxes(tmp_path / "b.mrk.json", boxes)
    for box, again in zip(boxes, read_boxes(tmp_path / "b.mrk.json"), strict=True):
        assert box.name == again.name
        for attribute in ("center", "size", "axes"):
            assert np.array_equal(getattr(box, attribute), getattr(again, attribute))


@pytest.mark.parametrize("system", [None, "LPS", "1", "RAS", "0"])
def test_the_coordinate_system_is_read_as_slicer_reads_it(scene, tmp_path, system):
    path = write_markups(
        tmp_path / "roi.mrk.json", roi_dict(coordinateSystem=system, controlPoints=[{"position": [10, 20, 30]}])
    )
    (box,) = read_boxes(path)
    assert box.center.tolist() == ([10, 20, 30] if system in ("RAS", "0") else [-10, -20, 30])
    storage = scene.AddNewNodeByClass("vtkMRMLMarkupsROIJsonStorageNode")
    storage.SetFileName(str(path))
    roi = scene.AddNewNodeByClass("vtkMRMLMarkupsROINode")
    storage.ReadData(roi)
    storage.ReadData(roi)  # Slicer takes an ROI's centre before it takes the file's coordinate system: the second time is right
    assert_same_box(box, roi)


def test_boxes_of_the_same_name_are_told_apart_and_other_markups_are_passed_over(tmp_path):
    point = {"type": "Fiducial", "controlPoints": [{"position": [0, 0, 0]}]}
    path = write_markups(tmp_path / "roi.mrk.json", roi_dict(name="tumour"), point, roi_dict(name="tumour"), roi_dict())
    assert [box.name for box in read_boxes(path)] == ["tumour", "tumour (2)", "box 3"]


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"size": [0, 5, 6]}, "longer than zero"),
        ({"coordinateUnits": "um"}, "not in mm"),
        ({"coordinateSystem": "IJK"}, "LPS or RAS"),
        ({"insideOut": True}, "inside out"),
        ({"size": None}, "save it again"),
        ({"center": [1, 2]}, "save it again"),
        ({"orientation": [1, 1, 0, 0, 1, 0, 0, 0, 1]}, "perpendicular"),
    ],
)
def test_an_unusable_roi_is_refused_in_one_sentence(tmp_path, changes, words):
    path = write_markups(tmp_path / "roi.mrk.json", roi_dict(**changes))
    with pytest.raises(InputError, match=words):
        read_boxes(path)


@pytest.mark.parametrize("text", ["no json", "[1, 2]", "{}", '{"markups": 5}', '{"markups": ["ROI"]}'])
def test_a_file_that_is_not_a_markups_file_is_refused(tmp_path, text):
    (tmp_path / "x.mrk.json").write_text(text)
    with pytest.raises(InputError, match="not a Slicer markups file"):
        read_boxes(tmp_path / "x.mrk.json")


def test_a_markups_file_without_an_roi_says_what_it_holds(tmp_path):
    path = write_markups(tmp_path / "x.mrk.json", {"type": "Line"})
    with pytest.raises(InputError, match="no ROI, only Line"):
        read_boxes(path)
    with pytest.raises(InputError, match="no markups file"):
        read_boxes(tmp_path / "absent.mrk.json")


def test_every_part_of_every_label_gets_a_box_around_its_whole_voxels():
    labels = np.zeros((20, 20, 20), np.uint8)
    labels[2:5, 3:7, 4:9] = 3
    labels[10:18, 10:12, 10:13] = 3
    labels[1, 1, 1] = 3
    labels[15:18, 2:5, 15:18] = 7
    boxes = boxes_from_label_map(labels, np.diag([2.0, 3.0, 4.0, 1.0]))
    assert [box.name for box in boxes] == ["label 3, part 1", "label 3, part 2", "label 7, part 1"]
    assert boxes[1].size.tolist() == [16, 6, 12]
    assert boxes[1].center.tolist() == [27, 31.5, 44]
    assert boxes_from_label_map(labels, np.eye(4), margin_mm=5)[1].size.tolist() == [18, 12, 13]


def test_boxes_of_an_oblique_left_handed_label_map_hold_exactly_its_voxels():
    random = np.random.default_rng(5)
    affine = np.eye(4)
    affine[:3, :3] = random_axes(random) * [-0.8, 1.0, 3.0]
    affine[:3, 3] = 30, -20, 5
    labels = np.zeros((30, 30, 12), int)
    labels[8:20, 5:25, 3:7] = 1
    (box,) = boxes_from_label_map(labels, affine)
    assert np.linalg.det(box.axes) > 0
    index = np.indices(labels.shape).reshape(3, -1).T
    inside = box.contains(index @ affine[:3, :3].T + affine[:3, 3]).reshape(labels.shape)
    assert np.array_equal(inside, labels == 1)


def test_voxels_that_touch_at_a_corner_belong_together():
    labels = np.zeros((10, 10, 10), int)
    labels[1:4, 1:4, 1:4] = labels[4:7, 4:7, 4:7] = 1
    (box,) = boxes_from_label_map(labels, np.eye(4))
    assert box.size.tolist() == [6, 6, 6]


@pytest.mark.parametrize(
    "labels, words",
    [(np.zeros((5, 5, 5)), "no connected part"), (np.full((5, 5, 5), 0.5), "whole numbers"), (np.ones((5, 5)), "3-D")],
)
def test_an_unusable_label_map_is_refused(labels, words):
    with pytest.raises(InputError, match=words):
        boxes_from_label_map(labels, np.eye(4))
