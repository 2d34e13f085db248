"""Every kind of scan file arrives with the right values in the right place, or is refused in one sentence."""

from __future__ import annotations

import gzip
import warnings

import nibabel
import numpy as np
import pytest
import SimpleITK
from bench.dicom_series import write_dicom_series
from bench.phantom import make_head

from RadiomicsPersonaLib.cli import main
from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.imaging.files import read_scan, write_nifti
from RadiomicsPersonaLib.imaging.scan import make_scan

OBLIQUE = np.array([[0.1, -2.9, 0.4, 120], [-1.8, -0.2, 0.9, 80], [0.7, 0.5, 3.8, -60], [0, 0, 0, 1]])


@pytest.fixture(scope="module")
def volume() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 900, (40, 50, 30)).astype(np.int16)


def itk_image(volume: np.ndarray, affine: np.ndarray) -> SimpleITK.Image:
    image = SimpleITK.GetImageFromArray(volume.transpose(2, 1, 0))
    lps = np.diag([-1.0, -1, 1, 1]) @ affine
    spacing = np.linalg.norm(lps[:3, :3], axis=0)
    image.SetSpacing(spacing.tolist())
    image.SetDirection((lps[:3, :3] / spacing).ravel().tolist())
    image.SetOrigin(lps[:3, 3].tolist())
    return image


def orthogonal(affine: np.ndarray) -> np.ndarray:
    """The nearest affine without shear, which is all that ITK's formats hold."""
    u, _, v = np.linalg.svd(affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0))
    result = affine.copy()
    result[:3, :3] = (u @ v) * np.linalg.norm(affine[:3, :3], axis=0)
    return result


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".mgz", ".nrrd", ".nhdr", ".mha", ".mhd"])
def test_every_format_brings_the_same_values_to_the_same_place(tmp_path, volume, suffix):
    affine = orthogonal(OBLIQUE)
    path = tmp_path / f"Ünïcode scan{suffix}"
    if suffix.startswith(".nii"):
        nibabel.save(nibabel.Nifti1Image(volume, affine), path)
    elif suffix == ".mgz":
        nibabel.save(nibabel.MGHImage(volume.astype(np.int32), affine), path)
    else:
        SimpleITK.WriteImage(itk_image(volume, affine), str(path))
    scan = read_scan(path)
    assert np.array_equal(scan.array, volume)
    assert np.allclose(scan.affine, affine, atol=1e-3)
    assert scan.name == "Ünïcode scan"


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".mgz", ".nrrd", ".nhdr", ".mha", ".mhd"])
@pytest.mark.parametrize("spelt", [str.upper, str.title, lambda suffix: suffix[:-1] + suffix[-1].upper()])
def test_suffixes_in_large_letters_are_those_in_small_ones(tmp_path, volume, suffix, spelt):
    if suffix == ".mgz":
        nibabel.save(nibabel.MGHImage(volume.astype(np.int32), np.eye(4)), tmp_path / f"scan{suffix}")
    else:
        SimpleITK.WriteImage(itk_image(volume, np.eye(4)), str(tmp_path / f"scan{suffix}"))
    path = (tmp_path / f"scan{suffix}").rename(tmp_path / f"scan{spelt(suffix)}")
    scan = read_scan(path)
    assert np.array_equal(scan.array, volume) and scan.name == "scan"


def test_a_folder_with_one_dicom_series_is_read_with_its_geometry(tmp_path, volume):
    affine = orthogonal(OBLIQUE)
    image = itk_image(volume, affine)
    write_dicom_series(image, tmp_path / "series", "1.2.826.0.1.3680043.2.1125.1")
    scan = read_scan(tmp_path / "series")
    # slices may come in the other order, with the geometry that belongs to it
    index = np.argwhere(volume >= 0)[::97]
    found = np.rint(scan.ijk_from_ras(index @ affine[:3, :3].T + affine[:3, 3])).astype(int)
    assert np.array_equal(scan.array[tuple(found.T)], volume[tuple(index.T)])


def test_a_folder_with_two_dicom_series_is_refused(tmp_path, volume):
    for number in (1, 2):
        write_dicom_series(
            itk_image(volume, np.diag([2.0, 2, 2, 1])), tmp_path / "study", f"1.2.826.0.1.3680043.2.1125.{number}"
        )
    with pytest.raises(InputError, match="2 DICOM series"):
        read_scan(tmp_path / "study")


def test_every_direction_has_the_axis_nearest_to_it_whatever_the_scan_is_turned_flipped_or_sheared_by(volume):
    random = np.random.default_rng(5)
    for _ in range(50):
        order, flips = random.permutation(3), random.choice([-1.0, 1.0], 3)
        linear = np.zeros((3, 3))
        linear[np.arange(3), order] = flips
        angle = random.uniform(-0.6, 0.6)  # up to 35 degrees about an axis of the head
        turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
        affine = np.eye(4)
        affine[:3, :3] = turn @ linear @ [[1, 0, 0.1], [0, 1, 0], [0, 0, 1]] * random.uniform(0.5, 5, 3)
        axis, signs = make_scan(volume, affine).axes_to_ras
        assert axis == tuple(order) and signs.tolist() == flips.tolist()
        codes = nibabel.aff2axcodes(affine)
        assert [codes[a] in "RAS" for a in axis] == [sign > 0 for sign in signs]


def test_scale_factors_are_applied_and_not_rounded(tmp_path, volume):
    image = nibabel.Nifti1Image(volume, np.diag([2.0, 2, 2, 1]))
    image.header.set_slope_inter(0.1, -3)
    nibabel.save(image, tmp_path / "scaled.nii.gz")
    reloaded = nibabel.load(tmp_path / "scaled.nii.gz").get_fdata()
    assert np.array_equal(read_scan(tmp_path / "scaled.nii.gz").array, reloaded)


def test_nan_inside_is_filled_kept_in_the_original_and_warned_about(volume):
    array = volume.astype(np.float32)
    array[3, 4, 5] = np.nan
    scan = make_scan(array, np.diag([2.0, 2, 3, 1]))
    assert np.isfinite(scan.array).all() and np.isnan(scan.original[3, 4, 5])
    assert any("NaN" in note for note in scan.warnings)


@pytest.mark.parametrize("spacing", [0.05, 15.0])
def test_a_wrong_looking_spacing_works_and_is_warned_about(volume, spacing):
    assert any("spacing" in note for note in make_scan(volume, np.diag([spacing, spacing, spacing, 1])).warnings)


BAD_ARRAYS = {
    "4-D": (np.ones((9, 9, 9, 2)), "dimensions"),
    "one slice": (np.arange(81.0).reshape(9, 9, 1), "slice"),
    "two slices": (np.arange(162.0).reshape(9, 9, 2), "slice"),
    "constant": (np.full((9, 9, 9), 7.0), "empty"),
    "all NaN": (np.full((9, 9, 9), np.nan), "finite"),
    "complex": (np.ones((9, 9, 9), complex), "complex"),
}


@pytest.mark.parametrize("kind", BAD_ARRAYS)
def test_an_unusable_volume_is_refused_with_the_reason(kind):
    array, reason = BAD_ARRAYS[kind]
    with pytest.raises(InputError, match=reason):
        make_scan(array, np.eye(4))


@pytest.mark.parametrize("value", [1e39, -1e39, 1e300, np.float32(3e38)])
def test_one_voxel_beyond_what_the_models_reckon_in_is_refused_and_nothing_else_is_said(volume, value):
    array = volume.astype(type(value))
    array[1, 1, 1], array[2, 2, 2] = value, np.nan
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(InputError, match="'scan' has values as far from 0 as .*again"):
            make_scan(array, np.eye(4))


@pytest.fixture(scope="module")
def bad_files(tmp_path_factory):
    """Files that no analysis can use, by what is wrong with them."""
    folder = tmp_path_factory.mktemp("bad")
    head = make_head(4.0)
    whole = folder / "whole.nii.gz"
    write_nifti(whole, head.array, head.affine)
    (folder / "truncated.nii.gz").write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    (folder / "truncated.nii").write_bytes(gzip.decompress(whole.read_bytes())[:20_000])
    (folder / "text.nii.gz").write_text("this is not an image")
    (folder / "text.nrrd").write_text("this is not an image")
    (folder / "notes.txt").write_text("this is not an image")
    (folder / "empty.mha").write_bytes(b"")
    (folder / "empty folder").mkdir()
    colour = np.zeros((20, 20, 20), dtype=[("R", "u1"), ("G", "u1"), ("B", "u1")])
    nibabel.save(nibabel.Nifti1Image(colour, np.eye(4)), folder / "colour.nii.gz")
    SimpleITK.WriteImage(SimpleITK.Image([20, 20, 20], SimpleITK.sitkVectorUInt8, 3), str(folder / "colour.nrrd"))
    nibabel.save(
        nibabel.Nifti1Image(np.random.default_rng(0).normal(size=(20, 20, 20, 3)), np.eye(4)), folder / "series.nii.gz"
    )
    nibabel.save(nibabel.Nifti1Image(np.zeros((20, 20, 20)), np.eye(4)), folder / "zeros.nii.gz")
    return folder


@pytest.mark.parametrize(
    "name",
    [
        "missing.nii.gz",
        "truncated.nii.gz",
        "truncated.nii",
        "text.nii.gz",
        "text.nrrd",
        "notes.txt",
        "empty.mha",
        "empty folder",
        "colour.nii.gz",
        "colour.nrrd",
        "series.nii.gz",
        "zeros.nii.gz",
    ],
)
def test_a_bad_file_gives_one_sentence_exit_code_2_and_no_output(bad_files, tmp_path, capfd, name):
    output = tmp_path / "out"
    code = main(["analyze", str(bad_files / name), "--box", "0,0,0,20,20,20", "--model", "harmonic", "--output", str(output)])
    printed, said = capfd.readouterr()
    assert code == 2 and printed == ""
    assert said.count("\n") == 1 and said.startswith("radiomics-persona: ") and "Traceback" not in said
    assert not output.exists() and list(tmp_path.iterdir()) == []
