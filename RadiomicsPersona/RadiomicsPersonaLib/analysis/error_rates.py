"""Error rates: how often boxes like this one are called, rightly and wrongly, as the last evaluation counted them."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path

from ..brain.tissue import OTHER_CONTRAST, T1_WEIGHTED
from ..errors import InputError
from ..resources import SHIPPED_CLASSIFIERS
from ..system.json_text import parsed

FILE = "error-rates.json"
"""File beside the shipped classifiers, as `evaluate-verdict` writes it."""
SIZES = ((0.0, 6.0), (6.0, 30.0), (30.0, 110.0), (110.0, 300.0), (300.0, math.inf))
"""Millilitres inside the head between which boxes are counted."""
CONTRASTS = {T1_WEIGHTED: "T1-weighted", OTHER_CONTRAST: "other contrasts"}
KINDS = {"healthy": "healthy ones", "tight": "drawn tightly around lesions", "loose": "drawn loosely or off"}
"""How boxes are counted, and how that is said."""


@dataclass(frozen=True)
class ErrorRates:
    """Counts of one class of boxes.

    Attributes:
        contrast: of `CONTRASTS`.
        low, high: millilitres inside the head; the last class has no upper end, infinity.
        healthy, tight, loose: boxes called, and boxes in all; see `KINDS`.
    """

    contrast: str
    low: float
    high: float
    healthy: tuple[int, int]
    tight: tuple[int, int]
    loose: tuple[int, int]

    @property
    def boxes(self) -> str:
        """The class in words: contrast and size."""
        size = f"{self.low:g} to {self.high:g} ml" if math.isfinite(self.high) else f"more than {self.low:g} ml"
        return f"{CONTRASTS[self.contrast]}, {size}"

    @property
    def in_words(self) -> str:
        """One sentence."""
        counts = {kind: getattr(self, kind) for kind in KINDS}
        told = [f"{called} of {boxes} {KINDS[kind]}" for kind, (called, boxes) in counts.items() if boxes]
        return f"Of boxes like this one ({self.boxes}) the evaluation called {_listed(told)}."


def error_rates_of(classifier: str, contrast: str, milliliters: float) -> ErrorRates | None:
    """What was counted for boxes of some contrast and size; None where nothing was.

    Args:
        classifier: SHA-256 of the one that judges; of others nothing is known.
        contrast: of the scan, see `tissue.Tissue.contrast`.
        milliliters: of the box inside the head.
    """
    known, classes = _shipped()
    if known != classifier:
        return None
    fitting = (rates for rates in classes if rates.contrast == contrast and rates.low <= milliliters < rates.high)
    return next(fitting, None)


def evaluated_classifier() -> str:
    """SHA-256 of the classifier that the shipped counts are of; empty where there are none.

    Raises:
        InputError: the file is damaged.
    """
    return _shipped()[0]


def read_error_rates(path: Path) -> tuple[str, list[ErrorRates]]:
    """The SHA-256 of the classifier that was evaluated, and what was counted of every class of boxes.

    Raises:
        InputError: the file is damaged.
    """
    try:
        content = parsed(path.read_text(encoding="utf-8"))
        return content["classifier"], [_rates(record) for record in content["classes"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"'{path.name}' cannot be read ({error!r}): install the program again.") from error


def written(classifier: str, classes: list[ErrorRates]) -> str:
    """The text of the file."""
    records = [asdict(rates) | {"high": rates.high if math.isfinite(rates.high) else None} for rates in classes]
    return json.dumps({"classifier": classifier, "classes": records}, indent=1) + "\n"


def _shipped() -> tuple[str, list[ErrorRates]]:
    path = SHIPPED_CLASSIFIERS / FILE
    return read_error_rates(path) if path.is_file() else ("", [])


def _rates(record: dict) -> ErrorRates:
    counts = {kind: tuple(map(int, record[kind])) for kind in KINDS}
    return ErrorRates(record["contrast"], float(record["low"]), float(record["high"] or math.inf), **counts)


def _listed(told: list[str]) -> str:
    return told[0] if len(told) == 1 else f"{', '.join(told[:-1])} and {told[-1]}"
