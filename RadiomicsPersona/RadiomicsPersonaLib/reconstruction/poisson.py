"""Poisson: the solvers behind the smooth fills, matrix-free, for holes of any shape.

Both fills are the minimum of a quadratic energy over the voxels of a hole, found by conjugate gradients. The
preconditioner is the exact or nearly exact solution on the hole's bounding box by fast diagonalisation (Lynch, Rice and
Thomas 1964): the box's operator is a sum over axes, so that one small eigenvalue problem per axis diagonalises it. With
known values all around, the eigenvectors of the second difference are the sines of the fast sine transform; written as
small matrices they also serve an end that lies on the scan's border, and the fourth difference.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import lru_cache

import numpy as np
from scipy import linalg

from ..geometry.hole import bounding_box

TOLERANCE = 1e-6
"""The iteration stops when the residual, in the norm of the preconditioner, is this part of the first one; the default."""
ITERATIONS = 2000
SPARSE = 0.1
"""A hole that fills a smaller share of its bounding box gains nothing from the box's solution, and goes without."""


def laplacian(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Discrete Laplacian, spacing-weighted, with natural (zero flux) conditions at the array's ends.

    ``(Lu)_i = sum over axes a and both neighbours j along a of weights[a] (u_j - u_i)``, a neighbour beyond the array
    left out; symmetric and negative semi-definite.

    Args:
        values: float (I, J, K).
        weights: 1 / spacing² along I, J, K, per square millimetre, shape (3,).
    """
    result = np.zeros_like(values)
    for axis, weight in enumerate(weights):
        if values.shape[axis] < 2:
            continue
        flux = np.diff(values, axis=axis)
        flux *= weight
        ahead, behind = [slice(None)] * 3, [slice(None)] * 3
        ahead[axis], behind[axis] = slice(None, -1), slice(1, None)
        result[tuple(ahead)] += flux
        result[tuple(behind)] -= flux
    return result


def solve_harmonic(
    values: np.ndarray, mask: np.ndarray, weights: np.ndarray, open_ends: np.ndarray, tolerance: float = TOLERANCE
) -> np.ndarray:
    """Minimise the sum over neighbouring voxels of ``weight (u_i - u_j)²``, which is ``Lu = 0`` in the hole.

    Args:
        values: float64 (I, J, K), 0 in the hole; holds the hole's face neighbours, as far as the scan reaches.
        mask: boolean, same shape, True in the hole; at least one voxel is True and one is False.
        weights: as in `laplacian`.
        open_ends: boolean (3, 2), True where the hole's bounding box ends at the scan's border (low, high end).
        tolerance: see `TOLERANCE`.
    Returns:
        float64 of the same shape: the solution in the hole, 0 elsewhere.
    """
    box = bounding_box(mask)
    precondition = _preconditioner(mask[box], weights, open_ends, squared=False)
    return _conjugate_gradients(
        lambda u: -laplacian(u, weights), precondition, laplacian(values, weights), mask, box, tolerance
    )


def solve_biharmonic(
    values: np.ndarray, mask: np.ndarray, weights: np.ndarray, open_ends: np.ndarray, tolerance: float = TOLERANCE
) -> np.ndarray:
    """Minimise the sum of ``(Lu)²`` over the hole and the voxels that touch it, which is ``L²u = 0`` in the hole.

    The surroundings enter by the two layers around the hole, so that value and slope continue. Arguments and result as
    in `solve_harmonic`, except that `values` holds two layers around the hole, as far as the scan reaches.
    """
    box = bounding_box(mask)
    precondition = _preconditioner(mask[box], weights, open_ends, squared=True)

    def squared(u: np.ndarray) -> np.ndarray:
        return laplacian(laplacian(u, weights), weights)

    # in the hole this needs the inner Laplacian in the hole and on its rim only, so nothing beyond the second layer
    return _conjugate_gradients(squared, precondition, -squared(values), mask, box, tolerance)


def _preconditioner(
    inside: np.ndarray, weights: np.ndarray, open_ends: np.ndarray, squared: bool
) -> Callable[[np.ndarray], np.ndarray]:
    if inside.mean() < SPARSE:
        # the operator's diagonal is nearly constant, and a constant factor changes nothing
        return np.copy
    return _box_solver(inside.shape, weights, open_ends, squared)


def _box_solver(
    shape: tuple[int, int, int], weights: np.ndarray, open_ends: np.ndarray, squared: bool
) -> Callable[[np.ndarray], np.ndarray]:
    """Solution of the box's own problem with zeros around it: exact for the Laplacian, nearly so for its square.

    With T_a the negative second difference along axis a and E_a the corner entries that the clamped ends add, the
    operators are ``sum T_a`` and ``(sum T_a)² + sum E_a``. The latter is taken in the eigenvectors of ``T_a² + E_a`` (a
    clamped beam's), in which the mixed terms ``2 T_a T_b`` are nearly diagonal and their diagonal is kept.
    """
    along_axes = [
        _axis_solver(count, float(weight), bool(low_open), bool(high_open), squared)
        for count, weight, (low_open, high_open) in zip(shape, weights, open_ends)
    ]
    vectors, second, fourth = zip(*along_axes)
    along = [np.reshape(second[axis], [-1 if a == axis else 1 for a in range(3)]) for axis in range(3)]
    total = sum(along)
    if squared:
        total = total**2 - sum(value**2 for value in along)
        total = total + sum(np.reshape(fourth[axis], along[axis].shape) for axis in range(3))
    # a box that is open on all sides leaves the constant undetermined; the hole's own rim determines it
    least = 1e-9 * total.max()
    total = np.where(total < least, total[total >= least].min(initial=total.max()), total)

    def solve(values: np.ndarray) -> np.ndarray:
        # contract the leading axis and append the result, three times: the order of axes comes round again
        for basis in vectors:
            values = np.tensordot(values, basis, axes=(0, 0))
        values = values / total
        for basis in vectors:
            values = np.tensordot(values, basis, axes=(0, 1))
        return values

    return solve


@lru_cache(maxsize=64)
def _axis_solver(
    count: int, weight: float, low_open: bool, high_open: bool, squared: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Eigenvectors along one axis, T in them, and eigenvalues; see `_box_solver`. Holes of like size ask for the same."""
    matrix = weight * (2 * np.eye(count) - np.eye(count, k=1) - np.eye(count, k=-1))
    matrix[0, 0] -= weight * low_open
    matrix[-1, -1] -= weight * high_open
    beam = matrix @ matrix
    beam[0, 0] += weight**2 * (not low_open)
    beam[-1, -1] += weight**2 * (not high_open)
    eigenvalues, basis = linalg.eigh(beam if squared else matrix)
    return basis, np.einsum("ij,ik,kj->j", basis, matrix, basis, optimize=True), eigenvalues


def _conjugate_gradients(apply, precondition, right_side: np.ndarray, mask: np.ndarray, box, tolerance: float) -> np.ndarray:
    """Preconditioned conjugate gradients (Hestenes and Stiefel 1952) on the voxels of the mask."""
    residual = np.where(mask, right_side, 0)
    solution = np.zeros_like(residual)
    inside = mask[box]

    def preconditioned(r: np.ndarray) -> np.ndarray:
        z = np.zeros_like(r)
        z[box] = np.where(inside, precondition(r[box]), 0)
        return z

    z = preconditioned(residual)
    direction = z
    energy = first = float(np.vdot(residual, z))
    for _ in range(ITERATIONS):
        if energy <= tolerance**2 * first:
            return solution
        image = np.where(mask, apply(direction), 0)
        step = energy / float(np.vdot(direction, image))
        solution += step * direction
        residual -= step * image
        z = preconditioned(residual)
        previous, energy = energy, float(np.vdot(residual, z))
        direction = z + (energy / previous) * direction
    warnings.warn(f"A fill stopped after {ITERATIONS} steps before it had converged.", RuntimeWarning, stacklevel=4)
    return solution
