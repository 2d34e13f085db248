"""`radiomics-persona cohort`: a command on every scan of a table."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path

from .errors import InputError


def add_cohort(commands) -> None:
    """Add the command to the parser's."""
    cohort = commands.add_parser("cohort", help="run a command on every scan of a table, on all cores or on a cluster")
    cohort.add_argument(
        "table", metavar="TABLE.csv",
        help="a row per scan; columns named like the command's arguments and options (scan, box, boxes, labels, mask, ...) are given to it, "
        "others stay with the row; several values in a cell are separated by ;",
    )  # fmt: skip
    cohort.add_argument("--command", default="analyze", metavar="NAME", dest="per_row", help="what to do with every row (default analyze)")
    cohort.add_argument("--options", default="", metavar='"..."', help="options of that command for all rows, also as all that stands behind a lone --")
    cohort.add_argument("--workers", type=int, metavar="N", help="processes, one thread each (default: one per core)")
    cohort.add_argument("--scheduler", metavar="ADDRESS", help="of a Dask scheduler, such as tcp://host:8786, whose workers do the work instead")
    cohort.add_argument("--with-name", action="store_true", help="name the scans in the report by their files; it is anonymous without")
    cohort.add_argument("--json", action="store_true", help="print how many rows were done as JSON")
    cohort.add_argument("--output", required=True, metavar="DIR", help="folder for cohort.csv, report.html and a folder per row; a second run goes on in it")
    cohort.set_defaults(run=_cohort)


def _cohort(options) -> int:
    from .cli import EXIT_CANCELLED
    from .cohort import REPORT, TABLE, run_cohort
    from .cohort_table import CohortTable
    from .progress import ProgressBar
    from .result import RESEARCH_USE

    if options.workers is not None and options.workers < 1:
        raise InputError(f"The number of workers is {options.workers}: give at least 1.")
    table = CohortTable(options.table, options.per_row, shlex.split(options.options))
    folder = Path(options.output).expanduser()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"The output '{folder}' cannot be written ({error.strerror}): choose another place.") from error
    try:
        outcome = run_cohort(table, folder, options.workers, options.scheduler, options.with_name, ProgressBar(options.json))
    except KeyboardInterrupt:
        print("radiomics-persona: cancelled; finished rows are kept, and the same command goes on with the others.", file=sys.stderr)
        return EXIT_CANCELLED
    if options.json:
        print(json.dumps({"rows": outcome.rows, "kept": outcome.kept, "broken": outcome.broken}))
        return 0
    print(f"{outcome.rows} rows: {outcome.kept} kept from an earlier run, {outcome.broken} with a sentence instead of results.")
    print(f"Table: {folder / TABLE}; report: {folder / REPORT}")
    print(RESEARCH_USE)
    return 0
