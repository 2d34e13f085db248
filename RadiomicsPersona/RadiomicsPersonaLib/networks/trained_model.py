"""Trained model: a network with its card and checked weights, found by its name;
what all models share that look at whole scans.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np

from ..errors import InputError
from ..system.device import missing_package, precision_on, ready, require_torch, torch_device
from .card import checked_weights, kind_of, model_cards, read_card


class TrainedModel:
    """A network with checked weights.

    Attributes:
        name, card: the model's name and its card.
        network: of the class that the card names, on the device.
        device: where it computes.
    """

    kind: str
    automatic = True
    """Whether "auto" stands for one of them."""

    def __init__(self, card: dict, weights: Path, device: str = "cpu"):
        from .unets import network_of  # needs torch, which a Slicer may lack

        self.card, self.name = card, card["name"]
        self.device = torch_device(device)
        self.network = ready(network_of(card["architecture"]), weights, self.name, self.device)

    @property
    def precision(self) -> str:
        """ "bfloat16" or "float32"."""
        return precision_on(self.device)

    def provenance(self) -> dict:
        """What identifies this model and how it computed."""
        return {"method": f"{self.kind} model", "name": self.name, "sha256": self.card["sha256"], "precision": self.precision}

    @classmethod
    def installed(cls):
        """The shipped model of this kind, or the one in the folder of further models; None where it or torch is not installed.

        Raises:
            InputError: its card or its weights are damaged.
        """
        if missing_package():
            return None
        cards = model_cards(cls.kind)
        return _load(cls, list(cards.values())[-1], "cpu") if cards else None

    @classmethod
    def load(cls, name: str, device: str = "cpu"):
        """A model of this kind by its name, "auto" for the one that the analysis takes by itself, or by the path of its card.

        Raises:
            InputError: there is none of that name, its card or weights are damaged, or the device is not there.
        """
        require_torch()
        return _load(cls, cls.card_file(name), "cpu" if name == "auto" else device)

    @classmethod
    def card_file(cls, name: str) -> Path:
        """The card that a name stands for, see `load`.

        Raises:
            InputError: there is none of that name.
        """
        cards = model_cards(cls.kind)
        if name == "auto" and cls.automatic and cards:
            return list(cards.values())[-1]
        path = cards.get(name, Path(name))
        if not path.is_file() or kind_of(read_card(path)) != cls.kind:
            names = ", ".join([*(["auto"] if cls.automatic else []), *cards])
            raise InputError(
                f"There is no {cls.kind} model '{name}': {f'choose one of {names}, or ' if names else ''}name a card."
            )
        return path


@lru_cache(maxsize=4)
def _load(kind: type[TrainedModel], path: Path, device: str) -> TrainedModel:
    card = read_card(path)
    return kind(card, checked_weights(card, path), device)


def numbers_of(name: str, answer: np.ndarray) -> np.ndarray:
    """What a network answers, if it is numbers.

    Args:
        name: of the model, for the sentence.
    Raises:
        InputError: some of it is not finite, as where its weights are of no training that went well.
    """
    if not np.isfinite(answer).all():
        raise InputError(
            f"The model '{name}' answers with values that are no numbers: choose another one, or install it again."
        )
    return answer
