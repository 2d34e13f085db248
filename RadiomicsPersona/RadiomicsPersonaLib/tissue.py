"""Tissue: where the brain is, how bright its tissues are, and the scale that follows from them.

Everything is estimated on a 4 mm overview of the scan with the boxes taken out, so that what lies inside a box
cannot set the scale it is judged by.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import ndimage

from .errors import InputError
from .hole import Hole
from .patch import PatchGrid, patch_grid
from .scan import Scan

OVERVIEW_SIZE = 64
OVERVIEW_SPACING = 4.0
SMALLEST_HEAD = 100.0
"""Millimetres; a scan smaller than this has a wrong spacing, or shows a part of a brain."""
BRAIN_HEIGHT = 35
"""Overview voxels below the vertex beyond which nothing is brain."""
NOT_BRAIN, FLUID, GREY, WHITE = range(4)
"""Tissue classes."""


@dataclass(frozen=True)
class IntensityScale:
    """Scan intensities to tissue units: 0 is the median of brain tissue, 1 its robust standard deviation.

    The deviation is (90th - 10th percentile) / 2.563, which is the standard deviation for a normal distribution.
    """

    center: float
    deviation: float

    def to_tissue(self, values: np.ndarray) -> np.ndarray:
        """Intensities to tissue units."""
        return (values - np.float32(self.center)) / np.float32(self.deviation)

    def to_scan(self, values: np.ndarray) -> np.ndarray:
        """Tissue units to intensities."""
        return values * np.float32(self.deviation) + np.float32(self.center)


@dataclass(frozen=True, eq=False)
class Tissue:
    """The tissue of one scan.

    Attributes:
        grid: the overview's geometry (64 voxels an axis, 4 mm or as much as covers the scan).
        values: overview in scan intensities, float32, axes nearly R, A, S; smooth guesses inside the boxes.
        known: boolean, False inside the boxes.
        brain: boolean, brain tissue including ventricles.
        thresholds: two intensities between the three classes dark, middle and bright of the brain.
        scale: the intensity scale.
        background: intensity of air.
    """

    grid: PatchGrid
    values: np.ndarray
    known: np.ndarray
    brain: np.ndarray
    thresholds: tuple[float, float]
    scale: IntensityScale
    background: float

    @property
    def brain_ml(self) -> float:
        """Volume of the brain mask in millilitres."""
        return float(self.brain.sum() * abs(np.linalg.det(self.grid.affine[:3, :3])) / 1000)

    def classes_at(self, points: np.ndarray) -> np.ndarray:
        """Tissue class at RAS points (..., 3): 0 outside the brain, 1 dark, 2 middle, 3 bright."""
        inverse = np.linalg.inv(self.grid.affine)
        index = np.rint(points @ inverse[:3, :3].T + inverse[:3, 3]).astype(int)
        inside = ((index >= 0) & (index < self.grid.size)).all(axis=-1)
        i, j, k = np.clip(index, 0, self.grid.size - 1).reshape(-1, 3).T
        return np.where(inside, self._classes[i, j, k].reshape(inside.shape), 0)

    @cached_property
    def _classes(self) -> np.ndarray:
        return np.where(self.brain, 1 + np.digitize(self.values, self.thresholds), 0).astype(np.int8)


def estimate_tissue(scan: Scan, hidden: Hole | None = None) -> Tissue:
    """Find the brain and its intensities, looking at nothing inside `hidden`.

    The brain is the largest piece of the head's tissue that survives an erosion, grown back: it works on whole heads,
    where dark bone parts brain from scalp, and on brain-extracted scans alike, in any contrast with dark bone.

    Raises:
        InputError: nothing like a head is in the scan.
    """
    extent = scan.spacing * np.array(scan.shape)
    # a spacing that cannot be a head's is taken for a wrong one: then voxels, not millimetres, tell what is in the scan
    plausible = SMALLEST_HEAD <= extent.max() <= OVERVIEW_SPACING * OVERVIEW_SIZE
    spacing = OVERVIEW_SPACING if plausible else float(extent.max()) / OVERVIEW_SIZE
    middle = scan.ras_from_ijk((np.array(scan.shape) - 1) / 2)
    grid = patch_grid(scan, middle, spacing, OVERVIEW_SIZE)
    background = _background(scan, hidden)
    values, share = grid.from_scan(scan.array, hidden, outside=background)
    known = share >= 0.5
    if not known.all():
        values = _fill_by_diffusion(values, known)
    brain = _brain_mask(values - background)
    # a mask of brain without its rim, where partial volume with air and bone lies
    core = ndimage.binary_erosion(brain, iterations=1) & known
    sample = values[core]
    if sample.size < 200 or sample.max() == sample.min():
        raise InputError(
            f"'{scan.name}' shows nothing like a brain outside the box: choose a brain MRI and a box smaller than the brain."
        )
    low, median, high = np.percentile(sample, [10, 50, 90])
    deviation = max((high - low) / 2.563, 1e-3 * abs(median - background), 1e-12)
    return Tissue(grid, values, known, brain, _three_classes(sample), IntensityScale(float(median), float(deviation)), background)


def _background(scan: Scan, hidden: Hole | None) -> float:
    every = tuple(slice(None, None, max(1, n // 64)) for n in scan.shape)
    sample = scan.array[every]
    if hidden is not None:
        sample = sample[~hidden.full_mask(scan.shape)[every]]
    return float(np.percentile(sample, 1))


def _fill_by_diffusion(values: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Nearest known value, smoothed inside the unknown region."""
    nearest = ndimage.distance_transform_edt(~known, return_distances=False, return_indices=True)
    filled = values[tuple(nearest)]
    for _ in range(30):
        filled = np.where(known, values, ndimage.uniform_filter(filled, 3))
    return filled.astype(np.float32)


def _brain_mask(values: np.ndarray) -> np.ndarray:
    """The brain in an overview whose voxels are near 4 mm."""
    from skimage.filters import threshold_otsu

    positive = values[values > 0]
    if positive.size < 200:
        raise InputError("The scan is almost all air: choose a brain MRI.")
    top = np.percentile(positive, 99)
    head = values > 0.6 * threshold_otsu(np.clip(values, 0, top))
    head = _largest(ndimage.binary_opening(head))
    if not head.any():
        raise InputError("The scan shows nothing like a head: choose a brain MRI.")
    levels = np.flatnonzero(head.sum(axis=(0, 1)) > 93)
    if levels.size:
        low = levels[-1] - BRAIN_HEIGHT
        if low > 0:
            head[:, :, :low] = False
    # deep tissue sets the threshold that parts brain from bone
    depth = ndimage.distance_transform_edt(ndimage.binary_fill_holes(head))
    deep = values[(depth > min(5.0, 0.5 * depth.max()))]
    tissue = head & (values > 0.35 * np.median(deep))
    seed = _largest(ndimage.binary_erosion(tissue, iterations=2), weight=depth)
    brain = ndimage.binary_dilation(seed, iterations=2, mask=tissue) if seed.any() else tissue
    brain = ndimage.binary_closing(np.pad(brain, 4), iterations=3)[4:-4, 4:-4, 4:-4]
    return _fill_each_slice(brain)


def _fill_each_slice(mask: np.ndarray) -> np.ndarray:
    filled = ndimage.binary_fill_holes(mask)
    return np.stack([ndimage.binary_fill_holes(filled[:, :, k]) for k in range(mask.shape[2])], axis=2)


def _largest(mask: np.ndarray, weight: np.ndarray | None = None) -> np.ndarray:
    labels, count = ndimage.label(mask)
    if count <= 1:
        return mask
    sizes = np.bincount(labels.ravel(), None if weight is None else weight.ravel())
    sizes[0] = 0
    return labels == sizes.argmax()


def _three_classes(sample: np.ndarray) -> tuple[float, float]:
    from skimage.filters import threshold_multiotsu

    low, high = np.percentile(sample, [0.5, 99.5])
    clipped = np.clip(sample, low, high)
    try:
        return tuple(float(t) for t in threshold_multiotsu(clipped, classes=3, nbins=64))
    except ValueError:  # fewer than three distinct values
        return tuple(float(t) for t in np.percentile(sample, [33, 67]))
