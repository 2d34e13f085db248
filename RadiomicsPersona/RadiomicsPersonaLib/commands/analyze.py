"""`radiomics-persona analyze`: rebuild, compare and judge boxes in a scan."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from ..analysis.analysis import analyze
from ..analysis.classifier import load_classifier
from ..analysis.result import Analysis, tightened
from ..analysis.stability import with_stability
from ..analysis.verdict import Decision
from ..defaults import RESEARCH_USE, USUAL_CONTROLS, USUAL_THRESHOLDS
from ..errors import InputError
from ..geometry.markups import write_boxes
from ..imaging.files import write_nifti
from ..lesions.probe import what_would_be_found
from ..report.dicom_objects import FOLDER as DICOM_FOLDER
from ..report.dicom_objects import require_dicom, write_dicom
from ..report.exchange import write_exchange
from ..report.html_report import write_report
from ..report.pdf_report import write_report_pdf
from ..report.picture import pictures_of
from ..report.results_files import (
    BLIND,
    BRAIN,
    EXPECTED_ERROR,
    UNUSUAL,
    results_of,
    write_results_csv,
    write_results_json,
)
from ..report.slicer_scene import write_scene
from ..segmentation.segmenter import box_around, load_segmenting, pathology, segment_files
from ..system.json_text import written
from ..system.names import meant, shown
from ..system.output import folder_written_whole
from .boxes import add_box_arguments, boxes_without_scan, label_boxes, mask_on
from .command_line import add_model_and_device, seed
from .job import Job
from .report import add_with_name, name_in_report

DEFAULT = "default"
OUTPUTS = {
    "json": "results.json",
    "csv": "results.csv",
    "reconstruction": "reconstruction.nii.gz",
    "difference": "difference.nii.gz",
    "deviation": "deviation_p.nii.gz",
    "error": EXPECTED_ERROR,
    "unusual": UNUSUAL,
    "brain": BRAIN,
    "segmentation": "segmentation.nii.gz, with --segment-with",
    "controls": "controls.mrk.json",
    "png": "report.png",
    "html": "report.html",
    "pdf": "report.pdf",
    "scene": "scene.mrb",
    "dicom": "dicom/",
}
"""What may be written, by the names that --outputs takes."""
EXTRA = {"dicom"}
"""What is written only where it is named."""


EXAMPLES = (
    "scan.nii.gz --box 28,-20,30,20,20,20 -o results",
    "dicom_folder --boxes R.mrk.json --controls 39 -o results",
    "scan.nii.gz --labels lesions.nii.gz --largest 5 --outputs json,csv,pdf -o results",
    "flair.nii.gz --segment-with lesion -o results",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `analyze` may be asked."""
    parser.add_argument("scan", metavar="SCAN", help="NIfTI, NRRD, MetaImage or MGZ file, or a folder with one DICOM series")
    add_box_arguments(parser)
    parser.add_argument(
        "--segment-with",
        metavar="M",
        help="a box around the largest part of what this model of `segment` finds; the rest of a lesion is never used as "
        "healthy",
    )
    parser.add_argument(
        "--segment", metavar="NAME", help="with --segment-with: only this of the model's segments (default all together)"
    )
    parser.add_argument(
        "--contrast",
        action="append",
        default=[],
        metavar="NAME=FILE",
        help="with --segment-with: what else the model needs to see of the head, or what SCAN is, as in flair=SCAN; may be "
        "repeated",
    )
    parser.add_argument(
        "--exclude", metavar="MASK", help="image on the scan's grid; voxels other than 0 are never used as healthy"
    )
    parser.add_argument(
        "--controls",
        type=int,
        default=USUAL_CONTROLS,
        metavar="N",
        help=f"control regions of the scan (default {USUAL_CONTROLS})",
    )
    parser.add_argument(
        "--decision",
        default="p",
        metavar="p|classifier|METRIC",
        help="what the label rests on: p (default), the classifier's probability, or a metric's key in results.json",
    )
    parser.add_argument(
        "--threshold",
        type=float,
        metavar="T",
        help=f"label 1 at p <= T (default {USUAL_THRESHOLDS['p']:g}), "
        f"at probability >= T (default {USUAL_THRESHOLDS['classifier']:g}), or at this value of the metric",
    )
    parser.add_argument(
        "--classifier",
        metavar="NAME|FILE",
        help="a classifier of your own, made by `radiomics-persona-train calibrate`: its name, or its file",
    )
    parser.add_argument(
        "--tighten",
        action="store_true",
        help="analyze again with every box of label 1 drawn tightly around the largest part of what is unusual in it",
    )
    parser.add_argument(
        "--one-look",
        action="store_true",
        help="show the persona that is blind to the whole box, also where only a part of it deviates; no number changes",
    )
    parser.add_argument(
        "--no-probe",
        action="store_true",
        help="do not try whether a painted lesion would have been found in a box called healthy: about a second a box",
    )
    parser.add_argument(
        "--stability",
        action="store_true",
        help="repeat all with boxes moved by 2 mm, sides exchanged, half a voxel off, and noise",
    )
    parser.add_argument("--seed", type=seed, default=0, help="of the control regions' places (default 0)")
    parser.add_argument("--json", action="store_true", help="print the results as JSON")
    parser.add_argument(
        "--outputs",
        default=DEFAULT,
        metavar="NAMES",
        help=f"write only these, parted by commas: {', '.join(OUTPUTS)}; default, which is all but dicom; dicom writes "
        "segmentation, structured report and map of deviation of a DICOM series, for a PACS",
    )
    parser.add_argument("--output", required=True, metavar="DIR", help="folder for the results")
    add_with_name(parser)
    add_model_and_device(parser)


def run(options: argparse.Namespace, job: Job) -> int:
    """Analyze, write all files, and tell the verdicts."""
    analysis = analyze_into_folder(options, job)
    job.made(analysis)
    if options.json:
        print(written(results_of(analysis)))
    else:
        _print_table(analysis, Path(options.output), outputs_of(options.outputs))
    return 0


def analyze_into_folder(options: argparse.Namespace, job: Job, write: Callable | None = None) -> Analysis:
    """Do what `analyze` was asked for and write all of its files, or none.

    Args:
        options: of the command `analyze`.
        write: called with the `Analysis`, the folder, and with --segment-with the `Segmentation` and what is told of it; by
            default writes the files of the command line, or those that Slicer reads.
    Raises:
        InputError: an input cannot be used.
    """
    if options.decision not in USUAL_THRESHOLDS and options.threshold is None:
        raise InputError(f"--decision {options.decision} needs --threshold with the metric's value.")
    decision = Decision(
        options.decision, USUAL_THRESHOLDS.get(options.decision) if options.threshold is None else options.threshold
    )
    outputs = outputs_of(options.outputs)
    if "dicom" in outputs:
        require_dicom(options.scan)
    classifier = load_classifier(options.classifier)
    boxes = boxes_without_scan(options)
    scan, sha256 = job.cache.scan(options.scan)
    exclude = mask_on(scan, options.exclude) if options.exclude else None
    told_of_labels: tuple[str, ...] = ()
    if options.labels:
        around, told_of_labels = label_boxes(options.labels, options.largest)
        boxes += around
    segmented = ()
    with folder_written_whole(options.output) as folder:
        if options.segment_with:
            segmented, box, found = _segmented(options, scan, job)
            boxes.append(box)
            exclude = found if exclude is None else exclude | found
        model = job.cache.model(options.model, options.device)

        probe = None if options.no_probe else what_would_be_found

        def analyzed(boxes: list) -> Analysis:
            asked = (options.controls, decision, options.seed, exclude, job.progress, classifier, job.cache.prepare)
            return analyze(scan, boxes, model, *asked, look_twice=not options.one_look, probe=probe)

        analysis = analyzed(boxes)
        if options.tighten:
            analysis = analyzed([tightened(result) for result in analysis.boxes])
        if options.stability:
            analysis = with_stability(
                analysis,
                lambda change: analyze(
                    change.scan,
                    change.boxes,
                    model,
                    options.controls,
                    decision,
                    options.seed,
                    change.exclude,
                    classifier=classifier,
                    look_twice=False,
                ),
                exclude,
                options.seed,
                job.progress,
            )
        analysis.provenance["scan_sha256"] = sha256
        analysis.provenance["command"] = _command(options)
        analysis = replace(analysis, warnings=(*analysis.warnings, *told_of_labels))
        if segmented:
            analysis = _with_segmentation(analysis, *segmented)
        job.tell("Writing the results")
        if write:
            write(analysis, folder, *segmented)
        elif job.for_slicer:
            write_exchange(analysis, folder, *segmented)
        else:
            write_all(analysis, folder, name_in_report(options, scan), *segmented, outputs=outputs, source=options.scan)
    return analysis


def _segmented(options, scan, job):
    """What the model of --segment-with finds, with what is told of it; the box around it;
    the voxels that are no healthy tissue.
    """
    model = load_segmenting(options.segment_with, options.device)
    # the analyzed scan comes first, since the result is on the first one's grid
    said = [text for text in options.contrast if text.partition("=")[2] == options.scan]
    files = said[:1] or [options.scan]
    files += [text for text in options.contrast if text not in said]
    read = dict.fromkeys((options.scan, *files[:1]), scan)
    found, told = segment_files(files, model, False, job.progress, read, lambda scan: job.cache.prepare(scan, []))
    return (found, told), box_around(found, model.name, options.segment), pathology(found)


def _with_segmentation(analysis, found, told: dict):
    """The analysis with a record of the segmentation that its last box lies around, and a sentence about it."""
    analysis.provenance["segmentation"] = told
    parts = " and ".join(f"{entry['ml']:.1f} ml of {entry['name']}" for entry in told["classes"])
    name, model = analysis.boxes[-1].box.name, told["model"]["name"]
    note = f"Box '{name}' lies around the largest part of what {model} found, {parts} in all; look whether it is in place."
    return replace(analysis, warnings=(*analysis.warnings, note))


def outputs_of(text: str) -> frozenset[str]:
    """The names of `OUTPUTS` in a text, parted by commas; `default` stands for all but `EXTRA`.

    Raises:
        InputError: there is no output of that name.
    """
    names = [name.strip() for name in text.split(",") if name.strip()]
    for name in names:
        if name not in (DEFAULT, *OUTPUTS):
            hint = meant(name, OUTPUTS)
            raise InputError(f"There is no output '{name}'{hint}: choose from {', '.join([DEFAULT, *OUTPUTS])}.")
    if not names:
        raise InputError(f"--outputs names nothing: choose from {', '.join([DEFAULT, *OUTPUTS])}.")
    return frozenset(names) - {DEFAULT} | (frozenset(OUTPUTS) - EXTRA if DEFAULT in names else frozenset())


def write_all(
    analysis, folder: Path, name: str | None, found=None, told=None, outputs: frozenset[str] | None = None, source: str = ""
) -> None:
    """Write the files that are asked for into a folder; pictures and pages are drawn for these alone.

    Args:
        name: of the scan in the report, or None.
        found, told: those of `segment_files`.
        outputs: of `OUTPUTS`; all but `EXTRA` by default.
        source: file or folder of the scan, for DICOM objects.
    """
    outputs = outputs_of(DEFAULT) if outputs is None else outputs
    affine = analysis.scan.affine
    writers = {
        "json": lambda: write_results_json(analysis, folder / "results.json"),
        "csv": lambda: write_results_csv(analysis, folder / "results.csv"),
        "reconstruction": lambda: _write_reconstruction(analysis, folder),
        "difference": lambda: write_nifti(folder / "difference.nii.gz", analysis.difference, affine),
        "deviation": lambda: write_nifti(folder / "deviation_p.nii.gz", analysis.deviation_p, affine),
        "error": lambda: _write_expected_error(analysis, folder),
        "unusual": lambda: write_nifti(folder / UNUSUAL, analysis.unusual.astype("uint8"), affine),
        "brain": lambda: write_nifti(folder / BRAIN, analysis.brain.astype("uint8"), affine),
        "segmentation": lambda: found and write_nifti(folder / "segmentation.nii.gz", found.labels, found.affine),
        "controls": lambda: write_boxes(folder / "controls.mrk.json", _controls_of(analysis)),
        "png": lambda: _write_pictures(analysis, folder, name),
        "html": lambda: write_report(analysis, folder / "report.html", name),
        "pdf": lambda: write_report_pdf(analysis, folder / "report.pdf", name),
        "scene": lambda: write_scene(analysis, folder / "scene.mrb", name),
        "dicom": lambda: write_dicom(analysis, source, folder / DICOM_FOLDER),
    }
    for output in OUTPUTS:
        if output in outputs:
            writers[output]()


def _write_reconstruction(analysis, folder: Path) -> None:
    write_nifti(folder / "reconstruction.nii.gz", analysis.reconstruction, analysis.scan.affine)
    if analysis.blind is not analysis.reconstruction:
        write_nifti(folder / BLIND, analysis.blind, analysis.scan.affine)


def _write_expected_error(analysis, folder: Path) -> None:
    if analysis.expected_error is not None:
        write_nifti(folder / EXPECTED_ERROR, analysis.expected_error, analysis.scan.affine)


def _write_pictures(analysis, folder: Path, name: str | None) -> None:
    """report.png, and report-2.png and on where there are more boxes than one picture holds."""
    for number, page in enumerate(pictures_of(analysis, name), start=1):
        page.save(folder / ("report.png" if number == 1 else f"report-{number}.png"))


def _controls_of(analysis) -> list:
    return list({control.box.name: control.box for result in analysis.boxes for control in result.controls}.values())


def _print_table(analysis, folder: Path, outputs: frozenset[str]) -> None:
    print(f"{'box':<16} {'label':<14} {'p':>6} {'controls':>8} {'deviation':>10} {'SSIM':>6}")
    for result in analysis.boxes:
        p = "-" if result.p is None else f"{result.p:.3f}"
        label = f"{'-' if result.label is None else result.label} {result.word}"
        print(
            f"{result.box.name:<16} {label:<14} {p:>6} {len(result.controls):>8} "
            f"{result.metrics['deviation']:>7.2f} SD {result.metrics['ssim']:>6.2f}"
        )
    for result in analysis.boxes:
        print(f"{result.box.name}: {result.reason} {result.where}".rstrip())
        for sentence in result.remarks:
            print(f"  {sentence}")
        if result.stability:
            print(f"  {result.stability_in_words}")
        for warning in result.warnings:
            print(f"  note: {warning}")
    for warning in analysis.warnings:
        print(f"note: {warning}")
    print(analysis.made_by)
    kinds = {
        "Pictures and report": ("png", "html", "pdf"),
        "Slicer scene": ("scene",),
        "DICOM objects": ("dicom",),
        "Numbers": ("json", "csv"),
    }
    for what, names in kinds.items():
        files = ", ".join(str(folder / OUTPUTS[name]) for name in names if name in outputs)
        if files:
            print(f"{what}: {files}")
    print(RESEARCH_USE)


def _command(options) -> str:
    """What was asked, without paths, so that a result names no folder of the user's."""
    words = ["radiomics-persona analyze", Path(options.scan).name]
    words += [f"--box {box}" for box in options.box]
    words += [f"--boxes {Path(file).name}" for file in options.boxes]
    words += [f"--labels {Path(options.labels).name}"] if options.labels else []
    words += [f"--largest {options.largest}"] if options.largest else []
    words += [f"--segment-with {Path(options.segment_with).name}"] if options.segment_with else []
    words += [f"--segment {options.segment}"] if options.segment else []
    words += [
        f"--contrast {name}{mark}{Path(file).name}" for name, mark, file in (text.partition("=") for text in options.contrast)
    ]
    words += [f"--exclude {Path(options.exclude).name}"] if options.exclude else []
    words += [f"--model {Path(options.model).name} --controls {options.controls} --decision {options.decision}"]
    words += [f"--classifier {Path(options.classifier).name}"] if options.classifier else []
    words += ["--stability"] if options.stability else []
    words += ["--one-look"] if options.one_look else []
    words += ["--no-probe"] if options.no_probe else []
    words += ["--tighten"] if options.tighten else []
    words += [f"--precision {options.precision}"] if options.precision != "auto" else []
    words += [f"--threshold {options.threshold:g}"] if options.threshold is not None else []
    return shown(" ".join(words + [f"--seed {options.seed} --device {options.device}"]))
