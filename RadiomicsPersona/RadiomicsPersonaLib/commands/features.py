"""`radiomics-persona features`: radiomics features of a region, each against what is normal for this patient."""

from __future__ import annotations

import argparse
import re
from dataclasses import asdict

from .. import __version__
from ..analysis.radiomics import Feature, Radiomics, radiomics_of
from ..defaults import RESEARCH_USE, USUAL_CONTROLS
from ..errors import InputError
from ..imaging.files import read_scan, sha256_of
from ..metrics.radiomics import USUAL_LEVELS
from ..reconstruction.reconstruction_model import load_model
from ..report.results_files import write_rows
from ..system.json_text import json_value, written
from ..system.output import files_written_whole, refuse_unwritable
from .boxes import mask_on
from .command_line import add_model_and_device, seed
from .job import Job

EXAMPLES = (
    "scan.nii.gz --mask lesion.nii.gz -o features.csv",
    "flair.nii.gz --mask lesion.nii.gz --controls 40 --levels 64 -o features.csv",
)
SHOWN = 10
"""Features that are told at the end."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `features` may be asked."""
    parser.add_argument("scan", metavar="SCAN", help="NIfTI, NRRD, MetaImage or MGZ file, or a folder with one DICOM series")
    parser.add_argument(
        "--mask", required=True, metavar="MASK", help="image on the scan's grid; voxels other than 0 are the region"
    )
    parser.add_argument(
        "--controls",
        type=int,
        default=USUAL_CONTROLS,
        metavar="N",
        help=f"regions of the mask's shape in healthy tissue of the scan (default {USUAL_CONTROLS})",
    )
    parser.add_argument("--seed", type=seed, default=0, help="of the control regions' places (default 0)")
    parser.add_argument(
        "--levels",
        type=int,
        default=USUAL_LEVELS,
        metavar="N",
        help=f"grey levels for texture, from a region's least to its greatest intensity (default {USUAL_LEVELS})",
    )
    parser.add_argument("--json", action="store_true", help="print the features as JSON")
    parser.add_argument(
        "--output",
        required=True,
        metavar="FEATURES.csv",
        help="table with a row per feature; what is needed to compute it again goes beside it, as FEATURES.json",
    )
    add_model_and_device(parser)


def run(options: argparse.Namespace, job: Job) -> int:
    """Measure, write the table and its settings, and tell what stands out."""
    if not options.output.endswith(".csv"):
        raise InputError(f"The output '{options.output}' must end in .csv.")
    targets = (options.output, re.sub(r"csv$", "json", options.output))
    refuse_unwritable(*targets)
    scan = read_scan(options.scan)
    mask = mask_on(scan, options.mask)
    model = load_model(options.model, options.device)
    found = radiomics_of(scan, mask, model, options.controls, options.seed, options.levels, job.progress)
    told = {
        "notice": RESEARCH_USE,
        "version": __version__,
        "scan_sha256": sha256_of(options.scan),
        "mask_sha256": sha256_of(options.mask),
        "region_ml": found.milliliters,
        "controls_ras": found.controls,
        "settings": found.settings,
        "warnings": found.warnings,
    }
    rows = [asdict(feature) for feature in found.features]
    with files_written_whole(*targets, alone=True) as (table, settings):
        write_rows(table, rows)
        settings.write_text(written(json_value(told), indent=1) + "\n", encoding="utf-8")
    if options.json:
        print(written(json_value({"output": options.output, "features": rows, **told})))
    else:
        _tell(found, options.output)
    return 0


def _tell(found: Radiomics, output: str) -> None:
    shown = found.most_unusual[:SHOWN]
    if shown:
        print(f"{'image':<11} {'feature':<22} {'value':>12} {'control median':>15} {'z':>7}")
    for feature in shown:
        print(_line(feature))
    print(
        f"{len(found.features)} features of {found.milliliters:.3g} ml; z-scores among {len(found.controls)} control regions "
        f"of the same shape: {output}"
    )
    for warning in found.warnings:
        print(f"note: {warning}")
    if shown:
        print("Of so many features some are far out by chance. A z-score is no verdict: `analyze` gives one.")
    print(RESEARCH_USE)


def _line(feature: Feature) -> str:
    return f"{feature.image:<11} {feature.name:<22} {feature.value:>12.5g} {feature.median:>15.5g} {feature.z:>+7.1f}"
