"""Fade in: the short ramp with which a result appears over the scan, so that the eye sees what changes.

Its `Ticker` calls a function again and again, from Qt's event loop, until it is stopped.
"""

from __future__ import annotations

import time

import qt

SECONDS = 0.3
STEP_MS = 30


class FadeIn:
    """Raises an overlay from clear to its own opacity.

    Args:
        parent: the Qt object that its timer goes with.
        dim: called with the share of the opacity, 0 to 1.
    """

    def __init__(self, parent, dim):
        self._dim = dim
        self._started = 0.0
        self._ticker = Ticker(parent, STEP_MS, self._step)

    @property
    def running(self) -> bool:
        """Whether the ramp is on its way."""
        return self._ticker.running

    def start(self) -> None:
        """Begin clear."""
        self._started = time.monotonic()
        self._dim(0.0)
        self._ticker.start()

    def stop(self) -> None:
        """Leave the opacity as it is."""
        self._ticker.stop()

    def finish(self) -> None:
        """End with the whole opacity at once."""
        if self.running:
            self.stop()
            self._dim(1.0)

    def _step(self) -> None:
        share = min((time.monotonic() - self._started) / SECONDS, 1.0)
        if share == 1.0:
            self.stop()
        self._dim(share)


class Ticker:
    """One timer that is made once: qt.QTimer.singleShot of Slicer makes one for every call and keeps it.

    Args:
        parent: the Qt object that the timer goes with.
        milliseconds: between calls.
        function: what is called.

    Attributes:
        running: whether calls are still to come.
    """

    def __init__(self, parent, milliseconds: int, function):
        self.running = False
        self._timer = qt.QTimer(parent)
        self._timer.setInterval(milliseconds)
        self._timer.connect("timeout()", function)

    def start(self) -> None:
        """Begin to call, or go on; what calls already is not put off."""
        if not self.running:
            self.running = True
            self._timer.start()

    def stop(self) -> None:
        """Call no more."""
        self.running = False
        self._timer.stop()
