"""Task settings: what a network is asked to do; apart from the tasks, for settings are read where the training loop is not loaded."""

from __future__ import annotations

from dataclasses import dataclass

from RadiomicsPersonaLib.card import RECONSTRUCTION_KIND

from .networks import KINDS
from .segmentation_settings import DICE_CE, LOSSES
from .setting import setting


@dataclass(frozen=True)
class TaskSettings:
    """What the network is asked to do, its loss and its optimisation."""

    kind: str = setting(
        RECONSTRUCTION_KIND,
        "Rebuild healthy tissue, tell tissues apart or find lesions (both on label maps), segment as [segmentation] says, or draw lesion masks as [masks] says.",
        choices=KINDS,
    )
    learning_rate: float = setting(
        2e-3, "Peak learning rate (Muon), reached after the warm-up and then led to zero along half a cosine.", low=1e-6, high=1.0
    )
    warmup: int = setting(200, "Steps until the peak.", low=1, high=100_000)
    weight_decay: float = setting(1e-3, "Decay of the weights per step and learning rate.", low=0.0, high=1.0)
    l1: float = setting(
        0.3, "Reconstruction: weight of the absolute error beside the squared one (Huber, one tissue SD).", low=0.0, high=10.0
    )
    ssim: float = setting(
        0.0, "Reconstruction: weight of 1 - SSIM (3-D, in context) beside them; 0.5 favours the challenge's metric over squared error.",
        low=0.0, high=10.0,
    )  # fmt: skip
    loss: str = setting(DICE_CE, "Segmentation: what is made small; bce judges every class alone, ce one against the others.", choices=LOSSES)
    missed: float = setting(
        0.7, "Segmentation: weight of a missed voxel in the Tversky loss; one found too many has the rest of 1.", low=0.0, high=1.0
    )
