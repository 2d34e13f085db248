"""CSV table: the one reader of tables that users and other programs write, and what keeps a cell from running in a spreadsheet.

All cells are texts, as they were written: 001 stays 001, NA stays NA. Only names are compared by `same_text`.
"""

from __future__ import annotations

import csv
import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path

from ..errors import InputError

_RUNS = tuple("=+-@＝＋－＠")
"""What spreadsheets take for the begin of a formula, also in the full width of East Asian ones."""
_NUMBER = r"[+-]?(\d+([.,]\d*)?|[.,]\d+)([eE][+-]?\d+)?"
_HARMLESS = re.compile(rf"-+|{_NUMBER}(\s*[,;]\s*{_NUMBER})*")
"""Numbers, lists of numbers (a box) and dashes: they begin like a formula and are none."""


class CsvTable:
    """A table with the names of its columns in the first line, read row by row; nothing but the current row is held in memory.

    Iterating gives the line that a row ends in, 1 for the heads, and its cells by their columns, without blanks around them.
    Empty lines are passed over, and so are empty cells behind the last column, which spreadsheets add, and columns without a
    name before it.

    Args:
        path: in UTF-8; commas, semicolons or tabs between the cells, whichever the first line has most of.
    Attributes:
        path: as given.
        heads: names of the columns.
        delimiter: what stands between cells.
    Raises:
        InputError: no such file, no table, no names of columns, one twice; while iterating, a row that has more or fewer cells
            than there are heads, a quote that is not closed, or a cell of more than 131,072 characters.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)
        if not self.path.is_file():
            raise InputError(f"There is no table '{path}': check the path.")
        self.delimiter, self._columns = ",", []
        first = next(self._lines(), None)
        if first is None:
            raise InputError(f"The table '{self.path.name}' has no rows below its heads: add some.")
        self._columns = [same_text(readable_cell(cell)) for cell in first[1]]
        while self._columns and not self._columns[-1]:
            self._columns.pop()
        self.heads = [head for head in self._columns if head]
        twice = next((head for head in self.heads if self.heads.count(head) > 1), None)
        if twice is not None or not self.heads:
            why = f"two columns are called '{twice}'" if twice else "its first line holds no names of columns"
            raise InputError(f"The table '{self.path.name}' cannot be used: {why}.")

    def __iter__(self) -> Iterator[tuple[int, dict[str, str]]]:
        width = len(self._columns)
        for number, (line, cells) in enumerate(self._lines()):
            if not number or not any(cells):
                continue
            while len(cells) > width and not cells[-1]:
                cells.pop()
            if len(cells) != width:
                raise InputError(
                    f"Line {line} of '{self.path.name}' has {len(cells)} cells and the first line names {width} columns: give "
                    f"each cell a column, and put quotes around a text that holds a {self._delimiter_in_words}."
                )
            yield line, {head: readable_cell(cell) for head, cell in zip(self._columns, cells) if head}

    @property
    def _delimiter_in_words(self) -> str:
        return {",": "comma", ";": "semicolon", "\t": "tab"}[self.delimiter]

    def _lines(self) -> Iterator[tuple[int, list[str]]]:
        """All rows with the lines that they end in, the heads first."""
        line = 0
        try:
            with open(self.path, encoding="utf-8-sig", newline="") as stream:
                unquoted = re.sub(r'"[^"]*"', "", stream.readline())
                self.delimiter = max(",;\t", key=unquoted.count)
                stream.seek(0)
                reader = csv.reader(stream, delimiter=self.delimiter, skipinitialspace=True, strict=True)
                for cells in reader:
                    line = reader.line_num
                    yield line, [cell.strip() for cell in cells]
        except UnicodeDecodeError:
            raise InputError(f"'{self.path.name}' is not a CSV table in UTF-8: save it as one.") from None
        except csv.Error as error:
            raise InputError(
                f"'{self.path.name}' cannot be read as CSV from line {line + 1} on ({error}): look for a quote that "
                "is not closed."
            ) from error
        except OSError as error:
            raise InputError(f"'{self.path.name}' cannot be read ({error.strerror or error}): check the file.") from error


def same_text(text: str) -> str:
    r"""A text in Unicode's form NFC: systems write a ü as one character or as two (macOS), and mean the same.

    >>> same_text("Mu\u0308ller") == "M\u00fcller"
    True
    """
    return unicodedata.normalize("NFC", text)


def written_cell(value):
    """What is written for a value into a table: nothing for None and NaN, and an apostrophe in front of a text that a
    spreadsheet would take for a formula; `readable_cell` takes it away.

    >>> [written_cell(value) for value in ("=1+1", "-5.2", "a=b", 0.5, float("nan"), None)]
    ["'=1+1", '-5.2', 'a=b', 0.5, '', '']
    """
    if value is None or value != value:
        return ""
    return f"'{value}" if isinstance(value, str) and _would_run(value) else value


def readable_cell(text: str) -> str:
    """A text as it was before `written_cell`.

    >>> readable_cell("'=1+1"), readable_cell("'t Hooft")
    ('=1+1', "'t Hooft")
    """
    return text[1:] if text.startswith("'") and _would_run(text[1:]) else text


def _would_run(text: str) -> bool:
    """Whether a text begins like a formula, also behind blanks and apostrophes."""
    return text.lstrip(" \t\r\n'").startswith(_RUNS) and not _HARMLESS.fullmatch(text.strip())
