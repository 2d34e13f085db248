"""`radiomics-persona regress`: what measurements do over time and with covariates, from a table of visits."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from ..defaults import RESEARCH_USE
from ..errors import InputError
from ..longitudinal.mixed_model import require_statsmodels
from ..longitudinal.observations import read_table
from ..longitudinal.outcome_analysis import CORRECTIONS, analyze_visits
from ..longitudinal.report import interval_text, term_rows, write_regression
from ..system.json_text import written
from ..system.output import folder_written_whole
from .job import Job

EXAMPLES = (
    "visits/visits.csv -o regression",
    "a.csv b.csv --outcome volume_ml --covariate age --log -o regression",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `regress` may be asked."""
    parser.add_argument(
        "tables",
        nargs="+",
        metavar="TABLE.csv",
        help="a row per visit, as `follow` or `cohort` write them; several are put together",
    )
    parser.add_argument(
        "--outcome",
        action="append",
        default=[],
        metavar="COLUMN",
        help="what to explain; may be repeated (default: volume, combined score, deviation)",
    )
    parser.add_argument(
        "--time",
        metavar="COLUMN",
        help="numbers, or dates (2026-03-31, 20260331, 31.03.2026), which count in years from each patient's first (default: "
        "years, date, days or time); none for covariates alone",
    )
    parser.add_argument(
        "--covariate", action="append", default=[], metavar="COLUMN", help="numbers or a few texts; may be repeated"
    )
    parser.add_argument(
        "--slope-by", metavar="COLUMN", help="a covariate on which the slope over time may depend, such as a treatment"
    )
    parser.add_argument(
        "--patient",
        default="patient",
        metavar="COLUMN",
        help="whose visit it is (default patient)",
        head="how it is judged",
    )
    parser.add_argument("--log", action="store_true", help="analyze logarithms: growth rates and doubling times")
    parser.add_argument(
        "--correction",
        default="bh",
        metavar="bh|holm|none",
        help="of p for many tests: false discovery rate (default), Holm, or none",
    )
    parser.add_argument(
        "--with-name", action="store_true", help="call patients in the report as the table does; they are numbered without"
    )
    parser.add_argument("--json", action="store_true", help="print the estimates as JSON")
    parser.add_argument(
        "--output", required=True, metavar="DIR", help="folder for report.html, the figures (SVG), CSV and JSON files"
    )


def run(options: argparse.Namespace, job: Job) -> int:
    """Fit, write report and tables, and tell the estimates."""
    if options.correction not in CORRECTIONS:
        raise InputError(f"There is no correction '{options.correction}': choose one of {', '.join(CORRECTIONS)}.")
    require_statsmodels()

    with folder_written_whole(options.output) as folder:
        frame = read_table(options.tables)
        names = [Path(path).name for path in options.tables]
        try:
            analyses = analyze_visits(
                frame,
                options.outcome,
                options.time,
                options.covariate,
                options.patient,
                options.log,
                options.slope_by,
                options.correction,
            )
        except InputError as error:
            named = any(f"'{name}'" in str(error) for name in names)
            raise InputError(str(error) if named else f"{', '.join(names)}: {error}") from error
        settings = {
            "tables": names,
            "outcomes": [analysis.regression.observations.outcome for analysis in analyses],
            "time": analyses[0].regression.observations.time or "-",
            "covariates": options.covariate,
            "slope by": options.slope_by or "-",
            "logarithms": options.log,
            "correction": options.correction,
        }
        write_regression(analyses, folder, settings, options.with_name)
        record = (folder / "regression.json").read_text(encoding="utf-8")
    if options.json:
        print(written(json.loads(record)))
        return 0
    for analysis in analyses:
        for row in term_rows(analysis):
            p = "-" if row["p"] is None else f"{row['p']:.2g}"
            q = "" if row["q"] is None else f", q = {row['q']:.2g}"
            print(
                f"{row['outcome']} per {row['term']}: {interval_text(row['estimate'], row['low'], row['high'])}, "
                f"p = {p}{q}; {row['method']}; {row['patients']} patient(s), {row['rows']} rows"
            )
        if analysis.doubling:
            print(f"  {analysis.doubling.in_words}")
        for note in analysis.notes:
            print(f"  note: {note}")
    print(f"Report: {Path(options.output) / 'report.html'}")
    print(RESEARCH_USE)
    return 0
