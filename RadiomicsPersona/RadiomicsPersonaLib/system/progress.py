"""Progress: a bar on a terminal, nothing in a pipe."""

from __future__ import annotations

import sys
import time


class ProgressBar:
    """A bar on standard error with the time left; silent unless standard error is a terminal."""

    def __init__(self, quiet: bool = False):
        self._shown = sys.stderr.isatty() and not quiet
        self._started = time.monotonic()

    def __call__(self, done: int, total: int, what: str = "") -> None:
        """Show that `done` of `total` steps are behind."""
        if not self._shown:
            return
        filled = round(30 * done / max(total, 1))
        left = (time.monotonic() - self._started) / max(done, 1) * (total - done)
        line = f"\r[{'#' * filled}{'.' * (30 - filled)}] {done}/{total}  {left:3.0f} s left  {what}"
        sys.stderr.write(line[:100].ljust(100))
        if done >= total:
            sys.stderr.write("\r" + " " * 100 + "\r")
        sys.stderr.flush()
