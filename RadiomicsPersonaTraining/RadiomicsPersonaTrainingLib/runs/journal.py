"""Journal: what a long measurement has found so far, line by line, so that a run that was cut off goes on where it stopped."""

from __future__ import annotations

import json
import math
from pathlib import Path

from RadiomicsPersonaLib.errors import InputError
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
        self.path, self.records = path, {}
        identity = json.loads(json.dumps(identity))
        text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
        lines = text.splitlines()
        if not lines:
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
        self.records = {record["key"]: record["found"] for record in found if isinstance(record.get("key"), str)}

    def add(self, key: str, found: dict | list | None) -> None:
        """Keep what was found; numbers that are not finite are kept as null."""
        line = json.dumps({"key": key, "found": json_value(found)}, allow_nan=False)
        with open(self.path, "a", encoding="utf-8") as stream:
            stream.write(line + "\n")
        self.records[key] = json.loads(line)["found"]


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
