"""Job: long work behind a button that says Cancel meanwhile, with a bar and a line that tells how far it is."""

from __future__ import annotations

import re
import time

import qt
import slicer
from slicer.i18n import tr as _

from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.system.child import Cancelled, ChildFailed


class ButtonJob:
    """What one button starts and ends. The worker does one thing after the other, so one job runs at a time.

    Args:
        logic: the module's Logic; its `job` is the one that runs.
        button, bar, label: where it is started, and where it tells how far it is and how it ended.

    Attributes:
        running: whether it runs.
        started: when it began, by the monotonic clock.
    """

    def __init__(self, logic, button, bar, label):
        self._logic, self._button, self._bar, self._label = logic, button, bar, label
        self._text = button.text
        self._cancelled = False
        self.started = 0.0
        self._first = self._latest = (0.0, 0)
        self._loop, self._tick = qt.QEventLoop(), qt.QTimer(button)
        self._tick.connect("timeout()", self._loop.quit)

    @property
    def running(self) -> bool:
        return self._logic.job is self

    def cancel(self) -> None:
        """End the work, if there is any, as soon as it asks."""
        self._cancelled = True

    def run(self, work, failed: str) -> bool:
        """Do the work, or end it where it is running already.

        Args:
            work: called without arguments; what it returns is said. It may raise InputError, ChildFailed or Cancelled,
                whose sentence is said.
            failed: what is said of any other error, with {error} in it.
        Returns:
            whether it came to its end.
        """
        if self.running:
            self.cancel()
            return False
        if self._logic.job:
            self._label.text = _("Something else is being computed: wait for its end, or cancel it.")
            return False
        self._logic.job, self._cancelled, self.started = self, False, time.monotonic()
        self._first = self._latest = (0.0, 0)
        self._button.text = _("Cancel")
        self._bar.visible = True
        self._bar.maximum = 0
        self._label.text = _("Starting...")
        try:
            self._label.text = work()
            return True
        except Cancelled:
            self._label.text = _("Cancelled; nothing was changed.")
        except (InputError, ChildFailed) as error:
            self._label.text = str(error)
        except Exception as error:
            self._label.text = failed.format(error=error)
            raise
        finally:
            self._logic.job = None
            self._button.text = self._text
            self._bar.visible = False
        return False

    def proceed(self, line: str) -> bool:
        """Show the newest message of the work and keep the window alive; returns False to end it.

        A line with "12/80" or "12 of 80" in it moves the bar and tells the time left. That is reckoned from the first such
        line on: what is prepared before takes its own time. An application that is about to quit ends the work.
        """
        activity = line or _("Starting...")
        now = time.monotonic()
        seconds = now - self.started
        counted = re.search(r"(\d+) ?(?:/|of) ?(\d+)", line)
        done, total = (int(number) for number in counted.groups()) if counted else (0, 0)
        self._bar.maximum = total
        self._bar.value = done
        if total and not self._first[1] <= self._latest[1] <= done:  # something else is counted now
            self._first = (0.0, 0)
        if total and not self._first[0]:
            self._first = (now, done)
        self._latest = (now, done) if total else self._latest
        steps, spent = done - self._first[1], now - self._first[0]
        if total and steps > 0 and done < total:
            text = _("{activity} ({seconds} s, about {left} s left)").format(
                activity=activity, seconds=int(seconds), left=max(1, round(spent / steps * (total - done)))
            )
        else:
            text = _("{activity} ({seconds} s)").format(activity=activity, seconds=int(seconds))
        self._label.text = text
        slicer.app.processEvents()
        return not (self._cancelled or self._quits())

    def _quits(self) -> bool:
        """Whether the application was told to exit: no event loop begins any more then, and none would end this work."""
        self._tick.start()
        ended = self._loop.exec_()
        self._tick.stop()
        return ended != 0
