"""Patch: what a network that draws lesion masks is shown of a scan; the same function at training and at use.

The patch grows with the lesion that is asked for: a ball of its volume is always `ACROSS` voxels wide, so that one small
network draws lesions of every size, and its voxels' size tells it how large the lesion is.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from RadiomicsPersonaLib.brain.anatomy import Anatomy
from RadiomicsPersonaLib.brain.standard_space import BRIGHTNESS
from RadiomicsPersonaLib.brain.tissue import T1_WEIGHTED, Tissue
from RadiomicsPersonaLib.geometry.patch import PatchGrid, patch_grid
from RadiomicsPersonaLib.imaging.scan import Scan

ACROSS = 10.0
"""Patch voxels along the diameter of a ball with the lesion's volume; the longest real lesions are 2.5 times as long."""
DEPTH = 4.0
"""Voxels from a mask's border at which its field reaches 1 inside and -1 outside."""
PICTURE_MIDDLE, PICTURE_SPREAD = 0.8, 0.2
"""Brightness of the tissues' picture that becomes 0, and what becomes 1, in tissue units."""
_UNIT_MM = 2.0


def spacing_for(ml: float) -> float:
    """Millimetres between the voxels of the patch for a lesion of this volume."""
    return float((6000 * ml / np.pi) ** (1 / 3) / ACROSS)


def grid_for(scan: Scan, center_ras: np.ndarray, ml: float, size: int) -> PatchGrid:
    """The patch around a point (RAS mm) for a lesion of this volume, axes nearly R, A, S."""
    return patch_grid(scan, center_ras, spacing_for(ml), size)


def shares_on(anatomy: Anatomy, affine: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
    """Fluid, grey and white, float32 (3, *shape), on a grid of any direction; 0 beyond the field of view.

    Args:
        affine: 4x4, the grid's indices to RAS millimetres.
    """
    matrix = anatomy.grid.inverse @ affine
    parts = [
        ndimage.affine_transform(share.astype(np.float32), matrix[:3, :3], matrix[:3, 3], shape, order=1)
        for share in anatomy.shares
    ]
    return np.stack(parts) / np.float32(255)


def conditions(
    scan: Scan, tissue: Tissue, grid: PatchGrid, kind: str, kinds: tuple[str, ...], with_tissue: bool, picture: bool = False
) -> np.ndarray:
    """What is known before a mask is drawn, float32 (C, S, S, S).

    The image in tissue units (a third of them; a scan that is not T1-weighted is shown as a T1 picture of its tissues), with
    tissue also grey and white matter, then constant: the logarithm of the voxels' size, and one channel per kind, 1 for the one
    asked for.

    Args:
        picture: show the picture of the tissues in any case.
    """
    shares = shares_on(tissue.anatomy, grid.affine, (grid.size,) * 3)
    if picture or tissue.contrast != T1_WEIGHTED:
        bright = np.tensordot(np.array(BRIGHTNESS, np.float32), shares, axes=1)
        image = (bright - PICTURE_MIDDLE) / PICTURE_SPREAD
    else:
        image = tissue.scale.to_tissue(grid.from_scan(scan.array, outside=tissue.background)[0])
    channels = [np.clip(image, -4, 4) / 3, *(shares[1:] if with_tissue else ())]
    spacing = grid.patch.spacing[0]
    constants = [np.log(spacing / _UNIT_MM), *(float(kind == name) for name in kinds)]
    channels += [np.full((grid.size,) * 3, value) for value in constants]
    return np.stack(channels).astype(np.float32)


def field_of(mask: np.ndarray) -> np.ndarray:
    """A mask as a smooth field: the distance to its border in voxels over `DEPTH`, positive inside, from -1 to 1; float32."""
    inside, outside = ndimage.distance_transform_edt(mask), ndimage.distance_transform_edt(~mask)
    distance = np.where(mask, inside - 0.5, 0.5 - outside)
    return np.clip(distance / DEPTH, -1, 1).astype(np.float32)


def noise_field(rng: np.random.Generator, size: int) -> np.ndarray:
    """Normal noise of three scales (1, 4 and 8 voxels) in equal parts, standard deviation 1; float32 (size, size, size)."""
    total = np.zeros((size,) * 3, np.float32)
    for scale in (1, 4, 8):
        coarse = rng.standard_normal((-(-size // scale) + 2,) * 3, dtype=np.float32)
        index = (np.arange(size) + rng.uniform(0, scale)) / scale
        for axis in range(3):
            low = np.floor(index).astype(int)
            weight = (index - low).astype(np.float32)
            scaled = np.sqrt(weight**2 + (1 - weight) ** 2)
            shape = [-1 if a == axis else 1 for a in range(3)]
            lower, upper = (np.take(coarse, i, axis=axis) for i in (low, low + 1))
            coarse = (
                (lower * ((1 - weight) / scaled).reshape(shape) + upper * (weight / scaled).reshape(shape))
                if scale > 1
                else lower
            )
        total += coarse
    return total / np.float32(np.sqrt(3))
