"""Candidates: variations of one training, each with a name, that are to be compared on the same steps.

A short TOML file beside the settings says what each changes; [common] changes all of them, and a collection of [[data]]
goes by its name:

    [common]
    fit.batch = 4

    [candidates."as it is"]

    [candidates."no mirrored side"]
    recipe.no_mirror = 1.0

    [candidates."no label maps"]
    data.label_maps.share = 0.0
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.networks.card import RECONSTRUCTION_KIND

from ..evaluation.rebuilding import FILLS
from ..settings.training_settings import TrainingSettings, read_settings, read_table, settings_from

COMMON, CANDIDATES = "common", "candidates"
"""Sections of the file."""
ALIKE = (("scans", "split"), ("fit", "steps"), ("fit", "batch"), ("fit", "validate_every"))
"""Keys without which candidates could not be compared; all else may vary, the seed too, which shows what chance does."""
NEVER = 1_000_000
"""Epochs of patience: no candidate stops before the others."""


@dataclass(frozen=True)
class Candidate:
    """One variation: its name, and all of its settings."""

    name: str
    settings: TrainingSettings


def read_candidates(settings_file: Path, file: Path, steps: int | None = None, seed: int | None = None) -> list[Candidate]:
    """The candidates of a file, in its order.

    Args:
        settings_file: of the training that they vary.
        file: what each of them changes.
        steps, seed: of all candidates; None takes the settings'.
    Raises:
        InputError: a file is missing or damaged, a key is unknown or of the wrong kind, or candidates could not be compared.
    """
    read_settings(settings_file)  # what is wrong there is no candidate's fault
    changes = read_table(file)
    strange = sorted(set(changes) - {COMMON, CANDIDATES})
    variations = changes.get(CANDIDATES)
    if strange or not isinstance(variations, dict) or not variations:
        found = f"holds '{strange[0]}'" if strange else "names no candidate"
        raise InputError(
            f"'{file}' {found}: write a section [candidates.\"NAME\"] for each, and [common] for what all of them change."
        )
    base = _changed(read_table(settings_file), changes.get(COMMON, {}))
    fit = _checked(base, COMMON).fit
    asked = {"steps": steps or fit.steps, "seed": fit.seed if seed is None else seed, "patience": NEVER}
    base = _changed(base, {"fit": asked | {"validate_every": min(fit.validate_every, asked["steps"])}})
    candidates = [Candidate(name, _checked(_changed(base, variation), name)) for name, variation in variations.items()]
    return [_comparable(candidate, candidates[0]) for candidate in candidates]


def _changed(table: dict, changes: dict) -> dict:
    """A table of settings with other values in its sections, and in its collections, which go by their name."""
    if not isinstance(changes, dict):
        raise InputError(
            f"A candidate changes keys of sections, and {changes!r} is none: write for example recipe.no_mirror = 1.0."
        )
    changed = dict(table)
    for section, values in changes.items():
        if section == "data" and isinstance(values, dict):
            known = {source.get("name"): source for source in table.get("data", [])}
            strange = sorted(set(values) - set(known))
            if strange:
                raise InputError(
                    f"There is no collection '{strange[0]}' in [[data]]: choose from {', '.join(map(str, known))}."
                )
            changed["data"] = [_changed_section(source, values.get(name, {})) for name, source in known.items()]
        else:
            changed[section] = _changed_section(table.get(section, {}), values)
    return changed


def _changed_section(section: dict, values: dict) -> dict:
    return {**section, **values} if isinstance(section, dict) and isinstance(values, dict) else values


def _checked(table: dict, name: str) -> TrainingSettings:
    try:
        return settings_from(table)
    except InputError as error:
        raise InputError(f"Candidate '{name}': {error}") from error


def _comparable(candidate: Candidate, first: Candidate) -> Candidate:
    """The candidate with its name for its model's."""
    name, settings = candidate.name, candidate.settings
    if Path(name).name != name or name in FILLS:
        raise InputError(f"A candidate cannot be called '{name}', for its folder and its row bear its name: choose another.")
    if settings.task.kind != RECONSTRUCTION_KIND:
        raise InputError(
            f"Candidate '{name}' rebuilds nothing: compare trainings whose [task] has kind = \"{RECONSTRUCTION_KIND}\"."
        )
    for section, key in ALIKE:
        if getattr(getattr(settings, section), key) != getattr(getattr(first.settings, section), key):
            raise InputError(
                f"Candidate '{name}' has another '{key}' in [{section}] than '{first.name}': set it in [common], for all of "
                "them."
            )
    if settings.fit.steps % settings.fit.validate_every:
        raise InputError(
            f"{settings.fit.steps} steps are no whole number of epochs of {settings.fit.validate_every}: "
            "give a multiple, or another validate_every in [common]."
        )
    return Candidate(name, replace(settings, model=replace(settings.model, name=name)))
