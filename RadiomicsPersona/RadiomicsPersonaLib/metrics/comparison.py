"""Comparison: how a box's original differs from its healthy persona, inside the box only."""

from __future__ import annotations

import math

import numpy as np
from scipy import ndimage

from ..brain.tissue import IntensityScale
from .challenge import challenge_metrics

CONTEXT = 8
"""Voxels around the box that windowed metrics may look at."""


def compare(
    original: np.ndarray,
    rebuilt: np.ndarray,
    mask: np.ndarray,
    spacing: np.ndarray,
    scale: IntensityScale,
    intensity_range: tuple[float, float],
    sagittal_axis: int = 0,
    mirrored: np.ndarray | None = None,
) -> dict[str, float]:
    """All metrics of `metric.METRICS`, over the voxels of the mask.

    Args:
        original, rebuilt: (I, J, K) intensities over the box's region with some context; equal outside the mask.
        mask: boolean, same shape; the scored voxels.
        spacing: millimetres along I, J, K.
        scale: the scan's tissue scale.
        intensity_range: 0.5 and 99.5 percentile of the scan outside the boxes, to map intensities onto [0, 1].
        sagittal_axis: the array axis that runs left to right.
        mirrored: (I, J, K) intensities of the mirrored side, NaN where they may not be looked at; None for not at all.
    Returns:
        A number for every key of `metric.METRICS`. The asymmetry is NaN where less than half of the mirrored side is known, and
        the feature distance always: see `feature_distance`.
    Sources: SSIM Wang et al. 2004 (constants .01, .03); challenge's form, see `challenge`; local cross-correlation
    Avants et al. 2008; Wasserstein distance of empirical distributions, Ramdas et al. 2017.

    >>> original = np.arange(512.0).reshape(8, 8, 8)
    >>> mask = np.zeros((8, 8, 8), bool)
    >>> mask[2:6, 2:6, 2:6] = True
    >>> rebuilt = original - 30.0 * mask
    >>> found = compare(original, rebuilt, mask, np.ones(3), IntensityScale(center=250.0, deviation=60.0), (0.0, 511.0))
    >>> [round(found[key], 2) for key in ("deviation", "mae", "mean_shift")]
    [0.5, 30.0, 0.5]
    """
    original = np.asarray(original, np.float64)
    rebuilt = np.asarray(rebuilt, np.float64)
    x, y = original[mask], rebuilt[mask]
    error = x - y
    mse = float(np.mean(error**2))
    low, high = intensity_range
    width = high - low if high > low else 1.0
    unit_x, unit_y = ((a - low) / width for a in (original, rebuilt))
    steps = [float(s) for s in spacing]
    gradients = [_gradient_magnitude(a, steps)[mask] for a in (original, rebuilt)]
    mean_local, sd_ratio = _local_statistics(unit_x, unit_y, mask)
    return {
        "deviation": float(np.sqrt(mse) / scale.deviation),
        "mse": mse,
        "rmse": float(np.sqrt(mse)),
        "mae": float(np.mean(np.abs(error))),
        "psnr": float(10 * np.log10(width**2 / max(mse, 1e-12 * width**2))),
        "ssim": float(_ssim_map(unit_x, unit_y)[mask].mean()),
        "ssim_challenge": challenge_metrics(rebuilt, original, mask, (max(low, 0.0), high), sagittal_axis)["ssim"],
        "cosine": _cosine(x, y),
        "cosine_centered": _cosine(x - x.mean(), y - y.mean()),
        "ncc": mean_local,
        "gradient_error": float(np.mean(np.abs(gradients[0] - gradients[1])) / scale.deviation),
        "histogram_distance": float(np.mean(np.abs(np.sort(x) - np.sort(y))) / scale.deviation),
        "sd_ratio": sd_ratio,
        "mean_shift": float(np.mean(error) / scale.deviation),
        "intensity": float((x.mean() - scale.center) / scale.deviation),
        "spread": float(x.std() / scale.deviation),
        "peak": _peak(original - rebuilt, mask, steps) / scale.deviation,
        "regional_shift": _regional_shift(original - rebuilt, mask, steps) / scale.deviation,
        "feature_distance": math.nan,
        "asymmetry": math.nan if mirrored is None else _asymmetry(x, mirrored[mask], scale),
        "harmonic_residual": math.nan,
        "tissue_doubt": math.nan,
        "tissue_asymmetry": math.nan,
        "lesion_probability": math.nan,
        "lesion_excess": math.nan,
        "lesion_peak": math.nan,
        "lesion_spot": math.nan,
        "doubt_excess": math.nan,
        "asymmetry_excess": math.nan,
        "brain_volume": math.nan,
        "outside_share": math.nan,
        "fluid_share": math.nan,
        "grey_share": math.nan,
    }


def _peak(difference: np.ndarray, mask: np.ndarray, spacing: list[float]) -> float:
    """How far the box is off where it is off most: of the smooth differences, which are 0 outside the box,
    the 99th percentile.
    """
    smooth = ndimage.gaussian_filter(difference, 2.0 / np.array(spacing))
    return float(np.percentile(np.abs(smooth[mask]), 99))


def _regional_shift(difference: np.ndarray, mask: np.ndarray, spacing: list[float]) -> float:
    """The largest local mean of the difference, over voxels of the box alone (normalised convolution,
    Knutsson and Westin 1993).
    """
    sigma = (mask.sum() * np.prod(spacing)) ** (1 / 3) / 8 / np.array(spacing)
    weight, sums = (
        ndimage.gaussian_filter(a.astype(np.float32), sigma, truncate=2, mode="constant")
        for a in (mask, np.where(mask, difference, 0))
    )
    return float(np.abs(sums[mask] / weight[mask]).max())


def _asymmetry(x: np.ndarray, opposite: np.ndarray, scale: IntensityScale) -> float:
    """Distance of the two sides' intensities, of which the mirrored side may be known in part; see `compare`."""
    known = np.isfinite(opposite)
    if known.mean() < 0.5:
        return math.nan
    return _wasserstein(x, opposite[known]) / scale.deviation


def _wasserstein(x: np.ndarray, y: np.ndarray) -> float:
    """1-Wasserstein distance of two samples, as `scipy.stats.wasserstein_distance`, which takes half a second to import."""
    x, y = np.sort(x), np.sort(y)
    every = np.sort(np.concatenate([x, y]))
    shares = [np.searchsorted(a, every[:-1], "right") / len(a) for a in (x, y)]
    return float(np.abs(shares[0] - shares[1]) @ np.diff(every))


def _ssim_map(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """3-D SSIM of every voxel for data range 1; Gaussian sigma 1.5, windows of radius 5 voxels."""
    c1, c2 = 0.01**2, 0.03**2

    def blur(a: np.ndarray) -> np.ndarray:
        return ndimage.gaussian_filter(a.astype(np.float32), 1.5, radius=5)

    mean_x, mean_y = blur(x), blur(y)
    var_x = blur(x * x) - mean_x**2
    var_y = blur(y * y) - mean_y**2
    cov = blur(x * y) - mean_x * mean_y
    return ((2 * mean_x * mean_y + c1) * (2 * cov + c2)) / ((mean_x**2 + mean_y**2 + c1) * (var_x + var_y + c2))


def _local_statistics(x: np.ndarray, y: np.ndarray, mask: np.ndarray) -> tuple[float, float]:
    """Mean local correlation in windows of 9 voxels, and mean ratio of local SDs in windows of 5 voxels."""
    x, y = x.astype(np.float32), y.astype(np.float32)

    def moments(size: int):
        blur = lambda a: ndimage.uniform_filter(a, size)  # noqa: E731
        mean_x, mean_y = blur(x), blur(y)
        return (
            np.maximum(blur(x * x) - mean_x**2, 0)[mask],
            np.maximum(blur(y * y) - mean_y**2, 0)[mask],
            (blur(x * y) - mean_x * mean_y)[mask],
        )

    floor = 1e-5
    var_x, var_y, cov = moments(9)
    correlation = cov / np.sqrt((var_x + floor) * (var_y + floor))
    var_x, var_y, _ = moments(5)
    ratio = np.sqrt((var_x + floor) / (var_y + floor))
    return float(correlation.mean()), float(ratio.mean())


def _gradient_magnitude(array: np.ndarray, spacing: list[float]) -> np.ndarray:
    return np.sqrt(sum(g**2 for g in np.gradient(array, *spacing)))


def _cosine(x: np.ndarray, y: np.ndarray) -> float:
    """Cosine of the angle between two vectors; 1 when both are zero, 0 when one is."""
    norms = float(np.linalg.norm(x) * np.linalg.norm(y))
    if norms == 0:
        return float(not x.any() and not y.any())
    return float(np.clip(x @ y / norms, -1, 1))
