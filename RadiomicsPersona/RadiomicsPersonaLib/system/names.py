"""Names: of files and folders whose bytes are no text, as they are shown, and as libraries in C++ can open them; and the name
that was probably meant.

Python holds such a byte as half a character, which no file of text can store. ITK and VTK end the whole process at one.
"""

from __future__ import annotations

import difflib
import os
import re
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

IN_TWO_FILES = (".nhdr", ".mhd")
"""Headers of images whose voxels lie in another file, which may change on its own."""
_LONGEST = 400
"""Bytes of a path; NrrdIO keeps a path and what it has to say of it in a thousand, and ends the process where they are more."""
_HALF = re.compile("[\ud800-\udfff]")


def shown(text: str) -> str:
    r"""A name with stand-ins for what is no text.

    >>> shown("M\udcfcller"), shown("Müller")
    ('M\\xfcller', 'Müller')
    """
    return _HALF.sub(lambda half: _stand_in(ord(half[0])), str(text))


def meant(word: str, known: Iterable[str]) -> str:
    """A hint at the known name that a mistyped one is near to, to stand before a sentence's end; empty where none is near.

    >>> meant("analyse", ["analyze", "report"]), meant("xyz", ["analyze"])
    (" (did you mean 'analyze'?)", '')
    """
    near = difflib.get_close_matches(word, list(known), 1, 0.6)
    return f" (did you mean '{near[0]}'?)" if near else ""


def is_text(path: str | Path) -> bool:
    """Whether every character of a name or path is whole."""
    return not _HALF.search(str(path))


@contextmanager
def plain_path(path: Path) -> Iterator[Path]:
    """A path to a file or folder that every library can open, while the block lasts.

    That is the path itself, or where it is long, or it or a name in the folder is no text, or its suffix is in small and large
    letters, a link in a temporary folder. Files beside a header are linked under their own names, for it may name them.

    Args:
        path: of a file or folder that is there.
    """
    files = sorted(path.iterdir()) if path.is_dir() else []
    suffix = re.search(r"(\.nii\.gz|\.?[^.]*)$", path.name, re.IGNORECASE)[0]
    usual = path.is_dir() or suffix in (suffix.lower(), suffix.upper())
    if usual and is_text(path) and len(os.fsencode(path)) <= _LONGEST and all(is_text(file.name) for file in files):
        yield path
        return
    with tempfile.TemporaryDirectory() as folder:
        if path.is_dir():
            for file in files:
                os.symlink(file.absolute(), Path(folder) / shown(file.name))
            yield Path(folder)
            return
        plain = Path(folder) / f"plain name{shown(suffix).lower()}"
        if path.suffix.lower() in IN_TWO_FILES:
            for file in path.parent.iterdir():
                os.symlink(file.absolute(), Path(folder) / file.name)
        os.symlink(path.absolute(), plain)
        yield plain


def _stand_in(code: int) -> str:
    return f"\\x{code - 0xDC00:02x}" if 0xDC80 <= code <= 0xDCFF else f"\\u{code:04x}"
