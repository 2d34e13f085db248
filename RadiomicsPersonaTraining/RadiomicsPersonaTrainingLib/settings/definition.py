"""Definition: what a settings file may hold, as plain JSON for a panel to be built from;
all of it read off `training_settings`.
"""

from __future__ import annotations

import re
import typing
from dataclasses import MISSING, fields

from RadiomicsPersonaLib.errors import InputError

from .key import from_table, plain
from .sections import DataSource
from .training_settings import SECTIONS, TrainingSettings, settings_from, unused_sections

MATTERING = (
    *("model.name", "model.description", "task.kind", "fit.start", "fit.steps", "fit.batch", "fit.validate_every"),
    *("task.learning_rate", "fit.patience"),
)
"""The settings that most users look at; the others are folded away."""
_NAMED = re.compile(r"'(\w+)' in \[(\w+)\]")


def definition() -> dict:
    """Every section with its explanation and its keys, in the order of a written file.

    Returns:
        "sections": a list of {"name", "explanation", "keys"}; "source": the keys of one collection of scans. A key is {"name",
        "type": "int" | "float" | "str" | "bool", "length": None, or of a list its length, 0 for any, "default", "low", "high",
        "choices", "explanation", "folder": whether it names one, "matters"}.
    """
    return {
        "sections": [
            {"name": name, "explanation": _first_line(kind), "keys": [_key(name, kind, item) for item in fields(kind)]}
            for name, kind in SECTIONS.items()
        ],
        "source": [_key("data", DataSource, item) for item in fields(DataSource)],
    }


def settings_table(settings: TrainingSettings) -> dict:
    """Settings as the table of a TOML file would hold them."""
    return plain(settings)


def complaints(table: dict) -> dict[str, str]:
    """What is wrong with a table, by "section.key", or by "" where it concerns no single key; empty for good settings.

    The sentences are those that the command line says.
    """
    found = {}
    for name, kind in SECTIONS.items():
        for key, value in table.get(name, {}).items():
            try:
                from_table(kind, {key: value}, name)
            except InputError as error:
                found[f"{name}.{key}"] = str(error)
    if not found:
        try:
            settings_from(table)
        except InputError as error:
            named = _NAMED.search(str(error))
            found[f"{named[2]}.{named[1]}" if named else ""] = str(error)
    return found


def hidden_sections(table: dict) -> list[str]:
    """The sections that the chosen task has no use for."""
    return sorted(unused_sections(table["task"]["kind"]))


def _key(section: str, kind: type, item) -> dict:
    hint = typing.get_type_hints(kind)[item.name]
    inner, length = hint, None
    if typing.get_origin(hint) is tuple:
        inner, *rest = typing.get_args(hint)
        length = 0 if rest == [...] else 1 + len(rest)
    return {
        "name": item.name,
        "type": inner.__name__,
        "length": length,
        "default": None if item.default is MISSING else plain(item.default),
        "matters": f"{section}.{item.name}" in MATTERING,
        **{name: plain(item.metadata[name]) for name in ("low", "high", "choices", "explanation", "folder")},
    }


def _first_line(kind: type) -> str:
    return (kind.__doc__ or "").strip().splitlines()[0]
