"""Observations: the rows of a CSV file as numbers that a regression can use, and sentences for those it cannot."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import InputError
from ..imaging.dates import DAYS_PER_YEAR, are_compact_dates, days_of, is_number
from ..system.csv_table import CsvTable, same_text

# Imported in functions: pandas, which comes with statsmodels, an extra of this package.

PATIENT = "patient"
TIMES = ("years", "date", "days", "time")
"""Names that a column of time is looked for under, unless one is named."""
NO_TIME = "none"
"""Instead of a column of time: it plays no part."""
OUTCOMES = ("volume_ml", "deviating_ml", "combined", "deviation")
"""What is analyzed of a table of visits, unless columns are named."""
NAMES = {
    "volume_ml": "lesion (ml)",
    "deviating_ml": "unusual tissue (ml)",
    "combined": "combined score",
    "deviation": "deviation (SD)",
    "p": "p",
}
"""What reports call columns of a table of visits; others go by their own names."""
_DATES = re.compile("date|datum", re.IGNORECASE)
"""In the name of a column: its numbers are dates too, as spreadsheets and DICOM write them."""
_NO_VALUE = ("", "na", "n/a", "#n/a", "nan", "null", "none", "-", ".")
"""What stands for a number that is not there."""
_LARGEST = 1e100
"""Of a number that can be reckoned with; its square is one too."""


@dataclass(frozen=True)
class Observations:
    """One outcome's rows that have everything the regression needs.

    Attributes:
        outcome: name of the column.
        values: shape (rows,).
        patients: whose row it is, texts, shape (rows,).
        times: shape (rows,), or None when time plays no part.
        time, unit: the time column's name, and what its numbers count ("years", or the column's name).
        covariates: by name, shape (rows,) each; one of two or more texts is coded 0 or 1 as "column = text",
            the first text being 0.
        notes: what was left out, one sentence each.
    """

    outcome: str
    values: np.ndarray
    patients: np.ndarray
    times: np.ndarray | None
    time: str | None
    unit: str
    covariates: dict[str, np.ndarray]
    notes: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """What reports call the outcome."""
        return NAMES.get(self.outcome, self.outcome)

    @property
    def visits(self) -> dict[str, int]:
        """Rows per patient."""
        names, counts = np.unique(self.patients, return_counts=True)
        return dict(zip(names.tolist(), counts.tolist()))


def read_table(paths: list[str | Path]):
    """The rows of one or several CSV files, one below the other, as a pandas DataFrame of texts, None for an empty cell.

    Only decimal commas become points, in columns that hold numbers and nothing else, and all texts get one form of Unicode,
    see `same_text`. The index says where a row stands, as in
    "line 3 of 'a.csv'".

    Raises:
        InputError: a file is missing, no table, or without rows; see `CsvTable`.
    """
    import pandas

    frames = []
    for path in paths:
        table = CsvTable(path)
        lines = list(table)
        rows = [list(cells.values()) for _, cells in lines]
        if not rows:
            raise InputError(f"The table '{table.path.name}' has no rows below its heads: add some.")
        columns = [_with_points(column, table.delimiter == ";") for column in zip(*rows)]
        cells = {head: [same_text(cell) or None for cell in column] for head, column in zip(table.heads, columns)}
        places = [f"line {line} of '{table.path.name}'" for line, _ in lines]
        frames.append(pandas.DataFrame(cells, dtype=object, index=places))
    return pandas.concat(frames)


def _with_points(cells: tuple[str, ...], semicolons: bool) -> list[str]:
    """The cells of a column with points for decimal commas, where it holds numbers and commas can mean nothing else.

    Args:
        semicolons: stand between the table's cells, as programs write that use decimal commas. In other tables 1,234 may be
            a thousand and more, unless a cell of the column such as 12,5 tells. Among decimal commas 1.234 may be that, and all
        stay as they are.
    """
    told = [cell for cell in cells if cell.lower() not in _NO_VALUE]
    commas = [cell for cell in told if "," in cell]
    decimal = semicolons or any(not re.fullmatch(r"[+-]?\d{1,3},\d{3}", cell) for cell in commas)
    two_readings = any(re.fullmatch(r"[+-]?\d{1,3}\.\d{3}", cell) for cell in told)
    if not commas or not decimal or two_readings or not all(map(is_number, told)):
        return list(cells)
    return [cell.replace(",", ".") for cell in cells]


def time_column(frame, asked: str | None, covariates: list[str]) -> str | None:
    """The column of time: the one asked for, or the first of `TIMES` that is there;
    None where "none" or only covariates are given.

    Raises:
        InputError: there is none.
    """
    if asked and asked != NO_TIME:
        return _existing(frame, asked)
    found = (
        next((name for name in TIMES if name in frame.columns and name not in covariates), None) if asked != NO_TIME else None
    )
    if not found and not covariates:
        raise InputError(f"The table has no column of time ({', '.join(TIMES)}): choose one, or covariates.")
    return found


def outcome_columns(frame, asked: list[str]) -> list[str]:
    """The columns to analyze: those asked for, or those of `OUTCOMES` that are there and hold numbers.

    Raises:
        InputError: there is none.
    """
    if asked:
        return [_existing(frame, name) for name in dict.fromkeys(asked)]
    found = [name for name in OUTCOMES if name in frame.columns and _texts(frame[name], True)]
    if not found:
        raise InputError(f"Choose the outcome that is to be analyzed; the table has {_listed(frame)}.")
    return found


def observations(frame, outcome: str, time: str | None, covariates: list[str], patient: str = PATIENT) -> Observations:
    """The complete rows for one outcome.

    Raises:
        InputError: a column is missing, holds no numbers or dates, or no row is complete.
    """
    repeated = int(frame.duplicated().sum())
    frame = frame[
        [_existing(frame, name) for name in dict.fromkeys([patient, outcome, *([time] if time else []), *covariates])]
    ]
    groups = {name for name in covariates if not all(map(is_number, _texts(frame[name], True)))}
    missing = frame.apply(lambda column: _is_missing(column, column.name not in {patient, *groups}))
    complete = frame[~missing.any(axis=1)]
    lost = len(frame) - len(complete)
    notes = []
    if lost:
        why = ", ".join(f"{int(count)} without {name}" for name, count in missing.sum().items() if count)
        notes.append(f"{outcome}: {lost} of {len(frame)} rows fall out because values are missing ({why}).")
    if repeated:
        notes.append(f"{outcome}: {repeated} row(s) of the table repeat another one in every column; each counts.")
    if complete.empty:
        raise InputError(
            f"No row of the table has a value in each of {', '.join(frame.columns)}: fill them in, or leave a covariate out."
        )
    patients = complete[patient].astype(str).to_numpy()
    times, unit = _times(complete, time, patients) if time else (None, "")
    coded = {}
    for name in covariates:
        if name not in groups:
            coded[name] = _numbers(complete, name)
            continue
        texts = np.array([str(text) for text in complete[name]])
        for place, text in zip(complete.index, texts):
            if _is_odd_number(text):
                raise InputError(f"{_cell(place, text, name)}, which is not a number: correct it, or leave the column out.")
        kinds = sorted(set(texts.tolist()))
        if len(kinds) > max(2, len(complete) // 3):
            raise InputError(f"The covariate '{name}' holds {len(kinds)} different texts: give numbers, or a few groups.")
        coded |= {f"{name} = {kind}": (texts == kind).astype(float) for kind in kinds[1:] or kinds}
    return Observations(outcome, _numbers(complete, outcome), patients, times, time, unit, coded, tuple(notes))


def _is_missing(column, counts: bool):
    """Where a column has no value; `counts`: of numbers, where NA and the like stand for none."""
    return column.map(lambda value: value is None or value != value or counts and str(value).strip().lower() in _NO_VALUE)


def _texts(column, counts: bool) -> list[str]:
    """The values of a column as texts, without those that are missing."""
    return [str(value).strip() for value in column[~_is_missing(column, counts)]]


def _is_odd_number(text: str) -> bool:
    """Whether a text is one that is not finite."""
    return text.strip().lower().lstrip("+-") in ("inf", "infinity", "nan", "1.#inf", "1.#qnan")


def _numbers(frame, name: str) -> np.ndarray:
    """A column's values, float64.

    Raises:
        InputError: one is no number, not finite, or too large.
    """
    texts = [str(value).strip() for value in frame[name]]
    for place, text in zip(frame.index, texts):
        if not is_number(text):
            raise InputError(f"{_cell(place, text, name)}, which is not a number: correct it, or choose another column.")
    for place, text in zip(frame.index, texts):
        if "," in text:
            pointed = next((other for other in texts if "." in other), None)
            both = f", as the point of '{pointed}' can" if pointed else ""
            raise InputError(
                f"{_cell(place, text, name)}, whose comma can stand before a fraction or between thousands{both}: write "
                "numbers with a point and without commas."
            )
        if not abs(float(text)) <= _LARGEST:
            raise InputError(f"{_cell(place, text, name)}, which is too large to reckon with: correct it.")
    return np.array([float(text) for text in texts])


def _times(frame, name: str, patients: np.ndarray) -> tuple[np.ndarray, str]:
    """Numbers as they are; dates as years since the patient's first visit."""
    texts = [str(value) for value in frame[name]]
    if all(map(is_number, texts)) and not _DATES.search(name) and not are_compact_dates(texts):
        return _numbers(frame, name), name
    try:
        days = np.array(days_of(texts))
    except InputError as error:
        told = str(error)
        raise InputError(f"The column '{name}' cannot be read, for {told[0].lower()}{told[1:]}") from error
    first = {patient: days[patients == patient].min() for patient in set(patients.tolist())}
    return (days - np.array([first[patient] for patient in patients])) / DAYS_PER_YEAR, "years"


def _cell(place, text: str, column: str) -> str:
    """The begin of a sentence on a cell; place: of the frame's index, see `read_table`, or a row's number."""
    place = place if isinstance(place, str) else f"row {place}"
    return f"In the column '{column}' {place} holds '{text}'"


def _existing(frame, name: str) -> str:
    name = same_text(name)
    if name in frame.columns:
        return name
    near = difflib.get_close_matches(name, frame.columns, 1, 0.5)
    hint = f"did you mean '{near[0]}'?" if near else f"it has {_listed(frame)}."
    raise InputError(f"The table has no column '{name}': {hint}")


def _listed(frame) -> str:
    return ", ".join(frame.columns[:30]) + (", ..." if len(frame.columns) > 30 else "")
