"""Colours: what a verdict and a deviation look like in pictures, reports and scenes."""

from __future__ import annotations

import numpy as np

VERDICT_COLORS = {
    "pathological": (230, 97, 1),
    "unusual": (246, 168, 92),
    "healthy": (0, 158, 115),
    "undetermined": (240, 228, 66),
}
"""Red, green, blue (0 to 255) by the verdict's word; told apart by colour-blind readers, black text legible on each."""
CONTROL_COLOR = (165, 170, 178)
UNUSUAL_COLOR = (240, 228, 66)
"""Of the outline of what is unusual in a box."""
FOUND_COLORS = {"found": (230, 97, 1), "undetermined": (240, 228, 66), "not found": (0, 114, 178)}
"""What becomes of painted lesions; told apart by colour-blind readers, and by their shapes: dot, diamond, ring."""
DIFFERENCE_RANGE = 3.0
"""Expected errors, or tissue standard deviations, at which the difference's colours saturate."""
FOG = (0.5, 1.5)
"""Expected errors, tissue standard deviations, at which a persona begins to lie in fog, and at which that is densest."""
FOG_COLOR, MOST_FOG = (150, 178, 205), 0.65
"""Of the fog, and how much of it there is at most."""

CLASS_COLORS = (
    (213, 94, 0),
    (0, 114, 178),
    (0, 158, 115),
    (240, 228, 66),
    (204, 121, 167),
    (86, 180, 233),
    (230, 159, 0),
    (160, 160, 160),
)
"""Red, green, blue of the classes of a segmentation, one after another and round again (Okabe and Ito 2008)."""

_SURE, _UNSURE = np.array([(236, 242, 248), (28, 74, 140)], dtype=np.float64)
_DARKER, _EQUAL, _BRIGHTER = np.array([(33, 90, 205), (255, 255, 255), (200, 25, 40)], dtype=np.float64)


def density_of_fog(expected: np.ndarray | float) -> np.ndarray | float:
    """How dense the fog is over a persona that may be off by so many tissue standard deviations, 0 to `MOST_FOG`."""
    return MOST_FOG * np.clip((np.asarray(expected) - FOG[0]) / (FOG[1] - FOG[0]), 0, 1)


def of_expected_error(shares: np.ndarray | float) -> np.ndarray:
    """Colours of expected errors as shares of the densest fog's: pale at 0, deep blue at 1 and above; uint8 (..., 3).

    Slicer's views lay colours over a scan whole or not at all, so there the fog has shades.
    """
    shares = np.clip(np.asarray(shares, dtype=np.float64), 0, 1)[..., None]
    return np.rint(_SURE + shares * (_UNSURE - _SURE)).astype(np.uint8)


def diverging(values: np.ndarray) -> np.ndarray:
    """Colours of signed values: blue at -1 and below, white at 0, red at 1 and above; uint8 (..., 3)."""
    values = np.clip(np.asarray(values, dtype=np.float64), -1, 1)[..., None]
    end = np.where(values < 0, _DARKER, _BRIGHTER)
    return np.rint(_EQUAL + np.abs(values) * (end - _EQUAL)).astype(np.uint8)
