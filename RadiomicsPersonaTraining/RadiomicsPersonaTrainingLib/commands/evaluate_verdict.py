"""`radiomics-persona-train evaluate-verdict`: what the verdict is worth on patients and healthy people."""

from __future__ import annotations

import argparse
import json
from datetime import date
from pathlib import Path

from RadiomicsPersonaLib.analysis import error_rates
from RadiomicsPersonaLib.analysis.classifier import load_classifier
from RadiomicsPersonaLib.commands.command_line import seed
from RadiomicsPersonaLib.commands.job import Job
from RadiomicsPersonaLib.defaults import RESEARCH_USE
from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.reconstruction.reconstruction_model import NetworkModel, load_model
from RadiomicsPersonaLib.system.json_text import object_in
from RadiomicsPersonaLib.system.output import folder_written_whole

from ..evaluation.population_mean import population_mean, training_files
from ..evaluation.report import markdown_table
from ..verdict.cases import ages_in, verdict_scans
from ..verdict.evaluation import VerdictPlan, measure_cases
from ..verdict.figures import NOTES, error_rates_in, figures_of
from ..verdict.page import verdict_page
from ..versions import versions_text, versions_used

EXAMPLES = ("data --groups IXI,MS -o verdict",)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `evaluate-verdict` may be asked."""
    parser.add_argument("data", metavar="FOLDER", help="folder with healthy/ and lesion/")
    parser.add_argument("--model", default="auto", metavar="M", help="what rebuilds (default auto)")
    parser.add_argument("--classifier", metavar="NAME|FILE", help="a classifier of your own; the shipped one by default")
    parser.add_argument("--subjects", type=int, metavar="N", help="at most this many subjects per group")
    parser.add_argument("--groups", metavar="NAMES", help='only these groups, parted by commas: IXI,LGG or "MS T2"')
    parser.add_argument(
        "--before", metavar="FILE", help="evaluation.json of another version, to stand beside this one's figures"
    )
    parser.add_argument("--seed", type=seed, default=0, metavar="N", help="of the boxes and controls (default 0)")
    parser.add_argument(
        "--output",
        required=True,
        metavar="DIR",
        help="report.html, evaluation.md, evaluation.json, error-rates.json, and cases.jsonl, from which it resumes",
    )


def run(options: argparse.Namespace, job: Job) -> int:
    """Evaluate as the arguments say, print the tables and write the report."""

    if options.subjects is not None and options.subjects < 1:
        raise InputError("--subjects must be at least 1.")
    output = Path(options.output)
    # what a run goes on from lies in the folder itself; the report comes when it is whole
    with folder_written_whole(output) as folder:
        texts = _texts(options, output, job)
        for name, text in texts.items():
            (folder / name).write_text(text, encoding="utf-8")
    print(texts["evaluation.md"])
    print(f"Report: {output / 'report.html'}")
    return 0


def _texts(options: argparse.Namespace, output: Path, job: Job) -> dict[str, str]:
    """The files of the report by their names; `output` keeps what a run goes on from."""
    root = Path(options.data)
    before = _earlier(Path(options.before)) if options.before else None
    model, classifier = load_model(options.model), load_classifier(options.classifier)
    card = model.card if isinstance(model, NetworkModel) else None
    groups = [name.strip() for name in options.groups.split(",") if name.strip()] if options.groups else None
    scans = verdict_scans(root, card, groups, options.subjects)
    if not any(held_out.lesion for held_out in scans):
        raise InputError(
            "None of these groups has patients, and verdicts are measured on lesions: add one, such as MS, BraTS or LGG."
        )
    output.mkdir(exist_ok=True)
    training = training_files(root, card) if card else []
    average = population_mean(training, output / "population_mean.npz", job.progress) if training else None
    plan = VerdictPlan(tuple(scans), model, average, options.seed)
    cases = measure_cases(plan, output / "cases.jsonl", job.progress)
    figures, scored = figures_of(cases, classifier, options.seed, ages_in(root), before)
    chosen = f' --groups "{options.groups}"' if options.groups else ""
    chosen += f" --subjects {options.subjects}" if options.subjects else ""
    origin = {
        "Date": date.today().isoformat(),
        "Versions": versions_text(versions_used(card is not None)),
        "Model": f"{plan.identity['model']['name']}, SHA-256 {plan.identity['model']['sha256']}",
        "Classifier": f"{classifier.name}, SHA-256 {classifier.sha256}",
        "Command": f"radiomics-persona-train evaluate-verdict FOLDER{chosen} --seed {options.seed} --output DIR",
    }
    lines = ["# Healthy or not", "", RESEARCH_USE, "", NOTES, ""]
    for title, heads, rows in figures.tables:
        lines += [f"## {title}", "", *markdown_table(heads, rows), ""]
    lines += ["## Where the numbers come from", "", *(f"- {name}: {text}" for name, text in origin.items()), ""]
    return {
        "report.html": verdict_page(figures, scored, origin),
        "evaluation.md": "\n".join(lines),
        error_rates.FILE: error_rates.written(classifier.sha256, error_rates_in(cases, classifier)),
        "evaluation.json": json.dumps({"notice": RESEARCH_USE, "origin": origin} | figures.record, indent=1) + "\n",
    }


def _earlier(file: Path) -> dict:
    """What an evaluation.json holds."""
    try:
        content = object_in(file)
        if not isinstance(content["boxes"], dict):
            raise TypeError("boxes")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"'{file.name}' is no evaluation.json of evaluate-verdict: name another file.") from error
    return content
