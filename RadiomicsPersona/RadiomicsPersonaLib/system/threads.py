"""Threads: how many compute, and that those that wait sleep. The libraries read this when they are loaded, so it comes first.

Waiting threads of OpenMP and OpenBLAS spin by default. Beside other programs that takes two to three times the processor time
and the wall time of one thread; where nothing else runs it gains nothing.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, MutableMapping
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager

from ..errors import InputError

SLEEPING = {"OMP_WAIT_POLICY": "PASSIVE", "OPENBLAS_NUM_THREADS": "1"}
"""What makes waiting threads sleep. Convolutions take all threads; the small matrices of OpenBLAS gain nothing by more."""
COUNTS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS")
"""What says how many threads compute."""


def let_waiting_sleep(environment: MutableMapping[str, str] = os.environ) -> None:
    """Set what is in `SLEEPING` where the user has not said otherwise. To be called before numpy or torch is imported."""
    for name, value in SLEEPING.items():
        environment.setdefault(name, value)


def use_threads(count: int) -> None:
    """Let this process, and those that it begins, compute with so many threads from now on.

    Raises:
        InputError: the number is none.
    """
    if not 1 <= count <= 1024:
        raise InputError(f"The number of threads is {count}: give a number from 1 to 1024.")
    os.environ.update(dict.fromkeys(COUNTS, str(count)))
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(count)
    if itk := sys.modules.get("SimpleITK"):
        itk.ProcessObject.SetGlobalDefaultNumberOfThreads(count)


def usable_cores() -> int:
    """Threads that computing beside torch may use: as many as OMP_NUM_THREADS says, which torch heeds too, or one per core."""
    said = os.environ.get("OMP_NUM_THREADS", "")
    return int(said) if said.isdigit() and int(said) else os.cpu_count() or 1


@contextmanager
def thread_per_core() -> Iterator[Executor]:
    """A pool with a thread for every usable core, in each of which torch computes with one thread alone."""
    torch = sys.modules.get("torch")
    before = torch.get_num_threads() if torch else 1

    def begin() -> None:
        if torch:
            torch.set_num_threads(1)

    try:
        with ThreadPoolExecutor(usable_cores(), initializer=begin) as pool:
            yield pool
    finally:
        if torch:
            torch.set_num_threads(before)  # what threads begun later are given
