"""Survey: what lies in a folder or a list of scans, scan by scan, with what speaks against training on it, in words."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from RadiomicsPersonaLib.brain.tissue import OTHER_CONTRAST, T1_WEIGHTED, estimate_tissue
from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.imaging.files import read_scan, sha256_of
from RadiomicsPersonaLib.imaging.scan import Scan
from RadiomicsPersonaLib.report.slice_plane import cut, planes_of_scan
from RadiomicsPersonaLib.system.json_text import object_in
from RadiomicsPersonaLib.system.output import file_written_whole

from .prepared_scans import FEWEST_VALUES
from .source_table import refuse_unless_fittable
from .split import find_scans

SCAN, LABEL_MAP, UNUSABLE = "scan", "label map", "unusable"
THUMBNAIL = 96
"""Pixels along the edge of a thumbnail."""
MOST_LABELS = 300
"""A map of whole numbers with more different ones is taken for an image."""
_IN_NAME = {
    r"(?<![a-z])t1(c|ce|gd|post)(?![a-z])|t1[-_ ]?post": "T1 post",
    r"(?<![a-z])t1w?(?![a-z0-9])|mprage|bravo": "T1w",
    r"flair|(?<![a-z])t2f(?![a-z])": "FLAIR",
    r"(?<![a-z])t2w?(?![a-z0-9])": "T2w",
    r"(?<![a-z])pdw?(?![a-z])": "PD",
}
"""Contrasts by what file names usually say."""
_VERSION = 1

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class SurveyedScan:
    """One file.

    Attributes:
        subject, file: who it shows and where it lies.
        kind: `SCAN`, `LABEL_MAP` or `UNUSABLE`.
        shape, spacing: voxels and millimetres along its axes; empty where it cannot be read.
        contrast: as its name says, else as it looks; "" where neither tells.
        problems: sentences, the worst first.
        thumbnail: file of a small axial picture, or "".
        bytes: size of the file.
    """

    subject: str
    file: str
    kind: str
    shape: tuple[int, ...]
    spacing: tuple[float, ...]
    contrast: str
    problems: tuple[str, ...]
    thumbnail: str
    bytes: int


def survey(places: list[Path], folder: Path, look_closely: bool = True, progress: Progress | None = None) -> list[SurveyedScan]:
    """Look at every scan of folders or lists (CSV).

    Args:
        places: as `split.find_scans` takes them.
        folder: for thumbnails and what was found; files that did not change are not looked at again.
        look_closely: have the tissue model look for the brain and the contrast, which takes some seconds per scan.
        progress: called with (scans done, scans in all, what); may raise to cancel.
    Raises:
        InputError: a place is not there, lists nothing or may not be trained on.
    """
    found = []
    for place in places:
        if not place.exists():
            raise InputError(f"There is no file or folder '{place}': check the path.")
        if place.is_dir():
            refuse_unless_fittable(place)
        found += find_scans(place)
    folder.mkdir(parents=True, exist_ok=True)
    rows, digests = [], Counter()
    for number, (subject, file) in enumerate(found, start=1):
        row, digest = _looked_at(subject, file, folder, look_closely)
        digests[digest] += 1
        if digest and digests[digest] > 1:
            row = SurveyedScan(
                **asdict(row) | {"problems": ("The same image is in this list twice: leave one out.", *row.problems)}
            )
        rows.append(row)
        if progress:
            progress(number, len(found), file.name)
    return rows


def _looked_at(subject: str, file: Path, folder: Path, look_closely: bool) -> tuple[SurveyedScan, str]:
    """The row of a file, from the folder where the file has not changed since, and the digest of its content."""
    try:
        stat = file.stat()
    except OSError:
        return SurveyedScan(
            subject, str(file), UNUSABLE, (), (), "", (f"There is no scan '{file}': correct the list.",), "", 0
        ), ""
    key = json.dumps([_VERSION, str(file.absolute()), stat.st_size, stat.st_mtime_ns, look_closely])
    note = folder / f"{hashlib.sha256(key.encode()).hexdigest()[:20]}.json"
    try:
        kept = object_in(note)
        return SurveyedScan(
            **kept["row"] | {"subject": subject} | {k: tuple(kept["row"][k]) for k in ("shape", "spacing", "problems")}
        ), kept["digest"]
    except (OSError, ValueError, KeyError, TypeError):
        row, digest = _seen(subject, file, note.with_suffix(".png"), look_closely), sha256_of(file)
    with file_written_whole(note) as path:
        path.write_text(json.dumps({"row": asdict(row), "digest": digest}), encoding="utf-8")
    return row, digest


def _seen(subject: str, file: Path, thumbnail: Path, look_closely: bool) -> SurveyedScan:
    size = file.stat().st_size
    try:
        scan = read_scan(file)
    except InputError as error:
        return SurveyedScan(subject, str(file), UNUSABLE, (), (), "", (str(error),), "", size)
    problems, contrast = list(scan.warnings), contrast_in_name(file.name)
    kind = _kind_of(scan)
    if kind == UNUSABLE:
        problems.insert(0, "It holds so few different values that it must be a mask: leave it out.")
    if kind == SCAN and look_closely:
        try:
            tissue = estimate_tissue(scan)
            problems += [f"This is hardly a healthy adult's brain: {tissue.doubt}."] if tissue.doubt else []
            contrast = contrast or {T1_WEIGHTED: "T1w", OTHER_CONTRAST: "not T1w"}.get(tissue.contrast, "")
        except InputError as error:
            kind, problems = UNUSABLE, [str(error), *problems]
    _draw(scan, thumbnail, kind)
    shape, spacing = tuple(int(n) for n in scan.shape), tuple(round(float(s), 3) for s in scan.spacing)
    return SurveyedScan(
        subject, str(file), kind, shape, spacing, "" if kind == LABEL_MAP else contrast, tuple(problems), str(thumbnail), size
    )


def contrast_in_name(name: str) -> str:
    """The contrast that a file's name tells, or ""."""
    return next((contrast for pattern, contrast in _IN_NAME.items() if re.search(pattern, name.lower())), "")


def _kind_of(scan: Scan) -> str:
    values = np.unique(scan.array[::2, ::2, ::2])
    if len(values) < FEWEST_VALUES:
        return UNUSABLE
    whole = len(values) <= MOST_LABELS and np.array_equal(values, np.rint(values)) and values.min() >= 0
    return LABEL_MAP if whole and _pieces_are_flat(scan.array) else SCAN


def _pieces_are_flat(array: np.ndarray) -> bool:
    """Whether most neighbours inside the head have the same value, as in a map of labels and in no image."""
    inner = array[array.shape[0] // 4 : -array.shape[0] // 4, :, array.shape[2] // 2]
    filled = (inner[1:] != 0) & (inner[:-1] != 0)
    return bool(filled.any()) and float((inner[1:] == inner[:-1])[filled].mean()) > 0.6


def _draw(scan: Scan, path: Path, kind: str) -> None:
    """One axial slice through the middle."""
    plane = planes_of_scan(scan, scan.ras_from_ijk((np.array(scan.shape) - 1) / 2), THUMBNAIL)[0]
    low, high = np.percentile(scan.array, [1, 99.5])
    values = cut(scan.array, scan.affine, plane, outside=float(low))
    gray = np.clip((values - low) / max(high - low, 1e-9), 0, 1)
    if kind == LABEL_MAP:
        gray = np.where(values > 0, 0.2 + 0.8 * ((values * 37) % 101) / 101, 0)
    with file_written_whole(path) as staging:
        Image.fromarray(np.rint(255 * gray).astype(np.uint8)).save(staging, format="PNG")
