"""Network input: what the network is shown of one hole; the same function at training and at use."""

from __future__ import annotations

import numpy as np

from ..brain.midplane import Midplane
from ..brain.mirror import mirrored_values
from ..brain.population import Population
from ..brain.tissue import Tissue
from ..geometry.hole import Hole
from ..geometry.patch import PatchGrid
from ..imaging.scan import Scan
from . import fills

TISSUE_RANGE = (-6.0, 6.0)
"""Tissue units beyond which the input is cut: vessels and fat are no brain tissue."""
BLOCK = np.array([[2.0, 0, 0, 0.5], [0, 2.0, 0, 0.5], [0, 0, 2.0, 0.5], [0, 0, 0, 1]])
"""From indices at half the resolution to those of the patch: the centres of 2x2x2 blocks."""
FILL_TOLERANCE = 1e-3
"""A first guess needs no more: half the solver's steps, and differences far below the noise."""


def network_input(
    scan: Scan,
    hole: Hole,
    grid: PatchGrid,
    tissue: Tissue,
    midplane: Midplane | None,
    fill: str,
    population: Population | None = None,
    guides: int = 2,
) -> tuple[np.ndarray, np.ndarray]:
    """The two arrays that a `ReconstructionUNet` takes, without the batch axis: `voided_input` with its hole filled.

    Args:
        guides: channels of the guide, see the network; with 4 the population is among them.
    """
    image, mirror = voided_input(scan, hole, grid, tissue, midplane)
    guide = np.concatenate([mirror, population_input(grid, population)]) if guides > len(mirror) else mirror
    return with_fill(image, fill), guide


def population_input(grid: PatchGrid, population: Population | None) -> np.ndarray:
    """What healthy people have there, float32 (2, S/2, S/2, S/2): see `Population.on`; all zero without one."""
    half = (grid.size // 2,) * 3
    if population is None:
        return np.zeros((2, *half), np.float32)
    return population.on(grid.affine @ BLOCK, half)


def with_fill(image: np.ndarray, fill: str) -> np.ndarray:
    """The image of `voided_input` with something in its hole.

    Args:
        fill: "biharmonic" continues the rim's values and slopes, the best classical guess for small holes, so that the network
            is left with what no smooth surface can know; "mean" is the rim's; "constant" is 0, the median of brain tissue;
            "noise" is normal with a tissue's standard deviation and always the same.
    """
    in_hole = image[1] > 0
    if not in_hole.any() or in_hole.all():
        return image
    filled = image.copy()
    if fill == "biharmonic":
        guess = fills.biharmonic(image[0], in_hole, (1.0, 1.0, 1.0), FILL_TOLERANCE)
    elif fill == "mean":
        guess = fills.rim_mean(image[0], in_hole, (1.0, 1.0, 1.0))
    elif fill == "noise":
        guess = np.random.default_rng(0).normal(size=image[0].shape).astype(np.float32)
    else:
        guess = np.zeros_like(image[0])
    filled[0][in_hole] = np.clip(guess[in_hole], *TISSUE_RANGE)
    return filled


def voided_input(
    scan: Scan, hole: Hole, grid: PatchGrid, tissue: Tissue, midplane: Midplane | None
) -> tuple[np.ndarray, np.ndarray]:
    """What can be seen of one hole's surroundings.

    Returns:
        image: float32 (2, S, S, S): the patch in tissue units with 0 in the hole; the hole's mask.
        mirror: float32 (2, S/2, S/2, S/2): the mirrored side, 0 where unknown; where it is known. All zero without a midplane.
    """
    values, known = grid.from_scan(scan.array, hole, outside=tissue.background)
    in_hole = known < 0.5
    image = np.stack([np.where(in_hole, 0, np.clip(tissue.scale.to_tissue(values), *TISSUE_RANGE)), in_hole])
    half = grid.size // 2
    mirror = np.zeros((2, half, half, half), np.float32)
    if midplane is not None:
        values, known = mirrored_values(scan, midplane, grid.affine @ BLOCK, (half,) * 3, hole, tissue.background)
        mirror[0] = np.where(known, np.clip(tissue.scale.to_tissue(values), *TISSUE_RANGE), 0)
        mirror[1] = known
    return image.astype(np.float32), mirror
