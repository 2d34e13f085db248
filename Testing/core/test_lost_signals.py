"""A signal that comes where Python can only print an exception and go on is not lost: the command ends."""

from __future__ import annotations

import ctypes
import signal
import time
import weakref

import pytest

from RadiomicsPersonaLib.system.signals import Ended, signals_end, signals_held


class Thing:
    """What can be pointed at weakly."""


class Cleared:
    """Raises a signal while it is cleared away."""

    def __init__(self, number: int):
        self.number = number

    def __del__(self):
        signal.raise_signal(self.number)


def in_a_finaliser(number: int) -> None:
    Cleared(number)


def in_a_weak_reference(number: int) -> None:
    thing = Thing()
    kept = weakref.ref(thing, lambda dead: signal.raise_signal(number))
    del thing
    assert kept() is None


def in_a_generator(number: int) -> None:
    def steps():
        try:
            yield 1
        finally:
            signal.raise_signal(number)

    assert next(steps()) == 1


def in_an_answer_to_c(number: int) -> None:
    @ctypes.CFUNCTYPE(ctypes.c_int)
    def answer():
        signal.raise_signal(number)
        return 0

    answer()


PLACES = (in_a_finaliser, in_a_weak_reference, in_a_generator, in_an_answer_to_c)


def sleep_a_while() -> None:
    """Ten seconds, in one piece."""
    time.sleep(10)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.__name__)
def test_a_signal_that_python_swallows_ends_the_work_all_the_same(place, number):
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt) as ended, signals_end():
        place(number)
        sleep_a_while()
    assert time.monotonic() - began < 5
    assert (ended.value.number if isinstance(ended.value, Ended) else signal.SIGINT) == number


def test_it_waits_while_files_are_put_in_place():
    done = False
    with pytest.raises(KeyboardInterrupt), signals_end():
        in_a_finaliser(signal.SIGINT)
        with signals_held():
            time.sleep(0.2)
            done = True
        sleep_a_while()
    assert done


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_other_errors_there_are_told_as_ever(monkeypatch):
    told = []
    monkeypatch.setattr("sys.unraisablehook", told.append)

    class Broken:
        def __del__(self):
            raise ValueError("broken")

    with signals_end():
        Broken()
    assert [str(lost.exc_value) for lost in told] == ["broken"]
