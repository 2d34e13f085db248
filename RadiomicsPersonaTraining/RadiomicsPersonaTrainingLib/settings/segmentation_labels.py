"""Segmentation labels: the classes and regions of a training, and how a label map's numbers become classes."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from RadiomicsPersonaLib.errors import InputError

from .sample_sections import DICE_BCE, SegmentationSettings

BACKGROUND, ANYTHING = "background", "*"


@dataclass(frozen=True)
class Labels:
    """What is told apart; class 0 is the background.

    Attributes:
        names: of the classes 1, 2, ...
        numbers: of each class the numbers that stand for it in label maps, the one that is written first;
            empty for anything but 0.
        ignored: further numbers that are background.
        regions: classes (from 1) by the region's name.
    """

    names: tuple[str, ...]
    numbers: tuple[tuple[int, ...], ...]
    ignored: tuple[int, ...]
    regions: dict[str, tuple[int, ...]]

    @property
    def written(self) -> list[int]:
        """The number of every class in label maps that are written."""
        return [numbers[0] if numbers else 1 for numbers in self.numbers]

    @property
    def measured(self) -> dict[str, tuple[int, ...]]:
        """Classes of everything that is measured: every class alone, then the regions."""
        return {name: (number,) for number, name in enumerate(self.names, start=1)} | self.regions

    def classes_of(self, values: np.ndarray, name: str) -> np.ndarray:
        """Classes of a label map's numbers, uint8.

        Raises:
            InputError: numbers that are not whole, or that no class has.
        """
        rounded = np.rint(values)
        if not np.array_equal(rounded, values):
            odd = values[rounded != values].flat[0]
            raise InputError(
                f"The label map '{name}' holds {odd:g}, which is no whole number: give labels, not probabilities or a "
                "resampled map."
            )
        classes = np.zeros(values.shape, np.uint8)
        known = np.isin(rounded, (0, *self.ignored))
        for number, stored in enumerate(self.numbers, start=1):
            chosen = np.isin(rounded, stored) if stored else ~known
            classes[chosen] = number
            known |= chosen
        if not known.all():
            raise InputError(
                f"The label map '{name}' holds the label {rounded[~known].flat[0]:g}, which no entry of labels in "
                f"[segmentation] names: add it there, or background={rounded[~known].flat[0]:g} to leave it out."
            )
        return classes


def labels_of(settings: SegmentationSettings) -> Labels:
    """The classes that the settings name.

    Raises:
        InputError: an entry cannot be understood, or a name or number occurs twice.
    """
    names, numbers, ignored = [], [], ()
    for entry in settings.labels:
        name, _, text = (part.strip() for part in entry.partition("="))
        stored = () if text == ANYTHING else _numbers(text, entry)
        if name == BACKGROUND:
            ignored += stored
        elif not name or name in names:
            raise InputError(
                f"'{entry}' in labels of [segmentation] has {'a name that occurs twice' if name else 'no name'}: correct it."
            )
        else:
            names.append(name)
            numbers.append(stored)
    every = [number for stored in (*numbers, ignored) for number in stored]
    if not names or len(set(every)) < len(every) or (() in numbers and len(names) > 1):
        raise InputError(
            "labels in [segmentation] need at least one class, each number once, and * only for a single class: correct them."
        )
    if settings.codes and (
        len(settings.codes) != len(names) or any(code.count("~") != 1 or code.count("^") != 4 for code in settings.codes)
    ):
        raise InputError(
            "codes in [segmentation] need one entry per class, each with category and type: correct them, or leave them out."
        )
    regions = {}
    for entry in settings.regions:
        name, _, text = (part.strip() for part in entry.partition("="))
        members = [part.strip() for part in text.split("+")]
        strange = [member for member in members if member not in names]
        if strange or not name or name in names:
            raise InputError(
                f"'{entry}' in regions of [segmentation] must be a new name with classes, as in "
                f'"whole={"+".join(names[:2])}".'
            )
        regions[name] = tuple(names.index(member) + 1 for member in members)
    return Labels(tuple(names), tuple(numbers), ignored, regions)


def outputs_of(loss: str, classes: int) -> int:
    """Channels that a network needs: one for each class where each is judged alone, one more where they exclude each other."""
    return classes if loss == DICE_BCE or classes == 1 else classes + 1


def _numbers(text: str, entry: str) -> tuple[int, ...]:
    try:
        stored = tuple(int(part) for part in text.split("|"))
    except ValueError:
        stored = ()
    if not stored or min(stored) < 1 or max(stored) > 65535:
        raise InputError(
            f"'{entry}' in labels of [segmentation] must be a name and its numbers, as in \"enhancing tumour=4|3\"."
        )
    return stored


CASE = "{case}"


def check_layout(settings: SegmentationSettings) -> None:
    """Raise an InputError where the patterns cannot work."""
    if (
        not settings.channels
        or len(settings.channels) != len(settings.images)
        or len(set(settings.channels)) < len(settings.channels)
    ):
        raise InputError("[segmentation] needs as many images as channels, each channel once: correct the settings.")
    for pattern in (part for text in (*settings.images, settings.truth) for part in alternatives_in(text)):
        if CASE not in pattern:
            raise InputError(f"'{pattern}' in [segmentation] lacks {CASE}: write it where a case's name stands.")
    try:
        re.compile(settings.subject)
    except re.error as error:
        raise InputError(
            f"'subject' in [segmentation] is no regular expression ({error}): correct it, or write \".*\"."
        ) from error


def alternatives_in(text: str) -> list[str]:
    return [part.strip() for part in text.split("|") if part.strip()]
