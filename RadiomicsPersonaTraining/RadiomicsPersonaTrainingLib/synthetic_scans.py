"""Synthetic scans: heads made from held-out label maps in T1, T2, FLAIR and T1 post, whose every voxel is healthy."""

from __future__ import annotations

import zlib
from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path

import numpy as np

from RadiomicsPersonaLib.scan import Scan, name_of

from .contrast import CONTRASTS
from .held_out import HeldOutScan
from .label_map import LabelMap, read_label_map
from .split import split_subjects
from .synthesis import SynthesisRecipe, synthesise_scan

SOURCE = "synthetic"
FOLDER = "label_maps"
"""Of the label maps, beneath the data folder and in model cards."""
MAPS = 4
"""Label maps taken for a model whose card names none; the same ones for every such model."""
RECIPE = SynthesisRecipe(
    realistic=1.0,
    flip=0.0,
    rotation=10.0,
    scale=0.05,
    stretch=0.04,
    elastic=2.0,
    bias=0.3,
    gamma=0.1,
    noise=0.03,
    low_resolution=0.0,
    extracted=0.0,
)
"""Whole heads at 1 mm as a scanner would give them: the shape varies a little, the contrast is one that exists."""


def synthetic_scans(root: Path, card: dict | None) -> list[HeldOutScan]:
    """The heads of the label maps beneath a data folder that a model never saw, contrast by contrast.

    Args:
        card: the model's; its test maps are taken, and `MAPS` fixed ones where it names none.
    """
    files = sorted((root / FOLDER).glob("*.nii.gz"))
    named = [name for entry in (card or {}).get("data", ()) if entry["folder"] == FOLDER for name in entry["test"]]
    if named:
        files = [file for file in files if name_of(file) in named]
    else:
        files = split_subjects(files, 0, MAPS)["test"]
    return [
        HeldOutScan(
            f"{SOURCE} {contrast}", name_of(file), partial(synthetic_scan, file, contrast), partial(synthetic_brain, file)
        )
        for contrast in CONTRASTS
        for file in files
    ]


def synthetic_scan(file: Path, contrast: str) -> Scan:
    """One head of a label map; in every contrast of `contrast.CONTRASTS` the same head in the same place."""
    return _scan_and_classes(file, contrast)[0]


def synthetic_brain(file: Path) -> Scan:
    """The head in T1 with air around its brain, so that holes are placed in the brain that is known."""
    scan, classes = _scan_and_classes(file, "T1")
    return replace(scan, array=np.where(classes.array > 0, scan.array, 0))


def _scan_and_classes(file: Path, contrast: str) -> tuple[Scan, Scan]:
    # the generator draws a head's shape before its contrast, so that one seed gives one shape
    rng = np.random.default_rng((0, zlib.crc32(name_of(file).encode())))
    return synthesise_scan(_label_map(file), replace(RECIPE, contrasts=(contrast,)), rng)


@lru_cache(maxsize=4)
def _label_map(file: Path) -> LabelMap:
    return read_label_map(file)
