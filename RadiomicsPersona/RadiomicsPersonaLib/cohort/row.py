"""Cohort row: one row's command run in a worker process, its results and a thumbnail left in the row's folder."""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from .. import __version__
from ..commands.job import Job
from ..commands.registry import ANALYSIS
from ..errors import InputError
from ..imaging.files import read_label_map
from ..report.picture import slice_triplet
from ..report.slice_plane import ORIENTATIONS, cut, planes_of_scan
from ..system.child import Cancelled
from ..system.csv_table import CsvTable
from ..system.device import NO_MEMORY, ran_out_of_memory
from ..system.json_text import object_in, written

RECORD, THUMBNAIL = "row.json", "thumbnail.jpg"
_KEYS = {"identity", "results", "sentence", "final"}
TABLES = ("results.csv", "visits.csv")
"""What a command may write with a line per result; others print one object as JSON."""
_PIXELS = 128


def identity_of(options: dict) -> dict:
    """What decides a row's results: the command with its options, the state of the files that they name,
    and the program's version.
    """
    states = {}
    for value in options.values():
        for text in value if isinstance(value, list) else [value]:
            file = _file_of(text) if isinstance(text, str) else ""
            if file and os.path.exists(file):
                states[file] = [os.stat(file).st_size, os.stat(file).st_mtime_ns]
    return {"options": options, "files": states, "version": __version__}


def _file_of(text: str) -> str:
    """The path in contrast=PATH; else the text."""
    return text if os.path.exists(text) else text.partition("=")[2]


def read_record(folder: Path) -> dict | None:
    """What `run_row` left in a row's folder; None where it did not come to its end, or what it left is damaged."""
    try:
        record = object_in(folder / RECORD)
    except (OSError, ValueError):
        return None
    return record if _KEYS <= set(record) else None


def is_done(folder: Path, identity: dict) -> bool:
    """Whether a row need not be worked on: done, or refused for what the user gave, and nothing has changed since."""
    record = read_record(folder)
    return record is not None and record["final"] and record["identity"] == identity


def run_row(row: dict, job: Job) -> None:
    """Run a row's command, on one thread, into its folder; what goes wrong becomes its sentence.

    Args:
        row: "options", "identity", "folder", "image" (whose middle slice the thumbnail shows where no box was judged), and
            "output_file" and "prints_json" of the `CohortTable`; in plain JSON types.
    """
    _use_one_thread()
    folder = Path(row["folder"])
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    results, sentence, final = [], "", True
    try:
        results = _run(row, folder, job)
    except Cancelled:
        raise
    except InputError as error:
        sentence = str(error)
    except Exception as error:  # one row's trouble must not be that of the others
        sentence, final = (
            (NO_MEMORY if ran_out_of_memory(error) else f"It failed unexpectedly ({type(error).__name__}: {error})."),
            False,
        )
    write_record(folder, row["identity"], results, sentence, final)


def write_record(folder: Path, identity: dict, results: list[dict], sentence: str, final: bool) -> None:
    """The last thing that is written of a row: it is complete when this is there."""
    folder.mkdir(parents=True, exist_ok=True)
    record = {"identity": identity, "results": results, "sentence": sentence, "final": final}
    staging = folder / f".{RECORD}"
    staging.write_text(written(record), encoding="utf-8")
    os.replace(staging, folder / RECORD)


def _run(row: dict, folder: Path, job: Job) -> list[dict]:
    output, made, printed = folder / row["output_file"] if row["output_file"] else folder, [], io.StringIO()
    options = argparse.Namespace(**row["options"], output=str(output), **({"json": True} if row["prints_json"] else {}))
    with contextlib.redirect_stdout(printed):
        ANALYSIS.run(options, Job(job.progress, job.tell, job.check, made.append, cache=job.cache))
    _write_thumbnail(_most_unusual(made[-1]) if made else _middle(_file_of(row["image"])), folder)
    for name in TABLES:
        if (folder / name).is_file():
            return [cells for _, cells in CsvTable(folder / name)]
    return _results_in(json.loads(printed.getvalue()))


def _results_in(told: dict) -> list[dict]:
    """What a command printed as rows: one for each entry of its list, such as the classes of a segmentation,
    or a single one.
    """

    def scalars(record: dict) -> dict:
        return {key: value for key, value in record.items() if isinstance(value, (int, float, str)) and key != "output"}

    listed = next(
        (
            value
            for value in told.values()
            if isinstance(value, list) and value and all(isinstance(item, dict) for item in value)
        ),
        [{}],
    )
    return [scalars(told) | scalars(item) for item in listed]


def _use_one_thread() -> None:
    """So that as many rows are worked on side by side as there are cores."""
    import SimpleITK  # these two are loaded by the command, and take seconds where a table is only read
    import torch

    torch.set_num_threads(1)
    SimpleITK.ProcessObject.SetGlobalDefaultNumberOfThreads(1)


def _most_unusual(analysis):
    """Scan, healthy persona and difference of the box that deviates most."""
    return slice_triplet(analysis, max(analysis.boxes, key=lambda result: result.combined), pixels=_PIXELS)


def _middle(path: str):
    """The axial slice through the middle of what is in the image."""

    image = read_label_map(path)
    scan = replace(image, array=np.nan_to_num(image.array.astype(np.float32)))
    weights = np.abs(scan.array)
    middle = [
        float(np.average(np.arange(size), weights=weights.sum(axis=tuple({0, 1, 2} - {axis}))))
        for axis, size in enumerate(scan.shape)
    ]
    plane = planes_of_scan(scan, scan.ras_from_ijk(np.array(middle)), _PIXELS)[ORIENTATIONS.index("axial")]
    low, high = float(scan.array.min()), float(np.percentile(scan.array, 99.5))
    values = cut(scan.array, scan.affine, plane, outside=low)
    return Image.fromarray(np.rint(np.clip((values - low) / ((high - low) or 1.0), 0, 1) * 255).astype(np.uint8))


def _write_thumbnail(image, folder: Path) -> None:
    image.convert("RGB").save(folder / THUMBNAIL, quality=80)
