"""Segment command: `radiomics-persona segment`."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path

from .errors import InputError
from .result import RESEARCH_USE


def add_segment(commands) -> None:
    """Add the command to the parser's."""
    parser = commands.add_parser("segment", help="find what a segmentation model was trained to find")
    parser.add_argument("scans", nargs="+", metavar="SCAN", help="contrasts of one head, told by their names or as t1=FILE; the first one's grid is the result's")
    parser.add_argument("--model", required=True, metavar="M", help="a segmentation model of `radiomics-persona models`, or the file of a card")
    parser.add_argument("--output", required=True, metavar="SEG.nii.gz", help="label map; the numbers' names are told")
    parser.add_argument("--probabilities", metavar="P.nii.gz", help="write the probabilities too, 4-D, a volume per class")
    parser.add_argument("--device", default="auto", metavar="auto|cpu|cuda|mps", help="where the network runs")
    parser.add_argument("--json", action="store_true", help="print what was found as JSON")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace, progress: Callable[[int, int, str], None] | None = None) -> int:
    """Segment as the arguments say, and tell the volumes."""
    from .contrast_choice import channel_files
    from .output import file_written_whole
    from .progress import ProgressBar
    from .scan import read_scan, write_nifti
    from .segmentation import segment
    from .segmentation_model import SegmentationModel

    targets = [options.output] + ([options.probabilities] if options.probabilities else [])
    for target in targets:
        if not target.endswith((".nii", ".nii.gz")):
            raise InputError(f"The output '{target}' must end in .nii or .nii.gz.")
    if len({Path(target).absolute() for target in targets}) < len(targets):
        raise InputError("--output and --probabilities name the same file: give two.")
    model = SegmentationModel.load(options.model, options.device)
    files = channel_files(options.scans, model.channels, model.may_miss)
    scans = {place: read_scan(file) for place, file in files.items()}
    with file_written_whole(options.output) as path:
        found = segment(scans, model, bool(options.probabilities), progress or ProgressBar(quiet=options.json))
        if options.probabilities:
            with file_written_whole(options.probabilities) as more:
                write_nifti(more, found.probabilities.transpose(1, 2, 3, 0), found.affine)
        write_nifti(path, found.labels, found.affine)
    told = {
        "output": options.output,
        "scans": {model.channels[place]["name"]: Path(file).name for place, file in files.items()},
        "classes": [{**entry, "ml": round(found.milliliters[entry["name"]], 4)} for entry in found.classes],
        "model": model.provenance(),
    }
    if options.json:
        print(json.dumps(told, ensure_ascii=False))
        return 0
    for entry in told["classes"]:
        print(f"{entry['number']:>3}  {entry['name']:<24} {entry['ml']:10.3f} ml")
    print(f"Segmented {', '.join(f'{name} ({file})' for name, file in told['scans'].items())} with {model.name}: {options.output}")
    print(RESEARCH_USE)
    return 0
