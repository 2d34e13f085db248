"""Job: what a command is run with, whoever asks for it: a terminal, the panel in Slicer, or a row of a cohort."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING

from ..system.progress import ProgressBar

if TYPE_CHECKING:
    from ..analysis.result import Analysis
    from .cache import Cache


class Job:
    """How a command tells what it is at, what it may keep, and for whom its results are.

    Args:
        progress: called with (done, total, what); may raise to cancel.
        tell: called with what starts now and takes a moment; may raise to cancel.
        check: raises when the job was cancelled.
        made: called with an `Analysis`, for whoever wants more of it than its files.
        for_slicer: whether Slicer asks; results are then arrays as `exchange` lays them out,
            which its process reads with numpy alone.
        cache: of this process; made when it is first needed if None.
    """

    def __init__(
        self,
        progress: Callable[[int, int, str], None] = lambda done, total, what: None,
        tell: Callable[[str], None] = lambda what: None,
        check: Callable[[], None] = lambda: None,
        made: Callable[[Analysis], None] = lambda analysis: None,
        for_slicer: bool = False,
        cache: Cache | None = None,
    ):
        self.progress, self.tell, self.check, self.made = progress, tell, check, made
        self.for_slicer = for_slicer
        if cache is not None:
            self.cache = cache
            cache.tell = tell

    @cached_property
    def cache(self) -> Cache:
        """What this process keeps from one run to the next."""
        from .cache import Cache  # with the networks and scipy, which commands that read no scan need not wait for

        return Cache(self.tell)


@contextlib.contextmanager
def terminal_job(quiet: bool = False, verbose: bool = False) -> Iterator[Job]:
    """The job of a command in a terminal, whose steps are shown while the block lasts; see `ProgressBar`."""
    with ProgressBar(quiet, verbose) as progress:
        progress.tell("Starting")
        yield Job(progress, progress.tell)
