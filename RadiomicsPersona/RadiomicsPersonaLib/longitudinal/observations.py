"""Observations: the rows of a CSV file as numbers that a regression can use, and sentences for those it cannot."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import InputError

# Imported in functions: pandas, which comes with statsmodels, an extra of this package.

PATIENT = "patient"
TIMES = ("years", "date", "days", "time")
"""Names that a column of time is looked for under, unless one is named."""
NO_TIME = "none"
"""Instead of a column of time: it plays no part."""
OUTCOMES = ("volume_ml", "deviating_ml", "combined", "deviation")
"""What is analyzed of a table of visits, unless columns are named."""
_DAYS_PER_YEAR = 365.25


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
    def visits(self) -> dict[str, int]:
        """Rows per patient."""
        names, counts = np.unique(self.patients, return_counts=True)
        return dict(zip(names.tolist(), counts.tolist()))


def read_table(paths: list[str | Path]):
    """The rows of one or several CSV files, one below the other, as a pandas DataFrame; commas,
    semicolons or tabs between columns.

    Raises:
        InputError: a file is missing, no table, or without rows.
    """
    import pandas

    frames = []
    for path in map(Path, paths):
        if not path.is_file():
            raise InputError(f"There is no table '{path}': check the path.")
        try:
            with open(path, encoding="utf-8-sig") as stream:
                first = stream.readline()
            frames.append(pandas.read_csv(path, sep=max(",;\t", key=first.count), encoding="utf-8-sig", skipinitialspace=True))
        except (ValueError, UnicodeDecodeError) as error:
            raise InputError(
                f"'{path.name}' is not a CSV table ({str(error).splitlines()[0][:120]}): save it as CSV in UTF-8."
            ) from error
        frames[-1].columns = [str(name).strip() for name in frames[-1].columns]
        if frames[-1].empty:
            raise InputError(f"The table '{path.name}' has no rows below its heads: add some.")
    return pandas.concat(frames, ignore_index=True)


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
        raise InputError(
            f"The table has no column of time ({', '.join(TIMES)}): name one with --time, or covariates with --covariate."
        )
    return found


def outcome_columns(frame, asked: list[str]) -> list[str]:
    """The columns to analyze: those asked for, or those of `OUTCOMES` that are there and hold numbers.

    Raises:
        InputError: there is none.
    """
    if asked:
        return [_existing(frame, name) for name in dict.fromkeys(asked)]
    found = [name for name in OUTCOMES if name in frame.columns and frame[name].notna().any()]
    if not found:
        raise InputError(f"Say what to analyze with --outcome; the table has {_listed(frame)}.")
    return found


def observations(frame, outcome: str, time: str | None, covariates: list[str], patient: str = PATIENT) -> Observations:
    """The complete rows for one outcome.

    Raises:
        InputError: a column is missing, holds no numbers or dates, or no row is complete.
    """
    import pandas

    frame = frame[
        [_existing(frame, name) for name in dict.fromkeys([patient, outcome, *([time] if time else []), *covariates])]
    ]
    complete = frame.dropna()
    lost = len(frame) - len(complete)
    notes = []
    if lost:
        why = ", ".join(f"{int(count)} without {name}" for name, count in frame.isna().sum().items() if count)
        notes.append(f"{outcome}: {lost} of {len(frame)} rows fall out because values are missing ({why}).")
    if complete.empty:
        raise InputError(
            f"No row of the table has a value in each of {', '.join(frame.columns)}: fill them in, or leave a covariate out."
        )
    patients = complete[patient].astype(str).to_numpy()
    times, unit = _times(complete, time, patients) if time else (None, "")
    coded = {}
    for name in covariates:
        column = complete[name]
        if pandas.api.types.is_numeric_dtype(column):
            coded[name] = column.to_numpy(float)
            continue
        kinds = sorted(column.astype(str).unique())
        if len(kinds) > max(2, len(complete) // 3):
            raise InputError(f"The covariate '{name}' holds {len(kinds)} different texts: give numbers, or a few groups.")
        coded |= {f"{name} = {kind}": (column.astype(str) == kind).to_numpy(float) for kind in kinds[1:] or kinds}
    return Observations(outcome, _numbers(complete, outcome), patients, times, time, unit, coded, tuple(notes))


def _numbers(frame, name: str) -> np.ndarray:
    import pandas

    values = pandas.to_numeric(frame[name], errors="coerce").to_numpy(float)
    if not np.isfinite(values).all():
        strange = frame[name][~np.isfinite(values)].iloc[0]
        raise InputError(f"The column '{name}' holds '{strange}', which is not a number: correct it, or choose another column.")
    return values


def _times(frame, name: str, patients: np.ndarray) -> tuple[np.ndarray, str]:
    """Numbers as they are; dates as years since the patient's first visit."""
    import pandas

    if pandas.api.types.is_numeric_dtype(frame[name]):
        return _numbers(frame, name), name
    dates = pandas.to_datetime(frame[name].astype(str), errors="coerce", format="ISO8601")
    if dates.isna().any():
        raise InputError(
            f"The column '{name}' holds '{frame[name][dates.isna()].iloc[0]}', neither a number nor a date: write dates as "
            "2026-03-31."
        )
    days = (dates - dates.groupby(patients).transform("min")).dt.total_seconds() / 86400
    return (days / _DAYS_PER_YEAR).to_numpy(float), "years"


def _existing(frame, name: str) -> str:
    if name in frame.columns:
        return name
    near = difflib.get_close_matches(name, frame.columns, 1, 0.5)
    hint = f"did you mean '{near[0]}'?" if near else f"it has {_listed(frame)}."
    raise InputError(f"The table has no column '{name}': {hint}")


def _listed(frame) -> str:
    return ", ".join(frame.columns[:30]) + (", ..." if len(frame.columns) > 30 else "")
