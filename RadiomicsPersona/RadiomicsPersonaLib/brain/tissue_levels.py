"""Tissue levels: how bright fluid, grey and white matter are in one scan, which contrast that makes, and where they are,
finely.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..defaults import LESION_CONTRASTS
from ..errors import InputError
from ..imaging import contrast_name
from ..imaging.grid import Grid
from ..imaging.scan import Scan
from .tissue import FLUID, GREY, WHITE, Tissue

CONTRASTS = LESION_CONTRASTS
_IN_NAMES = {"t1": "T1", "t1c": "T1 post", "t2": "T2", "flair": "FLAIR"}
SURE = 0.9
"""Share of a tissue from which a voxel counts as that tissue alone."""


@dataclass(frozen=True)
class TissueLevels:
    """Brightness of a scan's tissues, scan intensities.

    Attributes:
        fluid, grey, white: medians.
        spread: mean robust standard deviation within grey and within white matter.
    """

    fluid: float
    grey: float
    white: float
    spread: float

    @property
    def reach(self) -> float:
        """Difference of white matter and fluid, the unit of a lesion's brightness."""
        return abs(self.white - self.fluid)


def tissue_levels(scan: Scan, tissue: Tissue) -> TissueLevels:
    """Medians over the voxels that are one tissue, from every other voxel along each axis.

    Raises:
        InputError: a tissue is missing.
    """
    step = np.array([2 if n > 64 else 1 for n in scan.shape])
    values = scan.array[tuple(slice(None, None, s) for s in step)].astype(np.float64)
    shares = tissue_shares(tissue, scan.affine @ np.diag([*step, 1.0]), values.shape)
    samples = [values[share > SURE] for share in shares]
    if min(len(sample) for sample in samples[1:]) < 50:
        raise InputError(f"Grey and white matter cannot be told apart in '{scan.name}': choose a scan of a whole brain.")
    if len(samples[0]) < 50:  # young brains have little fluid: what is darkest or brightest will be it
        samples[0] = values[shares[0] > 0.5] if (shares[0] > 0.5).any() else np.array([tissue.background])
    medians = [float(np.median(sample)) for sample in samples]
    spreads = [1.4826 * np.median(np.abs(sample - middle)) for sample, middle in zip(samples[1:], medians[1:])]
    return TissueLevels(*medians, float(np.mean(spreads)))


def tissue_shares(tissue: Tissue, affine: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
    """Shares of fluid, grey and white matter on a grid of the same scan, float32 (3, *shape); what lacks to 1 is not brain."""
    if tissue.anatomy is not None:
        return tissue.anatomy.shares_on(affine, shape)
    index = np.stack(np.meshgrid(*(np.arange(n) for n in shape), indexing="ij"), axis=-1)
    classes = tissue.classes_at(Grid(shape, affine).ras_from_ijk(index))
    return np.stack([classes == kind for kind in (FLUID, GREY, WHITE)]).astype(np.float32)


def sharpened(shares: np.ndarray, values: np.ndarray, levels: TissueLevels) -> np.ndarray:
    """The shares after a look at every voxel's brightness: the tissue model sees 2 mm, the scan the cortical ribbon.

    Bayes' rule with the shares, mixed with a fifth of their neighbourhood's mean, as priors and a normal distribution about
    each tissue's level; brain as a whole stays what it was.
    """
    whole = shares.sum(axis=0)
    prior = shares + 0.02 * whole
    width = max(levels.spread, 0.02 * levels.reach)
    distance = np.stack([(values - level) / width for level in (levels.fluid, levels.grey, levels.white)])
    posterior = prior * np.exp(-0.5 * np.minimum(distance**2, 40))
    return (posterior / np.maximum(posterior.sum(axis=0), 1e-12) * whole).astype(np.float32)


def contrast_of(scan: Scan, tissue: Tissue) -> str:
    """One of `CONTRASTS`: what the file's name says, else what its tissues say.

    White matter is brighter than grey in T1; in T2 and FLAIR it is darker,
    and fluid is the brightest in T2 and the darkest in FLAIR.
    """
    named = _IN_NAMES.get(contrast_name.named_contrast(scan.name))
    if named:
        return named
    levels = tissue_levels(scan, tissue)
    if levels.white > levels.grey:
        return "T1"
    return "T2" if levels.fluid > levels.grey else "FLAIR"


def checked_contrast(word: str) -> str:
    """One of `CONTRASTS` by its name, whatever the case and with "-" or "_" for the blank.

    Raises:
        InputError: there is no such contrast.
    """
    plain = word.strip().lower().replace("-", " ").replace("_", " ")
    for contrast in CONTRASTS:
        if plain == contrast.lower():
            return contrast
    raise InputError(f"There is no contrast '{word}': choose {', '.join(CONTRASTS[:-1])} or {CONTRASTS[-1]}.")
