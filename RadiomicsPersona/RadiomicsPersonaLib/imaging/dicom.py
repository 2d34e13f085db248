"""DICOM: a folder with the slices of one series, each with its place, read as a volume or refused.

ITK spreads the slices of a series evenly between the first and the last, whatever their positions are. Here every slice is
where its header places it: a series that has a gap, a repeat, a stray or a damaged file gives no volume.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import InputError
from ..system.device import ran_out_of_memory
from ..system.names import plain_path, shown
from .dicom_folder import READER, files_of, first_damaged

# Imported in functions: SimpleITK, which Slicer's own process, which reads this room, must not load.

EVEN = 0.1
"""Share of the distance between slices by which one may lie off its place in an even row."""
SAME_DIRECTION = 1e-3
"""Largest difference of direction cosines that are one direction."""
SKEW_TOLD = 0.01
"""Shift of a slice against the one before, as a share of their distance, from which on the user is told."""
_POSITION, _ORIENTATION, _PIXEL_SPACING, _FRAMES = "0020|0032", "0020|0037", "0028|0030", "0028|0008"
_INTERCEPT, _SLOPE = "0028|1052", "0028|1053"
_SHADES, _SAMPLES, _ROWS, _COLUMNS, _BITS = "0028|0004", "0028|0002", "0028|0010", "0028|0011", "0028|0100"
_BITS_STORED, _HIGH_BIT, _SIGNED, _OVERLAY_BIT = "0028|0101", "0028|0102", "0028|0103", "6000|0102"
_PACKED = re.compile(rb"\x02\0\x10\0UI..1\.2\.840\.10008\.1\.2\.(1\.9\d|[3-9]|\d\d)", re.DOTALL)
"""What the beginning of a file says whose voxels, or all of it, are compressed: its transfer syntax."""
_BEGINNING = 4096
_VOXELS = re.compile(rb"\xe0\x7f\x10\0(?:O[BW]\0\0)?(.{4})|\x7f\xe0\0\x10O[BW]\0\0(.{4})", re.DOTALL)
"""What stands before voxels, with the number of their bytes, the small or the large end first."""


@dataclass(frozen=True, eq=False)
class Slice:
    """What the header of a slice says.

    Attributes:
        file: path.
        size: voxels along a row and along a column.
        position: centre of the first voxel, LPS millimetres.
        directions: 3x2, unit vectors along a row and along a column, LPS.
        spacing: millimetres between voxels along a row and along a column.
        rescaling: intercept and slope of its values as the header spells them.
        kind: of its values, as SimpleITK numbers them.
        shades: whether 0 is black (MONOCHROME2) or white (MONOCHROME1), or a kind of colour.
    """

    file: str
    size: tuple[int, ...]
    position: np.ndarray
    directions: np.ndarray
    spacing: np.ndarray
    rescaling: tuple[str, str]
    kind: int
    shades: str

    @property
    def name(self) -> str:
        """Name of the file."""
        return Path(self.file).name


def read_series(folder: Path) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """The volume of the one DICOM series in a folder.

    Returns:
        stored values, axes I along rows, J along columns, K across slices; 4x4 matrix from indices to LPS millimetres, skewed
        where the slices are shifted against each other (gantry tilt); what the user should know, one sentence each.
    Raises:
        InputError: there is no series, or several; a file is damaged, has no position, has several frames, or is of another
            size, orientation or meaning of its shades; slices are missing, repeated, or not evenly spaced.
    """
    with plain_path(folder) as plain:
        return _read_series(plain, shown(folder.name))


def header_of_series(folder: Path, tags: Sequence[str]) -> list[str]:
    """What the first slice of the one DICOM series in a folder says under tags such as "0008|0020"; "" under those it lacks.

    Raises:
        InputError: there is no series, or several, or a file beside them is a slice that cannot be read.
    """
    import SimpleITK

    reader = SimpleITK.ImageFileReader()
    reader.SetImageIO(READER)
    with plain_path(folder) as plain:
        reader.SetFileName(files_of(plain, shown(folder.name))[0])
        reader.ReadImageInformation()
    return [reader.GetMetaData(tag) if reader.HasMetaDataKey(tag) else "" for tag in tags]


def slices_of_series(folder: Path) -> list[Path]:
    """The files of the one DICOM series in a folder, in the order of the third axis of `read_series`.

    Raises:
        InputError: as `read_series`.
    """
    with plain_path(folder) as plain:
        files = [each.name for each in _in_order([_slice_of(file) for file in files_of(plain, shown(folder.name))])[0]]
    return [folder / name for name in files]


def _in_order(slices: list[Slice]) -> tuple[list[Slice], np.ndarray]:
    """Slices along their normal, and that normal, a unit vector in LPS."""
    normal = np.cross(*slices[0].directions.T)
    return sorted(slices, key=lambda each: float(normal @ each.position)), normal


def _read_series(folder: Path, named: str) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """`read_series` of a folder whose path every library can open, and which is called `named`."""
    import SimpleITK

    slices = [_slice_of(file) for file in files_of(folder, named)]
    first = slices[0]
    for other in slices:
        if np.abs(other.directions - first.directions).max() > SAME_DIRECTION:
            raise InputError(
                f"'{other.name}' in the folder '{named}' is turned against '{first.name}', as the slices of a localizer "
                "are: give a folder with slices of one orientation."
            )
        if other.size != first.size or not np.allclose(other.spacing, first.spacing, rtol=1e-3):
            raise InputError(
                f"'{other.name}' in the folder '{named}' has another size or spacing than '{first.name}': give a folder "
                "with slices of one size."
            )
        if other.shades != first.shades:
            raise InputError(
                f"'{other.name}' in the folder '{named}' has another meaning of its shades than '{first.name}' "
                f"({other.shades or 'none'}, not {first.shades or 'none'}): export the series again from its source."
            )
    slices, normal = _in_order(slices)
    step = _even_step(slices, normal, named)
    # ITK would read all slices as what the first one's values are, and wrap what does not fit
    alike = len({(each.rescaling, each.kind) for each in slices}) == 1
    kind = SimpleITK.sitkUnknown if alike else SimpleITK.sitkFloat64
    array = _voxels([each.file for each in slices], kind)
    affine = np.eye(4)
    affine[:3, :2] = first.directions * first.spacing
    affine[:3, 2], affine[:3, 3] = step, slices[0].position
    shift = float(np.linalg.norm(step - (normal @ step) * normal))
    told = (
        f"Each slice of '{named}' is shifted by {shift:.2g} mm against the one before (gantry tilt); every slice was "
        "taken where it lies."
    )
    return array, affine, (told,) if shift > SKEW_TOLD * float(normal @ step) else ()


def _slice_of(file: str) -> Slice:
    import SimpleITK

    name = Path(file).name
    reader = SimpleITK.ImageFileReader()
    reader.SetImageIO(READER)
    reader.SetFileName(file)
    try:
        reader.ReadImageInformation()
    except RuntimeError as error:
        if ran_out_of_memory(error):
            raise
        raise InputError(f"'{name}' cannot be read as a slice; it is damaged: copy the series again.") from error

    def told(tag: str) -> str:
        return reader.GetMetaData(tag).strip() if reader.HasMetaDataKey(tag) else ""

    def numbers(tag: str, count: int, what: str, unknown: str = "its place") -> np.ndarray:
        try:
            values = np.array([float(part) for part in told(tag).split("\\")])
        except ValueError:
            values = np.empty(0)
        if len(values) != count or not np.isfinite(values).all():
            raise InputError(
                f"'{name}' has no usable {what}, so {unknown} is not known: export the series again from its source."
            )
        return values

    if told(_FRAMES) not in ("", "1"):
        raise InputError(
            f"'{name}' holds {told(_FRAMES)} frames in one file: convert it to NIfTI with dcm2niix or 3D Slicer, and give that."
        )
    position = numbers(_POSITION, 3, "position (ImagePositionPatient)")
    directions = numbers(_ORIENTATION, 6, "orientation (ImageOrientationPatient)").reshape(2, 3).T
    spacing = numbers(_PIXEL_SPACING, 2, "distances of its voxels (PixelSpacing)")[::-1]
    if np.abs(directions.T @ directions - np.eye(2)).max() > SAME_DIRECTION or not (spacing > 0).all():
        raise InputError(
            f"'{name}' has directions or distances of voxels that cannot be: export the series again from its source."
        )
    if reader.GetNumberOfComponents() > 1:
        raise InputError(f"'{name}' is a colour image: give a single grey-scale MRI series.")
    for tag in (_INTERCEPT, _SLOPE):
        if told(tag):
            numbers(tag, 1, "scale of its values (RescaleSlope, RescaleIntercept)", "their brightness")
    if told(_SLOPE) and float(told(_SLOPE)) == 0:
        raise InputError(
            f"'{name}' has the slope 0 for its values (RescaleSlope), by which all would be one: export the series again from "
            "its source."
        )
    _refuse_unless_filled(file, told)
    rescaling = (told(_INTERCEPT), told(_SLOPE))
    return Slice(
        file, tuple(reader.GetSize()[:2]), position, directions, spacing, rescaling, reader.GetPixelID(), told(_SHADES)
    )


def _refuse_unless_filled(file: str, told: Callable[[str], str]) -> None:
    """Refuse a slice that holds fewer or more voxels than its header says, of which ITK would make some up, or leave some out;
    or voxels of more bits than it says, of which ITK would cut the rest off.

    Those that are compressed say for themselves how many there are.

    Args:
        told: gives what the header says under a tag.
    """
    name, content = Path(file).name, Path(file).read_bytes()
    if _PACKED.search(content[:_BEGINNING]):
        return
    try:
        samples, rows, columns, bits = (int(told(tag) or 1) for tag in (_SAMPLES, _ROWS, _COLUMNS, _BITS))
        stored = int(told(_BITS_STORED) or bits)
        highest = int(told(_HIGH_BIT) or stored - 1)
    except ValueError as error:
        raise InputError(
            f"'{name}' has sizes in its header that cannot be: export the series again from its source."
        ) from error
    row = (samples * columns * bits + 7) // 8
    whole = (samples * columns * rows * bits + 7) // 8
    found = [
        (match.end(), "<" if match[1] else ">")
        for match in _VOXELS.finditer(content)
        # some programs fill up to more than an even number of bytes
        if whole <= int.from_bytes(match[1] or match[2], "little" if match[1] else "big") < whole + max(row, 2)
    ]
    if not found:
        raise InputError(
            f"'{name}' holds other voxels than the {columns} x {rows} of {bits} bits that its header tells of; it is damaged: "
            "export the series again from its source."
        )
    if stored > bits or stored < 1 or highest != stored - 1:
        raise InputError(
            f"'{name}' has values of {stored} bits of which the highest is {highest} (BitsStored, HighBit) in words of {bits}, "
            "and those are not read rightly: export the series again from its source."
        )
    start, end = found[-1]
    # programs of old kept drawings in the bits that are free
    if bits in (8, 16, 32) and stored < bits and len(content) >= start + whole and told(_OVERLAY_BIT) in ("", "0"):
        words = np.frombuffer(content, f"{end}u{bits // 8}", whole // (bits // 8), start)
        beyond = words >> stored
        negative = (words >> (stored - 1)) & 1 if told(_SIGNED) == "1" else np.zeros_like(words)
        if (beyond != 0).any() and (beyond != negative * ((1 << (bits - stored)) - 1)).any():
            raise InputError(
                f"'{name}' holds values of more than the {stored} bits that its header tells of (BitsStored), and would be "
                "cut off: export the series again from its source."
            )


def _even_step(slices: list[Slice], normal: np.ndarray, folder: str) -> np.ndarray:
    """From one slice to the next, LPS millimetres, shape (3,).

    Args:
        slices: in their order along the normal.
        normal: unit vector across the slices.
    Raises:
        InputError: slices are repeated, missing, unevenly spaced or irregularly shifted, or there are fewer than three.
    """
    if len(slices) < 3:
        raise InputError(f"The folder '{folder}' holds only {len(slices)} slice(s): a 3-D scan needs at least 3.")
    positions = np.array([each.position for each in slices])
    gaps = np.diff(positions @ normal)
    usual = float(np.median(gaps))
    for number, gap in enumerate(gaps):
        if gap < EVEN * usual or gap < 1e-3:
            raise InputError(
                f"'{slices[number].name}' and '{slices[number + 1].name}' in the folder '{folder}' lie in the same place (two "
                "echoes, a repeat or a copy): give a folder with each slice once."
            )
    step = (positions[-1] - positions[0]) / (len(slices) - 1)
    off = np.linalg.norm(positions - (positions[0] + np.arange(len(slices))[:, None] * step), axis=1)
    if off.max() <= EVEN * usual:
        return step
    widest = int(gaps.argmax())
    others = np.delete(gaps, widest)
    if gaps[widest] > 1.5 * usual and np.ptp(others[others < 1.5 * usual]) <= EVEN * usual:
        raise InputError(
            f"Slices are missing in the folder '{folder}': '{slices[widest].name}' and '{slices[widest + 1].name}' are "
            f"{gaps[widest]:.3g} mm apart, and others {usual:.3g} mm: copy the whole series again."
        )
    if np.ptp(gaps) > EVEN * usual:
        raise InputError(
            f"The slices in the folder '{folder}' are unevenly spaced, {gaps.min():.3g} to {gaps.max():.3g} mm apart: resample "
            "the series evenly, for instance with 3D Slicer, and give that file."
        )
    raise InputError(
        f"'{slices[int(off.argmax())].name}' in the folder '{folder}' does not lie in one row with the other slices: give a "
        "folder with slices of one stack."
    )


def _voxels(files: list[str], kind: int) -> np.ndarray:
    """The values of the slices, axes I, J, K; of the type `kind`, or of their own where it is unknown."""
    import SimpleITK

    shown = SimpleITK.ProcessObject.GetGlobalWarningDisplay()
    SimpleITK.ProcessObject.SetGlobalWarningDisplay(False)  # of places, which are told by the headers here
    try:
        image = SimpleITK.ReadImage(files, kind, READER)
    except RuntimeError as error:
        if ran_out_of_memory(error):
            raise
        raise InputError(
            f"'{first_damaged(files)}' cannot be read as a slice; it is damaged: copy the series again."
        ) from error
    finally:
        SimpleITK.ProcessObject.SetGlobalWarningDisplay(shown)
    return SimpleITK.GetArrayFromImage(image).transpose(2, 1, 0)
