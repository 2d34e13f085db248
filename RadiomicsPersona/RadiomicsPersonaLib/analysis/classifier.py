"""Classifier: the probability of pathology from a box's standardised scores, by logistic regression.

It is stored as JSON with its coefficients in the open and a checksum over everything it says; nothing in it is executed.
`radiomics-persona-train calibrate` makes such files.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np

from ..defaults import USUAL_THRESHOLDS
from ..errors import InputError
from ..resources import SHIPPED_CLASSIFIERS
from ..system.output import folder_written_whole
from .reference import Reference
from .score import LESION_SCORES, MAKE_UP, SCORES, Norm, standard_scores

KIND = "verdict classifier"
DEFAULT = "healthy-or-not"
FOLDER_VARIABLE = "RADIOMICS_PERSONA_CLASSIFIERS"
"""Environment variable with a folder of further classifiers, instead of the user's own."""
OWN_FOLDER = Path(".radiomics-persona") / "classifiers"
"""The user's own folder of further classifiers, in the home folder; it outlives an update of the extension."""
LEAST_FEATURE = -3.0
"""Standard scores below this speak no more for health."""
SCREAMING = 2.0
"""Standard score of what the lesion model says from which on it may weigh more than in proportion."""
HINGES = {f"{key}, beyond {SCREAMING:g}": key for key in LESION_SCORES}
"""Further features, by the score that each is the excess of over `SCREAMING`: a map that screams is not to be outvoted."""
FEATURES = (*SCORES, *HINGES)
"""Every score, and beside them the hinges."""
ALONE = "lesion_peak"
"""The score that may call a box on its own; chosen on painted lesions, see docs/experiments.md."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")
GREY_ZONE = (USUAL_THRESHOLDS["classifier"] - 0.05, USUAL_THRESHOLDS["classifier"] + 0.05)
"""Probabilities between these say neither healthy nor pathological."""


@dataclass(frozen=True)
class Classifier:
    """A fitted logistic regression: probability = 1 / (1 + exp(-(intercept + sum of coefficient * feature))).

    Features are `features_of` robust standard scores. One score may speak on its own: the log odds are never less than a line
    of it, so that the many scores that say nothing cannot outvote it. In terms of p this is the smaller of two p, each with a
    share of the level (Tippett's combination; Pesarin and Salmaso 2010).

    Attributes:
        name: how results call it.
        features: of `FEATURES`.
        coefficients: one per feature.
        intercept: log odds of a box whose scores are its controls' medians, when both outcomes are equally frequent.
        alone: intercept and slope of the line of the score `ALONE` that the log odds never fall below, or None.
        about: how it was fitted, in plain JSON types.
        sha256: over all of this.
        norms: what is usual in healthy boxes, by score; may be empty.
        reference: healthy boxes of other people, among whose log odds a box is ranked; None for a classifier on its own.
    """

    name: str
    features: tuple[str, ...]
    coefficients: tuple[float, ...]
    intercept: float
    about: dict
    sha256: str
    norms: dict[str, Norm] = field(default_factory=dict)
    reference: Reference | None = None
    alone: tuple[float, float] | None = None

    def scores_of(self, metrics: list[dict[str, float]]) -> np.ndarray:
        """Robust standard scores of boxes of one scan, (n, len(SCORES)); see `score.standard_scores`."""
        return standard_scores(metrics, self.norms)

    def log_odds(self, scores: np.ndarray) -> np.ndarray:
        """Log odds of pathology of boxes, shape (n,), from their robust standard scores (n, len(SCORES))."""
        return at_least_alone(
            self.intercept + features_of(scores, self.features) @ np.array(self.coefficients), scores, self.alone
        )

    def contributions(self, scores: np.ndarray) -> dict[str, float]:
        """What every score of one box (len(SCORES),) adds to the log odds, by key; with the intercept they add up to these."""
        added: dict[str, float] = {}
        for name, value in zip(self.features, features_of(scores[None], self.features)[0] * np.array(self.coefficients)):
            key = HINGES.get(name, name)
            added[key] = added.get(key, 0.0) + float(value)
        beyond = float(self.log_odds(scores[None])[0]) - self.intercept - sum(added.values())
        if beyond > 1e-9:
            added[ALONE] = added.get(ALONE, 0.0) + beyond
        return added

    def provenance(self) -> dict:
        """What identifies it."""
        return {"name": self.name, "sha256": self.sha256}


def features_of(scores: np.ndarray, names: tuple[str, ...] = FEATURES) -> np.ndarray:
    """Robust standard scores (n, len(SCORES)) as the regression sees them, (n, len(names)).

    A score's feature is itself from `LEAST_FEATURE` up, 0 where it is not known; a hinge is what lies beyond `SCREAMING`. Not
    logarithms: a score that screams is not to be outvoted by many that say nothing.

    >>> scores = np.full((1, len(SCORES)), np.nan)
    >>> scores[0, list(SCORES).index("lesion_peak")] = 5.0
    >>> features_of(scores, ("deviation", "lesion_peak", "lesion_peak, beyond 2")).tolist()
    [[0.0, 5.0, 3.0]]
    """
    known = np.nan_to_num(np.asarray(scores, np.float64), nan=0.0)
    columns = [known[:, list(SCORES).index(HINGES.get(name, name))] for name in names]
    features = [np.maximum(z - SCREAMING, 0) if n in HINGES else np.maximum(z, LEAST_FEATURE) for n, z in zip(names, columns)]
    return np.stack(features, axis=1)


def at_least_alone(log_odds: np.ndarray, scores: np.ndarray, alone: tuple[float, float] | None) -> np.ndarray:
    """Log odds (n,) raised to the line of the score that may speak on its own, where that is known; see `Classifier`.

    Args:
        scores: robust standard scores, (n, len(SCORES)).
        alone: intercept and slope of the line, or None.

    >>> scores = np.zeros((2, len(SCORES)))
    >>> scores[1, list(SCORES).index(ALONE)] = 4.0
    >>> at_least_alone(np.array([-1.0, -1.0]), scores, (-2.0, 1.0)).tolist()
    [-1.0, 2.0]
    """
    if alone is None:
        return log_odds
    said = np.asarray(scores, np.float64)[:, list(SCORES).index(ALONE)]
    return np.fmax(log_odds, alone[0] + alone[1] * said)  # fmax: what is not known says nothing


def probability_of(log_odds: float) -> float:
    """Log odds as a probability."""
    return float(1 / (1 + math.exp(-max(min(log_odds, 700.0), -700.0))))


def make_classifier(
    name: str,
    features: tuple[str, ...],
    coefficients,
    intercept: float,
    about: dict,
    norms: dict[str, Norm] | None = None,
    reference: Reference | None = None,
    alone: tuple[float, float] | None = None,
) -> Classifier:
    """A classifier with its checksum; see `Classifier` for what it is made of."""
    unsigned = Classifier(
        name, tuple(features), tuple(float(c) for c in coefficients), float(intercept), about, "", norms or {}, reference, alone
    )
    return replace(unsigned, sha256=_digest(_content(unsigned)))


def written(classifier: Classifier) -> str:
    """The classifier as the text of its file."""
    return json.dumps(_content(classifier) | {"sha256": classifier.sha256}, indent=1) + "\n"


def _content(classifier: Classifier) -> dict:
    return {
        "kind": KIND,
        "name": classifier.name,
        "features": list(classifier.features),
        "coefficients": list(classifier.coefficients),
        "intercept": classifier.intercept,
        "alone": classifier.alone and list(classifier.alone),
        "norms": {key: asdict(norm) for key, norm in classifier.norms.items()},
        "reference": classifier.reference and classifier.reference.record(),
        "about": classifier.about,
    }


def read_classifier(path: str | Path) -> Classifier:
    """A classifier from its file.

    Raises:
        InputError: the file is missing, is no classifier, was changed after it was written, or names unknown scores.
    """
    path = Path(path)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(
            f"The classifier '{path.name}' cannot be read ({error}): make it with `radiomics-persona-train calibrate`."
        ) from error
    if not isinstance(content, dict) or content.get("kind") != KIND:
        raise InputError(f"'{path.name}' is not a verdict classifier: make one with `radiomics-persona-train calibrate`.")
    if not {"norms", "reference", "alone"} <= set(content):
        raise InputError(
            f"The classifier '{path.name}' is of an older version: fit it again with `radiomics-persona-train calibrate`."
        )
    stored = content.pop("sha256", None)
    if stored != _digest(content):
        raise InputError(
            f"The classifier '{path.name}' was changed after it was fitted (its SHA-256 differs): fit it again, or install it "
            "again."
        )
    try:
        return _of_content(content, stored, path)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise InputError(
            f"The classifier '{path.name}' does not hold what one needs ({type(error).__name__}: {error}): fit it again with "
            "`radiomics-persona-train calibrate`."
        ) from error


def _of_content(content: dict, stored: str, path: Path) -> Classifier:
    """The classifier that a file holds, its checksum apart; see `read_classifier`."""
    if not isinstance(content["name"], str) or not isinstance(content["about"], dict):
        raise TypeError("its name or what it says about itself")
    unknown = sorted(({*content["features"]} - set(FEATURES)) | ({*content["norms"]} - set(SCORES)))
    if unknown:
        raise InputError(
            f"The classifier '{path.name}' uses the score '{unknown[0]}', which this version does not know: fit it again."
        )
    norms = {key: Norm(**norm | {"slopes": tuple(norm["slopes"])}) for key, norm in content["norms"].items()}
    reference = content["reference"] and Reference.of_record(content["reference"])
    alone = content["alone"]
    if alone is not None:
        if not isinstance(alone, list) or len(alone) != 2:
            raise TypeError("the line of the score that may speak alone")
        alone = (float(alone[0]), float(alone[1]))
    numbers = [*content["coefficients"], content["intercept"], *(alone or ())]
    numbers += [
        value for norm in norms.values() for value in (norm.intercept, *norm.slopes, norm.spread, norm.between, norm.dof)
    ]
    if any(len(norm.slopes) != len(MAKE_UP) for norm in norms.values()):
        raise ValueError("slopes of its norms")
    if len(content["coefficients"]) != len(content["features"]) or not all(math.isfinite(n) for n in numbers):
        raise InputError(f"The classifier '{path.name}' has unusable coefficients: fit it again.")
    return Classifier(
        content["name"],
        tuple(content["features"]),
        tuple(content["coefficients"]),
        content["intercept"],
        content["about"],
        stored,
        norms,
        reference,
        alone,
    )


def own_classifiers() -> Path:
    """The folder of further classifiers: the one that RADIOMICS_PERSONA_CLASSIFIERS names, or the user's own.
    It need not be there.
    """
    return Path(os.environ.get(FOLDER_VARIABLE) or Path.home() / OWN_FOLDER)


def classifier_files() -> dict[str, Path]:
    """Names and files of the shipped classifier and, after it, of those in the folder of further ones; unchecked."""
    own = {file.stem: file for file in sorted(own_classifiers().glob("*.json"))}
    return {DEFAULT: SHIPPED_CLASSIFIERS / f"{DEFAULT}.json"} | {name: file for name, file in own.items() if name != DEFAULT}


def load_classifier(name: str | Path | None = None) -> Classifier:
    """The shipped classifier, one of the user's own by its name, or the one in a file.

    Raises:
        InputError: there is none of that name, or see `read_classifier`.
    """
    files = classifier_files()
    if name is None or str(name) in files:
        return read_classifier(files[str(name or DEFAULT)])
    if not Path(name).exists() and Path(name).suffix.lower() != ".json":
        raise InputError(f"There is no classifier '{name}': choose one of {', '.join(files)}, or name the file of one.")
    return read_classifier(name)


def install_classifier(file: Path, name: str) -> Path:
    """Copy a classifier into the user's own folder, after it was checked; one of the same name is replaced.

    Returns:
        its file there.
    Raises:
        InputError: see `read_classifier`; or the name cannot be used, or the folder cannot be written.
    """
    refuse_classifier_name(name)
    read_classifier(file)
    with folder_written_whole(own_classifiers(), alone=False) as folder:
        (folder / f"{name}.json").write_bytes(file.read_bytes())
    return own_classifiers() / f"{name}.json"


def remove_classifier(name: str) -> int:
    """Delete a classifier from the user's own folder; returns the bytes that this freed.

    Raises:
        InputError: there is none of that name there, or it cannot be deleted.
    """
    file = classifier_files().get(name)
    if file is None or name == DEFAULT:
        raise InputError(f"There is no classifier '{name}' of your own: choose one in '{own_classifiers()}'.")
    try:
        size = file.stat().st_size
        file.unlink()
    except OSError as error:
        raise InputError(f"'{file}' cannot be deleted ({error.strerror}): close the programs that use it.") from error
    return size


def refuse_classifier_name(name: str) -> None:
    """Raise where a classifier of the user's own cannot have this name.

    Raises:
        InputError: it is no name for a file, or the program's classifier's.
    """
    if not _NAME.fullmatch(name):
        raise InputError(f"A classifier cannot be called '{name}': use up to 80 letters, digits, '-', '_' and '.'.")
    if name == DEFAULT:
        raise InputError(f"'{name}' is the name of the program's classifier: give yours another name.")


def _digest(content: dict) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
