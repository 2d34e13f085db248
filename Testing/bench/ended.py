"""Commands that are ended by a signal at a chosen moment, in this process, and what is left of their results then.

A moment is a file that is opened, moved, made or deleted: Python's audit events count them, so that the same moment is hit on
any machine, however busy it is.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

EVENTS = ("open", "os.", "shutil.", "tempfile.")
KILLS = int(os.environ.get("RADIOMICS_PERSONA_KILLS", 2))
"""Moments that are drawn for every command."""
NUMBERS = (signal.SIGTERM, signal.SIGKILL, signal.SIGINT, signal.SIGHUP)


class _Moments:
    """Counts the events of the main thread, and raises a signal at one of them."""

    def __init__(self):
        self.process, self.count, self.at, self.number = 0, 0, None, signal.SIGTERM

    def __call__(self, event: str, arguments: tuple) -> None:
        here = os.getpid() == self.process and threading.current_thread() is threading.main_thread()
        if here and event.startswith(EVENTS):  # and not in the processes that draw samples
            self.count += 1
            if self.count == self.at:
                signal.raise_signal(self.number)


_moments: list[_Moments] = []
"""The one hook of this process: Python knows no way to take one away."""


@contextmanager
def signal_at(moment: int | None, number: int = signal.SIGTERM) -> Iterator[Callable[[], int]]:
    """Raise a signal at the event with this number, from 1 on; None raises none. Gives what counts the events."""
    if not _moments:
        _moments.append(_Moments())
        sys.addaudithook(_moments[0])
    hook = _moments[0]
    hook.count, hook.at, hook.number, hook.process = 0, moment, number, os.getpid()
    try:
        yield lambda: hook.count
    finally:
        hook.process = 0


@contextmanager
def at_work(begun: Callable[[], AbstractContextManager]) -> Iterator[None]:
    """Another process, a fork of this one, is within what is begun while the block lasts."""
    reads, writes = os.pipe()
    go_on, ended = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.close(ended)
            with begun():
                os.write(writes, b"1")
                os.read(go_on, 1)
        finally:
            os._exit(0)
    os.close(writes)
    try:
        assert os.read(reads, 1), "it could not begin"
        yield
    finally:
        os.close(ended)
        os.close(reads)
        os.close(go_on)
        os.waitpid(child, 0)


def files_of(place: Path) -> dict[str, tuple[int, int]]:
    """The files of a result, and what tells them from files of the same name that are written later."""
    if place.is_file():
        return {"": (place.stat().st_ino, place.stat().st_mtime_ns)}
    return {
        str(path.relative_to(place)): (path.stat().st_ino, path.stat().st_mtime_ns)
        for path in place.rglob("*")
        if path.is_file()
    }


def is_old_or_new(before: dict, after: dict, names: set[str]) -> bool:
    """Whether all files are as they were before, or all that a run writes are others.

    Args:
        names: of the files that a whole run writes.
    """
    kept = {name for name in names if name in before and after.get(name) == before[name]}
    return after == before or (not kept and names <= set(after))


def hidden_in(folder: Path) -> list[Path]:
    """What no command may leave."""
    return [path for path in folder.rglob(".*")]


def in_a_fork(work: Callable[[], int], moment: int | None, number: int = signal.SIGKILL) -> tuple[int, int]:
    """Do some work in a fork of this process, which a signal reaches at an event, as `signal_at` counts them.

    Returns:
        its exit code, or the signal's number below 0; and how many events there were, 0 where it was killed.
    """
    reads, writes = os.pipe()
    child = os.fork()
    if not child:
        try:
            if torch := sys.modules.get("torch"):
                torch.set_num_threads(1)  # the others stayed behind
            with signal_at(moment, number) as count:
                code = work()
            os.write(writes, str(count()).encode())
            os._exit(code)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(99)
    os.close(writes)
    with open(reads) as stream:
        said = stream.read()
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), int(said or 0)


def times_ended(main: Callable, words: list[str], place: Path, is_result: Callable[[str], bool], capfd) -> int:
    """Run a command again and again, a signal raised each time at a moment drawn at random: the old results or the new ones
    have to be there, and nothing hidden. What SIGKILL leaves is looked at after the next call, which is ended too.

    Args:
        main: runs the words, and gives the exit code.
        place: the folder of the results.
        is_result: tells by its name which file there has to be old or new with the others.
    Returns:
        how often the signal came before the command's end.
    """

    def results() -> dict:
        return {name: what for name, what in files_of(place).items() if is_result(name)}

    moments, ended = random.Random(words[0]), 0
    assert main(words) == 0  # what is imported counts only once
    with signal_at(None) as count:
        assert main(words) == 0
        total = count()
    before = results()
    names = set(before)
    for turn in range(KILLS):
        number = NUMBERS[turn % len(NUMBERS)]
        # the last events are those of writing, which are as many as a hundredth of all
        moment = moments.randrange(total) if turn % 2 else total - moments.randrange(min(total, 60))
        killed = number == signal.SIGKILL
        if killed:
            code, _ = in_a_fork(lambda: main(words), moment)
            assert code in (0, -number), capfd.readouterr().err
            ended += code != 0
            number, moment = signal.SIGINT, total - moments.randrange(60)
        with signal_at(moment, number):
            code = main(words)
        said = capfd.readouterr().err
        assert code in (0, 128 + number), said
        ended += code != 0 and not killed
        if killed and hidden_in(place):  # ended before it came to its output
            assert main(words) == 0
        after = results()
        assert is_old_or_new(before, after, names), (moment, total, said)
        assert not hidden_in(place), (moment, total, said)
        before = after
    return ended
