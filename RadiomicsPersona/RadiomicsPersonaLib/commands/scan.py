"""`radiomics-persona scan`: the places of a whole head that stand out."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..analysis.head_norms import FALSE_PER_HEAD, Measured
from ..analysis.head_search import MOST_PLACES, search_head
from ..defaults import RESEARCH_USE
from ..networks.head_model import installed_head_models
from ..report.places import BOXES, MISSES, line_of, record_of, sheet_of, write_places
from ..system.json_text import written
from ..system.output import folder_written_whole
from .job import Job

SHEET = "places.png"
MEASURED = "How often it finds what, and calls what is healthy, was measured: docs/scan.md has the figures."
EXAMPLES = ("scan.nii.gz -o places", "dicom_folder --json -o places")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `scan` may be asked; the help says that it misses much."""
    parser.description = f"{parser.description}\n\n{MISSES}\n{MEASURED}"
    parser.add_argument("scan", metavar="SCAN", help="NIfTI, NRRD, MetaImage or MGZ file, or a folder with one DICOM series")
    parser.add_argument("--json", action="store_true", help="print what was found as JSON")
    parser.add_argument(
        "--output",
        required=True,
        metavar="DIR",
        help=f"folder for places.json, places.csv, {SHEET} and {BOXES}/, whose files `analyze --boxes` takes; at most "
        f"{MOST_PLACES} places, and none of which a healthy head has more than {FALSE_PER_HEAD:g} on average",
    )


def run(options: argparse.Namespace, job: Job) -> int:
    """Search the head, write the places, and tell them; the sheet is left out for Slicer."""
    scan, sha256 = job.cache.scan(options.scan)
    measured = Measured.load()
    with folder_written_whole(options.output) as folder:
        job.progress(0, 3, "Finding the brain")
        prepared = job.cache.prepare(scan, [])
        job.progress(1, 3, "Looking for places that stand out")
        search = search_head(prepared, measured=measured)
        job.progress(2, 3, "Writing the places")
        provenance = {
            "scan": scan.name,
            "scan_sha256": sha256,
            "head_models": installed_head_models(),
            "norms": measured.origin,
        }
        write_places(search, measured, provenance, folder)
        if not job.for_slicer:
            sheet_of(search, scan, prepared.tissue).save(folder / SHEET)
        job.progress(3, 3, "Writing the places")
    if options.json:
        print(written(record_of(search, measured, provenance)))
        return 0
    print(search.in_words)
    for rank, place in enumerate(search.places, start=1):
        print(line_of(rank, place))
    print(f"{MISSES}\n{measured.in_words}")
    print(f"Pictures and boxes: {Path(options.output) / SHEET}, {Path(options.output) / BOXES}")
    print(RESEARCH_USE)
    return 0
