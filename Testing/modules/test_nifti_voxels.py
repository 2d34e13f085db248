"""Voxels of NIfTI files as Slicer's process reads them, with numpy alone."""

from __future__ import annotations

import gzip

import numpy as np
import pytest

from RadiomicsPersonaLib.imaging.files import write_nifti
from RadiomicsPersonaTrainingPages.nifti_voxels import read_nifti_voxels


@pytest.mark.parametrize("dtype", ["u1", "i2", "i4", "f4", "f8", "u2"])
def test_the_voxels_of_a_nifti_file_are_read_as_they_are_stored(tmp_path, dtype):
    """With left-handed and sheared grids too, which Slicer's own reader would turn round or straighten."""
    random = np.random.default_rng(5)
    array = random.integers(0, 200, (4, 5, 6)).astype(dtype)
    affine = np.eye(4)
    affine[:3] = random.standard_normal((3, 4))
    write_nifti(tmp_path / "a.nii.gz", array, affine)
    voxels, read_affine = read_nifti_voxels(tmp_path / "a.nii.gz")
    assert voxels.dtype == array.dtype
    np.testing.assert_array_equal(voxels, array)
    np.testing.assert_allclose(read_affine, affine, rtol=1e-6)


def test_other_files_are_not_taken_for_nifti(tmp_path):
    path = tmp_path / "a.nii.gz"
    path.write_bytes(gzip.compress(b"x" * 1000))
    with pytest.raises(ValueError, match="not a NIfTI-1 file"):
        read_nifti_voxels(path)
    write_nifti(path, np.zeros((3, 3, 3, 2), np.float32), np.eye(4))
    with pytest.raises(ValueError, match="4 dimensions"):
        read_nifti_voxels(path)
