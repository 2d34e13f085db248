"""Run: Apply, which says Cancel while the analysis runs, with progress and the time left."""

from __future__ import annotations

import re
import time

import slicer
from slicer.i18n import tr as _

from RadiomicsPersonaLib.child import Cancelled, ChildFailed
from RadiomicsPersonaLib.errors import InputError

from . import packages
from .section import Section


class RunSection(Section):
    """The analysis, from the click to the results in the scene.

    Args:
        done: called after every run, whether there are results (True) or not.

    Attributes:
        running: whether an analysis runs.
    """

    def __init__(self, ui, logic, done):
        super().__init__(ui, logic)
        self._done = done
        self.running = False
        self._cancelled = False
        self._started = 0.0
        ui.applyButton.clicked.connect(self.on_apply)

    def update(self) -> None:
        ready = bool(self.parameters and self.parameters.inputVolume and any(self.parameters.inputROIs))
        button = self.ui.applyButton
        button.enabled = ready or self.running
        button.text = _("Cancel") if self.running else _("Apply")
        if self.running:
            button.toolTip = _("End the analysis; results of an earlier run stay as they are.")
        elif ready:
            button.toolTip = _("Rebuild the boxes, compare them, and say whether they look healthy.")
        else:
            button.toolTip = _("Select a volume and check at least one ROI first.")

    def scene_closes(self) -> None:
        self.cancel()

    def close(self) -> None:
        super().close()
        self.cancel()

    def cancel(self) -> None:
        """End the run, if there is one, as soon as it asks."""
        self._cancelled = True

    def on_apply(self) -> None:
        """Run the analysis when the button says Apply, end it when it says Cancel."""
        if self.running:
            self.cancel()
            return
        self.running, self._cancelled, self._started = True, False, time.monotonic()
        self.update()
        self.ui.progressBar.visible = True
        self.ui.progressBar.maximum = 0
        self.say(_("Starting the analysis..."))
        has_results = False
        try:
            if packages.ensure(self.parameters.model):
                self.logic.worker.end()  # it was started without them
            self.logic.apply(self.on_progress)
            has_results = True
            self.say(_("Done."))
        except Cancelled:
            self.say(_("Cancelled; nothing was changed."))
        except (InputError, ChildFailed) as error:
            self.say(str(error))
        except Exception as error:
            self.say(_("The analysis failed unexpectedly ({error}); the Python console tells more.").format(error=error))
            raise
        finally:
            self.running = False
            self.ui.progressBar.visible = False
            self._done(has_results)

    def on_progress(self, line: str) -> bool:
        """Show the newest message of the analysis and keep the window alive; returns False to end the analysis.

        A line with "12/80" or "12 of 80" in it moves the bar and tells the time left.
        """
        activity = line or _("Starting the analysis...")
        seconds = time.monotonic() - self._started
        counted = re.search(r"(\d+) ?(?:/|of) ?(\d+)", line)
        done, total = (int(number) for number in counted.groups()) if counted else (0, 0)
        self.ui.progressBar.maximum = total
        self.ui.progressBar.value = done
        if 0 < done < total:
            text = _("{activity} ({seconds} s, about {left} s left)").format(
                activity=activity, seconds=int(seconds), left=max(1, round(seconds / done * (total - done))))
        else:
            text = _("{activity} ({seconds} s)").format(activity=activity, seconds=int(seconds))
        self.say(text)
        slicer.app.processEvents()
        return not self._cancelled
