"""A worker process that many tests ask: its libraries take seconds to load. Tests of how one ends or dies start their own."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from RadiomicsPersonaLib.system.child import Child, child_environment

COMMAND = (sys.executable, "-m", "RadiomicsPersonaLib.worker")
MODULE_FOLDER = Path(__file__).resolve().parents[2] / "RadiomicsPersona"


def environment(base: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The environment in which Slicer would start the worker."""
    return child_environment(base, MODULE_FOLDER)


class LentWorker:
    """A child that belongs to somebody else: who has it may do with it what can be done with a `Child`, but not end it.

    Args:
        child: the worker.
    """

    def __init__(self, child: Child):
        self._child = child

    def __getattr__(self, name: str):
        return getattr(self._child, name)

    def end(self) -> None:
        """Give it back: nobody waits any more for what was asked."""
        for number in list(self._child._open):
            self._child.forget(number)
