"""Lesion outlines: irregular ellipsoids, real lesions turned at random, thresholded noise, and balls that a flow has drawn out.

Each is computed on few nodes and interpolated between them, so that a large lesion costs hardly more than a small one.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import ndimage

from RadiomicsPersonaLib.imaging.random_field import smooth_field

from .random_rotation import random_rotation
from .real_outlines import LesionOutline, outlines_of

NODES, FLOW_NODES, REAL_NODES = 36, 44, 64
"""Nodes along an axis at most; what flows, and real outlines, have finer detail."""
FLOW_STEPS = 5
TRIED_FILES = 4
"""Files of real lesions that are looked at for one of about the wanted size."""


@dataclass(frozen=True, eq=False)
class Lesion:
    """One lesion before it is painted.

    Attributes:
        center: voxel index, fractional.
        region: slices of the head that hold it.
        distance: over the region, below 1 inside, growing outwards by about 1 per `radius`.
        radius: millimetres, of a ball of about its volume.
        pushes: whether it may displace its surroundings; that takes a distance that grows along every line from the centre.
    """

    center: np.ndarray
    region: tuple[slice, slice, slice]
    distance: np.ndarray
    radius: float
    pushes: bool = True


@dataclass(frozen=True, eq=False)
class _Nodes:
    """Points around a lesion's centre, and the voxels between them.

    Attributes:
        region: slices of the head.
        offsets: millimetres from the centre, (a, b, c, 3).
        spacing: millimetres between nodes along the three axes.
    """

    region: tuple[slice, slice, slice]
    offsets: np.ndarray
    spacing: np.ndarray

    def refined(self, values: np.ndarray) -> np.ndarray:
        """Values at the nodes, linearly interpolated to all voxels of the region; float32."""
        for part, nodes in zip(self.region, values.shape):
            count = part.stop - part.start
            place = np.linspace(0, nodes - 1, count)
            weights = np.maximum(0, 1 - np.abs(place[:, None] - np.arange(nodes))).astype(np.float32)
            # contract the leading axis and append the result, three times: the order of axes comes round again
            values = np.tensordot(values.astype(np.float32), weights, axes=(0, 1))
        return values


def _nodes(center: np.ndarray, reach: float, shape: tuple[int, ...], spacing: float, most: int = NODES) -> _Nodes:
    """Nodes to `reach` millimetres around a centre (voxel index) in a head of that shape."""
    voxels = reach / spacing + 2
    region = tuple(slice(max(0, int(c - voxels)), min(n, int(c + voxels) + 2)) for c, n in zip(center, shape))
    lines = [np.linspace(s.start, s.stop - 1, min(most, s.stop - s.start)) for s in region]
    steps = np.array([line[1] - line[0] if len(line) > 1 else 1.0 for line in lines]) * spacing
    offsets = np.stack(np.meshgrid(*((line - c) * spacing for line, c in zip(lines, center)), indexing="ij"), axis=-1)
    return _Nodes(region, offsets.astype(np.float32), steps)


def ellipsoid(center: np.ndarray, radius: float, shape: tuple[int, ...], rng: np.random.Generator, spacing: float) -> Lesion:
    """An irregular ellipsoid around a voxel index.

    Args:
        radius: millimetres.
        shape, spacing: of the head; voxels and millimetres.
    """
    axes = radius * np.exp(rng.normal(0, 0.25, 3))
    nodes = _nodes(center, 2.1 * axes.max(), shape, spacing)
    distance = np.linalg.norm((nodes.offsets @ random_rotation(rng).astype(np.float32)) / axes, axis=-1)
    reach = max(3.0, radius * rng.uniform(0.3, 0.8))
    distance = distance + rng.uniform(0, 0.5) * smooth_field(rng, distance.shape, nodes.spacing, reach)[0]
    return Lesion(np.asarray(center, float), nodes.region, nodes.refined(distance), radius)


def flowing(center: np.ndarray, radius: float, shape: tuple[int, ...], rng: np.random.Generator, spacing: float) -> Lesion:
    """An ellipsoid that an incompressible flow has carried along, as tissue gives way; its volume stays about the same.

    The flow is the curl of a smooth random potential (Bridson et al. 2007, Curl-noise for procedural fluid flow), used for the
    growth of anomalies as in fluid-driven anomaly randomisation (Liu et al. 2025). Arguments as for `ellipsoid`.
    """
    axes = radius * np.exp(rng.normal(0, 0.25, 3))
    nodes = _nodes(center, 2.3 * axes.max(), shape, spacing, FLOW_NODES)
    reach = radius * rng.uniform(0.7, 1.3)
    potential = smooth_field(rng, nodes.offsets.shape[:3], nodes.spacing, max(reach, 3.0), 3)
    # no flow at the border, so that nothing leaves the region
    potential *= np.clip(2.1 - np.linalg.norm(nodes.offsets, axis=-1) / axes.max(), 0, 1).astype(np.float32) ** 2
    slope = [[_slope(part, axis, nodes.spacing) for axis in range(3)] for part in potential]
    velocity = np.stack([slope[2][1] - slope[1][2], slope[0][2] - slope[2][0], slope[1][0] - slope[0][1]])
    speed = float(np.sqrt((velocity**2).sum(axis=0).mean()))
    velocity *= np.float32(radius * rng.uniform(0.2, 0.6) / max(speed, 1e-6) / FLOW_STEPS)
    first = nodes.offsets.reshape(-1, 3)[0]
    place = nodes.offsets.copy()
    for _ in range(FLOW_STEPS):  # back to where every point came from
        index = np.moveaxis((place - first) / nodes.spacing.astype(np.float32), -1, 0)
        place -= np.stack([ndimage.map_coordinates(part, index, order=1, mode="nearest") for part in velocity], axis=-1)
    distance = np.linalg.norm((place @ random_rotation(rng).astype(np.float32)) / axes, axis=-1)
    return Lesion(np.asarray(center, float), nodes.region, nodes.refined(distance), radius)


def noisy(center: np.ndarray, radius: float, shape: tuple[int, ...], rng: np.random.Generator, spacing: float) -> Lesion:
    """Where smooth noise of two scales is highest near a point: ragged, often in pieces. Arguments as for `ellipsoid`."""
    nodes = _nodes(center, 2.6 * radius, shape, spacing)
    reach = max(2.5, radius * rng.uniform(0.35, 0.9))
    noise = [smooth_field(rng, nodes.offsets.shape[:3], nodes.spacing, size)[0] for size in (reach, max(2.0, reach / 2.5))]
    height = noise[0] + rng.uniform(0.2, 0.8) * noise[1]
    away = np.linalg.norm(nodes.offsets, axis=-1) / radius
    height -= (
        rng.uniform(0.3, 1.2) * away**2 + 8 * np.maximum(away - 1.9, 0) ** 2
    )  # nothing of it is cut by the region's border
    share = min(0.9, 4 / 3 * np.pi * radius**3 / (height.size * nodes.spacing.prod()))
    level = np.quantile(height, 1 - share)
    # noise of standard deviation 1 rises by about 1 over half its reach
    distance = 1 + (level - height) * (0.5 * reach / radius)
    return Lesion(np.asarray(center, float), nodes.region, nodes.refined(distance), radius, pushes=False)


def real(
    center: np.ndarray, radius: float, shape: tuple[int, ...], rng: np.random.Generator, spacing: float, files: tuple[Path, ...]
) -> Lesion:
    """A real lesion's outline, turned, flipped and scaled to the wanted volume.

    Args:
        files: of binary lesion masks; the others as for `ellipsoid`.
    """
    pieces: list[LesionOutline] = []
    for _ in range(TRIED_FILES):
        found = outlines_of(files[rng.integers(len(files))])
        pieces.append(min(found, key=lambda piece: abs(np.log(piece.radius / radius))))
        if abs(np.log(pieces[-1].radius / radius)) < np.log(1.5):
            break
    piece = min(pieces, key=lambda piece: abs(np.log(piece.radius / radius)))
    scale = radius / piece.radius
    turn = random_rotation(rng) * rng.choice([-1.0, 1.0], size=3)
    half = scale * np.linalg.norm((np.array(piece.distance.shape) - 1) * piece.spacing) / 2
    nodes = _nodes(center, half, shape, spacing, REAL_NODES)
    index = nodes.offsets @ (turn / scale / piece.spacing).astype(np.float32)
    index += (np.array(piece.distance.shape, np.float32) - 1) / 2
    depth = ndimage.map_coordinates(piece.distance, np.moveaxis(index, -1, 0), order=1, mode="nearest")
    return Lesion(np.asarray(center, float), nodes.region, nodes.refined(1 + depth / piece.radius), radius, pushes=False)


def _slope(values: np.ndarray, axis: int, spacing: np.ndarray) -> np.ndarray:
    return np.gradient(values, float(spacing[axis]), axis=axis) if values.shape[axis] > 1 else np.zeros_like(values)
