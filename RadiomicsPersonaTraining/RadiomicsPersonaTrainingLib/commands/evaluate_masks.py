"""`radiomics-persona-train evaluate-masks`: how far drawn lesion masks are from real ones."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from datetime import date
from pathlib import Path

import numpy as np

from RadiomicsPersonaLib.commands.command_line import seed
from RadiomicsPersonaLib.commands.job import Job
from RadiomicsPersonaLib.defaults import RESEARCH_USE
from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.imaging.files import read_scan
from RadiomicsPersonaLib.system.output import folder_written_whole

from ..evaluation.report import markdown_table
from ..experiments.mask_comparison import HELD_OUT, TRAINING, distance_of, drawn_masks, real_masks
from ..experiments.mask_report import HEADS, NOTES, mask_page, table_rows
from ..lesion_masks.generators import GENERATORS, mask_generator
from ..lesion_masks.ground import lesion_ground
from ..lesion_masks.kinds import MS, STROKE
from ..lesion_masks.mask_model import MaskModel
from ..lesion_masks.painted_scans import lesion_row, sheet_of_lesions
from ..lesion_masks.pieces import lesion_pieces
from ..runs.heartbeat import NAME, Alive
from ..settings.sample_sections import TRAINED
from ..versions import versions_text, versions_used
from .synthesize import files_of

SHEET_PIXELS = 160
"""Edge of a panel in the pictures of masks."""
EXAMPLES = ("healthy/ --shapes lesion_masks -o masks",)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `evaluate-masks` may be asked."""
    parser.add_argument(
        "scans",
        nargs="+",
        metavar="HEALTHY",
        help="scans without lesions, or folders of them; none that a generator was trained on",
    )
    parser.add_argument(
        "--shapes", required=True, metavar="FOLDER", help="masks of real lesions in the subfolders stroke and ms, in MNI space"
    )
    parser.add_argument("--masks", metavar="NAMES", help="only these generators, parted by commas (default: all)")
    parser.add_argument(
        "--generator", metavar="CARD.json", help="a trained generator of your own, in place of the shipped one of its name"
    )
    parser.add_argument("--kinds", default="stroke,ms", metavar="NAMES", help="only these kinds (default stroke,ms)")
    parser.add_argument("--count", type=int, default=120, metavar="N", help="masks of every generator and kind (default 120)")
    parser.add_argument(
        "--pictures", type=int, default=3, metavar="N", help="examples of every generator and kind in the report (default 3)"
    )
    parser.add_argument("--seed", type=seed, default=0, metavar="N", help="of what is drawn (default 0)")
    parser.add_argument(
        "--output", required=True, metavar="DIR", help="folder for report.html, evaluation.md and evaluation.json"
    )


def run(options: argparse.Namespace, job: Job) -> int:
    """Evaluate as the arguments say, print the tables and write the report."""

    if options.count < 10:
        raise InputError("--count must be at least 10: fewer masks tell nothing of a distribution.")
    if options.pictures < 0:
        raise InputError("--pictures must be 0 or more.")
    output = Path(options.output)
    with folder_written_whole(output) as folder:
        texts = _texts(options, job)
        for name, text in texts.items():
            (folder / name).write_text(text, encoding="utf-8")
    print(texts["evaluation.md"])
    print(f"Report: {output / 'report.html'}")
    return 0


def _texts(options: argparse.Namespace, job: Job) -> dict[str, str]:
    """The files of the report by their names."""
    kinds, shapes = _names(options.kinds, (STROKE, MS), "kind"), Path(options.shapes)
    names = _names(options.masks, GENERATORS, "mask generator") if options.masks else GENERATORS
    files = files_of(options.scans)
    own = MaskModel.load(options.generator) if options.generator else None
    generators = {}
    for kind in kinds:
        for name in names:
            generators[kind, name] = mask_generator(
                name, kind, shapes, own if own and own.card["masks"]["generator"] == name else None
            )
            if name not in TRAINED:
                generators[kind, f"{name}, placed as real ones"] = mask_generator(name, kind, shapes, real_places=True)
    with Alive(Path(options.output) / NAME, "evaluate-masks", job.progress) as alive:
        total, done = len(files) + len(kinds) * 2 + len(generators), 0

        def told(what: str) -> None:
            alive.progress(done, total, what)

        grounds = []
        for file in files:
            told(f"looking at {file.name}")
            grounds.append(lesion_ground(read_scan(file)))
            done += 1
        told("reading real masks")
        pieces = lesion_pieces(shapes, kinds, progress=lambda n, of, what: told(what))
        measured = []
        for kind in kinds:
            for name, held_out in ((HELD_OUT, True), (TRAINING, False)):
                chosen = [piece for piece in pieces if piece.kind == kind and piece.held_out == held_out]
                measured.append(
                    real_masks(chosen, grounds, options.count, np.random.default_rng(options.seed), name, kind, told)
                )
                done += 1
        sheets = []
        for (kind, name), generator in generators.items():
            measured.append(drawn_masks(generator, name, grounds, options.count, options.seed, told))
            if name in GENERATORS and options.pictures:
                rows = []
                for number in range(options.pictures):
                    ground = grounds[number % len(grounds)]
                    hole = generator.draw(ground, np.random.default_rng((options.seed, 1000, number))).hole
                    rows.append(lesion_row(ground.scan, None, hole, SHEET_PIXELS))
                sheets.append((f"{kind}, {name}", sheet_of_lesions(rows, painted=False, pixels=SHEET_PIXELS)))
            done += 1
    truth = {part.kind: part for part in measured if part.name == HELD_OUT}
    distances = [distance_of(part, truth[part.kind], options.seed) for part in measured if part.name != HELD_OUT]
    origin = {
        "Date": date.today().isoformat(),
        "Versions": versions_text(versions_used(True)),
        "Scans": ", ".join(ground.scan.name for ground in grounds),
        "Held-out masks": ", ".join(f"{len(part.masks)} {kind}" for kind, part in truth.items()),
        **{
            f"Generator {name}": ", ".join(f"{key} {value}" for key, value in generators[kinds[0], name].about.items())
            for name in names
        },
        "Command": f"radiomics-persona-train evaluate-masks HEALTHY... --shapes FOLDER --count {options.count} --seed "
        f"{options.seed} --output DIR",
    }
    lines = ["# Drawn lesion masks beside real ones", "", RESEARCH_USE, "", NOTES, ""]
    for kind in kinds:
        lines += [f"## {kind}", "", *markdown_table(HEADS, table_rows([d for d in distances if d.kind == kind])), ""]
    lines += ["## Where the numbers come from", "", *(f"- {name}: {text}" for name, text in origin.items()), ""]
    record = {
        "notice": RESEARCH_USE,
        "origin": origin,
        "distances": [asdict(d) for d in distances],
        "masks": [asdict(part) for part in measured],
    }
    return {
        "report.html": mask_page(measured, distances, sheets, origin),
        "evaluation.md": "\n".join(lines),
        "evaluation.json": json.dumps(record, indent=1) + "\n",
    }


def _names(text: str, known: tuple[str, ...], what: str) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    for name in names:
        if name not in known:
            raise InputError(f"There is no {what} '{name}' to measure: choose from {', '.join(known)}.")
    return names or known
