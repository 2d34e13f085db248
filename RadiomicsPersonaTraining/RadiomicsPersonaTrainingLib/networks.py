"""Networks: what is trained, from the settings; plain PyTorch, several sizes of one family."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from RadiomicsPersonaLib.card import LESION_KIND, RECONSTRUCTION_KIND, TISSUE_KIND
from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.network import LesionUNet, ReconstructionUNet, TissueUNet

from .setting import setting

NETWORKS = {RECONSTRUCTION_KIND: ReconstructionUNet, TISSUE_KIND: TissueUNet, LESION_KIND: LesionUNet}
"""The network of every kind of model."""


@dataclass(frozen=True)
class NetworkSettings:
    """The network; see `RadiomicsPersonaLib.network`."""

    channels: tuple[int, ...] = setting(
        (32, 64, 128, 128), "Width of the levels at 1/2, 1/4, 1/8, 1/16 of the input's resolution; multiples of 8.", low=8, high=512
    )
    blocks: tuple[int, ...] = setting((1, 2, 1, 2), "Residual blocks of each level, on the way down and again up.", low=1, high=8)


def network_from(settings: NetworkSettings, kind: str = RECONSTRUCTION_KIND) -> nn.Module:
    """The network of a kind of model, with fresh weights.

    Raises:
        InputError: channels and blocks do not fit together.
    """
    if len(settings.channels) != len(settings.blocks) or any(c % 8 for c in settings.channels):
        raise InputError("[network] needs as many channels as blocks, and channels that are multiples of 8: correct the settings.")
    return NETWORKS[kind](settings.channels, settings.blocks)
