"""`radiomics-persona-train calibrate`: fit the verdict's classifier on boxes whose truth is known."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from RadiomicsPersonaLib.analysis.classifier import install_classifier, refuse_classifier_name, written
from RadiomicsPersonaLib.commands.command_line import seed
from RadiomicsPersonaLib.commands.job import Job
from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.lesions.painter import check_kind
from RadiomicsPersonaLib.reconstruction.reconstruction_model import NetworkModel, load_model
from RadiomicsPersonaLib.system.output import file_written_whole, place_of, refuse_unwritable

from ..amounts import in_time
from ..data.card_subjects import files_of, of_scans
from ..data.lesion_shapes import training_shapes
from ..data.source_table import refuse_unless_fittable
from ..data.split import TEST, scans_in
from ..runs.heartbeat import Alive, refuse_if_running
from ..verdict.calibration import ANY, LEAST_SUBJECTS, LOOKS, calibrate, measuring_time, subject_of_scan
from ..verdict.own_box_list import read_own_boxes
from ..verdict.own_boxes import calibrate_on_own, refuse_unmeasurable

EXAMPLES = (
    "healthy/ --kinds ms,tumour -o my-classifier.json --use",
    "--boxes boxes.csv -o my-classifier.json",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `calibrate` may be asked."""
    parser.add_argument("places", nargs="*", metavar="FOLDER", help="folder with healthy scans, one per subject")
    parser.add_argument(
        "--lesion-masks", metavar="FOLDER", help="binary masks of real lesions, whose shapes are painted into them"
    )
    parser.add_argument(
        "--kinds",
        metavar="KINDS",
        help="paint lesions of these kinds, parted by commas: fcd, ms, stroke, tumour, any (default: any)",
    )
    parser.add_argument(
        "--boxes",
        metavar="CSV",
        help="instead of both, boxes of your own: a table with the columns subject, scan, truth (healthy or pathological) and "
        "box",
    )
    parser.add_argument("--model", default="auto", metavar="M", help="what rebuilds (default auto)")
    parser.add_argument("--subjects", type=int, metavar="N", help="at most this many subjects per folder")
    parser.add_argument(
        "--looks",
        type=int,
        default=LOOKS,
        metavar="N",
        help=f"times every scan is looked at, from the second on as in another contrast (default {LOOKS})",
    )
    parser.add_argument("--name", default="healthy-or-not", help="the classifier's name (default healthy-or-not)")
    parser.add_argument("--seed", type=seed, default=0, metavar="N", help="of the places and the lesions (default 0)")
    parser.add_argument(
        "--use", action="store_true", help="put it among your own classifiers, from which the analysis takes it by its name"
    )
    parser.add_argument(
        "--estimate",
        action="store_true",
        help="with painted lesions: only measure one scan, which is kept, and say how long all will take",
    )
    parser.add_argument("--output", required=True, metavar="FILE.json", help="the classifier")


def run(options: argparse.Namespace, job: Job) -> int:
    """Fit a classifier as the arguments say and write its file."""

    if options.subjects is not None and options.subjects < 1:
        raise InputError("--subjects must be at least 1.")
    if options.looks < 1:
        raise InputError("--looks must be at least 1.")
    if options.boxes and options.kinds:
        raise InputError("--kinds is for painted lesions: leave it out with --boxes.")
    if bool(options.boxes) == bool(options.places or options.lesion_masks):
        raise InputError("Give either --boxes with boxes of your own, or a folder with healthy scans and --lesion-masks.")
    if options.use:
        refuse_classifier_name(options.name)
    if not options.output.lower().endswith(".json"):
        raise InputError(f"The classifier '{options.output}' must end in .json: name such a file.")
    output = place_of(options.output)
    journal = output.with_name(f"{output.stem}-boxes.jsonl")
    # an estimate is no run to those who look for one, but it writes the same journal
    base, estimating = (output.with_name(f"{output.stem}-{name}") for name in ("alive", "estimate"))
    if options.estimate and options.boxes:
        raise InputError("--estimate is for painted lesions: leave it out with --boxes.")
    refuse_unwritable(output)
    for at_work in (base, estimating):
        refuse_if_running(at_work)
    fit = _on_own_boxes(options, journal) if options.boxes else _on_painted(options, journal)
    if options.estimate:
        with _nothing_left(journal, estimating), Alive(estimating, "estimate", job.progress) as alive:
            print(fit(alive.progress))
        return 0
    with _nothing_left(journal, base), Alive(base, "calibrate", job.progress) as alive:
        classifier = fit(alive.progress)
        with file_written_whole(output) as path:
            path.write_text(written(classifier), encoding="utf-8")
    measured, sick = classifier.about["cross_validation"], "pathological" if options.boxes else "with a painted lesion"
    subjects = "1 subject" if measured["subjects"] == 1 else f"{measured['subjects']} subjects"
    print(f"{subjects}, {measured['boxes']} boxes, {measured['lesions']} of them {sick}.")
    print(
        f"On subjects that were left out: AUROC {measured['auroc_mean_over_subjects']:.3f}, Brier score "
        f"{measured['brier']:.3f}, slope {measured['slope']:.2f}."
    )
    print(f"Classifier: {options.output}")
    if options.use:
        install_classifier(output, options.name)
        print(f"The analysis takes it with --classifier {options.name}.")
    return 0


@contextmanager
def _nothing_left(journal: Path, base: Path) -> Iterator[None]:
    """Remove what a first call begun beside its output, where it is refused before anything was measured."""
    begun = [journal, *(base.with_name(f"{base.name}.{ending}") for ending in ("json", "lock"))]
    first = not any(file.exists() for file in begun)
    try:
        yield
    except InputError:
        if first and not (journal.is_file() and len(journal.read_bytes().splitlines()) > 1):  # more than its head
            for file in begun:
                file.unlink(missing_ok=True)
        raise


def _on_painted(options: argparse.Namespace, journal: Path):
    """What gives the classifier fitted on healthy scans with painted lesions, or a sentence on how long that takes,
    as progress is told.
    """

    if not options.places or not options.lesion_masks:
        raise InputError("Painted lesions need both a folder with healthy scans and --lesion-masks: give the other one too.")
    kinds = tuple(name.strip() for name in options.kinds.split(",")) if options.kinds else ()
    for kind in kinds:
        if kind != ANY:
            check_kind(kind)
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

    _refuse_one_subject_twice(files)
    if len(files) < LEAST_SUBJECTS and not options.estimate:
        count = "is only 1 healthy scan" if len(files) == 1 else f"are only {len(files)} healthy scans"
        raise InputError(f"There {count}, and at least {LEAST_SUBJECTS} subjects are needed: add scans of others.")

    def told(progress) -> str:
        left, seconds = measuring_time(files, model, shapes, journal, options.seed, progress, options.looks, kinds)
        return f"{len(files)} scans, of which {left} are left to measure: about {in_time(seconds)} on this machine."

    def fitted(progress):
        return calibrate(files, model, shapes, options.name, journal, options.seed, progress, options.looks, kinds)

    return told if options.estimate else fitted


def _refuse_one_subject_twice(files: list[Path]) -> None:
    seen: dict[str, Path] = {}
    for file in files:
        first = seen.setdefault(subject_of_scan(file), file)
        if first is not file:
            remedy = "name every folder once" if first.resolve() == file.resolve() else "rename one of them, or its folder"
            raise InputError(f"'{first}' and '{file}' would be the same subject: {remedy}.")


def _on_own_boxes(options: argparse.Namespace, journal: Path):
    """What gives the classifier fitted on a site's own boxes, as progress is told."""

    boxes, model = read_own_boxes(Path(options.boxes)), load_model(options.model)
    refuse_unmeasurable(boxes)
    return lambda progress: calibrate_on_own(boxes, model, options.name, journal, options.seed, progress)


def _files(folder: Path, card: dict | None) -> list[Path]:
    """The folder's scans without the model's test subjects, on whom everything is evaluated."""
    kept = (
        {
            file.resolve()
            for entry in of_scans(card)
            if entry["name"] == folder.resolve().name
            for file in files_of(entry, TEST, folder)
        }
        if card
        else set()
    )
    return [file for file in scans_in(folder) if file.resolve() not in kept]
