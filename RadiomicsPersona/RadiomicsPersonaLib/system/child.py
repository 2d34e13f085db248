"""Child: the worker process as seen from Slicer's, asked by JSON lines on its pipes; the standard library only.

The process is started when it is first asked, and again after it ended. A memory error or a crash in it costs the user one
sentence, not the session.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from itertools import count
from pathlib import Path

from ..errors import InputError
from .threads import let_waiting_sleep

POLL_SECONDS = 0.05
ANSWER_WAIT_SECONDS = 0.002
"""For who only looks whether something came in: long enough for the thread that reads answers to have its turn."""
CANCEL_SECONDS = 0.8
"""What the worker has to end a request by itself; then its process is ended and replaced."""
END_SECONDS = 5.0
LOG_LINES, LINE_LENGTH = 1000, 2000
FINAL = {"done", "refused", "failed", "cancelled", "dropped"}
"""What the last answer to a request says; others tell what is being done."""


class Cancelled(Exception):
    """The user ended the run."""


class ChildFailed(Exception):
    """The child ended without a result and without a sentence of its own.

    Attributes:
        log: the latest of what the child wrote to stderr.
    """

    def __init__(self, message: str, log: str):
        super().__init__(message)
        self.log = log


def child_environment(base: Mapping[str, str], module_folder: str | Path) -> dict[str, str]:
    """The environment for the child's Python.

    Variables that point a Python elsewhere (a conda shell's, a user's) are taken out: PythonSlicer sets its own. Nothing is
    imported from the folder that Slicer happens to be started in. Threads that wait sleep.

    Args:
        base: the environment Slicer was started from, without the launcher's own additions.
        module_folder: the folder that contains RadiomicsPersonaLib.
    """
    environment = {name: value for name, value in base.items() if name not in ("PYTHONHOME", "PYTHONSTARTUP")}
    let_waiting_sleep(environment)
    return environment | {"PYTHONPATH": str(module_folder), "PYTHONUTF8": "1", "PYTHONNOUSERSITE": "1", "PYTHONSAFEPATH": "1"}


class Child:
    """A worker process and the requests it was sent; see `worker` for what can be asked.

    Used from one thread. In Slicer other threads run only while Python code of the main one waits, so answers arrive in
    `answers`, which gives them a moment.

    Args:
        command: the program and its arguments.
        environment: gives the process's environment whenever one is started.
    """

    def __init__(self, command: Sequence[str], environment: Callable[[], Mapping[str, str]]):
        self._command, self._environment = list(command), environment
        self._numbers = count(1)
        self._running: _Running | None = None
        self._open: dict[int, tuple[_Running, list[dict]]] = {}

    @property
    def pid(self) -> int | None:
        """The process's number, or None while there is none."""
        return self._running.process.pid if self._running else None

    def start(self) -> None:
        """Start the process now, if it is not there; what it loads meanwhile needs no waiting later.

        Raises:
            ChildFailed: it cannot be started.
        """
        if self._running is None or self._running.ended:
            try:
                self._running = _Running(self._command, self._environment())
            except OSError as error:
                raise ChildFailed(f"The analysis could not be started: {error}.", str(error)) from error

    def send(self, request: dict) -> int:
        """Send a request, starting the process if it is not there; returns the number to ask `answers` for.

        Raises:
            ChildFailed: the process cannot be started.
        """
        self.start()
        number = next(self._numbers)
        self._open[number] = (self._running, [])
        self._running.write(request | {"id": number})
        return number

    def answers(self, number: int, wait: float = 0.0) -> list[dict]:
        """What came in for a request since the last time; after one with a key of `FINAL` the request is closed.

        Args:
            wait: seconds to wait for something to come in.
        Raises:
            Cancelled: the process was ended on purpose.
            ChildFailed: the process crashed; the next request starts a new one, which is on its way already.
        """
        running, mail = self._open[number]
        if running is not self._running:
            del self._open[number]
            raise Cancelled
        ended = running.ended
        self._sort(running, 0 if mail else wait)
        found = mail.copy()
        mail.clear()
        if any(FINAL & set(answer) for answer in found):
            del self._open[number]
        elif ended and not found:
            del self._open[number]
            self._replace_crashed(running)
        return found

    def run(self, request: dict, proceed: Callable[[str], bool]) -> dict:
        """Send a request and wait for its result.

        Args:
            proceed: called about twenty times a second with what is being done; when it returns False, or raises, the request
                is cancelled.
        Returns:
            what the answer's "done" holds.
        Raises:
            InputError: the worker refused what the user gave; the message is its own sentence.
            Cancelled: `proceed` returned False, or the process was ended meanwhile.
            ChildFailed: the worker failed or crashed.
        """
        number = self.send(request)
        activity = ""
        try:
            while True:
                for answer in self.answers(number, POLL_SECONDS):
                    if "done" in answer:
                        return answer["done"]
                    raise_if_ended_badly(answer)
                    activity = answer.get("activity", activity)
                if not proceed(activity):
                    raise Cancelled
        finally:
            if number in self._open:
                self.cancel(number)

    def cancel(self, number: int) -> None:
        """End a request within a second: the worker is asked to, and if it does not obey its process tree is ended.

        In that case a new process starts at once, so that it is there when it is needed.
        """
        running, mail = self._open[number]
        if running is self._running and not running.ended:
            running.write({"cancel": number})
            deadline = time.monotonic() + CANCEL_SECONDS
            while not any(FINAL & set(answer) for answer in mail) and not running.ended:
                if time.monotonic() > deadline:
                    self.end()
                    self.start()
                    break
                self._sort(running, POLL_SECONDS)
        del self._open[number]

    def forget(self, number: int) -> None:
        """Ask the worker to end a request, if it is open, whose answer is not wanted any more; returns at once."""
        running, _mail = self._open.pop(number, (None, []))
        if running and running is self._running and running.process.poll() is None:
            running.write({"cancel": number})

    def end(self) -> None:
        """End the process with every process it started; open requests count as cancelled."""
        if self._running:
            self._running.end()
            self._running = None

    def _sort(self, running: _Running, wait: float) -> None:
        """Put what came in where it belongs; answers to requests that were closed are dropped."""
        for answer in running.received(wait):
            if answer.get("id") in self._open:
                self._open[answer["id"]][1].append(answer)

    def _replace_crashed(self, running: _Running) -> None:
        """Raise the sentence about a crash, after starting anew; not where even the start failed, which would fail again."""
        running.end()
        self._running = None
        if running.was_ready:
            self.start()
        log = running.log
        raise ChildFailed(_sentence(running.process.returncode, _last_line(log)), log)


def raise_if_ended_badly(answer: dict) -> None:
    """Raise what a final answer other than "done" stands for."""
    if "refused" in answer:
        raise InputError(answer["refused"])
    if "failed" in answer:
        raise ChildFailed(answer["failed"], answer.get("log", ""))
    if "cancelled" in answer or "dropped" in answer:
        raise Cancelled


class _Running:
    """One process with its pipes, which threads keep empty."""

    def __init__(self, command: list[str], environment: Mapping[str, str]):
        self.process = subprocess.Popen(
            command,
            env=dict(environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            **_own_group(),
        )
        # also when nobody ends it: at the interpreter's end or when this object is forgotten
        self._end = weakref.finalize(self, _end_tree, self.process)
        self.was_ready = False
        self._answers: queue.SimpleQueue[dict] = queue.SimpleQueue()
        self._log: deque[str] = deque(maxlen=LOG_LINES)
        self._threads = [
            threading.Thread(target=_read_answers, args=(self.process.stdout, self._answers, self._log), daemon=True),
            threading.Thread(target=_read_log, args=(self.process.stderr, self._log), daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    @property
    def ended(self) -> bool:
        """Whether the process is gone and everything it said is here."""
        if self.process.poll() is None:
            return False
        for thread in self._threads:
            thread.join(1.0)  # longer only if a process that it started holds the pipe
        return True

    @property
    def log(self) -> str:
        return "\n".join(self._log)

    def write(self, message: dict) -> None:
        """Send a line; that the process is gone is found out when its answer is asked for."""
        try:
            self.process.stdin.write(json.dumps(message).encode() + b"\n")
            self.process.stdin.flush()
        except OSError as error:
            self._log.append(f"It no longer listened: {error}")

    def received(self, wait: float) -> list[dict]:
        """The answers that came in, after waiting for a first one."""
        found = []
        try:
            found.append(self._answers.get(timeout=wait) if wait else self._answers.get_nowait())
            while True:
                found.append(self._answers.get_nowait())
        except queue.Empty:
            self.was_ready |= bool(found)
            return found

    def end(self) -> None:
        self._end()


def _read_answers(stream, answers: queue.SimpleQueue, log: deque) -> None:
    """Sort a process's output into answers and everything else, which no worker writes, but a launcher might."""
    with stream:
        for line in stream:
            text = line.decode("utf-8", errors="replace").strip()
            try:
                answer = json.loads(text)
            except (ValueError, RecursionError):
                answer = None
            if isinstance(answer, dict):
                answers.put(answer)
            elif text:
                log.append(text[:LINE_LENGTH])


def _read_log(stream, log: deque) -> None:
    with stream:
        for line in stream:
            text = line.decode("utf-8", errors="replace").rstrip()
            if text:
                log.append(text[:LINE_LENGTH])


def _own_group() -> dict:
    """Options that make the child the head of a group, so that it can be ended with its own children."""
    if os.name == "nt":
        return {"creationflags": subprocess.CREATE_NO_WINDOW | subprocess.CREATE_NEW_PROCESS_GROUP}
    return {"start_new_session": True}


def _end_tree(process: subprocess.Popen) -> None:
    """End a process with what it started. Where it is gone already its number may be another's:
    then the closed pipe does it.
    """
    if process.poll() is None and os.name == "nt":
        # the launcher is not the interpreter: only the whole tree is the analysis
        command = ["taskkill", "/F", "/T", "/PID", str(process.pid)]
        subprocess.run(command, creationflags=subprocess.CREATE_NO_WINDOW, capture_output=True, check=False)
    elif process.poll() is None:
        with suppress(ProcessLookupError, PermissionError):  # it has ended since; macOS then says that it is not permitted
            os.killpg(process.pid, signal.SIGKILL)
    with suppress(subprocess.TimeoutExpired):  # what the system itself holds on to must not hold on to Slicer
        process.wait(END_SECONDS)
    with suppress(OSError):  # that the last request found no reader does not matter any more
        process.stdin.close()


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else ""


def _sentence(code: int, last_line: str) -> str:
    if code == -9:
        return "The system ended the analysis, most likely for lack of memory: close other programs and apply again."
    detail = f" ({last_line})" if last_line else ""
    return f"The analysis ended unexpectedly with exit code {code}{detail}: apply again."
