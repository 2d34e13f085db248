"""Stored arrays: NumPy's files of several arrays by name (.npz), read whole or refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..errors import InputError

INSTALL = "install the program again"
"""What to do where a file is damaged that comes with it."""


def read_arrays(path: Path, shapes: dict[str, tuple[str, tuple[int | None, ...] | None]]) -> dict[str, np.ndarray]:
    """Arrays of a file.

    Args:
        shapes: by name the kinds of numbers that an array may hold, as the letters of `dtype.kind`, and its shape, None
            for any length or any shape.
    Raises:
        OSError: the file cannot be read.
        ValueError: it is damaged, or lacks an array, or one is of another kind or shape.
    """
    with open(path, "rb") as stream:
        try:
            with np.load(stream, allow_pickle=False) as stored:
                arrays = {name: stored[name] for name in shapes}
        except (OSError, MemoryError):
            raise
        except Exception as error:  # zipfile, zlib and numpy each raise their own kinds on damaged files
            raise ValueError(f"it is damaged, {type(error).__name__}") from error
    for name, (kinds, shape) in shapes.items():
        array = arrays[name]
        fits = shape is None or (array.ndim == len(shape) and all(length in (None, n) for length, n in zip(shape, array.shape)))
        if array.dtype.kind not in kinds or not fits:
            raise ValueError(f"'{name}' is {array.dtype} of {array.shape}")
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise ValueError(f"'{name}' is not finite")
    return arrays


def arrays_of(path: Path, shapes: dict[str, tuple[str, tuple[int | None, ...] | None]], remedy: str) -> dict[str, np.ndarray]:
    """`read_arrays` for files that have to be there.

    Args:
        remedy: what the user should do where the file is missing or damaged.
    Raises:
        InputError: it is.
    """
    try:
        return read_arrays(path, shapes)
    except (OSError, ValueError) as error:
        reason = error.strerror or error if isinstance(error, OSError) else error
        raise InputError(f"'{path.name}' cannot be read ({reason}): {remedy}.") from error
