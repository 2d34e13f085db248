"""Ticker: calls a function again and again, from Qt's event loop, until it is stopped."""

from __future__ import annotations

import qt


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
