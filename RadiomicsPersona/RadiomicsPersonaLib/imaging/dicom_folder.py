"""DICOM folder: the files of the one series in a folder, and what lies beside them that is no slice, or a slice left out.

GDCM passes over what it cannot read, and so makes a whole series of one from which a slice is missing.
"""

from __future__ import annotations

import re
from itertools import chain, islice
from pathlib import Path

from ..errors import InputError
from ..system.device import ran_out_of_memory
from ..system.names import shown

# Imported in functions: SimpleITK, which Slicer's own process, which reads this room, must not load.

READER = "GDCMImageIO"
"""Of ITK; it would choose none for a file without the preamble, which the readers of a series know."""
_SERIES = "0020|000e"
_HEADER = 1 << 16
"""Bytes of a file within which it says of which series it is."""
_MOST_BELOW = 10_000
"""Files in folders below that of a series that are looked at."""
_PACKED_NAMES = (".gz", ".bz2", ".xz", ".zst", ".z", ".zip", ".7z", ".part", ".partial", ".filepart", ".crdownload", ".tmp")
"""How the name of a slice goes on that is packed, or was not copied to its end."""


def files_of(folder: Path, named: str) -> list[str]:
    """The files of the one DICOM series in a folder, in the order that ITK finds for them."""
    import SimpleITK

    _refuse_what_is_no_file(folder, named)
    reader = SimpleITK.ImageSeriesReader()
    warns = SimpleITK.ProcessObject.GetGlobalWarningDisplay()
    SimpleITK.ProcessObject.SetGlobalWarningDisplay(False)  # ITK would print what the error below says
    try:
        series = reader.GetGDCMSeriesIDs(str(folder))
    except RuntimeError as error:
        if ran_out_of_memory(error):
            raise
        files = sorted(str(file) for file in folder.iterdir() if file.is_file())
        raise InputError(
            f"The folder '{named}' cannot be read as a DICOM series; '{first_damaged(files)}' is damaged, or its colours are "
            "missing: export the series again as shades of grey."
        ) from error
    finally:
        SimpleITK.ProcessObject.SetGlobalWarningDisplay(warns)
    if not series:
        raise InputError(f"The folder '{named}' holds no DICOM series: give a folder with one, or an image file.")
    if len(series) > 1:
        raise InputError(f"The folder '{named}' holds {len(series)} DICOM series: give a folder with one of them.")
    files = list(reader.GetGDCMSeriesFileNames(str(folder), series[0]))
    _refuse_damaged_slices(folder, named, {Path(file).name for file in files})
    if files:
        _refuse_slices_below(folder, named, files[0])
    return files


def _refuse_what_is_no_file(folder: Path, named: str) -> None:
    """Refuse a folder with a link that leads nowhere, for which GDCM gives up whole slices, or a pipe, at which it waits."""
    for file in sorted(folder.iterdir()):
        if not (file.is_file() or file.is_dir()):
            problem = "is a link to a file that is not there" if file.is_symlink() else "is no file"
            raise InputError(f"'{file.name}' in the folder '{named}' {problem}: copy the series again, or take it out.")


def _refuse_slices_below(folder: Path, named: str, file: str) -> None:
    """Refuse a folder with slices of its series in folders below it, which would be left out."""
    import SimpleITK

    below = (each for part in sorted(folder.iterdir()) if part.is_dir() for each in part.rglob("*") if each.is_file())
    first = next(below, None)
    if first is None:
        return
    reader = SimpleITK.ImageFileReader()
    reader.SetImageIO(READER)
    reader.SetFileName(file)
    reader.ReadImageInformation()
    series = reader.GetMetaData(_SERIES).strip().encode() if reader.HasMetaDataKey(_SERIES) else b""
    of_series = re.compile(rb"\x20\0\x0e\0(?:UI)?.{2,4}" + re.escape(series) + rb"[\0 ]?[^\d.]", re.DOTALL)
    for each in chain([first], islice(below, _MOST_BELOW)):
        try:
            with open(each, "rb") as stream:
                start = stream.read(_HEADER)
        except OSError:
            continue
        if series and of_series.search(start):
            raise InputError(
                f"'{shown(str(each.relative_to(folder)))}' in the folder '{named}' is of the same series and lies in a folder "
                "below: put all slices into one folder, or take it out."
            )


def _refuse_damaged_slices(folder: Path, named: str, read: set[str]) -> None:
    """Refuse a folder with a file that ITK passes over and that is named like a slice, or starts like one."""
    endings = {_ending(name) for name in read}
    for file in sorted(folder.iterdir()):
        if file.name in read or not file.is_file() or file.name.startswith(".") or file.name.upper() == "DICOMDIR":
            continue
        try:
            with open(file, "rb") as stream:
                start = stream.read(132)
        except OSError as error:
            raise InputError(
                f"'{file.name}' in the folder '{named}' cannot be opened ({error.strerror}): copy the series again."
            ) from error
        if file.suffix.lower() in _PACKED_NAMES and _ending(file.stem) in endings:
            raise InputError(
                f"'{file.name}' in the folder '{named}' is named like a slice that is packed or was not copied to its end: "
                "unpack it, copy it again, or take it out."
            )
        if _ending(file.name) in endings or start[128:] == b"DICM":
            problem = "shows no whole image; it is damaged, cut off or of another kind" if start else "is empty"
            raise InputError(
                f"'{file.name}' in the folder '{named}' {problem}: copy the series again, or take the file out if it is "
                "no slice."
            )


def _ending(name: str) -> str:
    """The suffix of a file's name; one word for all that are numbers, as the last part of a DICOM identifier is."""
    ending = Path(name).suffix.lower()
    return "number" if ending[1:].isdigit() else ending


def first_damaged(files: list[str]) -> str:
    """The name of the first file that cannot be read alone, or of the first."""
    import SimpleITK

    for file in files:
        try:
            SimpleITK.ReadImage(file, SimpleITK.sitkUnknown, READER)
        except RuntimeError:
            return Path(file).name
    return Path(files[0]).name
