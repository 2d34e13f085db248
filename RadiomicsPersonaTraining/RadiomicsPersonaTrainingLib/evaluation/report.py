"""Report of an evaluation: the tables as Markdown, the figures as JSON, and one HTML page with figures, plots and pictures,
which needs no network and no scripts.
"""

from __future__ import annotations

import json
from html import escape
from pathlib import Path

from RadiomicsPersonaLib.defaults import RESEARCH_USE
from RadiomicsPersonaLib.report.colors import DIFFERENCE_RANGE
from RadiomicsPersonaLib.report.html_page import html_page, html_table

from .figures import NOTES, contrast_table, counted, headline_table, metrics_table, provenance_of, provenance_rows, record_of
from .pictures import PANELS, Example, examples_of, jpeg_uri
from .plots import error_plot, ratio_plot, spoken
from .rebuilding import NETWORK, EvaluationPlan
from .scores import HoleScore
from .summary import ALL_CUBOIDS, GOAL, Cell, ContrastLine, contrast_lines, summarize


def write_report(plan: EvaluationPlan, scores: list[HoleScore], folder: Path) -> list[Path]:
    """Write `report.html`, `evaluation.json` and `evaluation.md` beside `rows.csv`.

    Args:
        plan, scores: what `rebuilding.evaluate` was given and returned.
        folder: one that is put in place whole.
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
        (folder / name).write_text(text, encoding="utf-8")
    return [folder / name for name in texts]


def markdown_of(cells: list[Cell], contrasts: list[ContrastLine], origin: dict) -> str:
    """The tables as Markdown."""
    lines = ["# Rebuilding healthy tissue", "", RESEARCH_USE, "", NOTES, ""]
    lines += ["## Network against the best simple fill", "", *markdown_table(*headline_table(cells)), ""]
    if contrasts:
        lines += ["## Any contrast", "", *markdown_table(*contrast_table(contrasts)), ""]
    for cell in cells:
        lines += [
            f"## {cell.group}, {cell.stratum}",
            "",
            f"{counted(cell.subjects, 'subject')}, {counted(cell.holes, 'hole')}.",
            "",
        ]
        lines += [*markdown_table(*metrics_table(cell)), ""]
    lines += ["## Where the numbers come from", "", *(f"- {name}: {text}" for name, text in provenance_rows(origin)), ""]
    return "\n".join(lines)


_OWN_STYLE = """
.examples { display: grid; grid-template-columns: repeat(auto-fit, minmax(30rem, 1fr)); gap: 0 1.5rem; }
.examples .heads { margin-top: 0.5rem; }
details { margin: 0.8rem 0; }
summary { cursor: pointer; }
"""


def page_of(cells: list[Cell], contrasts: list[ContrastLine], origin: dict, examples: dict[str, list[Example]]) -> str:
    """The page's HTML.

    Args:
        cells, contrasts, origin: what `summarize`, `contrast_lines` and `provenance_of` give.
        examples: holes to show, by group.
    """
    model = escape(str(origin["model"].get("name", "the simple fills")))
    title = f"Rebuilding healthy tissue: {model}"
    groups: dict[str, list[Cell]] = {}
    for cell in cells:
        groups.setdefault(cell.group, []).append(cell)
    sections = f"""{_headlines(cells)}
{_any_contrast(contrasts)}
{"".join(_group(group, members, examples.get(group, [])) for group, members in groups.items())}
<section>
<h2>How it was measured</h2>
<p>{escape(NOTES)}</p>
</section>
<section>
<h2>Where the numbers come from</h2>
{html_table("What is needed to make them again.", ["what", "value"], [list(row) for row in provenance_rows(origin)], long=True)}
</section>"""
    return html_page(title, _OWN_STYLE, _in_short(cells), sections)


def _in_short(cells: list[Cell]) -> str:
    sentences = []
    for cell in cells:
        for line in cell.headlines:
            if cell.stratum == ALL_CUBOIDS and line.rebuilder == NETWORK:
                sentences.append(f"{cell.group}: {spoken(line.ratio)}; best fill: {line.best_fill}; {_size(cell)}.")
    if not sentences:
        return "<p>No network was evaluated; the tables hold the simple fills.</p>"
    return f"""<h3>In short</h3>
<p>Healthy tissue was taken out of scans that the network never saw, and rebuilt. Over cuboids of all sizes, the network leaves
this share of the squared error of the best simple fill (below 1 it is better):</p>
<ul>{"".join(f"<li>{escape(sentence)}</li>" for sentence in sentences)}</ul>"""


def _headlines(cells: list[Cell]) -> str:
    heads, rows = headline_table(cells)
    place = heads.index("rebuilder")
    rows = [row[:place] + row[place + 1 :] for row in rows if row[place] == NETWORK]
    if not rows:
        return ""
    heads.remove("rebuilder")
    caption = "Below 1 the network is better than every simple fill. Intervals are over subjects."
    return f"""<section>
<h2>Network against the best simple fill</h2>
<figure>{ratio_plot(cells)}<figcaption>Squared error of the network over that of the best simple fill; dot and line: value
and 95 % interval. Full line: 1, as good as the best fill. Dashed line: the goal, {GOAL:g}.</figcaption></figure>
{html_table(caption, heads, rows)}
</section>
"""


def _any_contrast(contrasts: list[ContrastLine]) -> str:
    if not contrasts:
        return ""
    caption = "The same holes in the same subjects as in T1."
    return f"<section><h2>Any contrast</h2>{html_table(caption, *contrast_table(contrasts))}</section>"


def _group(group: str, cells: list[Cell], examples: list[Example]) -> str:
    tables = "".join(html_table(f"{cell.stratum}: {_size(cell)}.", *metrics_table(cell)) for cell in cells)
    return f"""<section>
<h2>{escape(group)}</h2>
<figure>{error_plot(cells)}<figcaption>Mean squared error in squared tissue SD; dot and line: mean over subjects and 95 %
interval.</figcaption></figure>
<details><summary>All figures of {escape(group)}</summary>{tables}</details>
{_pictures(examples)}
</section>
"""


def _pictures(examples: list[Example]) -> str:
    if not examples:
        return ""
    heads = f"<div class='heads' aria-hidden='true'>{''.join(f'<span>{name}</span>' for name in PANELS)}</div>"
    figures = []
    for example in examples:
        row = example.row
        caption = (
            f"{row.stratum}, {example.word}: {row.subject}, hole {row.number + 1}, {row.milliliters:.1f} ml, "
            f"MSE {row.metrics['mse']:.3f} ({row.rebuilder})"
        )
        alt = f"{caption}. Axial slice through the middle of the hole: {', '.join(PANELS).lower()}."
        figures.append(
            f"<figure>{heads}<img src='{jpeg_uri(example.image)}' alt='{escape(alt, quote=True)}'>"
            f"<figcaption>{escape(caption)}</figcaption></figure>"
        )
    return (
        "<h3>Typical and worst holes</h3><p class='faint'>Typical is the hole with the median error of its kind. "
        "The difference is truth minus rebuilt: red where the truth is brighter, blue where it is darker, "
        f"full colour at {DIFFERENCE_RANGE:g} tissue SD.</p>"
        f"<div class='examples'>{''.join(figures)}</div>"
    )


def _size(cell: Cell) -> str:
    return f"{counted(cell.subjects, 'subject')}, {counted(cell.holes, 'hole')}"


def markdown_table(heads: list[str], rows: list[list[str]]) -> list[str]:
    """The lines of a Markdown table."""
    if not rows:
        return ["Nothing was measured."]
    table = [heads, ["---"] * len(heads), *rows]
    return ["| " + " | ".join(row) + " |" for row in table]
