"""Average brain: the picture of an average brain in MNI space, on which atlases are kept; numpy only, for Slicer's process
reads it too.

It is the mean of healthy adults of `healthy/ds002748` (CC0), brought onto the ICBM152 2009 template (Fonov et al. 2011).
Fluid is dark, grey matter middle and white matter bright; see `standard_space.tissue_picture`.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from ..resources import SHIPPED_HEAD_SEARCH
from ..system.stored_arrays import INSTALL, arrays_of

FILE = SHIPPED_HEAD_SEARCH / "average-brain.npz"
SPACING = 4.0
SHAPE = (46, 55, 46)
AFFINE = np.array([[SPACING, 0, 0, -90], [0, SPACING, 0, -126], [0, 0, SPACING, -72], [0, 0, 0, 1.0]])
"""From the average's indices to MNI RAS millimetres."""


@lru_cache(maxsize=1)
def average_brain() -> np.ndarray:
    """The average's picture, float32 of `SHAPE`, 0 to 1.

    Raises:
        InputError: its file is damaged.
    """
    return arrays_of(FILE, {"picture": ("u", SHAPE)}, INSTALL)["picture"].astype(np.float32) / 255
