"""Comparison table: how candidates did beside each other, as Markdown and as JSON."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from RadiomicsPersonaLib.defaults import RESEARCH_USE
from RadiomicsPersonaLib.system.json_text import json_value

from ..evaluation.figures import counted, provenance_of
from ..evaluation.plots import spoken
from ..evaluation.rebuilding import FILLS, EvaluationPlan
from ..evaluation.report import markdown_table
from ..evaluation.scores import HoleScore
from ..evaluation.summary import ALL_CUBOIDS, Estimate, by_cell, estimate_of, ratio_draws
from .comparison import Fitted

TABLE = "comparison.md"
SCHEMA = "radiomics-persona-comparison/1"
"""Of `comparison.json`; the number rises when a key changes its meaning or goes."""
NOTES = (
    "Squared error in the holes as a share of the best simple fill's, means over subjects with 95 % intervals (2,000 "
    "bootstrap draws over subjects; none for a single one), and all cuboids over those of the first candidate, drawn in "
    "pairs; smaller is better."
)


@dataclass(frozen=True)
class ComparisonLine:
    """One candidate, or one way of using candidates, in one group and stratum.

    Attributes:
        share: squared error over the best simple fill's.
        over_first: that error over the first candidate's; every bootstrap draw takes the same subjects of both.
    """

    group: str
    stratum: str
    rebuilder: str
    subjects: int
    holes: int
    share: Estimate
    over_first: Estimate


def comparison_lines(scores: list[HoleScore], first: str, networks: list[str], seed: int = 0) -> list[ComparisonLine]:
    """A line per group, stratum and network."""
    lines = []
    for (group, stratum), rows in by_cell(scores).items():
        subjects, holes = len({row.subject for row in rows}), len({row.hole for row in rows})
        drawn = {name: ratio_draws(rows, name, seed) for name in networks}
        for name, (value, draws) in drawn.items():
            over = estimate_of(value / drawn[first][0], draws / drawn[first][1], subjects)
            lines.append(ComparisonLine(group, stratum, name, subjects, holes, estimate_of(value, draws, subjects), over))
    return lines


def write_comparison(plan: EvaluationPlan, scores: list[HoleScore], fitted: list[Fitted], folder: Path) -> Path:
    """Write `comparison.md` and `comparison.json` into a folder that is put in place whole, and return the first."""
    networks = [name for name in plan.rebuilders if name not in FILLS]
    lines = comparison_lines(scores, fitted[0].name, networks, plan.seed)
    seconds = {name: float(np.median([row.seconds for row in scores if row.rebuilder == name])) for name in networks}
    about = [
        {
            "name": each.name,
            "steps": each.steps,
            "best_after_steps": each.model.card["training"]["best_after_steps"],
            "parameters": each.model.card["architecture"]["parameters"],
            "settings": each.model.card["training"],
        }
        for each in fitted
    ]
    origin = provenance_of(plan, scores)
    record = {"schema": SCHEMA, "notice": RESEARCH_USE, **origin, "candidates": about}
    record |= {"seconds_per_hole": seconds, "lines": [asdict(line) for line in lines]}
    texts = {
        TABLE: _markdown(lines, about, seconds, origin),
        "comparison.json": json.dumps(json_value(record), indent=1, ensure_ascii=False, allow_nan=False) + "\n",
    }
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder / TABLE


def _markdown(lines: list[ComparisonLine], about: list[dict], seconds: dict[str, float], origin: dict) -> str:
    text = ["# Candidates on the same steps", "", RESEARCH_USE, "", NOTES, ""]
    holes = f"{counted(origin['boxes_per_stratum'], 'hole')} per subject and kind, seed {origin['seed']}"
    text += [f"Subjects of the split's part '{origin['model']['part']}'; {holes}; {origin['date']}.", ""]
    heads = ["candidate", "steps", "best after", "parameters", "seconds per hole"]
    rows = [
        [
            each["name"],
            f"{each['steps']:,}",
            f"{each['best_after_steps']:,}",
            f"{each['parameters']:,}",
            f"{seconds[each['name']]:.2f}",
        ]
        for each in about
    ]
    text += [*markdown_table(heads, rows), ""]
    for group in dict.fromkeys(line.group for line in lines):
        here = [line for line in lines if line.group == group]
        strata = list(dict.fromkeys(line.stratum for line in here))
        whole = max(here, key=lambda line: line.holes)
        text += [f"## {group}", "", f"{counted(whole.subjects, 'subject')}; {_holes(here, strata)}.", ""]
        rows = []
        for name in dict.fromkeys(line.rebuilder for line in here):
            own = {line.stratum: line for line in here if line.rebuilder == name}
            over = spoken(own[ALL_CUBOIDS].over_first) if ALL_CUBOIDS in own else ""
            rows.append([name, *(spoken(own[stratum].share) for stratum in strata), over])
        text += [*markdown_table(["rebuilder", *strata, "over the first"], rows), ""]
    return "\n".join(text)


def _holes(lines: list[ComparisonLine], strata: list[str]) -> str:
    counts = {line.stratum: line.holes for line in lines}
    return ", ".join(f"{counted(counts[stratum], 'hole')} in {stratum}" for stratum in strata)
