"""Challenge: the scores of the BraTS inpainting challenge (local synthesis), by its own formulas.

They follow the challenge's published package (BraTS-inpainting/inpainting, challenge_metrics_2023; Kofler et al. 2023,
arXiv 2305.08992), which calls torchmetrics; here with numpy and scipy, and on a part of the scan.

The SSIM flatters small holes: it is taken on images that are zero outside the hole, and zero matches zero in every
window that reaches over the rim.
"""

from __future__ import annotations

import math

import numpy as np
from scipy import ndimage

WINDOW_RADIUS = 5
"""Voxels to either side in the SSIM's 11 x 11 window; the least margin of `challenge_metrics`."""
_SIGMA = 1.5
_EPSILON = float(np.finfo(np.float64).eps)


def challenge_limits(voided: np.ndarray) -> tuple[float, float]:
    """Intensities that become 0 and 1: the 0.5 and 99.5 percentile of all voxels, the lower one at least 0.

    Args:
        voided: the whole scan with zeros in the hole, any shape.
    """
    low, high = np.percentile(voided, [0.5, 99.5])
    return max(float(low), 0.0), float(high)


def challenge_metrics(
    prediction: np.ndarray,
    truth: np.ndarray,
    mask: np.ndarray,
    limits: tuple[float, float],
    sagittal_axis: int = 0,
) -> dict[str, float]:
    """Scores of one rebuilt hole, over the voxels of the mask.

    With p and t the prediction and the truth, zero outside the mask, clipped to the limits and scaled to [0, 1]:

    - ``ssim``: mean over the mask of the 2-D SSIM map (Wang et al. 2004, k1 .01, k2 .03), slice by slice along the
      sagittal axis, Gaussian sigma 1.5 voxels, 11 x 11, edges mirrored, data range ``max(range of p, range of t)``;
    - ``mse``: ``mean((p - t)²)``;  ``rmse``: its root;
    - ``psnr``: ``10 log10(max(t)² / mse)``, the range of the target as torchmetrics takes it (from 0);
    - ``psnr_01``: ``10 log10(1 / mse)``.

    In the two PSNR 2e-16 is added to the mean squared error, so that they stay finite (the challenge's "eps" form).

    Args:
        prediction, truth: (I, J, K) intensities: the whole scan, or the hole's region with at least `WINDOW_RADIUS`
            voxels around it wherever the scan reaches that far; the scores are the same.
        mask: boolean, same shape, at least one voxel.
        limits: from `challenge_limits`.
        sagittal_axis: the array axis that runs left to right; the first one in the challenge's files.

    >>> truth = np.arange(512.0).reshape(8, 8, 8)
    >>> mask = np.zeros((8, 8, 8), bool)
    >>> mask[2:6, 2:6, 2:6] = True
    >>> found = challenge_metrics(truth + 50.0 * mask, truth, mask, (0.0, 500.0))
    >>> round(found["rmse"], 3), round(found["psnr_01"], 1)
    (0.1, 20.0)
    """
    low, high = limits
    width = high - low if high > low else _EPSILON

    def scaled(image: np.ndarray) -> np.ndarray:
        return (np.clip(np.where(mask, image, 0).astype(np.float64), low, high) - low) / width

    p, t = scaled(prediction), scaled(truth)
    mse = float(np.mean((p[mask] - t[mask]) ** 2))
    top = float(t[mask].max())
    return {
        "ssim": _mean_ssim(p, t, mask, sagittal_axis),
        "mse": mse,
        "rmse": math.sqrt(mse),
        "psnr": 10 * math.log10(top**2 / (mse + _EPSILON)) if top > 0 else math.nan,
        "psnr_01": 10 * math.log10(1 / (mse + _EPSILON)),
    }


def _mean_ssim(p: np.ndarray, t: np.ndarray, mask: np.ndarray, sagittal_axis: int) -> float:
    data_range = max(float(np.ptp(p)), float(np.ptp(t)))
    if data_range == 0:  # two black images, or two white ones without any surroundings
        return 1.0 if np.array_equal(p, t) else math.nan
    radius = [WINDOW_RADIUS] * 3
    radius[sagittal_axis] = 0

    def blur(image: np.ndarray) -> np.ndarray:
        return ndimage.gaussian_filter(image, _SIGMA, mode="mirror", radius=radius)

    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    mean_p, mean_t = blur(p), blur(t)
    variances = np.maximum(blur(p * p) - mean_p**2, 0) + np.maximum(blur(t * t) - mean_t**2, 0)
    covariance = blur(p * t) - mean_p * mean_t
    brightness = (2 * mean_p * mean_t + c1) / (mean_p**2 + mean_t**2 + c1)
    structure = (2 * covariance + c2) / (variances + c2)
    return float((brightness * structure)[mask].mean())
