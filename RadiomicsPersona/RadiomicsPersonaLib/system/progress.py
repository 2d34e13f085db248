"""Progress: what is being done and how far it is, on standard error: a bar on a terminal, lines where they are asked for."""

from __future__ import annotations

import contextlib
import sys
import time
from importlib.util import find_spec

# Imported in functions: tqdm, which a terminal alone needs and Slicer's Python may lack.

LEAST_KNOWN = 0.1
"""Share of the steps from which on the time left is told: the first ones wait for models to be read."""


class ProgressBar:
    """A bar of tqdm with the stage, the time gone and the time left; in a pipe nothing. A context manager.

    What is printed meanwhile goes above the bar, and the bar is gone at the end.

    Args:
        quiet: show nothing.
        verbose: in place of the bar a line for every stage, in a pipe too.
    """

    def __init__(self, quiet: bool = False, verbose: bool = False):
        self._bar, self._open = None, contextlib.ExitStack()
        self._shown, self._lines = sys.stderr.isatty() and not (quiet or verbose), verbose and not quiet
        self._stage, self._started = "", time.monotonic()

    def __enter__(self) -> ProgressBar:
        if self._shown and find_spec("tqdm"):
            from tqdm import tqdm
            from tqdm.contrib import DummyTqdmFile

            self._bar = self._open.enter_context(tqdm(total=1, leave=False, dynamic_ncols=True, file=sys.stderr))
            if sys.stdout.isatty():
                self._open.enter_context(contextlib.redirect_stdout(DummyTqdmFile(sys.stdout)))
        return self

    def __exit__(self, *error) -> None:
        self._open.close()

    def tell(self, what: str) -> None:
        """Show what starts now."""
        self(0, 0, what)

    def __call__(self, done: int, total: int, what: str = "") -> None:
        """Show that `done` of `total` steps are behind; a `total` of 0 is for what has no steps."""
        if self._lines and what != self._stage:
            seconds = round(time.monotonic() - self._started)
            print(f"{seconds // 60:3}:{seconds % 60:02}  {what}", file=sys.stderr, flush=True)
        self._stage = what
        if self._bar is None:
            return
        bar = self._bar
        known = total and done >= LEAST_KNOWN * total
        bar.bar_format = (
            "{desc}  {elapsed}"
            if not total
            else "{desc} |{bar}| {n}/{total}  {elapsed}" + (", {remaining} left" if known else "")
        )
        bar.total, bar.n = total or None, done
        bar.set_description_str(what, refresh=False)
        bar.refresh()
