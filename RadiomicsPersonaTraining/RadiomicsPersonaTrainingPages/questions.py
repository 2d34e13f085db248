"""Questions: what is asked of the worker while the window stays alive; answers arrive by a timer."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

import qt

from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.system.child import Cancelled, Child, ChildFailed, raise_if_ended_badly

POLL_MS = 50
_MOMENT = 0.005
"""Seconds that other threads of this process get to bring answers in."""


@dataclass
class _Question:
    request: dict
    done: Callable[[dict], None]
    refused: Callable[[str], None]
    name: str


class Questions:
    """Requests to a worker (see `RadiomicsPersonaTrainingLib.panel_worker`) that are on their way.

    Attributes:
        activity: called with what is being done, and with an empty text when nothing is any more.

    Args:
        worker: the process.
    """

    def __init__(self, worker: Child):
        self.worker = worker
        self.activity: Callable[[str], None] = lambda text: None
        self._open: dict[int, _Question] = {}
        self._timer = qt.QTimer()
        self._timer.setInterval(POLL_MS)
        self._timer.timeout.connect(self._look)

    @property
    def waiting(self) -> bool:
        """Whether an answer is still to come."""
        return bool(self._open)

    def ask(self, request: dict, done: Callable[[dict], None], refused: Callable[[str], None], name: str = "") -> None:
        """Send a request.

        Args:
            done: called with what the answer holds.
            refused: called with a sentence when there is none, and with an empty text before the request is sent.
            name: the answer to a request of the same name that still waits is passed over.
        """
        for question in self._open.values():
            if name and question.name == name:
                question.done = question.refused = lambda answer: None
        refused("")
        self._send(_Question(request, done, refused, name))

    def cancel(self) -> None:
        """Give every request up."""
        questions, self._open = self._open, {}
        for number in questions:
            self.worker.cancel(number)
        self._rest()

    def close(self) -> None:
        """End the worker."""
        self._open = {}
        self._timer.stop()
        self.worker.end()

    def _send(self, question: _Question) -> None:
        try:
            number = self.worker.send(question.request)
        except ChildFailed as error:
            question.refused(str(error))
            return
        self._open[number] = question
        self._timer.start()

    def _look(self) -> None:
        for number, question in list(self._open.items()):
            if number not in self._open:  # an earlier answer's function has given it up
                continue
            try:
                answers = self.worker.answers(number, _MOMENT)
            except Cancelled:  # another request has crashed the process; there is a new one
                del self._open[number]
                self._send(question)
                continue
            except ChildFailed as error:
                self._end(number, question, error)
                continue
            for answer in answers:
                if "activity" in answer:
                    self.activity(answer["activity"])
                elif "done" in answer:
                    self._open.pop(number, None)
                    question.done(answer["done"])
                else:
                    try:
                        raise_if_ended_badly(answer)
                    except (InputError, Cancelled, ChildFailed) as error:
                        self._end(number, question, error)
        self._rest()

    def _end(self, number: int, question: _Question, error: Exception) -> None:
        self._open.pop(number, None)
        if isinstance(error, ChildFailed):
            logging.error(f"RadiomicsPersonaTraining: {error}\n{error.log}")
        if not isinstance(error, Cancelled):
            question.refused(str(error))

    def _rest(self) -> None:
        if not self._open:
            self._timer.stop()
            self.activity("")
