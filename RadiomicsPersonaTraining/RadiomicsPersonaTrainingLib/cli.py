"""Command line: `radiomics-persona-train split | init | fit | compare | pack | evaluate | calibrate | evaluate-verdict | synthesize |
evaluate-masks | predict | export | models`."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

from RadiomicsPersonaLib.card import LESION_KIND, MASK_KIND, RECONSTRUCTION_KIND, SEGMENTATION_KIND, TISSUE_KIND, read_card
from RadiomicsPersonaLib.cli import CommandParser, run_command
from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.result import RESEARCH_USE

from . import calibration_command, evaluation_command, mask_command, synthesize_command, trial_command, verdict_command


def main(arguments: list[str] | None = None) -> int:
    """Run one command; see `RadiomicsPersonaLib.cli.run_command`."""
    given = sys.argv[1:] if arguments is None else arguments
    kept = "nothing was written" if given[:1] == ["synthesize"] else "what was finished is kept; a run goes on with --resume"
    return run_command(_parser(), given, kept)


def _parser() -> argparse.ArgumentParser:
    parser = CommandParser(
        prog="radiomics-persona-train", description=f"Train, measure and export models of healthy tissue. {RESEARCH_USE}"
    )
    commands = parser.add_subparsers(dest="command", metavar="init|split|fit|compare|pack|evaluate|calibrate|evaluate-verdict|synthesize|evaluate-masks|predict|export|models", required=True)

    split = commands.add_parser("split", help="part scans by subject into training, validation and test")
    split.add_argument(
        "places", nargs="+", metavar="FOLDER", help="folder with .nii.gz scans, or a CSV file with the columns subject and file"
    )
    split.add_argument("--output", default="split.csv", metavar="CSV", help="default split.csv")
    split.add_argument("--validation", type=float, default=0.1, metavar="SHARE", help="default 0.1")
    split.add_argument("--test", type=float, default=0.1, metavar="SHARE", help="default 0.1")
    split.add_argument("--seed", type=int, default=0)
    split.add_argument("--settings", metavar="SETTINGS.toml", help="of a segmentation: list its label maps, called as the settings say")
    split.set_defaults(run=_split)

    init = commands.add_parser("init", help="write a settings file in which every key is explained")
    init.add_argument("output", metavar="SETTINGS.toml")
    init.add_argument("--split", metavar="CSV", help="a split, whose collections are entered")
    init.add_argument("--task", choices=(RECONSTRUCTION_KIND, TISSUE_KIND, LESION_KIND, SEGMENTATION_KIND, MASK_KIND), default=RECONSTRUCTION_KIND, help="what is trained (default reconstruction)")
    init.add_argument("--start", default="", metavar="M", help="weights to begin with: auto for the shipped model (fine-tuning)")
    init.set_defaults(run=_init)

    fit = commands.add_parser("fit", help="train a model as a settings file says")
    fit.add_argument("settings", metavar="SETTINGS.toml")
    fit.add_argument("--output", required=True, metavar="RUN", help="folder for checkpoints, log and pictures")
    fit.add_argument("--data", metavar="FOLDER", help="where the split's relative files lie (default: beside the split)")
    fit.add_argument("--cache", metavar="FOLDER", help="prepared scans (default: cache/ beside RUN)")
    fit.add_argument("--resume", action="store_true", help="go on from the end of the last epoch")
    fit.add_argument("--minutes", type=float, metavar="N", help="stop after this time, ready to go on")
    fit.add_argument("--devices", type=int, default=1, metavar="N", help="GPUs, or processes on a CPU (default 1)")
    fit.add_argument("--nodes", type=int, default=1, metavar="N", help="machines (default 1)")
    fit.add_argument("--estimate", action="store_true", help="only say how much disk space and time it will take")
    fit.set_defaults(run=_fit)

    compare = commands.add_parser("compare", help="fit variations of one training on the same steps, and measure them in the same holes")
    trial_command.add_arguments(compare)
    compare.set_defaults(run=trial_command.run)

    pack = commands.add_parser("pack", help="put settings and scans into one file for a machine with a GPU")
    pack.add_argument("settings", metavar="SETTINGS.toml")
    pack.add_argument("--data", metavar="FOLDER", help="where the split's relative files lie (default: beside the split)")
    pack.add_argument("--output", required=True, metavar="PACK.tar.xz", help="unpack it with tar and fit the settings.toml in it")
    pack.add_argument("--largest", type=float, default=64.0, metavar="MIB", help="refuse to write more (default 64)")
    pack.add_argument("--small", action="store_true", help="store scans in 256 steps of brightness; about half the room where they have many more")
    pack.set_defaults(run=_pack)

    evaluate = commands.add_parser("evaluate", help="measure how well models rebuild healthy tissue")
    evaluation_command.add_arguments(evaluate)
    evaluate.set_defaults(run=evaluation_command.run)

    calibrate = commands.add_parser("calibrate", help="fit the verdict's classifier on boxes whose truth is known")
    calibration_command.add_arguments(calibrate)
    calibrate.set_defaults(run=calibration_command.run)

    verdict = commands.add_parser("evaluate-verdict", help="measure what the verdict is worth, on patients and healthy people")
    verdict_command.add_arguments(verdict)
    verdict.set_defaults(run=verdict_command.run)

    synthesize = commands.add_parser("synthesize", help="paint lesions into healthy scans, with their masks")
    synthesize_command.add_arguments(synthesize)
    synthesize.set_defaults(run=synthesize_command.run)

    masks = commands.add_parser("evaluate-masks", help="measure how far drawn lesion masks are from real ones")
    mask_command.add_arguments(masks)
    masks.set_defaults(run=mask_command.run)

    predict = commands.add_parser("predict", help="rebuild a masked region, or segment, with a run's checkpoint, before it is exported")
    predict.add_argument("checkpoint", metavar="CHECKPOINT", help="a .ckpt file, or the run's folder for the best one")
    predict.add_argument("scans", nargs="+", metavar="SCAN", help="one; for a segmentation its contrasts")
    predict.add_argument("--mask", metavar="MASK", help="image on the scan's grid, not 0 where tissue is rebuilt; a segmentation needs none")
    predict.add_argument("--output", required=True, metavar="OUT.nii.gz")
    predict.set_defaults(run=_predict)

    export = commands.add_parser("export", help="turn a checkpoint into weights with a model card")
    export.add_argument("checkpoint", metavar="CHECKPOINT", help="a .ckpt file, or the run's folder for the best one")
    export.add_argument("--output", metavar="NAME", help="path of the two files without suffix (default: the settings' name)")
    export.add_argument("--default", action="store_true", help="let --model auto take it once it is installed")
    export.set_defaults(run=_export)

    models = commands.add_parser("models", help="list the models that are installed, install one, or put one into a file")
    models.add_argument("--install", metavar="FILE.zip", help="install a model that --archive has written")
    models.add_argument("--archive", metavar="NAME", help="put a model, weights and card, into one file")
    models.add_argument("--remove", metavar="NAME", help="delete a model of your own")
    models.add_argument("--output", metavar="FILE.zip", help="of --archive (default: NAME.zip)")
    models.set_defaults(run=_models)
    return parser


def _split(options) -> int:
    from collections import Counter

    from .split import PARTS, ListedScan, find_scans, split_subjects, write_split

    if not (0 <= options.validation < 1 and 0 <= options.test < 1 and options.validation + options.test < 1):
        raise InputError("--validation and --test are shares from 0 to 1 that leave something for training: give for example 0.1 and 0.1.")
    rows = []
    for place in map(Path, options.places):
        scans = _truths(place, Path(options.settings)) if options.settings else find_scans(place)
        parts = split_subjects([subject for subject, _ in scans], options.validation, options.test, options.seed)
        source = place.stem if place.suffix else place.resolve().name
        rows += [ListedScan(source, subject, parts[subject], file) for subject, file in scans]
        counts = Counter(parts.values())
        print(f"{source}: {len(scans)} scans of {len(parts)} subjects; " + ", ".join(f"{counts[part]} {part}" for part in PARTS))
    write_split(rows, Path(options.output))
    print(f"Split: {options.output}")
    return 0


def _truths(folder: Path, settings_file: Path) -> list[tuple[str, Path]]:
    from .segmentation_layout import truths_in
    from .settings import read_settings

    settings = read_settings(settings_file)
    if settings.task.kind != SEGMENTATION_KIND:
        raise InputError(f"'{settings_file}' trains no segmentation: leave out --settings.")
    return truths_in(folder, settings.segmentation)


def _init(options) -> int:
    import os

    from RadiomicsPersonaLib.output import file_written_whole

    from .settings import LABEL_MAPS, SCANS, DataSource, ScanSettings, TrainingSettings, written
    from .split import read_split
    from .training_task import TaskSettings

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
        settings = replace(settings, scans=replace(settings.scans, split=relative), data=tuple(DataSource(name, kind=files) for name in sources))
    if options.start:
        from .networks import FOLDED, SEGMENTING, NetworkSettings
        from .segmentation_evaluation import settings_in
        from .work import model_to_start_from

        card = model_to_start_from(options.start, options.task).card
        architecture = card["architecture"]
        if options.task == SEGMENTATION_KIND:
            settings = replace(settings, segmentation=settings_in(card))
        design = next((name for name, kind in SEGMENTING.items() if kind == architecture["class"]), FOLDED)
        network = NetworkSettings(tuple(architecture["channels"]), tuple(architecture["blocks"]), design)
        # the shipped weights are close already: short and gentle
        task = replace(settings.task, learning_rate=5e-4, warmup=50)
        settings = replace(settings, network=network, task=task, fit=replace(settings.fit, start=options.start, steps=1500))
    with file_written_whole(output) as path:
        path.write_text(written(settings), encoding="utf-8")
    print(f"Settings: {output}")
    return 0


def _fit(options) -> int:
    from RadiomicsPersonaLib.progress import ProgressBar

    from .alive import NAME, alive_in, refuse_if_running
    from .cohort import split_of
    from .run_folder import RunRecord, begin
    from .settings import read_settings

    if min(options.devices, options.nodes) < 1 or (options.minutes is not None and not options.minutes > 0):
        raise InputError("--devices, --nodes and --minutes must be above 0: correct them, or leave them out.")
    file, output = Path(options.settings), Path(options.output)
    settings = read_settings(file)
    root = Path(options.data) if options.data else None
    rows = split_of(settings, file, root)
    cache = Path(options.cache) if options.cache else output.parent / "cache"
    masks = _lesion_masks(settings, file, root)
    if options.estimate:
        from .estimate import estimate

        print(estimate(settings, rows, masks, cache, ProgressBar()).sentence)
        return 0
    refuse_if_running(output / NAME)
    begin(output, RunRecord(settings, tuple(rows)), options.resume)
    with alive_in(output / NAME, "fit", ProgressBar()) as alive:
        from .work import work_of  # slow to import

        work = work_of(settings, rows, masks, cache, lambda done, total, scan: alive.progress(done, total, f"preparing {scan}"))
        for sentence in work.told:
            print(sentence, flush=True)

        from .fit_callbacks import StepsTold
        from .fitting import fit

        told = StepsTold(settings.fit.epochs, settings.fit.validate_every, alive.progress)
        best = fit(work, settings.fit, output, options.resume, options.devices, options.nodes, options.minutes, (told,))
    print(f"Best checkpoint: {best}")
    return 0


def _pack(options) -> int:
    from RadiomicsPersonaLib.progress import ProgressBar

    from .cohort import split_of
    from .packing import pack
    from .settings import read_settings

    file = Path(options.settings)
    settings = read_settings(file)
    root = Path(options.data) if options.data else None
    rows = split_of(settings, file, root)
    size = pack(settings, rows, _lesion_masks(settings, file, root), Path(options.output), options.largest, not options.small, ProgressBar())
    print(f"Packed: {options.output} ({size / 2**20:.1f} MiB)")
    return 0


def _lesion_masks(settings, file: Path, root: Path | None) -> Path | None:
    return (root or file.parent) / settings.scans.lesion_masks if settings.scans.lesion_masks else None


def _predict(options) -> int:
    import tempfile

    from RadiomicsPersonaLib.card import kind_of, read_card
    from RadiomicsPersonaLib.cli import main as analysis

    from .export import export_model

    with tempfile.TemporaryDirectory() as folder:
        card = export_model(Path(options.checkpoint), Path(folder) / "checkpoint")
        model = ["--model", str(card), "--output", options.output]
        if kind_of(read_card(card)) == SEGMENTATION_KIND:
            return analysis(["segment", *options.scans, *model])
        if options.mask is None or len(options.scans) > 1:
            raise InputError("A model that rebuilds needs one scan, and --mask with what is to be rebuilt: give both.")
        return analysis(["inpaint", *options.scans, "--mask", options.mask, *model])


def _export(options) -> int:
    from .export import export_model

    card = export_model(Path(options.checkpoint), Path(options.output) if options.output else None, options.default)
    print(f"Exported: {card}")
    return 0


def parse(arguments: list[str]) -> argparse.Namespace:
    """The options that a command's arguments stand for.

    Raises:
        InputError: they cannot be understood.
    """
    return _parser().parse_args(arguments)


def _models(options) -> int:
    from RadiomicsPersonaLib.cli import main as analysis

    from .mask_model import mask_model_cards
    from .model_archive import install_archive, installed_models, remove_model, write_archive

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
    code = analysis(["models"])
    for name, file in mask_model_cards().items():
        print(f"{name:<17} draws lesion masks: {read_card(file).get('description', '')}")
    return code
