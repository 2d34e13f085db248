"""Start: the model whose weights a training begins with."""

from __future__ import annotations

from pathlib import Path

from RadiomicsPersonaLib.defaults import CLASSICAL
from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.networks.card import (
    LESION_KIND,
    MASK_KIND,
    RECONSTRUCTION_KIND,
    SEGMENTATION_KIND,
    TISSUE_KIND,
    kind_of,
    model_cards,
    read_card,
)
from RadiomicsPersonaLib.networks.head_model import HEAD_MODELS
from RadiomicsPersonaLib.networks.trained_model import TrainedModel
from RadiomicsPersonaLib.reconstruction.reconstruction_model import NetworkModel, card_files, load_model
from RadiomicsPersonaLib.segmentation.segmentation_model import SegmentationModel

from ..lesion_masks.mask_model import MaskModel

TRAINED_MODELS = HEAD_MODELS | {SEGMENTATION_KIND: SegmentationModel, MASK_KIND: MaskModel}
"""Every kind of model but those that rebuild."""


def card_to_start_from(name: str, kind: str) -> dict:
    """The card of `model_to_start_from`, for which no weights are loaded.

    Raises:
        InputError: there is no such model, or it has no weights.
    """
    kind = _kind_to_start_from(name, kind)
    return read_card(card_files(name)[0] if kind == RECONSTRUCTION_KIND else TRAINED_MODELS[kind].card_file(name))


def model_to_start_from(name: str, kind: str) -> NetworkModel | TrainedModel:
    """The model whose weights a training of this kind begins with; a lesion model may begin with a tissue model's.

    Raises:
        InputError: there is no such model, or it has no weights.
    """
    kind = _kind_to_start_from(name, kind)
    return load_model(name, "cpu") if kind == RECONSTRUCTION_KIND else TRAINED_MODELS[kind].load(name)


def _kind_to_start_from(name: str, kind: str) -> str:
    if kind == RECONSTRUCTION_KIND and name in CLASSICAL:
        raise InputError(f"'{name}' has no weights to start from: name a trained model.")
    if kind == LESION_KIND:
        path = model_cards(TISSUE_KIND).get(name, Path(name))
        if path.is_file() and kind_of(read_card(path)) == TISSUE_KIND:
            return TISSUE_KIND
    return kind
