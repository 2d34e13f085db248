"""`radiomics-persona-train predict`: what a run's checkpoint makes of a scan, before it is exported."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from RadiomicsPersonaLib.commands.job import Job
from RadiomicsPersonaLib.commands.registry import ANALYSIS
from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.networks.card import LESION_KIND, SEGMENTATION_KIND, TISSUE_KIND, kind_of, read_card
from RadiomicsPersonaLib.system.output import refuse_unwritable

from ..export.export import export_model
from ..inspection.prediction import predict
from ..runs.record import read_record
from ..runs.state import BEST

EXAMPLES = ("run scan.nii.gz --mask lesion.nii.gz -o healthy.nii.gz",)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `predict` may be asked."""
    parser.add_argument("checkpoint", metavar="CHECKPOINT", help="a .ckpt file, or the run's folder for the best one")
    parser.add_argument("scans", nargs="+", metavar="SCAN", help="one; for a segmentation its contrasts")
    parser.add_argument(
        "--mask", metavar="MASK", help="image on the scan's grid, not 0 where tissue is rebuilt; only for models that rebuild"
    )
    parser.add_argument("--output", required=True, metavar="OUT.nii.gz", help="what the run makes of the scan, NIfTI")


def run(options: argparse.Namespace, job: Job) -> int:
    """Rebuild, segment, or map tissues or lesions."""
    run = Path(options.checkpoint)
    refuse_unwritable(options.output)
    if run.is_dir() and read_record(run).settings.task.kind in (TISSUE_KIND, LESION_KIND):
        if options.mask is not None:
            raise InputError("A model that rebuilds nothing needs no --mask: leave it out.")
        predict(run, options.scans, [], Path(options.output))
        print(f"Made with {run / BEST}: {options.output}")
        return 0
    with tempfile.TemporaryDirectory() as folder:
        card = export_model(Path(options.checkpoint), Path(folder) / "checkpoint")
        asked = {"model": str(card), "output": options.output}
        if kind_of(read_card(card)) == SEGMENTATION_KIND:
            return ANALYSIS.run(ANALYSIS.options_of(["segment"], asked | {"scans": options.scans}), job)
        if options.mask is None or len(options.scans) > 1:
            raise InputError("A model that rebuilds needs one scan, and --mask with what is to be rebuilt: give both.")
        return ANALYSIS.run(ANALYSIS.options_of(["inpaint"], asked | {"scan": options.scans[0], "mask": options.mask}), job)
