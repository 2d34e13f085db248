"""Worker: the process beside Slicer in which everything is computed, `python -m RadiomicsPersonaLib.worker`.

It reads one JSON object per line from standard input and answers with one per line on standard output. A request has a
number `id` and a `kind`:

    {"id": 1, "kind": "command", "arguments": [...]}       what the command line would be given; the files of --output
    {..., "for_slicer": true}                              the same with the files of `report.exchange`, in a folder that
                                                           --output names
    {"id": 2, "kind": "twin", "scan": FILE, "boxes": [{"center", "size", "axes", "name"}, ...], "model": NAME,
     "device": NAME, "output": FILE.npz}                   the healthy persona of the first box, see `reconstruction.twin`
    {"id": 3, "kind": "row", "row": {...}}                 a row of a cohort, see `cohort.row`
    {"id": 4, "kind": "prepare", "scan": FILE, "model": NAME, "device": NAME}
                                                           find out of a scan what needs no box, for later requests
    {"cancel": 1}                                          ends a request

An answer has the request's `id` and one of these keys; all but the first close the request:

    "activity": text                         what is being done; "12 of 40" in it says how far it is
    "done": {...}                            {}; "twin": {"start": [I, J, K], "notes": [sentence, ...]}, and the file holds
                                             `values` and `mask`, axes I, J, K, from voxel `start` on
    "refused": sentence                      what the user gave cannot be used
    "failed": sentence, "log": text          an error that nobody foresaw, or too little memory
    "cancelled": true, "dropped": true       it was ended; a newer twin made it superfluous

One request is worked on at a time, in their order; of twins that wait only the newest is kept. What comes in behind a
preparation is told so. The scan, its preparation
and the model stay loaded. The process ends when its standard input does, which happens when Slicer ends in whatever way.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable

import numpy as np

from .commands.job import Job
from .commands.registry import ANALYSIS
from .errors import InputError
from .geometry.box import Box
from .geometry.hole import hole_of_box
from .system.child import Cancelled
from .system.device import NO_MEMORY, missing_package, ran_out_of_memory

# Imported in functions: torch, cache and twin, and with them the analysis: they take seconds to load, so the process first
# says that it is ready, and then loads them before they are asked for; row needs torch, which a Slicer may lack.

PREPARING = "Preparing the scan"
ANSWER_SECONDS = 0.1
"""Activities are told no more often than this."""


class Wire:
    """The process's standard input and output, out of reach for anything that prints: that goes to standard error."""

    def __init__(self):
        self._incoming = os.fdopen(os.dup(0), "rb")
        self._outgoing = os.fdopen(os.dup(1), "wb")
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.close(nothing)
        os.dup2(2, 1)
        sys.stdout = sys.stderr
        self._lock = threading.Lock()

    def requests(self):
        """The requests as they come in, until the other side closes."""
        for line in self._incoming:
            try:
                request = json.loads(line)
            except (ValueError, RecursionError):
                request = None
            if isinstance(request, dict):
                yield request
            else:
                print(f"Not a request: {line[:100]!r}", file=sys.stderr)

    def answer(self, **content) -> None:
        """Send an answer; a reader that is gone ends the process."""
        with self._lock:
            try:
                self._outgoing.write(json.dumps(content).encode() + b"\n")
                self._outgoing.flush()
            except OSError:
                os._exit(0)


class Desk:
    """The requests that wait, and the one that is worked on; filled by one thread, emptied by another."""

    def __init__(self, wire: Wire):
        self._wire = wire
        self._waiting: deque[dict] = deque()
        self._change = threading.Condition()
        self._current: int | None = None
        self._preparing = self._cancelled = False

    def read(self) -> None:
        """Take requests until the input ends, and then end the process, whatever it is at."""
        try:
            self._read()
        except Exception:  # without this thread nobody would be heard any more, so the other side must see a crash
            traceback.print_exc()
            os._exit(1)
        os._exit(0)

    def take(self) -> dict:
        """The next request, as soon as there is one."""
        with self._change:
            self._current, self._preparing = None, False
            self._change.wait_for(lambda: self._waiting)
            request = self._waiting.popleft()
            self._current, self._cancelled = request.get("id"), False
            self._preparing = request.get("kind") == "prepare"
            return request

    def check(self) -> None:
        """Raise Cancelled if the current request was."""
        if self._cancelled:
            raise Cancelled

    def _read(self) -> None:
        for request in self._wire.requests():
            with self._change:
                if "cancel" in request:
                    self._cancel(request["cancel"])
                    continue
                if request.get("kind") == "twin":
                    self._drop(lambda other: other.get("kind") == "twin", "dropped")
                self._waiting.append(request)
                if self._preparing:
                    self._wire.answer(id=request.get("id"), activity=PREPARING)
                self._change.notify()

    def _cancel(self, number) -> None:
        if number == self._current:
            self._cancelled = True
        else:
            self._drop(lambda other: other.get("id") == number, "cancelled")

    def _drop(self, which, how: str) -> None:
        for request in [request for request in self._waiting if which(request)]:
            self._waiting.remove(request)
            self._wire.answer(id=request.get("id"), **{how: True})


class Activity:
    """Tells what the current request is at, and ends it if it was cancelled."""

    def __init__(self, wire: Wire, desk: Desk, number: int | None):
        self._wire, self._desk, self._number = wire, desk, number
        self._told = 0.0

    def check(self) -> None:
        """Raise Cancelled if the request was."""
        self._desk.check()

    def tell(self, what: str) -> None:
        """Something starts that takes a moment."""
        self.check()
        self._wire.answer(id=self._number, activity=what)

    def progress(self, done: int, total: int, what: str) -> None:
        """`done` of `total` steps are behind."""
        self.check()
        now = time.monotonic()
        if now - self._told >= ANSWER_SECONDS or done >= total:
            self._told = now
            self._wire.answer(id=self._number, activity=f"{what}: {done} of {total}")


def main() -> None:
    """Work off requests until the input ends."""
    wire, desk = open_desk()
    if missing_package() is None:
        import torch  # noqa: F401
    from .commands.cache import Cache
    from .reconstruction.twin import twin_of  # noqa: F401

    cache = Cache()

    def result_of(request: dict, activity: Activity) -> dict:
        cache.tell = activity.tell
        return _result(request, cache, activity)

    def forget() -> None:
        nonlocal cache
        cache = Cache()  # whatever state it was left in, and whatever memory it takes

    work_off(wire, desk, result_of, forget)


def open_desk() -> tuple[Wire, Desk]:
    """Begin to listen, and say so."""
    wire = Wire()
    desk = Desk(wire)
    threading.Thread(target=desk.read, daemon=True).start()
    wire.answer(ready=True)
    return wire, desk


def work_off(wire: Wire, desk: Desk, result_of: Callable[[dict, Activity], dict], forget: Callable[[], None]) -> None:
    """Answer one request after the other, without end.

    Args:
        result_of: gives what the answer's "done" holds; may raise InputError or Cancelled.
        forget: called after an error that nobody foresaw.
    """
    while True:
        request = desk.take()
        number = request.get("id")
        activity = Activity(wire, desk, number)
        try:
            wire.answer(id=number, done=result_of(request, activity))
        except Cancelled:
            wire.answer(id=number, cancelled=True)
        except InputError as error:
            wire.answer(id=number, refused=str(error))
        except Exception as error:
            forget()
            log = traceback.format_exc()
            sentence = (
                NO_MEMORY
                if ran_out_of_memory(error)
                else f"The analysis failed unexpectedly ({type(error).__name__}: {error})."
            )
            wire.answer(id=number, failed=sentence, log=log)


def _result(request: dict, cache, activity: Activity) -> dict:
    kind = request.get("kind")
    if kind == "twin":
        return _twin(request, cache, activity)
    if kind == "prepare":
        return _prepare(request, cache, activity)
    job = Job(activity.progress, activity.tell, activity.check, for_slicer=bool(request.get("for_slicer")), cache=cache)
    if kind == "command":
        ANALYSIS.run(ANALYSIS.options_of(request["arguments"]), job)
    elif kind == "row":
        from .cohort.row import run_row

        run_row(request["row"], job)
    else:
        raise ValueError(f"there is no request of the kind {kind!r}")
    return {}


def _prepare(request: dict, cache, activity: Activity) -> dict:
    """Leave in the cache what needs no box; later preparations take the maps of the whole head over."""
    scan, _ = cache.scan(request["scan"])
    model = cache.model(request["model"], request["device"])
    prepared = cache.prepare(scan)
    activity.tell("Looking at the whole head")
    _ = prepared.maps
    model.for_scan(prepared)
    return {}


def _twin(request: dict, cache, activity: Activity) -> dict:
    from .reconstruction.twin import twin_of

    scan, _ = cache.scan(request["scan"])
    boxes = [Box(**box) for box in request["boxes"]]
    prepared = cache.prepared(scan, [hole_of_box(scan, box) for box in boxes])
    model = cache.model(request["model"], request["device"]).for_scan(prepared)
    twin = twin_of(prepared, boxes, model)
    activity.check()  # its folder may be gone
    np.savez(request["output"], values=twin.values.astype(scan.array.dtype), mask=twin.hole.mask)
    return {"start": twin.hole.start.tolist(), "notes": list(twin.warnings) + list(getattr(model, "notes", ()))}


if __name__ == "__main__":
    main()
