"""Segmentation cases: where the contrasts and the label map of every case lie beneath a data folder, as patterns say; read,
laid upon each other, and brought onto the model's grid.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.geometry.model_grid import model_grid
from RadiomicsPersonaLib.imaging.files import ITK_SUFFIXES, NIBABEL_SUFFIXES, name_of, read_label_map, read_scan
from RadiomicsPersonaLib.imaging.resampling import onto_grid_of, share_grid
from RadiomicsPersonaLib.imaging.scan import Scan
from RadiomicsPersonaLib.segmentation.segmentation_model import segmentation_input
from RadiomicsPersonaLib.system.json_text import parsed

from ..settings.sample_sections import SegmentationSettings
from ..settings.segmentation_labels import CASE, alternatives_in, labels_of

SUFFIXES = (*NIBABEL_SUFFIXES, *ITK_SUFFIXES)
DESCRIPTION = "dataset.json"
"""What the Medical Segmentation Decathlon and nnU-Net call their description of a collection."""


def truths_in(folder: Path, settings: SegmentationSettings) -> list[tuple[str, Path]]:
    """Subject and label map of every case beneath a folder, sorted.

    Raises:
        InputError: there is none, or the folder's own description names labels that the settings do not.
    """
    if not folder.is_dir():
        raise InputError(f"There is no folder '{folder}': check the path.")
    found = []
    for file in sorted(folder.rglob("*")):
        # files that start with a dot are what macOS leaves beside the real ones in archives
        if file.name.lower().endswith(SUFFIXES) and not file.name.startswith(".") and (place := place_of(file, settings)):
            found.append((subject_of_case(place[1], settings), file))
    if not found:
        raise InputError(
            f"No label map beneath '{folder}' is called like '{settings.truth}': correct 'truth' in [segmentation], or the "
            "folder."
        )
    _check_description(folder, settings)
    return found


def place_of(truth: Path, settings: SegmentationSettings) -> tuple[Path, str] | None:
    """The data folder and the case's name that a label map's path tells, or None where it is called otherwise."""
    text = truth.as_posix()
    stem = text[: len(text) - len(truth.name)] + name_of(truth)
    for pattern in alternatives_in(settings.truth):
        found = _expression(pattern).fullmatch(stem)
        if found:
            return Path(found["root"] or "."), found["case"]
    return None


def images_of(truth: Path, settings: SegmentationSettings) -> tuple[Path | None, ...]:
    """The files of the case's contrasts, None for those that are not there.

    Raises:
        InputError: the label map is called otherwise than the settings say, or none of the contrasts is there.
    """
    place = place_of(truth, settings)
    if place is None:
        raise InputError(f"'{truth}' is not called like '{settings.truth}': correct the split, or 'truth' in [segmentation].")
    root, case = place
    files = tuple(
        next((file for pattern in alternatives_in(image) if (file := _existing(root / pattern.replace(CASE, case)))), None)
        for image in settings.images
    )
    if not any(files):
        raise InputError(
            f"'{truth}' has no image '{settings.images[0].replace(CASE, case)}': correct 'images' in [segmentation], or bring "
            "the file."
        )
    return files


def subject_of_case(case: str, settings: SegmentationSettings) -> str:
    """Whose scan a case is."""
    found = re.search(settings.subject, case)
    return found.group() if found and found.group() else case


def channel_names(settings: SegmentationSettings) -> list[dict]:
    """The contrasts with the endings by which their files are known, for the card."""
    known = []
    for name, image in zip(settings.channels, settings.images):
        files = (pattern.rpartition("/")[2].replace(CASE, "") for pattern in alternatives_in(image))
        ends = {re.split(r"[^0-9A-Za-z]+", file)[-1].lower() for file in files} | {name.lower()}
        known.append({"name": name, "endings": sorted(ends - {""})})
    return known


@lru_cache(maxsize=64)
def _expression(pattern: str) -> re.Pattern:
    first, *others = pattern.split(CASE)
    text = re.escape(first) + "(?P<case>[^/]+?)" + "(?P=case)".join(re.escape(other) for other in others)
    return re.compile(f"(?:(?P<root>.*)/)?{text}", re.IGNORECASE)


def _existing(stem: Path) -> Path | None:
    """The image file of that name without suffix, in capitals or not."""
    names = {file.name.lower(): file for file in stem.parent.iterdir()} if stem.parent.is_dir() else {}
    return next((names[name] for suffix in SUFFIXES if (name := f"{stem.name}{suffix}".lower()) in names), None)


def _check_description(folder: Path, settings: SegmentationSettings) -> None:
    file = folder / DESCRIPTION
    if not file.is_file():
        return
    try:
        named = parsed(file.read_text(encoding="utf-8")).get("labels", {})
        pairs = [(key, value) if str(key).lstrip("-").isdigit() else (value, key) for key, value in named.items()]
        numbers = {int(number): str(name) for number, name in pairs if not isinstance(number, list)}
    except (ValueError, AttributeError, TypeError, OSError) as error:
        raise InputError(f"'{file}' cannot be read ({error}): correct it, or take it away.") from error
    labels = labels_of(settings)
    known = {0, *labels.ignored, *(number for stored in labels.numbers for number in stored)}
    strange = sorted(set(numbers) - known)
    if strange and () not in labels.numbers:
        raise InputError(
            f"'{file}' names the label {strange[0]} ({numbers[strange[0]]}), which no entry of labels in [segmentation] names: "
            "add it there."
        )


@dataclass(frozen=True, eq=False)
class SegmentationCase:
    """What samples are drawn from.

    Attributes:
        name: of its label map.
        image: float16 (C, D, H, W), axes nearly R, A, S, as `segmentation_input` scales it; 0 where a contrast is missing.
        truth: uint8 (D, H, W), classes from 0.
    """

    name: str
    image: np.ndarray
    truth: np.ndarray


def read_case(truth: Path, settings: SegmentationSettings) -> tuple[list[Scan | None], np.ndarray]:
    """The contrasts of a case on the grid of its label map, None for those that are missing, and its classes.

    Raises:
        InputError: a file cannot be used, the label map is on the grid of none of the contrasts,
            or a header places one elsewhere.
    """
    files = images_of(truth, settings)
    scans = [None if file is None else read_scan(file) for file in files]
    marked = read_label_map(truth)
    first = next((scan for scan in scans if scan is not None and share_grid(marked, scan)), None)
    if first is None:
        raise InputError(
            f"The label map '{truth.name}' is on another grid than all of its scans: resample it onto one of them."
        )
    classes = labels_of(settings).classes_of(marked.array, name_of(truth))
    return [None if scan is None else onto_grid_of(first, scan) for scan in scans], classes


def prepared_case(truth: Path, settings: SegmentationSettings) -> SegmentationCase:
    """A case on the model's grid.

    Raises:
        InputError: see `read_case`.
    """
    scans, classes = read_case(truth, settings)
    grid = model_grid(next(scan for scan in scans if scan is not None), settings.spacing)
    image = np.zeros((len(scans), *grid.shape), np.float16)
    for channel, scan in enumerate(scans):
        if scan is not None:
            image[channel] = grid.from_scan(segmentation_input(scan.array))
    return SegmentationCase(name_of(truth), image, grid.labels_from_scan(classes, len(labels_of(settings).names)))
