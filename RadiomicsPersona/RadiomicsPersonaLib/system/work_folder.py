"""Work folder: where a process of Slicer keeps copies of scans for a while, and what becomes of those that a crash left."""

from __future__ import annotations

import ctypes
import os
import re
import shutil
import tempfile
from pathlib import Path

PREFIX = "RadiomicsPersona-"
_OWNED = re.compile(rf"{PREFIX}(\d+)-")
_QUERY, _STILL_ACTIVE = 0x1000, 259


def work_folder() -> tempfile.TemporaryDirectory:
    """A folder for files that are needed for a while; its name tells whose it is."""
    return tempfile.TemporaryDirectory(prefix=f"{PREFIX}{os.getpid()}-", ignore_cleanup_errors=True)


def sweep() -> None:
    """Delete the work folders of processes that are gone: they were ended before they could."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        owner = _OWNED.match(folder.name)
        if owner and not _lives(int(owner[1])):
            shutil.rmtree(folder, ignore_errors=True)  # another user's cannot be deleted, and need not


def _lives(pid: int) -> bool:
    if os.name == "nt":
        kernel, code = ctypes.windll.kernel32, ctypes.c_ulong()
        handle = kernel.OpenProcess(_QUERY, False, pid)
        lives = bool(handle) and bool(kernel.GetExitCodeProcess(handle, ctypes.byref(code))) and code.value == _STILL_ACTIVE
        kernel.CloseHandle(handle)
        return lives
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # another user's
        return True
    return True
