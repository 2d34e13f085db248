"""Split: which subject trains, validates, or tests; a CSV file that anyone can read and edit. The subject is the unit."""

from __future__ import annotations

import csv
import os
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.imaging.files import name_of
from RadiomicsPersonaLib.system.csv_table import CsvTable, same_text, written_cell
from RadiomicsPersonaLib.system.names import is_text
from RadiomicsPersonaLib.system.output import file_written_whole

TRAINING, VALIDATION, TEST = "training", "validation", "test"
PARTS = (TRAINING, VALIDATION, TEST)
SCAN_SUFFIXES = (".nii.gz", ".nii")
TABLE_SUFFIXES = (".csv", ".tsv")
COLUMNS = ("source", "subject", "part", "file")


@dataclass(frozen=True)
class ListedScan:
    """One row of a split.

    Attributes:
        source: name of the collection it comes from.
        subject: who it shows; all scans of a subject are in one part.
        part: training, validation or test.
        file: where it lies.
    """

    source: str
    subject: str
    part: str
    file: Path


def scans_in(folder: Path) -> list[Path]:
    """The NIfTI files of a folder or, where it holds none itself, of its subfolders; sorted.

    Raises:
        InputError: there is no such folder, or no scan in it.
    """
    for deep in (False, True):
        files = sorted(scan_files(folder, deep))
        if files:
            return files
    raise InputError(f"There are no NIfTI scans in '{folder}': check the path.")


def scan_files(folder: Path, deep: bool = True) -> Iterator[Path]:
    """The NIfTI files of a folder, in capitals or not; none that are hidden, such as what macOS leaves beside the real ones.

    Args:
        deep: in subfolders, too.
    """
    for file in folder.rglob("*") if deep else folder.glob("*"):
        hidden = any(part.startswith(".") for part in file.relative_to(folder).parts)
        if file.name.lower().endswith(SCAN_SUFFIXES) and not hidden and not file.is_dir():
            yield file


def is_table(place: Path) -> bool:
    """Whether a place is a list of scans, and no folder."""
    return place.suffix.lower() in TABLE_SUFFIXES and not place.is_dir()


def find_scans(place: Path) -> list[tuple[str, Path]]:
    """Subject and file of every scan in a folder, or in a CSV file with the columns subject and file.

    Without a CSV file the subject is the `sub-…` of the name or of a folder above (BIDS), else the file's name.

    Raises:
        InputError: there is no such place, it is neither a folder nor such a table, or it lists nothing.
    """
    if is_table(place):
        return [(same_text(row["subject"]), place.parent / row["file"]) for _, row in _rows(place, ("subject", "file"))]
    if place.is_file():
        raise InputError(f"'{place}' is no folder and no table: name a folder with scans, or a list of them that ends in .csv.")
    return [(subject_of(file.relative_to(place)), file) for file in scans_in(place)]


def subject_of(file: Path) -> str:
    """The subject that a file's name or folder tells."""
    for part in (file.name, *reversed(file.parts[:-1])):
        found = re.match(r"sub-[A-Za-z0-9]+", part)
        if found:
            return found.group()
    return same_text(name_of(file))


def split_subjects(subjects: list[str], validation: float, test: float, seed: int) -> dict[str, str]:
    """The part of every subject, drawn at random.

    Args:
        subjects: in any order, repeats allowed.
        validation, test: shares of the subjects in those parts, at least one subject each when the share is above 0.
    Raises:
        InputError: too few subjects for every part to have one.

    >>> parts = split_subjects([f"person {n}" for n in range(8)], validation=0.1, test=0.1, seed=0)
    >>> sorted(parts.values())
    ['test', 'training', 'training', 'training', 'training', 'training', 'training', 'validation']
    """
    ordered = sorted(set(subjects))
    counts = [max(1, round(share * len(ordered))) if share > 0 else 0 for share in (test, validation)]
    if len(ordered) <= sum(counts):
        raise InputError(
            f"There {'is only 1 subject' if len(ordered) == 1 else f'are only {len(ordered)} subjects'}: training, validation "
            "and test need at least one each, so add scans of other subjects."
        )
    shuffled = [ordered[i] for i in np.random.default_rng(seed).permutation(len(ordered))]
    parts = [TEST] * counts[0] + [VALIDATION] * counts[1]
    return dict(zip(shuffled, parts + [TRAINING] * (len(ordered) - len(parts))))


def _refuse_unusable(rows: list[ListedScan]) -> None:
    """Refuse scans that a table cannot name, or that are listed twice.

    Raises:
        InputError: see above.
    """
    for row in rows:
        if not all(map(is_text, (row.source, row.subject, row.file))):
            raise InputError(f"The name of '{row.file}' is no text in UTF-8, so that no table can hold it: rename it.")
    _refuse_listed_twice(rows)


def _refuse_listed_twice(rows: list[ListedScan]) -> None:
    seen: dict[str, ListedScan] = {}
    for row in rows:
        first = seen.setdefault(os.path.realpath(row.file), row)
        if first is not row:
            under = (
                f"for '{row.subject}'"
                if (first.source, first.subject) == (row.source, row.subject)
                else f"for '{first.subject}' of '{first.source}' and for '{row.subject}' of '{row.source}'"
            )
            raise InputError(f"The scan '{row.file}' is listed twice, {under}: list every file once.")


def write_split(rows: list[ListedScan], target: Path) -> None:
    """Write a split as CSV; files beneath its folder are named from there, so that both can move together.

    Raises:
        InputError: a scan cannot be named or is listed twice, or the file cannot be written.
    """
    _refuse_unusable(rows)
    target = target.absolute()
    with file_written_whole(target, alone=True) as staging, open(staging, "w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(COLUMNS)
        for row in sorted(rows, key=lambda r: (r.source, PARTS.index(r.part), r.subject, str(r.file))):
            file = row.file.absolute()
            inside = file.is_relative_to(target.parent)
            place = (file.relative_to(target.parent) if inside else file).as_posix()
            writer.writerow(map(written_cell, [row.source, row.subject, row.part, place]))


def read_split(path: Path, root: Path | None = None) -> list[ListedScan]:
    """The rows of a split.

    Args:
        root: folder beneath which relative files lie; None takes the split's own.
    Raises:
        InputError: no such file, a column or a value is missing, an unknown part, a subject in two parts, or a file twice.
    """
    rows = []
    for line, row in _rows(path, COLUMNS):
        if row["part"] not in PARTS:
            raise InputError(f"Line {line} of '{path}' names the part '{row['part']}': choose {', '.join(PARTS)}.")
        rows.append(ListedScan(row["source"], row["subject"], row["part"], (root or path.parent) / row["file"]))
    seen = defaultdict(set)
    for row in rows:
        seen[row.source, row.subject].add(row.part)
    for (source, subject), parts in seen.items():
        if len(parts) > 1:
            raise InputError(
                f"Subject '{subject}' of '{source}' is in two parts ({' and '.join(sorted(parts))}): keep each subject in one."
            )
    _refuse_listed_twice(rows)
    return rows


def _rows(path: Path, columns: tuple[str, ...]) -> list[tuple[int, dict[str, str]]]:
    """Lines and cells of a table that has a value in each of the columns."""
    table = CsvTable(path)
    rows = [(line, {column: cells.get(column, "") for column in columns}) for line, cells in table]
    if not rows:
        raise InputError(f"'{path}' lists no scan: add one line per scan beneath the header {','.join(columns)}.")
    for line, cells in rows:
        for column, value in cells.items():
            if not value:
                raise InputError(f"Line {line} of '{path}' has no '{column}': the columns are {','.join(columns)}.")
    return rows
