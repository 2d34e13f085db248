"""Targets: images. ITK, through which 3D Slicer reads, is the oracle of where their voxels lie and what they are."""

from __future__ import annotations

import gzip
import struct
import tempfile
from functools import cache
from pathlib import Path

import nibabel
import numpy as np
import SimpleITK
from bench.dicom_series import slices_of, write_slices
from hypothesis import strategies as st

from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.imaging.files import read_scan
from RadiomicsPersonaLib.imaging.grid import SAME_PLACE, Grid
from RadiomicsPersonaLib.imaging.scan import LPS_TO_RAS, Scan

from .target import Target, damaged, refusal

VOLUME = np.random.default_rng(0).integers(0, 900, (8, 7, 6)).astype(np.int16)
_folder = tempfile.TemporaryDirectory(prefix="radiomics-persona-fuzz-")
FOLDER = Path(_folder.name)
SimpleITK.ProcessObject.SetGlobalWarningDisplay(False)


def answer_to(path: Path) -> Scan | str:
    """What the program reads, or its refusal."""
    try:
        return read_scan(path)
    except InputError as error:
        return refusal(error, path.name.removesuffix(".gz").rsplit(".", 1)[0])
    except MemoryError:
        return "refused for lack of memory"


def beside_itk(path: Path, slope: float = 1.0) -> str:
    """Compare what is read with what ITK reads.

    Args:
        slope: of a NIfTI header; ITK takes one that is nearly 0 for 1, and the unit of intensity does not matter to us.
    """
    scan = answer_to(path)
    if isinstance(scan, str):
        return scan
    try:
        image = SimpleITK.ReadImage(str(path))
    except RuntimeError:
        assert scan.warnings, "read without a word, and ITK refuses it"
        return "read where ITK refuses, and told"
    while image.GetDimension() > 3:
        image = image[(slice(None),) * (image.GetDimension() - 1) + (0,)]
    affine = np.eye(4)
    affine[:3, :3] = np.array(image.GetDirection()).reshape(3, 3) * image.GetSpacing()
    affine[:3, 3] = image.GetOrigin()
    theirs = Grid(image.GetSize(), LPS_TO_RAS @ affine)
    assert scan.shape == theirs.shape, (scan.shape, theirs.shape)
    apart = scan.grid.apart(theirs)
    if not apart <= max(SAME_PLACE * scan.spacing.min(), 1e-5 * np.abs(scan.affine[:3, 3]).max()):
        assert any("skewed" in told for told in scan.warnings), f"{apart} mm from where ITK has it: {scan.affine} {affine}"
        return "skewed, and told"
    values = SimpleITK.GetArrayFromImage(image).transpose(2, 1, 0).astype(np.float64)
    finite = np.isfinite(values)
    scale = max(1e-30, float(np.abs(values[finite]).max(initial=0)))
    ours = scan.array * (1 / slope if 0 < abs(slope) < np.finfo(float).eps else 1)
    assert np.allclose(ours[finite], values[finite], rtol=1e-5, atol=1e-6 * scale), "other values than ITK's"
    return "read as ITK reads it"


@cache
def nifti() -> bytes:
    """An oblique NIfTI file with both forms."""
    turn = nibabel.eulerangles.euler2mat(0.1, -0.2, 0.3)
    affine = np.eye(4)
    affine[:3, :3] = turn * [12.0, 13.0, 14.0]
    affine[:3, 3] = -40, -30, -20
    image = nibabel.Nifti1Image(VOLUME, affine)
    image.set_qform(affine, 1)
    image.set_sform(affine, 1)
    return image.to_bytes()


_FLOATS = (0.0, -0.0, 1.0, -1.0, 0.5, 2.0, 3.7, 1e-40, 1e30, -1e30, float("nan"), float("inf"), float("-inf"))
_SHORTS = (0, 1, 2, 3, 4, 5, 6, 8, 16, 64, 128, 256, 512, 768, 1024, 1536, 2304, 32767, -1, -32768)
_FIELDS = [(40 + 2 * n, "<h") for n in range(8)] + [(70, "<h"), (72, "<h"), (252, "<h"), (254, "<h")]
_FIELDS += [(offset, "<f") for offset in (*range(76, 120, 4), *range(256, 328, 4))] + [(123, "<b"), (344, "<i"), (0, "<i")]
"""Places in a NIfTI header, and what stands there: sizes, kind, codes, voxel sizes, offset, slope, unit, both forms."""


@st.composite
def nifti_headers(draw) -> bytes:
    """A NIfTI file with one to three fields of its header changed."""
    content = bytearray(nifti())
    for _ in range(draw(st.integers(1, 3))):
        offset, kind = draw(st.sampled_from(_FIELDS))
        now = struct.unpack_from(kind, content, offset)[0]
        if kind == "<f":
            value = draw(st.sampled_from(_FLOATS) | st.sampled_from([now * 1.0001, now * 1.2, -now]))
        else:
            value = draw(st.sampled_from(_SHORTS) | st.integers(-2, 2).map(now.__add__))
        struct.pack_into(
            kind, content, offset, value if kind == "<f" else max(-128, min(127, value)) if kind == "<b" else value
        )
    return bytes(content)


def check_nifti(content: bytes) -> str:
    path = FOLDER / "header.nii"
    path.write_bytes(content)
    return beside_itk(path, struct.unpack_from("<f", content.ljust(116, b"\0"), 112)[0])


@cache
def itk_file(suffix: str) -> bytes:
    image = SimpleITK.GetImageFromArray(VOLUME.transpose(2, 1, 0))
    image.SetSpacing((12.0, 13.0, 14.0))
    image.SetOrigin((-40.0, 30.0, -20.0))
    path = FOLDER / f"whole{suffix}"
    SimpleITK.WriteImage(image, str(path), useCompression=False)
    return path.read_bytes()


_NRRD = {
    "space": ["left-posterior-superior", "RAS", "LAS", "left-anterior-superior", "scanner-xyz", "3D-right-handed", "", "x"],
    "space directions": [
        "(12,0,0) (0,13,0) (0,0,14)",
        "(-12,0,0) (0,13,0) (0,0,14)",
        "(12,3,0) (0,13,0) (0,0,14)",
        "(0,0,0) (0,13,0) (0,0,14)",
        "(nan,0,0) (0,13,0) (0,0,14)",
        "(1e300,0,0) (0,13,0) (0,0,14)",
        "none (0,13,0) (0,0,14)",
        "(12,0) (0,13) (0,14)",
        "(12,0,0) (0,13,0)",
        "",
    ],
    "space origin": ["(-40,30,-20)", "(nan,0,0)", "(inf,0,0)", "(1e38,0,0)", "(0,0)", "none", ""],
    "sizes": ["8 7 6", "6 7 8", "8 7 7", "8 7 5", "8 42 1", "8 -7 6", "0 7 6", "2000000000 2000000000 6", "8 7", "8 7 6 1", ""],
    "dimension": ["3", "2", "4", "0", "-3", "16", "99", "x"],
    "type": ["short", "ushort", "int16", "float", "double", "uchar", "int8", "uint64", "block", "x"],
    "endian": ["little", "big", "x"],
    "encoding": ["raw", "gzip", "ascii", "hex", "bzip2", "x"],
    "kinds": ["domain domain domain", "vector domain domain", "domain domain list", "domain domain", "x y z"],
    "spacings": ["12 13 14", "-12 13 14", "0 13 14", "nan nan nan"],
    "thicknesses": ["12 13 14", "x"],
    "byte skip": ["0", "2", "-1", "100", "-100"],
    "line skip": ["0", "1", "-1"],
    "data file": ["LIST", "none.raw", "/etc/hostname", "header.nrrd", "%d 0 5 1", "%d%s 0 5 1", "x" * 2000],
    "units": ['"mm" "mm" "mm"', "1 " * 600],
    "measurement frame": ["(1,0,0) (0,1,0) (0,0,1)", "(0,1,0) (1,0,0) (0,0,1)", "x"],
    "centers": ["cell cell cell", "node node node", "x"],
}
"""Fields of an NRRD header, and what may stand there."""
_MHA = {
    "NDims": ["3", "2", "4", "0", "-1", "99"],
    "DimSize": ["8 7 6", "8 7 5", "8 7 7", "-8 7 6", "0 7 6", "2000000000 2000000000 6", "8 7", ""],
    "ElementSpacing": ["12 13 14", "0 13 14", "-12 13 14", "nan 13 14", "1e300 13 14", "12", ""],
    "ElementSize": ["12 13 14", "1 1 1"],
    "Offset": ["-40 30 -20", "nan 0 0", "inf 0 0", "0 0", ""],
    "TransformMatrix": [
        "1 0 0 0 1 0 0 0 1",
        "-1 0 0 0 1 0 0 0 1",
        "0 0 0 0 0 0 0 0 0",
        "1 0.3 0 0 1 0 0 0 1",
        "nan 0 0 0 1 0 0 0 1",
        "1",
    ],
    "CenterOfRotation": ["0 0 0", "5 5 5"],
    "ElementType": ["MET_SHORT", "MET_USHORT", "MET_FLOAT", "MET_DOUBLE", "MET_UCHAR", "MET_STRING", "x"],
    "ElementNumberOfChannels": ["1", "2", "3", "0", "-1"],
    "BinaryDataByteOrderMSB": ["True", "False", "x"],
    "CompressedData": ["True", "False"],
    "HeaderSize": ["-1", "0", "10", "999999"],
    "ElementDataFile": ["LOCAL", "none.raw", "LIST", "/etc/hostname", "header.mha", "%d 0 5 1", "%s%s%s%s 0 5 1"],
    "AnatomicalOrientation": ["RAI", "LPS", "RAS", "???", "x"],
}
"""Fields of a MetaImage header, and what may stand there."""  # fmt: skip


@st.composite
def text_headers(draw, suffix: str) -> bytes:
    """An NRRD or MetaImage file with one to three fields replaced, left out, or written twice."""
    nrrd = suffix == ".nrrd"
    fields, mark, whole = (_NRRD, ": ", itk_file(suffix)) if nrrd else (_MHA, " = ", itk_file(suffix))
    end = whole.index(b"\n\n") + 1 if nrrd else whole.index(b"ElementDataFile = LOCAL\n") + len(b"ElementDataFile = LOCAL\n")
    lines = whole[:end].decode().splitlines()
    for _ in range(draw(st.integers(1, 3))):
        key = draw(st.sampled_from(sorted(fields)))
        line = f"{key}{mark}{draw(st.sampled_from(fields[key]))}"
        there = [number for number, text in enumerate(lines) if text.startswith(key + mark)]
        kind = draw(st.sampled_from(["replace", "replace", "out", "twice"]))
        if not there or kind == "twice":
            lines.insert(max(1, len(lines) - 1), line)
        elif kind == "out":
            del lines[there[0]]
        else:
            lines[there[0]] = line
    return "\n".join(lines).encode() + b"\n" + whole[end:]


def check_itk(suffix: str):
    def check(content: bytes) -> str:
        path = FOLDER / f"header{suffix}"
        path.write_bytes(content)
        return beside_itk(path)

    return check


def itk_examples(suffix: str) -> st.SearchStrategy:
    return text_headers(suffix) | damaged(itk_file(suffix), last=400)


@cache
def packed() -> bytes:
    return gzip.compress(nifti(), 6, mtime=0)


@cache
def right() -> Scan:
    (FOLDER / "right.nii").write_bytes(nifti())
    return read_scan(FOLDER / "right.nii")


@st.composite
def one_bit(draw) -> bytes:
    """A compressed scan in which one bit is wrong."""
    content = bytearray(packed())
    content[draw(st.integers(0, len(content) - 1))] ^= 1 << draw(st.integers(0, 7))
    return bytes(content)


def check_packed(content: bytes) -> str:
    path = FOLDER / "packed.nii.gz"
    path.write_bytes(content)
    scan = answer_to(path)
    if isinstance(scan, str):
        return scan
    assert np.array_equal(scan.array, right().array) and np.array_equal(scan.affine, right().affine), "other voxels, silently"
    return "read whole: what is damaged says nothing of the scan"


@cache
def slices() -> tuple[bytes, ...]:
    """The files of a whole DICOM series."""
    image = SimpleITK.GetImageFromArray(VOLUME.transpose(2, 1, 0))
    image.SetSpacing((12.0, 13.0, 14.0))
    image.SetOrigin((-40.0, 30.0, -20.0))
    folder = FOLDER / "whole series"
    folder.mkdir(exist_ok=True)
    write_slices(slices_of(image), folder)
    return tuple(file.read_bytes() for file in sorted(folder.iterdir()))


@cache
def right_series() -> Scan:
    slices()
    return read_scan(FOLDER / "whole series")


@st.composite
def damaged_series(draw) -> tuple[int, bytes]:
    """A slice of a DICOM series and its damaged content, the voxels apart, which have no checksum."""
    number = draw(st.integers(0, len(slices()) - 1))
    return number, draw(damaged(slices()[number], first=100, last=len(slices()[number]) - VOLUME[:, :, 0].nbytes - 12))


def check_series(example: tuple[int, bytes]) -> str:
    folder = FOLDER / "series"
    folder.mkdir(exist_ok=True)
    for number, content in enumerate(slices()):
        (folder / f"{number:02d}.dcm").write_bytes(example[1] if number == example[0] else content)
    try:
        scan = read_scan(folder)
    except InputError as error:
        return refusal(error)
    assert scan.shape == right_series().shape, "slices are missing"
    apart = scan.grid.apart(right_series().grid)
    assert apart <= SAME_PLACE * scan.spacing.min(), f"{apart} mm aside"
    return "read in its place"


TARGETS = [
    Target("NIfTI headers", nifti_headers, check_nifti, 500),
    Target("NIfTI headers, bytes", lambda: damaged(nifti(), last=352), check_nifti, 300),
    Target("NRRD headers", lambda: itk_examples(".nrrd"), check_itk(".nrrd"), 300),
    Target("MetaImage headers", lambda: itk_examples(".mha"), check_itk(".mha"), 300),
    Target("one wrong bit in a compressed scan", one_bit, check_packed, 300),
    Target("compressed scans, bytes", lambda: damaged(packed()), check_packed, 300),
    Target("DICOM series, bytes", damaged_series, check_series, 60),
]
