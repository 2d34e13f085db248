"""Mask roughness: how much noise makes drawn masks as compact as real ones.

A network that was taught by squared errors draws smoother borders than lesions have. Noise in the drawn field makes up for it; its strength
is measured once, when a generator is exported: on its validation scans the masks' mean sphericity becomes that of the real training lesions.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from RadiomicsPersonaLib.errors import InputError

from .fitted_mask import fitted_mask
from .lesion_ground import LesionGround
from .lesion_places import drawn_ml, drawn_place, real_places
from .mask_measures import sphericity
from .mask_model import MaskModel, roughened

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
        means = np.mean([row for number in range(DRAWS) if (row := _at_levels(model, grounds[number % len(grounds)], kind, seed, number))], axis=0)
        wanted = float(real_places()[kind][:, 4].mean())
        # the rougher, the less spherical
        found[kind] = round(float(np.interp(wanted, means[::-1], LEVELS[::-1])), 3)
    return found


def _at_levels(model: MaskModel, ground: LesionGround, kind: str, seed: int, number: int) -> list[float]:
    """Sphericity of one drawn mask at every level; empty where there is no room for it."""
    rng = np.random.default_rng((seed, number))
    ml = drawn_ml(kind, ground.ras_from_mni, rng)
    field, affine = model.smooth_field(ground.scan, ground.tissue, drawn_place(kind, ml, ground.ras_from_mni, rng), ml, kind, rng)
    try:
        holes = [fitted_mask(ground.scan, ground.solid, roughened(field, level, np.random.default_rng(number)), affine, ml) for level in LEVELS]
    except InputError:
        return []
    return [sphericity(hole, ground.scan) for hole in holes]
