"""`radiomics-persona-train evaluate`: how well models rebuild, segment, or find tissues and lesions."""

from __future__ import annotations

import argparse
import json
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from RadiomicsPersonaLib.commands.command_line import seed
from RadiomicsPersonaLib.commands.job import Job
from RadiomicsPersonaLib.defaults import RESEARCH_USE
from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.networks.card import (
    LESION_KIND,
    MASK_KIND,
    RECONSTRUCTION_KIND,
    SEGMENTATION_KIND,
    TISSUE_KIND,
    kind_of,
    model_cards,
    read_card,
)
from RadiomicsPersonaLib.networks.head_model import LesionModel, TissueModel
from RadiomicsPersonaLib.reconstruction.reconstruction_model import Model, NetworkModel, load_model
from RadiomicsPersonaLib.segmentation.segmentation_model import SegmentationModel
from RadiomicsPersonaLib.system.output import folder_written_whole

from ..data.held_out_groups import held_out_scans
from ..data.lesion_shapes import is_for_evaluation
from ..data.split import scan_files
from ..evaluation import certainty
from ..evaluation.population_mean import population_mean, training_files
from ..evaluation.rebuilding import EvaluationPlan, evaluate, standard_rebuilders
from ..evaluation.report import write_report
from ..export.model_card import card_file_of, write_card
from ..head_evaluation import lesion, segmentation, tissue
from ..head_evaluation.brain_sheets import mask_sheet, real_scans
from ..head_evaluation.segmentation_page import page_of
from ..inspection.held_out_run import held_out_run
from ..lesion_masks.mask_model import mask_model_cards
from ..runs.heartbeat import NAME, Alive
from ..verdict.cases import verdict_scans

EXAMPLES = (
    "run -o evaluation",
    "data --certainty --groups IXI --subjects 8 -o evaluation",
    "data -m tissue --groups IXI,MS -o evaluation",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `evaluate` may be asked."""
    parser.add_argument(
        "data",
        metavar="FOLDER",
        help="folder with healthy/, lesion/, label_maps/ and lesion_masks/; for a segmentation model one laid out as its "
        "training data; or a run of fit, whose best checkpoint is measured on its own test scans",
    )
    parser.add_argument(
        "--model",
        default="auto",
        metavar="M",
        help="name of a model, or the file of its card; `tissue`, `lesion` or a segmentation model's for those",
    )
    parser.add_argument("--boxes", type=int, default=4, metavar="N", help="boxes per subject and size (default 4)")
    parser.add_argument("--subjects", type=int, metavar="N", help="at most this many subjects per group")
    parser.add_argument("--groups", metavar="NAMES", help='only these groups, parted by commas: ds002748,IXI,MS or "MS T2"')
    parser.add_argument("--seed", type=seed, default=0, metavar="N", help="of the holes (default 0)")
    parser.add_argument(
        "--certainty", action="store_true", help="measure how well the expected error of a rebuilding model holds, instead"
    )
    parser.add_argument("--card", action="store_true", help="write the figures into the model's card")
    parser.add_argument(
        "--output", required=True, metavar="DIR", help="report.html, evaluation.json, and rows.csv, from which it resumes"
    )


def run(options: argparse.Namespace, job: Job) -> int:
    """Evaluate as the arguments say, print the tables and write the report."""
    for name in ("boxes", "subjects"):
        if getattr(options, name) is not None and getattr(options, name) < 1:
            raise InputError(f"--{name} must be at least 1.")
    run = held_out_run(Path(options.data))
    kind = run.kind if run and options.model == "auto" else _kind_of(options.model)
    if kind == MASK_KIND:
        raise InputError(
            "What a generator of lesion masks is worth is measured by `radiomics-persona-train evaluate-masks --generator "
            "CARD.json`."
        )
    measures = {RECONSTRUCTION_KIND: _rebuilding, TISSUE_KIND: _tissue, LESION_KIND: _lesion, SEGMENTATION_KIND: _segmentation}
    if kind not in measures:
        raise InputError(f"This command measures no models of the kind '{kind}': choose one of {', '.join(measures)}.")
    if options.certainty and (kind != RECONSTRUCTION_KIND or options.card):
        raise InputError("--certainty measures models that rebuild, and writes no card: leave it out, or --card.")
    measure = _certainty if options.certainty else measures[kind]
    output = Path(options.output)
    # what a run goes on from lies in the folder itself; the report comes when it is whole
    with folder_written_whole(output) as folder, ExitStack() as told:
        alive = told.enter_context(Alive(output / NAME, "evaluate", job.progress)) if run else job
        text, card_file = measure(options, run, folder, alive.progress)
    print(text)
    if card_file is not None:
        write_card(card_file, output / "evaluation.json")
        print(f"Written into the model card: {card_file}")
    page = "report.html" if kind == RECONSTRUCTION_KIND and not options.certainty else "evaluation.md"
    print(f"Report: {output / page}")
    return 0


def _kind_of(name: str) -> str:
    """What the named model does; a name that is not known is complained of where models are loaded."""
    path = (model_cards(TISSUE_KIND) | model_cards(LESION_KIND) | model_cards(SEGMENTATION_KIND) | mask_model_cards()).get(
        name, Path(name)
    )
    return kind_of(read_card(path)) if path.suffix == ".json" and path.is_file() else RECONSTRUCTION_KIND


def _rebuilding(options: argparse.Namespace, run, folder: Path, progress) -> tuple[str, Path | None]:
    """The report in Markdown, and the card that its figures belong into, if that was asked for; all files are written."""
    model, card = _rebuilding_model(options, run)
    card_file = _card_file(options, model)
    root, output = Path(options.data), Path(options.output)
    plan = _plan_of(options, run, card)
    output.mkdir(exist_ok=True)
    training = run.training() if run else training_files(root, card) if card else []
    average = population_mean(training, output / "population_mean.npz", progress) if training else None
    plan = replace(
        plan,
        rebuilders=standard_rebuilders(model if card else None, average),
        identity=model.provenance() | {"population_mean_of": list(average.subjects) if average else []},
    )
    scores = evaluate(plan, output, progress)
    write_report(plan, scores, folder)
    return (folder / "evaluation.md").read_text(encoding="utf-8"), card_file


def _rebuilding_model(options: argparse.Namespace, run) -> tuple[Model, dict | None]:
    """The model, and its card if it is a network."""
    model = run.model() if run and options.model == "auto" else load_model(options.model)
    return model, model.card if isinstance(model, NetworkModel) else None


def _plan_of(options: argparse.Namespace, run, card: dict | None) -> EvaluationPlan:
    """Scans and holes, without rebuilders."""
    root = Path(options.data)
    groups = [name.strip() for name in options.groups.split(",") if name.strip()] if options.groups else None
    scans = run.scans(options.subjects) if run else held_out_scans(root, card, groups, options.subjects)
    return EvaluationPlan(
        rebuilders={},
        scans=tuple(scans),
        lesion_masks=tuple(file for file in sorted(scan_files(root / "lesion_masks")) if is_for_evaluation(file)),
        boxes_per_stratum=options.boxes,
        seed=options.seed,
    )


def _certainty(options: argparse.Namespace, run, folder: Path, progress) -> tuple[str, Path | None]:
    model, card = _rebuilding_model(options, run)
    found = certainty.evaluate_certainty(_plan_of(options, run, card), model, Path(options.output), progress)
    text = certainty.page_of(found, model, options.seed)
    _write(folder, text, certainty.record_of(found, model, options.seed))
    return text, None


def _tissue(options: argparse.Namespace, run, folder: Path, progress) -> tuple[str, Path | None]:
    root = Path(options.data)
    model = run.model() if run and options.model == "auto" else TissueModel.load(options.model)
    card_file = _card_file(options, model)
    maps = run.maps() if run else tissue.held_out_maps(root, model.card)
    cases = tissue.evaluate_tissue(maps[: options.subjects], model, options.seed, progress=progress)
    tissue.write_cases(cases, folder / "cases.csv")
    text = (
        f"# Telling tissues apart: {model.name}\n\n{RESEARCH_USE}\n\n{tissue.NOTES}\n\n{tissue.table_of(cases, options.seed)}"
    )
    doubts = []
    scans = {} if run else real_scans(root, options.subjects)
    for number, (source, files) in enumerate(scans.items(), start=1):
        sheet, rows = mask_sheet(files, model)
        doubts += [f"{row['scan']} ({source}): {row['doubt']}" for row in rows if row["doubt"]]
        sheet.save(folder / f"masks {source}.png")
        progress(number, len(scans), source)
    total = sum(map(len, scans.values()))
    text += (
        f"\nOf {total} real scans the model doubts {len(doubts)}; its masks are in green, those by thresholds in red, in "
        "`masks ….png`.\n"
    )
    text += "".join(f"\n- {doubt}" for doubt in doubts)
    _write(folder, text + "\n", tissue.record_of(cases, model, options.seed))
    return text + "\n", card_file


def _lesion(options: argparse.Namespace, run, folder: Path, progress) -> tuple[str, Path | None]:
    root = Path(options.data)
    model = run.model() if run and options.model == "auto" else LesionModel.load(options.model)
    card_file = _card_file(options, model)
    groups = [name.strip() for name in options.groups.split(",") if name.strip()] if options.groups else None
    maps = run.maps() if run else tissue.held_out_maps(root, model.card)
    scans = [] if run else verdict_scans(root, None, groups, options.subjects)
    cases = lesion.evaluate_lesion(maps[: options.subjects], scans, model, options.seed, progress=progress)
    lesion.write_cases(cases, folder / "cases.csv")
    text = f"# Finding lesions: {model.name}\n\n{RESEARCH_USE}\n\n{lesion.NOTES}\n\n{lesion.table_of(cases, options.seed)}"
    _write(folder, text, lesion.record_of(cases, model, options.seed))
    return text, card_file


def _segmentation(options: argparse.Namespace, run, folder: Path, progress) -> tuple[str, Path | None]:
    model = run.model() if run and options.model == "auto" else SegmentationModel.load(options.model, "auto")
    card_file = _card_file(options, model)
    truths = run.truths() if run else segmentation.held_out_truths(Path(options.data), model.card)
    kept = sorted({subject for subject, _ in truths})[: options.subjects]
    cases = segmentation.evaluate_segmentation([truth for truth in truths if truth[0] in kept], model, progress)
    record = segmentation.record_of(cases, model, options.seed)
    segmentation.write_cases(cases, folder / "cases.csv")
    (folder / "report.html").write_text(page_of(cases, model, record, options.seed), encoding="utf-8")
    text = f"# Segmenting: {model.name}\n\n{RESEARCH_USE}\n\n{segmentation.markdown_of(cases, model, options.seed)}"
    _write(folder, text, record)
    return text, card_file


def _card_file(options: argparse.Namespace, model) -> Path | None:
    return card_file_of(options.model, model) if options.card else None


def _write(folder: Path, text: str, record: dict) -> None:
    (folder / "evaluation.md").write_text(text, encoding="utf-8")
    (folder / "evaluation.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
