"""Boxes from ROI nodes, by value, against Slicer's own ROI node."""

from __future__ import annotations

import numpy as np
import pytest

from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.geometry.box import Box
from RadiomicsPersonaLib.geometry.hole import hole_of_box
from RadiomicsPersonaLib.imaging.scan import make_scan

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed: pip install slicer-core")

from bench.nodes import add_bspline, add_roi, add_transform, add_volume, four_by_four, random_rotation, vtk_matrix


def inside_according_to_slicer(roi, points) -> np.ndarray:
    """Which world points (n, 3) lie in an ROI, asked after hardening its transform on a copy.

    IsPointInROIWorld leaves the scale of a parent transform out, and IsPointInROI always says yes (Slicer 5.13); the box
    that Slicer draws and GetSizeWorld have the scale in, and so does hardening.
    """
    hardened = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsROINode")
    hardened.Copy(roi)
    hardened.SetAndObserveTransformNodeID(roi.GetTransformNodeID())
    hardened.HardenTransform()
    return np.array([bool(hardened.IsPointInROIWorld(point)) for point in points.tolist()])


@pytest.mark.slow
def test_ten_thousand_random_geometries_have_the_inside_that_slicer_says(module):
    """Spacing 0.3 to 7 mm, any rotation, flips and offsets of the scan; any rotation of the box: no voxel disagrees."""
    random = np.random.default_rng(20261121)
    roi = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsROINode", "R")
    volume = add_volume()
    compared = inside_count = disagreements = 0
    for _ in range(10_000):
        spacing = random.uniform(0.3, 7, 3)
        shape = random.integers(3, 7, 3)
        flips = random.choice([-1.0, 1.0], 3)
        affine = four_by_four(random_rotation(random) * (spacing * flips), random.uniform(-200, 200, 3))
        scan = make_scan(np.arange(np.prod(shape), dtype=np.float32).reshape(shape), affine)
        center = scan.ras_from_ijk(random.uniform(0, 1, 3) * (shape - 1))
        size = random.uniform(0.3, 1.2, 3) * (spacing * shape).max()
        roi.SetSize(*size)
        roi.SetAndObserveObjectToNodeMatrix(vtk_matrix(four_by_four(random_rotation(random), center)))

        box = module.RadiomicsPersonaLogic.boxFromROI(roi, volume)
        points = scan.ras_from_ijk(np.indices(shape).reshape(3, -1).T)
        expected = np.array([bool(roi.IsPointInROIWorld(point)) for point in points.tolist()])
        disagreements += np.count_nonzero(box.contains(points) != expected)
        try:
            ours = hole_of_box(scan, box).full_mask(scan.shape).ravel()
        except InputError:  # no voxel centre inside
            ours = np.zeros(len(points), bool)
        disagreements += np.count_nonzero(ours != expected)
        compared += len(points)
        inside_count += expected.sum()
    assert disagreements == 0
    assert compared > 800_000 and 0.1 < inside_count / compared < 0.9


def test_a_rotated_roi_under_a_linear_transform_is_the_box_that_is_shown(module):
    random = np.random.default_rng(1)
    for _ in range(50):
        roi = add_roi("R", random.uniform(5, 40, 3), random_rotation(random), random.uniform(-30, 30, 3))
        scale = random.uniform(0.5, 2)
        mirror = random.choice([-1.0, 1.0])
        transform = add_transform(four_by_four(scale * random_rotation(random) * [mirror, 1, 1], random.uniform(-50, 50, 3)))
        roi.SetAndObserveTransformNodeID(transform.GetID())
        box = module.RadiomicsPersonaLogic.boxFromROI(roi, add_volume())
        sizes_in_world = np.zeros(3)
        roi.GetSizeWorld(sizes_in_world)
        np.testing.assert_allclose(box.size, sizes_in_world)
        points = box.center + random.uniform(-0.7, 0.7, (300, 3)) * box.size @ box.axes.T
        assert (box.contains(points) == inside_according_to_slicer(roi, points)).all()
        assert np.linalg.det(box.axes) == pytest.approx(1)


def test_a_box_is_expressed_in_the_ras_of_a_volume_under_a_transform(module):
    """The voxels inside are those whose centre, moved into the world by the volume's transform, lies in the ROI."""
    random = np.random.default_rng(2)
    for _ in range(30):
        affine = four_by_four(random_rotation(random) * random.uniform(0.5, 5, 3), random.uniform(-20, 20, 3))
        volume = add_volume(np.arange(10 * 9 * 8, dtype=np.int16).reshape(10, 9, 8), affine)
        to_world = four_by_four(random.uniform(0.5, 2) * random_rotation(random), random.uniform(-50, 50, 3))
        volume.SetAndObserveTransformNodeID(add_transform(to_world).GetID())
        scan = make_scan(slicer.util.arrayFromVolume(volume).transpose(2, 1, 0), affine)
        in_world = scan.ras_from_ijk(np.indices(scan.shape).reshape(3, -1).T) @ to_world[:3, :3].T + to_world[:3, 3]
        size = random.uniform(0.3, 0.8, 3) * np.ptp(in_world, axis=0)
        roi = add_roi("R", size, random_rotation(random), in_world.mean(axis=0))
        roi.SetAndObserveTransformNodeID(add_transform(four_by_four(random_rotation(random))).GetID())
        expected = inside_according_to_slicer(roi, in_world)
        box = module.RadiomicsPersonaLogic.boxFromROI(roi, volume)
        if expected.any():
            assert (hole_of_box(scan, box).full_mask(scan.shape).ravel() == expected).all()


def test_a_transform_over_volume_and_roi_alike_changes_nothing(module):
    roi = add_roi("R", (10, 20, 30), np.eye(3), (1, 2, 3))
    volume = add_volume()
    transform = add_transform(four_by_four(np.diag([1.5, -1, 2]), (5, 6, 7)))
    for node in (roi, volume):
        node.SetAndObserveTransformNodeID(transform.GetID())
    box = module.RadiomicsPersonaLogic.boxFromROI(roi, volume)
    np.testing.assert_allclose(box.center, [1, 2, 3], atol=1e-9)
    np.testing.assert_allclose(box.size, [10, 20, 30])


def test_a_box_carries_the_name_of_its_roi(module):
    box = module.RadiomicsPersonaLogic.boxFromROI(add_roi("left frontal", (1, 1, 1), np.eye(3), (0, 0, 0)), add_volume())
    assert isinstance(box, Box) and box.name == "left frontal"


@pytest.mark.parametrize("sheared", ["roi", "volume", "both"])
def test_a_transform_that_shears_a_box_is_refused(module, sheared):
    nodes = {"roi": add_roi("R", (10, 20, 30), np.eye(3), (1, 2, 3)), "volume": add_volume()}
    shear = add_transform(four_by_four([[1, 0.4, 0], [0, 1, 0], [0, 0, 1]]))
    for name, node in nodes.items():
        if sheared in (name, "both"):
            node.SetAndObserveTransformNodeID(shear.GetID())
    with pytest.raises(InputError, match="skews ROI 'R'.*without shear"):
        module.RadiomicsPersonaLogic.boxFromROI(nodes["roi"], nodes["volume"])


@pytest.mark.parametrize("transformed", ["roi", "volume"])
def test_a_non_linear_transform_is_refused_with_the_remedy(module, transformed):
    nodes = {"roi": add_roi("R", (10, 20, 30), np.eye(3), (1, 2, 3)), "volume": add_volume()}
    nodes[transformed].SetAndObserveTransformNodeID(add_bspline().GetID())
    with pytest.raises(InputError, match="non-linear transform 'warp': harden the transform first"):
        module.RadiomicsPersonaLogic.boxFromROI(nodes["roi"], nodes["volume"])


def test_a_non_linear_transform_above_a_linear_one_is_refused(module):
    roi, linear = add_roi("R", (10, 20, 30), np.eye(3), (1, 2, 3)), add_transform(np.eye(4))
    linear.SetAndObserveTransformNodeID(add_bspline().GetID())
    roi.SetAndObserveTransformNodeID(linear.GetID())
    with pytest.raises(InputError, match="harden"):
        module.RadiomicsPersonaLogic.boxFromROI(roi, add_volume())


def test_an_roi_without_extent_is_refused(module):
    flat = add_roi("flat", (10, 0, 30), np.eye(3), (1, 2, 3))
    unplaced = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsROINode", "unplaced")
    for roi in (flat, unplaced):
        with pytest.raises(InputError, match=f"ROI '{roi.GetName()}' has a size of .* mm: draw it"):
            module.RadiomicsPersonaLogic.boxFromROI(roi, add_volume())


def test_an_roi_that_is_inside_out_is_refused(module):
    roi = add_roi("R", (10, 20, 30), np.eye(3), (1, 2, 3))
    roi.SetInsideOut(True)
    with pytest.raises(InputError, match="inside out"):
        module.RadiomicsPersonaLogic.boxFromROI(roi, add_volume())
