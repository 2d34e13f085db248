"""The README and the pages beside it: short sentences, commands that the parsers take, true figures, living links."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

from RadiomicsPersonaLib.commands.registry import ANALYSIS
from RadiomicsPersonaTrainingLib.cli import TRAINING

CHECKOUT = Path(__file__).resolve().parents[2]
DOCS = CHECKOUT / "docs"
SHORT = ["README.md", "CONTRIBUTING.md"]
SHORT += sorted(path.relative_to(CHECKOUT).as_posix() for path in (*CHECKOUT.glob("*/README.md"), *CHECKOUT.glob("docs/*.md")))
PAGES = sorted(path.relative_to(CHECKOUT).as_posix() for path in (*CHECKOUT.glob("*.md"), *CHECKOUT.glob("*/*.md")))
"""All pages of the repository."""
MOST_LINES, MEAN_WORDS, MOST_WORDS = 130, 16, 35
ORDER = [
    *("Install", "Two commands", "Your own scan", "How good it is", "Limits", "Documentation", "Cite", "Help", "Licence"),
]
REGISTRIES = {registry.program: registry for registry in (ANALYSIS, TRAINING)}
ROWS = {
    "gliomas in FLAIR": "glioma FLAIR",
    "gliomas in T1": "glioma T1",
    "MS lesions in T1": "MS T1",
}
"""Rows of the README's table, with what the frozen evaluation calls them."""


def text_of(page: str) -> str:
    return (CHECKOUT / page).read_text(encoding="utf-8")


def sentences_in(text: str) -> list[str]:
    """The sentences of a Markdown text: no code, tables, headings or pictures; the words of links without their addresses."""
    text = re.sub(r"^```.*?^```", "", text, flags=re.S | re.M)
    blocks, block = [], []
    for line in [*text.splitlines(), ""]:
        starts_item = re.match(r"\s*([-*]|\d+\.) ", line)
        if not line.strip() or starts_item or line.startswith(("#", "|", "!", "    ")):
            blocks, block = [*blocks, " ".join(block)], []
            if not line.strip() or line.startswith(("#", "|", "!")) or (line.startswith("    ") and not starts_item):
                continue
        block.append(re.sub(r"^([-*]|\d+\.) ", "", line.strip()))
    plain = (re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", block) for block in blocks if block)
    return [sentence for block in plain for sentence in re.split(r"(?<=[.!?])[*_]*\s+", block) if re.search(r"\w", sentence)]


def commands_in(text: str) -> list[str]:
    """Lines of code that call one of the programs, without what is said about them."""
    lines = (line.strip() for line in text.splitlines() if line.startswith("    "))
    return [re.split(r"\s+#", line)[0] for line in lines if line.startswith(tuple(f"{name} " for name in REGISTRIES))]


def anchors_of(text: str) -> set[str]:
    """The anchors of a page's headings, as GitHub and MkDocs make them."""
    heads = re.findall(r"^#+ (.*)$", re.sub(r"^```.*?^```", "", text, flags=re.S | re.M), re.M)
    return {re.sub(r"[^\w\- ]", "", head.lower()).strip().replace(" ", "-") for head in heads}


def test_the_readme_is_short_and_in_the_order_that_a_reader_asks():
    text = text_of("README.md")
    assert len(text.splitlines()) <= MOST_LINES
    assert re.findall(r"^## (.*)$", text, re.M) == ORDER
    assert text.index("](Resources/real-lesion.png)") < text.index("## Install")
    assert "Research use only, not a medical device." in text


@pytest.mark.parametrize("page", SHORT)
def test_sentences_are_short(page):
    lengths = {sentence: len(sentence.split()) for sentence in sentences_in(text_of(page))}
    mean = sum(lengths.values()) / len(lengths)
    longest = max(lengths, key=lengths.get)
    print(f"{page}: {len(lengths)} sentences, {sum(lengths.values())} words, {mean:.1f} a sentence, {lengths[longest]} at most")
    assert mean < MEAN_WORDS
    assert lengths[longest] <= MOST_WORDS, longest


@pytest.mark.parametrize("page", [page for page in PAGES if commands_in(text_of(page))])
def test_the_commands_of_a_page_are_understood(page):
    for line in commands_in(text_of(page)):
        program, *words = shlex.split(line.replace("...", "more"))
        assert REGISTRIES[program].options_of(words).command == words[0], line


def test_make_knows_every_target_that_a_page_names():
    made = set(re.findall(r"^([a-z]+):", text_of("Makefile"), re.M))
    named = {target for page in PAGES for target in re.findall(r"^    make ([a-z]+)", text_of(page), re.M)}
    assert {"demo", "test", "install", "docs"} <= named <= made


def test_the_figures_of_the_readme_are_those_of_the_shipped_evaluation():
    frozen = json.loads(text_of("Resources/verdict-evaluation.json"))
    text = text_of("README.md")
    healthy = frozen["healthy"]["all healthy people"]
    called = [100 * healthy["called_1"][key] for key in ("value", "low", "high")]
    told = f"| {healthy['boxes']} in {healthy['people']} people | {called[0]:.1f} % ({called[1]:.1f}-{called[2]:.1f}) |"
    assert told in text, told
    for row, name in ROWS.items():
        cells = []
        for size in ("tight", "twice"):
            share = [f"{100 * frozen['boxes'][f'{name}, {size}']['called_1'][key]:.0f}" for key in ("value", "low", "high")]
            cells.append(f"{share[0]} % ({share[1]}-{share[2]})")
        told = (
            rf"\| {row} \| {frozen['boxes'][f'{name}, tight']['lesions']} in \d+ patients \| {re.escape(' | '.join(cells))} \|"
        )
        assert re.search(told, text), told


@pytest.mark.parametrize(
    "page", ["README.md", *(f"docs/{name}.md" for name in ("faq", "method", "tutorial", "howto", "files"))]
)
def test_how_many_metrics_and_scores_there_are_is_left_to_the_page_that_counts_them(page):
    """The site's *Metrics and scores* is made from the program."""
    assert not re.search(r"(\d+|[a-z]*teen|twenty[a-z-]*)\s(metrics|scores)\b", text_of(page))


@pytest.mark.parametrize("page", PAGES)
def test_no_link_of_a_page_is_dead(page):
    """Within the repository; pages that the site makes are checked when it is built."""
    for target in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"^```.*?^```", "", text_of(page), flags=re.S | re.M)):
        if target.startswith(("http://", "https://", "mailto:")):
            continue
        name, _, anchor = target.partition("#")
        path = (CHECKOUT / page).parent / name if name else CHECKOUT / page
        assert path.exists(), f"{page} links to {target}"
        assert not anchor or anchor in anchors_of(path.read_text(encoding="utf-8")), f"{page} links to {target}"
