"""Prepared scans: what is prepared once per training scan, kept on disk and opened piece by piece.

An entry is a folder of memory-mapped arrays, so that memory does not grow with the number of scans. Its name is a digest of
the scan's bytes, of the settings, and of the code that prepares; whatever changes, a new entry is made. Its arrays' checksums
are compared when a run begins.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
import tempfile
import zlib
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import fields, is_dataclass, replace
from functools import lru_cache, partial
from multiprocessing import get_context
from pathlib import Path
from types import ModuleType

import numpy as np
import SimpleITK as sitk

from RadiomicsPersonaLib.brain import anatomy, classical_brain, midplane, preparation, tissue
from RadiomicsPersonaLib.brain.anatomy import Anatomy
from RadiomicsPersonaLib.brain.midplane import Midplane
from RadiomicsPersonaLib.brain.preparation import PreparedScan, prepare
from RadiomicsPersonaLib.brain.tissue import IntensityScale, Tissue
from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.geometry import patch
from RadiomicsPersonaLib.geometry.hole import Hole
from RadiomicsPersonaLib.geometry.patch import PatchGrid
from RadiomicsPersonaLib.imaging import dicom, nifti_place
from RadiomicsPersonaLib.imaging import files as imaging_files
from RadiomicsPersonaLib.imaging import grid as imaging_grid
from RadiomicsPersonaLib.imaging import scan as imaging_scan
from RadiomicsPersonaLib.imaging.files import read_scan, sha256_of
from RadiomicsPersonaLib.imaging.scan import Scan
from RadiomicsPersonaLib.networks import head_model
from RadiomicsPersonaLib.system.json_text import object_in

from ..settings.sections import CacheSettings
from .segmentation_cases import SegmentationCase

PREPARING = (
    imaging_files,
    imaging_scan,
    imaging_grid,
    nifti_place,
    dicom,
    tissue,
    anatomy,
    head_model,
    classical_brain,
    midplane,
    patch,
    preparation,
)
"""Modules whose code makes an entry of the cache, beside this one."""
KEPT = {
    kind.__name__: kind
    for kind in (PreparedScan, Scan, Tissue, Anatomy, PatchGrid, IntensityScale, Midplane, Hole, SegmentationCase)
}
"""Classes that an entry is made of."""
ENTRY = "entry.json"
"""File of an entry that says how its arrays belong together; written last."""
FEWEST_VALUES = 9
"""A scan with fewer different values is taken for a mask."""


class CachedScans(Sequence):
    """Prepared scans or cases that are opened when they are asked for; the last few stay open."""

    def __init__(self, entries: list[Path]):
        self.entries = entries

    def __len__(self) -> int:
        return len(self.entries)

    def __getitem__(self, index: int) -> PreparedScan | SegmentationCase:
        return open_entry(self.entries[index])


def prepare_scans(
    files: list[Path],
    folder: Path,
    settings: CacheSettings,
    workers: int = 1,
    progress: Callable[[int, int, str], None] | None = None,
) -> tuple[list[Path | None], list[str]]:
    """Make sure that every scan has an entry in the cache.

    Args:
        files: scans without lesions.
        folder: of the cache; made when it is not there.
        workers: processes that prepare.
    Returns:
        For every file its entry, or None where it was skipped; and a sentence for each that was.
    Raises:
        InputError: a scan cannot be used and the settings say stop, or the folder cannot be written.
    """
    job = partial(_entry_or_reason, folder=folder, settings=settings)
    return made_entries(job, files, settings, workers, progress)


def made_entries(
    job: Callable[[Path], tuple[Path | None, str]],
    files: list[Path],
    settings: CacheSettings,
    workers: int = 1,
    progress: Callable[[int, int, str], None] | None = None,
) -> tuple[list[Path | None], list[str]]:
    """What `prepare_scans` returns and raises, for any job that makes a file's entry and says why where it cannot."""
    entries, notes = [], []
    # spawned: a fork of a process that already computes with torch may hang
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) if workers > 1 else _Here() as pool:
        for number, (entry, reason) in enumerate(pool.map(job, files), start=1):
            if reason and settings.unreadable == "stop":
                raise InputError(f'{reason} (To leave such scans out, set unreadable = "skip" in [cache].)')
            notes += [reason] if reason else []
            entries.append(entry)
            if progress:
                progress(number, len(files), files[number - 1].name)
    return entries, notes


class _Here:
    """Stands in for a pool where one process does it all."""

    map = staticmethod(map)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        return None


def _entry_or_reason(file: Path, folder: Path, settings: CacheSettings) -> tuple[Path | None, str]:
    try:
        if not file.is_file():
            raise InputError(f"There is no scan '{file}': correct the split.")
        entry = folder / _digest_of(file, settings)
        if not intact(entry):
            write_entry(entry, _prepared(file, settings))
        return entry, ""
    except InputError as error:
        return None, str(error)


def _prepared(file: Path, settings: CacheSettings) -> PreparedScan:
    read = read_scan(file)
    if len(np.unique(read.array[::2, ::2, ::2])) < FEWEST_VALUES:
        raise InputError(f"'{file}' holds so few different values that it must be a mask: list the scan itself.")
    return prepare(correct_bias_field(read) if settings.bias_field == "correct" else read)


def _digest_of(file: Path, settings: CacheSettings) -> str:
    digest = hashlib.sha256(sha256_of(file).encode())
    digest.update(settings.bias_field.encode())
    digest.update(code_digest().encode())
    return digest.hexdigest()[:24]


@lru_cache(maxsize=1)
def code_digest() -> str:
    """Digest of the code that prepares scans, and of the tissue model's weights."""
    code = digest_of_modules(sys.modules[__name__], *PREPARING)
    model = head_model.TissueModel.installed()
    return f"{code} {model.card['sha256'] if model else ''}"


def digest_of_modules(*modules: ModuleType) -> str:
    """Digest of the modules' files: an entry that they made is made again when one of them changes."""
    digest = hashlib.sha256()
    for module in modules:
        digest.update(Path(module.__file__).read_bytes())
    return digest.hexdigest()


def write_entry(entry: Path, prepared) -> None:
    """Write an entry, whole or not at all.

    Args:
        prepared: an object of one of the classes `KEPT`.
    Raises:
        InputError: the cache's folder cannot be written.
    """
    staging = None
    try:
        entry.parent.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=".", dir=entry.parent))
        checksums = {}
        tree = _taken_apart(prepared, "scan", staging, checksums)
        (staging / ENTRY).write_text(json.dumps({"checksums": checksums, "tree": tree}), encoding="utf-8")
        shutil.rmtree(entry, ignore_errors=True)
        try:
            staging.rename(entry)
        except OSError:
            # another process may have been quicker with the same entry
            if not intact(entry):
                raise
    except OSError as error:
        raise InputError(f"The cache '{entry.parent}' cannot be written ({error.strerror}): free some space there.") from error
    finally:
        if staging:
            shutil.rmtree(staging, ignore_errors=True)


def intact(entry: Path) -> bool:
    try:
        checksums = object_in(entry / ENTRY)["checksums"]
        return all(zlib.crc32((entry / name).read_bytes()) == value for name, value in checksums.items())
    except (OSError, ValueError, KeyError, AttributeError, TypeError):
        return False


@lru_cache(maxsize=4)
def open_entry(entry: Path) -> PreparedScan | SegmentationCase:
    """What an entry holds, its arrays mapped from the disk; the last few stay open."""
    tree = json.loads((entry / ENTRY).read_text(encoding="utf-8"))["tree"]
    return _put_together(tree, entry)


def _taken_apart(value, name: str, folder: Path, checksums: dict[str, int]):
    """What JSON can hold of a value; its arrays become files."""
    if is_dataclass(value):
        inner = {f.name: _taken_apart(getattr(value, f.name), f"{name}.{f.name}", folder, checksums) for f in fields(value)}
        return {"class": type(value).__name__, "fields": inner}
    if isinstance(value, np.ndarray):
        file = folder / f"{name}.npy"
        np.save(file, value, allow_pickle=False)
        checksums[file.name] = zlib.crc32(file.read_bytes())
        return {"array": file.name}
    if isinstance(value, dict):
        return {"dict": value}
    if isinstance(value, (tuple, list)):
        return {"tuple": [_taken_apart(item, f"{name}.{i}", folder, checksums) for i, item in enumerate(value)]}
    return value.item() if isinstance(value, np.generic) else value


def _put_together(tree, folder: Path):
    if not isinstance(tree, dict):
        return tree
    if "class" in tree:
        return KEPT[tree["class"]](**{name: _put_together(item, folder) for name, item in tree["fields"].items()})
    if "array" in tree:
        return np.load(folder / tree["array"], mmap_mode="r", allow_pickle=False)
    if "dict" in tree:
        return tree["dict"]
    return tuple(_put_together(item, folder) for item in tree["tuple"])


SHRUNK_TO_MM = 4.0
"""The field is estimated on a grid about this coarse; it is smooth."""


def correct_bias_field(scan: Scan) -> Scan:
    """The scan divided by its bias field, estimated by N4 (Tustison et al. 2010; SimpleITK) over the head."""
    lowest = float(scan.array.min())
    image = sitk.GetImageFromArray(np.ascontiguousarray((scan.array - lowest).astype(np.float32).transpose(2, 1, 0)))
    image.SetSpacing([float(s) for s in scan.spacing])
    shrink = [max(1, round(SHRUNK_TO_MM / s)) for s in scan.spacing]
    small = sitk.Shrink(image, shrink)
    corrector = sitk.N4BiasFieldCorrectionImageFilter()
    corrector.SetMaximumNumberOfIterations([30, 30, 20])
    corrector.Execute(small, sitk.OtsuThreshold(small, 0, 1))
    field = np.exp(sitk.GetArrayFromImage(corrector.GetLogBiasFieldAsImage(image)).transpose(2, 1, 0))
    return replace(scan, array=((scan.array - lowest) / field + lowest).astype(np.float32))
