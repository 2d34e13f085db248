"""Text header: the fields of NRRD and MetaImage."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO


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
