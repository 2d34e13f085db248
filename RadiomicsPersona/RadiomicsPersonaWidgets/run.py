"""Run: Apply, which says Cancel while the analysis runs, with progress and the time left."""

from __future__ import annotations

from slicer.i18n import tr as _

from . import packages
from .job import ButtonJob
from .section import Section


class RunSection(Section):
    """The analysis, from the click to the results in the scene.

    Args:
        done: called after every run, whether there are results (True) or not.

    Attributes:
        job: the analysis behind the button.
    """

    def __init__(self, ui, logic, done):
        super().__init__(ui, logic)
        self._done = done
        self.job = ButtonJob(logic, ui.applyButton, ui.progressBar, ui.statusLabel)
        ui.applyButton.clicked.connect(self.on_apply)

    @property
    def running(self) -> bool:
        """Whether an analysis runs."""
        return self.job.running

    def update(self) -> None:
        ready = bool(self.parameters and self.parameters.inputVolume and any(self.parameters.inputROIs))
        button = self.ui.applyButton
        button.enabled = ready or self.running
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
        self.job.cancel()

    def on_apply(self) -> None:
        """Run the analysis when the button says Apply, end it when it says Cancel."""
        if self.running:
            self.cancel()
            return
        done = False
        try:
            done = self.job.run(self._apply, _("The analysis failed unexpectedly ({error}); the Python console tells more."))
        finally:
            self._done(done)

    def _apply(self) -> str:
        self.update()
        if packages.ensure(self.parameters.model):
            self.logic.worker.end()  # it was started without them
        self.logic.apply(self.job.proceed)
        return _("Done.")
