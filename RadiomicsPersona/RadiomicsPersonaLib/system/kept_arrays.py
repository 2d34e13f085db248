"""Kept arrays: answers that cost seconds, kept as files in a folder that the user names, for this process and later ones.

Nothing is kept unless `RADIOMICS_PERSONA_CACHE` names a folder: what is kept was computed from patients' scans.
"""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ..errors import InputError
from .output import file_written_whole
from .stored_arrays import read_arrays

FOLDER_VARIABLE = "RADIOMICS_PERSONA_CACHE"
"""Environment variable with the folder; it is made where it is not there, and may be emptied at any time."""
MOST_BYTES = 2_000_000_000
"""What the folder holds at most; of what is more, what nobody asked for longest is deleted."""


def kept(what: str, asked: np.ndarray, answer: Callable[[], np.ndarray]) -> np.ndarray:
    """The answer to an array, from the folder where it is there, else computed and put there.

    Args:
        what: everything but the array that the answer depends on.
        asked: the array.
        answer: computes it.
    Raises:
        InputError: the folder cannot be made, found out before anything is computed.
    Warns:
        RuntimeWarning: the disk is full, say; the answer is the same, for the folder only saves time.
    """
    if not os.environ.get(FOLDER_VARIABLE):
        return answer()
    folder = Path(os.environ[FOLDER_VARIABLE]).expanduser()
    asked = np.ascontiguousarray(asked)
    name = hashlib.sha256(f"{what} {asked.dtype} {asked.shape}".encode() + asked.tobytes()).hexdigest()
    file = folder / f"{name}.npz"
    try:
        result = read_arrays(file, {"answer": ("f", None)})["answer"]  # whose checksum is looked at
        os.utime(file)
        return result
    except (OSError, ValueError):
        pass  # not there, or damaged: it is written anew
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"The folder '{folder}' of {FOLDER_VARIABLE} cannot be written ({error.strerror}): name another."
        ) from error
    result = answer()
    try:
        with file_written_whole(file) as staging, staging.open("wb") as stream:
            np.savez(stream, answer=result)
    except (OSError, InputError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        warnings.warn(
            f"Nothing is kept in the folder of {FOLDER_VARIABLE}, results do not change. {reason}", RuntimeWarning, stacklevel=2
        )
        return result
    _delete_oldest(folder)
    return result


def _delete_oldest(folder: Path) -> None:
    """Keep to `MOST_BYTES`; another process may delete at the same time."""
    files = []
    for file in folder.glob("*.npz"):
        try:
            files.append((file.stat().st_mtime_ns, file.stat().st_size, file))
        except FileNotFoundError:
            continue
    total = sum(size for _, size, _ in files)
    for _, size, file in sorted(files)[:-1]:
        if total <= MOST_BYTES:
            break
        file.unlink(missing_ok=True)
        total -= size
