"""`radiomics-persona paint`: one lesion painted into a scan."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from ..brain.tissue_levels import checked_contrast, contrast_of
from ..defaults import RESEARCH_USE
from ..errors import InputError
from ..imaging.files import write_nifti
from ..lesions.outline import outline, radius_of
from ..lesions.painter import check_kind, paint_lesion
from ..report.exchange import write_painted
from ..system.json_text import written
from ..system.output import folder_written_whole
from .command_line import add_model_and_device, seed
from .job import Job

PAINTED, MASK, TOLD = "painted.nii.gz", "lesion.nii.gz", "painted.json"


EXAMPLES = ("scan.nii.gz --place 30,-26,26 --kind ms --size 0.5 -o painted",)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `paint` may be asked."""
    add_lesion_arguments(parser)
    parser.add_argument("--size", type=float, required=True, metavar="ML", help="millilitres")
    parser.add_argument("--strength", type=float, default=1.0, metavar="S", help="0.05 to 2; 1 (default) is a usual lesion")
    parser.add_argument("--output", required=True, metavar="DIR", help=f"folder for {PAINTED}, {MASK} and {TOLD}")


def add_lesion_arguments(parser: argparse.ArgumentParser) -> None:
    """What painting and what rests on it have in common."""
    parser.add_argument("scan", metavar="SCAN", help="NIfTI, NRRD, MetaImage or MGZ file, or a folder with one DICOM series")
    parser.add_argument("--place", required=True, metavar="R,A,S", help="middle of the lesion, RAS mm, in grey or white matter")
    parser.add_argument("--kind", required=True, metavar="fcd|ms|stroke|tumour", help="what is painted")
    parser.add_argument(
        "--contrast", metavar='T1|"T1 post"|T2|FLAIR', help="the scan's; told from its name and its tissues by default"
    )
    parser.add_argument("--seed", type=seed, default=0, help="of everything that is drawn at random (default 0)")
    add_model_and_device(parser)


def place_of(text: str) -> np.ndarray:
    """RAS millimetres.

    Raises:
        InputError: these are not three numbers.
    """
    try:
        place = np.array([float(word) for word in text.split(",")])
    except ValueError:
        place = np.empty(0)
    if place.shape != (3,) or not np.isfinite(place).all():
        raise InputError(f"The place '{text}' cannot be read: give three numbers in RAS mm, as in 30,-26,26.")
    return place


def run(options: argparse.Namespace, job: Job) -> int:
    """Paint, and write image, mask and what is known of them; for Slicer, image and mask as arrays."""
    check_kind(options.kind)
    place = place_of(options.place)
    contrast = checked_contrast(options.contrast) if options.contrast else None
    scan, sha256 = job.cache.scan(options.scan)
    with folder_written_whole(options.output) as folder:
        prepared = job.cache.prepare(scan, [])
        job.progress(1, 3, "Painting")
        contrast = contrast or contrast_of(scan, prepared.tissue)
        rng = np.random.default_rng(options.seed)
        hole = outline(options.kind, scan, prepared.tissue, place, options.size, rng)
        model = job.cache.model(options.model, options.device)
        lesion = paint_lesion(
            scan, hole, options.kind, contrast, rng, strength=options.strength, prepared=prepared, model=model
        )
        job.progress(2, 3, "Writing")
        milliliters = scan.grid.ml_of(lesion.lesion.sum())
        told = {
            "notice": RESEARCH_USE,
            "kind": options.kind,
            "contrast": contrast,
            "place_ras": place.tolist(),
            "asked_ml": options.size,
            "size_ml": milliliters,
            "strength": options.strength,
            "seed": options.seed,
            "model": model.for_scan(prepared).provenance(),
            "scan_sha256": sha256,
        }
        if job.for_slicer:
            write_painted(folder, lesion.values, lesion.lesion, scan.affine)
        else:
            write_nifti(folder / PAINTED, lesion.values, scan.affine)
            write_nifti(folder / MASK, lesion.lesion.astype(np.uint8), scan.affine)
        (folder / TOLD).write_text(written(told, indent=1) + "\n", encoding="utf-8")
        job.progress(3, 3, "Writing")
    print(
        f"Painted a lesion of {milliliters:.3g} ml ({2 * radius_of(milliliters):.1f} mm) as {contrast} shows it: "
        f"{Path(options.output) / PAINTED}"
    )
    print(RESEARCH_USE)
    return 0
