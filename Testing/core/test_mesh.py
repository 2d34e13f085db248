"""Meshes, as the user sees them: the right size, the right place, closed, normals outward, and a volume that stays."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from RadiomicsPersonaLib.cli import main
from RadiomicsPersonaLib.imaging.files import write_nifti

pytest.importorskip("vtk", reason="VTK is not installed: pip install vtk")

from RadiomicsPersonaLib.geometry.surface import SUFFIXES, surface_of

OBLIQUE = np.array([[0.1, -1.9, 0.3, 95], [-1.8, -0.1, 0.6, 105], [0.5, 0.35, 2.4, -90], [0, 0, 0, 1]])
LEFT_HANDED = OBLIQUE @ np.diag([-1.0, 1, 1, 1])
LIBRARY = Path(__file__).resolve().parents[2] / "RadiomicsPersona"
CENTER, RADIUS = np.array([20.0, 30, -10]), 18.0


def ball(affine, radius=RADIUS, center=CENTER) -> tuple[np.ndarray, np.ndarray]:
    """A ball in RAS mm on a grid with these axes; mask and affine."""
    reach = np.ceil(np.abs(np.linalg.inv(affine[:3, :3])).sum(axis=1) * radius).astype(int) + 1
    affine = np.array(affine, float)
    affine[:3, 3] = center - affine[:3, :3] @ reach
    points = np.moveaxis(np.indices(2 * reach + 1), 0, -1) @ affine[:3, :3].T + affine[:3, 3]
    return np.linalg.norm(points - center, axis=-1) < radius, affine


def ragged(seed=0) -> np.ndarray:
    """Many parts, bridges, cavities and single voxels, up to the grid's border."""
    random = np.random.default_rng(seed)
    return (ndimage.gaussian_filter(random.normal(size=(30, 30, 30)), 1.2) > 0.12) | (random.random((30, 30, 30)) > 0.995)


@pytest.mark.parametrize("affine", [np.diag([1.0, 1, 1, 1]), OBLIQUE, LEFT_HANDED], ids=["plain", "oblique", "left-handed"])
@pytest.mark.parametrize("smooth, decimate", [(0, 0), (20, 0), (20, 0.8)])
def test_a_ball_has_its_formulas_volume_area_and_place(affine, smooth, decimate):
    surface = surface_of(*ball(affine), smooth, decimate)
    assert surface.volume_ml == pytest.approx(4 / 3 * np.pi * RADIUS**3 / 1000, rel=0.02)
    # a staircase has more area than what it approximates
    assert surface.area_mm2 == pytest.approx(4 * np.pi * RADIUS**2, rel=0.02 if smooth else 0.15)
    radii = surface.points - CENTER
    assert np.abs(np.linalg.norm(radii, axis=1) - RADIUS).max() < 1.5
    outward = (surface.normals * radii).sum(axis=1) / np.linalg.norm(radii, axis=1)
    assert outward.min() > (0.75 if smooth else 0.5)
    assert surface.is_closed


@pytest.mark.parametrize("affine", [OBLIQUE, LEFT_HANDED], ids=["oblique", "left-handed"])
def test_every_face_looks_out_of_the_mask(affine):
    mask = ragged()
    surface = surface_of(mask, affine, smooth=0)
    first, second, third = (surface.points[ends] for ends in surface.faces.T)
    middle, normal = (first + second + third) / 3, np.cross(second - first, third - first)
    to_ijk = np.linalg.inv(affine)
    # half a voxel along the outward normal is background, half a voxel back is mask
    step = normal / np.linalg.norm(normal @ to_ijk[:3, :3].T, axis=1, keepdims=True) / 2
    padded = np.pad(mask, 2)

    def inside(points):
        ijk = np.rint(points @ to_ijk[:3, :3].T + to_ijk[:3, 3]).astype(int) + 2
        return padded[tuple(ijk.T)].mean()

    assert inside(middle - step) > 0.9 and inside(middle + step) < 0.1


@pytest.mark.parametrize("smooth, decimate", [(0, 0), (20, 0), (60, 0), (20, 0.5), (20, 0.9), (0, 0.9)])
def test_the_ugliest_mask_stays_closed_and_keeps_its_volume(smooth, decimate):
    plain = surface_of(ragged(), OBLIQUE, smooth=0)
    surface = surface_of(ragged(), OBLIQUE, smooth, decimate)
    assert surface.is_closed
    assert surface.volume_ml == pytest.approx(plain.volume_ml, rel=0.02)
    if smooth:
        assert surface.area_mm2 < 0.98 * plain.area_mm2
    if decimate:
        assert len(surface.faces) < 0.9 * len(plain.faces)


def test_small_lesions_do_not_shrink():
    for radius in (1.2, 2.0, 4.0):
        mask, affine = ball(np.eye(4), radius)
        volumes = [surface_of(mask, affine, smooth).volume_ml for smooth in (0, 20, 200)]
        assert volumes == pytest.approx([volumes[0]] * 3, rel=0.02), radius


def test_decimation_takes_away_the_share_that_was_asked_for():
    mask, affine = ball(np.eye(4))
    whole = surface_of(mask, affine)
    for share in (0.3, 0.9):
        assert len(surface_of(mask, affine, decimate=share).faces) == pytest.approx((1 - share) * len(whole.faces), rel=0.02)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_slicer_reads_the_file_back_in_the_right_place(suffix, tmp_path, capsys):
    slicer = pytest.importorskip("slicer", reason="slicer-core is not installed: pip install slicer-core")
    mask, affine = ball(OBLIQUE)
    write_nifti(tmp_path / "mask.nii.gz", mask.astype(np.uint8), affine)
    assert main(["mesh", str(tmp_path / "mask.nii.gz"), "--json", "--output", str(tmp_path / f"mesh{suffix}")]) == 0
    told = json.loads(capsys.readouterr().out)
    scene, model, storage = slicer.vtkMRMLScene(), slicer.vtkMRMLModelNode(), slicer.vtkMRMLModelStorageNode()
    scene.AddNode(model)
    scene.AddNode(storage)
    storage.SetFileName(str(tmp_path / f"mesh{suffix}"))
    assert storage.ReadData(model)
    bounds = np.reshape(model.GetPolyData().GetBounds(), (3, 2))
    assert np.allclose(bounds.mean(axis=1), CENTER, atol=0.5) and np.allclose(np.ptp(bounds, axis=1), 2 * RADIUS, atol=2)
    assert model.GetPolyData().GetNumberOfPolys() == told["triangles"]
    assert told["volume_ml"] == pytest.approx(told["mask_volume_ml"], rel=0.02)


def test_a_model_node_lies_where_the_moved_segmentation_does(module):
    import slicer

    from RadiomicsPersonaNodes.mesh import show_surface

    mask, affine = ball(LEFT_HANDED)
    volume = slicer.util.addVolumeFromArray(mask.astype(np.uint8).transpose(2, 1, 0), affine, "mask")
    moved = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    moved.SetMatrixTransformToParent(
        slicer.util.vtkMatrixFromArray(np.array([[0, -1, 0, 5], [1, 0, 0, 0], [0, 0, 1, 50], [0, 0, 0, 1.0]]))
    )
    volume.SetAndObserveTransformNodeID(moved.GetID())
    model = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLModelNode")
    show_surface(model, surface_of(mask, affine), volume)
    bounds = np.zeros(6)
    model.GetRASBounds(bounds)
    assert np.allclose(bounds.reshape(3, 2).mean(axis=1), [-CENTER[1] + 5, CENTER[0], CENTER[2] + 50], atol=0.5)
    assert model.GetDisplayNode().GetVisibility() and model.GetDisplayNode().GetVisibility2D()


def test_one_label_of_several(tmp_path, capsys):
    labels = np.zeros((20, 20, 20), np.uint8)
    labels[2:8, 2:8, 2:8], labels[11:18, 11:18, 11:18] = 1, 4
    write_nifti(tmp_path / "labels.nii.gz", labels, np.eye(4))

    def volume(*more):
        assert main(["mesh", str(tmp_path / "labels.nii.gz"), "--json", "--output", str(tmp_path / "mesh.stl"), *more]) == 0
        return json.loads(capsys.readouterr().out)["mask_volume_ml"]

    assert [volume("--label", "1"), volume("--label", "4"), volume()] == pytest.approx([0.216, 0.343, 0.559])


@pytest.mark.parametrize(
    "values, options, sentence",
    [
        (0, [], "is empty: mark some voxels first"),
        (2, ["--label", "7"], "has no label 7: choose one of 2"),
        (0.5, [], "holds values that are not whole numbers: choose a segmentation"),
        (1, ["--decimate", "1"], "at least 0 and below 1"),
        (1, ["--smooth", "-3"], "give 0 for none"),
        (1, ["--smooth", "1000000"], "give 0 for none, or up to 500"),
    ],
)
def test_what_cannot_be_a_mesh_is_told_in_one_sentence(values, options, sentence, tmp_path, capsys):
    write_nifti(tmp_path / "mask.nii.gz", np.full((4, 4, 4), values, np.float32), np.eye(4))
    assert main(["mesh", str(tmp_path / "mask.nii.gz"), *options, "--output", str(tmp_path / "mesh.ply")]) == 2
    said = capsys.readouterr().err
    assert sentence in said and said.count("\n") == 1
    assert [file.name for file in tmp_path.iterdir()] == ["mask.nii.gz"]


def test_an_unknown_suffix_is_refused_before_anything_is_read(tmp_path, capsys):
    assert main(["mesh", "not there.nii.gz", "--output", str(tmp_path / "mesh.fbx")]) == 2
    assert "must end in .ply, .stl, .obj or .vtk" in capsys.readouterr().err


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_suffix_in_large_letters_gives_the_same_file(suffix, tmp_path, capsys):
    mask, affine = ball(OBLIQUE)
    write_nifti(tmp_path / "mask.nii.gz", mask.astype(np.uint8), affine)
    for name in (f"one{suffix}", f"other{suffix.upper()}"):
        assert main(["mesh", str(tmp_path / "mask.nii.gz"), "--output", str(tmp_path / name)]) == 0
    assert (tmp_path / f"one{suffix}").read_bytes() == (tmp_path / f"other{suffix.upper()}").read_bytes()
    assert len(list(tmp_path.iterdir())) == 3


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("limit", [0, 20_000])
def test_a_disk_that_fills_leaves_the_old_mesh(suffix, limit, tmp_path):
    """A limit of the size of files stands for the disk: it is met in the middle of the file."""
    mask = np.zeros((30, 30, 30), np.uint8)
    mask[5:25, 5:25, 5:25] = 1
    write_nifti(tmp_path / "mask.nii.gz", mask, np.eye(4))
    (tmp_path / f"o{suffix}").write_text("the old mesh")
    code = (
        "import resource, sys\n"
        "from RadiomicsPersonaLib.cli import main\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, resource.RLIM_INFINITY))\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )
    command = [sys.executable, "-c", code, "mesh", "mask.nii.gz", "--output", f"o{suffix}"]
    environment = os.environ | {"PYTHONPATH": str(LIBRARY)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 2 and done.stderr.count("\n") == 1, done.stderr
    assert "cannot be written" in done.stderr and f"o{suffix}" in done.stderr
    assert (tmp_path / f"o{suffix}").read_text() == "the old mesh"
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["mask.nii.gz", f"o{suffix}"])
