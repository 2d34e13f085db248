"""`radiomics-persona-train models`: what is installed, and models as files."""

from __future__ import annotations

import argparse
from pathlib import Path

from RadiomicsPersonaLib.commands import models as shared
from RadiomicsPersonaLib.commands.job import Job
from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.networks.card import read_card

from ..export.model_archive import install_archive, installed_models, remove_model, write_archive
from ..lesion_masks.mask_model import mask_model_cards

EXAMPLES = (
    "",
    "--install my-model.zip",
    "--archive my-model --output my-model.zip",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `models` may be asked."""
    parser.add_argument("--install", metavar="FILE.zip", help="install a model that --archive has written")
    parser.add_argument("--archive", metavar="NAME", help="put a model, weights and card, into one file")
    parser.add_argument("--remove", metavar="NAME", help="delete a model of your own")
    parser.add_argument("--output", metavar="FILE.zip", help="of --archive (default: NAME.zip)")


def run(options: argparse.Namespace, job: Job) -> int:
    """List, install, archive or remove."""
    if sum(map(bool, (options.install, options.archive, options.remove))) > 1:
        raise InputError("--install, --archive and --remove are three commands: give one of them.")
    if options.install:
        print(f"Installed: {install_archive(Path(options.install))}")
        return 0
    if options.remove:
        print(f"Removed: {remove_model(options.remove)} bytes are free again.")
        return 0
    if options.archive:
        files = {model.name: model.file for model in installed_models()}
        if options.archive not in files:
            raise InputError(f"There is no model '{options.archive}': choose one of {', '.join(files)}.")
        target = Path(options.output or f"{options.archive}.zip")
        write_archive(files[options.archive], target)
        print(f"Written: {target}")
        return 0
    shared.run(argparse.Namespace(json=False), job)
    for name, file in mask_model_cards().items():
        print(f"{name:<17} draws lesion masks: {read_card(file).get('description', '')}")
    return 0
