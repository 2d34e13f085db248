"""Cohort workers: jobs spread over the processes of this machine, or over a Dask cluster;
a job whose worker dies is done again.
"""

from __future__ import annotations

import os
import queue
import sys
import threading
from collections.abc import Callable, Iterable
from pathlib import Path

from .. import __version__
from ..commands.job import Job
from ..errors import InputError, how_to_install
from ..resources import folder_of
from ..system.child import Cancelled, Child, ChildFailed, child_environment
from ..system.threads import COUNTS
from .row import run_row, write_record

ATTEMPTS = 3
"""How many workers may die of one row before it is given up."""
_DIED = "The process that worked on it ended unexpectedly {how_often}; perhaps the memory does not suffice ({why})"
_WAIT_FOR_CLUSTER = 30


def run_here(jobs: Iterable[dict], workers: int, finished: Callable[[dict], None]) -> None:
    """Run jobs in processes of this machine, one thread each.

    Args:
        jobs: see `row.run_row`; one is drawn when a worker is free.
        workers: how many processes.
        finished: called in this thread with each job that came to its end.
    """
    waiting: queue.Queue = queue.Queue()
    ended: queue.Queue = queue.Queue()
    stop = threading.Event()
    environment = child_environment(os.environ, folder_of().parent) | dict.fromkeys(COUNTS, "1")
    threads = [threading.Thread(target=_work, args=(waiting, ended, stop, environment), daemon=True) for _ in range(workers)]
    for thread in threads:
        thread.start()
    try:
        open_jobs = 0
        for job in jobs:
            if open_jobs >= 2 * workers:
                _take(ended, finished)
                open_jobs -= 1
            waiting.put(job)
            open_jobs += 1
        for _ in range(open_jobs):
            _take(ended, finished)
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def _take(ended: queue.Queue, finished: Callable[[dict], None]) -> None:
    """Wait for a job's end, in pieces of time that Ctrl-C can interrupt."""
    while True:
        try:
            job = ended.get(timeout=0.5)
        except queue.Empty:
            continue
        if isinstance(job, BaseException):
            raise job
        return finished(job)


def _work(waiting: queue.Queue, ended: queue.Queue, stop: threading.Event, environment: dict[str, str]) -> None:
    """One worker process and the jobs that it takes."""
    child = Child([sys.executable, "-m", "RadiomicsPersonaLib.worker"], lambda: environment)
    try:
        while not stop.is_set():
            try:
                job = waiting.get(timeout=0.1)
            except queue.Empty:
                continue
            _run_in(child, job, stop)
            ended.put(job)
    except Cancelled:
        pass
    except BaseException as error:  # nobody would hear of it in this thread
        ended.put(error)
    finally:
        child.end()


def _run_in(child: Child, job: dict, stop: threading.Event) -> None:
    for attempt in range(1, ATTEMPTS + 1):
        try:
            child.run({"kind": "row", "row": job}, lambda activity: not stop.is_set())
            return
        except ChildFailed as error:
            if attempt == ATTEMPTS:
                write_record(
                    Path(job["folder"]), job["identity"], [], _DIED.format(how_often=f"{ATTEMPTS} times", why=error), False
                )


def run_on_cluster(jobs: Iterable[dict], address: str, finished: Callable[[dict], None]) -> None:
    """Run jobs on the workers of a Dask scheduler, which see the same files under the same paths and have this program
    installed.

    Args:
        address: such as tcp://host:8786.
    Raises:
        InputError: Dask is not installed, or no scheduler or worker of use is there.
    """
    try:
        from dask.distributed import Client, KilledWorker, as_completed  # an extra of this package
    except ImportError:
        raise InputError(f"--scheduler needs Dask, which is not installed: {how_to_install('cluster')}.") from None
    try:
        client = Client(address, timeout=_WAIT_FOR_CLUSTER)
    except (OSError, ValueError, TypeError) as error:
        raise InputError(
            f"No Dask scheduler answers at '{address}' ({error}): start one with dask scheduler, and give its address."
        ) from error
    with client:
        _require_workers(client, address)
        jobs, open_jobs = iter(jobs), as_completed()

        def submit_next() -> bool:
            job = next(jobs, None)
            if job is None:
                return False
            future = client.submit(_row_on_cluster, job, pure=False)
            future.job = job
            open_jobs.add(future)
            return True

        for _ in range(2 * max(1, sum(client.ncores().values()))):
            if not submit_next():
                break
        for future in open_jobs:
            error = future.exception()
            if isinstance(error, KilledWorker):
                sentence = _DIED.format(how_often="again and again", why="Dask gave it up.")
                write_record(Path(future.job["folder"]), future.job["identity"], [], sentence, False)
            elif error is not None:
                raise error
            finished(future.job)
            submit_next()


def _row_on_cluster(row: dict) -> None:
    """A row in a Dask worker, which keeps the model loaded from row to row; one at a time, however many threads it has."""
    with _ROW_LOCK:
        run_row(row, _CLUSTER_JOB)


_ROW_LOCK = threading.Lock()
_CLUSTER_JOB = Job()


def _require_workers(client, address: str) -> None:
    """Raise InputError unless a worker is there that has this program in this version."""
    try:
        client.wait_for_workers(1, timeout=_WAIT_FOR_CLUSTER)
    except TimeoutError:
        raise InputError(
            f"The Dask scheduler at '{address}' has no workers: start some with dask worker {address} --nthreads 1."
        ) from None
    try:
        theirs = set(client.run(_version).values())
    except Exception as error:  # whatever importing raises over there
        raise InputError(f"The workers of '{address}' cannot run this program ({error}): install it there as well.") from error
    if theirs != {__version__}:
        raise InputError(
            f"The workers of '{address}' have version {', '.join(sorted(theirs))} and not {__version__}: install the same "
            "everywhere."
        )


def _version() -> str:
    return __version__
