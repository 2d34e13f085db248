"""`radiomics-persona-train init`: write a settings file in which every key is explained."""

from __future__ import annotations

import argparse
import os
from dataclasses import replace
from pathlib import Path

from RadiomicsPersonaLib.commands.job import Job
from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.networks.card import LESION_KIND, MASK_KIND, RECONSTRUCTION_KIND, SEGMENTATION_KIND, TISSUE_KIND
from RadiomicsPersonaLib.system.output import file_written_whole

from ..data.split import read_split
from ..settings.sections import FOLDED, LABEL_MAPS, SCANS, SEGMENTING, DataSource, NetworkSettings, ScanSettings, TaskSettings
from ..settings.training_settings import TrainingSettings, segmentation_in, written

EXAMPLES = (
    "settings.toml --split split.csv",
    "fine-tune.toml --split split.csv --start auto",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `init` may be asked."""
    parser.add_argument("output", metavar="SETTINGS.toml", help="the file to write")
    parser.add_argument("--split", metavar="CSV", help="a split, whose collections are entered")
    parser.add_argument(
        "--task",
        choices=(RECONSTRUCTION_KIND, TISSUE_KIND, LESION_KIND, SEGMENTATION_KIND, MASK_KIND),
        default=RECONSTRUCTION_KIND,
        help="what is trained (default reconstruction)",
    )
    parser.add_argument(
        "--start", default="", metavar="M", help="weights to begin with: auto for the shipped model (fine-tuning)"
    )


def run(options: argparse.Namespace, job: Job) -> int:
    """Write the settings."""
    settings = TrainingSettings(task=TaskSettings(options.task))
    files = LABEL_MAPS if options.task in (TISSUE_KIND, LESION_KIND) else SCANS
    if options.task == SEGMENTATION_KIND:
        settings = replace(settings, scans=ScanSettings(split=""))
    if options.task == MASK_KIND:
        settings = replace(settings, scans=ScanSettings(lesion_masks="lesion_masks"))
    output = Path(options.output)
    if output.exists():
        raise InputError(f"'{output}' is already there: name another file, or remove it first.")
    if options.split:
        sources = sorted({row.source for row in read_split(Path(options.split))})
        relative = os.path.relpath(options.split, output.absolute().parent)
        settings = replace(
            settings,
            scans=replace(settings.scans, split=relative),
            data=tuple(DataSource(name, kind=files) for name in sources),
        )
    if options.start:
        from ..fitting.start import card_to_start_from  # with scipy, which takes a second to load

        card = card_to_start_from(options.start, options.task)
        architecture = card["architecture"]
        if options.task == SEGMENTATION_KIND:
            settings = replace(settings, segmentation=segmentation_in(card))
        design = next((name for name, kind in SEGMENTING.items() if kind == architecture["class"]), FOLDED)
        network = NetworkSettings(tuple(architecture["channels"]), tuple(architecture["blocks"]), design)
        # the shipped weights are close already: short and gentle
        task = replace(settings.task, learning_rate=5e-4, warmup=50)
        settings = replace(settings, network=network, task=task, fit=replace(settings.fit, start=options.start, steps=1500))
    with file_written_whole(output, alone=True) as path:
        path.write_text(written(settings), encoding="utf-8")
    print(f"Settings: {output}")
    return 0
