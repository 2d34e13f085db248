"""Mask resources: how the shipped average brain and the table of lesion places were made.

    python -m RadiomicsPersonaTrainingLib.mask_resources DATA

writes both anew from a data folder with healthy/ds002748 and lesion_masks; it needs nilearn, which brings the ICBM152 template.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from RadiomicsPersonaLib.scan import make_scan, read_scan
from RadiomicsPersonaLib.tissue import estimate_tissue

from .lesion_ground import lesion_ground
from .lesion_kinds import MS, RESOURCES, STROKE
from .lesion_pieces import lesion_pieces
from .lesion_places import write_places
from .split import TRAINING, read_split
from .standard_space import average_brain, write_average

AVERAGED, LOOKED_AT = 24, 6
"""Healthy people in the average, and in whose brains lesions were measured at their own place."""


def make_resources(data: Path, target: Path = RESOURCES) -> None:
    """Write both files.

    Args:
        target: folder for them.
    """
    from nilearn.datasets import load_mni152_template

    image = load_mni152_template(resolution=1)
    template = make_scan(np.asarray(image.dataobj, np.float32), np.array(image.affine), "template")
    healthy = [read_scan(file) for file in _training_files("healthy-t1-split.csv", data)[:AVERAGED]]
    write_average([estimate_tissue(scan).anatomy for scan in healthy], estimate_tissue(template).anatomy, target / "average-brain.npz")
    average_brain.cache_clear()
    grounds = [lesion_ground(read_scan(file)) for file in _training_files("masks-split.csv", data)[:LOOKED_AT]]
    write_places(lesion_pieces(data / "lesion_masks", (STROKE, MS)), grounds, target / "lesion-places.csv")


def _training_files(split: str, data: Path) -> list[Path]:
    rows = read_split(RESOURCES.parent / split, data)
    return [row.file for row in rows if row.part == TRAINING and row.source == "ds002748"]


if __name__ == "__main__":
    make_resources(Path(sys.argv[1]))
