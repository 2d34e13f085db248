"""Card: what is known of a trained model, beside its weights, and the check that they belong together."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator
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
KINDS = (RECONSTRUCTION_KIND, TISSUE_KIND, LESION_KIND, SEGMENTATION_KIND)
"""What those do that `radiomics-persona` uses."""


def own_models() -> Path:
    """The folder of further models: the one that RADIOMICS_PERSONA_MODELS names, or the user's own. It need not be there."""
    return Path(os.environ.get(FOLDER_VARIABLE) or Path.home() / OWN_FOLDER)


def model_cards(kind: str = RECONSTRUCTION_KIND) -> dict[str, Path]:
    """Names and card files of the shipped models of a kind and of those in the folder of further models.

    Other JSON files that lie there are passed over.

    Raises:
        InputError: a card is damaged.
    """
    cards = {}
    for folder in (SHIPPED_MODELS, own_models()):
        for path in sorted(folder.glob("*.json")):
            if _is_card(path) and kind_of(read_card(path)) == kind:
                cards[path.stem] = path
    return cards


def _is_card(path: Path) -> bool:
    """Whether a JSON file is a card, a whole or a damaged one: it says what only cards say, or weights lie beside it."""
    if path.with_suffix(".safetensors").exists():
        return True
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(content, dict) and bool({"architecture", "weights", "sha256"} & set(content))


def read_card(path: Path) -> dict:
    """The card of a model.

    Raises:
        InputError: the card is damaged or lacks what is needed.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"The model card '{path.name}' cannot be read ({error.strerror}): install the model again.") from error
    return card_of(content, path.name)


def card_of(content: bytes, name: str) -> dict:
    """The card that a file holds, with every value that is used of the kind and size that it can have.

    Args:
        content: JSON in UTF-8.
        name: of the file, for the sentence.
    Raises:
        InputError: the card is damaged, lacks what is needed, or holds what no card does.
    """
    try:
        card = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise InputError(f"The model card '{name}' cannot be read ({error}): install the model again.") from error
    if not isinstance(card, dict):
        raise InputError(f"The model card '{name}' is no JSON object: install the model again.")
    missing = {"name", "architecture", "grid", "weights", "sha256"} - set(card)
    if missing:
        raise InputError(f"The model card '{name}' lacks {', '.join(sorted(missing))}: install the model again.")
    wrong = next(_unusable(card), None)
    if wrong:
        raise InputError(f"The model card '{name}' has an unusable {wrong}: install the model again.")
    return card


LARGEST_PATCH, WIDEST, MOST_LEVELS, MOST_BLOCKS = 512, 1024, 8, 16
"""Of what a network is shown (voxels along an axis), of its levels (channels), of levels, and of the blocks of each."""


def _unusable(card: dict) -> Iterator[str]:
    """The keys whose values a model cannot have."""
    yield from (key for key in ("name", "weights", "sha256", *_TEXTS) if not isinstance(card.get(key, ""), str))
    yield from (key for key in _OBJECTS if not isinstance(card.get(key, {}), dict))
    if not isinstance(card.get("data", []), list) or not all(isinstance(entry, dict) for entry in card.get("data", [])):
        yield "data"
    if isinstance(card["architecture"], dict):
        yield from (f"architecture ({key})" for key in _unusable_sizes(card["architecture"]))
    if isinstance(card["grid"], dict) and isinstance(card.get("kind", ""), str):
        needed = _GRIDS.get(kind_of(card), {})
        yield from (f"grid ({key})" for key, fits in needed.items() if not fits(card["grid"].get(key)))
    known = card.get("known_range")
    if kind_of(card) == RECONSTRUCTION_KIND and isinstance(known, dict):
        yield from () if _is_number(known.get("error_over_rim_mean"), 0, math.inf) else ("known_range",)
    if kind_of(card) == SEGMENTATION_KIND:
        yield from _unusable_classes(card.get("segmentation"))
    if kind_of(card) == MASK_KIND:
        yield from () if _are_masks(card.get("masks")) else ("masks",)


def _unusable_sizes(architecture: dict) -> Iterator[str]:
    if not isinstance(architecture.get("class"), str):
        yield "class"
    channels, blocks = architecture.get("channels"), architecture.get("blocks")
    if not _are_whole(channels, 8, WIDEST, range(1, MOST_LEVELS + 1)) or any(width % 8 for width in channels):
        yield "channels"
    elif not _are_whole(blocks, 1, MOST_BLOCKS, (len(channels),)):
        yield "blocks"
    yield from (key for key in ("inputs", "outputs") if key in architecture and not _is_whole(architecture[key], 1, WIDEST))


def _unusable_classes(what) -> Iterator[str]:
    """What a segmenting model's classes and contrasts lack."""
    if not isinstance(what, dict):
        yield "segmentation"
        return
    for key, inner, fits in (
        ("channels", "endings", lambda value: isinstance(value, list) and all(isinstance(text, str) for text in value)),
        ("labels", "number", lambda value: _is_whole(value, 1, 2**31)),
    ):
        entries = what.get(key)
        if not isinstance(entries, list) or not entries:
            yield f"segmentation ({key})"
        elif not all(isinstance(e, dict) and isinstance(e.get("name"), str) and fits(e.get(inner)) for e in entries):
            yield f"segmentation ({key})"
    if not isinstance(what.get("may_miss"), bool):
        yield "segmentation (may_miss)"


def _are_masks(what) -> bool:
    """Whether this is what a model that draws lesion masks says of them."""
    if not isinstance(what, dict) or not isinstance(what.get("kinds"), list) or not isinstance(what.get("generator"), str):
        return False
    rough = what.get("roughness", {})
    return (
        bool(what["kinds"])
        and all(isinstance(kind, str) for kind in what["kinds"])
        and _is_whole(what.get("steps"), 1, 1000)
        and isinstance(rough, dict)
        and all(_is_number(value, 0, 100) for value in rough.values())
    )


def _is_whole(value, low: int, high: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def _is_number(value, low: float, high: float) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and low <= value <= high


def _are_whole(values, low: int, high: int, counts) -> bool:
    return isinstance(values, list) and len(values) in counts and all(_is_whole(value, low, high) for value in values)


_TEXTS = ("kind", "description", "contrasts", "limits", "licence", "version")
_OBJECTS = ("architecture", "grid", "training", "evaluation", "known_range", "segmentation", "masks")
_LARGEST_MM = 100.0
_GRIDS = {
    RECONSTRUCTION_KIND: {
        "patch_voxels": lambda value: _is_whole(value, 8, LARGEST_PATCH),
        "largest_hole_voxels": lambda value: _is_number(value, 1, LARGEST_PATCH),
        "spacings_mm": lambda value: (
            isinstance(value, list) and 0 < len(value) <= 100 and all(_is_number(mm, 0.01, _LARGEST_MM) for mm in value)
        ),
    },
    TISSUE_KIND: {"spacing_mm": lambda value: _is_number(value, 0.01, _LARGEST_MM)},
    LESION_KIND: {"spacing_mm": lambda value: _is_number(value, 0.01, _LARGEST_MM)},
    SEGMENTATION_KIND: {
        "spacing_mm": lambda value: (
            isinstance(value, list) and len(value) == 3 and all(_is_number(mm, 0, _LARGEST_MM) for mm in value)
        ),
        "window_voxels": lambda value: _are_whole(value, 1, LARGEST_PATCH, (3,)),
        "flips": lambda value: isinstance(value, bool),
    },
    MASK_KIND: {"patch_voxels": lambda value: _is_whole(value, 8, LARGEST_PATCH)},
}
"""What the grid of every kind of model needs, and what it can be."""


def kind_of(card: dict) -> str:
    """What a model does: one of the kinds above."""
    return card.get("kind", RECONSTRUCTION_KIND)


def text_of_card(card: dict) -> str:
    """What a reader should know of a model: what it is for, its limits, what it was trained on, how good it is,
    and its checksum; a sentence where what it says of these is not in the form of a card.
    """
    try:
        return _text_of_card(card)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        return f"The card of the model '{card['name']}' cannot be shown ({type(error).__name__}: {error}): install it again."


def _text_of_card(card: dict) -> str:
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
