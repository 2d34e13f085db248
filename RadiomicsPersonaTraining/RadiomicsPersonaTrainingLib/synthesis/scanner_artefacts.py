"""Scanner artefacts: what goes wrong in a scanner and is no disease: ghosts, motion, spikes, fold-over, shading and noise."""

from __future__ import annotations

import numpy as np
from scipy import fft

from RadiomicsPersonaLib.imaging.random_field import smooth_field

KINDS = ("ghosts", "motion", "spikes", "fold-over", "shading", "noise")
SECOND = 0.3
"""Chance of a second kind beside the first."""


def add_artefacts(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """An image with one artefact or two, on the voxels that it was acquired with.

    Args:
        image: magnitudes, 0 to about 1, float32.
    """
    for kind in rng.choice(KINDS, size=2 if rng.random() < SECOND else 1, replace=False):
        image = _ADDED[str(kind)](image, rng)
    return image.astype(np.float32, copy=False)


def ghosts(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Faint copies along the phase axis, as a pulse or a periodic movement leaves them."""
    axis, copies = int(rng.integers(3)), int(rng.integers(2, 6))
    strength, sign = np.float32(rng.uniform(0.03, 0.3)), rng.choice([-1.0, 1.0])
    step = image.shape[axis] // copies
    added = sum(np.roll(image, number * step, axis) * np.float32(sign**number) for number in (-1, 1))
    return np.abs(image + strength * added)


def motion(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Lines of k-space that were taken while the head lay elsewhere; those of its middle come from where it lies."""
    axis = int(rng.integers(3))
    lines = fft.fft(image, axis=axis)
    count = image.shape[axis]
    frequency = np.abs(fft.fftfreq(count) * count)
    for _ in range(rng.integers(1, 4)):
        shift = np.rint(rng.normal(0, 2.5, 3)).astype(int)
        first = rng.uniform(0.03, 0.35) * count
        taken = (frequency >= first) & (frequency < first + rng.uniform(0.05, 0.3) * count)
        if rng.random() < 0.5:  # on one side of the middle only
            taken &= fft.fftfreq(count) > 0
        moved = fft.fft(np.roll(image, tuple(shift), (0, 1, 2)), axis=axis)
        where = tuple(taken if a == axis else slice(None) for a in range(3))
        lines[where] = moved[where]
    return np.abs(fft.ifft(lines, axis=axis)).astype(np.float32)


def spikes(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Stripes through the whole volume, each from one point of k-space that holds a spark."""
    image = image.copy()
    for _ in range(rng.integers(1, 4)):
        waves = [np.exp(2j * np.pi * rng.uniform(-0.35, 0.35) * np.arange(n)) for n in image.shape]
        waves = [wave.astype(np.complex64) for wave in waves]
        phase = np.complex64(np.exp(2j * np.pi * rng.uniform()) * rng.uniform(0.02, 0.12))
        image += np.real(phase * waves[0][:, None, None] * waves[1][None, :, None] * waves[2][None, None, :])
    return np.abs(image)


def fold_over(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """What lies beyond one end of the field of view appears at the other."""
    axis = int(rng.integers(2))  # right-left or front-back
    width = int(rng.uniform(0.1, 0.35) * image.shape[axis])
    ends = (slice(0, width), slice(image.shape[axis] - width, None))
    source, target = ends if rng.random() < 0.5 else ends[::-1]
    strength = np.float32(rng.uniform(0.2, 0.8))
    # the head itself stands in for the shoulder or the nose that would be there: its own half, set against the border
    shifted = np.roll(image, image.shape[axis] // 2, axis)
    image = image.copy()
    where = tuple(target if a == axis else slice(None) for a in range(3))
    image[where] += strength * shifted[where]
    return image


def shading(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A strong bias field, as near a surface coil."""
    field = smooth_field(rng, image.shape, 1.0, max(image.shape) * rng.uniform(0.35, 0.8))[0]
    return image * np.exp(np.float32(rng.uniform(0.3, 0.7)) * field)


def noise(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Noise of a tenth of the brightest tissue or more."""
    return np.abs(image + rng.standard_normal(image.shape, dtype=np.float32) * np.float32(rng.uniform(0.06, 0.15)))


_ADDED = dict(zip(KINDS, (ghosts, motion, spikes, fold_over, shading, noise)))
