"""Calibration command: `radiomics-persona-train calibrate`."""

from __future__ import annotations

import argparse
from pathlib import Path

from RadiomicsPersonaLib.errors import InputError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("places", nargs="+", metavar="FOLDER", help="folder with healthy scans, one per subject")
    parser.add_argument("--lesion-masks", required=True, metavar="FOLDER", help="binary masks of real lesions, whose shapes are painted")
    parser.add_argument("--model", default="auto", metavar="M", help="what rebuilds (default auto)")
    parser.add_argument("--subjects", type=int, metavar="N", help="at most this many subjects per folder")
    parser.add_argument("--drawn", type=int, default=4, metavar="N", help="boxes to draw in every scan (default 4)")
    parser.add_argument("--name", default="healthy-or-not", help="the classifier's name (default healthy-or-not)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", required=True, metavar="FILE.json")


def run(options: argparse.Namespace) -> int:
    """Fit a classifier as the arguments say and write its file."""
    from RadiomicsPersonaLib.classifier import written
    from RadiomicsPersonaLib.model import NetworkModel, load_model
    from RadiomicsPersonaLib.output import file_written_whole
    from RadiomicsPersonaLib.progress import ProgressBar

    from .calibration import calibrate
    from .lesion_shapes import training_shapes
    from .source_table import refuse_unless_fittable

    if options.subjects is not None and options.subjects < 1:
        raise InputError("--subjects must be at least 1.")
    if options.drawn < 1:
        raise InputError("--drawn must be at least 1.")
    if options.seed < 0:
        raise InputError(f"The seed is {options.seed}: give 0 or a positive whole number.")
    places, masks = [Path(place) for place in options.places], Path(options.lesion_masks)
    for folder in (*places, masks):
        if not folder.is_dir():
            raise InputError(f"There is no folder '{folder}': check the path.")
        refuse_unless_fittable(folder)
    shapes = training_shapes(masks)
    if not shapes:
        raise InputError(f"'{masks}' holds no lesion masks to paint with: give a folder with .nii.gz masks.")
    model = load_model(options.model)
    card = model.card if isinstance(model, NetworkModel) else None
    files = [file for place in places for file in _files(place, card)[: options.subjects]]
    output = Path(options.output)
    journal = output.with_name(f"{output.stem}-boxes.jsonl")
    classifier = calibrate(files, model, shapes, options.name, journal, options.seed, ProgressBar(), options.drawn)
    with file_written_whole(output) as path:
        path.write_text(written(classifier), encoding="utf-8")
    measured = classifier.about["cross_validation"]
    print(f"{measured['subjects']} subjects, {measured['boxes']} boxes, {measured['lesions']} of them with a painted lesion.")
    print(
        f"On subjects that were left out: AUROC {measured['auroc_mean_over_subjects']:.3f}, Brier score {measured['brier']:.3f}, "
        f"slope {measured['slope']:.2f}."
    )
    print(f"Classifier: {options.output}")
    return 0


def _files(folder: Path, card: dict | None) -> list[Path]:
    """The folder's scans without the model's test subjects, on whom everything is evaluated."""
    from .card_subjects import files_of, of_scans
    from .split import TEST, scans_in

    kept = {file.resolve() for entry in of_scans(card) if entry["name"] == folder.resolve().name for file in files_of(entry, TEST, folder)} if card else set()
    return [file for file in scans_in(folder) if file.resolve() not in kept]
