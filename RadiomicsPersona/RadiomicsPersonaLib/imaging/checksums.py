"""Checksums: the voxels of images read to their ends, counted, and compared with the sums that gzip and zlib keep of them.

Readers of images stop at the last voxel, or read on past a wrong sum, and so take a turned bit for a voxel. That of MetaImage
also gives memory that was never written where a file holds fewer voxels than its header says.
"""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import BinaryIO

import numpy as np

from .text_header import TextHeader

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


def check_voxels(header: TextHeader, shape: tuple[int, ...], item_bytes: int) -> int | None:
    """Compare the sums of everything that is compressed in an NRRD or MetaImage file, or in the files that it names, and see
    that they hold as many bytes as the voxels take.

    Args:
        shape: voxels along all axes, the fastest first.
        item_bytes: of a voxel.
    Returns:
        the CRC-32 of MetaImage's voxels as the files hold them, for `crc_of`; None for NRRD, whose reader counts for itself.
    Raises:
        OSError, EOFError, zlib.error, ValueError: a stream is damaged or cut off, a file is missing, or holds other voxels than
            the header tells of.
    """
    needed = int(np.prod(shape, dtype=object)) * item_bytes
    if header.nrrd:
        _check_nrrd(header, needed)
        return None
    return _check_meta(header, shape, needed)


def crc_of(array: np.ndarray, msb: bool) -> int:
    """The CRC-32 of an array's values, the last axis the fastest, with the large end of each first or last."""
    return zlib.crc32(np.ascontiguousarray(array, array.dtype.newbyteorder(">" if msb else "<")).reshape(-1).view(np.uint8))


def large_end_first(header: TextHeader) -> bool:
    """Whether a MetaImage file has the large end of its values first."""
    fields = header.fields
    return _true(fields.get("BinaryDataByteOrderMSB", fields.get("ElementByteOrderMSB", "")))


def _true(value: str) -> bool:
    return value.lower().startswith(("t", "1"))


def _check_nrrd(header: TextHeader, needed: int) -> None:
    fields, named = header.fields, header.data_file
    local = named.upper() == "LOCAL"
    if fields.get("encoding", "").lower() not in ("gz", "gzip"):
        held = header.path.stat().st_size - header.end
        if local and (fields.get("byte skip") or fields.get("byteskip")) == "-1" and held < needed:
            raise ValueError(f"it holds {held} bytes of voxels, and its header tells of {needed}")
        return
    if not local and "%" in named:
        raise ValueError("its voxels are compressed in several files: save it as one")
    lines = fields.get("line skip", fields.get("lineskip", "0"))
    for file, start in [(header.path, header.end)] if local else [(file, 0) for file in _listed(header)]:
        with _opened(file) as stream:
            stream.seek(start)
            for _ in range(int(lines) if lines.isdigit() else 0):
                if not stream.readline():
                    break
            with gzip.GzipFile(fileobj=stream) as packed:
                read_to_end(packed)


def _check_meta(header: TextHeader, shape: tuple[int, ...], needed: int) -> int:
    fields = header.fields
    if not _true(fields.get("BinaryData", "True")):
        raise ValueError("its voxels are written as text (BinaryData = False): save them as bytes")
    packed, skipped = _true(fields.get("CompressedData", "")), _whole(fields, "HeaderSize")
    size = _whole(fields, "CompressedDataSize")
    if header.data_file.upper() == "LOCAL":
        if skipped > 0:
            raise ValueError(
                "its HeaderSize is counted from its first byte, which no image with its own voxels has: leave it out"
            )
        files, slices = [(header.path, header.end)], 1
    else:
        files = [(file, max(skipped, 0)) for file in _listed(header)]
        slices = _slices(header, shape)
    if len(files) != slices:
        raise ValueError(f"its header names {len(files)} file(s) for {slices} slice(s)")
    crc, part = 0, needed // slices
    for file, start in files:
        with _opened(file) as stream:
            if not packed and skipped == -1:
                start = max(start, file.stat().st_size - part)
            stream.seek(start)
            blocks = _unpacked(stream, file.name) if packed else _first(stream, part)
            held = 0
            with closing(blocks):
                for block in blocks:
                    held, crc = held + len(block), zlib.crc32(block, crc)
                    if held > part:
                        break
            if held != part:
                more = "more than " if held > part else ""
                raise ValueError(f"'{file.name}' holds {more}{min(held, part)} bytes of voxels, and the header tells of {part}")
            # without a size ITK takes the whole file for the stream
            if packed and size != stream.tell() - start and (start or size):
                raise ValueError(
                    f"'{file.name}' holds {stream.tell() - start} bytes of compressed voxels, and the header's "
                    f"CompressedDataSize is {fields.get('CompressedDataSize', 'missing')}"
                )
    return crc


def _opened(file: Path) -> BinaryIO:
    try:
        return open(file, "rb")
    except OSError as error:
        raise ValueError(f"its file '{file.name}' cannot be opened ({error.strerror})") from error


def _whole(fields: dict[str, str], key: str) -> int:
    """A whole number of a header, 0 where it has none."""
    value = fields.get(key, "0")
    if not re.fullmatch(r"-?\d{1,18}", value):
        raise ValueError(f"its {key} is '{value[:40]}', which is no whole number")
    return int(value)


def _listed(header: TextHeader) -> list[Path]:
    """The files beside a header that hold its voxels."""
    folder, named = header.path.parent, header.data_file
    if named.upper().startswith("LIST"):
        with open(header.path, "rb") as stream:
            stream.seek(header.end)
            text = stream.read().decode("utf-8", "surrogateescape")
        names = [line.strip() for line in text.split("\n")]
        if not header.nrrd and names and names[-1]:
            raise ValueError("the last line of its list of files has no end, so that it would not be read: end it")
        return [folder / name for name in names if name]
    numbered = re.fullmatch(r"(.*%.*\S)\s+(\d+)\s+(\d+)\s+(\d+)", named)
    if numbered is None:
        return [folder / named]
    first, last, step = (int(number) for number in numbered.groups()[1:])
    if last - first > 100_000:
        raise ValueError(f"its header names the files {first} to {last}")
    return [folder / (numbered[1] % number) for number in range(first, last + 1, max(step, 1))]


def _slices(header: TextHeader, shape: tuple[int, ...]) -> int:
    """How many files a MetaImage header has to name: a slice each, or as many axes each as stand behind LIST."""
    named = header.data_file
    listed = re.fullmatch(r"LIST\s*(\d*)", named, re.IGNORECASE)
    if listed is None and "%" not in named:
        return 1
    axes = int(listed[1]) if listed is not None and listed[1] else len(shape) - 1
    return int(np.prod(shape[axes:], dtype=object))


def _first(stream: BinaryIO, count: int) -> Iterator[bytes]:
    """The first `count` bytes of a stream, or all that it has."""
    while count and (block := stream.read(min(_BLOCK, count))):
        count -= len(block)
        yield block


def _unpacked(stream: BinaryIO, name: str) -> Iterator[bytes]:
    """What a zlib or gzip stream holds, after which the file stands at the stream's end."""
    unpacking = zlib.decompressobj(_GZIP_OR_ZLIB)
    for block in iter(lambda: stream.read(_BLOCK), b""):
        while block and not unpacking.eof:
            yield unpacking.decompress(block, _BLOCK)
            block = unpacking.unconsumed_tail
        if unpacking.eof:
            stream.seek(-len(unpacking.unused_data), 1)
            return
    yield unpacking.flush()
    if not unpacking.eof:
        raise EOFError(f"the compressed voxels of '{name}' end too early")
    stream.seek(-len(unpacking.unused_data), 1)
