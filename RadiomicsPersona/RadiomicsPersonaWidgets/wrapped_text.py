"""Wrapped text: labels whose lines are all seen, however narrow the panel and whenever the text comes."""

from __future__ import annotations

import qt

_watches = []
"""Objects of Python whose owner is Qt would be forgotten by Python."""


def keep_whole(label) -> None:
    """Keep a label with wrapped text as high as its lines need at its width, from now on.

    Layouts inside layouts forget that when a text comes while the panel is hidden, and take the height from the buttons.
    """

    class Watch(qt.QObject):
        """Called for every event of the label."""

        def eventFilter(self, watched, event) -> bool:
            if event.type() in (qt.QEvent.Resize, qt.QEvent.Show):
                fit(label)
            return False

    watch = Watch(label)
    label.installEventFilter(watch)
    label.destroyed.connect(lambda *_: _watches.remove(watch))
    _watches.append(watch)


def show_text(label, text: str) -> None:
    """Give a label a text and the height that it needs; nothing, not even an empty line, where there is none."""
    label.text = text
    label.visible = bool(text)
    fit(label)


def fit(label) -> None:
    """Make a label at least as high as its lines need at its width."""
    label.setMinimumHeight(0)  # the height that a label asks for is never below its minimum
    if label.text:
        label.setMinimumHeight(label.heightForWidth(label.width))
