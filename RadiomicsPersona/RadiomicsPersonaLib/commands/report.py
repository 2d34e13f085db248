"""`radiomics-persona report`: the report of an analysis, written again."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..analysis.result import Analysis
from ..imaging.files import read_scan
from ..imaging.scan import Scan
from ..report.html_report import write_report
from ..report.pdf_report import write_report_pdf
from ..report.results_files import read_analysis
from ..system.output import folder_written_whole
from .job import Job

EXAMPLES = ("results scan.nii.gz -o report --with-name 'patient 7'",)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `report` may be asked."""
    parser.add_argument("folder", metavar="FOLDER", help="what `analyze` has written")
    parser.add_argument("scan", metavar="SCAN", help="the scan that was analyzed")
    parser.add_argument("--output", required=True, metavar="DIR", help="folder for report.html and report.pdf")
    add_with_name(parser)


def run(options: argparse.Namespace, job: Job) -> int:
    """Write the report as HTML and PDF."""
    with folder_written_whole(options.output) as folder:
        scan = read_scan(options.scan)
        analysis = read_analysis(options.folder, scan, options.scan)
        write_reports(analysis, folder, name_in_report(options, scan))
    print(f"Report: {Path(options.output) / 'report.html'}, {Path(options.output) / 'report.pdf'}")
    return 0


def add_with_name(parser: argparse.ArgumentParser) -> None:
    """Add --with-name."""
    parser.add_argument(
        "--with-name",
        nargs="?",
        const=True,
        metavar="TEXT",
        help="name the scan in report and scene, by its file or by a text of yours; they are anonymous without",
    )


def name_in_report(options: argparse.Namespace, scan: Scan) -> str | None:
    """What the report calls the scan; None for an anonymous one."""
    return scan.name if options.with_name is True else options.with_name


def write_reports(analysis: Analysis, folder: Path, name: str | None) -> None:
    """The same report twice: for browsers, and on paper."""
    write_report(analysis, folder / "report.html", name)
    write_report_pdf(analysis, folder / "report.pdf", name)
