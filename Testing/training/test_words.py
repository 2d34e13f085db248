"""What users read has one name for every thing: the field's."""

from __future__ import annotations

import ast
import re
from dataclasses import replace

from bench.blurred_analysis import blurred_analysis

from RadiomicsPersonaLib.analysis.result import StabilityTrial
from RadiomicsPersonaLib.commands.registry import ANALYSIS
from RadiomicsPersonaLib.geometry.box import Box
from RadiomicsPersonaLib.metrics.metric import METRICS
from RadiomicsPersonaLib.report.html_report import report_of
from RadiomicsPersonaTrainingLib.cli import TRAINING

BANNED = {
    "even odds beforehand": "at a prior of 50 %",
    "whatever the persona": "from the scan alone",
    "tissue doubt": "tissue-class entropy",
    "what stands out": "score profile",
    "among healthy boxes": "control distribution",
    "healthy box": "control region",
    "tell as much as": "effective number",
    "ball of its volume": "equivalent sphere diameter",
    "graphics card": "GPU",
    "graphics device": "GPU",
    "processor": "CPU",
    "live twin": "live persona",
    "preprocessing, brain": "a name of `report.provenance`",
    "classifier, own": "a name of `report.provenance`",
}
"""What no user reads any more, and what is said instead."""
HISTORY = {"experiments.md", "evaluation.md"}


def old_words(text: str) -> list[str]:
    """Those in a text, whatever its lines, capitals and the marks of keyboard shortcuts."""
    plain = " ".join(text.replace("&amp;", "").replace("&", "").replace("*", "").split()).lower()
    return [word for word in BANNED if re.search(rf"\b{re.escape(word)}", plain)]


def helps(capsys):
    """Name and text of every `--help` of both programs."""
    for registry in (ANALYSIS, TRAINING):
        registry.main([])
        yield registry.program, capsys.readouterr().out
        for name in registry.commands:
            yield f"{registry.program} {name}", registry.parser_of(name).format_help()


def panel_texts(checkout):
    """File and text of what panels say in code: all that is marked for translation."""
    for path in sorted([*checkout.glob("RadiomicsPersona*/*.py"), *checkout.glob("RadiomicsPersona*/*/*.py")]):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "_" and isinstance(node.args[0], ast.Constant):
                yield path.name, node.args[0].value


def test_the_fields_words_are_used_wherever_users_read(checkout, synthetic_head, capsys):
    analysis = blurred_analysis(synthetic_head, [Box([-30, 10, 20], [30, 24, 20], name="A"), Box([0, 60, 40], [20, 20, 20])])
    first = replace(
        analysis.boxes[0],
        q=0.4,
        probability=0.5,
        independent_controls=3.0,
        effective_boxes=240.0,
        stability=(StabilityTrial("another seed", 1, 0.04),),
    )
    read = [("the report", report_of(replace(analysis, boxes=(first, *analysis.boxes[1:])))), *helps(capsys)]
    read += panel_texts(checkout)
    read += [(key, f"{metric.label}: {metric.formula}") for key, metric in METRICS.items()]
    pages = [*checkout.glob("RadiomicsPersona*/Resources/UI/*.ui"), *checkout.glob("docs/*.md"), checkout / "README.md"]
    read += [(path.name, path.read_text(encoding="utf-8")) for path in sorted(pages) if path.name not in HISTORY]
    found = {(name, word): BANNED[word] for name, text in read for word in old_words(text)}
    assert len(read) > 500 and not found, found
