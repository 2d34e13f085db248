"""NRRD and MetaImage, whose headers are texts: ITK gives memory that was never written where a file holds fewer voxels than its
header tells of, and puts its own numbers where a header says nothing of the place.
"""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

import numpy as np
import pytest
from bench.ended import in_a_fork

from RadiomicsPersonaLib.cli import main
from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.imaging.files import read_scan

VOLUME = np.random.default_rng(0).integers(0, 900, (6, 7, 8)).astype("<i2")
RAW = VOLUME.tobytes(order="F")
PACKED = zlib.compress(RAW)
SLICES = [f"slice{k}.raw" for k in range(8)]
META = "ObjectType = Image\nNDims = 3\nBinaryData = True\nElementSpacing = 20 20 20\n"
META_PLACE = "TransformMatrix = 1 0 0 0 1 0 0 0 1\nOffset = 0 0 0\n"
META_END = "DimSize = 6 7 8\nElementType = MET_SHORT\nElementDataFile = "
NRRD = "NRRD0004\ntype: short\ndimension: 3\nsizes: 6 7 8\nendian: little\n"
NRRD_PLACE = "space: LPS\nspace directions: (20,0,0) (0,20,0) (0,0,20)\nspace origin: (0,0,0)\n"


@pytest.fixture
def slices(tmp_path) -> Path:
    """A folder with the slices of the volume, a file each, raw and compressed."""
    for k, name in enumerate(SLICES):
        (tmp_path / name).write_bytes(VOLUME[:, :, k].tobytes(order="F"))
        (tmp_path / name.replace("raw", "zraw")).write_bytes(zlib.compress(VOLUME[:, :, k].tobytes(order="F")))
    (tmp_path / "all.zraw").write_bytes(PACKED)
    (tmp_path / "short.raw").write_bytes(RAW[:80])
    return tmp_path


def meta(folder: Path, data: bytes, fields: str = "", named: str = "LOCAL", place: str = META_PLACE) -> Path:
    path = folder / ("scan.mha" if named == "LOCAL" else "scan.mhd")
    path.write_bytes((META + fields + place + META_END + named + "\n").encode() + data)
    return path


def nrrd(folder: Path, data: bytes, fields: str = "encoding: raw\n", place: str = NRRD_PLACE) -> Path:
    path = folder / "scan.nrrd"
    path.write_bytes((NRRD + place + fields + "\n").encode() + data)
    return path


def packed_with(size: int | str) -> str:
    return f"CompressedData = True\nCompressedDataSize = {size}\n"


def listed(names: list[str]) -> bytes:
    return "".join(f"{name}\n" for name in names).encode()


ZIPPED = "CompressedData = True\n"
FEWER = zlib.compress(RAW[:300])


@pytest.mark.parametrize(
    ("data", "fields", "named", "said"),
    [
        (PACKED, ZIPPED, "LOCAL", "CompressedDataSize is missing"),
        *((PACKED, packed_with(size), "LOCAL", f"CompressedDataSize is {size}") for size in (0, 50, -5, 2**31, 2**40)),
        (PACKED, packed_with(2**63), "LOCAL", "no whole number"),
        (b"", packed_with(20), "all.zraw", "'all.zraw' holds .* bytes of compressed voxels"),
        (FEWER, packed_with(len(FEWER)), "LOCAL", "holds 300 bytes of voxels, and the header tells of 672"),
        (zlib.compress(RAW + RAW), packed_with(len(zlib.compress(RAW + RAW))), "LOCAL", "holds more than 672"),
        (RAW[:-4], "", "LOCAL", "holds 668 bytes of voxels"),
        (listed(SLICES[:7]), "", "LIST", "names 7 .* for 8 slice"),
        (listed([*SLICES, SLICES[0]]), "", "LIST", "names 9 .* for 8 slice"),
        (listed(SLICES)[:-1], "", "LIST", "has no end"),
        (listed([*SLICES[:7], "short.raw"]), "", "LIST", "'short.raw' holds 80 bytes of voxels, and the header tells of 84"),
        (listed([*SLICES[:7], "none.raw"]), "", "LIST", "'none.raw' cannot be opened"),
        (listed([name.replace("raw", "zraw") for name in SLICES]), packed_with(30), "LIST", "CompressedDataSize is 30"),
        (b"", "", "slice%d.raw 0 6 1", "names 7 .* for 8 slice"),
        (b"", "", "slice%d.raw 0 14 2", "'slice8.raw' cannot be opened"),
        (b"0123456789" + RAW, "HeaderSize = 10\n", "LOCAL", "HeaderSize"),
        (b"0 " * 336, "BinaryData = False\n", "LOCAL", "written as text"),
    ],
)  # fmt: skip
def test_a_metaimage_that_holds_other_voxels_than_its_header_tells_of_is_refused(slices, capfd, data, fields, named, said):
    path = meta(slices, data, fields, named)
    with pytest.raises(InputError, match=f"'{path.name}'.*{said}.*again"):
        read_scan(path)
    assert main(["mesh", str(path), "-o", str(slices / "out.ply")]) == 2
    assert capfd.readouterr().err.count("\n") == 1


@pytest.mark.parametrize("numbers", ["0 7", "0 7 0", "0 7 x", "7 0 -1", "0 7 1 3", ""])
def test_numbers_of_slices_that_would_end_the_process_or_name_other_slices_are_refused(slices, numbers):
    path = meta(slices, b"", "", f"slice%d.raw {numbers}")

    def code() -> int:
        with pytest.raises(InputError, match="'scan.mhd'.*slice"):
            read_scan(path)
        return 2

    assert in_a_fork(code, None)[0] == 2


@pytest.mark.parametrize(
    ("data", "fields", "named"),
    [
        (RAW, "", "LOCAL"),
        (RAW + b"more", "", "LOCAL"),
        (b"0123456789" + RAW, "HeaderSize = -1\n", "LOCAL"),
        (VOLUME.astype(">i2").tobytes(order="F"), "BinaryDataByteOrderMSB = True\n", "LOCAL"),
        (PACKED, packed_with(len(PACKED)), "LOCAL"),
        (gzip.compress(RAW, mtime=0), packed_with(len(gzip.compress(RAW, mtime=0))), "LOCAL"),
        (b"", packed_with(len(PACKED)), "all.zraw"),
        (b"", ZIPPED, "all.zraw"),
        (listed(SLICES), "", "LIST"),
        (listed(SLICES), "", "LIST 2"),
        (listed([name.replace("raw", "zraw") for name in SLICES]), ZIPPED, "LIST"),
        (b"", "", "slice%d.raw 0 7 1"),
        (b"", ZIPPED, "slice%d.zraw 0 7 1"),
    ],
)
def test_a_metaimage_that_is_whole_is_read(slices, data, fields, named):
    assert np.array_equal(read_scan(meta(slices, data, fields, named)).array, VOLUME)


def test_an_nrrd_whose_voxels_are_counted_from_its_end_does_not_read_its_header_as_voxels(tmp_path):
    fields = "encoding: raw\nbyte skip: -1\n"
    assert np.array_equal(read_scan(nrrd(tmp_path, b"0123456789" + RAW, fields)).array, VOLUME)
    with pytest.raises(InputError, match="'scan.nrrd'.*holds 662 bytes of voxels, and its header tells of 672.*again"):
        read_scan(nrrd(tmp_path, RAW[:-10], fields))


def test_lines_before_the_compressed_voxels_of_an_nrrd_are_passed_over(tmp_path):
    packed = gzip.compress(RAW)
    assert np.array_equal(read_scan(nrrd(tmp_path, b"one\ntwo\n" + packed, "encoding: gzip\nline skip: 2\n")).array, VOLUME)
    with pytest.raises(InputError, match="'scan.nrrd'.*again"):
        read_scan(nrrd(tmp_path, b"one\ntwo\n" + packed[:-9], "encoding: gzip\nline skip: 2\n"))


UNSAID = {
    "space": "where right and left are",
    "space directions": "how its axes lie",
    "space origin": "where its first voxel lies",
}


@pytest.mark.parametrize("left_out", [*UNSAID, "all"])
def test_what_an_nrrd_does_not_say_of_its_place_is_told_as_a_guess(tmp_path, left_out):
    lines = [line for line in NRRD_PLACE.splitlines(True) if left_out not in ("all", line.partition(":")[0])]
    if left_out == "space":
        lines.insert(0, "space dimension: 3\n")
    told = read_scan(nrrd(tmp_path, RAW, place="".join(lines))).warnings[0]
    for key, what in UNSAID.items():
        assert (what in told) == (left_out in (key, "all"))
    assert (
        "'scan.nrrd'" in told
        and "guess" in told
        and "convert it again" in told
        and ("spacings" in told) == (left_out in ("space directions", "all"))
    )


@pytest.mark.parametrize("space", ["3D-right-handed", "3D-left-handed", "scanner-xyz"])
def test_a_space_of_nrrd_without_the_patients_sides_is_told_as_a_guess(tmp_path, space):
    told = read_scan(nrrd(tmp_path, RAW, place=NRRD_PLACE.replace("LPS", space))).warnings
    assert "where right and left are" in told[0] and "guess" in told[0]


@pytest.mark.parametrize("space", ["LPS", "ras", "left-anterior-superior"])
def test_a_place_that_is_given_whole_is_not_told(tmp_path, space):
    units = 'space units: "mm" "mm" "mm"\n'
    for path in (nrrd(tmp_path, RAW, place=NRRD_PLACE.replace("LPS", space) + units), meta(tmp_path, RAW)):
        assert not any("guess" in told for told in read_scan(path).warnings)


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("origin: (0,0,0)", "origin: (nan,nan,nan)"),
        ("origin: (0,0,0)", "origin: (0;5,0,0)"),
        ("(0,20,0)", "(nan,nan,nan)"),
        ("(0,0,0)\n", '(0,0,0)\nspace units: "cm" "cm" "cm"\n'),
        ("(0,0,0)\n", '(0,0,0)\nspace units: "mm" "mm" "m"\n'),
    ],
)
def test_an_nrrd_whose_place_would_be_taken_for_another_is_refused(tmp_path, right, wrong):
    assert right in NRRD_PLACE
    with pytest.raises(InputError, match="'scan.nrrd' has 'space .*header.*again"):
        read_scan(nrrd(tmp_path, RAW, place=NRRD_PLACE.replace(right, wrong)))


@pytest.mark.parametrize("left_out", ["TransformMatrix", "Offset", "ElementSpacing"])
def test_what_a_metaimage_does_not_say_of_its_place_is_told_as_a_guess(tmp_path, left_out):
    path = meta(tmp_path, RAW)
    path.write_bytes(b"".join(line for line in path.read_bytes().splitlines(True) if not line.startswith(left_out.encode())))
    told = read_scan(path).warnings[0]
    assert f"(no {left_out})" in told and "'scan.mha'" in told and "guess" in told


@pytest.mark.parametrize("line", ["Offset = 10,5 20,5 5,5", "Offset = nan 0 0", "Offset = 0 0 0 0", "ElementSpacing = 2,5 2 2"])
def test_a_metaimage_whose_numbers_are_not_those_of_its_axes_is_refused(tmp_path, line):
    with pytest.raises(InputError, match=f"'scan.mha' has '{line}' in its header.*correct that line"):
        read_scan(meta(tmp_path, RAW, place=META_PLACE + line + "\n"))
