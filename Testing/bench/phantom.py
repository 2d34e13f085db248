"""A synthetic head: small, quick to make, and enough like a T1-weighted scan for the analysis to run on it."""

from __future__ import annotations

from functools import cache
from itertools import product

import numpy as np
from scipy import ndimage

from RadiomicsPersonaLib.imaging.scan import Scan, make_scan

HEAD_EXTENT = np.array([180.0, 220.0, 180.0])
"""Millimetres along right, anterior, superior that every phantom covers."""

AIR, SCALP, SKULL, CSF, GREY, WHITE = 0.0, 520.0, 70.0, 160.0, 400.0, 600.0

_LATTICE = 4.0


def make_head(spacing=2.0, affine: np.ndarray | None = None, seed: int = 0) -> Scan:
    """A head with scalp, dark skull, ventricles, and folded grey and white matter, nearly left-right symmetric; made
    once, then copied.

    The head stands upright in RAS whatever the voxel grid is, with its midplane at the grid's middle. 90 x 110 x 90
    voxels at the default spacing.

    Args:
        spacing: millimetres, one number or three along I, J, K; used when no affine is given (then axes are R, A, S
            and the middle of the grid is RAS 0, 0, 0).
        affine: 4x4 IJK-to-RAS; the number of voxels follows so that the head is covered.
        seed: another seed, another head.
    """
    if affine is None:
        affine = np.diag([*np.broadcast_to(np.asarray(spacing, float), 3), 1.0])
        shape = np.ceil(HEAD_EXTENT / np.diag(affine)[:3]).astype(int)
        affine[:3, 3] = -affine[:3, :3] @ ((shape - 1) / 2)
    else:
        affine = np.array(affine, float)
        corners = np.array(list(product((-0.5, 0.5), repeat=3))) * HEAD_EXTENT
        reach = corners @ np.linalg.inv(affine[:3, :3]).T
        shape = np.ceil(np.ptp(reach, axis=0) - 1e-6).astype(int)
    return make_scan(_array(tuple(shape.tolist()), affine[:3, :3].tobytes(), seed).copy(), affine, f"head{seed}")


def with_dark_blob(head: Scan, center: np.ndarray) -> Scan:
    """The head with an ellipsoid of half axes 9, 10 and 8 mm around a RAS point as dark as a quarter of what was there."""
    index = np.stack(np.meshgrid(*map(np.arange, head.shape), indexing="ij"), axis=-1)
    distance = np.linalg.norm((head.ras_from_ijk(index) - center) / [9, 10, 8], axis=-1)
    return make_scan(np.where(distance < 1, 0.25 * head.array, head.array), head.affine, "sick")


@cache
def _array(shape: tuple[int, int, int], axes: bytes, seed: int) -> np.ndarray:
    """The head on a grid of these axes (3x3, float64) around its middle."""
    index = np.indices(shape).reshape(3, -1).T - (np.array(shape) - 1) / 2
    points = index @ np.frombuffer(axes).reshape(3, 3).T
    array = _intensity(points, np.random.default_rng(seed)).reshape(shape)
    return ndimage.gaussian_filter(array, 0.5).astype(np.float32)


def _intensity(points: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Intensity at points (n, 3), millimetres from the middle of the head."""
    folds, shade, grain = (_texture(points, width, random) for width in (7.0, 14.0, 3.0))
    brain = _radius(points, (0, 0, 10), (66, 82, 62))
    values = np.full(len(points), AIR)
    values[_radius(points, (0, 0, 8), (84, 102, 78)) < 1] = SCALP
    values[_radius(points, (0, 0, 8), (77, 94, 72)) < 1] = SKULL
    values[_radius(points, (0, 0, 10), (69, 85, 65)) < 1] = CSF
    values[brain < 1 - 0.04 * np.maximum(folds, 0)] = GREY
    values[brain < 0.78 + 0.09 * folds] = WHITE
    # deep grey matter and ventricles on both sides, the fissure between the hemispheres
    mirrored = np.column_stack([np.abs(points[:, 0]), points[:, 1:]])
    values[_radius(mirrored, (20, 0, 2), (8, 18, 10)) < 1] = GREY
    values[_radius(mirrored, (10, 0, 18), (6, 30, 9)) < 1] = CSF
    values[(mirrored[:, 0] < 1.5) & (brain > 0.55) & (brain < 1) & (points[:, 2] > 0)] = CSF
    return np.where(values > AIR, values + 12 * shade + 8 * grain, 0) + 4 * np.abs(random.standard_normal(len(points)))


def _radius(points: np.ndarray, center, half_axes) -> np.ndarray:
    return np.linalg.norm((points - np.array(center)) / np.array(half_axes), axis=1)


def _texture(points: np.ndarray, width: float, random: np.random.Generator) -> np.ndarray:
    """Smooth noise of unit variance, four fifths of its amplitude the same on both sides."""
    noise = random.standard_normal((65, 75, 65))
    noise = ndimage.gaussian_filter(noise, width / _LATTICE / 2, mode="wrap")
    noise = 0.8 * (noise + noise[::-1]) / 2 + 0.2 * noise
    where = points.T / _LATTICE + (np.array(noise.shape)[:, None] - 1) / 2
    return ndimage.map_coordinates(noise / noise.std(), where, order=1, mode="nearest")
