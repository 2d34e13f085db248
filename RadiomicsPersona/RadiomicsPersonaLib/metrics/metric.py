"""Metric: the names, units and definitions of the comparison's numbers; nothing to import."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Metric:
    """One number of the comparison.

    Attributes:
        label: name in tables.
        unit: unit, empty for pure numbers.
        higher_is_worse: True when a larger value means a larger difference.
        formula: definition in one line.
    """

    label: str
    unit: str
    higher_is_worse: bool
    formula: str


METRICS: dict[str, Metric] = {
    "deviation": Metric("Deviation (RMSE)", "tissue SD", True, "sqrt(mean((x - y)^2)) / tissue SD"),
    "mse": Metric("MSE", "intensity^2", True, "mean((x - y)^2)"),
    "rmse": Metric("RMSE", "intensity", True, "sqrt(mean((x - y)^2))"),
    "mae": Metric("MAE", "intensity", True, "mean(|x - y|)"),
    "psnr": Metric(
        "PSNR", "dB", False, "10 log10(range^2 / MSE), range = 0.5 to 99.5 percentile of the scan outside the boxes"
    ),
    "ssim": Metric("SSIM (3-D)", "", False, "mean over the box of the 3-D SSIM map, Gaussian sigma 1.5 voxels, data range 1"),
    "ssim_challenge": Metric(
        "SSIM (challenge)", "", False, "2-D SSIM per sagittal slice of the masked images, mean over the box"
    ),
    "cosine": Metric("Cosine similarity", "", False, "x.y / (|x| |y|)"),
    "cosine_centered": Metric("Cosine, mean-centred", "", False, "cosine of x - mean(x) and y - mean(y) (Pearson's r)"),
    "ncc": Metric("Local cross-correlation", "", False, "mean over the box of the correlation in 9x9x9 windows"),
    "gradient_error": Metric("Gradient-magnitude error", "tissue SD/mm", True, "mean(||grad x| - |grad y||) / tissue SD"),
    "histogram_distance": Metric(
        "Histogram distance", "tissue SD", True, "1-Wasserstein distance of the intensities / tissue SD"
    ),
    "sd_ratio": Metric("Local-SD ratio", "", True, "mean over the box of the local SD of x over that of y (5x5x5 windows)"),
    "mean_shift": Metric("Mean shift", "tissue SD", True, "(mean(x) - mean(y)) / tissue SD; the sign says brighter or darker"),
    "intensity": Metric(
        "Mean intensity", "tissue SD", True, "(mean(x) - median of the brain) / tissue SD, from the scan alone"
    ),
    "spread": Metric("SD of intensity", "tissue SD", True, "SD of x / tissue SD, from the scan alone"),
    "peak": Metric("Peak difference", "tissue SD", True, "99th percentile of |x - y| / tissue SD after a Gaussian of 2 mm SD"),
    "regional_shift": Metric(
        "Regional shift",
        "tissue SD",
        True,
        "largest |mean(x - y)| / tissue SD in Gaussian windows of an eighth of the box's edge",
    ),
    "feature_distance": Metric("Feature distance", "", True, "mean squared distance of the encoder's unit features of x and y"),
    "asymmetry": Metric(
        "Asymmetry", "tissue SD", True, "1-Wasserstein distance of the intensities to the mirrored side's / tissue SD"
    ),
    "harmonic_residual": Metric(
        "Residual of the harmonic fill",
        "tissue SD",
        True,
        "sqrt(mean((x - h)^2)) / tissue SD, h = the box filled by Laplace's equation",
    ),
    "tissue_doubt": Metric(
        "Tissue-class entropy",
        "",
        True,
        "mean entropy of the tissue model's four probabilities over log 4, from the scan alone",
    ),
    "tissue_asymmetry": Metric(
        "Tissue asymmetry", "", True, "mean of half the sum of |tissue share - mirrored side's|, from the scan alone"
    ),
    "lesion_probability": Metric("Lesion probability", "", True, "mean of the lesion model's probability, from the scan alone"),
    "lesion_excess": Metric(
        "Lesion excess",
        "",
        True,
        "log mean of the lesion model's probability - median of the same over all places of this size in the brain",
    ),
    "lesion_peak": Metric(
        "Lesion peak",
        "log odds",
        True,
        "largest log odds of the lesion model after a Gaussian of 6 mm SD - 99th percentile of the brain outside",
    ),
    "lesion_spot": Metric(
        "Lesion spot",
        "log odds",
        True,
        "largest log odds of the lesion model after a Gaussian of 2 mm SD - 99.5th percentile of the brain outside",
    ),
    "doubt_excess": Metric(
        "Tissue-class entropy, excess",
        "",
        True,
        "log mean of the tissue-class entropy - median of the same over all places of this size",
    ),
    "asymmetry_excess": Metric(
        "Tissue asymmetry, excess",
        "",
        True,
        "log mean of the tissue asymmetry - median of the same over all places of this size",
    ),
    "brain_volume": Metric("Volume inside the head", "ml", True, "voxels of the box inside the head times their volume"),
    "outside_share": Metric("Share of no tissue", "", True, "share of these voxels that are no brain, seen without the box"),
    "fluid_share": Metric("Share of fluid", "", True, "share of these voxels that are fluid, seen without the box"),
    "grey_share": Metric("Share of grey matter", "", True, "share of these voxels that are grey matter, seen without the box"),
}

MAKE_UP = ("brain_volume", "outside_share", "fluid_share", "grey_share")
"""Metrics that say what a box is, not how it differs: scores are adjusted for them, and no verdict can rest on them."""
