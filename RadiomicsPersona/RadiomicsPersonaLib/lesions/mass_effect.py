"""Mass effect: a smooth, invertible displacement of the tissue around a growing mass."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

SQUARINGS = 6
COARSENESS = 2.0
"""Millimetres of the grid on which the flow is computed: it is smooth, and a coarse grid is quick."""
LEAST_JACOBIAN = 0.15
"""Least local change of volume that is allowed; above 0 the deformation can be undone."""


def displacement_around(mass: np.ndarray, held: np.ndarray, spacing: np.ndarray, push: float, reach: float) -> np.ndarray:
    """How far from every voxel its tissue came, in voxels, float32 (3, *shape); 0 beyond `reach` of the mass.

    A velocity points away from the mass and dies out towards what is held; its flow over a unit of time, by scaling and
    squaring (Arsigny et al. 2006, MICCAI 924-931), is a diffeomorphism. Should the discrete one fold anywhere, the push is
    lessened.

    Args:
        mass: boolean; what grew.
        held: 0 to 1, how freely tissue moves: 0 at the skull.
        spacing: millimetres.
        push: millimetres that tissue at the mass's border has moved.
        reach: millimetres from the border at which nothing moves any more.
    """
    outside = ndimage.distance_transform_edt(~mass, sampling=spacing)
    inside = ndimage.distance_transform_edt(mass, sampling=spacing)
    step = np.maximum(1, np.floor(COARSENESS / spacing + 1e-6)).astype(int)
    every = tuple(slice(None, None, n) for n in step)
    coarse = spacing * step
    signed = ndimage.gaussian_filter(outside - inside, 3.0 / spacing)[every]
    direction = np.stack(np.gradient(signed, *coarse))
    direction /= np.maximum(np.linalg.norm(direction, axis=0), 0.5)
    fading = np.where(mass, np.clip(1 - inside / max(float(inside.max()), 1e-6), 0, 1), np.clip(1 - outside / reach, 0, 1) ** 2)
    fading = ndimage.gaussian_filter(fading * held, 2.0 / spacing) * (outside < reach)
    unit = direction * fading[every] / np.reshape(coarse, (3, 1, 1, 1))
    at = np.indices(mass.shape, dtype=np.float32) / np.reshape(step, (3, 1, 1, 1)).astype(np.float32)
    still = (fading == 0) | (held == 0)
    while True:
        backward = _flow(-push * unit)
        fine = np.stack([n * ndimage.map_coordinates(part, at, order=1, mode="nearest") for n, part in zip(step, backward)])
        fine[:, still] = 0
        if jacobian(fine).min() > LEAST_JACOBIAN:
            return fine.astype(np.float32)
        push *= 0.8


def _flow(velocity: np.ndarray) -> np.ndarray:
    """Displacement after a unit of time along a velocity that does not change."""
    index = np.indices(velocity.shape[1:], dtype=np.float64)
    moved = velocity / 2**SQUARINGS
    for _ in range(SQUARINGS):
        moved = moved + np.stack([ndimage.map_coordinates(part, index + moved, order=1, mode="nearest") for part in moved])
    return moved


def jacobian(displacement: np.ndarray) -> np.ndarray:
    """Determinant of the map x -> x + displacement, by central differences; displacement in voxels, (3, *shape)."""
    gradient = np.stack([np.stack(np.gradient(part)) for part in displacement])
    matrix = np.moveaxis(gradient, (0, 1), (-2, -1)) + np.eye(3)
    return np.linalg.det(matrix)


def warped(values: np.ndarray, displacement: np.ndarray) -> np.ndarray:
    """Values as they look once everything has come from where the displacement says; cubic interpolation."""
    index = np.indices(values.shape, dtype=np.float64) + displacement
    return ndimage.map_coordinates(values, index, order=3, mode="nearest")
