"""Acquisition date: when a scan was taken, as its DICOM header or the files beside it say."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from pathlib import Path

from ..errors import InputError
from ..system.csv_table import CsvTable
from ..system.json_text import parsed
from .dates import days_of
from .dicom import header_of_series
from .files import name_of

KEYS = ("AcquisitionDateTime", "AcquisitionDate", "SeriesDate", "StudyDate", "acq_time", "date")
"""Where a date may stand in a file beside the scan: DICOM's keywords as dcm2niix writes them, BIDS' column,
or a plain "date"."""
TAGS = ("0008|002a", "0008|0022", "0008|0021", "0008|0020")
"""AcquisitionDateTime, AcquisitionDate, SeriesDate, StudyDate in a DICOM header."""


def visit_date(path: str | Path) -> str | None:
    """The date of a scan as 2026-03-31, or None where nothing tells it.

    A folder with a DICOM series tells it in its header; for a file it stands in a JSON file of the same name beside it (as
    dcm2niix makes it), or in a table beside it or in the folder above, CSV or BIDS' *_scans.tsv, whose column `filename` or
    `scan` names the file.
    """
    path = Path(path)
    told = _in_dicom(path) if path.is_dir() else [*_in_json(path), *_in_tables(path)]
    for text in told:
        try:
            (day,) = days_of([str(text)], local=True)
        except InputError:  # anonymised, or of an unknown form: the next place may tell it
            continue
        return datetime.date.fromordinal(int(day)).isoformat()
    return None


def _in_dicom(folder: Path) -> Iterator[str]:
    yield from filter(None, header_of_series(folder, TAGS))


def _in_json(path: Path) -> Iterator[str]:
    try:
        content = parsed(path.with_name(name_of(path) + ".json").read_text(encoding="utf-8"))
    except (OSError, ValueError):  # another program's file, or none
        return
    if isinstance(content, dict):
        yield from (content[key] for key in KEYS if content.get(key))


def _in_tables(path: Path) -> Iterator[str]:
    for folder in (path.parent, path.parent.parent):
        for table in sorted([*folder.glob("*_scans.tsv"), *folder.glob("*.csv")]):
            try:
                rows = [row for _, row in CsvTable(table)]
            except InputError:  # no table of ours
                continue
            for row in rows:
                named = row.get("filename") or row.get("scan") or ""
                if named and (folder / named).absolute() == path.absolute():
                    yield from (row[key] for key in KEYS if row.get(key))
