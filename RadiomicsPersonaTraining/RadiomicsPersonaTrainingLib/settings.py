"""Settings: one typed object per training run, read from TOML and written as a commented file."""

from __future__ import annotations

import tomllib
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path

from RadiomicsPersonaLib.card import MASK_KIND, RECONSTRUCTION_KIND, SEGMENTATION_KIND
from RadiomicsPersonaLib.errors import InputError

from .cache import CacheSettings
from .mask_samples import MaskRecipe
from .networks import NetworkSettings, architecture_of, smallest_step
from .samples import Recipe
from .segmentation_labels import labels_of, outputs_of
from .segmentation_layout import check_layout
from .segmentation_settings import Augmentation, SegmentationSettings
from .setting import as_toml, from_table, setting
from .tissue_samples import TissueRecipe
from .training_task import TaskSettings

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
        "The split, made by `radiomics-persona-train split`; relative to this file. Segmentation: empty draws one over the subjects beneath "
        "--data, 80/10/10.",
    )
    lesion_masks: str = setting(
        "", "Folder of binary lesion masks whose shapes are taken out too, relative to --data or else to this file; empty for none."
    )


@dataclass(frozen=True)
class DataSource:
    """One collection of scans without lesions."""

    name: str = setting(MISSING, "As in the column 'source' of the split.")
    source: str = setting("", "Where it comes from, for the model card: name, version, DOI.")
    licence: str = setting("", "Its licence, for the model card.")
    kind: str = setting(
        SCANS, "What its files are: healthy scans, or label maps from which images of any contrast are synthesised.",
        choices=(SCANS, LABEL_MAPS),
    )  # fmt: skip
    variants: int = setting(
        20, "Different images of each label map; each is made when it is first drawn and kept in the cache (about 40 MB).", low=1, high=100_000
    )
    share: float = setting(1.0, "Share of the training pairs; shares are normalised over the collections.", low=0.0, high=1e6)


@dataclass(frozen=True)
class FitSettings:
    """The training loop."""

    start: str = setting(
        "", "Weights to start from: empty for fresh ones, 'auto' for the shipped model, or a model's name or card (fine-tuning)."
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
        "auto", "Arithmetic; auto takes bfloat16 where the processor or GPU computes in it.", choices=("auto", "32-true", "bf16-mixed")
    )

    @property
    def epochs(self) -> int:
        """Epochs of the whole run."""
        return -(-self.steps // self.validate_every)


@dataclass(frozen=True)
class TrainingSettings:
    """Everything that makes a model; each attribute is a section of the file, `data` one for every collection."""

    model: ModelSettings = field(default_factory=ModelSettings)
    scans: ScanSettings = field(default_factory=ScanSettings)
    data: tuple[DataSource, ...] = ()
    cache: CacheSettings = field(default_factory=CacheSettings)
    recipe: Recipe = field(default_factory=Recipe)
    tissue: TissueRecipe = field(default_factory=TissueRecipe)
    segmentation: SegmentationSettings = field(default_factory=SegmentationSettings)
    augmentation: Augmentation = field(default_factory=Augmentation)
    masks: MaskRecipe = field(default_factory=MaskRecipe)
    network: NetworkSettings = field(default_factory=NetworkSettings)
    task: TaskSettings = field(default_factory=TaskSettings)
    fit: FitSettings = field(default_factory=FitSettings)


SECTIONS = {
    "model": ModelSettings, "scans": ScanSettings, "cache": CacheSettings, "recipe": Recipe, "tissue": TissueRecipe,
    "segmentation": SegmentationSettings, "augmentation": Augmentation, "masks": MaskRecipe, "network": NetworkSettings, "task": TaskSettings, "fit": FitSettings,
}  # fmt: skip
SAMPLES = {RECONSTRUCTION_KIND: ("recipe",), SEGMENTATION_KIND: ("segmentation", "augmentation"), MASK_KIND: ("masks",)}
"""The sections that tell how a kind of model's samples are drawn; ("tissue",) for all others."""


def read_settings(path: str | Path) -> TrainingSettings:
    """Settings from a TOML file.

    Raises:
        InputError: the file is missing or damaged, or a key is unknown, missing, of the wrong kind or out of its range.
    """
    return settings_from(read_table(path))


def read_table(path: str | Path) -> dict:
    """What a TOML file holds, unchecked.

    Raises:
        InputError: the file is missing or damaged.
    """
    try:
        return tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except (FileNotFoundError, IsADirectoryError):
        raise InputError(f"There is no settings file '{path}': write one with `radiomics-persona-train init`.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"The settings '{path}' are not valid TOML ({error}): correct that line.") from error


def settings_from(table: dict) -> TrainingSettings:
    """Settings from the table of a TOML file.

    Raises:
        InputError: a key is unknown, missing, of the wrong kind or out of its range.
    """
    table, values = dict(table), {}
    for name, kind in SECTIONS.items():
        section = table.pop(name, {})
        if not isinstance(section, dict):
            raise InputError(f"'{name}' in the settings must be a section: write [{name}] on a line of its own.")
        values[name] = from_table(kind, section, name)
    sources = table.pop("data", [])
    if not isinstance(sources, list) or not all(isinstance(entry, dict) for entry in sources):
        raise InputError("'data' in the settings must be a list of sections: write [[data]] on a line of its own.")
    if table:
        raise InputError(f"The settings hold an unknown section '{next(iter(table))}': choose from {', '.join([*SECTIONS, 'data'])}.")
    recipe = values["recipe"]
    if len(recipe.spacings) != len(recipe.spacing_chances) or not sum(recipe.spacing_chances):
        raise InputError("[recipe] needs as many spacing_chances as spacings, not all 0: correct the settings.")
    if recipe.patch % 16:
        raise InputError(f"'patch' in [recipe] is {recipe.patch}: give a multiple of 16.")
    if any(side % 16 for side in values["tissue"].shape):
        raise InputError(f"'shape' in [tissue] is {list(values['tissue'].shape)}: give multiples of 16.")
    settings = TrainingSettings(data=tuple(from_table(DataSource, entry, "data") for entry in sources), **values)
    if settings.task.kind == SEGMENTATION_KIND:
        _check_segmentation(settings.segmentation, settings.network)
    if settings.task.kind == MASK_KIND:
        _check_masks(settings)
    architecture_in(settings)
    return settings


def architecture_in(settings: TrainingSettings) -> dict:
    """What a card says of the network that the settings describe.

    Raises:
        InputError: its parts do not fit together.
    """
    ends = ()
    if settings.task.kind == SEGMENTATION_KIND:
        ends = len(settings.segmentation.channels), outputs_of(settings.task.loss, len(labels_of(settings.segmentation).names))
    if settings.task.kind == MASK_KIND:
        ends = settings.masks.inputs, 1
    return architecture_of(settings.network, settings.task.kind, *ends)


def _check_segmentation(segmentation: SegmentationSettings, network: NetworkSettings) -> None:
    check_layout(segmentation)
    step = smallest_step(network)
    if any(side % step for side in segmentation.patch):
        raise InputError(f"'patch' in [segmentation] is {list(segmentation.patch)}: give multiples of {step}, for this network halves it that often.")


def _check_masks(settings: TrainingSettings) -> None:
    step = smallest_step(settings.network)
    if settings.masks.patch % step:
        raise InputError(f"'patch' in [masks] is {settings.masks.patch}: give a multiple of {step}, for this network halves it that often.")
    if not settings.masks.kinds or not settings.scans.lesion_masks:
        raise InputError("A training that draws masks needs 'kinds' in [masks], and 'lesion_masks' in [scans] with a subfolder for each of them.")


def written(settings: TrainingSettings) -> str:
    """The settings as a TOML file in which every key is explained."""
    lines = [
        "# Settings of a training run of RadiomicsPersona:",
        "#   radiomics-persona-train fit THIS_FILE --output RUN",
    ]
    unused = unused_sections(settings.task.kind)
    for item in fields(settings):
        value = getattr(settings, item.name)
        if item.name in unused:
            continue
        if item.name in SECTIONS:
            lines += ["", *as_toml(value, f"[{item.name}]")]
        elif item.name == "data":
            for source in value:
                lines += ["", *as_toml(source, "[[data]]")]
    return "\n".join(lines) + "\n"


def unused_sections(kind: str) -> set[str]:
    """The sections that tell how another kind of model's samples are drawn."""
    return {"recipe", "tissue", "segmentation", "augmentation", "masks"} - set(SAMPLES.get(kind, ("tissue",)))
