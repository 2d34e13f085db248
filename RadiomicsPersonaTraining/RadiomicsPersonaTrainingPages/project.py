"""Project: the folder in which a site's training lies, so that everything is found again by looking there."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from slicer.i18n import tr as _

from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.system.output import file_written_whole
from RadiomicsPersonaTrainingLib.data.split import read_split, write_split
from RadiomicsPersonaTrainingLib.runs.state import SETTINGS, RunState, is_run, runs_in, state_of

SPLIT = "split.csv"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,59}")
_CHOICES = "project.json"


def choose_first() -> str:
    """What a user is told who has no project yet."""
    return _("Choose the project's folder first, at the top of this module.")


def gone(folder) -> str:
    """What a user is told whose project has vanished, with its disk for example."""
    return _("The project's folder '{folder}' is gone: bring it back, or choose another one.").format(folder=folder)


@dataclass
class Choices:
    """What the user has chosen on the data page.

    Attributes:
        places: folders and lists of scans.
        left_out: files that the user leaves out.
        validation, test: percent of the subjects.
        seed: of the split.
    """

    places: list = field(default_factory=list)
    left_out: list = field(default_factory=list)
    validation: int = 10
    test: int = 10
    seed: int = 0


class Project:
    """A folder with these things in it, each made when it is needed.

    Attributes:
        split, survey, scans, cache, runs, calibration, synthetic: where the split, what was found, volumes from Slicer,
            prepared scans, the trainings, the classifiers and painted lesions lie.
        choices: see `Choices`.

    Args:
        folder: made when it is not there.
    Raises:
        InputError: the folder cannot be made.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"The folder '{folder}' cannot be made ({error.strerror}): choose another one.") from error
        self.split, self.survey, self.scans = folder / SPLIT, folder / "survey", folder / "scans"
        self.cache, self.runs, self.calibration = folder / "cache", folder / "runs", folder / "calibration"
        self.synthetic = folder / "synthetic"
        try:
            kept = json.loads((folder / _CHOICES).read_text(encoding="utf-8"))
            self.choices = Choices(**kept)
        except (OSError, ValueError, TypeError):
            self.choices = Choices()

    @property
    def is_there(self) -> bool:
        """Whether the folder has not vanished, with its disk for example."""
        return self.folder.is_dir()

    def keep_choices(self) -> None:
        """Write what was chosen.

        Raises:
            InputError: the folder cannot be written.
        """
        with file_written_whole(self.folder / _CHOICES) as path:
            path.write_text(json.dumps(vars(self.choices), indent=1), encoding="utf-8")

    def states(self) -> list[RunState]:
        """What every run shows, the newest last."""
        return [state_of(run) for run in runs_in(self.runs)]

    def refuse_second_training(self) -> None:
        """Raise where a training is at work, since two would share memory and cores.

        Raises:
            InputError: one is at work; names it.
        """
        busy = next((state for state in self.states() if state.at_work), None)
        if busy:
            raise InputError(
                _("A training is running in '{name}': wait for it, or cancel it first.").format(name=busy.folder.name)
            )

    def free_name(self, wish: str) -> str:
        """A name for a run, with a number where the wish is taken."""
        number, name = 1, wish
        while (self.runs / name).exists():
            number += 1
            name = f"{wish}-{number}"
        return name

    def new_run(self, name: str) -> Path:
        """The folder of a run that is about to begin, with its own copy of the split; returns where its settings belong.

        Raises:
            InputError: the name is taken or no name for a folder, there is no split yet, or the folder cannot be written.
        """
        run = self.runs / name
        if not _NAME.fullmatch(name):
            raise InputError(f"A run cannot be called '{name}': use up to 60 letters, digits, '-', '_' and '.'.")
        if is_run(run):
            raise InputError(f"There is already a run '{name}': give this one another name, or go on with that one.")
        if not self.split.is_file():
            raise InputError("There is no split yet: choose the scans on the Data page and keep the split.")
        try:
            run.mkdir(parents=True, exist_ok=True)
            _copy_split(self.split, run / SPLIT)
        except OSError as error:
            shutil.rmtree(run, ignore_errors=True)
            raise InputError(f"The folder '{run}' cannot be written ({error.strerror}): free some space there.") from error
        return run / SETTINGS


def _copy_split(source: Path, target: Path) -> None:
    """The split with absolute paths, so that the run keeps its scans whatever becomes of the project's split."""
    write_split(read_split(source), target)
