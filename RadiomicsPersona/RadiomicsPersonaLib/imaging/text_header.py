"""Text header: the fields of NRRD and MetaImage, and what they leave open of where the scan lies.

ITK, and with it 3D Slicer, puts its own numbers where a header has none, and says nothing of it.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from ..errors import InputError

_SPACES = ("left-posterior-superior", "right-anterior-superior", "left-anterior-superior", "lps", "ras", "las")
"""Of NRRD, those that say where the patient's right, front and head are."""
_MILLIMETRES = ("mm", "millimeter", "millimeters", "millimetre", "millimetres")
_NO_UNIT = ("", "?", "???", "none")
_MATRIX, _OFFSET = ("TransformMatrix", "Rotation", "Orientation"), ("Offset", "Position", "Origin")
_SIZES = ("ElementSpacing", "ElementSize")
"""Names of MetaImage for one thing, of which ITK takes the first that is there."""


@dataclass(frozen=True)
class TextHeader:
    """The header of an NRRD or MetaImage file.

    Attributes:
        path: of the file.
        nrrd: whether it is NRRD; otherwise it is MetaImage.
        fields: values by their names; names of NRRD in small letters, for it takes any, and MetaImage only its own.
        end: bytes before what follows: the voxels, or a list of the files that hold them.
    """

    path: Path
    nrrd: bool
    fields: dict[str, str]
    end: int

    @property
    def data_file(self) -> str:
        """Where the voxels are: "LOCAL", a file's name, "LIST" with a number or without, or a pattern with its numbers."""
        if self.nrrd:
            return self.fields.get("data file", self.fields.get("datafile", "LOCAL"))
        return self.fields["ElementDataFile"]

    def guesses(self) -> tuple[str, ...]:
        """What of the scan's place is a guess since the header does not say it: one sentence, or none.

        Raises:
            InputError: the place is given in numbers or units that ITK takes for others.
        """
        unsaid = self._unsaid_of_nrrd() if self.nrrd else self._unsaid_of_meta()
        if not unsaid:
            return ()
        said = ", nor ".join(f"{what} (no {field})" for what, field in unsaid)
        return (
            f"The header of '{self.path.name}' does not say {said}; what 3D Slicer takes instead (axes to left, "
            "back and head, voxels of 1 mm, the first one at 0) is a guess: convert it again from its source.",
        )

    def _unsaid_of_nrrd(self) -> list[tuple[str, str]]:
        fields = self.fields
        for key in ("space directions", "space origin", "axis mins", "axismins"):
            if re.search(r"nan|inf|;", fields.get(key, ""), re.IGNORECASE):
                raise self._refusal(f"'{key}: {fields[key][:60]}'", "no place of a patient")
        for key in ("space units", "units"):
            for unit in re.findall(r'"([^"]*)"', fields.get(key, ""))[:3]:
                if unit.strip().lower() not in _MILLIMETRES + _NO_UNIT:
                    raise self._refusal(f"'{key}: {fields[key][:60]}'", "read as millimetres by 3D Slicer")
        unsaid = []
        if fields.get("space", "").lower() not in _SPACES:
            unsaid.append(("where right and left are", "anatomical space"))
        directions = re.findall(r"\([^)]*\)", fields.get("space directions", ""))
        if len(directions) < 3:
            unsaid.append(("how its axes lie", "space directions"))
        sizes = _numbers(fields.get("spacings", "")) or []
        if len(directions) < 3 and sum(math.isfinite(size) for size in sizes) < 3:
            unsaid.append(("how large its voxels are", "spacings"))
        if "space origin" not in fields:
            unsaid.append(("where its first voxel lies", "space origin"))
        return unsaid

    def _unsaid_of_meta(self) -> list[tuple[str, str]]:
        fields, unsaid = self.fields, []
        axes = int(fields["NDims"]) if fields.get("NDims", "").isdigit() else 3
        for names, count, what in (
            (_MATRIX, axes * axes, "how its axes lie"),
            (_SIZES, axes, "how large its voxels are"),
            (_OFFSET, axes, "where its first voxel lies"),
        ):
            there = [name for name in names if name in fields]
            for name in there:
                values = _numbers(fields[name])
                if values is None or len(values) != count or not all(map(math.isfinite, values)):
                    raise self._refusal(f"'{name} = {fields[name][:60]}'", f"not {count} numbers with decimal points")
            if not there:
                unsaid.append((what, names[0]))
        return unsaid

    def _refusal(self, line: str, problem: str) -> InputError:
        return InputError(
            f"'{self.path.name}' has {line} in its header, which is {problem}: correct that line, or convert it again from "
            "its source."
        )


def read_text_header(path: Path) -> TextHeader:
    """The header of an NRRD or MetaImage file.

    Raises:
        ValueError: a MetaImage header does not say where the voxels are.
        OSError: the file cannot be read.
    """
    with open(path, "rb") as stream:
        nrrd = stream.read(4) == b"NRRD"
        stream.seek(0)
        fields = _nrrd_fields(stream) if nrrd else _meta_fields(stream)
        if not nrrd and "ElementDataFile" not in fields:
            raise ValueError("its header does not say where its voxels are")
        return TextHeader(path, nrrd, fields, stream.tell())


def _nrrd_fields(stream: BinaryIO) -> dict[str, str]:
    """The fields of an NRRD header, which ends with an empty line or, after a list of files, with the file."""
    fields = {}
    for line in iter(stream.readline, b""):
        text = line.decode("utf-8", "surrogateescape").rstrip("\r\n")
        if not text:
            break
        key, mark, value = text.partition(":")
        key = key.strip().lower()
        if mark and not value.startswith("=") and not text.startswith("#"):
            fields[key] = value.strip()
            if key in ("data file", "datafile") and value.strip().upper().startswith("LIST"):
                break
    return fields


def _meta_fields(stream: BinaryIO) -> dict[str, str]:
    """The fields of a MetaImage header, with = or : behind the names; the last one tells where the voxels are."""
    fields = {}
    for line in iter(stream.readline, b""):
        key, value = [*re.split("[=:]", line.decode("utf-8", "surrogateescape"), maxsplit=1), ""][:2]
        fields[key.strip()] = value.strip()
        if key.strip() == "ElementDataFile":
            break
    return fields


def _numbers(text: str) -> list[float] | None:
    """The numbers of a line, or None where one of its words is none."""
    try:
        return [float(word) for word in text.split()]
    except ValueError:
        return None
