"""`radiomics-persona inpaint`: rebuild the voxels of a mask of any shape."""

from __future__ import annotations

import argparse

from ..analysis.second_look import second_looks
from ..errors import InputError
from ..imaging.files import read_scan, write_nifti
from ..reconstruction.inpainting import inpaint
from ..reconstruction.reconstruction_model import load_model
from ..system.json_text import written
from ..system.output import file_written_whole
from .boxes import mask_on
from .command_line import add_model_and_device
from .job import Job

EXAMPLES = ("scan.nii.gz --mask lesion.nii.gz -o healthy.nii.gz",)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `inpaint` may be asked."""
    parser.add_argument("scan", metavar="SCAN", help="NIfTI, NRRD, MetaImage or MGZ file, or a folder with one DICOM series")
    parser.add_argument(
        "--mask", required=True, metavar="MASK", help="image on the scan's grid; voxels other than 0 are rebuilt"
    )
    parser.add_argument(
        "--second-look",
        action="store_true",
        help="for a mask drawn loosely: rebuild only what deviates in it, and keep what is confidently healthy and joined to "
        "its rim",
    )
    parser.add_argument("--json", action="store_true", help="print what was done as JSON")
    parser.add_argument("--output", required=True, metavar="OUT.nii.gz", help="the scan with what was rebuilt, NIfTI")
    add_model_and_device(parser)


def run(options: argparse.Namespace, job: Job) -> int:
    """Rebuild, write the scan with what was rebuilt, and tell what was done."""
    if not options.output.endswith((".nii", ".nii.gz")):
        raise InputError(f"The output '{options.output}' must end in .nii or .nii.gz.")
    scan = read_scan(options.scan)
    mask = mask_on(scan, options.mask)
    with file_written_whole(options.output, alone=True) as path:
        asked = load_model(options.model, options.device)
        rebuilt, model, warnings = inpaint(scan, mask, asked, job.progress, second_looks if options.second_look else None)
        write_nifti(path, rebuilt, scan.affine)
    done = {"output": options.output, "voxels": int(mask.sum()), "model": model.provenance(), "warnings": list(warnings)}
    if options.json:
        print(written(done))
    else:
        print(f"Rebuilt {done['voxels']} voxels with {model.name}: {options.output}")
        for warning in warnings:
            print(f"note: {warning}")
    return 0
