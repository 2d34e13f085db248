"""Population average: how the averages were made that come with the program; see `brain.population`.

    python -m RadiomicsPersonaTrainingLib.data.population_average DATA

writes them anew from the training people of `healthy-t1-split.csv`: every second one of the largest source, all of the others.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from scipy import ndimage

from RadiomicsPersonaLib.brain.population import AFFINE, BRIGHTNESS_RANGE, FILE, SHAPE
from RadiomicsPersonaLib.brain.preparation import prepare
from RadiomicsPersonaLib.brain.standard_space import ras_from_standard, sampled
from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.imaging.files import read_scan
from RadiomicsPersonaLib.resources import TRAINING_LIBRARY, shipped
from RadiomicsPersonaLib.system.output import file_written_whole

from .split import TRAINING, read_split

SPLIT = shipped("masks", TRAINING_LIBRARY).parent / "healthy-t1-split.csv"
"""In a checkout."""
LEAST = 0.02
"""Share of the people who have brain at a place, below which nobody is said to."""
SMOOTHED = 0.6
"""Standard deviation, millimetres, over which a scan is smoothed before it is sampled every 2 mm."""


def training_people(data: Path) -> list[Path]:
    """Scans of the training people beneath a data folder that go into the averages."""
    rows = [row for row in read_split(SPLIT, data) if row.part == TRAINING]
    sources = [row.source for row in rows]
    largest = max(set(sources), key=sources.count)
    return [row.file for row in rows if row.source == largest][::2] + [row.file for row in rows if row.source != largest]


def write_averages(files: Sequence[Path], target: Path = FILE, workers: int = 2) -> None:
    """Average people in MNI space and write the file that is shipped.

    Args:
        files: T1-weighted scans of healthy people, one of each.
        workers: processes that lay people over the average brain.
    Raises:
        InputError: the tissue model sees no brain in one of them.
    """
    # spawned: a fork of a process that already computes with torch may hang
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        mean = np.mean(list(pool.map(_in_standard, files)), axis=0)
    low, high = BRIGHTNESS_RANGE
    share = mean[1:].sum(axis=0)
    known = share > LEAST
    brightness = np.where(known, mean[0] / np.maximum(share, LEAST), low)
    kept = np.stack([(brightness - low) / (high - low), *np.where(known, mean[1:], 0)])
    with file_written_whole(target) as staging, open(staging, "wb") as stream:
        np.savez_compressed(stream, averages=np.rint(255 * kept).clip(0, 255).astype(np.uint8))


def _in_standard(file: Path) -> np.ndarray:
    """One person, float32 (4, *SHAPE): brightness in tissue units times the share of brain, and the shares of its tissues."""
    prepared = prepare(read_scan(file))
    scan, tissue = prepared.scan, prepared.tissue
    if tissue.anatomy is None:
        raise InputError(f"The tissue model sees no brain in '{file}': leave that scan out.")
    ras_from_index = ras_from_standard(tissue.anatomy) @ AFFINE

    matrix = tissue.anatomy.grid.inverse @ ras_from_index
    shares = np.stack([sampled(share / np.float32(255), matrix, SHAPE) for share in tissue.anatomy.shares])
    smooth = ndimage.gaussian_filter(scan.array.astype(np.float32), SMOOTHED / scan.spacing)
    brightness = tissue.scale.to_tissue(sampled(smooth, scan.grid.inverse @ ras_from_index, SHAPE))
    return np.stack([np.clip(brightness, *BRIGHTNESS_RANGE) * shares.sum(axis=0), *shares])


if __name__ == "__main__":
    write_averages(training_people(Path(sys.argv[1])))
