"""Card: what is known of a trained model, beside its weights, and the check that they belong together."""

from __future__ import annotations

import json
import os
from pathlib import Path

from ..errors import InputError
from ..imaging.files import sha256_of
from ..resources import SHIPPED_MODELS

FOLDER_VARIABLE = "RADIOMICS_PERSONA_MODELS"
"""Environment variable with a folder of further models, instead of the user's own."""
OWN_FOLDER = Path(".radiomics-persona") / "models"
"""The user's own folder of further models, in the home folder; it outlives an update of the extension."""
RECONSTRUCTION_KIND, TISSUE_KIND, LESION_KIND, SEGMENTATION_KIND, MASK_KIND = (
    "reconstruction",
    "tissue",
    "lesion",
    "segmentation",
    "masks",
)
"""What models do: rebuild healthy tissue, tell tissues apart, find lesions, segment what they were shown,
or draw lesion masks."""


def own_models() -> Path:
    """The folder of further models: the one that RADIOMICS_PERSONA_MODELS names, or the user's own. It need not be there."""
    return Path(os.environ.get(FOLDER_VARIABLE) or Path.home() / OWN_FOLDER)


def model_cards(kind: str = RECONSTRUCTION_KIND) -> dict[str, Path]:
    """Names and card files of the shipped models of a kind and of those in the folder of further models.

    Raises:
        InputError: a card is damaged.
    """
    cards = {}
    for folder in (SHIPPED_MODELS, own_models()):
        for path in sorted(folder.glob("*.json")):
            if kind_of(read_card(path)) == kind:
                cards[path.stem] = path
    return cards


def read_card(path: Path) -> dict:
    """The card of a model.

    Raises:
        InputError: the card is damaged or lacks what is needed.
    """
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
        missing = {"name", "architecture", "grid", "weights", "sha256"} - set(card)
    except (OSError, ValueError, TypeError) as error:
        raise InputError(f"The model card '{path.name}' cannot be read ({error}): install the model again.") from error
    if missing:
        raise InputError(f"The model card '{path.name}' lacks {', '.join(sorted(missing))}: install the model again.")
    return card


def kind_of(card: dict) -> str:
    """What a model does: one of the kinds above."""
    return card.get("kind", RECONSTRUCTION_KIND)


def text_of_card(card: dict) -> str:
    """What a reader should know of a model: what it is for, its limits, what it was trained on, how good it is,
    and its checksum.
    """
    lines = [f"{card['name']}, version {card.get('version', 'not given')}", card.get("description", "")]
    lines += [f"Meant for: {card.get('contrasts', 'not given')}", f"Limits: {card.get('limits', 'not given')}"]
    lines += ["", "Trained on"]
    for data in card.get("data", []):
        people = len(data.get("training", []))
        lines.append(
            f"  {data['name']}: {f'{people} people, ' if people else ''}{data.get('licence', 'licence not given')}; "
            f"{data.get('source', '')}"
        )
    lines += ["", *(_segmenting(card) if kind_of(card) == SEGMENTATION_KIND else _rebuilding(card))]
    lines += [f"Licence: {card.get('licence', 'not given')}", f"SHA-256 of the weights: {card['sha256']}"]
    return "\n".join(lines)


def _rebuilding(card: dict) -> list[str]:
    """How good a model is that rebuilds, and its grid."""
    lines = ["Squared error as a share of the best simple fill's, in people never trained on (1 is no better)"]
    for subjects, strata in card.get("evaluation", {}).get("figures", {}).items():
        ratios = [
            f"{size} {row['ratio_to_best_fill']['value']:.2f}" for size, row in strata.items() if "ratio_to_best_fill" in row
        ]
        lines += [f"  {subjects}: {', '.join(ratios)}"] if ratios else []
    if len(lines) == 1:
        lines = ["Its errors have not been measured."]
    spacings = ", ".join(f"{value:g}" for value in card["grid"].get("spacings_mm", []))
    return [*lines, "", f"Grid: {card['grid'].get('patch_voxels', '?')} voxels of {spacings or '?'} mm"]


def _segmenting(card: dict) -> list[str]:
    """What a model segments, how well, and its grid."""
    lines = [f"Finds: {', '.join(label['name'] for label in card['segmentation']['labels'])}"]
    figures = card.get("evaluation", {}).get("figures", {})
    lines += [
        "",
        "Dice and 95th percentile of the surfaces' distance in people never trained on"
        if figures
        else "Its errors have not been measured.",
    ]
    lines += [f"  {name}: {row['dice']['value']:.2f}, {row['hd95_mm']['value']:.1f} mm" for name, row in figures.items()]
    sides, spacings = (" x ".join(f"{value:g}" for value in card["grid"][key]) for key in ("window_voxels", "spacing_mm"))
    return [*lines, "", f"Grid: {sides} voxels of {spacings} mm"]


def checked_weights(card: dict, path: Path) -> Path:
    """The file of a card's weights, beside the card.

    Raises:
        InputError: it is missing, or its SHA-256 is not the card's.
    """
    weights = path.with_name(Path(card["weights"]).name)
    if not weights.is_file():
        raise InputError(f"The weights '{weights.name}' of model '{card['name']}' are missing: install the model again.")
    if sha256_of(weights) != card["sha256"]:
        raise InputError(
            f"The weights of model '{card['name']}' are damaged (their SHA-256 differs from the card's): install the model "
            "again."
        )
    return weights
