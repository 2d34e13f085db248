"""Scores: how well every hole was rebuilt, and the file that keeps them hole by hole, from which a run goes on."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.system.csv_table import readable_cell, written_cell
from RadiomicsPersonaLib.system.output import file_written_whole

REBUILDING_METRICS = {
    "mse": "MSE (tissue SD²)",
    "mse_01": "MSE (0-1)",
    "psnr": "PSNR (dB)",
    "ssim": "SSIM 3-D",
    "gradient_error": "gradient error (tissue SD/mm)",
    "official_ssim": "official SSIM",
    "official_mse": "official MSE",
    "official_psnr": "official PSNR (dB)",
    "official_psnr_01": "official PSNR, range 1 (dB)",
}
"""What is scored in every hole; see `score` and `challenge.challenge_metrics` for the formulas."""


@dataclass(frozen=True)
class HoleScore:
    """One hole rebuilt by one rebuilder.

    Attributes:
        group, subject, stratum, number: which hole.
        rebuilder: who rebuilt it.
        milliliters: the hole's volume.
        seconds: time of the rebuilding alone.
        metrics: the keys of `REBUILDING_METRICS`.
    """

    group: str
    subject: str
    stratum: str
    number: int
    rebuilder: str
    milliliters: float
    seconds: float
    metrics: dict[str, float]

    @property
    def hole(self) -> tuple[str, str, str, int]:
        """What tells this hole from all others."""
        return self.group, self.subject, self.stratum, self.number


class RowTable:
    """The rows of a run in a CSV file; a hole appears with all of its rebuilders or not at all.

    Args:
        path: the file, begun where it is missing.
        rebuilders: those that every hole has.
        others: those that some holes have.
    """

    COLUMNS = ("group", "subject", "stratum", "number", "rebuilder", "milliliters", "seconds", *REBUILDING_METRICS)

    def __init__(self, path: Path, rebuilders: tuple[str, ...], others: tuple[str, ...] = ()):
        self.path = path
        self.rows: dict[tuple, list[HoleScore]] = {}
        found = defaultdict(dict)
        for row in _complete_rows(path, self.COLUMNS):
            found[row.hole][row.rebuilder] = row
        self.rows = {
            hole: [rows[name] for name in (*rebuilders, *others) if name in rows]
            for hole, rows in found.items()
            if set(rebuilders) <= set(rows)
        }
        with file_written_whole(path) as staging, open(staging, "w", newline="", encoding="utf-8") as stream:
            csv.writer(stream).writerow(self.COLUMNS)
            csv.writer(stream).writerows(_cells(row) for rows in self.rows.values() for row in rows)

    def add(self, rows: list[HoleScore]) -> None:
        """Add one hole's rows, to the file as well."""
        self.rows[rows[0].hole] = rows
        with open(self.path, "a", newline="", encoding="utf-8") as stream:
            csv.writer(stream).writerows(_cells(row) for row in rows)


def scans_in_rows(path: Path) -> set[tuple[str, str]]:
    """Group and subject of every scan that has rows in a `RowTable`'s file; none where there is no file."""
    return {(row.group, row.subject) for row in _complete_rows(path, RowTable.COLUMNS)}


def _cells(row: HoleScore) -> list:
    return [
        *map(written_cell, row.hole),
        written_cell(row.rebuilder),
        row.milliliters,
        row.seconds,
        *(row.metrics[key] for key in REBUILDING_METRICS),
    ]


def _complete_rows(path: Path, columns: tuple[str, ...]) -> Iterable[HoleScore]:
    if not path.exists():
        return
    # a run that was killed can leave its last line cut off
    lines = [line for line in path.read_text(encoding="utf-8").splitlines(keepends=True) if line.endswith("\n")]
    for cells in csv.DictReader(lines):
        if set(cells) != set(columns) or None in cells.values():
            raise InputError(f"'{path}' is not a table of this evaluation: choose another output folder.")
        hole = *(readable_cell(cells[key]) for key in ("group", "subject", "stratum")), int(cells["number"])
        metrics = {key: float(cells[key]) for key in REBUILDING_METRICS}
        yield HoleScore(*hole, readable_cell(cells["rebuilder"]), float(cells["milliliters"]), float(cells["seconds"]), metrics)
