"""`radiomics-persona-train pack`: put settings and scans into one file for a machine with a GPU."""

from __future__ import annotations

import argparse
from pathlib import Path

from RadiomicsPersonaLib.commands.job import Job

from ..data.training_scans import lesion_masks_of, split_of
from ..export.packing import pack
from ..settings.training_settings import read_settings

EXAMPLES = ("settings.toml -o pack.tar.xz --small",)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `pack` may be asked."""
    parser.add_argument("settings", metavar="SETTINGS.toml", help="of the training, as init writes them")
    parser.add_argument("--data", metavar="FOLDER", help="where the split's relative files lie (default: beside the split)")
    parser.add_argument(
        "--output", required=True, metavar="PACK.tar.xz", help="unpack it with tar and fit the settings.toml in it"
    )
    parser.add_argument(
        "--largest",
        type=float,
        default=64.0,
        metavar="MIB",
        help="refuse to write more (default 64)",
        head="what is made",
    )
    parser.add_argument(
        "--small",
        action="store_true",
        help="store scans in 256 steps of brightness; about half the room where they have many more",
    )


def run(options: argparse.Namespace, job: Job) -> int:
    """Pack."""
    file = Path(options.settings)
    settings = read_settings(file)
    root = Path(options.data) if options.data else None
    rows = split_of(settings, file, root)
    size = pack(
        settings,
        rows,
        lesion_masks_of(settings, file, root),
        Path(options.output),
        options.largest,
        not options.small,
        job.progress,
    )
    print(f"Packed: {options.output} ({size / 2**20:.1f} MiB)")
    return 0
