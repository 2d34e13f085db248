"""`radiomics-persona segment`: what a segmentation model was trained to find."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..defaults import RESEARCH_USE
from ..errors import InputError
from ..imaging.files import write_nifti
from ..report.exchange import write_segmentation
from ..segmentation.segmentation import Segmentation
from ..segmentation.segmenter import load_segmenting, segment_files
from ..system.json_text import written
from ..system.output import file_written_whole, folder_written_whole, refuse_unwritable
from .command_line import add_device
from .job import Job


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `segment` may be asked."""
    parser.add_argument(
        "scans",
        nargs="+",
        metavar="SCAN",
        help="contrasts of one head, told by their names or as t1=FILE; the first one's grid is the result's",
    )
    parser.add_argument(
        "--model",
        required=True,
        metavar="M",
        help="a segmentation or lesion model of `radiomics-persona models`, or the file of a card",
    )
    parser.add_argument("--output", required=True, metavar="SEG.nii.gz", help="label map; the numbers' names are told")
    parser.add_argument("--probabilities", metavar="P.nii.gz", help="write the probabilities too, 4-D, a volume per class")
    add_device(parser)
    parser.add_argument("--json", action="store_true", help="print what was found as JSON")


def run(options: argparse.Namespace, job: Job) -> int:
    """Segment, write the label map, and tell the volumes; Slicer gets the arrays."""
    if job.for_slicer:
        with folder_written_whole(options.output) as folder:
            write_segmentation(*found_by(options, job), folder)
            job.check()
        return 0
    targets = [options.output] + ([options.probabilities] if options.probabilities else [])
    for target in targets:
        if not target.endswith((".nii", ".nii.gz")):
            raise InputError(f"The output '{target}' must end in .nii or .nii.gz.")
    if len({Path(target).absolute() for target in targets}) < len(targets):
        raise InputError("--output and --probabilities name the same file: give two.")
    for target in targets:
        refuse_unwritable(target)
    found, told = found_by(options, job)
    with file_written_whole(options.output) as path:
        if options.probabilities:
            with file_written_whole(options.probabilities) as more:
                write_nifti(more, found.probabilities.transpose(1, 2, 3, 0), found.affine)
        write_nifti(path, found.labels, found.affine)
    told = {"output": options.output, **told}
    if options.json:
        print(written(told))
        return 0
    for entry in told["classes"]:
        print(f"{entry['number']:>3}  {entry['name']:<24} {entry['ml']:10.3f} ml")
    shown = ", ".join(f"{name} ({file})" for name, file in told["scans"].items())
    print(f"Segmented {shown} with {told['model']['name']}: {options.output}")
    print(RESEARCH_USE)
    return 0


def found_by(options: argparse.Namespace, job: Job) -> tuple[Segmentation, dict]:
    """What the arguments ask for, in memory; see `segment_files`."""
    return segment_files(
        options.scans, load_segmenting(options.model, options.device), bool(options.probabilities), job.progress
    )
