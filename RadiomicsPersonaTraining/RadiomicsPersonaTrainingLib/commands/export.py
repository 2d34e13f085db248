"""`radiomics-persona-train export`: turn a checkpoint into weights with a model card."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from RadiomicsPersonaLib.commands.job import Job
from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.networks.card import read_card
from RadiomicsPersonaLib.system.stored_weights import EIGHT_BITS, HALF, SEVEN_BITS

from ..export.export import Kept, export_model, refuse_missing
from ..runs.record import read_record
from ..settings.training_settings import TrainingSettings

EXAMPLES = ("run --output my-model --licence CC-BY-4.0", "run --keep 0.5 --output my-model")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `export` may be asked."""
    parser.add_argument("checkpoint", metavar="CHECKPOINT", help="a .ckpt file, or the run's folder for the best one")
    parser.add_argument("--output", metavar="NAME", help="path of the two files without suffix (default: the settings' name)")
    parser.add_argument(
        "--licence",
        metavar="TEXT",
        help="of the weights, for the card, such as CC-BY-4.0 (default: the settings', else asked for)",
    )
    parser.add_argument(
        "--bits",
        type=int,
        choices=[HALF, EIGHT_BITS, SEVEN_BITS],
        default=HALF,
        help=f"of a weight in the file: {EIGHT_BITS} halve the file and are a little less exact, {SEVEN_BITS} make it smaller "
        f"still in an archive (default: {HALF})",
    )
    parser.add_argument(
        "--keep",
        type=float,
        default=0.0,
        metavar="SHARE",
        help="this share of the weights is the model's that the training started from, 0 to 1: what it could before fades less",
    )
    parser.add_argument("--default", action="store_true", help="let --model auto take it once it is installed")


def run(options: argparse.Namespace, job: Job) -> int:
    """Export."""
    checkpoint = Path(options.checkpoint)
    refuse_missing(checkpoint)
    licence, kept = options.licence, _kept(checkpoint, options.keep)
    if licence is None and sys.stdin.isatty():
        licence = _asked(checkpoint)
    card_file = export_model(
        checkpoint, Path(options.output) if options.output else None, options.default, licence, options.bits, kept
    )
    print(f"Exported: {card_file}")
    for note in notes_on(read_card(card_file), card_file):
        print(f"note: {note}")
    return 0


def _kept(checkpoint: Path, share: float) -> Kept | None:
    """What is kept of the model that the training started from."""
    if not 0 <= share < 1:
        raise InputError(f"--keep is {share:g}: give a share from 0 to below 1.")
    if share == 0:
        return None
    settings = _settings_of(checkpoint)
    if not settings.fit.start:
        raise InputError("--keep needs a training that started from a model; this one started from fresh weights.")
    from ..fitting.run_setup import starting_network  # with MONAI, which an export need not wait for

    return Kept(share, starting_network(settings).state_dict())


def _settings_of(checkpoint: Path) -> TrainingSettings:
    """The settings of the run that a checkpoint, or the run's folder, belongs to."""
    return read_record(checkpoint if checkpoint.is_dir() else checkpoint.parent).settings


def _asked(checkpoint: Path) -> str | None:
    """The licence as a person at a terminal says it, where the run's settings say none."""
    if _settings_of(checkpoint).model.licence:
        return None
    return input("Licence of the weights, such as CC-BY-4.0 (empty: none is stated): ").strip() or None


def notes_on(card: dict, file: Path) -> list[str]:
    """What whoever exports a model should know that its card does not say; a sentence each."""
    notes = [f"The weights are those after {card['training']['best_after_steps']} steps."]
    if not card["licence"]:
        notes.append("The card states no licence, so nobody else may use the weights: export again with --licence.")
    if "evaluation" not in card:
        measure = f"radiomics-persona-train evaluate DATA --model {file} --card --output DIR"
        notes.append(f"It was never measured on scans that it has not seen: `{measure}` does so, and fills the card.")
    return notes
