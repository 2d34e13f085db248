"""Source table: which data may be fitted on, as the README.md of a data folder says row by row."""

from __future__ import annotations

from pathlib import Path

from RadiomicsPersonaLib.errors import InputError

EVALUATION_MARK = "eval_only"
"""Folders with this in their name are never fitted on, whether or not a table names them."""


def refuse_unless_fittable(folder: Path) -> None:
    """Raise where a folder may not be fitted on.

    A data folder may hold a README.md with a Markdown table whose first column names folders beneath it and whose last
    column begins with "yes" where they may be fitted on. A folder without such a table above it is the user's own.

    Raises:
        InputError: its name says evaluation only, or its row does not say yes, or the table does not name it.
    """
    folder = folder.resolve()
    if any(EVALUATION_MARK in part for part in folder.parts):
        raise InputError(f"'{folder.name}' is for evaluation only and may not be fitted on: leave it out.")
    for root in (folder, *folder.parents):
        rows = _rows(root / "README.md")
        if rows:
            _refuse_by_row(folder.relative_to(root), rows, folder)
            return


def _refuse_by_row(inner: Path, rows: dict[str, str], folder: Path) -> None:
    below = [name for name in rows if Path(name).is_relative_to(inner)]
    above = [name for name in rows if inner.is_relative_to(name)]
    for name in above or below:
        if not rows[name].lower().replace("*", "").startswith("yes"):
            raise InputError(f"'{folder.name}' may not be fitted on: the table of sources says of '{name}': {rows[name]}.")
    if not (above or below):
        raise InputError(
            f"The table of sources in '{folder.name}' or above it does not name this folder: add a row that says whether it "
            "may be fitted on."
        )


def _rows(file: Path) -> dict[str, str]:
    """Last column by folder, of a README's table that has a column 'folder'; empty without one."""
    if not file.is_file():
        return {}
    cells = [
        [cell.strip() for cell in line.strip().strip("|").split("|")]
        for line in file.read_text(encoding="utf-8", errors="replace").splitlines()
        if line.lstrip().startswith("|")
    ]
    if not cells or cells[0][0].lower() != "folder" or "train" not in cells[0][-1].lower():
        return {}
    return {row[0].strip("`"): row[-1] for row in cells[2:] if len(row) == len(cells[0])}
