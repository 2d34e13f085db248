"""The site: it builds without a dead link, and its reference is made from the program."""

from __future__ import annotations

import logging
import re
import sys
from html import unescape
from pathlib import Path

import pytest

from RadiomicsPersonaLib.analysis.score import SCORES
from RadiomicsPersonaLib.commands.registry import ANALYSIS
from RadiomicsPersonaLib.metrics.metric import METRICS
from RadiomicsPersonaLib.networks.card import read_card
from RadiomicsPersonaLib.resources import SHIPPED_MODELS
from RadiomicsPersonaTrainingLib.cli import TRAINING

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def site(checkout, tmp_path_factory) -> Path:
    """The site, built as `make docs` does; a dead link, anchor or picture ends the build."""
    pytest.importorskip("mkdocs", reason="MkDocs is not installed: pip install --requirement requirements-dev.txt")
    from mkdocs.commands.build import build
    from mkdocs.config import load_config

    folder = tmp_path_factory.mktemp("site")
    config = load_config(str(checkout / "mkdocs.yml"), site_dir=str(folder), strict=True)
    warned = []

    class Heard(logging.Handler):
        def emit(self, record):
            warned.append(record.getMessage())

    handler = Heard(logging.WARNING)
    logging.getLogger("mkdocs").addHandler(handler)
    try:
        config.plugins.on_startup(command="build", dirty=False)
        build(config)
    finally:
        logging.getLogger("mkdocs").removeHandler(handler)
    assert not warned, "\n".join(warned)
    return folder


def text_of(page: Path) -> str:
    return " ".join(unescape(re.sub(r"<[^>]*>", "", page.read_text(encoding="utf-8"))).split())


@pytest.mark.parametrize(("registry", "page"), [(ANALYSIS, "commands.html"), (TRAINING, "training-commands.html")])
def test_the_reference_has_every_command_and_every_option(site, registry, page):
    html, text = (site / page).read_text(encoding="utf-8"), text_of(site / page)
    for name in registry.commands:
        assert f'id="{name}"' in html
        for action in registry.parser_of(name)._actions:
            if action.help != "==SUPPRESS==" and "--help" not in action.option_strings:
                assert all(option in text for option in action.option_strings), (name, action.option_strings)


def test_model_cards_and_metrics_are_on_the_site(site):
    cards, metrics = text_of(site / "models.html"), text_of(site / "metrics.html")
    for path in SHIPPED_MODELS.glob("*.json"):
        card = read_card(path)
        assert card["sha256"] in cards and " ".join(card["limits"].split()) in cards
    assert f"There are {len(METRICS)} metrics. {len(SCORES)} of them are scores" in metrics
    assert all(key in metrics and " ".join(metric.formula.split()) in metrics for key, metric in METRICS.items())


def test_a_model_card_is_a_table_and_not_a_list_of_hundreds_of_raw_figures(site):
    html = (site / "models.html").read_text(encoding="utf-8")
    for path in SHIPPED_MODELS.glob("*.json"):
        [section] = re.findall(rf'<h2 id="{path.stem}">.*?(?=<h2|</body>)', html, re.DOTALL)
        assert not re.search("official_|_01|hd95_mm|figures, ", section), path.stem
        assert len(re.findall("<tr>", section)) < 100, path.stem


def test_an_evaluation_with_strata_is_a_table_of_group_by_stratum_for_each_of_three_figures(site, checkout):
    """The shipped card may be between two evaluations; this is one as `evaluate --card` writes it."""
    place = str(checkout / "docs" / "hooks.py")
    hooks = next(module for module in list(sys.modules.values()) if getattr(module, "__file__", None) == place)
    one = {"value": 0.5, "low": 0.25, "high": 0.75}
    stratum = {"subjects": 3} | dict.fromkeys(("ratio_to_best_fill", "mse", "ssim", "official_psnr", "official_psnr_01"), one)
    lines = hooks._figures({"figures": {"IXI": {"16-24 mm": stratum, "24-40 mm": stratum}, "OASIS": {"16-24 mm": stratum}}})
    assert lines[1:5] == [
        "| | 16-24 mm | 24-40 mm |",
        "|---|---|---|",
        "| IXI | 0.5 (0.25 to 0.75) | 0.5 (0.25 to 0.75) |",
        "| OASIS | 0.5 (0.25 to 0.75) | - |",
    ]
    titles = [line.strip() for line in lines if line.startswith("\n*")]
    assert titles == ["*squared error / best simple fill's*", "*SSIM*", "*PSNR (dB)*"] and "2 more" in lines[-1]


def test_tables_wrap(site):
    assert "white-space: normal" in (site / "site.css").read_text(encoding="utf-8")
    assert 'href="site.css"' in (site / "index.html").read_text(encoding="utf-8")


def test_every_page_is_reached_from_every_other_and_shows_its_pictures(site):
    pages = {path.name for path in site.glob("*.html")} - {"404.html", "search.html"}
    listed = set(re.findall(r'href="([\w-]+\.html)', (site / "index.html").read_text(encoding="utf-8")))
    assert pages - {"index.html"} <= listed
    for page in pages:
        for source in re.findall(r'<img[^>]* src="([^"]+)"', (site / page).read_text(encoding="utf-8")):
            assert (site / page).parent.joinpath(source).is_file(), (page, source)


def test_nothing_of_the_site_is_fetched_from_elsewhere(site):
    for page in site.glob("*.html"):
        fetched = re.findall(r'<(?:script|img)[^>]* src="([^"]+)"|<link[^>]* href="([^"]+\.css[^"]*)"', page.read_text("utf-8"))
        assert not [one for pair in fetched for one in pair if one.startswith(("http", "//"))], page.name
