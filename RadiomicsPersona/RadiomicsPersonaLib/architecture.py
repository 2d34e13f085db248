"""Architecture: the one place where networks are made, from what a card or a training's settings say of them."""

from __future__ import annotations

from torch import nn

from .errors import InputError
from .network import FoldedUNet, LesionUNet, ReconstructionUNet, TissueUNet
from .segmentation_network import PlainUNet, ResidualUNet

NETWORKS = {cls.__name__: cls for cls in (ReconstructionUNet, TissueUNet, LesionUNet, FoldedUNet, PlainUNet, ResidualUNet)}
"""By the `class` of a card's architecture."""


def network_of(architecture: dict) -> nn.Module:
    """The network, with fresh weights.

    Args:
        architecture: its `class`, `channels`, `blocks` and, where the class leaves them open, `inputs` and `outputs`.
    Raises:
        InputError: this version knows no such network.
    """
    kind = NETWORKS.get(architecture.get("class"))
    if kind is None:
        raise InputError(f"This version has no network '{architecture.get('class')}': install the model and the program anew.")
    ends = [int(architecture[key]) for key in ("inputs", "outputs") if key in architecture]
    return kind(*ends, tuple(architecture["channels"]), tuple(architecture["blocks"]))
