"""`radiomics-persona-train export`: turn a checkpoint into weights with a model card."""

from __future__ import annotations

import argparse
from pathlib import Path

from RadiomicsPersonaLib.commands.job import Job

from ..export.export import export_model


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `export` may be asked."""
    parser.add_argument("checkpoint", metavar="CHECKPOINT", help="a .ckpt file, or the run's folder for the best one")
    parser.add_argument("--output", metavar="NAME", help="path of the two files without suffix (default: the settings' name)")
    parser.add_argument("--default", action="store_true", help="let --model auto take it once it is installed")


def run(options: argparse.Namespace, job: Job) -> int:
    """Export."""
    card = export_model(Path(options.checkpoint), Path(options.output) if options.output else None, options.default)
    print(f"Exported: {card}")
    return 0
