"""Settings: one typed object per training run, read from TOML."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, fields
from pathlib import Path

from RadiomicsPersonaLib.errors import InputError

from .fitting import FitSettings
from .samples import Recipe


@dataclass(frozen=True)
class DataSource:
    """A folder of healthy scans, one per subject.

    Attributes:
        source, licence: for the model card.
        folder: beneath the data folder given on the command line.
        share: of the training draws; shares are normalised over the sources.
        validation, test: number of subjects held out.
    """

    source: str
    licence: str
    folder: str
    share: float
    validation: int
    test: int


@dataclass(frozen=True)
class TrainingSettings:
    """Everything that makes a model.

    Attributes:
        name, contrasts, description, history: for the model card; history tells how a run strayed from these settings.
        split_seed: of the parting of the subjects.
        data, fit: what it is trained on, and how.
    """

    name: str
    contrasts: str
    description: str
    split_seed: int
    data: tuple[DataSource, ...]
    fit: FitSettings
    history: str = ""


def read_settings(path: str | Path) -> TrainingSettings:
    """Settings from a TOML file.

    Raises:
        InputError: the file is missing or damaged, or a key is unknown, missing or of the wrong kind.
    """
    try:
        table = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"There is no settings file '{path}': check the path.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"The settings '{path}' are not valid TOML ({error}): correct that line.") from error
    recipe = _typed(Recipe, table.pop("recipe", {}), "recipe")
    fit = _typed(FitSettings, table.pop("fit", {}) | {"recipe": recipe}, "fit")
    sources = tuple(_typed(DataSource, entry, "data") for entry in table.pop("data", []))
    if not sources:
        raise InputError(f"The settings '{path}' name no [[data]]: add at least one folder of scans.")
    return _typed(TrainingSettings, table | {"data": sources, "fit": fit}, "top level")


def _typed(kind, table: dict, where: str):
    known = {field.name for field in fields(kind)}
    unknown = set(table) - known
    if unknown:
        raise InputError(f"The settings hold an unknown key '{sorted(unknown)[0]}' in [{where}]: choose from {', '.join(sorted(known))}.")
    try:
        return kind(**{key: tuple(value) if isinstance(value, list) else value for key, value in table.items()})
    except TypeError as error:
        raise InputError(f"The settings in [{where}] are incomplete: {error}.") from error
