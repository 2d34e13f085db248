"""`radiomics-persona-train experiment`: what painted lesions are worth to a network that segments real ones."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from datetime import date
from pathlib import Path

from RadiomicsPersonaLib.commands.job import Job
from RadiomicsPersonaLib.defaults import RESEARCH_USE
from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.lesions.painter import check_kind
from RadiomicsPersonaLib.resources import TRAINING_LIBRARY, shipped
from RadiomicsPersonaLib.system.json_text import json_value
from RadiomicsPersonaLib.system.output import folder_written_whole

from ..experiments.painted_heads import Painting
from ..experiments.painting_experiment import patients_of, people_of, run_experiment
from ..experiments.painting_report import lines_of, markdown_of, page_of
from ..experiments.painting_settings import ARMS, Arm, ExperimentPlan, read_experiment_settings
from ..versions import versions_text, versions_used

SETTINGS = shipped("segmentation", TRAINING_LIBRARY) / "lesion-experiment.toml"


EXAMPLES = ("data --healthy healthy/ -o experiment --arms few,sphere",)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `experiment` may be asked."""
    parser.add_argument("data", metavar="FOLDER", help="folder with lesion/, the real patients")
    parser.add_argument(
        "--healthy", required=True, nargs="+", metavar="SCANS", help="healthy scans to paint in: files, or folders of them"
    )
    parser.add_argument(
        "--shapes", metavar="FOLDER", help="real lesion masks, a subfolder for every kind, for the arm that paints their shapes"
    )
    parser.add_argument(
        "--output",
        required=True,
        metavar="DIR",
        help="report.html, experiment.md, experiment.json, and what a second call goes on from",
    )
    parser.add_argument(
        "--settings", default=str(SETTINGS), metavar="FILE", help="the network and its loop (default lesion-experiment.toml)"
    )
    parser.add_argument(
        "--arms", metavar="NAMES", help="only these, parted by commas: few, sphere, shapes, unet, unet-tissue, gan, more"
    )
    parser.add_argument(
        "--contrast", default="T1", metavar="C", help="of the patients' scans; that of the healthy ones (default T1)"
    )
    parser.add_argument(
        "--kinds", default="tumour,ms", metavar="KINDS", help="kinds of lesions, painted in turn (default tumour,ms)"
    )
    parser.add_argument("--few", type=int, default=4, metavar="N", help="real patients that train (default 4)")
    parser.add_argument(
        "--more", type=int, default=4, metavar="N", help="how many further ones train in the last arm (default 4)"
    )
    parser.add_argument("--painted", type=int, default=16, metavar="N", help="painted heads of an arm (default 16)")
    parser.add_argument("--steps", type=int, metavar="N", help="of every fit (default: the settings')")
    parser.add_argument(
        "--seeds", type=int, default=3, metavar="N", help="how many times, with other patients and draws (default 3)"
    )


def run(options: argparse.Namespace, job: Job) -> int:
    """Fit and measure all arms, print the tables and write the report."""

    for name in ("few", "more", "painted", "seeds", "steps"):
        if getattr(options, name) is not None and getattr(options, name) < 1:
            raise InputError(f"--{name} must be at least 1.")
    known = {arm.folder: arm for arm in ARMS}
    wanted = [name.strip() for name in options.arms.split(",")] if options.arms else list(known)
    for name in wanted:
        if name not in known:
            raise InputError(f"There is no arm '{name}': choose from {', '.join(known)}.")
    kinds = tuple(name.strip() for name in options.kinds.split(","))
    for kind in kinds:
        check_kind(kind)
    output = Path(options.output)
    # what a second call goes on from lies in the folder itself; the report comes when it is whole
    with folder_written_whole(output) as folder:
        text = _measured(options, [known[name] for name in known if name in wanted], kinds, output, folder, job)
    print(text)
    print(f"Report: {output / 'report.html'}")
    return 0


def _measured(
    options: argparse.Namespace, arms: list[Arm], kinds: tuple[str, ...], output: Path, folder: Path, job: Job
) -> str:
    """The report in Markdown; all its files are written into a folder, and `output` keeps what a second call goes on from."""
    plan = ExperimentPlan(
        read_experiment_settings(Path(options.settings), options.steps),
        tuple(arms),
        options.contrast,
        options.few,
        options.more,
        options.painted,
        options.seeds,
        kinds,
    )
    shapes = Path(options.shapes) if options.shapes else None
    painting = Painting(plan, [Path(place) for place in options.healthy], shapes, output / "painted")
    cases = patients_of(Path(options.data), plan.contrast, output / "patients", job.progress)
    people_of(cases, plan, 0)  # says so where they are too few, before anything is painted
    painting.paint_all(job.progress)
    lines = lines_of(run_experiment(plan, cases, painting.cases, output, job.progress))
    origin = {
        "Date": date.today().isoformat(),
        "Command": "radiomics-persona-train experiment FOLDER --healthy SCANS --shapes MASKS --output DIR"
        f" --contrast {plan.contrast} --kinds {','.join(kinds)} --few {plan.few} --more {plan.further} --painted {plan.painted}"
        f" --steps {plan.settings.fit.steps} --seeds {plan.seeds}",
        "Masks drawn by": "; ".join(painting.told),
        "Versions": versions_text(versions_used(network=True)),
    }
    record = {
        "schema": "radiomics-persona-experiment/1",
        "notice": RESEARCH_USE,
        **origin,
        "lines": json_value([asdict(line) for line in lines]),
    }
    for file, text in (
        ("experiment.md", markdown_of(lines, plan)),
        ("experiment.json", json.dumps(record, indent=1) + "\n"),
        ("report.html", page_of(lines, plan, painting.examples(), origin)),
    ):
        (folder / file).write_text(text, encoding="utf-8")
    return markdown_of(lines, plan)
