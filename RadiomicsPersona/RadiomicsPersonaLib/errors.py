"""The one class of errors that a user can cause."""

from __future__ import annotations


class InputError(Exception):
    """Something the user gave cannot be used.

    The message is one sentence that says what is wrong and what to do; it is shown as it is, without a traceback.
    """
