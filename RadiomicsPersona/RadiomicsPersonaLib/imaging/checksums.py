"""Checksums: the compressed streams of images read to their ends, where gzip and zlib keep the sums of what they hold.

Readers of images stop at the last voxel, or read on past a wrong sum, and so take a turned bit for a voxel.
"""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

_BLOCK = 1 << 20
_GZIP_OR_ZLIB = 47
"""zlib's window of any size, with the header of either."""


def read_to_end(stream: BinaryIO) -> None:
    """Read what is left of a stream; one that `gzip` opened compares its sums on the way.

    Raises:
        OSError, EOFError, zlib.error: it is damaged or cut off.
    """
    while stream.read(_BLOCK):
        pass


def check_sums(path: Path) -> None:
    """Compare the sums of everything that is compressed in an NRRD or MetaImage file, or in the files that it names.

    Raises:
        OSError, EOFError, zlib.error, ValueError: a stream is damaged or cut off, or a file is missing.
    """
    with open(path, "rb") as stream:
        magic = stream.read(4)
        stream.seek(0)
        fields = dict(_nrrd_fields(stream) if magic == b"NRRD" else _meta_fields(stream))
        rest = stream.tell()
        if magic == b"NRRD":
            named = fields.get("data file", fields.get("datafile", ""))
            packed, check = fields.get("encoding", "").lower() in ("gz", "gzip"), _check_gzip
        else:
            named = fields.get("elementdatafile", "local")
            packed, check = fields.get("compresseddata", "").lower().startswith(("t", "1")), _check_zlib
        if not packed:
            return
        if named.lower() in ("", "local"):
            stream.seek(rest)
            check(stream)
            return
        if "%" in named:
            raise ValueError("its voxels are compressed in several files: save it as one")
        listed = stream.read().decode("utf-8", "surrogateescape").split("\n") if named.upper().startswith("LIST") else [named]
    for name in filter(None, map(str.strip, listed)):
        with open(path.parent / name, "rb") as stream:
            check(stream)


def _nrrd_fields(stream: BinaryIO) -> Iterator[tuple[str, str]]:
    """The fields of an NRRD header, which ends with an empty line or, after a list of files, with the file."""
    for line in iter(stream.readline, b""):
        text = line.decode("utf-8", "surrogateescape").rstrip("\r\n")
        if not text:
            return
        key, mark, value = text.partition(":")
        if mark and not value.startswith("=") and not text.startswith("#"):
            yield key.strip().lower(), value.strip()
            if key.strip().lower() in ("data file", "datafile") and value.strip().upper().startswith("LIST"):
                return


def _meta_fields(stream: BinaryIO) -> Iterator[tuple[str, str]]:
    """The fields of a MetaImage header, with = or : behind the names; the last one tells where the voxels are."""
    for line in iter(stream.readline, b""):
        key, value = [*re.split("[=:]", line.decode("utf-8", "surrogateescape"), maxsplit=1), ""][:2]
        yield key.strip().lower(), value.strip()
        if key.strip().lower() == "elementdatafile":
            return


def _check_gzip(stream: BinaryIO) -> None:
    with gzip.GzipFile(fileobj=stream) as packed:
        read_to_end(packed)


def _check_zlib(stream: BinaryIO) -> None:
    unpacked = zlib.decompressobj(_GZIP_OR_ZLIB)
    for block in iter(lambda: stream.read(_BLOCK), b""):
        while block and not unpacked.eof:
            unpacked.decompress(block, _BLOCK)
            block = unpacked.unconsumed_tail
        if unpacked.eof:
            return
    unpacked.flush()
    if not unpacked.eof:
        raise EOFError("its compressed voxels end too early")
