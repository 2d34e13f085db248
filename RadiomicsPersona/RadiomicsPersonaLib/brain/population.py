"""Population: what healthy brains have on average at every place of a scan, in the scan's own contrast.

The averages are kept in MNI space (`standard_space`) at 2 mm: T1-weighted brightness and the shares of fluid, grey and white
matter of healthy people. They are laid over a scan by the affine way between both. What the four averages predict of the
scan's brightness is found by least squares over the brain that may be looked at, so that it serves any contrast.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from weakref import WeakKeyDictionary

import numpy as np

from ..resources import SHIPPED_POPULATION
from ..system.stored_arrays import INSTALL, arrays_of
from .average_brain import AFFINE as OVERVIEW_AFFINE
from .average_brain import SHAPE as OVERVIEW_SHAPE
from .average_brain import SPACING as OVERVIEW_SPACING
from .standard_space import ras_from_standard, sampled
from .tissue import Tissue

FILE = SHIPPED_POPULATION / "population.npz"
SPACING = 2.0
SHAPE = tuple(round(n * OVERVIEW_SPACING / SPACING) for n in OVERVIEW_SHAPE)
AFFINE = OVERVIEW_AFFINE @ np.diag([SPACING / OVERVIEW_SPACING] * 3 + [1.0])
AFFINE[:3, 3] = OVERVIEW_AFFINE[:3, 3] - (OVERVIEW_SPACING - SPACING) / 2
"""From the averages' indices to MNI RAS millimetres: every voxel of the average brain is eight of theirs."""
BRIGHTNESS_RANGE = (-6.0, 6.0)
"""Tissue units between which brightness is kept."""
LEAST_SHARE = 0.05
"""Share of the people who have brain at a place, below which nothing is said there."""
LOOKED_AT = 0.5
"""The same, above which a place serves to find the scan's contrast."""
FEWEST = 500
"""Voxels of the scan's overview from which its contrast can be found: less is hardly a brain."""


@lru_cache(maxsize=1)
def averages() -> np.ndarray:
    """Averages of healthy people, float32 (4, *SHAPE): T1-weighted brightness of the brain in tissue units times the share of
    people who have brain there; the shares of fluid, grey and white matter.

    Raises:
        InputError: their file is damaged.
    """
    kept = arrays_of(FILE, {"averages": ("u", (4, *SHAPE))}, INSTALL)["averages"].astype(np.float32) / 255
    low, high = BRIGHTNESS_RANGE
    kept[0] = (low + (high - low) * kept[0]) * kept[1:].sum(axis=0)
    return kept


@dataclass(frozen=True, eq=False)
class Population:
    """The averages laid over one scan.

    Attributes:
        index_from_ras: 4x4, RAS millimetres of the scan to indices of the averages.
        weights: (4,), of the averages in the scan's brightness, tissue units.
    """

    index_from_ras: np.ndarray
    weights: np.ndarray

    def on(self, affine: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
        """What healthy people have on a grid, float32 (2, *shape): brightness in tissue units of the scan, 0 where nothing is
        known; the share of them who have brain there.

        Args:
            affine: 4x4, indices of the grid to RAS millimetres.
        """
        found, share = _averages_at(self.index_from_ras @ affine, shape)
        brightness = np.tensordot(self.weights.astype(np.float32), found, axes=1) / np.maximum(share, LEAST_SHARE)
        return np.stack([np.where(share > LEAST_SHARE, np.clip(brightness, *BRIGHTNESS_RANGE), 0), share]).astype(np.float32)


def population_of(tissue: Tissue) -> Population | None:
    """The averages laid over a scan, by its tissue alone: nothing that the tissue was estimated without is looked at.

    None where the tissue model has seen no brain, or too little of one. What was found of a tissue is remembered with it.
    """
    if tissue not in _found:
        _found[tissue] = _laid_over(tissue)
    return _found[tissue]


_found: WeakKeyDictionary[Tissue, Population | None] = WeakKeyDictionary()


def _laid_over(tissue: Tissue) -> Population | None:
    if tissue.anatomy is None:
        return None
    index_from_ras = np.linalg.inv(ras_from_standard(tissue.anatomy) @ AFFINE)
    found, share = _averages_at(index_from_ras @ tissue.grid.patch.affine, tissue.values.shape)
    used = tissue.known & tissue.brain & (share > LOOKED_AT)
    if used.sum() < FEWEST:
        return None
    values = np.clip(tissue.scale.to_tissue(tissue.values[used]), *BRIGHTNESS_RANGE)
    weights = np.linalg.lstsq((found[:, used] / share[used]).T.astype(np.float64), values.astype(np.float64), rcond=None)[0]
    return Population(index_from_ras, weights)


def _averages_at(matrix: np.ndarray, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """The averages at `matrix` times every index of a grid, (4, *shape), and the share of people who have brain there."""
    found = np.stack([sampled(average, matrix, shape) for average in averages()])
    return found, found[1:].sum(axis=0)
