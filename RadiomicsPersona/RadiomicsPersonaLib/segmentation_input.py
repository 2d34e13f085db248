"""Segmentation input: what a segmenting network is shown of a scan; the same function at training and at use."""

from __future__ import annotations

import numpy as np

FARTHEST = 5.0
"""Standard deviations at which intensities are cut."""
EXTRACTED = 0.25
"""Share of voxels that are exactly 0 from which on a scan counts as cut out (brain-extracted)."""


def segmentation_input(values: np.ndarray) -> np.ndarray:
    """Intensities as standard scores of the scan, or of what is not 0 where a quarter or more of it is (Isensee et al. 2021).

    Mean and deviation are taken between the 0.5th and the 99.5th percentile, so that a few bright voxels do not matter.
    What was cut out stays 0.

    Args:
        values: a scan, any shape.
    Returns:
        float32 of the same shape, -`FARTHEST` to `FARTHEST`; all 0 where the scan is constant.
    """
    values = np.asarray(values, np.float32)
    seen = values != 0
    if seen.mean() > 1 - EXTRACTED:
        seen = np.ones(values.shape, bool)
    inside = values[seen]
    low, high = np.percentile(inside, [0.5, 99.5]) if inside.size else (0.0, 0.0)
    middle = inside[(inside >= low) & (inside <= high)].astype(np.float64)
    if not middle.size or middle.std() == 0:
        return np.zeros(values.shape, np.float32)
    scores = (values - np.float32(middle.mean())) / np.float32(middle.std())
    return np.where(seen, np.clip(scores, -FARTHEST, FARTHEST), np.float32(0))
