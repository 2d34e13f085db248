"""Files: scans, label maps and masks read from NIfTI, NRRD, MetaImage, MGZ and DICOM, and volumes written as NIfTI or NRRD.

NRRD is written without a library, as Slicer writes it, for its process has none to spare.
"""

from __future__ import annotations

import gzip
import hashlib
import math
import os
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ..errors import InputError
from ..system.device import ran_out_of_memory
from ..system.names import plain_path, shown
from .checksums import check_voxels, crc_of, large_end_first, read_to_end
from .dicom import read_series
from .nifti_place import place_of
from .scan import LPS_TO_RAS, Scan, make_scan, one_volume
from .text_header import read_text_header
from .unsafe_headers import refuse_unsafe_header

# Imported in functions: nibabel, which a Slicer may lack; SimpleITK, which Slicer's own process, which reads this room, must
# not load.


FEWEST_SHADES = 40
"""Values up to which an image may be a label map, however mixed."""
LEAST_EQUAL = 0.5
"""Share of neighbours of the same value within a label map: 0.7 to 0.95 in parcellations of 100 regions, below 0.2 in scans."""


MOST_LABELS = 10_000
"""Of a label map; each is looked at by itself."""


def read_labels(path: str | Path) -> Scan:
    """A label map whose values are labels: a mask, or regions; it may be empty.

    Raises:
        InputError: not a 3-D image of whole numbers from 0 on, a scan, too many labels, or without a usable geometry.
    """
    name = Path(path).name
    image = read_label_map(path)
    labels = image.array
    if not np.array_equal(labels, np.rint(labels)):
        raise InputError(f"The mask '{name}' holds values that are not whole numbers: choose a segmentation, not an image.")
    if labels.min() < 0:
        raise InputError(f"The mask '{name}' holds values below 0: choose a segmentation, whose background is 0.")
    values = len(np.unique(labels[labels != 0]))
    if values > FEWEST_SHADES and _equal_neighbours(labels) < LEAST_EQUAL:
        raise InputError(
            f"'{name}' looks like a scan, not like a mask ({values} values that change from voxel to voxel): "
            "choose a segmentation."
        )
    if values > MOST_LABELS or labels.max() > np.iinfo(np.int64).max // 2:
        raise InputError(
            f"'{name}' has {values} labels up to {labels.max():g}, which no segmentation has: choose a segmentation."
        )
    return image


def read_mask(path: str | Path, label: int | None = None) -> Scan:
    """The voxels of one label, or of all labels other than 0.

    Returns:
        a boolean array that is not empty, in its place, with what the user should know of the file.
    Raises:
        InputError: as `read_labels`; empty, or without that label.
    """
    name = Path(path).name
    image = read_labels(path)
    labels = image.array
    if not labels.any():
        raise InputError(f"The mask '{name}' is empty: mark some voxels first.")
    if label is None:
        return replace(image, array=labels != 0)
    if not (labels == label).any():
        there = np.unique(labels[labels != 0]).astype(int)
        listed = ", ".join(map(str, there[:20])) + (", ..." if len(there) > 20 else "")
        raise InputError(f"The mask '{name}' has no label {label}: choose one of {listed}.")
    return replace(image, array=labels == label)


def _equal_neighbours(labels: np.ndarray) -> float:
    """Share of equal values among neighbours along the last axis of which the first is not 0."""
    inside = labels[..., :-1] != 0
    return float((labels[..., :-1] == labels[..., 1:])[inside].mean()) if inside.any() else 1.0


def write_nrrd(stream: BinaryIO, array: np.ndarray, affine: np.ndarray) -> None:
    """Write a volume as gzip-compressed NRRD in LPS coordinates, its values bit for bit.

    Args:
        stream: where to; only written to, never sought.
        array: float32 or float64, axes I, J, K.
        affine: 4x4, IJK to RAS millimetres.
    """
    kind = {"float32": "float", "float64": "double"}[array.dtype.name]
    matrix = LPS_TO_RAS @ affine
    header = (
        f"NRRD0004\ntype: {kind}\ndimension: 3\nspace: left-posterior-superior\n"
        f"sizes: {' '.join(map(str, array.shape))}\n"
        f"space directions: {' '.join(_vector(column) for column in matrix[:3, :3].T)}\n"
        "kinds: domain domain domain\nendian: little\nencoding: gzip\n"
        f"space origin: {_vector(matrix[:3, 3])}\n\n"
    )
    stream.write(header.encode("ascii"))
    # level 1: a scan's noise hardly compresses, and nobody should wait for it
    with gzip.GzipFile("", "wb", compresslevel=1, fileobj=stream, mtime=0) as packed:
        for k in range(array.shape[2]):
            packed.write(array[:, :, k].astype(array.dtype.newbyteorder("<"), copy=False).tobytes(order="F"))


def _vector(values: np.ndarray) -> str:
    return "(" + ",".join(repr(float(value)) for value in values) + ")"


NIBABEL_SUFFIXES = (".nii", ".nii.gz", ".mgz", ".mgh")
ITK_SUFFIXES = (".nrrd", ".nhdr", ".mha", ".mhd")
MOST_VOXELS = 2**31
"""Of an image: a cube of 1,290 voxels along each axis."""
MGH_HEADER_BYTES = 284
MOST_PACKED = 1100
"""Bytes that one byte of a compressed file holds at most."""
READABLE = "NIfTI (.nii, .nii.gz), NRRD (.nrrd, .nhdr), MetaImage (.mha, .mhd), MGZ (.mgz), or a folder with one DICOM series"


def read_scan(path: str | Path) -> Scan:
    """Read a scan from a file or from a folder with one DICOM series.

    Raises:
        InputError: the file is missing, damaged, not an image, or not a usable 3-D scan.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_nifti(f"{folder}/head_T1.nii.gz", np.arange(60.0).reshape(3, 4, 5), np.diag([2.0, 2.0, 3.5, 1.0]))
    ...     scan = read_scan(f"{folder}/head_T1.nii.gz")
    >>> scan.name, scan.shape, scan.spacing.tolist()
    ('head_T1', (3, 4, 5), [2.0, 2.0, 3.5])
    """
    path = Path(path)
    array, affine, told = _read(path)
    return make_scan(array, affine, shown(name_of(path)), told)


def read_label_map(path: str | Path) -> Scan:
    """Read a label map or mask as it is stored; unlike a scan it may have one value everywhere.

    Voxels that are NaN or infinite are background, 0: several programs write NaN around what they mark.

    Raises:
        InputError: the file is missing, damaged, not an image, not 3-D, or without a usable geometry.
    """
    path = Path(path)
    array, affine, told = _read(path)
    array = one_volume(array, affine, path.name)
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        array = np.where(np.isfinite(array), array, array.dtype.type(0))
    return Scan(array, affine, shown(name_of(path)), warnings=told)


def name_of(path: str | Path) -> str:
    """File name without the suffixes of image files."""
    name = Path(path).name
    for suffix in sorted(NIBABEL_SUFFIXES + ITK_SUFFIXES, key=len, reverse=True):
        if name.lower().endswith(suffix):
            return name[: -len(suffix)]
    return name


def write_nifti(path: str | Path, array: np.ndarray, affine: np.ndarray) -> None:
    """Write an array (axes I, J, K) with its IJK-to-RAS matrix as NIfTI, without rescaling.

    A qform cannot be skewed; that of a skewed grid has the code 0, so that the file tells one place and not two.
    """
    import nibabel

    image = nibabel.Nifti1Image(array, affine)
    image.header.set_xyzt_units("mm")
    image.set_qform(affine, 1)
    image.set_sform(affine, 1)
    if place_of(image.header, image.shape, Path(path).name)[1]:
        image.set_qform(affine, 0)
    nibabel.save(image, str(path))


def sha256_of(path: str | Path) -> str:
    """SHA-256 of a file, or of a folder's files in the order of their names."""
    path = Path(path)
    digest = hashlib.sha256()
    for file in sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]:
        with open(file, "rb") as stream:
            for block in iter(lambda: stream.read(1 << 20), b""):
                digest.update(block)
    return digest.hexdigest()


def digest_of(files: Iterable[Path]) -> str:
    """What tells the content of some files from any other, in a few letters: for the names and records of what is kept."""
    return hashlib.sha256(" ".join(map(sha256_of, files)).encode()).hexdigest()[:16]


def _read(path: Path) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """Stored values, axes I, J, K, the 4x4 matrix from their indices to RAS millimetres, and what should be known of it."""
    if not path.exists():
        raise InputError(f"There is no file or folder '{path}': check the path.")
    if path.is_dir():
        array, affine, told = read_series(path)
        return array, LPS_TO_RAS @ affine, told
    try:
        path.open("rb").close()
    except OSError as error:
        raise InputError(f"'{path.name}' cannot be opened ({error.strerror}): see to its permissions, or copy it.") from error
    if path.name.lower().endswith(NIBABEL_SUFFIXES):
        return _read_nibabel(path)
    if path.name.lower().endswith(ITK_SUFFIXES):
        return _read_itk(path)
    raise InputError(f"'{path.name}' is not a scan this program reads: give {READABLE}.")


def _read_nibabel(path: Path) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    # a header may hold anything; what cannot be is refused in one sentence, and not told by numpy and nibabel before it
    with _unlogged(), np.errstate(all="ignore"):
        return _read_by_nibabel(path)


def _read_by_nibabel(path: Path) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    import nibabel

    packed = path.name.lower().endswith((".gz", ".mgz"))
    try:
        with plain_path(path) as plain:
            image = nibabel.load(str(plain))
        if any(length > 1 for length in image.shape[3:]):
            # refused before the data are read
            raise InputError(
                f"'{path.name}' has {len(image.shape)} dimensions ({' x '.join(map(str, image.shape))}), not 3: choose one "
                "volume of it."
            )
        with gzip.open(path) if packed else open(path, "rb") as stream:
            if path.name.lower().endswith((".mgz", ".mgh")):
                affine, told = _place_of_mgh(stream.read(MGH_HEADER_BYTES), path.name)
                stream.seek(0)
            else:
                # nibabel's checks mend sizes that are not above zero
                header = type(image.header).from_fileobj(stream, check=False)
                if not header["vox_offset"] >= image.header.single_vox_offset:
                    raise ValueError("its header tells of voxels within itself")
                affine, told = place_of(header, image.shape, path.name)
                stream.seek(0)
            _refuse_unless_plausible(image.shape, path.name)
            if math.prod(map(int, image.shape)) * image.get_data_dtype().itemsize > path.stat().st_size * (
                MOST_PACKED if packed else 1
            ):
                raise ValueError("its header tells of more voxels than it can hold")
            image = type(image).from_file_map({"image": nibabel.FileHolder(str(path), stream)})
            stored = np.asanyarray(image.dataobj)
            read_to_end(stream)
        return stored, affine, told
    except (InputError, MemoryError):
        raise
    except Exception as error:  # nibabel, gzip, zlib and zstd each raise their own kinds on damaged files
        raise _unreadable(path.name, error) from error


def _place_of_mgh(start: bytes, name: str) -> tuple[np.ndarray, tuple[str, ...]]:
    """Where the voxels of an MGH file lie, IJK to RAS millimetres, as FreeSurfer places them, and what should be known of it.

    Args:
        start: its header; the number at byte 28 says, above zero, that voxel sizes and directions are given.
    """
    from nibabel.freesurfer.mghformat import MGHHeader

    if int.from_bytes(start[28:30], "big", signed=True) > 0:
        return MGHHeader(start).get_affine(), ()
    header = MGHHeader(start)
    # nibabel's own default has these directions transposed, and only where the number is 0
    header["delta"], header["Mdc"], header["Pxyz_c"] = 1, [[-1, 0, 0], [0, 0, -1], [0, 1, 0]], 0
    return header.get_affine(), (
        f"The header of '{name}' does not say where right and left are, nor how large the voxels are (its goodRASFlag is not "
        "set); coronal slices and voxels of 1 mm are a guess, the one that FreeSurfer makes: convert it again from its source.",
    )


def _read_itk(path: Path) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    import SimpleITK

    name = path.name
    try:
        refuse_unsafe_header(path)
        header = read_text_header(path)
        with plain_path(path) as plain, _silent():
            reader = SimpleITK.ImageFileReader()
            reader.SetImageIO("NrrdImageIO" if header.nrrd else "MetaImageIO")  # ITK finds none for .MHA
            reader.SetFileName(str(plain))
            reader.ReadImageInformation()
            _refuse_unless_plausible(reader.GetSize(), name)
            if reader.GetNumberOfComponents() > 1:
                raise InputError(f"'{name}' is a colour or vector image: give a single grey-scale MRI volume.")
            told = header.guesses()
            kind = SimpleITK.Image([1] * 3, reader.GetPixelID())
            crc = check_voxels(header, reader.GetSize(), SimpleITK.GetArrayViewFromImage(kind).itemsize)
            image = reader.Execute()
        if crc not in (None, crc_of(SimpleITK.GetArrayViewFromImage(image), large_end_first(header))):
            raise ValueError("its header can be understood in more than one way")
    except (RuntimeError, OSError, EOFError, ValueError, zlib.error) as error:
        if ran_out_of_memory(error):
            raise
        raise _unreadable(name, error) from error
    while image.GetDimension() > 3 and image.GetSize()[-1] == 1:
        image = image[(slice(None),) * (image.GetDimension() - 1) + (0,)]
    if image.GetDimension() != 3:
        raise InputError(f"'{name}' has {image.GetDimension()} dimensions, not 3: choose one volume of it.")
    affine = np.eye(4)
    affine[:3, :3] = np.array(image.GetDirection()).reshape(3, 3) * np.array(image.GetSpacing())
    affine[:3, 3] = image.GetOrigin()
    return SimpleITK.GetArrayFromImage(image).transpose(2, 1, 0), LPS_TO_RAS @ affine, told


def _refuse_unless_plausible(shape: tuple[int, ...], name: str) -> None:
    """Raise `InputError` where a header tells of sizes that no scan has, before memory is asked for them."""
    shape = tuple(map(int, shape))  # products of numpy's numbers begin anew at the end
    if min(shape, default=0) < 1 or math.prod(shape) > MOST_VOXELS:
        raise InputError(
            f"'{name}' has {' x '.join(map(str, shape))} voxels by its header, which no scan has: export or copy it "
            "again, it is damaged."
        )


@contextmanager
def _unlogged() -> Iterator[None]:
    """Inside, nibabel does not say what it thinks of a header; its own way leaves Python's last resort, which prints."""
    from nibabel.imageglobals import logger

    before, logger.disabled = logger.disabled, True
    try:
        yield
    finally:
        logger.disabled = before


@contextmanager
def _silent() -> Iterator[None]:
    """Inside, what libraries in C++ write to standard error by themselves is not shown: the sentence of the refusal is."""
    try:
        shown_on = os.dup(2)
    except OSError:  # a process without one
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(shown_on, 2)
        os.close(nowhere)
        os.close(shown_on)


def _unreadable(name: str, error: Exception) -> InputError:
    detail = str(error).strip().splitlines()[-1][:160] if str(error).strip() else type(error).__name__
    return InputError(
        f"'{name}' cannot be read as an image; it is damaged, cut off or of another kind ({detail}): export or copy it again."
    )
