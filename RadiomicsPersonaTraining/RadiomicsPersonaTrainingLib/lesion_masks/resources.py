"""Resources: how what is shipped for drawing lesion masks was made: the average brain, the lesion places, and the roughness.

    python -m RadiomicsPersonaTrainingLib.lesion_masks.resources DATA

writes brain and places anew from a data folder with healthy/ds002748 and lesion_masks, the brain where the program has its
own; it needs nilearn, which brings the ICBM152 template.

Roughness is how much noise makes drawn masks as compact as real ones. A network that was taught by squared errors draws
smoother borders than lesions have. Noise in the drawn field makes up for it; its strength is measured once, when a generator is
exported: on its validation scans the masks' mean sphericity becomes that of the real training lesions.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from RadiomicsPersonaLib.brain.anatomy import Anatomy
from RadiomicsPersonaLib.brain.average_brain import FILE, average_brain
from RadiomicsPersonaLib.brain.standard_space import in_standard, ras_from_standard
from RadiomicsPersonaLib.brain.tissue import estimate_tissue
from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.imaging.files import read_scan
from RadiomicsPersonaLib.imaging.scan import make_scan
from RadiomicsPersonaLib.system.output import file_written_whole

from ..data.split import TRAINING, read_split
from .fitted_mask import fitted_mask
from .ground import LesionGround, lesion_ground
from .kinds import MS, RESOURCES, STROKE
from .mask_model import MaskModel, roughened
from .measures import sphericity
from .pieces import lesion_pieces
from .places import drawn_ml, drawn_place, real_places, write_places

AVERAGED, LOOKED_AT = 24, 6
"""Healthy people in the average, and in whose brains lesions were measured at their own place."""


def make_resources(data: Path, target: Path = RESOURCES) -> None:
    """Write the lesion places and, where the program has its own, the average brain.

    Args:
        target: folder for the places.
    """
    from nilearn.datasets import load_mni152_template  # which only whoever makes the resources anew needs

    image = load_mni152_template(resolution=1)
    template = make_scan(np.asarray(image.dataobj, np.float32), np.array(image.affine), "template")
    healthy = [read_scan(file) for file in _training_files("healthy-t1-split.csv", data)[:AVERAGED]]
    write_average([estimate_tissue(scan).anatomy for scan in healthy], estimate_tissue(template).anatomy)
    average_brain.cache_clear()
    grounds = [lesion_ground(read_scan(file)) for file in _training_files("masks-split.csv", data)[:LOOKED_AT]]
    write_places(lesion_pieces(data / "lesion_masks", (STROKE, MS)), grounds, target / "lesion-places.csv")


def write_average(anatomies: Sequence[Anatomy], template: Anatomy, target: Path = FILE) -> np.ndarray:
    """Average healthy brains in MNI space and write the file that is shipped.

    Args:
        anatomies: of healthy brains.
        template: of a brain in MNI space, onto which the others are first brought.
    """
    picture = in_standard(template, np.eye(4))
    for _ in range(2):
        picture = np.mean([in_standard(anatomy, ras_from_standard(anatomy, picture)) for anatomy in anatomies], axis=0)
    with file_written_whole(target) as staging, open(staging, "wb") as stream:
        np.savez_compressed(stream, picture=np.rint(255 * picture).astype(np.uint8))
    return picture


def _training_files(split: str, data: Path) -> list[Path]:
    rows = read_split(RESOURCES.parent / split, data)
    return [row.file for row in rows if row.part == TRAINING and row.source == "ds002748"]


if __name__ == "__main__":
    make_resources(Path(sys.argv[1]))

LEVELS = (0.0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4)
DRAWS = 24
"""Masks that are drawn at every level."""


def measured_roughness(model: MaskModel, grounds: Sequence[LesionGround], seed: int = 0) -> dict[str, float]:
    """The roughness of every kind whose real lesions are known; interpolated between `LEVELS`.

    Args:
        grounds: healthy scans on which the model was not trained.
    """
    found = {}
    for kind in model.kinds:
        if kind not in real_places():
            continue
        means = np.mean(
            [row for number in range(DRAWS) if (row := _at_levels(model, grounds[number % len(grounds)], kind, seed, number))],
            axis=0,
        )
        wanted = float(real_places()[kind][:, 4].mean())
        # the rougher, the less spherical
        found[kind] = round(float(np.interp(wanted, means[::-1], LEVELS[::-1])), 3)
    return found


def _at_levels(model: MaskModel, ground: LesionGround, kind: str, seed: int, number: int) -> list[float]:
    """Sphericity of one drawn mask at every level; empty where there is no room for it."""
    rng = np.random.default_rng((seed, number))
    ml = drawn_ml(kind, ground.ras_from_mni, rng)
    field, affine = model.smooth_field(
        ground.scan, ground.tissue, drawn_place(kind, ml, ground.ras_from_mni, rng), ml, kind, rng
    )
    try:
        holes = [
            fitted_mask(ground.scan, ground.solid, roughened(field, level, np.random.default_rng(number)), affine, ml)
            for level in LEVELS
        ]
    except InputError:
        return []
    return [sphericity(hole, ground.scan) for hole in holes]
