"""Key: one entry of a settings file, with its default, its range and its explanation in one place.

The settings classes are frozen dataclasses whose fields come from `setting`; reading TOML, checking it and writing a
commented default all follow from them.
"""

from __future__ import annotations

import difflib
import json
import math
import typing
from dataclasses import MISSING, Field, field, fields, is_dataclass

from RadiomicsPersonaLib.errors import InputError

LARGEST = 10**300
"""Of whole numbers; beyond it none can be compared with others."""
LINE = 120
"""Longest line of a written settings file."""


def setting(
    default, explanation: str, *, low: float | None = None, high: float | None = None, choices: tuple = (), folder: bool = False
):
    """A dataclass field with what a user needs to know of it.

    Args:
        default: the value when the file leaves the key out; MISSING makes the key a must.
        explanation: what it does, with its unit; shown above the key.
        low, high: smallest and largest value, both allowed; for a list they hold for every item.
        choices: the only values allowed.
        folder: whether it names a folder.
    """
    metadata = {"explanation": explanation, "low": low, "high": high, "choices": choices, "folder": folder}
    return field(metadata=metadata) if default is MISSING else field(default=default, metadata=metadata)


def from_table(kind: type, table: dict, where: str):
    """A settings object from a TOML table.

    Raises:
        InputError: a key is unknown (the nearest known one is named), missing, of the wrong kind, or out of its range.
    """
    types = typing.get_type_hints(kind)
    known = {item.name: item for item in fields(kind)}
    for key in table:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
            hint = f"did you mean '{near[0]}'?" if near else f"choose from {', '.join(known)}."
            raise InputError(f"The settings hold an unknown key '{key}' in [{where}]: {hint}")
    values = {key: _value(types[key], known[key], value, where) for key, value in table.items()}
    missing = [name for name, item in known.items() if item.default is MISSING and name not in values]
    if missing:
        raise InputError(f"The settings lack '{missing[0]}' in [{where}]: {known[missing[0]].metadata['explanation']}")
    return kind(**values)


def as_toml(values, header: str) -> list[str]:
    """A section of TOML, as lines: every key of a settings object with its explanation as a comment above it."""
    lines = [header]
    for item in fields(values):
        value = getattr(values, item.name)
        lines += [*_comment(item), f"{item.name} = {_literal(value)}"]
    return lines


def plain(value):
    """A settings object as dictionaries, lists, numbers and words, for JSON and for checkpoints."""
    if is_dataclass(value):
        return {item.name: plain(getattr(value, item.name)) for item in fields(value)}
    return [plain(item) for item in value] if isinstance(value, (tuple, list)) else value


def _value(kind, item: Field, value, where: str):
    name = f"'{item.name}' in [{where}]"
    if typing.get_origin(kind) is tuple:
        inner, *rest = typing.get_args(kind)
        if not isinstance(value, list) or (rest != [...] and len(value) != 1 + len(rest)):
            count = "a list" if rest == [...] else f"a list of {1 + len(rest)}"
            raise InputError(f"{name} is {_shown(value)}, not {count}: {item.metadata['explanation']}")
        return tuple(_value(inner, item, entry, where) for entry in value)
    if type(value) is int and abs(value) > LARGEST:
        raise InputError(f"{name} is a number of more than 300 digits: {item.metadata['explanation']}")
    if kind is float and type(value) is int:
        value = float(value)
    if type(value) is not kind:
        words = {int: "a whole number", float: "a number", str: "a text in quotes", bool: "true or false"}
        raise InputError(f"{name} is {_shown(value)}, not {words[kind]}: {item.metadata['explanation']}")
    low, high, choices = (item.metadata[key] for key in ("low", "high", "choices"))
    if kind in (int, float):
        least, most = (-math.inf if low is None else low), (math.inf if high is None else high)
        if not least <= value <= most:
            raise InputError(f"{name} is {value:g}, out of its range: give {_range(low, high)}.")
    if choices and value not in choices:
        raise InputError(f"{name} is {value!r}: choose one of {', '.join(map(str, choices))}.")
    return value


def _shown(value) -> str:
    """A value as Python writes it; it may hold numbers of more digits than Python writes."""
    try:
        return repr(value)
    except ValueError:
        return "a number of thousands of digits"


def _range(low: float | None, high: float | None) -> str:
    if low is None or high is None:
        return f"at least {low:.12g}" if high is None else f"at most {high:.12g}"
    return f"{low:.12g} to {high:.12g}"


def _comment(item: Field) -> list[str]:
    low, high, choices = (item.metadata[key] for key in ("low", "high", "choices"))
    text = item.metadata["explanation"]
    if choices:
        text += f" One of: {', '.join(map(str, choices))}."
    elif low is not None or high is not None:
        text += f" Range: {_range(low, high)}."
    lines, line = [], "#"
    for word in text.split():
        if len(line) + 1 + len(word) > LINE:
            lines.append(line)
            line = "#"
        line += " " + word
    return [*lines, line]


def _literal(value) -> str:
    if isinstance(value, tuple):
        return "[" + ", ".join(_literal(item) for item in value) + "]"
    # numbers, texts and true/false are written alike in JSON and TOML
    return json.dumps(value, ensure_ascii=False)
