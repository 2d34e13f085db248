"""`radiomics-persona segment`: what a model was trained to find: lesions, or the tissues of the brain."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from pathlib import Path

from ..defaults import RESEARCH_USE
from ..errors import InputError
from ..imaging.files import write_nifti
from ..report.exchange import write_segmentation
from ..segmentation.segmentation import Segmentation
from ..segmentation.segmenter import TISSUES, WITH_TISSUE, load_segmenting, segment_files
from ..system.json_text import written
from ..system.output import files_written_whole, folder_written_whole, refuse_unwritable
from .command_line import add_device
from .job import Job

EXAMPLES = (
    "flair.nii.gz --model lesion -o lesions.nii.gz",
    "t2.nii.gz -m tissue -o sub-01_dseg.nii.gz",
    "t1=a.nii.gz t1c=b.nii.gz flair=c.nii.gz -m brats.json -o tumour.nii.gz",
)


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
        help="a segmentation, lesion or tissue model of `radiomics-persona models`, or the file of a card; `tissue` tells grey "
        "matter, white matter and fluid apart in any contrast",
    )
    parser.add_argument(
        "--output", required=True, metavar="SEG.nii.gz", help="label map; names of its numbers go beside it, as SEG.tsv"
    )
    parser.add_argument("--probabilities", metavar="P.nii.gz", help="write the probabilities too, 4-D, a volume per class")
    parser.add_argument(
        "--brain-mask",
        metavar="MASK.nii.gz",
        help="with --model tissue: write the brain, grey and white matter and fluid, as a mask",
    )
    add_device(parser)
    parser.add_argument("--json", action="store_true", help="print what was found as JSON")


def run(options: argparse.Namespace, job: Job) -> int:
    """Segment, write the label map, and tell the volumes; Slicer gets the arrays."""
    if job.for_slicer:
        with folder_written_whole(options.output) as folder:
            write_segmentation(*found_by(options, job), folder)
            job.check()
        return 0
    targets = list(filter(None, (options.output, options.probabilities, options.brain_mask)))
    for target in targets:
        if not target.endswith((".nii", ".nii.gz")):
            raise InputError(f"The output '{target}' must end in .nii or .nii.gz.")
    if len({Path(target).absolute() for target in targets}) < len(targets):
        raise InputError("Two outputs name the same file: give each its own.")
    targets.append(re.sub(r"\.nii(\.gz)?$", ".tsv", options.output))
    refuse_unwritable(*targets)
    found, told = found_by(options, job)
    if options.brain_mask and [*found.classes] != [*TISSUES.values()]:
        raise InputError(f"--brain-mask goes with a tissue model, and '{told['model']['name']}' is none: leave it out.")
    with files_written_whole(*targets, alone=True) as paths:
        labels, *others, names = paths
        write_nifti(labels, found.labels, found.affine)
        if options.probabilities:
            write_nifti(others.pop(0), found.probabilities.transpose(1, 2, 3, 0), found.affine)
        if options.brain_mask:
            write_nifti(others.pop(0), (found.labels > 0).astype("uint8"), found.affine)
        write_names(found.classes, names)
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
    model = load_segmenting(options.model, options.device, WITH_TISSUE)
    return segment_files(options.scans, model, bool(options.probabilities), job.progress)


def write_names(classes: Sequence[dict], path: Path) -> None:
    """The names of a label map's numbers, as BIDS lays them out beside a `dseg` file: tab separated, one class a line."""
    rows = [("index", "name", "color")]
    rows += [(str(entry["number"]), entry["name"], "#{:02x}{:02x}{:02x}".format(*entry["color"])) for entry in classes]
    path.write_text("".join("\t".join(row) + "\n" for row in rows), encoding="utf-8")
