"""Hooks of MkDocs: pages that are made from the program itself, and links out of docs/ into the repository.

Commands come from the parsers, model cards from their JSON, metrics from their definitions, so that none can be out of date.
"""

from __future__ import annotations

import json
import logging
import re
import sys
from argparse import SUPPRESS, HelpFormatter
from functools import partial
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(CHECKOUT / "RadiomicsPersona"), str(CHECKOUT / "RadiomicsPersonaTraining")]

from mkdocs.structure.files import File, Files  # noqa: E402

from RadiomicsPersonaLib.analysis.classifier import load_classifier  # noqa: E402
from RadiomicsPersonaLib.analysis.score import SCORES  # noqa: E402
from RadiomicsPersonaLib.commands.registry import ANALYSIS, Registry  # noqa: E402
from RadiomicsPersonaLib.metrics.metric import MAKE_UP, METRICS  # noqa: E402
from RadiomicsPersonaTrainingLib.cli import TRAINING  # noqa: E402

LOG = logging.getLogger("mkdocs.plugins.radiomics_persona")
REPOSITORY = "https://github.com/RadiomicsPersona/SlicerRadiomicsPersona/blob/main/"
CARDS = ("RadiomicsPersona/Resources/Models", "RadiomicsPersonaTraining/Resources/masks")
SHOWN = (".png", ".html", ".json")
"""Files outside docs/ that the site brings along where a page links to them."""
OUTWARD = re.compile(r"\]\(\.\./([^)#\s]+)(#[^)\s]*)?\)")
MORE = "More"
FIGURES = {
    "ratio_to_best_fill": "squared error / best simple fill's",
    "ssim": "SSIM",
    "official_psnr": "PSNR (dB)",
    "auroc": "AUROC",
    "dice": "Dice",
    "found_ml": "found (ml)",
    "sensitivity": "sensitivity",
    "hd95_mm": "Hausdorff, 95th percentile (mm)",
    "grey": "Dice of grey matter",
    "white": "Dice of white matter",
    "fluid": "Dice of fluid",
}
"""What tables of model cards show of an evaluation, with its name there; the most telling first."""
MOST_FIGURES = 3


def on_config(config):
    """Pages that nobody has put into the navigation are listed at its end."""
    listed = set(re.findall(r"[\w-]+\.md", json.dumps(config.nav)))
    more = sorted(path.name for path in Path(config.docs_dir).glob("*.md") if path.name not in listed)
    if more:
        config.nav.append({MORE: more})
    return config


def on_files(files: Files, config) -> Files:
    """Add what is made from the program, and what pages link to outside docs/."""
    made = {
        "commands.md": commands_page(ANALYSIS),
        "training-commands.md": commands_page(TRAINING),
        "metrics.md": metrics_page(),
        "models.md": models_page(),
    }
    for name, text in made.items():
        files.append(File.generated(config, name, content=text))
    linked = {name for page in Path(config.docs_dir).glob("*.md") for name, _ in OUTWARD.findall(page.read_text("utf-8"))}
    for name in sorted(linked):
        if name.endswith(SHOWN) and (CHECKOUT / name).is_file():
            files.append(File.generated(config, name, abs_src_path=str(CHECKOUT / name)))
    return files


def on_page_markdown(markdown: str, page, config, files: Files) -> str:
    """Links that leave docs/ lead to the file's copy in the site, or to the repository; one that leads nowhere is a warning."""

    def link(found: re.Match) -> str:
        name, anchor = found[1], found[2] or ""
        if not (CHECKOUT / name).exists():
            LOG.warning("%s links to '../%s', which is not there", page.file.src_uri, name)
        return f"]({name if name.endswith(SHOWN) else REPOSITORY + name}{anchor})"

    return OUTWARD.sub(link, markdown)


def commands_page(registry: Registry) -> str:
    """Every command of a program with what it may be asked, from its parser."""
    parts = [f"# {registry.program}\n\n{registry.description}\n"]
    for head, group in registry.groups.items():
        parts.append(f"\n## {head}\n")
        parts += [_command(registry, name) for name in group]
    return "\n".join(parts)


def _command(registry: Registry, name: str) -> str:
    parser = registry.parser_of(name)
    parser.formatter_class = partial(HelpFormatter, width=100)  # a page is as wide wherever it is made
    usage = parser.format_usage().removeprefix("usage: ").rstrip()
    lines = [f"\n### {name} {{ #{name} }}\n\n{parser.description or ''}\n\n```text\n{usage}\n```\n"]
    for group in parser._action_groups:
        actions = [
            action for action in group._group_actions if action.help != SUPPRESS and "--help" not in action.option_strings
        ]
        if not actions:
            continue
        lines.append(f"\n*{group.title}*\n\n| | |\n|---|---|")
        for action in actions:
            words = ", ".join(action.option_strings) or str(action.metavar or action.dest)
            if action.option_strings and action.nargs != 0:
                value = action.metavar or (
                    f"{{{','.join(map(str, action.choices))}}}" if action.choices else action.dest.upper()
                )
                words += f" {value if isinstance(value, str) else ' '.join(value)}"
            told = (action.help or "").replace("%(default)s", str(action.default)).replace("%%", "%")
            lines.append(f"| `{words}` | {_cell(told)} |")
    if parser.epilog:
        lines.append(f"\n```text\n{parser.epilog}\n```")
    return "\n".join(lines) + "\n"


def metrics_page() -> str:
    """Metrics, and which of them are scores, from their definitions."""
    classifier = load_classifier()
    weighed = {name for name, weight in zip(classifier.features, classifier.coefficients) if weight} & set(SCORES)
    rows = []
    for key, metric in METRICS.items():
        used = ("yes" if key in some else "" for some in (SCORES, weighed))
        rows.append(f"| `{key}` | {metric.label} | {metric.unit} | {_cell(metric.formula)} | {' | '.join(used)} |")
    return METRICS_HEAD.format(
        metrics=len(METRICS), scores=len(SCORES), weighed=len(weighed), make_up=len(MAKE_UP)
    ) + "\n".join(rows)


METRICS_HEAD = """# Metrics and scores

A *metric* is one number of how a box differs from its healthy persona. x is the scan, y the persona, over the voxels of the box
inside the head. A *score* is a metric held against the control regions, larger for less healthy. The classifier
*weighs* scores.

There are {metrics} metrics. {scores} of them are scores, and the shipped classifier weighs {weighed} of these.
{make_up} metrics say what a box is made of. Scores are adjusted for them, and no verdict can rest on them.
The report shows the scores of a box that stand out most. `results.json` has all metrics and scores under these keys.

| key | name | unit | formula | score | weighed |
|---|---|---|---|---|---|
"""


def models_page() -> str:
    """The shipped models' cards."""
    parts = ["# Model cards\n\nWhat the JSON files beside the weights say. `radiomics-persona models --json` prints them.\n"]
    for folder in CARDS:
        for path in sorted((CHECKOUT / folder).glob("*.json")):
            parts.append(_card(json.loads(path.read_text(encoding="utf-8"))))
    return "\n".join(parts)


def _card(card: dict) -> str:
    rows = {
        "what it is for": card["description"],
        "kind": card.get("kind", ""),
        "contrasts": card["contrasts"],
        "version": card["version"],
        "network": f"{card['architecture']['class']}, {card['architecture']['parameters'] / 1e6:.2f} million weights",
        "limits": card["limits"],
        "how it was trained": card.get("history", ""),
        "licence": card["licence"],
        "SHA-256 of the weights": f"`{card['sha256']}`",
    }
    lines = [f"\n## {card['name']} {{ #{card['name']} }}\n\n| | |\n|---|---|"]
    lines += [f"| {key} | {_cell(str(value))} |" for key, value in rows.items() if value]
    for source in card.get("data", []):
        counts = ", ".join(f"{len(source[part])} for {part}" for part in ("training", "validation", "test") if source.get(part))
        lines.append(f"| data: {_cell(source['name'])} | {_cell(source['source'])}; {_cell(source['licence'])}; {counts} |")
    measured = card.get("evaluation")
    if measured:
        lines.append(f"\nMeasured {measured['date']} by `{measured['command']}`. {measured['what']}\n")
        lines += _figures(measured)
    return "\n".join(lines) + "\n"


def _figures(measured: dict) -> list[str]:
    """The telling means of an evaluation with their intervals: group by figure, or where groups have strata, group by stratum
    for every figure.
    """
    cells: dict[tuple[str, ...], dict[str, str]] = {}

    def walk(value, path: tuple[str, ...]) -> None:
        if isinstance(value, dict) and {"value", "low", "high"} <= set(value):
            known = all(value[key] is not None for key in ("value", "low", "high"))
            told = f"{value['value']:.3g} ({value['low']:.3g} to {value['high']:.3g})" if known else "-"
            cells.setdefault(path[1:-1], {})[path[-1]] = told
        elif isinstance(value, dict):
            for key, inner in value.items():
                walk(inner, (*path, str(key)))

    walk(measured, ())
    names = list(dict.fromkeys(name for row in cells.values() for name in row))
    shown = ([name for name in FIGURES if name in names] or names)[:MOST_FIGURES]
    if all(len(place) == 2 for place in cells) and cells:
        groups, strata = (list(dict.fromkeys(place[level] for place in cells)) for level in (0, 1))
        lines = []
        for figure in shown:
            rows = {group: [cells.get((group, stratum), {}).get(figure, "-") for stratum in strata] for group in groups}
            lines += [f"\n*{FIGURES.get(figure, figure)}*\n", *_table(strata, rows)]
    else:
        rows = {", ".join(place): [row.get(figure, "-") for figure in shown] for place, row in cells.items()}
        lines = _table([FIGURES.get(figure, figure) for figure in shown], rows)
    left = len(names) - len(shown)
    more = f" {left} more for each stand in the card's JSON." if left else ""
    return [*lines, f"\nMeans with 95 % intervals.{more}"]


def _table(heads: list[str], rows: dict[str, list[str]]) -> list[str]:
    lines = [f"| | {' | '.join(map(_cell, heads))} |", "|---" * (len(heads) + 1) + "|"]
    return lines + [f"| {_cell(name)} | {' | '.join(row)} |" for name, row in rows.items()]


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")
