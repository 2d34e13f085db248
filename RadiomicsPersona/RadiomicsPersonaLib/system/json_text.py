"""JSON text: what becomes of a value that JSON has no word for."""

from __future__ import annotations

import math


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
