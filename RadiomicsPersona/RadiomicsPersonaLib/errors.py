"""The one class of errors that a user can cause."""

from __future__ import annotations

import re

_LONGEST = 1000
"""Characters of a sentence; what a file holds may be a book."""
_NOT_ON_A_LINE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


class InputError(Exception):
    """Something the user gave cannot be used.

    The message is one sentence that says what is wrong and what to do; it is shown as it is, without a traceback. It stays on
    one line and can be written down, whatever it quotes of names and files, and of a very long one the beginning and the end
    are shown.

    >>> str(InputError("The table 'a\\nb' has no rows: add some."))
    "The table 'a\\\\nb' has no rows: add some."
    """

    def __str__(self) -> str:
        text = _NOT_ON_A_LINE.sub(lambda found: repr(found[0])[1:-1], super().__str__())
        return text if len(text) <= _LONGEST else f"{text[: _LONGEST * 2 // 3]} ... {text[-_LONGEST // 3 :]}"


MADE = ("training", "mesh", "regression", "cluster", "dicom", "completion")
"""Extras of the package that `make install` brings."""


def how_to_install(extra: str) -> str:
    """What to type for an extra, in half a sentence; the package is on no index, so that its source folder is needed.

    >>> how_to_install("features")
    'run python -m pip install ".[features]" in the source folder'
    """
    line = f'run python -m pip install ".[{extra}]" in the source folder'
    return f"{line}, or make install there" if extra in MADE else line
