"""Training settings: one typed object per training run, read from TOML and written as a commented file."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field, fields
from pathlib import Path

from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.networks.card import MASK_KIND, RECONSTRUCTION_KIND, SEGMENTATION_KIND

from .key import as_toml, from_table
from .sample_sections import Augmentation, MaskRecipe, Recipe, SegmentationSettings, TissueRecipe
from .sections import (
    CacheSettings,
    DataSource,
    FitSettings,
    ModelSettings,
    NetworkSettings,
    ScanSettings,
    TaskSettings,
    architecture_of,
    smallest_step,
)
from .segmentation_labels import check_layout, labels_of, outputs_of


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
    "model": ModelSettings,
    "scans": ScanSettings,
    "cache": CacheSettings,
    "recipe": Recipe,
    "tissue": TissueRecipe,
    "segmentation": SegmentationSettings,
    "augmentation": Augmentation,
    "masks": MaskRecipe,
    "network": NetworkSettings,
    "task": TaskSettings,
    "fit": FitSettings,
}
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
        return tomllib.loads(Path(path).read_text(encoding="utf-8-sig"))
    except (FileNotFoundError, IsADirectoryError):
        raise InputError(f"There is no settings file '{path}': write one with `radiomics-persona-train init`.") from None
    except OSError as error:
        raise InputError(f"The settings '{path}' cannot be read ({error.strerror}): see to the file, or copy it.") from error
    except ValueError as error:  # no UTF-8, no TOML, or a number of thousands of digits
        raise InputError(f"The settings '{path}' are not valid TOML ({error}): correct that line.") from error
    except RecursionError:
        raise InputError(f"The settings '{path}' are not valid TOML (brackets without end): close them.") from None


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
        raise InputError(
            f"The settings hold an unknown section '{next(iter(table))}': choose from {', '.join([*SECTIONS, 'data'])}."
        )
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
        raise InputError(
            f"'patch' in [segmentation] is {list(segmentation.patch)}: give multiples of {step}, for this network halves it "
            "that often."
        )


def _check_masks(settings: TrainingSettings) -> None:
    step = smallest_step(settings.network)
    if settings.masks.patch % step:
        raise InputError(
            f"'patch' in [masks] is {settings.masks.patch}: give a multiple of {step}, for this network halves it that often."
        )
    if not settings.masks.kinds or not settings.scans.lesion_masks:
        raise InputError(
            "A training that draws masks needs 'kinds' in [masks], and 'lesion_masks' in [scans] with a subfolder for each of "
            "them."
        )


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


def segmentation_in(card: dict) -> SegmentationSettings:
    """What a model's card says of its training's data.

    Raises:
        InputError: the card says nothing of it.
    """
    try:
        return from_table(SegmentationSettings, card["training"]["segmentation"], "segmentation")
    except (KeyError, TypeError) as error:
        raise InputError(
            f"The card of '{card['name']}' does not say how its training data were called: export the model again."
        ) from error
