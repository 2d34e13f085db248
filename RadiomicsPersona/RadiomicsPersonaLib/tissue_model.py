"""Tissue model: the shipped network that tells not-brain, fluid, grey and white matter apart in any contrast."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np

from .card import TISSUE_KIND, checked_weights, kind_of, model_cards, read_card
from .device import missing_package, precision_on, ready, require_torch
from .errors import InputError
from .tissue_input import tissue_input

STEP = 16
"""Sides of what the network is shown are multiples of this."""


class TissueModel:
    """The tissue network with checked weights.

    Attributes:
        name, card: the model's name and its card.
        spacing: millimetres of its grid.
        network: the `TissueUNet`.
    """

    def __init__(self, card: dict, weights: Path):
        from .network import TissueUNet

        self.card, self.name = card, card["name"]
        self.spacing = float(card["grid"]["spacing_mm"])
        self.precision = precision_on("cpu")
        architecture = card["architecture"]
        network = TissueUNet(tuple(architecture["channels"]), tuple(architecture["blocks"]))
        self.network = ready(network, weights, self.name, "cpu")

    def probabilities(self, values: np.ndarray) -> np.ndarray:
        """Probabilities of not brain, fluid, grey and white.

        The mean of the head's and its left-right flip's, so that neither side is judged otherwise than the other.

        Args:
            values: intensities (D, H, W) on a grid of `spacing`, axes nearly R, A, S; sides multiples of `STEP`.
        Returns:
            float32 (4, D, H, W), adding up to 1.
        """
        import torch

        image = torch.from_numpy(tissue_input(values))[None, None]
        total = 0
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=self.precision == "bfloat16"):
            for flips in ([], [2]):
                shown = image.flip(flips).contiguous(memory_format=torch.channels_last_3d)
                total = total + torch.softmax(self.network(shown).float(), dim=1).flip(flips)
        return (total / 2)[0].numpy()

    def provenance(self) -> dict:
        """What identifies this model and how it computed."""
        return {"method": "tissue model", "name": self.name, "sha256": self.card["sha256"], "precision": self.precision}


def installed_tissue_model() -> TissueModel | None:
    """The shipped tissue model, or the one in the folder of further models; None where it or torch is not installed.

    Raises:
        InputError: its card or its weights are damaged.
    """
    if missing_package():
        return None
    cards = model_cards(TISSUE_KIND)
    return _load(list(cards.values())[-1]) if cards else None


def load_tissue_model(name: str) -> TissueModel:
    """A tissue model by its name, "auto" for the one that the analysis takes, or by the path of its card.

    Raises:
        InputError: there is none of that name, or its card or weights are damaged.
    """
    require_torch()
    if name == "auto" and (model := installed_tissue_model()):
        return model
    cards = model_cards(TISSUE_KIND)
    path = cards.get(name, Path(name))
    if not path.is_file() or kind_of(read_card(path)) != TISSUE_KIND:
        raise InputError(f"There is no tissue model '{name}': choose one of {', '.join(['auto', *cards])}, or name a card.")
    return _load(path)


@lru_cache(maxsize=2)
def _load(path: Path) -> TissueModel:
    card = read_card(path)
    return TissueModel(card, checked_weights(card, path))
