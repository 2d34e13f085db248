"""Evaluation report: the tables as Markdown and JSON, and the pictures, with everything needed to make them again."""

from __future__ import annotations

import json
import math
import platform
import subprocess
from dataclasses import asdict
from datetime import date
from pathlib import Path

import numpy as np
import scipy

from RadiomicsPersonaLib import __version__
from RadiomicsPersonaLib.result import RESEARCH_USE
from RadiomicsPersonaLib.scan import name_of

from .evaluation import METRICS, EvaluationPlan, Score
from .evaluation_holes import BRAIN_SHARE, LESIONS
from .evaluation_pictures import write_example_pictures
from .evaluation_summary import DRAWS, FLOOR, Cell, Estimate, summarize

NOTES = f"""\
Holes lie in brain (at least {BRAIN_SHARE:.0%} of them); every second cuboid is turned at random; the lesion shapes are
flipped and turned at random. Every hole is rebuilt on the scan's own grid without a look inside, and only voxels inside
it count. Values are means over subjects of the means of their holes, with 95 % intervals ({DRAWS:,} bootstrap draws
over subjects). "Official" is the BraTS inpainting challenge's form, whose SSIM flatters small holes; the others are
taken in context. The mean squared error that decides is in squared tissue SD. The population mean, which needs
registration to an atlas, was left out."""


def write_report(plan: EvaluationPlan, scores: list[Score], folder: Path) -> list[Path]:
    """Write `evaluation.md`, `evaluation.json` and the example pictures beside `rows.csv`.

    Args:
        plan, scores: what `evaluation.evaluate` was given and returned.
        folder: its output folder.
    Returns:
        The written files.
    """
    folder.mkdir(parents=True, exist_ok=True)
    cells = summarize(scores, plan.seed)
    origin = provenance_of(plan, scores)
    pictures = write_example_pictures(plan, scores, folder)
    record = folder / "evaluation.json"
    content = _plain({"notice": RESEARCH_USE, **origin, "cells": [_record_of(cell) for cell in cells]})
    record.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    page = folder / "evaluation.md"
    page.write_text(markdown_of(cells, origin, [path.name for path in pictures]), encoding="utf-8")
    return [page, record, *pictures]


def provenance_of(plan: EvaluationPlan, scores: list[Score]) -> dict:
    """What it takes to make the numbers again, in plain JSON types."""
    asked = sum(len(files) for files in plan.subjects.values()) * len(plan.strata) * plan.boxes_per_stratum
    return {
        "date": date.today().isoformat(),
        "versions": {
            "RadiomicsPersona": __version__,
            "commit": _commit(),
            "python": platform.python_version(),
            "numpy": np.__version__,
            "scipy": scipy.__version__,
        },
        "model": plan.identity,
        "seed": plan.seed,
        "boxes_per_stratum": plan.boxes_per_stratum,
        "holes": {"asked": asked, "placed": len({row.hole for row in scores})},
        "subjects": {group: [name_of(path) for path in files] for group, files in plan.subjects.items()},
        "lesion_masks": [name_of(path) for path in plan.lesion_masks],
    }


def markdown_of(cells: list[Cell], origin: dict, pictures: list[str]) -> str:
    """The report as Markdown."""
    lines = ["# Rebuilding healthy tissue", "", RESEARCH_USE, "", NOTES, ""]
    lines += ["## Network against the best classical fill", "", *_headline_table(cells), ""]
    for cell in cells:
        lines += [f"## {cell.group}, {cell.stratum}", "", f"{cell.subjects} subjects, {cell.holes} holes.", ""]
        lines += [*_cell_table(cell), ""]
    if pictures:
        lines += ["## Examples", "", *(f"![{name}]({name})" for name in pictures), ""]
    lines += ["## Where the numbers come from", "", *_origin_lines(origin), ""]
    return "\n".join(lines)


def _headline_table(cells: list[Cell]) -> list[str]:
    if not any(cell.headlines for cell in cells):
        return ["No network was evaluated."]
    lines = [
        "| group | stratum | subjects | holes | rebuilder | MSE | best fill | its MSE | ratio (95 % interval) "
        f"| at most {FLOOR:g} |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for cell in cells:
        for line in cell.headlines:
            lines.append(
                f"| {cell.group} | {cell.stratum} | {cell.subjects} | {cell.holes} | {line.rebuilder} | {line.mse:.3f} "
                f"| {line.best_fill} | {line.best_fill_mse:.3f} | {_written(line.ratio)} "
                f"| {'yes' if line.reached else 'no'} |"
            )
    return lines


def _cell_table(cell: Cell) -> list[str]:
    lines = ["| rebuilder | " + " | ".join(METRICS.values()) + " |", "|---" * (len(METRICS) + 1) + "|"]
    for name, estimates in cell.estimates.items():
        lines.append(f"| {name} | " + " | ".join(_written(estimates[key]) for key in METRICS) + " |")
    return lines


def _written(estimate: Estimate) -> str:
    digits = 2 if abs(estimate.value) >= 10 else 3 if abs(estimate.value) >= 0.1 else 4
    if math.isnan(estimate.low):
        return f"{estimate.value:.{digits}f}"
    return f"{estimate.value:.{digits}f} ({estimate.low:.{digits}f} to {estimate.high:.{digits}f})"


def _origin_lines(origin: dict) -> list[str]:
    versions = ", ".join(f"{name} {value}" for name, value in origin["versions"].items() if value)
    model = ", ".join(f"{key} {value}" for key, value in origin["model"].items() if value is not None) or "none"
    lines = [
        f"- Date: {origin['date']}",
        f"- Versions: {versions}",
        f"- Model: {model}",
        f"- Seed: {origin['seed']}; {origin['boxes_per_stratum']} holes per subject and stratum; "
        f"{origin['holes']['placed']} of {origin['holes']['asked']} found a place with enough brain",
    ]
    lines += [f"- {group} ({len(names)}): {', '.join(names)}" for group, names in origin["subjects"].items()]
    if origin["lesion_masks"]:
        lines.append(f"- Shapes for '{LESIONS}': {len(origin['lesion_masks'])} masks, named in evaluation.json")
    return lines


def _record_of(cell: Cell) -> dict:
    record = asdict(cell)
    for entry, line in zip(record["headlines"], cell.headlines):
        entry["reached"] = line.reached
    return record


def _commit() -> str | None:
    """The checkout's commit, marked when files differ from it; None where this file belongs to no checkout."""
    here = Path(__file__).resolve()

    def git(*arguments: str) -> str | None:
        try:
            run = subprocess.run(["git", *arguments], cwd=here.parent, capture_output=True, text=True, timeout=10)
        except (OSError, subprocess.TimeoutExpired):
            return None
        return run.stdout.strip() if run.returncode == 0 else None

    # an installed copy may lie inside somebody else's repository
    if git("ls-files", "--error-unmatch", here.name) is None:
        return None
    return git("describe", "--always", "--abbrev=40", "--dirty", "--exclude=*")


def _plain(value):
    """Numbers that are not finite become null, which JSON has and NaN is not."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
