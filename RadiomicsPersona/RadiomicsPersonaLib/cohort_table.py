"""Cohort table: a CSV file with a row per scan, read row by row, and the command that each row stands for."""

from __future__ import annotations

import argparse
import csv
import difflib
import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .errors import InputError

NOT_PER_ROW = ("report", "regress", "cohort", "models")
"""Commands that are no work on one scan."""
SEPARATOR = ";"
"""Between several values in one cell: boxes, or scans of several contrasts or visits."""
_TRUE, _FALSE = ("1", "yes", "true", "x"), ("", "0", "no", "false")


@dataclass(frozen=True)
class CohortRow:
    """One row.

    Attributes:
        number: 1 for the first below the heads.
        cells: every column's text.
        words: the command that it stands for, without --output; None where a cell is missing, see `sentence`.
        sentence: why there is no command.
    """

    number: int
    cells: dict[str, str]
    words: list[str] | None
    sentence: str = ""


class CohortTable:
    """The rows of a file as commands; nothing but the current row is held in memory.

    Columns named like arguments or options of the command (scan, box, boxes, labels, mask, model, ...) are given to it; all others stay with
    the row. Several boxes or scans in one cell are separated by semicolons. Paths may be relative to the table's folder.

    Args:
        path: the file; commas, tabs, or where these are absent semicolons between columns.
        command: a subcommand of `radiomics-persona`.
        common: options for all rows; the row's own come later and win.
    Raises:
        InputError: no such file or command, no rows, a column that is needed is missing, or options that the command does not know.
    """

    def __init__(self, path: str | Path, command: str, common: list[str]):
        from .cli import parse, parser_of

        self.path, self.command, self._common = Path(path), command, common
        if not self.path.is_file():
            raise InputError(f"There is no table '{path}': check the path.")
        parser = parser_of(command)
        if parser is None or command in NOT_PER_ROW:
            raise InputError(f"'{command}' is no command that works on one scan: choose analyze, inpaint, mesh, follow or another of --help.")
        self._arguments = [action for action in parser._actions if not action.option_strings]
        self._options = {
            action.dest: action for action in parser._actions if action.option_strings and action.dest not in ("help", "output", "json", "options")
        }
        self._output = next(action for action in parser._actions if action.dest == "output")
        self.prints_json = any(action.dest == "json" for action in parser._actions)
        self.heads = self._read_heads()
        for argument in self._arguments:
            if argument.dest not in self.heads and _singular(argument.dest) not in self.heads:
                near = difflib.get_close_matches(_singular(argument.dest), self.heads, 1, 0.5)
                hint = f"is '{near[0]}' meant?" if near else f"it has {', '.join(self.heads[:20])}."
                raise InputError(f"The table has no column '{_singular(argument.dest)}', which `{command}` needs: {hint}")
        if any(word.split("=")[0] in ("--output", "--json") for word in common):
            raise InputError("--output and --json are the cohort's own: leave them out of the command's options.")
        # what no row could set right is said before any work is done
        words = [command, *(argument.dest for argument in self._arguments), *self._required(), *common, "--output", "somewhere"]
        parse(words)
        if not any(True for _ in self):
            raise InputError(f"The table '{self.path.name}' has no rows below its heads: add some.")

    def __len__(self) -> int:
        return sum(1 for _ in self._cells())

    def __iter__(self) -> Iterator[CohortRow]:
        for number, cells in enumerate(self._cells(), 1):
            try:
                yield CohortRow(number, cells, self._words(cells))
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
        return {name: argument for argument in self._arguments for name in (argument.dest, _singular(argument.dest)) if name in self.heads}

    def _read_heads(self) -> list[str]:
        try:
            with open(self.path, encoding="utf-8-sig", newline="") as stream:
                first = stream.readline()
        except UnicodeDecodeError:
            raise InputError(f"'{self.path.name}' is not a CSV table in UTF-8: save it as one.") from None
        # semicolons also separate values in a cell
        self._delimiter = max(",\t", key=first.count) if any(mark in first for mark in ",\t") else ";"
        heads = [head.strip() for head in next(csv.reader([first], delimiter=self._delimiter), [])]
        twice = next((head for head in heads if heads.count(head) > 1), None)
        if not any(heads) or twice is not None:
            why = f"two columns are called '{twice}'" if twice else "its first line holds no names of columns"
            raise InputError(f"The table '{self.path.name}' cannot be used: {why}.")
        return heads

    def _cells(self) -> Iterator[dict[str, str]]:
        with open(self.path, encoding="utf-8-sig", newline="") as stream:
            for cells in itertools.islice(csv.reader(stream, delimiter=self._delimiter), 1, None):
                if any(cell.strip() for cell in cells):
                    yield {head: cell.strip() for head, cell in itertools.zip_longest(self.heads, cells[: len(self.heads)], fillvalue="")}

    def _words(self, cells: dict[str, str]) -> list[str]:
        words = [self.command]
        for column, argument in self._argument_columns.items():
            if not cells[column]:
                raise InputError(f"The cell '{column}' is empty: name a file.")
            words += [self._placed(value) for value in self._split(cells[column], argument.nargs in ("+", "*"))]
        words += self._common
        for name, action in self._options.items():
            text = cells.get(name, "")
            flag = action.option_strings[0]
            if action.nargs == 0:
                if text.lower() not in _TRUE + _FALSE:
                    raise InputError(f"The cell '{name}' holds '{text}': write yes, or leave it empty.")
                words += [flag] if text.lower() in _TRUE else []
            elif text and action.nargs in ("+", "*"):
                words += [flag, *(self._placed(value) for value in self._split(text, True))]
            elif text:
                words += [f"{flag}={self._placed(value)}" for value in self._split(text, isinstance(action.default, list))]
        return words

    def _split(self, text: str, several: bool) -> list[str]:
        return [part.strip() for part in text.split(SEPARATOR) if part.strip()] if several else [text]

    def _placed(self, value: str) -> str:
        """A path relative to the table's folder as an absolute one, also behind the name of a contrast (t1=FILE); anything else as it is."""
        name, mark, file = value.rpartition("=")
        beside = self.path.absolute().parent / file
        return f"{name}{mark}{beside}" if file and beside.exists() else value

    def _required(self) -> list[str]:
        """Stand-ins for required options, which the rows give."""
        return [
            word
            for name, action in self._options.items()
            if action.required and not any(word.split("=")[0] in action.option_strings for word in self._common)
            for word in (action.option_strings[0], "0")
        ]


def _singular(name: str) -> str:
    return name.removesuffix("s")
