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
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

EVENTS = ("open", "os.", "shutil.", "tempfile.")
KILLS = int(os.environ.get("RADIOMICS_PERSONA_KILLS", 3))
"""Moments that are drawn for every command."""
NUMBERS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class _Moments:
    """Counts the events of the main thread, and raises a signal at one of them."""

    def __init__(self):
        self.counting, self.count, self.at, self.number = False, 0, None, signal.SIGTERM

    def __call__(self, event: str, arguments: tuple) -> None:
        if self.counting and event.startswith(EVENTS) and threading.current_thread() is threading.main_thread():
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
    hook.count, hook.at, hook.number, hook.counting = 0, moment, number, True
    try:
        yield lambda: hook.count
    finally:
        hook.counting = False


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


def times_ended(main: Callable, words: list[str], place: Path, is_result: Callable[[str], bool], capfd) -> int:
    """Run a command again and again, a signal raised each time at a moment drawn at random: the old results or the new ones
    have to be there, and nothing hidden.

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
        with signal_at(moment, number):
            code = main(words)
        said = capfd.readouterr().err
        assert code in (0, 128 + number), said
        ended += code != 0
        after = results()
        assert is_old_or_new(before, after, names), (moment, total, said)
        assert not hidden_in(place), (moment, total, said)
        before = after
    return ended
