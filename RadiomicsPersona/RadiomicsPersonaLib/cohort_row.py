"""Cohort row: one row's command run in a worker process, its results and a thumbnail left in the row's folder."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from . import __version__
from .child import Cancelled
from .device import NO_MEMORY, ran_out_of_memory
from .errors import InputError

RECORD, THUMBNAIL = "row.json", "thumbnail.jpg"
TABLES = ("results.csv", "visits.csv")
"""What a command may write with a line per result; others print one object as JSON."""
_PIXELS = 128


def identity_of(words: list[str]) -> dict:
    """What decides a row's results: the command, the state of the files that it names, and the program's version."""
    values = [_file_of(word) for word in words[1:]]
    states = {value: [os.stat(value).st_size, os.stat(value).st_mtime_ns] for value in values if os.path.exists(value)}
    return {"words": words, "files": states, "version": __version__}


def _file_of(word: str) -> str:
    """The path in --option=PATH or contrast=PATH; else the word."""
    return word if os.path.exists(word) else word.rpartition("=")[2]


def read_record(folder: Path) -> dict | None:
    """What `run_row` left in a row's folder; None where it did not come to its end."""
    try:
        return json.loads((folder / RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def is_done(folder: Path, identity: dict) -> bool:
    """Whether a row need not be worked on: done, or refused for what the user gave, and nothing has changed since."""
    record = read_record(folder)
    return record is not None and record["final"] and record["identity"] == identity


def run_row(job: dict, cache=None, progress: Callable[[int, int, str], None] = lambda done, total, what: None) -> None:
    """Run a row's command, on one thread, into its folder; what goes wrong becomes its sentence.

    Args:
        job: "words", "identity", "folder", "output_file" and "prints_json", see `CohortTable`, in plain JSON types.
        cache: the `Cache` of this process; a new one if None.
        progress: called with (done, total, what); may raise to cancel.
    """
    from .cache import Cache

    _use_one_thread()
    folder = Path(job["folder"])
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    results, sentence, final = [], "", True
    try:
        results = _run(job, folder, cache or Cache(), progress)
    except Cancelled:
        raise
    except InputError as error:
        sentence = str(error)
    except Exception as error:  # one row's trouble must not be that of the others
        sentence, final = (NO_MEMORY if ran_out_of_memory(error) else f"It failed unexpectedly ({type(error).__name__}: {error})."), False
    write_record(folder, job["identity"], results, sentence, final)


def write_record(folder: Path, identity: dict, results: list[dict], sentence: str, final: bool) -> None:
    """The last thing that is written of a row: it is complete when this is there."""
    folder.mkdir(parents=True, exist_ok=True)
    record = {"identity": identity, "results": results, "sentence": sentence, "final": final}
    staging = folder / f".{RECORD}"
    staging.write_text(json.dumps(record, ensure_ascii=False), encoding="utf-8")
    os.replace(staging, folder / RECORD)


def _run(job: dict, folder: Path, cache, progress) -> list[dict]:
    from .cli import analyze_into_folder, parse
    from .follow_command import follow_into_folder

    output = folder / job["output_file"] if job["output_file"] else folder
    options = parse([*job["words"], "--output", str(output), *(["--json"] if job["prints_json"] else [])])
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        if options.command == "analyze":
            _write_thumbnail(_most_unusual(analyze_into_folder(options, cache, progress)), folder)
        elif options.command == "follow":
            follow_into_folder(options, folder, cache, progress)
        else:
            options.run(options)
    if not (folder / THUMBNAIL).exists():
        _write_thumbnail(_middle(_file_of(job["words"][1])), folder)
    for name in TABLES:
        if (folder / name).is_file():
            with open(folder / name, encoding="utf-8", newline="") as stream:
                return list(csv.DictReader(stream))
    return _results_in(json.loads(printed.getvalue()))


def _results_in(told: dict) -> list[dict]:
    """What a command printed as rows: one for each entry of its list, such as the classes of a segmentation, or a single one."""

    def plain(record: dict) -> dict:
        return {key: value for key, value in record.items() if isinstance(value, (int, float, str)) and key != "output"}

    listed = next((value for value in told.values() if isinstance(value, list) and value and all(isinstance(item, dict) for item in value)), [{}])
    return [plain(told) | plain(item) for item in listed]


def _use_one_thread() -> None:
    """So that as many rows are worked on side by side as there are cores."""
    import SimpleITK
    import torch

    torch.set_num_threads(1)
    SimpleITK.ProcessObject.SetGlobalDefaultNumberOfThreads(1)


def _most_unusual(analysis):
    """Scan, healthy persona and difference of the box that deviates most."""
    from .picture import slice_triplet

    return slice_triplet(analysis, max(analysis.boxes, key=lambda result: result.combined), pixels=_PIXELS)


def _middle(path: str):
    """The axial slice through the middle of what is in the image."""
    from dataclasses import replace

    import numpy as np
    from PIL import Image

    from .plane import ORIENTATIONS, cut, planes_of_scan
    from .scan import read_label_map

    image = read_label_map(path)
    scan = replace(image, array=np.nan_to_num(image.array.astype(np.float32)))
    weights = np.abs(scan.array)
    middle = [float(np.average(np.arange(size), weights=weights.sum(axis=tuple({0, 1, 2} - {axis})))) for axis, size in enumerate(scan.shape)]
    plane = planes_of_scan(scan, scan.ras_from_ijk(np.array(middle)), _PIXELS)[ORIENTATIONS.index("axial")]
    low, high = float(scan.array.min()), max(float(np.percentile(scan.array, 99.5)), float(scan.array.min()) + 1e-6)
    values = cut(scan.array, scan.affine, plane, outside=low)
    return Image.fromarray(np.rint(np.clip((values - low) / (high - low), 0, 1) * 255).astype(np.uint8))


def _write_thumbnail(image, folder: Path) -> None:
    image.convert("RGB").save(folder / THUMBNAIL, quality=80)
