"""Cohort: many scans, each with its own command, worked on side by side, into one table and one report."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from .cohort_report import write_report_of_cohort
from .cohort_row import identity_of, is_done, read_record, write_record
from .cohort_table import CohortRow, CohortTable
from .cohort_workers import run_here, run_on_cluster

SCANS, TABLE, REPORT = "scans", "cohort.csv", "report.html"


@dataclass(frozen=True)
class Outcome:
    """What came of a run.

    Attributes:
        rows: of the table.
        kept: were there from an earlier run.
        broken: have a sentence instead of results.
    """

    rows: int
    kept: int
    broken: int


def usual_workers() -> int:
    """As many as this process may use cores."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def run_cohort(
    table: CohortTable,
    folder: Path,
    workers: int | None = None,
    scheduler: str | None = None,
    with_name: bool = False,
    progress: Callable[[int, int, str], None] = lambda done, total, what: None,
) -> Outcome:
    """Run every row's command that has not been run before, and write table and report of all rows.

    Every row has a folder scans/NNNNN with what its command writes. A row is done when its record is there, so that a run that was cut off goes
    on where it stopped; rows that failed for a reason other than their input are tried again. Rows are read, worked on and written one
    by one: memory does not grow with their number.

    Args:
        folder: for cohort.csv, report.html and scans/; may hold an earlier run's.
        workers: processes of this machine; None takes all cores.
        scheduler: address of a Dask scheduler instead, or None.
        with_name: name the scans in the report.
        progress: called with (done, total, what); may raise to stop.
    Raises:
        InputError: the cluster cannot be used.
    """
    total = len(table)
    waiting = [0, 0]

    def jobs() -> Iterator[dict]:
        for row in table:
            place = folder / SCANS / f"{row.number:05d}"
            if row.words is None:
                write_record(place, {"cells": row.cells}, [], row.sentence, True)
            elif not is_done(place, identity := identity_of(row.words)):
                waiting[0] += 1
                yield {
                    "words": row.words, "identity": identity, "folder": str(place.absolute()),
                    "output_file": table.output_file, "prints_json": table.prints_json,
                }  # fmt: skip

    def finished(job: dict) -> None:
        waiting[1] += 1
        progress(waiting[1], total, Path(job["words"][1]).name)

    if scheduler:
        run_on_cluster(jobs(), scheduler, finished)
    else:
        run_here(jobs(), min(workers or usual_workers(), total), finished)
    progress(total, total, "")

    def records() -> Iterator[tuple[CohortRow, dict, Path]]:
        for row in table:
            place = folder / SCANS / f"{row.number:05d}"
            yield row, read_record(place) or {"results": [], "sentence": "It was not worked on."}, place

    broken = write_report_of_cohort(records, table, folder / TABLE, folder / REPORT, with_name)
    return Outcome(total, total - waiting[0] - broken[1], broken[0])
