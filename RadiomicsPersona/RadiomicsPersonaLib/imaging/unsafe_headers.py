"""Unsafe headers: what an NRRD or MetaImage header may not say, because ITK's readers would end the whole process over it.

They copy lines into buffers of a thousand bytes, fill lists of ten with as many numbers as the header asks for, and print names
of files by the formats that stand in them.
"""

from __future__ import annotations

import re
from pathlib import Path

MOST_HEADER_BYTES = 1 << 20
LONGEST_LINE = 500
"""Of an NRRD header, in bytes; the longest that are usual, with three directions, have about 250."""
_FREE = re.compile(rb"#|content:|[^:]*:=", re.IGNORECASE)
"""What begins lines of NRRD headers that may be as long as they like: comments, the title, keys with values."""
_DIMENSIONS = re.compile(rb"NDims\s*[=:]?\s*(\S*)")
_FILES = re.compile(rb"(?:ElementDataFile\s*[=:]|^data ?file\s*:)(.*)$", re.MULTILINE | re.IGNORECASE)
_ONE_NUMBER = re.compile(rb"[^%]*%0?\d{0,2}d[^%]*")
_COUNTED = re.compile(rb"[^%]*%0?\d{0,2}d[^%]*\s0*\d{1,9}\s+0*\d{1,9}\s+0*[1-9]\d{0,8}\s*")
"""A name with a number in it, then the first number, the last, and the step; ITK divides by the step."""


def refuse_unsafe_header(path: Path) -> None:
    """Raise where a header would end the process.

    Raises:
        ValueError: says what is wrong.
    """
    with open(path, "rb") as stream:
        header = stream.read(MOST_HEADER_BYTES)
    if path.suffix.lower() in (".nrrd", ".nhdr"):
        header = re.split(rb"\r?\n\r?\n", header, maxsplit=1)[0]
        for line in re.split(rb"[\r\n]", header):
            if len(line) > LONGEST_LINE and not _FREE.match(line):
                raise ValueError(f"a line of its header has {len(line)} characters")
    else:
        for number in _DIMENSIONS.findall(header):
            if not re.fullmatch(rb"0*([1-9]|10)", number):
                raise ValueError(f"it has {number[:20].decode(errors='replace')} dimensions")
    for named in _FILES.findall(header):
        if b"%" in named and not _ONE_NUMBER.fullmatch(named):
            raise ValueError("the name of the file with its voxels has a % in it, which is no number's place: rename that file")
        if b"%" in named and path.suffix.lower() in (".mha", ".mhd") and not _COUNTED.fullmatch(named):
            raise ValueError(
                f"'{named.strip()[:60].decode(errors='replace')}' says no first number, last number and step of the files with "
                "its voxels"
            )
