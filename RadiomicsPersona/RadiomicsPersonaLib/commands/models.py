"""`radiomics-persona models`: what is installed."""

from __future__ import annotations

import argparse

from ..defaults import CLASSICAL
from ..networks.card import KINDS, model_cards, read_card
from ..system.json_text import written
from .job import Job

EXAMPLES = (
    "",
    "--json",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `models` may be asked."""
    parser.add_argument("--json", action="store_true", help="print the cards as JSON")


def run(options: argparse.Namespace, job: Job) -> int:
    """List the models, a line each, or their cards."""
    cards, tissue, lesion, segmentation = ([read_card(path) for path in model_cards(kind).values()] for kind in KINDS)
    if options.json:
        found = {"networks": cards, "classical": CLASSICAL, "tissue": tissue, "lesion": lesion, "segmentation": segmentation}
        print(written(found))
        return 0
    for card in cards:
        default = ", default" if card.get("default") else ""
        print(f"{card['name']:<14} network, {card.get('contrasts', '?')}{default}: {card.get('description', '')}")
    for name, description in CLASSICAL.items():
        print(f"{name:<14} classical: {description}")
    for card in tissue:
        print(f"{card['name']:<14} tissue model, finds the brain, segments any contrast: {card.get('description', '')}")
    for card in lesion:
        print(f"{card['name']:<14} lesion model, one of the scores, segments too: {card.get('description', '')}")
    for card in segmentation:
        print(f"{card['name']:<14} segmentation model, {card.get('contrasts', '?')}: {card.get('description', '')}")
    return 0
