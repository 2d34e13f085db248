"""Evaluation report: the tables as Markdown, the figures as JSON, and the page with plots and pictures."""

from __future__ import annotations

import json
from pathlib import Path

from RadiomicsPersonaLib.output import file_written_whole
from RadiomicsPersonaLib.result import RESEARCH_USE

from .evaluation import EvaluationPlan
from .evaluation_contrasts import ContrastLine, contrast_lines
from .evaluation_figures import (
    NOTES,
    contrast_table,
    counted,
    headline_table,
    metrics_table,
    provenance_of,
    provenance_rows,
    record_of,
)
from .evaluation_page import page_of
from .evaluation_pictures import examples_of
from .evaluation_rows import Score
from .evaluation_summary import Cell, summarize


def write_report(plan: EvaluationPlan, scores: list[Score], folder: Path) -> list[Path]:
    """Write `report.html`, `evaluation.json` and `evaluation.md` beside `rows.csv`.

    Args:
        plan, scores: what `evaluation.evaluate` was given and returned.
        folder: its output folder.
    Returns:
        The written files, in this order.
    """
    folder.mkdir(parents=True, exist_ok=True)
    cells, contrasts = summarize(scores, plan.seed), contrast_lines(scores, plan.seed)
    origin = provenance_of(plan, scores)
    examples = {group: examples_of(plan, scores, group) for group in plan.subjects}
    record = json.dumps(record_of(cells, contrasts, origin), indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    texts = {
        "report.html": page_of(cells, contrasts, origin, examples),
        "evaluation.json": record,
        "evaluation.md": markdown_of(cells, contrasts, origin),
    }
    for name, text in texts.items():
        with file_written_whole(folder / name) as staging:
            staging.write_text(text, encoding="utf-8")
    return [folder / name for name in texts]


def markdown_of(cells: list[Cell], contrasts: list[ContrastLine], origin: dict) -> str:
    """The tables as Markdown."""
    lines = ["# Rebuilding healthy tissue", "", RESEARCH_USE, "", NOTES, ""]
    lines += ["## Network against the best simple fill", "", *table_as_markdown(*headline_table(cells)), ""]
    if contrasts:
        lines += ["## Any contrast", "", *table_as_markdown(*contrast_table(contrasts)), ""]
    for cell in cells:
        lines += [
            f"## {cell.group}, {cell.stratum}",
            "",
            f"{counted(cell.subjects, 'subject')}, {counted(cell.holes, 'hole')}.",
            "",
        ]
        lines += [*table_as_markdown(*metrics_table(cell)), ""]
    lines += ["## Where the numbers come from", "", *(f"- {name}: {text}" for name, text in provenance_rows(origin)), ""]
    return "\n".join(lines)


def table_as_markdown(heads: list[str], rows: list[list[str]]) -> list[str]:
    """Lines of a table."""
    if not rows:
        return ["No network was evaluated."]
    table = [heads, ["---"] * len(heads), *rows]
    return ["| " + " | ".join(row) + " |" for row in table]
