"""Ground: a scan with what must be known before a lesion mask is drawn into it, found once per scan."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import ndimage

from RadiomicsPersonaLib.brain.standard_space import ras_from_standard
from RadiomicsPersonaLib.brain.tissue import GREY, WHITE, Tissue, estimate_tissue
from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.imaging.scan import Scan

from .kinds import FCD

LEAST_TISSUE_ML = 200.0
"""Grey and white matter that a scan must show."""
CORTEX_DEPTH = 16.0
"""Millimetres from the brain's hull within which grey matter counts as cortex; the basal ganglia lie deeper."""
BEHIND, BELOW, BRAINSTEM = -32.0, -10.0, 20.0
"""MNI millimetres: what lies behind and below, and within the last of the midline, is taken for cerebellum and brainstem, which
cortical dysplasia spares; some of the lowest occipital and temporal cortex goes with them."""
JUNCTION = 3.0
"""Millimetres of white matter beneath the cortex that focal cortical dysplasia may take in."""


@dataclass(frozen=True, eq=False)
class LesionGround:
    """A healthy scan to draw lesions into.

    Attributes:
        scan, tissue: the scan and its tissue, with the tissue model's anatomy.
    """

    scan: Scan
    tissue: Tissue

    @cached_property
    def classes(self) -> np.ndarray:
        """Tissue class of every voxel of the scan; int8."""
        return self.tissue.anatomy.classes_on(self.scan.affine, self.scan.shape)

    @cached_property
    def solid(self) -> np.ndarray:
        """Where a lesion may lie: grey and white matter; boolean, the scan's shape."""
        return (self.classes == GREY) | (self.classes == WHITE)

    @cached_property
    def depth(self) -> np.ndarray:
        """Millimetres from the brain's hull, 0 outside; float32, the scan's shape."""
        hull = ndimage.binary_fill_holes(self.classes > 0)
        return ndimage.distance_transform_edt(hull, sampling=self.scan.spacing).astype(np.float32)

    @cached_property
    def cortical_band(self) -> np.ndarray:
        """The cerebrum's cortex and the white matter just beneath it; boolean, the scan's shape."""
        cortex = (self.classes == GREY) & (self.depth <= CORTEX_DEPTH)
        voxels = np.argwhere(cortex)
        to_mni = np.linalg.inv(self.ras_from_mni)
        x, y, z = (self.scan.ras_from_ijk(voxels) @ to_mni[:3, :3].T + to_mni[:3, 3]).T
        below = ((y < BEHIND) & (z < BELOW)) | ((np.abs(x) < BRAINSTEM) & (y < 0) & (z < BELOW))
        cortex[tuple(voxels[below].T)] = False
        near = ndimage.distance_transform_edt(~cortex, sampling=self.scan.spacing) <= JUNCTION
        return cortex | (near & (self.classes == WHITE))

    @cached_property
    def ras_from_mni(self) -> np.ndarray:
        """4x4 matrix from MNI millimetres to the scan's."""
        return ras_from_standard(self.tissue.anatomy)

    @property
    def voxel_ml(self) -> float:
        """Volume of one voxel."""
        return self.scan.grid.voxel_ml

    def open_to(self, kind: str) -> np.ndarray:
        """Where a lesion of a kind may lie; boolean, the scan's shape."""
        return self.cortical_band if kind == FCD else self.solid


def lesion_ground(scan: Scan, tissue: Tissue | None = None) -> LesionGround:
    """Look at a scan.

    Args:
        tissue: of the scan, where it is known already.
    Raises:
        InputError: it does not show enough grey and white matter.
    """
    tissue = tissue or estimate_tissue(scan)
    if tissue.anatomy is None:
        why = f" ({tissue.doubt})" if tissue.doubt else ""
        raise InputError(
            f"'{scan.name}' shows no brain in which the tissue model tells grey from white matter{why}: give a scan of a whole "
            "head."
        )
    ground = LesionGround(scan, tissue)
    found = ground.solid.sum() * ground.voxel_ml
    if found < LEAST_TISSUE_ML:
        raise InputError(
            f"'{scan.name}' shows {found:.0f} ml of grey and white matter, too little to draw a lesion into: give a scan of a "
            "whole head."
        )
    return ground
