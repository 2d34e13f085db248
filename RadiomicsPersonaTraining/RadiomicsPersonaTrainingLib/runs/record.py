"""Record: how a training run was begun, and the folder that it leaves behind."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from RadiomicsPersonaLib import __version__
from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.system.json_text import object_in
from RadiomicsPersonaLib.system.output import file_written_whole

from ..data.split import ListedScan
from ..settings.key import from_table, plain
from ..settings.sections import DataSource
from ..settings.training_settings import SECTIONS, TrainingSettings
from .state import LAST, RECORD

MAY_CHANGE = {"steps", "workers", "patience", "pictures_every", "precision"}
"""Keys of [fit] that may differ when a run goes on."""


@dataclass(frozen=True)
class RunRecord:
    """How a run was begun.

    Attributes:
        settings: in full.
        rows: the split's rows, test subjects included.
        version: of the program.
    """

    settings: TrainingSettings
    rows: tuple[ListedScan, ...]
    version: str = __version__


def may_begin(folder: Path, record: RunRecord, resume: bool) -> bool:
    """Whether there is a checkpoint to go on from; without one, a run that is to go on begins at its first step.

    Raises:
        InputError: the folder holds a run and `resume` is not asked for, or the run to go on with is not there or had other
            settings.
    """
    exists = (folder / LAST).is_file()
    if exists and not resume:
        raise InputError(f"'{folder}' already holds a run: go on with --resume, or name another folder.")
    if resume and not (folder / RECORD).is_file():
        raise InputError(f"'{folder}' holds no run to go on with: leave --resume out to begin one there.")
    if resume:
        different = _differences(plain(read_record(folder).settings), plain(record.settings))
        if different:
            raise InputError(
                f"The run in '{folder}' was begun with another '{different[0]}': set it back, or begin in another folder."
            )
    return resume and exists


def begin(folder: Path, record: RunRecord, resume: bool) -> bool:
    """Write the record into the run's folder; gives what `may_begin` gives.

    Raises:
        InputError: as `may_begin`, or the folder cannot be written.
    """
    goes_on = may_begin(folder, record, resume)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"The run's folder '{folder}' cannot be made ({error.strerror}): name another one.") from error
    with file_written_whole(folder / RECORD) as path:
        rows = [{**plain(row), "file": str(row.file.absolute())} for row in record.rows]
        path.write_text(
            json.dumps({"version": record.version, "settings": plain(record.settings), "rows": rows}, indent=1) + "\n"
        )
    return goes_on


def read_record(folder: Path) -> RunRecord:
    """The record of the run in a folder.

    Raises:
        InputError: there is none, or it cannot be read by this version.
    """
    path = folder / RECORD
    try:
        record = object_in(path)
        settings = dict(record["settings"])
        data = tuple(from_table(DataSource, entry, "data") for entry in settings.pop("data"))
        sections = {name: from_table(SECTIONS[name], section, name) for name, section in settings.items()}
        rows = tuple(ListedScan(**{**row, "file": Path(row["file"])}) for row in record["rows"])
        return RunRecord(TrainingSettings(data=data, **sections), rows, record["version"])
    except OSError:
        shown = folder if folder.name else folder.absolute()  # the working folder has no name
        raise InputError(f"'{shown}' is no training run (it has no {RECORD}): name the --output of fit.") from None
    except (ValueError, KeyError, TypeError, AttributeError, InputError) as error:
        raise InputError(
            f"'{path}' is damaged, or was written by another version ({error}): fit again with this one."
        ) from error


def _differences(before: dict, now: dict) -> list[str]:
    keys = []
    for section in now:
        if isinstance(now[section], dict):
            keys += [
                f"{key} in [{section}]"
                for key in now[section]
                if before[section].get(key) != now[section][key]
                and not (section == "fit" and key in MAY_CHANGE)
                and section != "model"
            ]
        elif before[section] != now[section]:
            keys.append(section)
    return keys
