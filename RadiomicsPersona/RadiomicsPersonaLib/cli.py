"""Command line: `radiomics-persona analyze | report | inpaint | segment | mesh | follow | regress | cohort | paint | sensitivity | models`."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from pathlib import Path

import numpy as np

from . import __version__
from .cohort_command import add_cohort
from .defaults import CLASSICAL, USUAL_CONTROLS, USUAL_THRESHOLDS
from .device import NO_MEMORY, ran_out_of_memory
from .errors import InputError
from .follow_command import add_follow
from .mesh_command import add_mesh
from .paint_command import add_paint
from .regress_command import add_regress
from .result import RESEARCH_USE
from .segment_command import add_segment
from .sensitivity_command import add_sensitivity

EXIT_BAD_INPUT = 2
EXIT_CANCELLED = 130


class CommandParser(argparse.ArgumentParser):
    """Says what is wrong in one line; `--help` tells the rest.

    Attributes:
        commands: the parsers of the subcommands by name.
    """

    commands: dict[str, argparse.ArgumentParser] = {}

    def error(self, message: str):
        raise InputError(f"{message}; see {self.prog} --help.")


def main(arguments: list[str] | None = None) -> int:
    """Run one command; see `run_command`."""
    return run_command(_parser(), _join_negative_boxes(sys.argv[1:] if arguments is None else arguments), "nothing was written")


def parse(arguments: list[str]) -> argparse.Namespace:
    """The options that a command's arguments stand for.

    Raises:
        InputError: they cannot be understood.
    """
    return _parser().parse_args(_join_negative_boxes(arguments))


def parser_of(command: str) -> argparse.ArgumentParser | None:
    """A subcommand's own parser; None where there is no such command."""
    return _parser().commands.get(command)


def run_command(parser: argparse.ArgumentParser, arguments: list[str] | None, after_cancel: str) -> int:
    """Run what the arguments ask for.

    Args:
        arguments: without the program's name; None takes the process's own.
        after_cancel: what the user is told, after Ctrl-C, about what is left.
    Returns:
        0 when done; 2, with one sentence on standard error, when the input cannot be used or memory does not suffice; 130
        when cancelled.
    """
    try:
        options = parser.parse_args(arguments)
        return options.run(options)
    except InputError as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return EXIT_BAD_INPUT
    except (MemoryError, RuntimeError, OSError) as error:
        if not ran_out_of_memory(error):
            raise
        print(f"{parser.prog}: {NO_MEMORY}", file=sys.stderr)
        return EXIT_BAD_INPUT
    except KeyboardInterrupt:
        print(f"{parser.prog}: cancelled; {after_cancel}.", file=sys.stderr)
        return EXIT_CANCELLED


def _join_negative_boxes(arguments: list[str]) -> list[str]:
    """`--box -10,20,...` as `--box=-10,20,...`: argparse would take the minus for an option; and for commands that run others, what
    stands behind a lone -- as their --options."""
    joined, rest = [], list(arguments)
    if rest[:1] in (["follow"], ["cohort"]) and "--" in rest:
        place = rest.index("--")
        rest[place:] = [f"--options={shlex.join(rest[place + 1 :])}"]
    while rest:
        word = rest.pop(0)
        if word in ("--box", "--place", "--threshold") and rest and rest[0].startswith("-") and rest[0][1:2] in set("0123456789.,nNiI"):
            word = f"{word}={rest.pop(0)}"
        joined.append(word)
    return joined


def _parser() -> argparse.ArgumentParser:
    parser = CommandParser(
        prog="radiomics-persona",
        description=f"Rebuild what a region of a brain MRI would look like if it were healthy, and judge it. {RESEARCH_USE}",
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", metavar="analyze|report|inpaint|segment|mesh|follow|regress|cohort|paint|sensitivity|models", required=True)

    analyze = commands.add_parser("analyze", help="rebuild, compare and judge boxes in a scan")
    analyze.add_argument("scan", metavar="SCAN", help="NIfTI, NRRD, MetaImage or MGZ file, or a folder with one DICOM series")
    analyze.add_argument(
        "--box", action="append", default=[], metavar="R,A,S,X,Y,Z", help="centre and sizes in RAS mm; may be repeated"
    )
    analyze.add_argument("--boxes", action="append", default=[], metavar="FILE", help="boxes of a Slicer .mrk.json; may be repeated")
    analyze.add_argument(
        "--labels", metavar="FILE", help="a label map: a box around each connected part of each label"
    )
    analyze.add_argument(
        "--segment-with", metavar="M", help="a box around the largest part of what this model of `segment` finds; the rest of a lesion is never used as healthy"
    )  # fmt: skip
    analyze.add_argument("--segment", metavar="NAME", help="with --segment-with: only this of the model's segments (default all together)")
    analyze.add_argument(
        "--contrast", action="append", default=[], metavar="NAME=FILE",
        help="with --segment-with: what else the model needs to see of the head, or what SCAN is, as in flair=SCAN; may be repeated",
    )  # fmt: skip
    analyze.add_argument("--exclude", metavar="MASK", help="image on the scan's grid; voxels other than 0 are never used as healthy")
    analyze.add_argument("--controls", type=int, default=USUAL_CONTROLS, metavar="N", help=f"healthy boxes per box (default {USUAL_CONTROLS})")
    analyze.add_argument(
        "--decision", default="p", metavar="p|classifier|METRIC",
        help="what the label rests on: p (default), the classifier's probability, or a metric's key in results.json",
    )  # fmt: skip
    analyze.add_argument("--threshold", type=float, metavar="T", help="label 1 at p <= T (default 0.05), at probability >= T (default 0.5), or at this value of the metric")
    analyze.add_argument("--classifier", metavar="FILE", help="a classifier of your own, made by `radiomics-persona-train calibrate`")
    analyze.add_argument("--stability", action="store_true", help="repeat all with boxes moved by 2 mm, sides exchanged, half a voxel off, and noise")
    analyze.add_argument("--seed", type=int, default=0, help="of the controls' places (default 0)")
    analyze.add_argument("--json", action="store_true", help="print the results as JSON")
    analyze.add_argument("--output", required=True, metavar="DIR", help="folder for the results")
    analyze.set_defaults(run=_analyze)

    report = commands.add_parser("report", help="write the report of an analysis again, as HTML and PDF")
    report.add_argument("folder", metavar="FOLDER", help="what `analyze` has written")
    report.add_argument("scan", metavar="SCAN", help="the scan that was analyzed")
    report.add_argument("--output", required=True, metavar="DIR", help="folder for report.html and report.pdf")
    report.set_defaults(run=_report)
    for command in (analyze, report):
        command.add_argument(
            "--with-name", nargs="?", const=True, metavar="TEXT",
            help="name the scan in report and scene, by its file or by a text of yours; they are anonymous without",
        )  # fmt: skip

    inpaint = commands.add_parser("inpaint", help="rebuild the voxels of a mask of any shape")
    inpaint.add_argument("scan", metavar="SCAN")
    inpaint.add_argument("--mask", required=True, metavar="MASK", help="image on the scan's grid; voxels other than 0 are rebuilt")
    inpaint.add_argument("--json", action="store_true", help="print what was done as JSON")
    inpaint.add_argument("--output", required=True, metavar="OUT.nii.gz")
    inpaint.set_defaults(run=_inpaint)

    for command in (analyze, inpaint):
        command.add_argument("--model", default="auto", metavar="M", help="a name of `radiomics-persona models` (default auto)")
        command.add_argument("--device", default="auto", metavar="auto|cpu|cuda|mps", help="where the network runs")

    add_segment(commands)
    add_mesh(commands)
    add_follow(commands)
    add_cohort(commands)
    add_regress(commands)
    add_paint(commands)
    add_sensitivity(commands)

    models = commands.add_parser("models", help="list the models")
    models.add_argument("--json", action="store_true", help="print the cards as JSON")
    models.set_defaults(run=_models)
    parser.commands = dict(commands.choices)
    return parser


def _analyze(options) -> int:
    from .cache import Cache
    from .progress import ProgressBar
    from .table import results_of

    analysis = analyze_into_folder(options, Cache(), ProgressBar(quiet=options.json))
    if options.json:
        print(json.dumps(results_of(analysis), ensure_ascii=False))
    else:
        _print_table(analysis, Path(options.output))
    return 0


def analyze_into_folder(options: argparse.Namespace, cache, progress, write=None):
    """Do what `analyze` was asked for and write all of its files, or none.

    Args:
        options: of the command `analyze`.
        cache: the `Cache` of this process.
        progress: called with (done, total, what) as rebuilt boxes accumulate; may raise to cancel.
        write: called with the `Analysis`, the folder, and with --segment-with the `Segmentation` and what is told of it; by default writes the
            files of the command line.
    Returns:
        the `Analysis`.
    Raises:
        InputError: an input cannot be used.
    """
    from .analysis import analyze
    from .classifier import load_classifier
    from .output import folder_written_whole
    from .stability import with_stability
    from .verdict import Decision

    if options.decision not in USUAL_THRESHOLDS and options.threshold is None:
        raise InputError(f"--decision {options.decision} needs --threshold with the metric's value.")
    decision = Decision(options.decision, USUAL_THRESHOLDS.get(options.decision) if options.threshold is None else options.threshold)
    classifier = load_classifier(options.classifier)
    if options.seed < 0:
        raise InputError(f"The seed is {options.seed}: give 0 or a positive whole number.")
    boxes = _boxes(options)
    scan, sha256 = cache.scan(options.scan)
    exclude = _mask_on(scan, options.exclude) if options.exclude else None
    if options.labels:
        boxes += _label_boxes(scan, options.labels)
    segmented = ()
    with folder_written_whole(options.output) as folder:
        if options.segment_with:
            segmented, box, found = _segmented(options, scan, cache, progress)
            boxes.append(box)
            exclude = found if exclude is None else exclude | found
        model = cache.model(options.model, options.device)
        analysis = analyze(
            scan, boxes, model, options.controls, decision, options.seed, exclude, progress, classifier, cache.prepare
        )
        if options.stability:
            analysis = with_stability(
                analysis,
                lambda change: analyze(
                    change.scan, change.boxes, model, options.controls, decision, options.seed, change.exclude, None, classifier
                ),
                exclude,
                options.seed,
                progress,
            )
        analysis.provenance["scan_sha256"] = sha256
        analysis.provenance["command"] = _command(options)
        if segmented:
            analysis = _with_segmentation(analysis, *segmented)
        cache.tell("Writing the results")
        if write:
            write(analysis, folder, *segmented)
        else:
            _write_all(analysis, folder, _name_in_report(options, scan), *segmented)
    return analysis


def _segmented(options, scan, cache, progress):
    """What the model of --segment-with finds, with what is told of it; the box around it; the voxels that are no healthy tissue."""
    from .segment_box import box_around, pathology
    from .segmenting import load_segmenting, segment_files

    model = load_segmenting(options.segment_with, options.device)
    # the analyzed scan comes first, since the result is on the first one's grid
    said = [text for text in options.contrast if text.partition("=")[2] == options.scan]
    files = said[:1] or [options.scan]
    files += [text for text in options.contrast if text not in said]
    read = dict.fromkeys((options.scan, *files[:1]), scan)
    found, told = segment_files(files, model, False, progress, read, lambda scan: cache.prepare(scan, []))
    return (found, told), box_around(found, model.name, options.segment), pathology(found)


def _with_segmentation(analysis, found, told: dict):
    """The analysis with a record of the segmentation that its last box lies around, and a sentence about it."""
    from dataclasses import replace

    analysis.provenance["segmentation"] = told
    parts = " and ".join(f"{entry['ml']:.1f} ml of {entry['name']}" for entry in told["classes"])
    name, model = analysis.boxes[-1].box.name, told["model"]["name"]
    note = f"Box '{name}' lies around the largest part of what {model} found, {parts} in all; look whether it is in place."
    return replace(analysis, warnings=(*analysis.warnings, note))


def _boxes(options) -> list:
    from .box import parse_box
    from .markups import read_boxes

    segments = getattr(options, "segment_with", None)
    if not (options.box or options.boxes or options.labels or segments):
        raise InputError("There is no box: give --box R,A,S,X,Y,Z, --boxes FILE.mrk.json or --labels FILE.")
    if not segments and (getattr(options, "segment", None) or getattr(options, "contrast", None)):
        raise InputError("--segment and --contrast go with --segment-with: name the model that segments.")
    boxes = [parse_box(text, f"box {number}") for number, text in enumerate(options.box, 1)]
    for file in options.boxes:
        boxes += read_boxes(file)
    return boxes


def boxes_of(options, scan) -> list:
    """All boxes that the options name, those around the labels of a map too.

    Raises:
        InputError: there is none, or one cannot be used.
    """
    return _boxes(options) + (_label_boxes(scan, options.labels) if options.labels else [])


def _label_boxes(scan, path: str) -> list:
    from .markups import boxes_from_label_map
    from .scan import read_scan

    labels = read_scan(path)
    return boxes_from_label_map(labels.array, labels.affine)


def _mask_on(scan, path: str) -> np.ndarray:
    """A mask file as a boolean array, refused when it is on another grid than the scan."""
    from .same_grid import share_grid
    from .scan import read_scan

    mask = read_scan(path)
    if not share_grid(scan, mask):
        raise InputError(
            f"The mask '{Path(path).name}' is on another grid than the scan ({_shape(mask)} against {_shape(scan)} voxels, "
            f"or another position): resample it onto the scan."
        )
    return mask.array != 0


def _shape(scan) -> str:
    return " x ".join(map(str, scan.shape))


def _name_in_report(options, scan) -> str | None:
    """What the report calls the scan; None for an anonymous one."""
    return scan.name if options.with_name is True else options.with_name


def _write_all(analysis, folder: Path, name: str | None, found=None, told=None) -> None:
    from .markups import write_boxes
    from .picture import picture_of
    from .scan import write_nifti
    from .scene import write_scene
    from .table import write_results_csv, write_results_json

    write_results_json(analysis, folder / "results.json")
    write_results_csv(analysis, folder / "results.csv")
    write_nifti(folder / "reconstruction.nii.gz", analysis.reconstruction, analysis.scan.affine)
    write_nifti(folder / "difference.nii.gz", analysis.difference, analysis.scan.affine)
    write_nifti(folder / "deviation_p.nii.gz", analysis.deviation_p, analysis.scan.affine)
    if found:
        write_nifti(folder / "segmentation.nii.gz", found.labels, found.affine)
    write_boxes(folder / "controls.mrk.json", [control.box for result in analysis.boxes for control in result.controls])
    picture_of(analysis, name).save(folder / "report.png")
    _write_reports(analysis, folder, name)
    write_scene(analysis, folder / "scene.mrb", name)


def _write_reports(analysis, folder: Path, name: str | None) -> None:
    from .report import write_report
    from .report_pdf import write_report_pdf

    write_report(analysis, folder / "report.html", name)
    write_report_pdf(analysis, folder / "report.pdf", name)


def _report(options) -> int:
    from .output import folder_written_whole
    from .saved import read_analysis
    from .scan import read_scan

    scan = read_scan(options.scan)
    analysis = read_analysis(options.folder, scan)
    with folder_written_whole(options.output) as folder:
        _write_reports(analysis, folder, _name_in_report(options, scan))
    print(f"Report: {Path(options.output) / 'report.html'}, {Path(options.output) / 'report.pdf'}")
    return 0


def _print_table(analysis, folder: Path) -> None:
    print(f"{'box':<16} {'label':<14} {'p':>6} {'controls':>8} {'deviation':>10} {'SSIM':>6}")
    for result in analysis.boxes:
        p = "-" if result.p is None else f"{result.p:.3f}"
        label = f"{'-' if result.label is None else result.label} {result.word}"
        print(
            f"{result.box.name:<16} {label:<14} {p:>6} {len(result.controls):>8} "
            f"{result.metrics['deviation']:>7.2f} SD {result.metrics['ssim']:>6.2f}"
        )
    for result in analysis.boxes:
        print(f"{result.box.name}: {result.reason}")
        if result.stability:
            print(f"  {result.stability_in_words}")
        for warning in result.warnings:
            print(f"  note: {warning}")
    for warning in analysis.warnings:
        print(f"note: {warning}")
    print(analysis.rebuilt_by)
    print(f"Pictures and report: {folder / 'report.png'}, {folder / 'report.html'}, {folder / 'report.pdf'}; Slicer scene: {folder / 'scene.mrb'}")
    print(RESEARCH_USE)


def _command(options) -> str:
    """What was asked, without paths, so that a result names no folder of the user's."""
    words = ["radiomics-persona analyze", Path(options.scan).name]
    words += [f"--box {box}" for box in options.box]
    words += [f"--boxes {Path(file).name}" for file in options.boxes]
    words += [f"--labels {Path(options.labels).name}"] if options.labels else []
    words += [f"--segment-with {Path(options.segment_with).name}"] if options.segment_with else []
    words += [f"--segment {options.segment}"] if options.segment else []
    words += [f"--contrast {name}{mark}{Path(file).name}" for name, mark, file in (text.rpartition("=") for text in options.contrast)]
    words += [f"--exclude {Path(options.exclude).name}"] if options.exclude else []
    words += [f"--model {Path(options.model).name} --controls {options.controls} --decision {options.decision}"]
    words += [f"--classifier {Path(options.classifier).name}"] if options.classifier else []
    words += ["--stability"] if options.stability else []
    words += [f"--threshold {options.threshold:g}"] if options.threshold is not None else []
    return " ".join(words + [f"--seed {options.seed} --device {options.device}"])


def _inpaint(options) -> int:
    from .inpainting import inpaint
    from .model import load_model
    from .output import file_written_whole
    from .progress import ProgressBar
    from .scan import read_scan, write_nifti

    if not options.output.endswith((".nii", ".nii.gz")):
        raise InputError(f"The output '{options.output}' must end in .nii or .nii.gz.")
    scan = read_scan(options.scan)
    mask = _mask_on(scan, options.mask)
    with file_written_whole(options.output) as path:
        asked = load_model(options.model, options.device)
        rebuilt, model, warnings = inpaint(scan, mask, asked, ProgressBar(quiet=options.json))
        write_nifti(path, rebuilt, scan.affine)
    done = {"output": options.output, "voxels": int(mask.sum()), "model": model.provenance(), "warnings": list(warnings)}
    if options.json:
        print(json.dumps(done, ensure_ascii=False))
    else:
        print(f"Rebuilt {done['voxels']} voxels with {model.name}: {options.output}")
        for warning in warnings:
            print(f"note: {warning}")
    return 0


def _models(options) -> int:
    from .card import LESION_KIND, RECONSTRUCTION_KIND, SEGMENTATION_KIND, TISSUE_KIND, model_cards, read_card

    kinds = (RECONSTRUCTION_KIND, TISSUE_KIND, LESION_KIND, SEGMENTATION_KIND)
    cards, tissue, lesion, segmentation = ([read_card(path) for path in model_cards(kind).values()] for kind in kinds)
    if options.json:
        found = {"networks": cards, "classical": CLASSICAL, "tissue": tissue, "lesion": lesion, "segmentation": segmentation}
        print(json.dumps(found, ensure_ascii=False))
        return 0
    for card in cards:
        default = ", default" if card.get("default") else ""
        print(f"{card['name']:<14} network, {card.get('contrasts', '?')}{default}: {card.get('description', '')}")
    for name, description in CLASSICAL.items():
        print(f"{name:<14} classical: {description}")
    for card in tissue:
        print(f"{card['name']:<14} tissue model, finds the brain: {card.get('description', '')}")
    for card in lesion:
        print(f"{card['name']:<14} lesion model, one of the scores, segments too: {card.get('description', '')}")
    for card in segmentation:
        print(f"{card['name']:<14} segmentation model, {card.get('contrasts', '?')}: {card.get('description', '')}")
    return 0
