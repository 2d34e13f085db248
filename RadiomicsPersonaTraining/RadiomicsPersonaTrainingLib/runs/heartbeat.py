"""Heartbeat: how a long job tells that it is at work, and how others ask it to stop; the standard library only.

Beside the job's results lie three files, called BASE.json, BASE.lock and BASE.stop, where BASE is usually `FOLDER/alive`:

    BASE.lock    locked by the job's process for as long as it lives. The system lets go of the lock when the process ends,
                 in whatever way, so that nobody can take another process of the same number for it.
    BASE.json    written every other second: what the job is at, how far it is, how much memory it takes, and at last how it
                 ended
    BASE.stop    made by whoever wants the job to end: it then ends as Ctrl-C ends it, on every system
"""

from __future__ import annotations

import _thread
import ctypes
import glob
import json
import os
import platform
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import contextmanager, suppress
from ctypes import wintypes
from pathlib import Path

from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.system.device import NO_MEMORY, ran_out_of_memory
from RadiomicsPersonaLib.system.lock import locked

NAME = "alive"
"""Of the files in a run's or an evaluation's folder."""
BEAT_SECONDS = 2.0
SILENT_SECONDS = 60.0
"""A job that was not heard of for so long hangs; where the disk knows no locks it counts as ended."""
_STARTING_SECONDS = 2.0
"""How long a job tries for the lock, which a reader holds for a moment while it looks."""
_AGAIN_SECONDS = 10.0
"""After which a job that did not end is interrupted again."""
DONE, CANCELLED, REFUSED, FAILED = "done", "cancelled", "refused", "failed"
"""How a job ended; one that was killed says nothing."""


class Alive:
    """A job of this process, from its beginning to its end.

    Args:
        base: path of the files without their suffixes.
        job: what it is, for readers.
        also: called with (done, total, what) as well, for example a bar on a terminal.
    Raises:
        InputError: on entering, when another process is at the same job, or the folder cannot be written.
    """

    def __init__(self, base: Path, job: str, also: Callable[[int, int, str], None] | None = None):
        self.base, self.also = base, also
        self._content = {
            "pid": os.getpid(),
            "host": platform.node(),
            "job": job,
            "began": time.time(),
            "what": "",
            "done": 0,
            "total": 0,
        }
        self._phase, self._phase_began, self._phase_first = "", 0.0, 0
        self._over, self._told = threading.Event(), threading.Lock()
        self._stream = None

    def __enter__(self) -> Alive:
        try:
            self.base.parent.mkdir(parents=True, exist_ok=True)
            self._stream = open(_part(self.base, "lock"), "a+b")
            _part(self.base, "stop").unlink(missing_ok=True)
        except OSError as error:
            raise InputError(
                f"The folder '{self.base.parent}' cannot be written ({error.strerror}): choose another place."
            ) from error
        deadline = time.monotonic() + _STARTING_SECONDS
        while not self._has_lock():
            if time.monotonic() > deadline:
                self._stream.close()
                raise InputError(_busy_sentence(self.base))
            time.sleep(0.05)
        for left in self.base.parent.glob(f"{glob.escape(self.base.name)}.*.part"):  # by a process that was killed
            left.unlink(missing_ok=True)
        if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
            # begun in the background of a script: nobody's Ctrl-C comes here, but ours has to
            signal.signal(signal.SIGINT, signal.default_int_handler)
        self._write()
        threading.Thread(target=self._beat, daemon=True).start()
        return self

    def __exit__(self, kind, error, trace) -> None:
        self._over.set()
        with self._told:
            self._content |= dict(zip(("ended", "sentence"), _end_of(error)))
            self._write_now()
        self._stream.close()
        with suppress(OSError):  # a reader may have it open, and the next start removes it as well
            _part(self.base, "stop").unlink(missing_ok=True)

    def _has_lock(self) -> bool:
        try:
            return locked(self._stream)
        except OSError:  # a disk without locks: what was told last has to do
            return not is_running(self.base)

    def progress(self, done: int, total: int, what: str) -> None:
        """`done` of `total` steps of what is being done are behind."""
        now = time.monotonic()
        begins = total != self._content["total"] or done < self._phase_first
        if begins:
            self._phase_began, self._phase_first = now, done
        steps = done - self._phase_first
        left = (now - self._phase_began) / steps * (total - done) if steps > 0 else None
        with self._told:
            self._content |= {"what": what, "done": done, "total": total, "left": left}
            if begins:  # quick work is over before the next beat
                self._write_now()
        if self.also:
            self.also(done, total, what)

    def _beat(self) -> None:
        asked = None
        while not self._over.wait(BEAT_SECONDS):
            self._write()
            now = time.monotonic()
            if _part(self.base, "stop").exists() and (asked is None or now - asked > _AGAIN_SECONDS):
                asked = now
                _thread.interrupt_main(signal.SIGINT)

    def _write(self) -> None:
        with self._told:
            self._write_now()

    def _write_now(self) -> None:
        """A beat that cannot be written (no room, or a reader on Windows) is missed: the job itself goes on."""
        used, total = gpu_memory()
        told = {"beat": time.time(), "memory": memory_used(), "gpu_memory": used, "gpu_total": total}
        text = json.dumps(self._content | told)
        staging = _part(self.base, f"{os.getpid()}.part")
        with suppress(OSError):
            try:
                staging.write_text(text, encoding="utf-8")
                os.replace(staging, _part(self.base, "json"))
            finally:
                staging.unlink(missing_ok=True)


@contextmanager
def alive_in(base: Path, job: str, also: Callable[[int, int, str], None] | None = None):
    """An `Alive` for the first process of a job; the others of a training on several devices get one that writes nothing."""
    if not _is_first_process():
        yield _Silent(also)
        return
    with Alive(base, job, also) as alive:
        yield alive


class _Silent:
    """Passes progress on."""

    def __init__(self, also: Callable[[int, int, str], None] | None):
        self.progress = also or (lambda done, total, what: None)


def is_running(base: Path) -> bool:
    """Whether the job of these files is at work, in whatever process of whatever Slicer or terminal."""
    lock = _part(base, "lock")
    try:
        with open(lock, "r+b") as stream:
            return not locked(stream, shared=True)
    except FileNotFoundError:
        return False
    except OSError:  # a disk without locks
        try:
            return time.time() - _part(base, "json").stat().st_mtime < SILENT_SECONDS and "ended" not in told_by(base)
        except OSError:
            return False


def told_by(base: Path) -> dict:
    """What a job told last; empty where it told nothing that can be read."""
    try:
        content = json.loads(_part(base, "json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def refuse_if_running(base: Path) -> None:
    """Raise where somebody is at the job already, before anything is written.

    Raises:
        InputError: the job is being done; says by whom.
    """
    if _is_first_process() and is_running(base):
        raise InputError(_busy_sentence(base))


def ask_to_stop(base: Path) -> None:
    """Ask the job to end as Ctrl-C ends it: within a few seconds, with what it has kept so far.

    Raises:
        InputError: the folder is gone or cannot be written.
    """
    try:
        _part(base, "stop").touch()
    except OSError as error:
        raise InputError(
            f"The folder '{base.parent}' cannot be written ({error.strerror}): is its disk still there?"
        ) from error


def kill(base: Path) -> None:
    """End the job's process at once, where it does not react to `ask_to_stop`; what was kept before stays.

    Raises:
        InputError: it runs on another machine.
    """
    told = told_by(base)
    if not is_running(base) or "pid" not in told:
        return
    if told.get("host") != platform.node():
        raise InputError(f"This job runs on the machine '{told.get('host')}': end it there.")
    if os.name == "nt":
        # the processes that it started as well
        command = ["taskkill", "/F", "/T", "/PID", str(told["pid"])]
        subprocess.run(command, creationflags=subprocess.CREATE_NO_WINDOW, capture_output=True, check=False)
    else:
        with suppress(ProcessLookupError):
            os.kill(told["pid"], signal.SIGKILL)


def memory_used() -> int | None:
    """Bytes of memory that this process takes (on macOS: took at most), or None where the system does not say."""
    if sys.platform.startswith("linux"):
        try:
            return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        except (OSError, ValueError, IndexError):
            return None
    if os.name == "nt":
        return _memory_on_windows()
    import resource  # Windows lacks it

    return int(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


def gpu_memory() -> tuple[int | None, int | None]:
    """Bytes of the GPU that are taken, by whomever, and that it has;
    None without a card or before PyTorch uses one.
    """
    torch = sys.modules.get("torch")
    cuda = getattr(torch, "cuda", None)
    if not cuda or not cuda.is_initialized():
        return None, None
    try:
        free, total = cuda.mem_get_info()
    except RuntimeError:  # the card has gone, which the job itself will tell
        return None, None
    return int(total - free), int(total)


def _memory_on_windows() -> int | None:
    class Counters(ctypes.Structure):
        _fields_ = [("cb", wintypes.DWORD), ("PageFaultCount", wintypes.DWORD)] + [
            (name, ctypes.c_size_t)
            for name in ("PeakWorkingSetSize", "WorkingSetSize", "QuotaPeakPagedPoolUsage", "QuotaPagedPoolUsage",
                         "QuotaPeakNonPagedPoolUsage", "QuotaNonPagedPoolUsage", "PagefileUsage", "PeakPagefileUsage")
        ]  # fmt: skip

    counters = Counters(cb=ctypes.sizeof(Counters))
    process = ctypes.c_void_p(ctypes.windll.kernel32.GetCurrentProcess())
    got = ctypes.windll.psapi.GetProcessMemoryInfo(process, ctypes.byref(counters), counters.cb)
    return int(counters.WorkingSetSize) if got else None


def _is_first_process() -> bool:
    """Whether this is not a further process of a training on several devices or machines, as their launchers say."""
    return all(os.environ.get(name, "0") in ("", "0") for name in ("LOCAL_RANK", "NODE_RANK", "RANK", "SLURM_PROCID"))


def _busy_sentence(base: Path) -> str:
    told = told_by(base)
    who = f" (process {told['pid']} on {told['host']})" if {"pid", "host"} <= set(told) else ""
    return f"The job in '{base.parent}' is already running{who}: wait for it, or cancel it first."


def _part(base: Path, ending: str) -> Path:
    return base.with_name(f"{base.name}.{ending}")


def _end_of(error: BaseException | None) -> tuple[str, str]:
    """How a job ended, and the sentence about it."""
    if error is None:
        return DONE, ""
    if isinstance(error, (KeyboardInterrupt, SystemExit)):
        return CANCELLED, ""
    if isinstance(error, InputError):
        return REFUSED, str(error)
    if ran_out_of_memory(error):
        return REFUSED, NO_MEMORY
    return FAILED, f"It ended unexpectedly ({type(error).__name__}: {error}); the log tells more."
