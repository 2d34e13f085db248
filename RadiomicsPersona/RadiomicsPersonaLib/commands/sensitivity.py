"""`radiomics-persona sensitivity`: how small and how faint a painted lesion the verdict still finds at a place of a scan."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..analysis.verdict import Decision
from ..defaults import RESEARCH_USE, USUAL_CONTROLS, USUAL_THRESHOLDS
from ..errors import InputError
from ..lesions.painter import check_kind
from ..lesions.sensitivity import CAVEAT, STRENGTHS, sensitivity
from ..lesions.sensitivity_report import record_of, sentences_of, write_sensitivity
from ..system.json_text import json_value, written
from ..system.output import folder_written_whole
from .job import Job
from .paint import add_lesion_arguments, place_of

EXAMPLES = ("scan.nii.gz --place 30,-26,26 --kind fcd --sizes 0.5,2 -o sensitivity",)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `sensitivity` may be asked."""
    add_lesion_arguments(parser)
    parser.add_argument(
        "--sizes", metavar="ML,ML,...", help="millilitres; sizes usual for the kind, as far as they fit, by default"
    )
    parser.add_argument(
        "--strengths", metavar="S,S,...", help="0.05 to 2; 0.25,0.5,1,2 by default, and one more between found and missed"
    )
    parser.add_argument(
        "--controls",
        type=int,
        default=USUAL_CONTROLS,
        metavar="N",
        help=f"control regions of the scan (default {USUAL_CONTROLS})",
    )
    parser.add_argument("--decision", default="p", metavar="p|classifier", help="what finding rests on (default p)")
    parser.add_argument(
        "--threshold",
        type=float,
        metavar="T",
        help=f"found at p <= T (default {USUAL_THRESHOLDS['p']:g}), "
        f"or at probability >= T (default {USUAL_THRESHOLDS['classifier']:g})",
    )
    parser.add_argument("--json", action="store_true", help="print the results as JSON")
    parser.add_argument(
        "--output", required=True, metavar="DIR", help="folder for sensitivity.csv, .json, .png, .html, and an example"
    )


def run(options: argparse.Namespace, job: Job) -> int:
    """Paint and judge, write the curve, and tell it; the example is left out for Slicer."""
    check_kind(options.kind)
    place = place_of(options.place)
    sizes, strengths = _numbers(options.sizes, "--sizes"), _numbers(options.strengths, "--strengths")
    if options.decision not in USUAL_THRESHOLDS:
        raise InputError(f"There is no decision '{options.decision}' here: choose {' or '.join(USUAL_THRESHOLDS)}.")
    decision = Decision(
        options.decision, USUAL_THRESHOLDS[options.decision] if options.threshold is None else options.threshold
    )
    scan, _ = job.cache.scan(options.scan)
    with folder_written_whole(options.output) as folder:
        result = sensitivity(
            scan,
            place,
            options.kind,
            job.cache.model(options.model, options.device),
            sizes_ml=sizes,
            strengths=strengths or STRENGTHS,
            contrast=options.contrast,
            controls=options.controls,
            decision=decision,
            seed=options.seed,
            progress=job.progress,
            prepare=job.cache.prepare,
        )
        write_sensitivity(result, scan, folder, example=not job.for_slicer)
    if options.json:
        print(written(json_value(record_of(result))))
        return 0
    for sentence in sentences_of(result):
        print(sentence)
    for note in result.warnings:
        print(f"note: {note}")
    print(CAVEAT)
    print(f"Curve and page: {Path(options.output) / 'sensitivity.png'}, {Path(options.output) / 'sensitivity.html'}")
    print(RESEARCH_USE)
    return 0


def _numbers(text: str | None, option: str) -> tuple[float, ...] | None:
    """Numbers separated by commas."""
    if text is None:
        return None
    try:
        return tuple(float(word) for word in text.split(","))
    except ValueError:
        raise InputError(f"{option} '{text}' cannot be read: give numbers separated by commas, as in 0.5,1,2.") from None
