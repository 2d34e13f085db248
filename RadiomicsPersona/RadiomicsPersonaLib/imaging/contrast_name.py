"""Contrast name: which of a model's contrasts a file is, from what the user says or from its name."""

from __future__ import annotations

import re
from pathlib import Path

from ..errors import InputError
from .files import name_of

WORDS = {
    "t1": ("t1", "t1w", "t1n"),
    "t1c": ("t1c", "t1ce", "t1gd", "t1post", "t1wks", "t1km"),
    "t2": ("t2", "t2w"),
    "flair": ("flair", "t2f"),
    "pd": ("pd", "pdw"),
    "dwi": ("dwi", "trace"),
    "adc": ("adc",),
    "swi": ("swi",),
}
"""What contrasts are called in file names."""


def channel_files(files: list[str], channels: list[dict], may_miss: bool) -> dict[int, str]:
    """The file of each of a model's channels, by the channel's place.

    A file is told by `NAME=FILE`, else by a word in its name; as many files as there are channels, none of whose names tells,
    are taken in the channels' order.

    Args:
        files: as the user gives them.
        channels: of the model; see `SegmentationModel`.
        may_miss: whether channels may be left out.
    Raises:
        InputError: a file cannot be told, is of a contrast that the model does not take,
            or a contrast is there twice or missing.
    """
    names = [channel["name"] for channel in channels]
    takes = f"this model takes {', '.join(names)}"
    said = [_said(file, channels) for file in files]
    if len(files) == len(channels) and not any(place is not None or named_contrast(path) for place, path in said):
        said = [(place, path) for place, (_, path) in enumerate(said)]
    chosen: dict[int, str] = {}
    for place, path in said:
        if place is None:
            looks = (
                f"'{Path(path).name}' looks like {word}"
                if (word := named_contrast(path))
                else f"what '{Path(path).name}' is cannot be told from its name"
            )
            raise InputError(f"{looks}, and {takes}: give such a scan, or say which it is, as in {names[0]}={Path(path).name}.")
        if place in chosen:
            raise InputError(
                f"'{Path(chosen[place]).name}' and '{Path(path).name}' are both {names[place]}: give one, or say which the "
                f"other is, as in {names[0]}=FILE."
            )
        chosen[place] = path
    missing = [name for place, name in enumerate(names) if place not in chosen]
    if missing and not may_miss:
        raise InputError(
            f"The contrast {missing[0]} is missing, and the model was not trained to do without: {takes}, so give all of them."
        )
    return chosen


def _said(text: str, channels: list[dict]) -> tuple[int | None, str]:
    """The channel's place, None where it is not known, and the file."""
    name, equals, path = text.partition("=")
    if equals and not Path(text).exists():
        places = [place for place, channel in enumerate(channels) if name.lower() in _called(channel)]
        if not places:
            raise InputError(
                f"There is no contrast '{name}' in this model: choose from {', '.join(c['name'] for c in channels)}."
            )
        return places[0], path
    for word in reversed(_words(text)):
        for place, channel in enumerate(channels):
            if word in _called(channel):
                return place, text
    return None, text


def _called(channel: dict) -> set[str]:
    return {channel["name"].lower(), *channel["endings"], *WORDS.get(channel["name"].lower(), ())}


def named_contrast(path: str) -> str | None:
    """The contrast that a file's name tells, of those in use."""
    return next((contrast for word in reversed(_words(path)) for contrast, words in WORDS.items() if word in words), None)


def _words(path: str) -> list[str]:
    return [word for word in re.split(r"[^0-9a-z]+", name_of(path).lower()) if word]
