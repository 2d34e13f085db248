"""`radiomics-persona cohort`: a command on every scan of a table."""

from __future__ import annotations

import argparse
import json
import shlex
from pathlib import Path
from tempfile import TemporaryDirectory

from ..commands.job import Job
from ..defaults import RESEARCH_USE
from ..errors import InputError
from ..system.output import place_of, refuse_replacing, sole_writer
from .bids import SUFFIX, write_derivatives, write_rows_of
from .cohort import REPORT, SCANS, TABLE, run_cohort
from .table import CohortTable

MOST_WORKERS = 1000
"""Processes of one machine."""


EXAMPLES = (
    "--bids dataset -o derivatives -- --segment-with lesion --outputs json,csv,reconstruction,unusual,segmentation",
    "scans.csv -o cohort",
    "scans.csv --command segment -j 4 -o lesions -- --model lesion",
    "scans.csv -o cohort -- --controls 39 --outputs json,csv",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `cohort` may be asked."""
    parser.add_argument(
        "table",
        nargs="?",
        metavar="TABLE.csv",
        help="a row per scan; columns named like the command's arguments and options (scan, box, boxes, labels, mask, ...) "
        "are given to it, others stay with the row; several values in a cell are separated by ;",
    )
    parser.add_argument(
        "--command",
        default="analyze",
        metavar="NAME",
        dest="per_row",
        help="what to do with every row (default analyze); options for all rows stand behind a lone --",
    )
    parser.add_argument(
        "--options",
        default="",
        metavar="TEXT",
        help="what stands behind a lone --, as one text: for programs, and for a column of a table",
    )
    parser.add_argument(
        "--bids",
        metavar="DIR",
        help="a BIDS dataset instead of a table: every subject's scan is a row, and --output becomes a dataset of derivatives",
    )
    parser.add_argument("--suffix", default=SUFFIX, metavar="S", help=f"with --bids: which scans (default {SUFFIX})")
    parser.add_argument("--workers", type=int, metavar="N", help="processes, one thread each (default: one per core)")
    parser.add_argument(
        "--scheduler", metavar="ADDRESS", help="of a Dask scheduler, such as tcp://host:8786, whose workers do the work instead"
    )
    parser.add_argument(
        "--with-name", action="store_true", help="name the scans in the report by their files; it is anonymous without"
    )
    parser.add_argument("--json", action="store_true", help="print how many rows were done as JSON")
    parser.add_argument(
        "--output",
        required=True,
        metavar="DIR",
        help="folder for cohort.csv, report.html and a folder per row; a second run goes on in it",
    )


def run(options: argparse.Namespace, job: Job) -> int:
    """Run the command on every row that is not done yet, and write table and report of all."""
    if options.workers is not None and not 1 <= options.workers <= MOST_WORKERS:
        raise InputError(f"The number of workers is {options.workers}: give at least 1, and {MOST_WORKERS} at most.")
    if bool(options.table) == bool(options.bids):
        raise InputError("Give either a TABLE.csv or --bids with a dataset.")
    words = shlex.split(options.options)
    with TemporaryDirectory() as checked:  # before anything is written
        rows = write_rows_of(Path(options.bids), options.suffix, Path(checked)) if options.bids else options.table
        table = CohortTable(rows, options.per_row, words)
    folder = place_of(options.output)
    refuse_replacing((folder / TABLE, folder / REPORT))
    with sole_writer(folder):
        if options.bids:
            table = CohortTable(write_rows_of(Path(options.bids), options.suffix, folder), options.per_row, words)
        outcome = run_cohort(table, folder, options.workers, options.scheduler, options.with_name, job.progress)
        if options.bids:
            files = write_derivatives(table, Path(options.bids), folder, folder / SCANS)
    if options.json:
        print(json.dumps({"rows": outcome.rows, "kept": outcome.kept, "broken": outcome.broken}))
        return 0
    print(f"{outcome.rows} rows: {outcome.kept} kept from an earlier run, {outcome.broken} with a sentence instead of results.")
    print(f"Table: {folder / TABLE}; report: {folder / REPORT}")
    if options.bids:
        print(f"BIDS derivatives: {files} images in {folder}")
    print(RESEARCH_USE)
    return 0
