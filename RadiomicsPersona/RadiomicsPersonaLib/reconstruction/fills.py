"""Fills: the classical ways to rebuild a hole from what surrounds it; the baselines of the network.

`rim_mean`, `harmonic` and `biharmonic` take the same three arguments:

    values: float (I, J, K), intensities; what is inside the hole is never looked at.
    mask: boolean, same shape, True in the hole.
    spacing: millimetres between voxel centres along I, J, K, shape (3,).

and return a copy of `values` with the masked voxels rebuilt and every other voxel bit for bit unchanged. The array's
ends count as the scan's border, so cut out two voxels more than the hole on every side where the scan has them. They
raise InputError when the hole leaves nothing to go by.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np
from scipy import ndimage

from ..brain.midplane import Midplane
from ..brain.mirror import mirrored_values
from ..errors import InputError
from ..geometry.hole import Hole, bounding_box, union_of
from ..imaging.scan import Scan
from .poisson import TOLERANCE, solve_biharmonic, solve_harmonic


def rim_mean(values: np.ndarray, mask: np.ndarray, spacing: np.ndarray) -> np.ndarray:
    """Every connected piece of the hole takes the mean of the voxels that touch it with a face.

    Connected means less than two voxels apart. The spacing plays no part; arguments and result as the module says.

    >>> rim_mean(np.array([[[1.0, 9.0, 3.0]]]), np.array([[[False, True, False]]]), (1, 1, 1)).ravel().tolist()
    [1.0, 2.0, 3.0]
    """
    filled = _checked_copy(values, mask)
    for window, piece in _pieces(mask, reach=1):
        rim = ndimage.binary_dilation(piece) & ~mask[window]
        filled[window][piece] = filled[window][rim].mean(dtype=np.float64)
    return filled


def harmonic(values: np.ndarray, mask: np.ndarray, spacing: np.ndarray) -> np.ndarray:
    """The smoothest surface that meets the rim: ``Δu = 0`` in the hole, ``u`` given on the rim.

    Minimises the sum over neighbouring voxels of ``(u_i - u_j)² / h²``, where h is the spacing between them, with no
    condition (zero flux) at the scan's border. Gives back linear functions exactly where the hole does not reach that
    border. Membrane or diffusion inpainting; see `poisson` for the solver. Arguments and result as the module says.

    >>> values = np.arange(5.0) ** 2 * np.ones((5, 5, 1))
    >>> mask = np.zeros((5, 5, 5), bool)
    >>> mask[2, 2, 2] = True
    >>> round(float(harmonic(values, mask, (1, 1, 1))[2, 2, 2]), 3)  # the mean of its six neighbours; it was 4
    4.333
    """
    return _smooth_fill(values, mask, spacing, solve_harmonic, reach=1)


def biharmonic(values: np.ndarray, mask: np.ndarray, spacing: np.ndarray, tolerance: float = TOLERANCE) -> np.ndarray:
    """The surface that bends least and continues value and slope: ``Δ²u = 0`` in the hole, two layers around it given.

    Minimises the sum over the hole and its rim of ``(Δu)²``, Δ the 7-point Laplacian with weights 1/h² and zero flux at
    the scan's border. Gives back cubic polynomials exactly where the hole does not reach that border (thin-plate
    inpainting, as Damelin and Hoang 2018). `tolerance` is the solver's (see `poisson`); other arguments and result as the
    module says.

    >>> values = np.arange(7.0) ** 2 * np.ones((7, 7, 1))
    >>> mask = np.zeros((7, 7, 7), bool)
    >>> mask[3, 3, 3] = True
    >>> round(float(biharmonic(values, mask, (1, 1, 1))[3, 3, 3]), 3)  # as it was
    9.0
    """
    return _smooth_fill(values, mask, spacing, partial(solve_biharmonic, tolerance=tolerance), reach=2)


def mirrored_side(scan: Scan, hole: Hole, midplane: Midplane, outside: float, suspects: Hole | None = None) -> np.ndarray:
    """The other side of the brain put into the hole: the scan reflected at the midplane, interpolated linearly.

    What the other side cannot give, because it lies beyond the field of view or in the hole itself, is filled
    harmonically from what has been found and from the rim.

    Args:
        outside: intensity of air, in scan units.
        suspects: further voxels on the other side that are not looked at.
    Returns:
        Float over the hole's region, axes I, J, K: the scan outside the mask.
    Raises:
        InputError: the hole is the whole scan.
    """
    hidden = hole if suspects is None else union_of([hole, suspects])
    wide = hole.grown(scan.shape, 1)
    offset = np.eye(4)
    offset[:3, 3] = wide.start
    mirrored, found = mirrored_values(scan, midplane, scan.affine @ offset, wide.mask.shape, hidden, outside)
    values = np.where(wide.mask, mirrored, scan.array[wide.region])
    filled = harmonic(values, wide.mask & ~found, scan.spacing)
    inner = tuple(slice(int(o), int(o + n)) for o, n in zip(hole.start - wide.start, hole.mask.shape))
    return filled[inner]


def _smooth_fill(values: np.ndarray, mask: np.ndarray, spacing: np.ndarray, solve, reach: int) -> np.ndarray:
    filled = _checked_copy(values, mask)
    weights = 1 / np.asarray(spacing, dtype=np.float64) ** 2
    for window, piece in _pieces(mask, reach):
        surroundings = values[window].astype(np.float64)
        rim = surroundings[ndimage.binary_dilation(piece, iterations=reach) & ~mask[window]]
        # measured from their mean, intensities far from zero lose no digits
        level = rim.mean()
        known = np.where(mask[window], 0.0, surroundings - level)
        ends = np.array([(s.start, s.stop) for s in bounding_box(piece)]) + [[s.start] for s in window]
        open_ends = np.stack([ends[:, 0] == 0, ends[:, 1] == mask.shape], axis=1)
        filled[window][piece] = level + solve(known, piece, weights, open_ends)[piece]
    return filled


def _checked_copy(values: np.ndarray, mask: np.ndarray) -> np.ndarray:
    if values.shape != mask.shape or values.ndim != 3:
        raise ValueError(f"values and mask must be 3-D arrays of one shape, not {values.shape} and {mask.shape}")
    if mask.all():
        raise InputError("The hole is the whole scan, so nothing is left to rebuild it from: choose a smaller box.")
    return np.array(values, dtype=np.result_type(values, np.float32))


def _pieces(mask: np.ndarray, reach: int) -> Iterator[tuple[tuple[slice, slice, slice], np.ndarray]]:
    """The parts of a mask that do not influence each other: a window with `reach` voxels around, and the part in it."""
    labels, count = ndimage.label(ndimage.binary_dilation(mask))
    for number, around in enumerate(ndimage.find_objects(labels, count), start=1):
        # `around` already holds one voxel more than the part itself
        more = reach - 1
        window = tuple(slice(max(s.start - more, 0), min(s.stop + more, n)) for s, n in zip(around, mask.shape))
        yield window, mask[window] & (labels[window] == number)
