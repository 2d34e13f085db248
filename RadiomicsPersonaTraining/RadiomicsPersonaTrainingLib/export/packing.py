"""Packing: all that a training needs in one small file, to be carried to a machine with a GPU."""

from __future__ import annotations

import csv
import io
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import nibabel
import numpy as np

from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.imaging.files import read_label_map, read_scan
from RadiomicsPersonaLib.imaging.scan import Scan
from RadiomicsPersonaLib.networks.card import MASK_KIND, SEGMENTATION_KIND
from RadiomicsPersonaLib.system.csv_table import written_cell
from RadiomicsPersonaLib.system.output import file_written_whole

from ..data.lesion_shapes import training_shapes
from ..data.split import COLUMNS, TEST, ListedScan
from ..settings.sections import LABEL_MAPS, ScanSettings
from ..settings.training_settings import TrainingSettings, written

SETTINGS_NAME, SPLIT_NAME, MASKS_NAME = "settings.toml", "split.csv", "lesion_masks"


def pack(
    settings: TrainingSettings,
    rows: list[ListedScan],
    lesion_masks: Path | None,
    target: Path,
    largest_mib: float = 64.0,
    exact: bool = True,
    progress: Callable[[int, int, str], None] | None = None,
) -> int:
    """Write a .tar.xz with settings, split, training and validation scans and lesion shapes, ready for `fit`.

    Scans are stored in the smallest integers that hold them exactly, or in float32; test scans stay behind. Label maps and
    masks are always stored exactly.

    Args:
        lesion_masks: folder of lesion masks, or None.
        largest_mib: the pack must not be larger.
        exact: False stores scans in 256 steps up to their 99.9 percentile, far finer than their noise;
            about half the room where they have many more.
    Returns:
        Size of the pack in bytes.
    Raises:
        InputError: a scan cannot be read, or the pack grows too large.
    """
    if settings.task.kind in (SEGMENTATION_KIND, MASK_KIND):
        what = "A segmentation's cases are" if settings.task.kind == SEGMENTATION_KIND else "A training that draws masks is"
        raise InputError(f"{what} not packed: copy the data folder, and fit there with --data.")
    shapes = training_shapes(lesion_masks) if lesion_masks else ()
    scans = ScanSettings(SPLIT_NAME, MASKS_NAME if shapes else "")
    maps = {source.name for source in settings.data if source.kind == LABEL_MAPS}
    with file_written_whole(target, alone=True) as path, tarfile.open(path, "w:xz", preset=6) as archive:
        _add(archive, SETTINGS_NAME, written(replace(settings, scans=scans)).encode())
        split = io.StringIO()
        names = _names_in_pack(rows)
        cells = ([row.source, row.subject, row.part, name] for row, name in zip(rows, names))
        csv.writer(split, lineterminator="\n").writerows([COLUMNS, *(map(written_cell, row) for row in cells)])
        used = [(row, name) for row, name in zip(rows, names) if row.part != TEST]
        _add(archive, SPLIT_NAME, split.getvalue().encode())
        for number, (row, name) in enumerate(used, start=1):
            scan = read_scan(row.file)
            _add(archive, name, _nifti(scan if exact or row.source in maps else _in_steps(scan)))
            _checked_size(path, largest_mib)
            if progress:
                progress(number, len(used), row.file.name)
        for file in shapes:
            _add(archive, f"{MASKS_NAME}/{file.name.removesuffix('.gz')}", _nifti(read_label_map(file)))
        archive.close()
        return _checked_size(path, largest_mib)


def _checked_size(path: Path, largest_mib: float) -> int:
    size = path.stat().st_size
    if size > largest_mib * 2**20:
        raise InputError(f"The pack is larger than {largest_mib:g} MiB: leave some training scans out of the split.")
    return size


def _names_in_pack(rows: list[ListedScan]) -> list[str]:
    """A name for every row; files of one subject that are called alike lie in different folders, and are numbered."""
    names: list[str] = []
    for row in rows:
        name = row.file.name.removesuffix(".gz")
        inside = f"{row.source}/{row.subject}/{name}"
        names.append(f"{row.source}/{row.subject}/{len(names)}-{name}" if inside in names else inside)
    return names


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    archive.addfile(entry, io.BytesIO(content))


def _in_steps(scan: Scan) -> Scan:
    """The scan in whole steps from 0 to 255; what is brighter than its 99.9 percentile is cut."""
    low, high = float(scan.array.min()), float(np.percentile(scan.array, 99.9))
    return replace(scan, array=np.rint(np.clip((scan.array - low) / max(high - low, 1e-9), 0, 1) * 255).astype(np.float32))


def _nifti(scan: Scan) -> bytes:
    """The scan as an uncompressed NIfTI file; xz packs the whole tighter than gzip each."""
    array = scan.array
    for kind in (np.uint8, np.int16, np.float32):
        if np.array_equal(array.astype(kind), array):
            array = array.astype(kind)
            break
    return nibabel.Nifti1Image(array, scan.affine).to_bytes()
