"""Noise: how strong and how smooth a scan's own noise is, and more of the same."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

_WIDTHS = (0.0, 0.35, 0.45, 0.55, 0.7, 0.9)


@dataclass(frozen=True)
class ScanNoise:
    """Noise of a scan.

    Attributes:
        deviation: standard deviation, scan intensities.
        width: of the Gaussian, voxels, that white noise went through to become alike.
    """

    deviation: float
    width: float

    def drawn(self, shape: tuple[int, int, int], rng: np.random.Generator) -> np.ndarray:
        """A field of it, float64."""
        noise = _smoothed(rng.standard_normal(shape), self.width)
        return noise * self.deviation / max(float(noise.std()), 1e-12)


def scan_noise(values: np.ndarray, homogeneous: np.ndarray) -> ScanNoise:
    """Noise in a part of a scan that is one tissue, as far as the second differences between neighbours tell.

    Second differences leave out what changes slowly; how much second differences over two voxels differ from those over one
    tells how smooth the noise is.

    Args:
        values: scan intensities, axes I, J, K.
        homogeneous: boolean; where there is one tissue only.
    """
    near, far = (_roughness(np.asarray(values, np.float64), homogeneous, step) for step in (1, 2))
    if not near > 0:
        return ScanNoise(0.0, 0.0)
    white = np.random.default_rng(0).standard_normal((40, 40, 40))
    everywhere = np.ones(white.shape, bool)
    candidates = []
    for width in _WIDTHS:
        noise = _smoothed(white, width)
        noise /= noise.std()
        ones, twos = (_roughness(noise, everywhere, step) for step in (1, 2))
        candidates.append((abs(np.log(twos / ones) - np.log(max(far / near, 1e-12))), width, near / ones))
    _, width, deviation = min(candidates)
    return ScanNoise(float(deviation), width)


def _smoothed(values: np.ndarray, width: float) -> np.ndarray:
    return ndimage.gaussian_filter(values, width) if width else values


def _roughness(values: np.ndarray, mask: np.ndarray, step: int) -> float:
    """Robust standard deviation of the second differences within a mask, over the axes; 0 where none lies within."""
    found = []
    for axis in range(3):
        v, m = np.moveaxis(values, axis, 0), np.moveaxis(mask, axis, 0)
        within = m[: -2 * step] & m[step:-step] & m[2 * step :]
        second = (v[: -2 * step] - 2 * v[step:-step] + v[2 * step :])[within]
        if second.size >= 50:
            found.append(1.4826 * np.median(np.abs(second - np.median(second))))
    return float(np.median(found)) if found else 0.0
