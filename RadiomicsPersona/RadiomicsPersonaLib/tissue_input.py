"""Tissue input: what the tissue model is shown of a scan; the same function at training and at use."""

from __future__ import annotations

import numpy as np

BRIGHTEST = 1.5
"""Where scaled intensities are cut."""


def tissue_input(values: np.ndarray) -> np.ndarray:
    """Intensities scaled so that air is near 0 and bright tissue near 1, whatever the contrast and whether the head is whole.

    Zero is the 1st percentile of all voxels; one is the 99th of those that exceed a tenth of the range, so that the
    share of air does not matter.

    Args:
        values: a resampled scan, any shape.
    Returns:
        float32 of the same shape, 0 to `BRIGHTEST`; all 0 where the scan is constant.
    """
    sample = values.ravel()[:: max(1, values.size // 200_000)]
    low, top = np.percentile(sample, [1, 99.9])
    if top <= low:
        return np.zeros(values.shape, np.float32)
    high = np.percentile(sample[sample > low + 0.1 * (top - low)], 99)
    return np.clip((values - np.float32(low)) / np.float32(high - low), 0, BRIGHTEST).astype(np.float32)
