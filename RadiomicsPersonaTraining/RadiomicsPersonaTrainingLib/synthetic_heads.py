"""Synthetic heads: whole heads made from held-out label maps in T1, T2, FLAIR and T1 post, whose every voxel is healthy."""

from __future__ import annotations

import zlib
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from RadiomicsPersonaLib.scan import Scan, name_of

from .card_subjects import files_of, of_label_maps
from .contrast import CONTRASTS
from .held_out import HeldOutScan
from .label_map import opened_label_map
from .split import TEST, VALIDATION, scans_in, split_subjects
from .synthesis import SynthesisRecipe, synthesise_scan

SOURCE = "synthetic"
FOLDER = "label_maps"
"""Of the label maps, beneath the data folder, for a model whose card names none."""
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


def synthetic_heads(root: Path, card: dict | None, part: str = TEST) -> list[HeldOutScan]:
    """The heads of the label maps beneath a data folder that a model never saw, contrast by contrast.

    Args:
        card: the model's; its maps of that part are taken, and `MAPS` fixed ones where it names none.
        part: test or validation.
    """
    entries = of_label_maps(card) if card else []
    files = [file for entry in entries for file in files_of(entry, part, root)]
    if not entries and (root / FOLDER).is_dir():
        files = scans_in(root / FOLDER)
        if len(files) > MAPS:
            share = MAPS / len(files)
            parts = split_subjects([name_of(file) for file in files], share if part == VALIDATION else 0.0, share, seed=0)
            files = [file for file in files if parts[name_of(file)] == part]
    return heads_of(files)


def heads_of(files: list[Path]) -> list[HeldOutScan]:
    """The heads of some label maps, contrast by contrast."""
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
    return synthesise_scan(opened_label_map(file), replace(RECIPE, contrasts=(contrast,)), rng)
