"""A NIfTI file lies where 3D Slicer, which reads it through ITK, shows it; where a header says two things, the user is told."""

from __future__ import annotations

from itertools import product

import nibabel
import numpy as np
import pytest
import SimpleITK

from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.imaging.files import read_label_map, read_scan, write_nifti

SHAPE = (12, 14, 16)
SKEW = np.array([[1, 0.1, 0], [0, 1, 0], [0, 0, 1]])


def turned(degrees: float, sizes, origin, skew=np.eye(3)) -> np.ndarray:
    angle = np.radians(degrees)
    turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    affine = np.eye(4)
    affine[:3, :3] = turn @ skew * np.array(sizes)
    affine[:3, 3] = origin
    return affine


QFORM = turned(10, (8, 9, 10), (1, 2, 3))
SFORM = turned(40, (8, 9, 10), (10, 20, 30))


def file_with(path, qform=QFORM, qcode=1, sform=SFORM, scode=1, **fields):
    """A NIfTI file whose header is exactly this."""
    header = nibabel.Nifti1Header()
    header.set_data_dtype(np.int16)
    header.set_data_shape(SHAPE)
    header.set_qform(qform, qcode)
    header.set_sform(sform, scode)
    header["vox_offset"], header["magic"] = 352, b"n+1"
    for field, value in fields.items():
        header[field] = value
    voxels = np.random.default_rng(0).integers(1, 900, SHAPE).astype("<i2")
    path.write_bytes(header.binaryblock + bytes(4) + voxels.tobytes(order="F"))
    return path


def place_of_itk(path) -> np.ndarray:
    image = SimpleITK.ReadImage(str(path))
    affine = np.eye(4)
    affine[:3, :3] = np.array(image.GetDirection()).reshape(3, 3) * np.array(image.GetSpacing())
    affine[:3, 3] = image.GetOrigin()
    return np.diag([-1.0, -1, 1, 1]) @ affine


def told(scan) -> list[str]:
    """The warnings about the place."""
    return [sentence for sentence in scan.warnings if "voxel spacing of" not in sentence and "thick" not in sentence]


@pytest.mark.parametrize(("qcode", "scode"), list(product(range(5), range(5))))
def test_of_two_places_the_one_that_itk_takes_is_taken_whatever_their_codes_are(tmp_path, qcode, scode):
    path = file_with(tmp_path / "scan.nii", qcode=qcode, scode=scode)
    scan = read_scan(path)
    np.testing.assert_allclose(scan.affine, place_of_itk(path), atol=1e-4)
    assert len(told(scan)) == ((qcode > 0) == (scode > 0))
    if qcode and scode:
        assert "gives more than one place" in told(scan)[0] and "'scan.nii'" in told(scan)[0]


def test_a_header_that_does_not_say_where_the_sides_are_is_told(tmp_path):
    path = file_with(tmp_path / "scan.nii", qcode=0, scode=0)
    assert "does not say where right and left are" in told(read_scan(path))[0]
    assert read_label_map(path).warnings == tuple(told(read_scan(path)))


def test_a_file_whose_two_places_are_one_is_as_it_was_and_nothing_is_told(tmp_path):
    write_nifti(tmp_path / "scan.nii", np.arange(64.0, dtype=np.float32).reshape(4, 4, 4), SFORM)
    scan = read_scan(tmp_path / "scan.nii")
    assert np.array_equal(scan.affine, SFORM.astype(np.float32)) and not told(scan)


ODD_HEADERS = {
    "metres": {"xyzt_units": 1},
    "micrometres": {"xyzt_units": 3},
    "sform alone in metres": {"xyzt_units": 1, "qcode": 0},
    "no unit": {"xyzt_units": 0},
    "left-handed qform": {"qform": QFORM @ np.diag([-1, 1, 1, 1.0]), "scode": 0},
    "left-handed sform": {"sform": SFORM @ np.diag([-1, 1, 1, 1.0])},
    "skewed sform beside a qform": {"sform": turned(40, (8, 9, 10), (10, 20, 30), SKEW)},
    "sform of other voxel sizes": {"sform": turned(40, (8.5, 9, 10), (10, 20, 30))},
    "sform of other voxel sizes alone": {"sform": turned(40, (8.5, 9, 10), (10, 20, 30)), "qcode": 0},
    "no handedness": {"scode": 0, "pixdim": [0, 8, 9, 10, 0, 0, 0, 0]},
    "sform of zeros beside a qform": {"srow_x": 0, "srow_y": 0, "srow_z": 0},
    "negative code": {"qform_code": -1},
    "quaternion that is too long": {"scode": 2, "quatern_b": 0.9, "quatern_c": 0.8},
    "quaternion without meaning and without code": {"qcode": 0, "quatern_b": 5},
}


@pytest.mark.parametrize("kind", ODD_HEADERS)
def test_an_odd_header_places_the_scan_where_itk_does(tmp_path, kind):
    path = file_with(tmp_path / "scan.nii", **ODD_HEADERS[kind])
    np.testing.assert_allclose(read_scan(path).affine, place_of_itk(path), rtol=1e-5, atol=1e-4)


UNUSABLE_HEADERS = {
    "no voxel size": {"pixdim": [1, 8, 0, 10, 0, 0, 0, 0]},
    "negative voxel size": {"pixdim": [1, -8, 9, 10, 0, 0, 0, 0]},
    "sform of zeros alone": {"qcode": 0, "srow_x": 0, "srow_y": 0, "srow_z": 0},
    "quaternion that is too long alone": {"scode": 0, "quatern_b": 0.9, "quatern_c": 0.8},
    "qform that is not finite": {"scode": 0, "qoffset_x": np.nan},
    "sform that is not finite": {"qcode": 0, "srow_x": np.nan},
    "sform that is not finite beside a qform": {"srow_x": np.nan},
    "a place that no patient has": {"srow_x": [8, 0, 0, 1e30]},
    "voxels within the header": {"vox_offset": 0},
    "more voxels than the file holds": {"dim": [3, 1200, 1200, 1200, 1, 1, 1, 1]},
    "more voxels than any scan has": {"dim": [3, 30000, 30000, 30000, 1, 1, 1, 1]},
}


@pytest.mark.parametrize("kind", UNUSABLE_HEADERS)
def test_a_header_that_places_the_voxels_nowhere_is_refused_with_the_name_of_the_file(tmp_path, kind):
    with pytest.raises(InputError, match="'scan(.nii)?'.* again"):
        read_scan(file_with(tmp_path / "scan.nii", **UNUSABLE_HEADERS[kind]))


def test_a_skewed_grid_is_written_and_read_as_it_is_and_told(tmp_path):
    """ITK shows it nowhere, so that no other place can be meant."""
    affine = turned(40, (8, 9, 10), (10, 20, 30), SKEW)
    write_nifti(tmp_path / "scan.nii", np.arange(64.0, dtype=np.float32).reshape(4, 4, 4), affine)
    scan = read_scan(tmp_path / "scan.nii")
    np.testing.assert_allclose(scan.affine, affine, rtol=1e-6)
    assert "skewed" in told(scan)[0]
    with pytest.raises(RuntimeError, match="orthonormal"):
        place_of_itk(tmp_path / "scan.nii")


@pytest.mark.parametrize("flag", [0, -1])
def test_an_mgh_file_that_does_not_say_where_the_sides_are_is_told(tmp_path, flag):
    affine = np.array([[0, 2.0, 0, -20], [-2, 0, 0, 30], [0, 0, 3, -10], [0, 0, 0, 1]])
    nibabel.save(nibabel.MGHImage(np.arange(60, dtype=np.int16).reshape(3, 4, 5), affine), tmp_path / "s.mgh")
    scan = read_scan(tmp_path / "s.mgh")
    np.testing.assert_allclose(scan.affine, affine, atol=1e-5)
    assert not any("goodRASFlag" in told for told in scan.warnings)
    content = bytearray((tmp_path / "s.mgh").read_bytes())
    content[28:30] = flag.to_bytes(2, "big", signed=True)
    (tmp_path / "s.mgh").write_bytes(content)
    scan = read_scan(tmp_path / "s.mgh")
    np.testing.assert_allclose(scan.affine[:3, :3], [[-1, 0, 0], [0, 0, 1], [0, -1, 0]])
    assert any("right and left" in told and "goodRASFlag" in told for told in scan.warnings)


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".nrrd", ".mha"])
def test_one_volume_with_more_axes_of_length_one_is_taken(tmp_path, suffix):
    volume = np.random.default_rng(0).integers(1, 900, SHAPE).astype(np.int16)
    path = tmp_path / f"scan{suffix}"
    if suffix.startswith(".nii"):
        nibabel.save(nibabel.Nifti1Image(volume[..., None, None], SFORM), path)
    else:
        SimpleITK.WriteImage(SimpleITK.JoinSeries(SimpleITK.GetImageFromArray(volume.transpose(2, 1, 0))), str(path))
    assert np.array_equal(read_scan(path).array, volume) and np.array_equal(read_label_map(path).array, volume)


def test_several_volumes_in_five_dimensions_are_refused(tmp_path):
    nibabel.save(nibabel.Nifti1Image(np.ones((*SHAPE, 1, 3), np.int16), SFORM), tmp_path / "scan.nii.gz")
    with pytest.raises(InputError, match="5 dimensions.*choose one volume"):
        read_scan(tmp_path / "scan.nii.gz")
