"""`radiomics-persona-train synthesize`: paint lesions into healthy scans, with their masks."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path

from RadiomicsPersonaLib.brain.tissue_levels import checked_contrast
from RadiomicsPersonaLib.commands.command_line import seed
from RadiomicsPersonaLib.commands.job import Job
from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.lesions.painter import KINDS, STRENGTH
from RadiomicsPersonaLib.reconstruction.reconstruction_model import load_model
from RadiomicsPersonaLib.system.output import folder_written_whole

from ..data.split import scan_files, scans_in
from ..lesion_masks.generators import mask_generator
from ..lesion_masks.mask_model import MaskModel
from ..lesion_masks.painted_scans import (
    PROVENANCE,
    SHEET,
    SHOWN,
    SynthesisPlan,
    lesion_row,
    refuse_overwriting,
    sheet_of_lesions,
    synthesized,
    write_lesion,
    write_provenance,
)
from ..runs.heartbeat import NAME, Alive

EXAMPLES = ("healthy/ --masks unet --kind ms --count 3 -o painted",)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `synthesize` may be asked."""
    parser.add_argument("scans", nargs="+", metavar="HEALTHY", help="scans without lesions, or folders of them")
    parser.add_argument(
        "--masks",
        required=True,
        metavar="GENERATOR",
        help="sphere, shapes, unet, unet-tissue or gan: what draws the lesions' outlines",
    )
    parser.add_argument("--kind", required=True, metavar="KIND", help=f"{', '.join(KINDS[:-1])} or {KINDS[-1]}")
    parser.add_argument(
        "--count", type=int, default=1, metavar="N", help="lesions for every scan, each in a copy of its own (default 1)"
    )
    parser.add_argument(
        "--size", type=float, metavar="ML", help="volume in millilitres (default: drawn as real lesions have it)"
    )
    parser.add_argument(
        "--strength",
        type=float,
        default=1.0,
        metavar="X",
        help=f"{STRENGTH[0]:g} to {STRENGTH[1]:g}; 1 is a usual lesion (default 1)",
    )
    parser.add_argument("--seed", type=seed, default=0, help="another seed gives other lesions (default 0)")
    parser.add_argument("--contrast", metavar="C", help="T1, T1 post, T2 or FLAIR (default: seen from each scan)")
    parser.add_argument(
        "--shapes", metavar="FOLDER", help="masks of real lesions in subfolders by kind, in MNI space; for --masks shapes"
    )
    parser.add_argument(
        "--generator",
        metavar="CARD.json",
        help="a generator of your own, exported from a run of fit, in place of the shipped one",
    )
    parser.add_argument("--model", default="auto", metavar="M", help="what rebuilds the tissue beneath a lesion (default auto)")
    parser.add_argument(
        "--output", required=True, metavar="DIR", help="folder for images, masks, provenance.json and sheet.png"
    )


def run(options: argparse.Namespace, job: Job) -> int:
    """Synthesize as the arguments say, and print a line for every lesion."""

    if options.count < 1:
        raise InputError("--count must be at least 1.")
    if options.size is not None and not 0 < options.size < float("inf"):
        raise InputError(f"The size is {options.size:g} ml: give a number above 0.")
    if not STRENGTH[0] <= options.strength <= STRENGTH[1]:
        raise InputError(
            f"The strength is {options.strength:g}: give a number from {STRENGTH[0]:g} to {STRENGTH[1]:g}; 1 is a usual lesion."
        )
    contrast = checked_contrast(options.contrast) if options.contrast else None
    own = MaskModel.load(options.generator) if options.generator else None
    generator = mask_generator(options.masks, options.kind, Path(options.shapes) if options.shapes else None, own)
    output = Path(options.output)
    plan = SynthesisPlan(
        tuple(files_of(options.scans)),
        generator,
        options.count,
        options.size,
        options.strength,
        contrast,
        options.seed,
        load_model(options.model),
    )
    refuse_overwriting(plan, output)
    entries, rows = [], []
    # the files by which a panel follows and ends the job lie in the folder itself; the results come when they are whole
    with folder_written_whole(output) as folder:
        with Alive(output / NAME, "synthesize", job.progress) as alive:
            for lesion in synthesized(plan, alive.progress):
                entries.append(write_lesion(lesion, folder))
                print(
                    f"{lesion.name}: {entries[-1]['lesion']['ml']:.3g} ml of {options.kind}, drawn by {options.masks}",
                    flush=True,
                )
                if len(rows) < SHOWN:
                    rows.append(lesion_row(lesion.prepared.scan, lesion.painted.values, lesion.hole))
        write_provenance(plan, entries, f"radiomics-persona-train synthesize {_words(options)}", folder)
        sheet_of_lesions(rows, painted=True).save(folder / SHEET)
    print(f"Written: {len(entries)} images with their masks, {PROVENANCE} and {SHEET} in {output}")
    return 0


def files_of(places: list[str]) -> list[Path]:
    """The scans themselves, and those in folders that are no DICOM series."""
    files = []
    for place in map(Path, places):
        if not place.exists():
            raise InputError(f"There is no file or folder '{place}': check the path.")
        holds = place.is_dir() and next(scan_files(place), None)
        files += scans_in(place) if holds else [place]
    return files


def _words(options: argparse.Namespace) -> str:
    """The arguments that matter, without this machine's folders."""
    said = [
        "HEALTHY...",
        "--masks",
        options.masks,
        "--kind",
        options.kind,
        "--count",
        str(options.count),
        "--seed",
        str(options.seed),
    ]
    said += ["--strength", f"{options.strength:g}"]
    said += ["--size", f"{options.size:g}"] if options.size else []
    said += ["--contrast", shlex.quote(options.contrast)] if options.contrast else []
    return " ".join([*said, "--output", "DIR"])
