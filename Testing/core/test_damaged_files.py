"""A compressed image is whole, or it is refused: the sums that gzip and zlib keep are compared to the end."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK
from bench.ended import in_a_fork

from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.imaging.files import read_label_map, read_mask, read_scan

PACKED = {
    ".nii.gz": None,
    ".mgz": None,
    ".nrrd": None,
    ".nhdr": ".raw.gz",
    ".mha": None,
    ".mhd": ".zraw",
}
"""How a compressed image's file ends, and the file beside it that holds its voxels."""


def packed_image(folder: Path, suffix: str) -> tuple[Path, Path]:
    """A compressed image, and the file in which its voxels are."""
    volume = np.random.default_rng(0).integers(0, 2, (24, 25, 26)).astype(np.int16)
    path = folder / f"scan{suffix}"
    if suffix == ".nii.gz":
        nibabel.save(nibabel.Nifti1Image(volume, np.diag([8.0, 8, 8, 1])), path)
    elif suffix == ".mgz":
        nibabel.save(nibabel.MGHImage(volume, np.diag([8.0, 8, 8, 1])), path)
    else:
        image = SimpleITK.GetImageFromArray(volume.transpose(2, 1, 0))
        image.SetSpacing((8.0, 8.0, 8.0))
        SimpleITK.WriteImage(image, str(path), useCompression=True)
    return path, folder / f"scan{PACKED[suffix]}" if PACKED[suffix] else path


@pytest.mark.parametrize("suffix", PACKED)
def test_one_wrong_bit_anywhere_in_a_compressed_image_is_found(tmp_path, suffix):
    """The voxels, or a refusal that names the file; never other voxels."""
    path, voxels = packed_image(tmp_path, suffix)
    right, whole = read_scan(path).array, voxels.read_bytes()
    random = np.random.default_rng(1)
    refused = 0
    for place in [*random.integers(400 if path == voxels else 12, len(whole) - 8, 25), *range(len(whole) - 8, len(whole))]:
        damaged = bytearray(whole)
        damaged[place] ^= 1 << int(random.integers(8))
        voxels.write_bytes(damaged)
        try:
            assert np.array_equal(read_scan(path).array, right)
        except InputError as error:
            assert f"'{path.name}'" in str(error) and "again" in str(error)
            refused += 1
    assert refused > 25


@pytest.mark.parametrize("key", [b"CompressedData", b"ElementDataFile", b"DimSize"])
def test_one_wrong_bit_is_found_however_a_header_parts_names_from_values(tmp_path, key):
    path, _ = packed_image(tmp_path, ".mha")
    right, whole = read_scan(path).array, path.read_bytes().replace(key + b" =", key + b" :")
    path.write_bytes(whole)
    assert np.array_equal(read_scan(path).array, right)
    for place in range(600, len(whole) - 8, len(whole) // 20):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :])
        with pytest.raises(InputError, match="'scan.mha'.*again"):
            read_scan(path)


@pytest.mark.parametrize("suffix", PACKED)
@pytest.mark.parametrize("read", [read_scan, read_label_map, read_mask])
def test_a_compressed_image_that_is_cut_off_is_refused(tmp_path, suffix, read):
    path, voxels = packed_image(tmp_path, suffix)
    for less in (1, 4, 9, 2000):
        _, voxels = packed_image(tmp_path, suffix)
        voxels.write_bytes(voxels.read_bytes()[:-less])
        with pytest.raises(InputError, match=f"'{path.name}'.*again"):
            read(path)


def test_a_file_that_a_header_names_and_that_is_not_there_is_refused(tmp_path):
    for suffix in (".nhdr", ".mhd"):
        path, voxels = packed_image(tmp_path, suffix)
        voxels.unlink()
        with pytest.raises(InputError, match=f"'{path.name}'"):
            read_scan(path)


def test_voxels_in_a_list_of_compressed_files_are_read_and_checked(tmp_path):
    image = SimpleITK.GetImageFromArray(np.random.default_rng(0).integers(0, 900, (6, 25, 24)).astype(np.int16))
    path, voxels = tmp_path / "scan.nhdr", []
    for k in range(6):
        SimpleITK.WriteImage(image[:, :, k : k + 1], str(tmp_path / f"slice{k}.nhdr"), useCompression=True)
        voxels.append(tmp_path / f"slice{k}.raw.gz")
    path.write_text(
        "NRRD0004\ntype: short\ndimension: 3\nsizes: 24 25 6\nencoding: gzip\nendian: little\ndata file: LIST\n"
        + "".join(f"{file.name}\n" for file in voxels)
    )
    assert np.array_equal(read_scan(path).array, SimpleITK.GetArrayFromImage(image).transpose(2, 1, 0))
    damaged = bytearray(voxels[3].read_bytes())
    damaged[-6] ^= 1
    voxels[3].write_bytes(damaged)
    with pytest.raises(InputError, match="'scan.nhdr'.*CRC"):
        read_scan(path)


NRRD = b"""NRRD0004
type: short
dimension: 3
space: left-posterior-superior
sizes: 8 7 6
space directions: (12,0,0) (0,13,0) (0,0,14)
space origin: (-40,30,-20)
endian: little
encoding: raw
"""
META = b"""ObjectType = Image
NDims = 3
DimSize = 8 7 6
ElementSpacing = 12 13 14
ElementType = MET_SHORT
ElementDataFile = LOCAL
"""
NUMBERED = b"data file: %d.raw 1 6 1"


@pytest.mark.parametrize(
    ("suffix", "header", "said"),
    [
        *((".mha", META.replace(b"NDims = 3", b"NDims = " + n), f"{n.decode()} dimensions") for n in (b"-1", b"99", b"1e20")),
        (".mha", b"NDims = -1\n" + META, "-1 dimensions"),
        *((".mhd", META.replace(b"LOCAL", named + b" 1 6 1"), "has a %") for named in (b"%s%s%s%s", b"%n", b"%d%s", b"%9999d")),
        *((".nhdr", NRRD + b"data file: " + named + b" 1 6 1", "has a %") for named in (b"%d%s", b"%9999d", b"%d%n")),
        *((".nrrd", NRRD + key + b": " + b"1 " * 600 + b"\n\n", "characters") for key in (b"spacings", b"units", b"k" * 1000)),
        (".nhdr", NRRD + b"data file: " + b"x" * 2000, "characters"),
    ],
)
def test_a_header_that_would_end_the_process_is_refused(suffix, header, said, tmp_path, capfd):
    """In a fork: without the refusal ITK ends it."""
    path = tmp_path / f"scan{suffix}"
    path.write_bytes(header if suffix == ".nhdr" else header + bytes(672))

    def refused() -> int:
        with pytest.raises(InputError, match="'scan.* again") as caught:
            read_scan(path)
        print(caught.value)
        return 0

    assert in_a_fork(refused, None)[0] == 0
    assert said in capfd.readouterr().out


def test_long_lines_that_say_nothing_of_the_voxels_and_numbered_files_are_read(tmp_path):
    free = [b"content: " + b"c" * 9000, b"# " + b"c" * 9000, b"key:=" + b"c" * 9000]
    (tmp_path / "scan.nrrd").write_bytes(NRRD + b"\n".join(free) + b"\n\n" + bytes(range(96)) * 7)
    (tmp_path / "scan.nhdr").write_bytes(NRRD + NUMBERED + b"\n")
    for number in range(1, 7):
        (tmp_path / f"{number}.raw").write_bytes((bytes(range(96)) * 7)[(number - 1) * 112 : number * 112])
    assert np.array_equal(read_scan(tmp_path / "scan.nrrd").array, read_scan(tmp_path / "scan.nhdr").array)


@pytest.mark.parametrize("suffix", [".nhdr", ".nrrd", ".mhd"])
def test_an_image_far_down_in_folders_is_read_or_refused(suffix, tmp_path):
    folder = tmp_path.joinpath(*["d" * 99] * 20)
    folder.mkdir(parents=True)
    path, voxels = packed_image(tmp_path, suffix)
    for file in {path, voxels}:
        (folder / file.name).write_bytes(file.read_bytes())
    assert np.array_equal(read_scan(folder / path.name).array, read_scan(path).array)

    def refused() -> int:
        (folder / path.name).write_bytes(path.read_bytes()[:100].replace(b"encoding: gzip", b"encoding: x"))
        with pytest.raises(InputError, match=f"'{path.name}'"):
            read_scan(folder / path.name)
        return 0

    assert in_a_fork(refused, None)[0] == 0


def nifti_with(offset: int, kind: str, value: float) -> bytes:
    content = bytearray(nibabel.Nifti1Image(np.arange(336, dtype="i2").reshape(6, 7, 8), np.diag([20.0, 20, 20, 1])).to_bytes())
    struct.pack_into(kind, content, offset, value)
    return bytes(content)


def mgh_with(offset: int, kind: str, value: float) -> bytes:
    content = bytearray(nibabel.MGHImage(np.arange(336, dtype="i2").reshape(6, 7, 8), np.diag([20.0, 20, 20, 1])).to_bytes())
    struct.pack_into(kind, content, offset, value)
    return bytes(content)


@pytest.mark.parametrize(
    ("suffix", "content"),
    [
        (".nii", nifti_with(40, "<h", 8)),
        (".nii", nifti_with(0, "<i", 7)),
        (".nii", nifti_with(254, "<h", 9)),
        (".nii", nifti_with(112, "<f", 3e38)),
        (".nii", nifti_with(280, "<f", float("nan"))),
        (".mgh", mgh_with(4, ">i", 2**31 - 1)),
        (".mgh", mgh_with(8, ">i", 2**30)),
        (".mgh", mgh_with(30, ">f", float("inf"))),
        (".mgh", mgh_with(42, ">f", float("nan"))),
    ],
)
def test_a_damaged_header_is_told_in_one_sentence_and_by_no_library(tmp_path, checkout, suffix, content):
    """In a process of its own: pytest takes what libraries print for itself."""
    (tmp_path / f"scan{suffix}").write_bytes(content)
    words = [
        sys.executable,
        "-m",
        "RadiomicsPersonaLib",
        "mesh",
        str(tmp_path / f"scan{suffix}"),
        "-o",
        str(tmp_path / "out.ply"),
    ]
    environment = os.environ | {"PYTHONPATH": str(checkout / "RadiomicsPersona")}
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.startswith("radiomics-persona: ") and done.stderr.count("\n") == 1, done.stderr


def test_sizes_whose_product_begins_anew_are_refused_as_sizes(tmp_path):
    (tmp_path / "scan.mgh").write_bytes(mgh_with(4, ">i", 2**31 - 1))
    with pytest.raises(InputError, match="'scan.mgh' has 2147483647 x 7 x 8 voxels by its header"):
        read_scan(tmp_path / "scan.mgh")
