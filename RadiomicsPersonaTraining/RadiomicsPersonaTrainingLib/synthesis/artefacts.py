"""Artefacts: what happens to heads in clinics: faces taken off, fields of view that end early, lesions, brain extraction."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from RadiomicsPersonaLib.imaging.random_field import smooth_field

from .label_map import TISSUE_OF_CODE, code_of


def deface(codes: np.ndarray, grid, rng: np.random.Generator) -> None:
    """Take off what lies beyond a plane in front of and below the brain."""
    angle = np.deg2rad(rng.uniform(10, 60))
    height = np.float32(np.cos(angle)) * grid[1] - np.float32(np.sin(angle)) * grid[2] + 0 * grid[0]
    brain = TISSUE_OF_CODE[codes] > 0
    if brain.any():
        codes[height > height[brain].max() + rng.uniform(3, 40)] = 0


def cut(codes: np.ndarray, rng: np.random.Generator) -> None:
    """End the field of view below: mostly under the brain, now and then in it; and sometimes above."""
    levels = np.flatnonzero((TISSUE_OF_CODE[codes] > 0).any(axis=(0, 1)))
    if levels.size == 0:
        return
    depth = np.ptp(levels)
    codes[:, :, : max(0, levels[0] + int(rng.uniform(-0.4, 0.25) * depth))] = 0
    if rng.random() < 0.3:
        codes[:, :, levels[-1] + int(rng.uniform(-0.2, 0.05) * depth) :] = 0


def add_lesions(image: np.ndarray, codes: np.ndarray, rng: np.random.Generator, spacing: float) -> None:
    """Blobs and boxes of another brightness, in brain and the fluid around it."""
    inside = (TISSUE_OF_CODE[codes] > 0) | (codes == code_of("fluid outside the brain's outline"))
    places = np.flatnonzero(TISSUE_OF_CODE[codes] > 0)
    if places.size == 0:
        return
    for _ in range(rng.integers(1, 4)):
        center = np.unravel_index(places[rng.integers(places.size)], codes.shape)
        radius = np.exp(rng.uniform(np.log(4), np.log(35))) / spacing
        region = tuple(
            slice(max(0, int(c - 1.5 * radius)), min(n, int(c + 1.5 * radius) + 2)) for c, n in zip(center, codes.shape)
        )
        offsets = np.ogrid[region]
        axes = radius * np.exp(rng.normal(0, 0.25, 3))
        parts = [np.abs(o - c) / a for o, c, a in zip(offsets, center, axes)]
        if rng.random() < 0.25:
            distance = np.maximum(np.maximum(parts[0], parts[1]), parts[2])
        else:
            distance = np.sqrt(sum(part**2 for part in parts))
            distance = distance + 0.3 * smooth_field(rng, distance.shape, spacing, max(8.0, radius * spacing / 2))[0]
        known = image[region][inside[region]]
        level = rng.uniform(0, 1) if rng.random() < 0.5 else np.median(known) + rng.normal(0, 0.05)
        share = rng.uniform(0.4, 1)
        changed = image[region] * (1 - share) + share * level
        if rng.random() < 0.3:
            changed = np.where(distance < rng.uniform(0.4, 0.8), rng.uniform(0, 1), changed)
        image[region] = np.where((distance < 1) & inside[region], changed, image[region])


def extract(image: np.ndarray, codes: np.ndarray, rng: np.random.Generator, spacing: float, air: float) -> None:
    """Leave the brain with a rim of random width, as tools for brain extraction do; what is left out becomes air."""
    width = rng.uniform(1.5, 5) / spacing
    soft = ndimage.gaussian_filter((TISSUE_OF_CODE[codes] > 0).astype(np.float32), width, truncate=2)
    soft += np.float32(0.05) * smooth_field(rng, codes.shape, spacing, 24.0)[0]
    image[soft < rng.uniform(0.1, 0.4)] = air
