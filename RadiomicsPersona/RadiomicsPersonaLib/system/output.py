"""Output: results appear whole or not at all.

They are written beside their place, or inside of it where it is a folder already, under a hidden name, and then put in place.
Signals wait meanwhile, and what cannot be put in place brings back what was there. What is hidden is removed however the block
ends; only a process that is ended by force (SIGKILL, a power cut) leaves it.
"""

from __future__ import annotations

import atexit
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import InputError
from .signals import signals_held

_BEFORE = ".before"
"""In a staging folder: what the new files replace, until all are in place."""
_staged: set[Path] = set()
"""Hidden files and folders of this process that are there, or about to be."""
_listeners: list[list[Path]] = []
"""Lists of `cleaned_up` that are told what was put in place."""


@contextmanager
def folder_written_whole(target: str | Path) -> Iterator[Path]:
    """A temporary folder whose files are moved into `target` when the block ends without an error.

    Files and folders of the same name are replaced, all of them or none; others in an existing folder stay.

    Raises:
        InputError: the folder cannot be written, found out before anything is computed, or a file in it cannot be replaced.
    """
    target = Path(target).expanduser().absolute()
    parents_before: list[Path] = []
    staging = None
    try:
        if target.exists() and not target.is_dir():
            raise InputError(f"The output '{target}' is a file: name a folder.")
        parents_before = _missing_parents(target)
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.is_dir() and not os.access(target, os.W_OK):
            raise PermissionError(13, "Permission denied")
        staging = _new_place(target if target.is_dir() else target.parent, f".{target.name}-", "")
        staging.mkdir(0o700)
        yield staging
        with signals_held():
            _put_in_place(staging, target)
            _tell(target)
    except OSError as error:
        raise _unwritable(target, error) from error
    finally:
        with signals_held():
            if staging is not None:
                _remove(staging)
            for parent in parents_before:
                if not target.exists() and parent.exists() and not any(parent.iterdir()):
                    parent.rmdir()


def refuse_unwritable(target: str | Path) -> None:
    """Raise the `InputError` of `file_written_whole`, and leave nothing: for what may be killed while it computes."""
    target = Path(target).expanduser().absolute()
    with signals_held():
        staging = _place_beside(target)
        try:
            staging.touch(0o600)
        except OSError as error:
            raise _unwritable(target, error) from error
        finally:
            _remove(staging)


@contextmanager
def file_written_whole(target: str | Path) -> Iterator[Path]:
    """A temporary path beside `target`, with its suffixes, that takes its name when the block ends without an error.

    Raises:
        InputError: the file cannot be written, found out before anything is computed.
    """
    target = Path(target).expanduser().absolute()
    staging = _place_beside(target)
    try:
        staging.touch(0o600)
        yield staging
        # a temporary file is private; the result gets the permissions that any new file would
        staging.chmod(0o666 & ~_umask())
        with signals_held():
            os.replace(staging, target)
            _tell(target)
    except OSError as error:
        raise _unwritable(target, error) from error
    finally:
        with signals_held():
            _remove(staging)


@contextmanager
def cleaned_up() -> Iterator[list[Path]]:
    """Around a whole command: removes what is hidden even where a signal came in the moment of removing it.

    Yields:
        a list of the outputs that are put in place inside, in their order.
    """
    written: list[Path] = []
    _listeners.append(written)
    try:
        yield written
    finally:
        with signals_held():
            remove_hidden()
            _listeners.remove(written)


@atexit.register
def remove_hidden() -> None:
    """Remove what is hidden of this process and was not put in place."""
    for path in list(_staged):
        _remove(path)


def _tell(target: Path) -> None:
    for listener in _listeners:
        listener.append(target)


def _put_in_place(staging: Path, target: Path) -> None:
    """Move what a folder holds into another one; all of it, or nothing where an error is raised.

    Raises:
        OSError: something cannot be moved.
    """
    if not target.exists():
        staging.chmod(0o777 & ~_umask())
        os.rename(staging, target)
        return
    files = sorted(staging.iterdir())
    for file in files:
        if (target / file.name).is_dir() and not file.is_dir():
            raise IsADirectoryError(21, f"'{file.name}' is a folder there")
    before = staging / _BEFORE
    before.mkdir()
    undo: list[tuple[Path, Path]] = []
    try:
        for file in files:
            place = target / file.name
            if os.path.lexists(place):
                os.rename(place, before / file.name)
                undo.append((before / file.name, place))
            os.rename(file, place)
            undo.append((place, file))
    except OSError:
        for source, place in reversed(undo):
            os.rename(source, place)
        raise


def _remove(path: Path) -> None:
    """Remove a hidden file or folder, if it is still there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
    _staged.discard(path)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _missing_parents(target: Path) -> list[Path]:
    """Folders above the target that are not there yet, the deepest first."""
    return [parent for parent in target.parents if not parent.exists()]


def _unwritable(target: Path, error: OSError) -> InputError:
    return InputError(f"The output '{target}' cannot be written ({error.strerror or error}): choose another place.")


def _place_beside(target: Path) -> Path:
    """A new name beside a target, with its suffixes."""
    try:
        if target.is_dir():
            raise InputError(f"The output '{target}' is a folder: name a file.")
        if not target.parent.is_dir():
            raise FileNotFoundError(2, "there is no such folder")
    except OSError as error:
        raise _unwritable(target, error) from error
    return _new_place(target.parent, ".", f"-{target.name}")


def _new_place(folder: Path, before: str, after: str) -> Path:
    """A hidden name that nothing has; it is kept in mind before anything is there, so that nothing can be forgotten."""
    place = folder / f"{before}{secrets.token_hex(4)}{after}"
    _staged.add(place)
    return place
