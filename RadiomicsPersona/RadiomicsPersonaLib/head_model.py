"""Head model: a shipped network that looks at a whole head of any contrast, on a grid of its own."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np

from .card import LESION_KIND, TISSUE_KIND, checked_weights, kind_of, model_cards, read_card
from .device import missing_package, precision_on, ready, require_torch
from .errors import InputError
from .tissue_input import tissue_input

STEP = 16
"""Sides of what the network is shown are multiples of this."""


class HeadModel:
    """A network that looks at heads, with checked weights.

    Attributes:
        name, card: the model's name and its card.
        spacing: millimetres of its grid.
        network: the `TissueUNet` or `LesionUNet`.
    """

    kind: str

    def __init__(self, card: dict, weights: Path):
        from . import network

        self.card, self.name = card, card["name"]
        self.spacing = float(card["grid"]["spacing_mm"])
        self.precision = precision_on("cpu")
        architecture = card["architecture"]
        unet = {TISSUE_KIND: network.TissueUNet, LESION_KIND: network.LesionUNet}[self.kind]
        self.network = ready(unet(tuple(architecture["channels"]), tuple(architecture["blocks"])), weights, self.name, "cpu")

    def probabilities(self, values: np.ndarray) -> np.ndarray:
        """Probabilities of what the network tells apart.

        The mean of the head's and its left-right flip's, so that neither side is judged otherwise than the other.

        Args:
            values: intensities (D, H, W) on a grid of `spacing`, axes nearly R, A, S; sides multiples of `STEP`.
        Returns:
            float32 (K, D, H, W): not brain, fluid, grey and white, adding up to 1, by a tissue model; lesion by a lesion model.
        """
        import torch

        image = torch.from_numpy(tissue_input(values))[None, None]
        total = 0
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=self.precision == "bfloat16"):
            for flips in ([], [2]):
                shown = image.flip(flips).contiguous(memory_format=torch.channels_last_3d)
                logits = self.network(shown).float()
                total = total + (torch.softmax(logits, dim=1) if logits.shape[1] > 1 else torch.sigmoid(logits)).flip(flips)
        return (total / 2)[0].numpy()

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
        return _load(cls, list(cards.values())[-1]) if cards else None

    @classmethod
    def load(cls, name: str):
        """A model of this kind by its name, "auto" for the one that the analysis takes, or by the path of its card.

        Raises:
            InputError: there is none of that name, or its card or weights are damaged.
        """
        require_torch()
        if name == "auto" and (model := cls.installed()):
            return model
        cards = model_cards(cls.kind)
        path = cards.get(name, Path(name))
        if not path.is_file() or kind_of(read_card(path)) != cls.kind:
            raise InputError(f"There is no {cls.kind} model '{name}': choose one of {', '.join(['auto', *cards])}, or name a card.")
        return _load(cls, path)


class TissueModel(HeadModel):
    """Tells not-brain, fluid, grey and white matter apart."""

    kind = TISSUE_KIND


class LesionModel(HeadModel):
    """Finds what is no healthy tissue."""

    kind = LESION_KIND


HEAD_MODELS = {model.kind: model for model in (TissueModel, LesionModel)}
"""By what they do."""


def installed_head_models() -> dict[str, str | None]:
    """SHA-256 of the weights of the model of every kind that the analysis asks, None where there is none."""
    models = {kind: model.installed() for kind, model in HEAD_MODELS.items()}
    return {kind: model.card["sha256"] if model else None for kind, model in models.items()}


@lru_cache(maxsize=4)
def _load(kind: type[HeadModel], path: Path) -> HeadModel:
    card = read_card(path)
    return kind(card, checked_weights(card, path))
