"""Random field: smooth random functions of place that vary over a given distance."""

from __future__ import annotations

import numpy as np

_SHRINKAGE = (151 / 315) ** 1.5
"""Standard deviation of a sum of cubic B-splines with unit normal weights, averaged over place, in three dimensions."""


def smooth_field(
    rng: np.random.Generator, shape: tuple[int, int, int], spacing: float | np.ndarray, reach: float, components: int = 1
) -> np.ndarray:
    """Random cubic B-splines with nodes `reach` millimetres apart.

    Args:
        spacing: millimetres between voxels, one number or one for each axis.
    Returns:
        float32 (components, *shape): mean 0 and standard deviation 1 over draws, twice continuously differentiable.
    """
    bases = [_basis(count, step / reach) for count, step in zip(shape, np.broadcast_to(spacing, 3))]
    field = rng.standard_normal((components, *(basis.shape[1] for basis in bases)), dtype=np.float32) / np.float32(_SHRINKAGE)
    for basis in bases:
        # contract the leading axis of place and append the result, three times: the order of axes comes round again
        field = np.tensordot(field, basis, axes=(1, 1))
    return field


def _basis(count: int, step: float) -> np.ndarray:
    """Cubic B-spline weights (count, nodes) at positions 0, step, 2 step, ... in units of the nodes' distance."""
    position = np.arange(count) * step
    nodes = np.arange(-1, int(np.ceil(position[-1])) + 2)
    distance = np.abs(position[:, None] - nodes[None, :])
    near = 2 / 3 - distance**2 + distance**3 / 2
    far = np.maximum(2 - distance, 0) ** 3 / 6
    return np.where(distance < 1, near, far).astype(np.float32)
