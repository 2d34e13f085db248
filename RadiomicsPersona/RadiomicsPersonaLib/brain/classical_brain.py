"""Classical brain: brain and tissues by thresholds, for where the tissue model cannot run or sees no brain.

It needs nothing that Slicer does not bring, so that it works there before anything was installed.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from ..errors import InputError

BRAIN_HEIGHT = 35
"""Overview voxels below the vertex beyond which nothing is brain."""


def classical_brain(values: np.ndarray) -> np.ndarray:
    """The brain in an overview whose voxels are near 4 mm and whose air is near 0.

    The brain is the largest piece of the head's tissue that survives an erosion, grown back: it works on whole heads,
    where dark bone parts brain from scalp, and on brain-extracted scans alike, in any contrast with dark bone.

    Raises:
        InputError: nothing like a head is in the scan.
    """
    positive = values[values > 0]
    if positive.size < 200:
        raise InputError("The scan is almost all air: choose a brain MRI.")
    top = np.percentile(positive, 99)
    head = values > 0.6 * otsu_thresholds(np.clip(values, 0, top), 2, 256)[0]
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


def three_classes(sample: np.ndarray) -> tuple[float, float]:
    """Two thresholds that part brain intensities into dark, middle and bright (Otsu 1979)."""
    low, high = np.percentile(sample, [0.5, 99.5])
    clipped = np.clip(sample, low, high)
    thresholds = otsu_thresholds(clipped, 3, 64)
    return thresholds or tuple(float(t) for t in np.percentile(sample, [33, 67]))


def otsu_thresholds(values: np.ndarray, classes: int, bins: int) -> tuple[float, ...]:
    """The thresholds that part values into classes of the least variance: centres of the classes' last bins (Otsu 1979).

    Returns:
        `classes` - 1 thresholds; none where there are fewer distinct values than classes.
    """
    counts, edges = np.histogram(values, bins)
    if np.count_nonzero(counts) < classes:
        return ()
    centers = (edges[:-1] + edges[1:]) / 2
    mass, moment = (np.concatenate([[0], np.cumsum(part)]) for part in (counts, counts * centers))
    low, high = np.triu_indices(bins + 1, 1)
    table = np.full((bins + 1, bins + 1), -np.inf)
    # for a class from bin `low` up to, but not with, `high`: mass times squared mean
    weight = np.maximum(mass[high] - mass[low], 1e-12)
    table[low, high] = np.where(mass[high] > mass[low], (moment[high] - moment[low]) ** 2 / weight, -np.inf)
    best, ends = table[0], []
    for _ in range(classes - 1):
        sums = best[:, None] + table
        ends.append(sums.argmax(axis=0))
        best = sums.max(axis=0)
    thresholds, end = [], bins
    for last in reversed(ends):
        end = last[end]
        thresholds.append(float(centers[end - 1]))
    return tuple(thresholds[::-1])
