"""Networks: which one the settings ask for; plain PyTorch, several sizes of one family."""

from __future__ import annotations

from dataclasses import dataclass

from RadiomicsPersonaLib.card import LESION_KIND, MASK_KIND, RECONSTRUCTION_KIND, SEGMENTATION_KIND, TISSUE_KIND
from RadiomicsPersonaLib.errors import InputError

from .setting import setting

FOLDED, PLAIN, RESIDUAL = "folded", "plain", "residual"
CLASSES = {RECONSTRUCTION_KIND: "ReconstructionUNet", TISSUE_KIND: "TissueUNet", LESION_KIND: "LesionUNet"}
"""The network of every kind of model but segmentation, whose design can be chosen."""
SEGMENTING = {FOLDED: "FoldedUNet", PLAIN: "PlainUNet", RESIDUAL: "ResidualUNet"}
KINDS = (*CLASSES, SEGMENTATION_KIND, MASK_KIND)


@dataclass(frozen=True)
class NetworkSettings:
    """The network; see `RadiomicsPersonaLib.network` and `segmentation_network`."""

    channels: tuple[int, ...] = setting(
        (32, 64, 128, 128), "Width of the levels, the finest first, each of half the resolution of the one before; multiples of 8.", low=8, high=512
    )
    blocks: tuple[int, ...] = setting((1, 2, 1, 2), "Residual blocks or double convolutions of each level, on the way down; of folded again up.", low=1, high=8)
    design: str = setting(
        FOLDED,
        "folded works at half the input's resolution and finer nowhere; plain (double convolutions) and residual (residual blocks on the "
        "way down) also at full resolution, for segmentation alone.",
        choices=tuple(SEGMENTING),
    )


def architecture_of(settings: NetworkSettings, kind: str = RECONSTRUCTION_KIND, inputs: int = 1, outputs: int = 1) -> dict:
    """What a card says of the network of a kind of model, for `architecture.network_of`.

    Args:
        inputs, outputs: channels of a network that segments or draws masks.
    Raises:
        InputError: design, channels and blocks do not fit together.
    """
    if len(settings.channels) != len(settings.blocks) or len(settings.channels) < 2 or any(c % 8 for c in settings.channels):
        raise InputError(
            "[network] needs as many channels as blocks, at least two, and channels that are multiples of 8: correct the settings."
        )
    sizes = {"channels": list(settings.channels), "blocks": list(settings.blocks)}
    if kind in (SEGMENTATION_KIND, MASK_KIND):
        return {"class": SEGMENTING[settings.design], "inputs": inputs, "outputs": outputs, **sizes}
    if settings.design != FOLDED:
        raise InputError(f"A {kind} model has the design {FOLDED}: set design = \"{FOLDED}\" in [network].")
    return {"class": CLASSES[kind], **sizes}


def smallest_step(settings: NetworkSettings) -> int:
    """The sides of what a segmenting network is shown are multiples of this."""
    return 2 ** (len(settings.channels) - (settings.design != FOLDED))
