"""Journal: what a long measurement has found so far, line by line, so that a run that was cut off goes on where it stopped."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.imaging.files import digest_of
from RadiomicsPersonaLib.system.json_text import json_value, parsed
from RadiomicsPersonaLib.system.output import file_written_whole


class Journal:
    """Records by key in a file of JSON lines; the first line says what run they belong to.

    Args:
        path: the file; begun when it is missing.
        identity: what decides the records, in plain JSON types.
    Raises:
        InputError: the file holds the records of another run.
    """

    def __init__(self, path: Path, identity: dict):
        self.path, self.records, self._inputs = path, {}, {}
        self._is_new = False
        identity = json.loads(json.dumps(identity))
        text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
        lines = text.splitlines()
        if not lines:
            self._is_new = True
            path.parent.mkdir(parents=True, exist_ok=True)
            with file_written_whole(path) as staging:
                staging.write_text(json.dumps({"run": identity}) + "\n", encoding="utf-8")
            return
        head, *found = [record for line in lines if (record := _parsed(line)) is not None] or [{}]
        if head.get("run") != identity:
            raise InputError(f"'{path}' holds the measurements of another run: choose another output, or remove the file.")
        if not text.endswith("\n"):
            with open(path, "a", encoding="utf-8") as stream:
                stream.write("\n")
        for record in (record for record in found if isinstance(record.get("key"), str)):
            self._keep(record)

    @contextmanager
    def removed_if_refused(self) -> Iterator[None]:
        """Around what is measured: a journal that was begun now, and its folder, go where an input is refused before there is
        any record.
        """
        try:
            yield
        except InputError:
            if self._is_new and not self.records:
                self.path.unlink(missing_ok=True)
                with suppress(OSError):  # it holds something else
                    self.path.parent.rmdir()
            raise

    def holds(self, key: str, files: Iterable[Path] = ()) -> bool:
        """Whether there is a record of that key, made from files that say what these say today."""
        return key in self.records and self._inputs[key] == digest_of(files)

    def add(self, key: str, found: dict | list | None, files: Iterable[Path] = ()) -> None:
        """Keep what was found in some files, in place of an older record; numbers that are not finite are kept as null."""
        record = {"key": key, "files": digest_of(files), "found": json_value(found)}
        line = json.dumps(record, allow_nan=False)
        with open(self.path, "a", encoding="utf-8") as stream:
            stream.write(line + "\n")
        self._keep(json.loads(line))

    def _keep(self, record: dict) -> None:
        self.records[record["key"]], self._inputs[record["key"]] = record["found"], record.get("files")


def metrics_from(found: dict[str, float | None]) -> dict[str, float]:
    """Metrics as they were before they were written: null is NaN."""
    return {key: math.nan if value is None else value for key, value in found.items()}


def _parsed(line: str) -> dict | None:
    """A record, or None where the run was cut off in the middle of its line, or the line is damaged."""
    try:
        record = parsed(line)
    except ValueError:
        return None
    return record if isinstance(record, dict) and ("run" in record or {"key", "found"} <= set(record)) else None
