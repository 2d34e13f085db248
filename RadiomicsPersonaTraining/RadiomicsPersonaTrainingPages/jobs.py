"""Jobs: processes that take hours and outlive the panel and Slicer;
what they tell lies in their folders (see `runs.heartbeat`).
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from RadiomicsPersonaLib.errors import InputError

COMMAND = "radiomics-persona-train"


class Jobs:
    """The processes that this panel has started.

    Args:
        environment: gives the environment of a process whenever one is started.
    """

    def __init__(self, environment: Callable[[], Mapping[str, str]]):
        self._environment = environment
        self._processes: dict[Path, subprocess.Popen] = {}

    def start(self, arguments: list[str], output: Path) -> None:
        """Start a command of the training in a process of its own.

        Args:
            arguments: of the command line.
            output: file that takes what it prints; its folder is there.
        Raises:
            InputError: it cannot be started.
        """
        command = [sys.executable, "-m", "RadiomicsPersonaTrainingLib", *arguments]
        try:
            with open(output, "ab") as stream:
                self._processes[output] = _detached(command, dict(self._environment()) | {"PYTHONUNBUFFERED": "1"}, stream)
        except OSError as error:
            raise InputError(
                f"It could not be started ({error.strerror or error}): is there room on the disk of '{output.parent}'?"
            ) from error

    def is_starting(self, output: Path) -> bool:
        """Whether a process that this panel has started lives, which it does before it tells so itself."""
        return output in self._processes and self._processes[output].poll() is None

    def end(self, output: Path) -> None:
        """End a process that this panel has started, at once: for one that has not begun its work,
        and cannot be asked to stop.
        """
        process = self._processes.pop(output, None)
        if process is None or process.poll() is not None:
            return
        if os.name == "nt":
            # the launcher is not the interpreter
            command = ["taskkill", "/F", "/T", "/PID", str(process.pid)]
            subprocess.run(command, creationflags=subprocess.CREATE_NO_WINDOW, capture_output=True, check=False)
        else:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def refusal(self, output: Path) -> str:
        """Why a process that this panel has started ended without having begun, one sentence, or an empty text."""
        process = self._processes.get(output)
        if process is None or process.poll() in (None, 0):
            return ""
        try:
            lines = output.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        except OSError:
            lines = []
        said = [line for line in lines if line.startswith(f"{COMMAND}: ")]
        if said and lines[-1] == said[-1]:
            return said[-1].removeprefix(f"{COMMAND}: ")
        return f"It ended unexpectedly with exit code {process.returncode}; the log tells more."


def _detached(command: list[str], environment: dict[str, str], output) -> subprocess.Popen:
    """A process that does not end with this one, and without a window."""
    options = {"env": environment, "stdin": subprocess.DEVNULL, "stdout": output, "stderr": subprocess.STDOUT}
    if os.name != "nt":
        return subprocess.Popen(command, start_new_session=True, **options)
    flags = subprocess.CREATE_NO_WINDOW | subprocess.CREATE_NEW_PROCESS_GROUP
    try:
        return subprocess.Popen(command, creationflags=flags | subprocess.CREATE_BREAKAWAY_FROM_JOB, **options)
    except PermissionError:  # the job that holds Slicer lets nobody go
        return subprocess.Popen(command, creationflags=flags, **options)
