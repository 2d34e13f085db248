"""Workplace: what the pages share: the project, the worker that is asked, and the processes that were started."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from RadiomicsPersonaLib.errors import InputError

from .jobs import Jobs
from .project import Project, choose_first, gone
from .questions import Questions


class Workplace:
    """One for the whole panel.

    Attributes:
        project: the open project, or None.
        estimate: the newest answer about disk space and time, or None.
        settings_table: gives the present settings.
        show_complaint: shows a sentence about a setting beside it.
        kinds_of_sources: gives what the collections on the data page hold.
        on_estimate: called with a new estimate.

    Args:
        questions, jobs: see there.
    """

    def __init__(self, questions: Questions, jobs: Jobs):
        self.questions, self.jobs = questions, jobs
        self.project: Project | None = None
        self.estimate: dict | None = None
        self.settings_table: Callable[[], dict] = dict
        self.show_complaint: Callable[[str], None] = lambda sentence: None
        self.kinds_of_sources: Callable[[], dict] = dict
        self.on_estimate: Callable[[dict | None], None] = lambda answer: None

    def open(self, folder: Path) -> None:
        """Open a project.

        Raises:
            InputError: its folder cannot be made.
        """
        self.project = Project(folder)
        self.estimated(None)

    def opened(self) -> Project:
        """The open project, for something to be written into it.

        Raises:
            InputError: none is open, or its folder has vanished, which is not made anew.
        """
        if self.project is None:
            raise InputError(choose_first())
        if not self.project.is_there:
            raise InputError(gone(self.project.folder))
        return self.project

    def estimated(self, answer: dict | None) -> None:
        """Keep what a training will take."""
        self.estimate = answer
        self.on_estimate(answer)
