"""Live twin: the healthy persona of a box while it is dragged, from the worker into the reconstruction volume."""

from __future__ import annotations

import os
import time

import numpy as np
import slicer

from RadiomicsPersonaLib.system.child import ANSWER_WAIT_SECONDS, FINAL, Cancelled, ChildFailed, raise_if_ended_badly
from RadiomicsPersonaLib.system.work_folder import work_folder

from . import output
from . import scan as scans
from .roi import box_from_roi, plain_name

MOST_ASKED = 8
"""Steps without an answer after which no more are sent: a worker that hears nothing would leave us waiting at a full pipe."""


class LiveTwin:
    """The healthy persona of a box while it is dragged: in the reconstruction volume, and without any numbers.

    Only the box's voxels are touched from one step to the next. The worker drops steps that it cannot keep up with.

    Attributes:
        box_name: name of the ROI whose twin is shown.
        is_new: whether the latest `take` had to make the reconstruction volume.
    """

    def __init__(self, logic) -> None:
        self._logic = logic
        self._folder = None
        self._scan_state = None
        self._asked = {}
        self._volume = None
        self._covered = None
        self.box_name = ""
        self.is_new = False

    @property
    def waiting(self) -> bool:
        """Whether an answer is still to come."""
        return bool(self._asked)

    def ask(self, roi) -> bool:
        """Ask for the twin of an ROI, without looking into it or any other chosen one; returns at once.

        Returns:
            False if too many answers are still to come; then nothing was asked.
        Raises:
            InputError: the volume or an ROI cannot be used.
            ChildFailed: the worker cannot be started.
        """
        if len(self._asked) >= MOST_ASKED:
            return False
        parameters = self._logic.getParameterNode()
        scan = parameters.inputVolume
        scans.check(scan)
        others = [other for other in parameters.inputROIs if other and other is not roi]
        boxes = [box_from_roi(node, scan) for node in (roi, *others)]
        state = scans.state(scan)
        if state != self._scan_state:
            self.stop()
            self._folder = work_folder()
            self._scan = scans.write(scan, self._folder.name)
            self._scan_state = state
        path = os.path.join(self._folder.name, f"twin {time.monotonic_ns()}.npz")
        number = self._logic.worker.send(
            {
                "kind": "twin",
                "scan": self._scan,
                "boxes": [
                    {"center": box.center.tolist(), "size": box.size.tolist(), "axes": box.axes.tolist(), "name": box.name}
                    for box in boxes
                ],
                "model": parameters.model,
                "device": parameters.device,
                "output": path,
            }
        )
        self._asked[number] = (path, scan, plain_name(roi))
        return True

    def take(self) -> bool:
        """Put the newest twin that came in into the reconstruction volume; returns whether there was one.

        Raises:
            InputError: the worker refused the box; no twin is shown.
            ChildFailed: the worker crashed.
            Cancelled: the worker was ended.
        """
        newest = None
        for number, (path, scan, name) in list(self._asked.items()):
            try:
                final = [answer for answer in self._logic.worker.answers(number, ANSWER_WAIT_SECONDS) if FINAL & set(answer)]
            except (ChildFailed, Cancelled):
                self._forget_asked()
                raise
            for answer in final:
                del self._asked[number]
                if "done" in answer:
                    newest = (answer["done"], self._read(path), scan, name)
                elif "dropped" not in answer:
                    self._uncover()
                    raise_if_ended_badly(answer)
        if newest:
            self._show(*newest)
        return bool(newest)

    def forget(self) -> None:
        """The reconstruction volume holds something else now."""
        self._volume = self._covered = None

    def stop(self) -> None:
        """Let go of the files; what is on its way is not waited for."""
        self._forget_asked()
        self.forget()
        self._scan_state = None
        if self._folder:
            self._folder.cleanup()
            self._folder = None

    def _forget_asked(self) -> None:
        for number in self._asked:
            self._logic.worker.forget(number)
        self._asked.clear()

    @staticmethod
    def _read(path) -> tuple:
        """The arrays of an answer, axes K, J, I as in Slicer; their file is no longer needed."""
        with np.load(path) as arrays:
            values, mask = (arrays[key].transpose(2, 1, 0) for key in ("values", "mask"))
        os.remove(path)
        return values, mask

    def _show(self, done, arrays, scan, name) -> None:
        values, mask = arrays
        if not slicer.mrmlScene.IsNodePresent(scan):
            return
        self.is_new = self._logic.getParameterNode().reconstructionVolume is None
        if self._volume is None or not slicer.mrmlScene.IsNodePresent(self._volume):
            self._volume, self._covered = output.reconstruction_of(self._logic.getParameterNode(), scan), None
        self._uncover()
        first = done["start"][::-1]
        region = tuple(slice(low, low + size) for low, size in zip(first, values.shape))
        part = slicer.util.arrayFromVolume(self._volume)[region]
        self._covered = (region, mask, part[mask])
        part[mask] = values[mask]
        slicer.util.arrayFromVolumeModified(self._volume)
        self.box_name = name

    def _uncover(self) -> None:
        """Give the voxels of the latest twin back what they were."""
        if self._covered and slicer.mrmlScene.IsNodePresent(self._volume):
            region, mask, values = self._covered
            slicer.util.arrayFromVolume(self._volume)[region][mask] = values
            slicer.util.arrayFromVolumeModified(self._volume)
        self._covered = None
