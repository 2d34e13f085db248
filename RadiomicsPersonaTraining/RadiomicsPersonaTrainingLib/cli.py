"""Command line: `radiomics-persona-train fit | export | evaluate`."""

from __future__ import annotations

import argparse
from pathlib import Path

from RadiomicsPersonaLib.cli import CommandParser, run_command
from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.result import RESEARCH_USE
from RadiomicsPersonaLib.scan import name_of

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
    evaluate.add_argument("data", metavar="FOLDER", help="folder with healthy/ and lesion_masks/")
    evaluate.add_argument("--model", default="auto", metavar="M")
    evaluate.add_argument("--boxes", type=int, default=4, metavar="N", help="boxes per subject and size (default 4)")
    evaluate.add_argument("--subjects", type=int, metavar="N", help="at most this many subjects per group")
    evaluate.add_argument("--seed", type=int, default=0)
    evaluate.add_argument("--output", required=True, metavar="DIR", help="tables, figures, and rows.csv, from which it resumes")
    evaluate.set_defaults(run=_evaluate)
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


def _evaluate(options) -> int:
    from RadiomicsPersonaLib.model import NetworkModel, load_model
    from RadiomicsPersonaLib.progress import ProgressBar

    from .evaluation import EvaluationPlan, evaluate, standard_rebuilders
    from .evaluation_report import write_report

    model = load_model(options.model)
    network = model if isinstance(model, NetworkModel) else None
    root = Path(options.data)
    plan = EvaluationPlan(
        rebuilders=standard_rebuilders(network),
        subjects=_test_subjects(root, network, options.subjects),
        lesion_masks=tuple(sorted((root / "lesion_masks").rglob("*.nii.gz"))),
        boxes_per_stratum=options.boxes,
        seed=options.seed,
        identity=model.provenance(),
    )
    output = Path(options.output)
    scores = evaluate(plan, output, ProgressBar())
    for path in write_report(plan, scores, output):
        if path.suffix == ".md":
            print(path.read_text(encoding="utf-8"))
    print(f"Tables and figures: {output}")
    return 0


EVALUATION_ONLY = {"IXI": "healthy/ixi_2mm_eval_only"}
"""Groups of scans that no model of this project trains on, and their folders beneath the data folder."""


def _test_subjects(root: Path, network, most: int | None) -> dict[str, tuple[Path, ...]]:
    """The subjects that the model's card says it never saw, and the scans that no model sees."""
    groups = {}
    for entry in network.card["data"] if network else []:
        files = {name_of(path): path for path in scans_in(root / entry["folder"])}
        groups[Path(entry["folder"]).name] = tuple(files[name] for name in entry["test"] if name in files)
    for group, folder in EVALUATION_ONLY.items():
        if (root / folder).is_dir():
            groups[group] = tuple(scans_in(root / folder))
    groups = {group: files[:most] for group, files in groups.items() if files}
    if not groups:
        raise InputError(f"'{root}' holds none of the test scans: give the folder that holds healthy/.")
    return groups
