"""Signals: what ends a process from outside becomes an exception that cleans up, and waits while files are put in place."""

from __future__ import annotations

import _thread
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

_ENDING = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))
"""A kill, the end of a cluster's time, a terminal that is closed."""
_ALL = (signal.SIGINT, *_ENDING)
_LET_GO_SECONDS = 0.01
"""Long enough for the main thread to leave what swallowed a signal."""


class Ended(KeyboardInterrupt):
    """The process was asked to end by another signal than Ctrl-C's.

    Attributes:
        number: of the signal.
    """

    def __init__(self, number: int):
        super().__init__(f"signal {number}")
        self.number = number


@contextmanager
def signals_end() -> Iterator[None]:
    """Inside, signals that would end the process at once raise `Ended` in the main thread; those that are ignored stay so.

    One that comes while Python clears an object away, or answers C, is lost: Python prints its exception there and goes on.
    Such a one, Ctrl-C too, is sent again.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    taken = [number for number in _ENDING if signal.getsignal(number) is signal.SIG_DFL]
    tell = sys.unraisablehook

    def tell_or_send(lost) -> None:
        if not isinstance(lost.exc_value, KeyboardInterrupt):
            tell(lost)
            return
        number = lost.exc_value.number if isinstance(lost.exc_value, Ended) else signal.SIGINT
        threading.Thread(target=_send_later, args=(number,), daemon=True).start()

    try:
        sys.unraisablehook = tell_or_send
        for number in taken:
            signal.signal(number, _end)
        yield
    finally:
        sys.unraisablehook = tell
        for number in taken:
            signal.signal(number, signal.SIG_DFL)


@contextmanager
def sigterm_kills() -> Iterator[None]:
    """Inside, SIGTERM acts as if `signals_end` had not taken it: for code that answers it itself unless somebody does."""
    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGTERM) is not _end:
        yield
        return
    try:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        yield
    finally:
        signal.signal(signal.SIGTERM, _end)


@contextmanager
def signals_held() -> Iterator[None]:
    """Inside, Ctrl-C and what ends a process wait; the first that came acts afterwards. Other threads are never interrupted."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    # None stands for a handler that Python did not set and could not set again
    before = {number: handler for number in _ALL if (handler := signal.getsignal(number)) is not None}
    try:
        for number in before:
            signal.signal(number, lambda number, frame: came.append(number))
        yield
    finally:
        late = None
        while before:
            try:
                while before:
                    number, handler = next(iter(before.items()))
                    signal.signal(number, handler)
                    del before[number]
            except KeyboardInterrupt as error:  # one that came between two of them: the others are put back all the same
                late = error
        if late is not None:
            raise late
        if came:
            signal.raise_signal(came[0])


def _send_later(number: int) -> None:
    time.sleep(_LET_GO_SECONDS)
    if not callable(signal.getsignal(number)):  # nobody waits for it any more
        return
    if hasattr(signal, "pthread_kill"):
        signal.pthread_kill(threading.main_thread().ident, number)  # which also wakes it
    else:
        _thread.interrupt_main(number)


def _end(number: int, frame) -> None:
    raise Ended(number)
