"""Evaluation command: `radiomics-persona-train evaluate`."""

from __future__ import annotations

import argparse
from pathlib import Path

from RadiomicsPersonaLib.errors import InputError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("data", metavar="FOLDER", help="folder with healthy/, lesion/, label_maps/ and lesion_masks/")
    parser.add_argument("--model", default="auto", metavar="M", help="name of a model, or the file of its card")
    parser.add_argument("--boxes", type=int, default=4, metavar="N", help="boxes per subject and size (default 4)")
    parser.add_argument("--subjects", type=int, metavar="N", help="at most this many subjects per group")
    parser.add_argument("--groups", metavar="NAMES", help='only these groups, parted by commas: ds002748,IXI,MS or "MS T2"')
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--card", action="store_true", help="write the figures into the model's card")
    parser.add_argument(
        "--output", required=True, metavar="DIR", help="report.html, evaluation.json, and rows.csv, from which it resumes"
    )


def run(options: argparse.Namespace) -> int:
    """Evaluate as the arguments say, print the tables and write the report."""
    from RadiomicsPersonaLib.model import NetworkModel, load_model
    from RadiomicsPersonaLib.progress import ProgressBar

    from .evaluation import EvaluationPlan, evaluate, standard_rebuilders
    from .evaluation_card import card_file_of, write_card
    from .evaluation_groups import held_out_scans
    from .evaluation_report import write_report
    from .lesion_shapes import is_for_evaluation
    from .population_mean import population_mean, training_files

    for name in ("boxes", "subjects"):
        if getattr(options, name) is not None and getattr(options, name) < 1:
            raise InputError(f"--{name} must be at least 1.")
    model = load_model(options.model)
    network = model if isinstance(model, NetworkModel) else None
    card_file = card_file_of(options.model, model) if options.card else None
    root, output = Path(options.data), Path(options.output)
    card = network.card if network else None
    groups = [name.strip() for name in options.groups.split(",") if name.strip()] if options.groups else None
    scans = held_out_scans(root, card, groups, options.subjects)
    output.mkdir(parents=True, exist_ok=True)
    training = training_files(root, card) if card else []
    average = population_mean(training, output / "population_mean.npz", ProgressBar()) if training else None
    plan = EvaluationPlan(
        rebuilders=standard_rebuilders(network, average),
        scans=tuple(scans),
        lesion_masks=tuple(file for file in sorted((root / "lesion_masks").rglob("*.nii.gz")) if is_for_evaluation(file)),
        boxes_per_stratum=options.boxes,
        seed=options.seed,
        identity=model.provenance() | {"population_mean_of": list(average.subjects) if average else []},
    )
    scores = evaluate(plan, output, ProgressBar())
    files = write_report(plan, scores, output)
    print((output / "evaluation.md").read_text(encoding="utf-8"))
    if card_file is not None:
        write_card(card_file, output / "evaluation.json")
        print(f"Written into the model card: {card_file}")
    print(f"Report: {files[0]}")
    return 0
