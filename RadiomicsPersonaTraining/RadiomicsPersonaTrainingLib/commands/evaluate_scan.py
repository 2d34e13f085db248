"""`radiomics-persona-train evaluate-scan`: the atlas and norms of the search over whole heads, and what it finds."""

from __future__ import annotations

import argparse
import shlex
from datetime import date
from pathlib import Path

import numpy as np

from RadiomicsPersonaLib.analysis.head_norms import ATLAS, NORMS, Measured
from RadiomicsPersonaLib.commands.job import Job
from RadiomicsPersonaLib.defaults import RESEARCH_USE
from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.networks.head_model import LesionModel
from RadiomicsPersonaLib.reconstruction.reconstruction_model import NetworkModel, load_model
from RadiomicsPersonaLib.system.output import folder_written_whole

from ..data.card_subjects import files_of, of_scans
from ..data.split import TRAINING, VALIDATION
from ..evaluation.report import markdown_table
from ..head_evaluation.head_search import held_out_heads, norms_of, rates_of, training_heads
from ..verdict.cases import verdict_scans
from ..versions import versions_text, versions_used

ABOUT = {
    "ds002748": "healthy adults of the training's source",
    "ds000011": "healthy adults of the training's source",
    "IXI": "healthy adults, another scanner",
    "OASIS": "healthy people of 20 to 83 years",
    "LGG": "lower-grade gliomas",
    "BraTS": "gliomas",
    "MS": "MS lesions",
}
"""Groups in words, as the search's own report tells them."""
EVALUATION = "evaluation.md"
EXAMPLES = ("data -o search",)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `evaluate-scan` may be asked."""
    parser.add_argument("data", metavar="FOLDER", help="folder with healthy/ and lesion/")
    parser.add_argument("--people", type=int, metavar="N", help="at most this many healthy people for the norms")
    parser.add_argument("--subjects", type=int, metavar="N", help="at most this many subjects per group that is measured")
    parser.add_argument("--groups", metavar="NAMES", help='measure only these groups, parted by commas: IXI,LGG or "MS T2"')
    parser.add_argument(
        "--output",
        required=True,
        metavar="DIR",
        help=f"{ATLAS} and {NORMS} for RadiomicsPersona/Resources/HeadSearch, {EVALUATION}, and heads/, from which it resumes",
    )


def run(options: argparse.Namespace, job: Job) -> int:
    """Make the norms, measure, and write both with a table."""
    for name in ("people", "subjects"):
        if getattr(options, name) is not None and getattr(options, name) < 1:
            raise InputError(f"--{name} must be at least 1.")
    output = Path(options.output)
    # heads, from which a run goes on, lie in the folder itself; norms and rates come when they are whole
    with folder_written_whole(output) as folder:
        text = _measured(options, output / "heads", folder, job)
    print(text)
    return 0


def _measured(options: argparse.Namespace, heads: Path, output: Path, job: Job) -> str:
    """The rates as a page; norms and page are written into a folder.

    Args:
        heads: folder for what a run goes on from.
    """
    root, lesion_model = Path(options.data), LesionModel.installed()
    if lesion_model is None:
        raise InputError("There is no lesion model: install one, or let RADIOMICS_PERSONA_MODELS name its folder.")
    model = load_model("auto")
    if not isinstance(model, NetworkModel):
        raise InputError("The split of the healthy people is in the card of a network: install PyTorch.")
    groups = [name.strip() for name in options.groups.split(",") if name.strip()] if options.groups else None
    files = [file for entry in of_scans(model.card) for part in (TRAINING, VALIDATION) for file in files_of(entry, part, root)]
    # in an order by chance, so that any number of them is a fair choice
    people = [files[number] for number in np.random.default_rng(0).permutation(len(files))[: options.people]]
    scans = verdict_scans(root, model.card, groups, options.subjects)
    folder = heads / lesion_model.card["sha256"][:12]
    folder.mkdir(parents=True, exist_ok=True)
    atlas, norms = norms_of(training_heads(people, folder, job.progress), job.progress)
    measured = Measured(lesion_model.card["sha256"], norms, (), {})
    rates = rates_of(held_out_heads(scans, folder, job.progress), atlas, measured, ABOUT)
    chosen = "".join(
        f" --{name} {shlex.quote(str(getattr(options, name)))}"
        for name in ("people", "subjects", "groups")
        if getattr(options, name) is not None
    )
    origin = {
        "Date": date.today().isoformat(),
        "Versions": versions_text(versions_used(True)),
        "Norms": f"{len(people)} healthy people of {', '.join(sorted({file.parent.name for file in people}))}",
        "Command": f"radiomics-persona-train evaluate-scan FOLDER{chosen} --output DIR",
    }
    measured = Measured(measured.lesion_model, norms, tuple(rates), origin)
    text = report_of(measured)
    atlas.save(output / ATLAS)
    for name, content in ((NORMS, measured.text()), (EVALUATION, text)):
        (output / name).write_text(content, encoding="utf-8")
    return text


def report_of(measured: Measured) -> str:
    """The rates as a page of Markdown."""
    heads = ["group", "people", "scans", "lesions", "listed", "listed first", "p <= 0.05", "false a head", "false at p <= 0.05"]
    rows = [
        [
            rates.group,
            rates.about,
            str(rates.scans),
            str(rates.lesions or ""),
            *(_share(count, rates.lesions) for count in (rates.found, rates.first, rates.called)),
            *(f"{count / rates.scans:.2f}" for count in (rates.false, rates.false_called)),
        ]
        for rates in measured.rates
    ]
    origin = [f"- {name}: {text}" for name, text in measured.origin.items()]
    return "\n".join(["# Search of whole heads", "", RESEARCH_USE, "", *markdown_table(heads, rows), "", *origin, ""])


def _share(count: int, lesions: int) -> str:
    return f"{count} ({count / lesions:.2f})" if lesions else ""
