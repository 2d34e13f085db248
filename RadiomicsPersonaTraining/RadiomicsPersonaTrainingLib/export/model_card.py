"""Model card: the figures of an evaluation in the card of the model that it evaluated."""

from __future__ import annotations

import json
from pathlib import Path

from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.networks.card import RECONSTRUCTION_KIND, kind_of, model_cards, read_card
from RadiomicsPersonaLib.networks.trained_model import TrainedModel
from RadiomicsPersonaLib.reconstruction.reconstruction_model import ClassicalModel, Model
from RadiomicsPersonaLib.system.json_text import object_in
from RadiomicsPersonaLib.system.output import file_written_whole

COMMAND = "radiomics-persona-train evaluate FOLDER --model {name} --boxes {boxes} --seed {seed} --output DIR --card"
_WHAT = (
    "means over subjects that the model never saw, with 95 % intervals from 2,000 bootstrap draws over subjects; "
    "ratio_to_best_fill is the squared error over that of the best simple fill"
)


def card_file_of(name: str, model: Model | TrainedModel) -> Path:
    """The card that a model was loaded from.

    Args:
        name: what `load_model` was given.
    Raises:
        InputError: the model has no card, or the card is gone.
    """
    if isinstance(model, ClassicalModel):
        raise InputError(
            f"The model '{model.name}' is a classical fill without a card: choose a trained model, or leave out --card."
        )
    if name.lower().endswith(".json") and Path(name).is_file():
        return Path(name)
    for path in model_cards(kind_of(model.card)).values():
        if read_card(path)["sha256"] == model.card["sha256"]:
            return path
    raise InputError(f"The card of '{model.name}' is no longer there: install the model again.")


def evaluation_in(file: Path) -> dict:
    """What an `evaluation.json` of a model holds.

    Raises:
        InputError: it is damaged, or no such file.
    """
    try:
        record = object_in(file)
        if not isinstance(record.get("model"), dict):
            raise ValueError("it names no model")
    except (OSError, ValueError) as error:
        raise InputError(f"'{file}' cannot be read ({error}): evaluate again.") from error
    return record


def write_card(card_file: Path, evaluation_file: Path) -> None:
    """Put the figures of an `evaluation.json` into a model card in place of those it holds.

    Raises:
        InputError: the evaluation is of other weights than the card's, or the card cannot be written.
    """
    card = read_card(card_file)
    record = evaluation_in(evaluation_file)
    if record["model"].get("sha256") != card["sha256"]:
        raise InputError(
            f"'{evaluation_file}' is an evaluation of other weights than those of '{card_file.name}': evaluate again."
        )
    if kind_of(card) == RECONSTRUCTION_KIND:
        kept = ("schema", "date", "versions", "model", "seed", "boxes_per_stratum", "holes", "figures", "any_contrast")
        command = COMMAND.format(name=card["name"], boxes=record["boxes_per_stratum"], seed=record["seed"])
        record = {"command": command, "what": _WHAT, **{key: record[key] for key in kept}}
    card["evaluation"] = record
    with file_written_whole(card_file) as staging:
        staging.write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")
