"""JSON text: how it is read, and what becomes of a value that JSON has no word for."""

from __future__ import annotations

import json
import math


def parsed(text: str):
    """The value that a JSON text holds.

    Raises:
        ValueError: it is no JSON, or nested too deeply to be any file of this program.
    """
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


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
