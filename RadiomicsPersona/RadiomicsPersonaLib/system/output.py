"""Output: results appear whole or not at all.

They are written into a hidden folder beside their place, or inside of it where it is a folder already, and then put in place.
Signals wait meanwhile, and what cannot be put in place brings back what was there. What is hidden is removed however the block
ends; only a process that is ended by force (SIGKILL, a power cut) leaves it, and the next one that writes there clears it away.
The hidden folder is locked for as long as its process lives: so a second writer is found, and what is left by a dead one.
"""

from __future__ import annotations

import atexit
import errno
import hashlib
import os
import random
import re
import secrets
import shutil
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO

from ..errors import InputError
from .lock import locked
from .signals import signals_held

FULL = (errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC))
"""What a system says of a disk that is full, also by its limits."""
_LOCK, _NEW, _BEFORE = "lock", "new", "before"
"""In a hidden folder: what its process has locked; what is to be put in place; what that replaces, until all is in place."""
_staged: dict[Path, IO | None] = {}
"""Hidden folders of this process that are there, or about to be, with their locks."""
_inputs: list[Path] = []
"""Files that are read and that no output may replace, see `inputs_kept`."""
_listeners: list[list[Path]] = []
"""Lists of `cleaned_up` that are told what was put in place."""


def place_of(target: str | Path) -> Path:
    """The absolute path that an output's name stands for, with the home folder for a ~; ~backup is a name like any other."""
    return Path(os.path.expanduser(target)).absolute()


@contextmanager
def inputs_kept(files: Iterable[str | Path]) -> Iterator[None]:
    """While the block lasts no output may replace one of these files."""
    added = [Path(file).absolute() for file in files]
    _inputs.extend(added)
    try:
        yield
    finally:
        for file in added:
            _inputs.remove(file)


def refuse_replacing(targets: Iterable[str | Path], inputs: Iterable[str | Path] = ()) -> None:
    """Refuse outputs that would take the place of what is read.

    Args:
        inputs: besides those of `inputs_kept`.
    Raises:
        InputError: one would.
    """
    kept = [*inputs, *_inputs]
    for target in targets:
        for file in kept if os.path.lexists(target) else ():
            with suppress(OSError):
                if os.path.samefile(target, file):
                    raise InputError(f"The output '{target}' would replace its input '{file}': choose another place.")


@contextmanager
def folder_written_whole(target: str | Path, alone: bool = True) -> Iterator[Path]:
    """A temporary folder whose files are moved into `target` when the block ends without an error.

    Files and folders of the same name are replaced, all of them or none; others in an existing folder stay.

    Args:
        alone: whether a second writer is refused; not where several add files of their own to a common folder.
    Raises:
        InputError: the folder cannot be written or another process writes into it, found out before anything is computed; or a
            file in it cannot be replaced.
    """
    target = place_of(target)
    made: list[Path] = []
    with _hidden_folders_removed() as hidden:
        try:
            if target.exists() and not target.is_dir():
                raise InputError(f"The output '{target}' is a file: name a folder.")
            made = [path for path in target.parents if not path.exists()]
            target.parent.mkdir(parents=True, exist_ok=True)
            staging = _hidden_folder(target if target.is_dir() else target.parent, target, alone, hidden) / _NEW
            staging.mkdir()
            yield staging
            with signals_held():
                _put_in_place(staging, target)
                _tell(target)
        except OSError as error:
            if not _is_about(error, hidden, target):
                raise
            raise _unwritable(target, error) from error
        finally:
            with signals_held():
                _remove_all(hidden)
                _remove_empty(made)


@contextmanager
def files_written_whole(*targets: str | Path, alone: bool = False) -> Iterator[list[Path]]:
    """Temporary paths with the names of the targets; all or none take their places when the block ends without an error.

    Args:
        alone: whether a second writer is refused; without, the last one wins.
    Raises:
        InputError: a file cannot be written, found out before anything is computed.
    """
    places = [place_of(target) for target in targets]
    refuse_replacing(places)
    with _hidden_folders_removed() as hidden:
        staged, modes = [], []
        try:
            for target in places:
                if target.is_dir():
                    raise InputError(f"The output '{target}' is a folder: name a file.")
                if not target.parent.is_dir():
                    raise FileNotFoundError(2, "there is no such folder")
                folder = _hidden_folder(target.parent, target, alone, hidden) / _NEW
                folder.mkdir()
                staged.append(folder / target.name)
                staged[-1].touch()
                modes.append(staged[-1].stat().st_mode)
            yield list(staged)
            for file, mode in zip(staged, modes):
                file.chmod(mode)  # some writers make a private file, and the result is one like any other
            with signals_held():
                _replace(list(zip(staged, places)), [file.parent.parent / _BEFORE for file in staged])
                for target in places:
                    _tell(target)
        except OSError as error:
            if not _is_about(error, hidden, *places):
                raise
            raise _unwritable(places[min(len(staged), len(places) - 1)], error) from error


@contextmanager
def file_written_whole(target: str | Path, alone: bool = False) -> Iterator[Path]:
    """`files_written_whole` for a single one."""
    with files_written_whole(target, alone=alone) as (path,):
        yield path


def refuse_unwritable(*targets: str | Path) -> None:
    """Raise the `InputError` of `files_written_whole`, and leave nothing: for what may be killed while it computes."""
    with signals_held(), ExitStack() as stack:
        hidden = stack.enter_context(_hidden_folders_removed())
        for target in targets:
            target = place_of(target)
            refuse_replacing([target])
            try:
                if target.is_dir():
                    raise InputError(f"The output '{target}' is a folder: name a file.")
                _hidden_folder(target.parent, target, True, hidden)
            except OSError as error:
                raise _unwritable(target, error) from error


@contextmanager
def sole_writer(folder: Path) -> Iterator[None]:
    """Refuse others while the block lasts: for a folder whose files are written one by one, each of them whole.

    Args:
        folder: is made where it is not there.
    Raises:
        InputError: the folder cannot be written, or another process writes into it.
    """
    folder = place_of(folder)
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    with _hidden_folders_removed() as hidden:
        try:
            try:
                folder.mkdir(parents=True, exist_ok=True)
                _hidden_folder(folder, folder, True, hidden)
            except OSError as error:
                raise _unwritable(folder, error) from error
            yield
        finally:
            with signals_held():
                _remove_all(hidden)
                _remove_empty(made)


@contextmanager
def cleaned_up(written: list[Path]) -> Iterator[None]:
    """Around a whole command: removes what is hidden even where a signal came in the moment of removing it.

    Args:
        written: gets the outputs that are put in place inside, in their order.
    """
    _listeners.append(written)
    try:
        yield
    finally:
        with signals_held():
            remove_hidden()
            _listeners.remove(written)


@atexit.register
def remove_hidden() -> None:
    """Remove what is hidden of this process and was not put in place."""
    _remove_all(list(_staged))


def _tell(target: Path) -> None:
    for listener in _listeners:
        listener.append(target)


@contextmanager
def _hidden_folders_removed() -> Iterator[list[Path]]:
    """A list for hidden folders, which are removed at the end."""
    hidden: list[Path] = []
    try:
        yield hidden
    finally:
        with signals_held():
            _remove_all(hidden)


def _hidden_folder(place: Path, target: Path, alone: bool, hidden: list[Path]) -> Path:
    """A new hidden folder, locked; what processes that were ended by force have left for this target is cleared away before.

    Args:
        place: folder to put it into.
        target: what it is for, absolute.
        alone: whether another process that writes the same is refused.
        hidden: gets the folder before it is there, so that nothing can be forgotten.
    Raises:
        InputError: another process writes the same.
        OSError: it cannot be made.
    """
    while True:
        if _others(target) and alone:
            raise InputError(
                f"Another process writes into '{target}' right now: wait until it has ended, or choose another place."
            )
        folder = place / f"{_prefix(place, target)}{secrets.token_hex(4)}"
        hidden.append(folder)
        _staged[folder] = None
        folder.mkdir(0o700)  # private until it is in place
        if not _lock(folder):  # cleared away by another process that took it for left
            continue
        if not alone or not _others(target, but=folder):
            return folder
        # two began in the same moment: both step back, and the first to come again has it
        with signals_held():
            _remove_all([folder])
        time.sleep(random.uniform(0, 0.2))


def _prefix(place: Path, target: Path) -> str:
    """What the names of hidden folders for a target begin with; of one length, for its name may be as long as names can be."""
    which = "" if place == target else hashlib.blake2s(os.fsencode(target.name), digest_size=4).hexdigest() + "-"
    return f".radiomics-persona-{which}"


def _others(target: Path, but: Path | None = None) -> bool:
    """Whether somebody else writes to a target; what dead processes have left is cleared away."""
    alive = False
    for place in (target, target.parent):
        hidden = re.compile(re.escape(_prefix(place, target)) + "[0-9a-f]{8}")
        try:
            found = [Path(entry) for entry in os.scandir(place) if hidden.fullmatch(entry.name)]
        except OSError:  # not there, no folder, or not to be looked into
            continue
        for folder in found:
            if folder != but:
                alive |= folder in _staged or not _cleared(folder, target)
    return alive


def _lock(folder: Path) -> bool:
    """Lock a hidden folder of this process; False where another one was quicker and clears it away."""
    try:
        stream = open(folder / _LOCK, "a+b")  # held until the folder is removed
    except FileNotFoundError:
        return False
    try:
        got = locked(stream) and os.path.samestat(os.fstat(stream.fileno()), os.stat(folder / _LOCK))
    except FileNotFoundError:
        got = False
    except OSError:  # a disk without locks: nobody else can tell that it is in use, and nobody clears it away
        got = True
    if got:
        _staged[folder] = stream
    else:
        stream.close()
    return got


def _cleared(folder: Path, target: Path) -> bool:
    """Whether a hidden folder was left by a process that is gone; it is then removed, after what was cut off is brought to its
    end.
    """
    try:
        with open(folder / _LOCK, "r+b") as stream:
            if not locked(stream):
                return False
            if (folder / _BEFORE).is_dir():  # all was written, and some of it is in place
                with signals_held():
                    _go_on(folder, target)
            with suppress(OSError):  # Windows keeps an open file
                (folder / _LOCK).unlink()  # whoever was about to lock it sees that it is lost
        shutil.rmtree(folder, ignore_errors=True)
        return True
    except FileNotFoundError:  # it was not locked yet, or somebody else has cleared it away or began to
        try:
            folder.rmdir()
        except FileNotFoundError:
            return True
        except OSError:
            if (folder / _LOCK).exists():  # just locked
                return _cleared(folder, target)
            shutil.rmtree(folder, ignore_errors=True)  # the lock comes first and goes first
        return not folder.exists()
    except OSError:  # another user's, or a disk without locks
        return False


def _put_in_place(staging: Path, target: Path) -> None:
    """Move what a folder holds into another one; all of it, or nothing where an error is raised.

    Raises:
        OSError: something cannot be moved.
    """
    if not target.exists():
        try:
            os.replace(staging, target)
            return
        except OSError:
            if not target.is_dir():  # else another process has just made it
                raise
    files = sorted(staging.iterdir())
    refuse_replacing(target / file.relative_to(staging) for file in staging.rglob("*"))
    for file in files:
        if (target / file.name).is_dir() and not file.is_dir():
            raise IsADirectoryError(21, f"'{file.name}' is a folder there")
    _replace([(file, target / file.name) for file in files], [staging.parent / _BEFORE] * len(files))


def _replace(moves: list[tuple[Path, Path]], befores: list[Path]) -> None:
    """Move files and folders to their places, all or none; what is there goes into the folders `befores` first.

    Raises:
        OSError: something cannot be moved.
    """
    for before in set(befores):
        before.mkdir()
    undo: list[tuple[Path, Path]] = []
    try:
        for (file, place), before in zip(moves, befores):
            if os.path.lexists(place):
                _keep(place, before)
                undo.append((before / place.name, place))
            os.replace(file, place)
            undo.append((place, file))
    except OSError:
        for source, place in reversed(undo):
            os.replace(source, place)
        raise


def _keep(place: Path, before: Path) -> None:
    """Keep what is about to be replaced; a file also stays where it is, so that at no moment there is none."""
    if place.is_file() and not place.is_symlink():
        try:
            os.link(place, before / place.name)
            return
        except OSError:  # a disk without second names
            pass
    os.replace(place, before / place.name)


def _go_on(folder: Path, target: Path) -> None:
    """Put in place what a process that was ended by force had begun to put there."""
    place, new = target if target.is_dir() else target.parent, folder / _NEW  # a folder may have been made beside it meanwhile
    for file in sorted(new.iterdir()) if new.is_dir() else []:
        if (place / file.name).is_dir():
            os.replace(place / file.name, folder / _BEFORE / file.name)
        os.replace(file, place / file.name)


def _remove_all(hidden: list[Path]) -> None:
    """Remove hidden folders of this process, if they are still there, and let go of their locks."""
    for folder in hidden:
        shutil.rmtree(folder, ignore_errors=True)
        if stream := _staged.pop(folder, None):
            stream.close()
            shutil.rmtree(folder, ignore_errors=True)  # Windows keeps an open file


def _remove_empty(folders: list[Path]) -> None:
    """Remove folders that were made for nothing, the deepest first."""
    for folder in folders:
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()


def _is_about(error: OSError, hidden: list[Path], *targets: Path) -> bool:
    """Whether an error is one of writing, and not of a file that was read in the same block."""
    if error.errno == errno.EPIPE:  # of what is printed, which nobody reads on
        return False
    if error.filename is None:
        return True
    file = Path(os.fsdecode(error.filename)).absolute()
    return any(file == path or path in file.parents or file in path.parents for path in (*hidden, *targets))


def _unwritable(target: Path, error: OSError) -> InputError:
    remedy = "free some space there, or choose another place" if error.errno in FULL else "choose another place"
    return InputError(f"The output '{target}' cannot be written ({error.strerror or error}): {remedy}.")
