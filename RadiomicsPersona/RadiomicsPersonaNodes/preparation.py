"""Preparation: what the worker finds out of a scan as soon as it is chosen, so that Apply need not."""

from __future__ import annotations

import time

from RadiomicsPersonaLib.system.child import ANSWER_WAIT_SECONDS, FINAL, Cancelled, ChildFailed, raise_if_ended_badly
from RadiomicsPersonaLib.system.work_folder import work_folder

from . import scan as scans


class Preparation:
    """The latest scan that was prepared or is being prepared; the worker keeps what it found.

    Attributes:
        name: of the volume.
        activity: what is being done.
        seconds: how long it has taken, or took.
    """

    def __init__(self, logic) -> None:
        self._logic = logic
        self._folder = self._number = self._of = None
        self._started = 0.0
        self.name = self.activity = ""
        self.seconds = 0.0

    @property
    def waiting(self) -> bool:
        """Whether it is still to end."""
        return self._number is not None

    def ask(self, volume) -> bool:
        """Begin with a volume, unless it is prepared as it is; returns at once, and whether anything began.

        Raises:
            InputError: the volume cannot be used.
            ChildFailed: the worker cannot be started.
        """
        scans.check(volume)
        parameters, worker = self._logic.getParameterNode(), self._logic.worker
        worker.start()
        prepared = (scans.state(volume), parameters.model, parameters.device, worker.pid)
        if prepared == self._of:
            return False
        self.stop()
        self._folder = work_folder()
        request = {"kind": "prepare", "scan": scans.write(volume, self._folder.name)}
        self._number = worker.send(request | {"model": parameters.model, "device": parameters.device})
        self._of, self._started, self.seconds = prepared, time.monotonic(), 0.0
        self.name, self.activity = volume.GetName(), ""
        return True

    def take(self) -> bool:
        """Look what the worker says; returns whether the preparation has ended.

        Raises:
            InputError: the worker refused the scan.
            ChildFailed: the worker failed or crashed.
        """
        if not self.waiting:
            return True
        self.seconds = time.monotonic() - self._started
        try:
            for answer in self._logic.worker.answers(self._number, ANSWER_WAIT_SECONDS):
                self.activity = answer.get("activity", self.activity)
                if FINAL & set(answer):
                    self._let_go()
                    raise_if_ended_badly(answer)
        except Cancelled:  # the worker was ended, for a package say; the next one knows nothing
            self._let_go()
            self._of = None
        except ChildFailed:
            self._let_go()
            self._of = None
            raise
        return not self.waiting

    def stop(self) -> None:
        """End it, if it is on its way; returns at once."""
        if self.waiting:
            self._logic.worker.forget(self._number)
            self._of = None
        self._let_go()

    def _let_go(self) -> None:
        self._number = None
        if self._folder:
            self._folder.cleanup()
            self._folder = None
