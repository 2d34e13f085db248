"""Child: the analysis in a process of its own, watched and ended from Slicer's; the standard library only.

A memory error or a crash in the child costs the user one sentence, not the session.
"""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from .errors import InputError

POLL_SECONDS = 0.05
USER_ERROR = 2
"""Exit code with which the command line says that the last line on stderr is a sentence for the user."""
PROGRAM = "radiomics-persona: "
"""What the command line puts before that sentence, for terminals."""


class Cancelled(Exception):
    """The user ended the run."""


class ChildFailed(Exception):
    """The child ended without a result and without a sentence of its own.

    Attributes:
        log: everything the child wrote to stderr.
    """

    def __init__(self, message: str, log: str):
        super().__init__(message)
        self.log = log


def child_environment(base: Mapping[str, str], module_folder: str | Path) -> dict[str, str]:
    """The environment for the child's Python.

    Variables that point a Python elsewhere (a conda shell's, a user's) are taken out: PythonSlicer sets its own.

    Args:
        base: the environment Slicer was started from, without the launcher's own additions.
        module_folder: the folder that contains RadiomicsPersonaLib.
    """
    environment = {name: value for name, value in base.items() if name not in ("PYTHONHOME", "PYTHONSTARTUP")}
    return environment | {"PYTHONPATH": str(module_folder), "PYTHONUTF8": "1", "PYTHONNOUSERSITE": "1"}


def run_child(command: Sequence[str], environment: Mapping[str, str], proceed: Callable[[str], bool]) -> None:
    """Run a command to its end.

    Args:
        proceed: called about twenty times a second with the newest line the child wrote to stderr; when it returns
            False, or raises, the child is ended with every process it started.
    Raises:
        InputError: the child refused what the user gave; the message is its own sentence.
        Cancelled: `proceed` returned False.
        ChildFailed: the child crashed or could not be started.
    """
    with tempfile.TemporaryDirectory(prefix="RadiomicsPersona-", ignore_cleanup_errors=True) as folder:
        log = Path(folder) / "stderr.txt"
        with open(log, "wb") as stream:
            try:
                process = subprocess.Popen(
                    list(command),
                    env=dict(environment),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=stream,
                    **_own_group(),
                )
            except OSError as error:
                raise ChildFailed(f"The analysis could not be started: {error}.", str(error)) from error
        try:
            while process.poll() is None:
                if not proceed(_last_line(_read(log))):
                    raise Cancelled
                time.sleep(POLL_SECONDS)
        finally:
            if process.returncode is None:
                _end_tree(process)
        text = _read(log)
    if process.returncode == USER_ERROR:
        raise InputError(_last_line(text).removeprefix(PROGRAM))
    if process.returncode != 0:
        raise ChildFailed(_sentence(process.returncode, _last_line(text)), text)


def _own_group() -> dict:
    """Options that make the child the head of a group, so that it can be ended with its own children."""
    if os.name == "nt":
        return {"creationflags": subprocess.CREATE_NO_WINDOW | subprocess.CREATE_NEW_PROCESS_GROUP}
    return {"start_new_session": True}


def _end_tree(process: subprocess.Popen) -> None:
    if os.name == "nt":
        # the launcher is not the interpreter: only the whole tree is the analysis
        command = ["taskkill", "/F", "/T", "/PID", str(process.pid)]
        subprocess.run(command, creationflags=subprocess.CREATE_NO_WINDOW, capture_output=True, check=False)
    else:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _read(log: Path) -> str:
    return log.read_text(encoding="utf-8", errors="replace")


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else ""


def _sentence(code: int, last_line: str) -> str:
    if code == -9:
        return "The system ended the analysis, most likely for lack of memory: close other programs and apply again."
    detail = f" ({last_line})" if last_line else ""
    return f"The analysis ended unexpectedly with exit code {code}{detail}."
