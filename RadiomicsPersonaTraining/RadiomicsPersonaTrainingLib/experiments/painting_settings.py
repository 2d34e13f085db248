"""Painting settings: the arms, and the one network and loop that all of them are fitted with."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path

from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.networks.card import SEGMENTATION_KIND

from ..settings.sections import DataSource
from ..settings.training_settings import TrainingSettings, read_settings
from .candidates import NEVER
from .painting_cases import IMAGE, MASK


@dataclass(frozen=True)
class Arm:
    """One way to train.

    Attributes:
        name, folder: for people, and for its runs.
        masks: whose masks are painted, as `synthesize --masks` calls them; None paints nothing.
        more_real: whether further real patients train.
    """

    name: str
    folder: str
    masks: str | None = None
    more_real: bool = False


ARMS = (
    Arm("few real", "few"),
    Arm("+ spheres", "sphere", "sphere"),
    Arm("+ real shapes", "shapes", "shapes"),
    Arm("+ U-Net masks", "unet", "unet"),
    Arm("+ U-Net masks, tissue known", "unet-tissue", "unet-tissue"),
    Arm("+ GAN masks", "gan", "gan"),
    Arm("more real", "more", more_real=True),
)


@dataclass(frozen=True)
class ExperimentPlan:
    """What is compared.

    Attributes:
        settings: of the network and its loop.
        arms: see `ARMS`; the first is what the others are held against.
        contrast: of all scans.
        few, further: real patients that train, and how many more the last arm has.
        painted: painted heads of every arm that has some.
        seeds: how many times all is done, with other patients and draws.
        kinds: of lesions, painted in turn.
        training_sources: whose patients may train; all others are only tested.
    """

    settings: TrainingSettings
    arms: tuple[Arm, ...] = ARMS
    contrast: str = "T1"
    few: int = 4
    further: int = 4
    painted: int = 16
    seeds: int = 3
    kinds: tuple[str, ...] = ("tumour",)
    training_sources: tuple[str, ...] = ("LGG", "BraTS")

    @property
    def identity(self) -> dict:
        """What decides its figures but for the arms, which may come in several calls."""
        plain = asdict(self)
        del plain["arms"], plain["seeds"]
        return plain


def read_experiment_settings(file: Path, steps: int | None) -> TrainingSettings:
    """Settings of a segmentation that the experiment can fit.

    Raises:
        InputError: the file cannot be read, or segments otherwise than one lesion in one contrast.
    """
    settings = read_settings(file)
    what = settings.segmentation
    if settings.task.kind != SEGMENTATION_KIND or len(what.channels) != 1 or len(what.labels) != 1:
        raise InputError(f"'{file}' does not segment one class in one contrast: begin from lesion-experiment.toml.")
    if what.images != (f"{{case}}_{IMAGE}",) or what.truth != f"{{case}}_{MASK}":
        raise InputError(
            f"'{file}' has other file names than the experiment writes: keep images and truth as in lesion-experiment.toml."
        )
    fit = settings.fit if steps is None else replace(settings.fit, steps=steps)
    fit = replace(fit, validate_every=min(fit.validate_every, fit.steps), patience=NEVER)
    if fit.steps % fit.validate_every:
        raise InputError(f"{fit.steps} steps are no whole number of epochs of {fit.validate_every}: give a multiple.")
    return replace(settings, fit=fit)


def settings_of(plan: ExperimentPlan, name: str, seed: int, sources: tuple[str, ...]) -> TrainingSettings:
    """Settings of one fit; its collections are drawn equally often."""
    base = plan.settings
    return replace(
        base,
        model=replace(base.model, name=name, limits="Made to be measured in an experiment, not to be used."),
        data=tuple(DataSource(source) for source in sources),
        fit=replace(base.fit, seed=seed),
    )
