"""`radiomics-persona-train compare`: variations of one training on the same steps, beside each other."""

from __future__ import annotations

import argparse
from pathlib import Path

from RadiomicsPersonaLib.commands.command_line import seed
from RadiomicsPersonaLib.commands.job import Job
from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.system.output import folder_written_whole

from ..data.split import TEST, VALIDATION
from ..data.training_scans import split_of
from ..experiments.candidates import read_candidates
from ..experiments.comparison import fit_candidates, measure
from ..experiments.comparison_table import TABLE, write_comparison

EXAMPLES = ("settings.toml candidates.toml -o comparison --steps 500",)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `compare` may be asked."""
    parser.add_argument("settings", metavar="SETTINGS.toml", help="of the training that the candidates vary")
    parser.add_argument(
        "candidates",
        metavar="CANDIDATES.toml",
        help='what each changes: [candidates."no mirror"], recipe.no_mirror = 1.0; [common] for all',
    )
    parser.add_argument(
        "--output",
        required=True,
        metavar="DIR",
        help="comparison.md, comparison.json and runs/, from which it goes on when cut off",
    )
    parser.add_argument("--data", metavar="FOLDER", help="where the split's relative files lie (default: beside the split)")
    parser.add_argument("--cache", metavar="FOLDER", help="prepared scans (default: cache/ in DIR)")
    parser.add_argument("--steps", type=int, metavar="N", help="of every candidate (default: the settings')")
    parser.add_argument("--seed", type=seed, metavar="N", help="of the fits (default: the settings') and of the holes")
    parser.add_argument(
        "--part", choices=(VALIDATION, TEST), default=VALIDATION, help="subjects to measure on (default validation)"
    )
    parser.add_argument("--subjects", type=int, metavar="N", help="at most this many subjects per collection")
    parser.add_argument("--boxes", type=int, default=2, metavar="N", help="boxes per subject and size (default 2)")


def run(options: argparse.Namespace, job: Job) -> int:
    """Fit and measure as the arguments say, and print the tables."""

    for name in ("steps", "subjects", "boxes"):
        if getattr(options, name) is not None and getattr(options, name) < 1:
            raise InputError(f"--{name} must be at least 1.")
    output = Path(options.output)
    # what a second call goes on from lies in the folder itself; the tables come when they are whole
    with folder_written_whole(output) as folder:
        text = _compared(options, folder, job).read_text(encoding="utf-8")
    print(text)
    print(f"Table: {output / TABLE}")
    return 0


def _compared(options: argparse.Namespace, folder: Path, job: Job) -> Path:
    """The table, written into a folder."""
    file, output = Path(options.settings), Path(options.output)
    candidates = read_candidates(file, Path(options.candidates), options.steps, options.seed)
    scans = candidates[0].settings.scans
    root = Path(options.data) if options.data else None
    rows = split_of(candidates[0].settings, file, root)
    masks = (root or file.parent) / scans.lesion_masks if scans.lesion_masks else None

    cache = Path(options.cache) if options.cache else output / "cache"
    fitted = fit_candidates(candidates, rows, masks, cache, output / "runs", job.progress)
    data = root or (file.parent / scans.split).parent
    plan, scores = measure(fitted, data, options.part, output, options.subjects, options.boxes, options.seed or 0, job.progress)
    return write_comparison(plan, scores, fitted, folder)
