"""Own box list: the table of boxes whose truth a site knows, as it is written by hand or by the Slicer module."""

from __future__ import annotations

import csv
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.geometry.box import Box, parse_box
from RadiomicsPersonaLib.geometry.markups import read_boxes
from RadiomicsPersonaLib.system.csv_table import CsvTable, same_text, written_cell
from RadiomicsPersonaLib.system.output import file_written_whole

from ..data.source_table import refuse_unless_fittable

COLUMNS = ("subject", "scan", "truth", "box")
TRUTHS = {"healthy": False, "pathological": True, "0": False, "1": True}


@dataclass(frozen=True, eq=False)
class OwnBox:
    """A box whose truth the site knows.

    Attributes:
        subject: whose scan it is; all scans of a subject count as one.
        scan: the scan's file.
        sick: the truth.
        box: where.
        line: of the list, as in "line 3 of 'boxes.csv'".
    """

    subject: str
    scan: Path
    sick: bool
    box: Box
    line: str = ""


def read_own_boxes(path: Path) -> list[OwnBox]:
    """The boxes of a CSV file with the columns subject, scan, truth and box.

    `truth` is healthy or pathological (or 0 or 1). `box` is R,A,S,X,Y,Z in RAS millimetres, or a Slicer markups file
    (.mrk.json) all of whose ROIs have this truth. Files lie beside the CSV unless their path says otherwise.

    Raises:
        InputError: the file, a column, a value, a scan or a box is missing or cannot be used, a box is listed twice, or a scan
            under two subjects; the line is named.
    """
    boxes = []
    for number, row in CsvTable(path):
        values = {column: row.get(column, "") for column in COLUMNS}
        missing = [column for column, value in values.items() if not value]
        if missing:
            raise InputError(f"Line {number} of '{path}' has no '{missing[0]}': the columns are {','.join(COLUMNS)}.")
        if values["truth"].lower() not in TRUTHS:
            raise InputError(f"Line {number} of '{path}' has the truth '{values['truth']}': write healthy or pathological.")
        scan = path.parent / values["scan"]
        if not scan.exists():
            raise InputError(f"Line {number} of '{path}' names the scan '{scan}', which is not there: check the path.")
        try:
            found = (
                read_boxes(path.parent / values["box"])
                if values["box"].lower().endswith(".json")
                else [parse_box(values["box"], f"line {number}")]
            )
        except InputError as error:
            raise InputError(f"Line {number} of '{path}': {error}") from error
        subject, sick = same_text(values["subject"]), TRUTHS[values["truth"].lower()]
        boxes += [OwnBox(subject, scan, sick, box, f"line {number} of '{path}'") for box in found]
    if not boxes:
        raise InputError(f"'{path}' lists no box: add one line per box beneath the header {','.join(COLUMNS)}.")
    _refuse_listed_twice(boxes)
    for folder in {box.scan.parent for box in boxes}:
        refuse_unless_fittable(folder)
    return boxes


def _refuse_listed_twice(boxes: list[OwnBox]) -> None:
    owners: dict[str, OwnBox] = {}
    places: dict[tuple, OwnBox] = {}
    for own in boxes:
        file, box = os.path.realpath(own.scan), own.box
        first = owners.setdefault(file, own)
        if first.subject != own.subject:
            raise InputError(
                f"'{own.scan.name}' is a scan of '{first.subject}' in {first.line}, and of '{own.subject}' in "
                f"{own.line}: name one subject."
            )
        place = (file, *(round(float(number), 2) for number in (*box.center, *box.size, *np.ravel(box.axes))))
        first = places.setdefault(place, own)
        if first is not own:
            truths = "as healthy and as pathological" if first.sick != own.sick else "twice"
            raise InputError(
                f"The box in {first.line} stands in {own.line} again, so that it is listed {truths}: keep one of them."
            )


def rows_of(path: Path) -> list[dict[str, str]]:
    """The rows of a list as they are written, unchecked; none where there is no file.

    Raises:
        InputError: it is no table.
    """
    return [cells for _, cells in CsvTable(path)] if path.exists() else []


def write_rows(path: Path, rows: list[dict[str, str]]) -> None:
    """Write a list.

    Raises:
        InputError: the file cannot be written.
    """
    with file_written_whole(path) as staging, open(staging, "w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(COLUMNS)
        writer.writerows([written_cell(row.get(column)) for column in COLUMNS] for row in rows)
