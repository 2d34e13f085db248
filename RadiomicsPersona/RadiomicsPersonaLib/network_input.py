"""Network input: what the network is shown of one hole; the same function at training and at use."""

from __future__ import annotations

import numpy as np

from .hole import Hole
from .midplane import Midplane
from .mirror import mirrored_values
from .patch import PatchGrid
from .scan import Scan
from .tissue import Tissue

TISSUE_RANGE = (-6.0, 6.0)
"""Tissue units beyond which the input is cut: vessels and fat are no brain tissue."""
LARGEST_HOLE = 0.55
"""Share of the patch's edge that a hole may take, at training and at use."""


def network_input(scan: Scan, hole: Hole, grid: PatchGrid, tissue: Tissue, midplane: Midplane | None) -> tuple[np.ndarray, np.ndarray]:
    """The two arrays that `ReconstructionUNet` takes, without the batch axis.

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
        # centres of 2x2x2 blocks of patch voxels
        block = np.diag([2.0, 2.0, 2.0, 1.0])
        block[:3, 3] = 0.5
        values, known = mirrored_values(scan, midplane, grid.affine @ block, (half,) * 3, hole, tissue.background)
        mirror[0] = np.where(known, np.clip(tissue.scale.to_tissue(values), *TISSUE_RANGE), 0)
        mirror[1] = known
    return image.astype(np.float32), mirror
