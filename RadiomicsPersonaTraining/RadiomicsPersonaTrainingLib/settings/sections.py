"""Sections: the keys of model, scans, data, cache, network, task and fit; apart from what they steer, for settings are read
where no training is loaded.
"""

from __future__ import annotations

from dataclasses import MISSING, dataclass

from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.networks.card import LESION_KIND, MASK_KIND, RECONSTRUCTION_KIND, SEGMENTATION_KIND, TISSUE_KIND

from .key import setting
from .sample_sections import DICE_CE, LOSSES

CLASSES = {RECONSTRUCTION_KIND: "ReconstructionUNet", TISSUE_KIND: "TissueUNet", LESION_KIND: "LesionUNet"}
"""The network of every kind of model but segmentation, whose design can be chosen."""
WITH_POPULATION = "PopulationUNet"
"""The network that rebuilds and is shown the population too."""


KINDS = (*CLASSES, SEGMENTATION_KIND, MASK_KIND)


@dataclass(frozen=True)
class TaskSettings:
    """What the network is asked to do, its loss and its optimisation."""

    kind: str = setting(
        RECONSTRUCTION_KIND,
        "Rebuild healthy tissue, tell tissues apart or find lesions (both on label maps), segment as [segmentation] says, or "
        "draw lesion masks as [masks] says.",
        choices=KINDS,
    )
    learning_rate: float = setting(
        2e-3,
        "Peak learning rate (Muon), reached after the warm-up and then led to zero along half a cosine.",
        low=1e-6,
        high=1.0,
    )
    warmup: int = setting(200, "Steps until the peak.", low=1, high=100_000)
    weight_decay: float = setting(1e-3, "Decay of the weights per step and learning rate.", low=0.0, high=1.0)
    l1: float = setting(
        0.3, "Reconstruction: weight of the absolute error beside the squared one (Huber, one tissue SD).", low=0.0, high=10.0
    )
    ssim: float = setting(
        0.0,
        "Reconstruction: weight of 1 - SSIM (3-D, in context) beside them; 0.5 favours the challenge's metric over squared "
        "error.",
        low=0.0,
        high=10.0,
    )
    loss: str = setting(
        DICE_CE, "Segmentation: what is made small; bce judges every class alone, ce one against the others.", choices=LOSSES
    )
    missed: float = setting(
        0.7,
        "Segmentation: weight of a missed voxel in the Tversky loss; one found too many has the rest of 1.",
        low=0.0,
        high=1.0,
    )


@dataclass(frozen=True)
class CacheSettings:
    """How training scans are prepared."""

    bias_field: str = setting(
        "keep",
        "Whether the bias field of training scans is corrected (N4) first. The analysis never corrects it, and random bias "
        "fields are part of the training either way.",
        choices=("keep", "correct"),
    )
    unreadable: str = setting("stop", "What a scan that cannot be used does to the run.", choices=("stop", "skip"))


FOLDED, PLAIN, RESIDUAL = "folded", "plain", "residual"


SEGMENTING = {FOLDED: "FoldedUNet", PLAIN: "PlainUNet", RESIDUAL: "ResidualUNet"}


@dataclass(frozen=True)
class NetworkSettings:
    """The network; see `RadiomicsPersonaLib.networks.unets`."""

    channels: tuple[int, ...] = setting(
        (32, 64, 128, 128),
        "Width of the levels, the finest first, each of half the resolution of the one before; multiples of 8.",
        low=8,
        high=512,
    )
    blocks: tuple[int, ...] = setting(
        (1, 2, 1, 2),
        "Residual blocks or double convolutions of each level, on the way down; of folded again up.",
        low=1,
        high=8,
    )
    design: str = setting(
        FOLDED,
        "folded works at half the input's resolution and finer nowhere; plain (double convolutions) and residual (residual "
        "blocks on the way down) also at full resolution, for segmentation alone.",
        choices=tuple(SEGMENTING),
    )
    population: bool = setting(
        True, "Reconstruction: whether the network is shown what healthy people have there on average (PopulationUNet)."
    )


def architecture_of(settings: NetworkSettings, kind: str = RECONSTRUCTION_KIND, inputs: int = 1, outputs: int = 1) -> dict:
    """What a card says of the network of a kind of model, for `unets.network_of`.

    Args:
        inputs, outputs: channels of a network that segments or draws masks.
    Raises:
        InputError: design, channels and blocks do not fit together.
    """
    if len(settings.channels) != len(settings.blocks) or len(settings.channels) < 2 or any(c % 8 for c in settings.channels):
        raise InputError(
            "[network] needs as many channels as blocks, at least two, and channels that are multiples of 8: correct the "
            "settings."
        )
    sizes = {"channels": list(settings.channels), "blocks": list(settings.blocks)}
    if kind in (SEGMENTATION_KIND, MASK_KIND):
        return {"class": SEGMENTING[settings.design], "inputs": inputs, "outputs": outputs, **sizes}
    if settings.design != FOLDED:
        raise InputError(f'A {kind} model has the design {FOLDED}: set design = "{FOLDED}" in [network].')
    if kind == RECONSTRUCTION_KIND and settings.population:
        return {"class": WITH_POPULATION, **sizes}
    return {"class": CLASSES[kind], **sizes}


def smallest_step(settings: NetworkSettings) -> int:
    """The sides of what a segmenting network is shown are multiples of this."""
    return 2 ** (len(settings.channels) - (settings.design != FOLDED))


SCANS, LABEL_MAPS = "scans", "label maps"
"""What the files of a collection are."""


@dataclass(frozen=True)
class ModelSettings:
    """What the model card says."""

    name: str = setting("my-site", "Name of the model and of its files.")
    contrasts: str = setting("T1w", "Contrasts it is meant for.")
    description: str = setting("healthy adults", "Whom and what it has seen, in a few words.")
    limits: str = setting("Healthy adults' scans like those it was trained on.", "Where it should not be trusted.")
    licence: str = setting("", "Licence of the weights, where the data's terms ask for one.")
    history: str = setting("", "How the weights came about, where these settings alone do not tell.")


@dataclass(frozen=True)
class ScanSettings:
    """What is trained on."""

    split: str = setting(
        "split.csv",
        "The split, made by `radiomics-persona-train split`; relative to this file. Segmentation: empty draws one over the "
        "subjects beneath --data, 80/10/10.",
    )
    lesion_masks: str = setting(
        "",
        "Folder of binary lesion masks whose shapes are taken out too; as seen from --data, or from this file's folder; empty "
        "for none.",
        folder=True,
    )


@dataclass(frozen=True)
class DataSource:
    """One collection of scans without lesions."""

    name: str = setting(MISSING, "As in the column 'source' of the split.")
    source: str = setting("", "Where it comes from, for the model card: name, version, DOI.")
    licence: str = setting("", "Its licence, for the model card.")
    kind: str = setting(
        SCANS,
        "What its files are: healthy scans, or label maps from which images of any contrast are synthesised.",
        choices=(SCANS, LABEL_MAPS),
    )
    variants: int = setting(
        20,
        "Different images of each label map; each is made when it is first drawn and kept in the cache (about 40 MB).",
        low=1,
        high=100_000,
    )
    share: float = setting(1.0, "Share of the training samples; shares are normalised over the collections.", low=0.0, high=1e6)


@dataclass(frozen=True)
class FitSettings:
    """The training loop."""

    start: str = setting(
        "",
        "Weights to start from: empty for fresh ones, 'auto' for the shipped model, or a model's name or card (fine-tuning).",
    )
    steps: int = setting(5000, "Optimisation steps.", low=1, high=10_000_000)
    batch: int = setting(8, "Samples in each step, on every device.", low=1, high=1024)
    average: float = setting(
        0.998, "Decay per step of the running average of the weights, which is validated and exported.", low=0.0, high=0.99999
    )
    validate_every: int = setting(100, "Steps of one epoch; each ends with a validation and a checkpoint.", low=1, high=100_000)
    validation_pairs: int = setting(24, "Samples of the validation subjects, the same every time.", low=1, high=10_000)
    patience: int = setting(40, "Epochs without a better validation after which the run stops.", low=1, high=1_000_000)
    pictures_every: int = setting(5, "Epochs between pictures of input, rebuilt and truth.", low=1, high=1_000_000)
    workers: int = setting(1, "Processes that draw samples.", low=1, high=256)
    seed: int = setting(0, "Of the draws and of fresh weights.", low=0, high=2**31 - 1)
    precision: str = setting(
        "auto",
        "Arithmetic; auto takes bfloat16 where the CPU or GPU computes in it.",
        choices=("auto", "32-true", "bf16-mixed"),
    )

    @property
    def epochs(self) -> int:
        """Epochs of the whole run."""
        return -(-self.steps // self.validate_every)
