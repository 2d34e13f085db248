"""`radiomics-persona follow`: one region over several visits of a patient."""

from __future__ import annotations

import argparse
import math
import shlex
from pathlib import Path

from ..defaults import RESEARCH_USE
from ..errors import InputError
from ..geometry.markups import write_boxes
from ..imaging.acquisition_date import visit_date
from ..imaging.files import read_mask
from ..longitudinal.visits import carried, lesion_ml, visit_row, visit_times
from ..longitudinal.visits_report import pictures_of_visit, report_of_visits
from ..report.results_files import write_rows
from ..system.output import folder_written_whole
from .analyze import analyze_into_folder
from .boxes import add_box_arguments, boxes_of
from .job import Job
from .registry import ANALYSIS

EXAMPLES = (
    "visit1.nii.gz visit2.nii.gz --dates 2024-03-31 2025-04-02 --box 28,-20,30,20,20,20 -o visits",
    "v1.nii.gz v2.nii.gz --dates 0 1.5 --boxes R.mrk.json -o visits -- --controls 39",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `follow` may be asked."""
    parser.add_argument(
        "scans",
        nargs="+",
        metavar="SCAN",
        help="the patient's scans; the boxes are in the first one's coordinates; options of `analyze` stand behind a lone --",
    )
    parser.add_argument(
        "--dates",
        nargs="+",
        default=[],
        metavar="DATE",
        help="one per scan, as 2026-03-31, 20260331 or 31.03.2026, or numbers of years (default: what DICOM headers or "
        "the files beside the scans say)",
    )
    add_box_arguments(parser, "a label map of the first scan")
    parser.add_argument(
        "--masks",
        nargs="+",
        default=[],
        metavar="MASK",
        help="the lesion's mask in each scan, for its volume; parts that reach into the box count",
    )
    parser.add_argument(
        "--patient", default="patient", metavar="NAME", help="what the table calls the patient (default patient)"
    )
    parser.add_argument(
        "--output",
        required=True,
        metavar="DIR",
        help="folder for visits.csv, report.html, and a folder per visit as `analyze` writes it",
    )
    parser.add_argument(
        "--options",
        default="",
        metavar="TEXT",
        help="what stands behind a lone --, as one text: for programs, and for a column of a table",
    )


def run(options: argparse.Namespace, job: Job) -> int:
    """Analyze every visit, write all files, and tell what was measured."""
    with folder_written_whole(options.output) as folder:
        rows, notes = follow_into_folder(options, folder, job)
        job.check()
    for row in rows:
        volume = "" if row["volume_ml"] is None else f", lesion {row['volume_ml']:.3f} ml"
        low, high = row["usual_low_ml"], row["usual_high_ml"]
        unusual = "no control regions" if math.isnan(row["deviating_ml"]) else f"unusual {row['deviating_ml']:.3f} ml"
        unusual += f" (in 95 % of the control regions {low:.3f} to {high:.3f} ml)" if math.isfinite(high) else ""
        print(
            f"{row['visit']} at {row['years']:.2f} years, {row['box']}: label {'-' if row['label'] is None else row['label']}, "
            f"combined score {row['combined']:.2f}, {unusual}{volume}"
        )
    for note in notes:
        print(f"note: {note}")
    print(
        f"Table: {Path(options.output) / 'visits.csv'} (goes into radiomics-persona regress); report: "
        f"{Path(options.output) / 'report.html'}"
    )
    print(RESEARCH_USE)
    return 0


def follow_into_folder(options: argparse.Namespace, folder: Path, job: Job) -> tuple[list[dict], list[str]]:
    """Analyze every visit and write all files; for Slicer, table and report only.

    Args:
        options: of the command `follow`.
        folder: an empty one.
    Returns:
        the table's rows; what the user should know, one sentence each.
    Raises:
        InputError: an input cannot be used.
    """
    for name, given in (("dates", options.dates), ("masks", options.masks)):
        if given and len(given) != len(options.scans):
            raise InputError(
                f"There are {len(options.scans)} scans and {len(given)} {name}: give one per scan, in the same order."
            )
    if len(options.scans) < 2:
        raise InputError("There is one scan only: give at least two visits, or use `radiomics-persona analyze`.")
    # what concerns all visits is understood before any work is done
    for_all = ANALYSIS.options_of(["analyze", *shlex.split(options.options)], {"scan": None, "output": None})
    times = visit_times(options.dates or [_date_of(path) for path in options.scans])
    first, _ = job.cache.scan(options.scans[0])
    boxes, told = boxes_of(options)
    rows, notes, shown = [], list(told), []
    for number, (path, time) in enumerate(zip(options.scans, times), 1):
        scan, _ = job.cache.scan(path)
        here, motion, doubts = carried(boxes, first, scan) if number > 1 else (boxes, None, ())
        notes += doubts
        visit = folder / f"visit-{number}"
        visit.mkdir()
        write_boxes(visit / "boxes.mrk.json", here)

        def step(done: int, total: int, what: str, number=number) -> None:
            job.progress((number - 1) * total + done, len(times) * total, f"visit {number}: {what}")

        its = argparse.Namespace(**vars(for_all))
        its.scan, its.output, its.boxes = path, str(visit), [str(visit / "boxes.mrk.json"), *for_all.boxes]
        analysis = analyze_into_folder(its, Job(step, job.tell, cache=job.cache), _nothing if job.for_slicer else None)
        mask = read_mask(options.masks[number - 1]) if options.masks else None
        notes += mask.warnings if mask else ()
        start = {
            "patient": options.patient,
            "visit": f"visit {number}",
            "date": time.text,
            "years": round(time.years, 4),
            "scan": scan.name,
        }
        for result in analysis.boxes:
            rows.append(
                visit_row(analysis, result, start, motion, lesion_ml(mask.array, mask.affine, result.box) if mask else None)
            )
        shown.append(pictures_of_visit(analysis, f"Visit {number}, {time.years:.2f} years after the first"))
    write_rows(folder / "visits.csv", rows)
    (folder / "report.html").write_text(report_of_visits(rows, notes, shown), encoding="utf-8", errors="backslashreplace")
    return rows, notes


def _nothing(*results) -> None:
    """What Slicer gets of a single visit."""


def _date_of(path: str) -> str:
    date = visit_date(path)
    if date is None:
        raise InputError(
            f"'{Path(path).name}' does not tell when it was taken: give --dates with a date or a number of years for each scan."
        )
    return date
