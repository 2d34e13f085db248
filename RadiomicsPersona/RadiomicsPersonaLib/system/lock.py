"""Lock: an open file that one process has to itself; the system lets go of it when the process ends, in whatever way."""

from __future__ import annotations

import os
from typing import IO


def locked(stream: IO, shared: bool = False) -> bool:
    """Whether this process got the lock of an open file; two readers do not hinder each other where the system can tell them
    apart.

    Raises:
        OSError: the disk knows no locks.
    """
    if os.name == "nt":
        import msvcrt  # only Windows has it

        stream.seek(0)
        try:
            msvcrt.locking(stream.fileno(), msvcrt.LK_NBLCK, 1)
        except PermissionError:
            return False
        if shared:
            stream.seek(0)
            msvcrt.locking(stream.fileno(), msvcrt.LK_UNLCK, 1)
        return True
    import fcntl  # Windows lacks it

    try:
        fcntl.flock(stream, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
