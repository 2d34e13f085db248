"""Output: results appear whole or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import InputError


@contextmanager
def folder_written_whole(target: str | Path) -> Iterator[Path]:
    """A temporary folder beside `target` whose files are moved into it when the block ends without an error.

    Files and folders of the same name are replaced one by one; others in an existing folder stay.

    Raises:
        InputError: the folder cannot be written, found out before anything is computed.
    """
    target = Path(target).expanduser().absolute()
    try:
        if target.exists() and not target.is_dir():
            raise InputError(f"The output '{target}' is a file: name a folder.")
        parents_before = _missing_parents(target)
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.is_dir() and not os.access(target, os.W_OK):
            raise PermissionError(13, "Permission denied")
        staging = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    except OSError as error:
        raise _unwritable(target, error) from error
    try:
        yield staging
        target.mkdir(exist_ok=True)
        for file in sorted(staging.iterdir()):
            if file.is_dir() and (target / file.name).is_dir():
                shutil.rmtree(target / file.name)
            os.replace(file, target / file.name)
    except OSError as error:
        raise _unwritable(target, error) from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)
        for parent in parents_before:
            if not target.exists() and parent.exists() and not any(parent.iterdir()):
                parent.rmdir()


def refuse_unwritable(target: str | Path) -> None:
    """Raise the `InputError` of `file_written_whole`, and leave nothing: for what may be killed while it computes."""
    _staged(Path(target).expanduser().absolute()).unlink()


@contextmanager
def file_written_whole(target: str | Path) -> Iterator[Path]:
    """A temporary path beside `target`, with its suffixes, that takes its name when the block ends without an error.

    Raises:
        InputError: the file cannot be written, found out before anything is computed.
    """
    target = Path(target).expanduser().absolute()
    staging = _staged(target)
    try:
        yield staging
        # a temporary file is private; the result gets the permissions that any new file would
        mask = os.umask(0)
        os.umask(mask)
        staging.chmod(0o666 & ~mask)
        os.replace(staging, target)
    except OSError as error:
        raise _unwritable(target, error) from error
    finally:
        staging.unlink(missing_ok=True)


def _missing_parents(target: Path) -> list[Path]:
    """Folders above the target that are not there yet, the deepest first."""
    return [parent for parent in target.parents if not parent.exists()]


def _unwritable(target: Path, error: OSError) -> InputError:
    return InputError(f"The output '{target}' cannot be written ({error.strerror or error}): choose another place.")


def _staged(target: Path) -> Path:
    """A new file beside a target, with its suffixes."""
    try:
        if target.is_dir():
            raise InputError(f"The output '{target}' is a folder: name a file.")
        if not target.parent.is_dir():
            raise FileNotFoundError(2, "there is no such folder")
        handle, staging = tempfile.mkstemp(prefix=".", suffix=f"-{target.name}", dir=target.parent)
        os.close(handle)
    except OSError as error:
        raise _unwritable(target, error) from error
    return Path(staging)
