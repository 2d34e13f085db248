"""Split: which subject trains, validates, or tests. The subject is the unit."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from RadiomicsPersonaLib.scan import name_of


def split_subjects(files: list[Path], validation: int, test: int, seed: int = 0) -> dict[str, list[Path]]:
    """Part the files at random into training, validation and test.

    Args:
        files: one scan per subject; their order does not matter.
        validation, test: number of subjects in those parts; the rest trains.
    """
    ordered = sorted(files, key=lambda path: name_of(path))
    shuffled = [ordered[i] for i in np.random.default_rng(seed).permutation(len(ordered))]
    return {
        "test": sorted(shuffled[:test]),
        "validation": sorted(shuffled[test : test + validation]),
        "training": sorted(shuffled[test + validation :]),
    }
