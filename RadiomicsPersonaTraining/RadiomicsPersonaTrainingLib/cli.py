"""Command line: `radiomics-persona-train fit | export | evaluate`."""

from __future__ import annotations

import argparse
from pathlib import Path

from RadiomicsPersonaLib.cli import CommandParser, run_command
from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.result import RESEARCH_USE

from . import evaluation_command

SCAN_PATTERNS = ("*.nii.gz", "*.nii")


def main(arguments: list[str] | None = None) -> int:
    """Run one command; see `RadiomicsPersonaLib.cli.run_command`."""
    return run_command(_parser(), arguments, "the last checkpoint is kept, go on with --resume")


def _parser() -> argparse.ArgumentParser:
    parser = CommandParser(
        prog="radiomics-persona-train", description=f"Train, export and evaluate models of healthy tissue. {RESEARCH_USE}"
    )
    commands = parser.add_subparsers(dest="command", metavar="fit|export|evaluate", required=True)
    fit = commands.add_parser("fit", help="train a model as a settings file says")
    export = commands.add_parser("export", help="turn a run's checkpoint into weights with a model card")
    for command in (fit, export):
        command.add_argument("settings", metavar="SETTINGS.toml", help="see RadiomicsPersonaTraining/Resources/healthy-t1.toml")
        command.add_argument("--data", required=True, metavar="FOLDER", help="the settings' folders are beneath it")
        command.add_argument("--output", required=True, metavar="DIR")
    fit.add_argument("--resume", action="store_true", help="go on from the run's last checkpoint")
    fit.set_defaults(run=_fit)
    export.add_argument("--run", dest="run_folder", required=True, metavar="RUN", help="the --output of fit")
    export.set_defaults(run=_export)

    evaluate = commands.add_parser("evaluate", help="measure how well models rebuild healthy tissue")
    evaluation_command.add_arguments(evaluate)
    evaluate.set_defaults(run=evaluation_command.run)
    return parser


def _fit(options) -> int:
    import numpy as np

    from .fitting import fit
    from .samples import load_healthy
    from .settings import read_settings

    settings = read_settings(options.settings)
    split = _split(settings, Path(options.data))
    output = Path(options.output)
    if (output / "last.pt").exists() and not options.resume:
        raise InputError(f"'{output}' already holds a run: go on with --resume, or name another folder.")
    training, chances, validation = [], [], []
    for source in settings.data:
        parts = split[source.folder]
        training += [load_healthy(file) for file in parts["training"]]
        chances += [source.share / len(parts["training"])] * len(parts["training"])
        validation += [load_healthy(file) for file in parts["validation"]]
    print(f"{len(training)} subjects train, {len(validation)} validate.", flush=True)
    checkpoint = fit(
        training, np.array(chances), validation, settings.fit, output, options.resume, lambda line: print(line, flush=True)
    )
    print(f"Trained: {checkpoint}")
    return 0


def _export(options) -> int:
    from .export import export_model
    from .settings import read_settings

    settings = read_settings(options.settings)
    card = export_model(Path(options.run_folder) / "last.pt", settings, _split(settings, Path(options.data)), Path(options.output))
    print(f"Exported: {card}")
    return 0


def _split(settings, root: Path) -> dict[str, dict[str, list[Path]]]:
    from .split import split_subjects

    split = {}
    for source in settings.data:
        files = scans_in(root / source.folder)
        if len(files) <= source.validation + source.test:
            raise InputError(
                f"'{root / source.folder}' holds {len(files)} scans, too few to hold out {source.validation} for validation "
                f"and {source.test} for the test: add scans or lower these numbers."
            )
        split[source.folder] = split_subjects(files, source.validation, source.test, settings.split_seed)
    return split


def scans_in(folder: Path) -> list[Path]:
    """The NIfTI files of a folder, sorted.

    Raises:
        InputError: there is no such folder, or no scan in it.
    """
    files = sorted(file for pattern in SCAN_PATTERNS for file in folder.glob(pattern))
    if not files:
        raise InputError(f"There are no NIfTI scans in '{folder}': check the path.")
    return files
