"""Dialogs: what the user is asked in a window of its own."""

from __future__ import annotations

import qt


def folder(title: str, start: str = "") -> str:
    """A folder that the user chooses, or an empty text."""
    return qt.QFileDialog.getExistingDirectory(None, title, start)


def file(title: str, start: str, kinds: str) -> str:
    """A file that is there, or an empty text."""
    return _path(qt.QFileDialog.getOpenFileName(None, title, start, kinds))


def new_file(title: str, start: str, kinds: str) -> str:
    """A file to write, or an empty text."""
    return _path(qt.QFileDialog.getSaveFileName(None, title, start, kinds))


def confirmed(title: str, question: str) -> bool:
    """Whether the user says yes; the key Enter says no."""
    answers = qt.QMessageBox.Yes | qt.QMessageBox.No
    return qt.QMessageBox.question(None, title, question, answers, qt.QMessageBox.No) == qt.QMessageBox.Yes


def _path(answer) -> str:
    return answer if isinstance(answer, str) else answer[0]
