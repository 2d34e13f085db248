"""Anatomy: where in a scan fluid, grey and white matter are, as the tissue model sees it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import ndimage

from ..geometry.hole import Hole
from ..geometry.patch import PatchGrid, patch_grid
from ..imaging.grid import Grid
from ..imaging.scan import Scan
from ..networks.head_model import STEP, HeadModel, TissueModel

BRAIN_ML = (400.0, 2600.0)
"""Volumes between which a brain's lies, millilitres."""
LEAST_CERTAINTY = 0.85
"""Mean probability of brain over the brain mask below which the model has not recognised one."""
LEAST_FULLNESS = 0.3
"""Share of its bounding box that a brain fills at least."""
LEAST_DECIDED = 0.55
"""Mean probability of the likeliest tissue over the brain mask: 0.62 to 0.77 in scans of six sources, 0.49 to 0.53 in balls,
cubes and noise, where the model can only guess."""
HEAD_MARGIN = 12.0
"""Millimetres of air that the model is shown around the head."""
HEAD_HEIGHT = 192.0
"""Millimetres below the vertex that the model is shown at most: what lies deeper is neck, and no training image held more."""
AIR = 0.2
"""Share of the brain's median brightness below which what lies around the head is air."""
STRIP = 2
"""Voxels by which the mask is worn off to find its one piece: strips of scalp that are taken for brain hang on by less."""


@dataclass(frozen=True, eq=False)
class Anatomy:
    """Tissue of one scan.

    Attributes:
        shares: uint8 (3, D, H, W), axes nearly R, A, S: fluid, grey and white in 255ths; what lacks to 255 is not brain.
        affine: 4x4, voxel indices of `shares` to RAS millimetres.
        doubt: why this is hardly a brain, one clause, or None.
    """

    shares: np.ndarray
    affine: np.ndarray
    doubt: str | None

    @cached_property
    def grid(self) -> Grid:
        """Where its voxels lie."""
        return Grid(self.shares.shape[1:], self.affine)

    @cached_property
    def classes(self) -> np.ndarray:
        """Int8 (D, H, W): 0 not brain, 1 fluid, 2 grey, 3 white; brain is what is brain by at least half."""
        return _classes(self.shares.astype(np.float32) / 255)

    def classes_at(self, points: np.ndarray) -> np.ndarray:
        """Class of the nearest voxel at RAS points (..., 3); 0 beyond the field of view."""
        return self.grid.nearest_values(self.classes, points)

    def classes_on(self, affine: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
        """Classes on another grid of the same scan whose axes run along these, in any order and direction; int8.

        The shares are interpolated, so that borders run between the voxels of the model's grid.
        """
        return _classes(self.shares_on(affine, shape))

    def shares_on(self, affine: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
        """Shares of fluid, grey and white on such a grid; float32 (3, *shape), 0 to 1, what lacks to 1 is not brain."""
        between = self.grid.inverse @ affine
        axis = tuple(int(np.abs(between[:3, k]).argmax()) for k in range(3))
        first = between[list(axis), 3]
        step = between[list(axis), range(3)]
        grid = PatchGrid(self.shares.shape[1:], self.affine, max(shape), axis, first, step)
        region = tuple(slice(0, n) for n in shape)
        return np.stack([grid.from_scan(share.astype(np.float32) / 255)[0][region] for share in self.shares])


def find_anatomy(
    scan: Scan,
    model: TissueModel,
    stretch: float,
    background: float,
    hidden: Hole | None = None,
    guess: Callable[[np.ndarray], np.ndarray] | None = None,
) -> Anatomy:
    """Classify a scan, looking at nothing inside `hidden`.

    Args:
        stretch: factor on the model's spacing, other than 1 for a scan whose spacing cannot be a head's.
        background: intensity of air.
        guess: intensities at RAS points (n, 3), asked for inside `hidden`.
    """
    values, affine = head_view(scan, model, stretch, background, hidden, guess)
    probabilities = model.probabilities(values)
    brain = _one_piece((probabilities[0] < 0.5) & ~_air(values - background, probabilities[0] < 0.5))
    shares = np.where(ndimage.binary_dilation(brain), probabilities[1:], 0)
    filled = brain & (probabilities[0] >= 0.5)
    shares[:, filled] /= np.maximum(shares[:, filled].sum(axis=0), 1e-6)
    return Anatomy(np.rint(255 * shares).astype(np.uint8), affine, _doubt(probabilities, brain, model.spacing))


def head_view(
    scan: Scan,
    model: HeadModel,
    stretch: float,
    background: float,
    hidden: Hole | None = None,
    guess: Callable[[np.ndarray], np.ndarray] | None = None,
    part: Grid | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """What a head model is shown of a scan: the head on the model's grid. For the arguments see `find_anatomy`.

    Args:
        part: the grid that an earlier call gave for a scan of this shape and place, to be shown the same part of it.
    Returns:
        Intensities, float32 (D, H, W), axes nearly R, A, S, and the 4x4 matrix from their indices to RAS millimetres.
    """
    spacing = model.spacing * stretch
    extent = scan.spacing * np.array(scan.shape)
    size = STEP * int(np.ceil(float(extent.max()) / spacing / STEP))
    grid = patch_grid(scan, scan.ras_from_ijk((np.array(scan.shape) - 1) / 2), spacing, size)
    values, share = grid.from_scan(scan.array, hidden, outside=background)
    unknown = np.argwhere(share < 0.5)
    if len(unknown) and guess:
        values[tuple(unknown.T)] = guess(grid.patch.ras_from_ijk(unknown))
    if part is None:
        crop = _head(values, background, spacing / stretch)
    else:
        start = np.rint(np.linalg.solve(grid.affine, part.affine[:, 3])[:3]).astype(int)
        crop = tuple(slice(a, a + n) for a, n in zip(start, part.shape))
    affine = grid.affine.copy()
    affine[:3, 3] = grid.patch.ras_from_ijk([c.start for c in crop])
    return values[crop], affine


def _classes(shares: np.ndarray) -> np.ndarray:
    """(3, D, H, W) to int8 (D, H, W)."""
    return np.where(shares.sum(axis=0) >= 0.5, 1 + shares.argmax(axis=0), 0).astype(np.int8)


def _head(values: np.ndarray, background: float, spacing: float) -> tuple[slice, slice, slice]:
    """The bounding box of what is brighter than air with some margin, its sides grown to multiples of `STEP`."""
    above = values - background
    bright = above > 0.1 * np.percentile(above, 99)
    crop = []
    for axis in range(3):
        size = values.shape[axis]
        filled = np.flatnonzero(bright.mean(axis=tuple(a for a in range(3) if a != axis)) > 0.005)
        low, high = (filled[0], filled[-1] + 1) if filled.size else (0, size)
        margin = HEAD_MARGIN / spacing
        if axis == 2:
            low = max(low, int(high + 2 * margin - HEAD_HEIGHT / spacing))
        sides = min(size, STEP * int(np.ceil((high - low + 2 * margin) / STEP)))
        start = int(np.clip((low + high - sides) // 2, 0, size - sides))
        crop.append(slice(start, start + sides))
    return tuple(crop)


def _air(values: np.ndarray, brain: np.ndarray) -> np.ndarray:
    """What is dark and reaches the border of the field of view; fluid, as dark in some contrasts, lies inside the head."""
    if not brain.any():
        return np.zeros(values.shape, bool)
    smooth = ndimage.uniform_filter(values, 3)
    labels, _ = ndimage.label(smooth < AIR * np.median(values[brain]))
    border = np.zeros(values.shape, bool)
    for axis in range(3):
        np.moveaxis(border, axis, 0)[[0, -1]] = True
    reaching = np.unique(labels[border])
    return np.isin(labels, reaching[reaching > 0])


def _one_piece(mask: np.ndarray) -> np.ndarray:
    """The largest piece of a mask without strips and threads thinner than `2 * STRIP` voxels, and without holes."""
    seed = _largest(ndimage.binary_erosion(mask, iterations=STRIP))
    return ndimage.binary_fill_holes(ndimage.binary_dilation(seed, iterations=STRIP + 1, mask=mask) if seed.any() else mask)


def _largest(mask: np.ndarray) -> np.ndarray:
    """The largest piece of a mask."""
    labels, count = ndimage.label(mask)
    if count <= 1:
        return mask
    return labels == 1 + np.bincount(labels.ravel())[1:].argmax()


def _doubt(probabilities: np.ndarray, brain: np.ndarray, spacing: float) -> str | None:
    """Why the mask is hardly a brain's: by volume, by the model's certainty, by shape; volumes as if spacings were right."""
    volume = float(brain.sum()) * spacing**3 / 1000
    if not BRAIN_ML[0] <= volume <= BRAIN_ML[1]:
        return f"what looks like brain measures {volume:.0f} ml"
    certainty = float(1 - probabilities[0][brain].mean())
    if certainty < LEAST_CERTAINTY:
        return f"the tissue model is certain of it by {certainty:.0%} only"
    box = np.prod([np.ptp(np.flatnonzero(brain.any(axis=tuple(a for a in range(3) if a != axis)))) + 1 for axis in range(3)])
    fullness = float(brain.sum() / box)
    if fullness < LEAST_FULLNESS:
        return f"what looks like brain fills {fullness:.0%} of its own bounding box"
    if float(probabilities[1:, brain].max(axis=0).mean()) < LEAST_DECIDED:
        return "in what looks like brain the tissue model cannot tell grey from white matter"
    return None
