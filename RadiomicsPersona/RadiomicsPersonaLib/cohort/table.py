"""Cohort table: a CSV file with a row per scan, read row by row, and the command that each row stands for."""

from __future__ import annotations

import argparse
import difflib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..commands.registry import ANALYSIS
from ..errors import InputError
from ..system.csv_table import CsvTable

SEPARATOR = ";"
"""Between several values in one cell: boxes, or scans of several contrasts or visits."""
_OWN = ("output", "json", "quiet", "verbose")
"""Options that the cohort gives itself."""
_FILES, _NAMES_OR_FILES = ("SCAN", "MASK", "FILE", "NAME=FILE"), ("M", "NAME|FILE")
"""How the help calls what is a file, and what may be the name of a model or classifier, or its .json file."""
_TRUE, _FALSE = ("1", "yes", "true", "x"), ("", "0", "no", "false")


@dataclass(frozen=True)
class CohortRow:
    """One row.

    Attributes:
        number: 1 for the first below the heads.
        cells: every column's text.
        options: of the command that it stands for, see `Registry.options_of`, without --output and --json; None where a cell is
            missing or cannot be understood, see `sentence`.
        sentence: why there are no options.
        image: the first file that the row names, which its thumbnail shows; empty where there are no options.
    """

    number: int
    cells: dict[str, str]
    options: dict | None
    sentence: str = ""
    image: str = ""


class CohortTable:
    """The rows of a file as commands; nothing but the current row is held in memory.

    Columns named like arguments or options of the command (scan, box, boxes, labels, mask, model, ...) are given to it; all
    others stay with the row. Several boxes or scans in one cell are separated by semicolons. Files that are read may be
    relative to the table's folder.

    Args:
        path: the file; see `CsvTable`.
        command: a subcommand of `radiomics-persona`.
        common: options for all rows; the row's own come later and win.
    Raises:
        InputError: no such file or command, no rows, a column that is needed is missing,
            or options that the command does not know.
    """

    def __init__(self, path: str | Path, command: str, common: list[str]):
        self.path, self.command = Path(path), command
        self._table = CsvTable(path)
        if command not in ANALYSIS.commands or not ANALYSIS.commands[command].per_row:
            raise InputError(
                f"'{command}' is no command that works on one scan: choose analyze, inpaint, mesh, follow or another of --help."
            )
        self._parser = ANALYSIS.parser_of(command)
        actions = self._parser._actions
        self._arguments = [action for action in actions if not action.option_strings]
        self._options = {
            action.dest: action for action in actions if action.option_strings and action.dest not in ("help", "options", *_OWN)
        }
        self._output = next(action for action in actions if action.dest == "output")
        self.prints_json = any(action.dest == "json" for action in actions)
        self.heads = self._table.heads
        for argument in self._arguments:
            if argument.dest not in self.heads and _singular(argument.dest) not in self.heads:
                near = difflib.get_close_matches(_singular(argument.dest), self.heads, 1, 0.5)
                hint = f"is '{near[0]}' meant?" if near else f"it has {', '.join(self.heads[:20])}."
                needs = f"which `{command}` needs: {hint}"
                raise InputError(f"The table '{self.path.name}' has no column '{_singular(argument.dest)}', {needs}")
        if any(word.split("=")[0] in ("-o", "--output", "--json") for word in common):
            raise InputError("--output and --json are the cohort's own: leave them out of the command's options.")
        # what no row could set right is said before any work is done
        by_rows = {action.dest: None for action in actions if action.required and not _is_among(action, common)}
        self._common = vars(ANALYSIS.options_of([command, *common], by_rows))
        if not any(True for _ in self):
            raise InputError(f"The table '{self.path.name}' has no rows below its heads: add some.")

    def __len__(self) -> int:
        return sum(1 for _ in self._table)

    def __iter__(self) -> Iterator[CohortRow]:
        for number, (_, cells) in enumerate(self._table, 1):
            try:
                options = self._options_of(cells)
                first = options[self._arguments[0].dest]
                yield CohortRow(number, cells, options, image=first[0] if isinstance(first, list) else first)
            except InputError as error:
                yield CohortRow(number, cells, None, str(error))

    @property
    def output_file(self) -> str | None:
        """Name of the file that the command writes for each row; None where it writes a folder."""
        name = str(self._output.metavar)
        return None if name in ("DIR", "FOLDER") else re.sub(r"[^\w.-]", "", name).lower()

    @property
    def option_columns(self) -> set[str]:
        """Columns that are given to the command."""
        return {name for name in self.heads if name in self._options or name in self._argument_columns}

    @property
    def _argument_columns(self) -> dict[str, argparse.Action]:
        return {
            name: argument
            for argument in self._arguments
            for name in (argument.dest, _singular(argument.dest))
            if name in self.heads
        }

    def _options_of(self, cells: dict[str, str]) -> dict:
        """Every option of the command but --output and --json, in plain JSON types."""
        options = {name: value for name, value in self._common.items() if name not in _OWN}
        for column in self.option_columns:
            if "--" in self._split(cells[column], True):
                raise InputError(f"The cell '{column}' holds '--', which is no value: correct it.")
        for column, argument in self._argument_columns.items():
            if not cells[column]:
                raise InputError(f"The cell '{column}' is empty: name a file.")
            options[argument.dest] = self._value(argument, self._split(cells[column], argument.nargs in ("+", "*")))
        for name, action in self._options.items():
            text = cells.get(name, "")
            if action.nargs == 0:
                if text.lower() not in _TRUE + _FALSE:
                    raise InputError(f"The cell '{name}' holds '{text}': write yes, or leave it empty.")
                options[name] = options[name] or text.lower() in _TRUE
            elif text and action.nargs in ("+", "*"):
                options[name] = self._value(action, self._split(text, True))
            elif text and isinstance(action.default, list):  # may be repeated
                options[name] = [*options[name], *(self._value(action, [part]) for part in self._split(text, True))]
            elif text:
                options[name] = self._value(action, [text])
            elif action.required and options[name] is None:
                self._parser.error(f"the following arguments are required: {'/'.join(action.option_strings)}")
        return options

    def _value(self, action: argparse.Action, texts: list[str]):
        """What the texts of a cell are to the command's parser.

        Raises:
            InputError: they are no such values.
        """
        try:
            return self._parser._get_values(action, [self._placed(text) if _is_file(action, text) else text for text in texts])
        except argparse.ArgumentError as error:
            self._parser.error(str(error))

    def _split(self, text: str, several: bool) -> list[str]:
        return [part.strip() for part in text.split(SEPARATOR) if part.strip()] if several else [text]

    def _placed(self, value: str) -> str:
        """A path relative to the table's folder as an absolute one, also behind the name of a contrast (t1=FILE);
        anything else as it is.
        """
        folder = self.path.absolute().parent
        if os.path.exists(folder / value):  # False where a name is too long for the system
            return str(folder / value)
        name, mark, file = value.partition("=")
        return f"{name}{mark}{folder / file}" if file and os.path.exists(folder / file) else value


def _is_file(action: argparse.Action, text: str) -> bool:
    """Whether what a cell holds for an option is a file that is read."""
    return action.metavar in _FILES or action.metavar in _NAMES_OR_FILES and text.lower().endswith(".json")


def _is_among(option: argparse.Action, words: list[str]) -> bool:
    return any(word.split("=")[0] in option.option_strings for word in words)


def _singular(name: str) -> str:
    return name.removesuffix("s")
