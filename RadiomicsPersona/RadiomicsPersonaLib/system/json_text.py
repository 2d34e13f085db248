"""JSON text: how it is read and written, and what becomes of a value that JSON has no word for."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

_HALF = re.compile("[\ud800-\udfff]")


def written(value, indent: int | None = None) -> str:
    r"""A value as JSON that UTF-8 can hold: half a character, as in a file name that is no text, is written by its number.

    >>> print(written({"scan": "M\udcfcller", "town": "Zürich"}))
    {"scan": "M\udcfcller", "town": "Zürich"}
    """
    return _HALF.sub(lambda half: f"\\u{ord(half[0]):04x}", json.dumps(value, indent=indent, ensure_ascii=False))


def parsed(text: str):
    """The value that a JSON text holds.

    Raises:
        ValueError: it is no JSON, or nested too deeply to be any file of this program.
    """
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def object_in(path: Path) -> dict:
    """The JSON object that a file holds.

    Raises:
        OSError: the file cannot be read.
        ValueError: it holds no JSON, or no object.
    """
    content = parsed(path.read_text(encoding="utf-8-sig"))
    if not isinstance(content, dict):
        raise ValueError("it is no JSON object")
    return content


def json_value(value):
    """A value in plain JSON types: NumPy's numbers as Python's, tuples as lists; numbers that are not finite become null.

    >>> json_value({"p": float("nan"), "sizes": (1, 2.5)})
    {'p': None, 'sizes': [1, 2.5]}
    """
    if isinstance(value, dict):
        return {key: json_value(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [json_value(item) for item in value]
    if isinstance(value, bool) or value is None or isinstance(value, (str, int)):
        return value
    number = float(value)
    return number if math.isfinite(number) else None
