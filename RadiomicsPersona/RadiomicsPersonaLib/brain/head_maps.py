"""Head maps: what the tissue model and the lesion model make of a whole scan, the boxes included, and what that says of a box.

A lesion that the rebuilding cannot tell from its persona may still be tissue of which the tissue model is not sure, or that the
other side has not; and the lesion model has learnt what lesions look like.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import ndimage

from ..geometry.hole import Hole
from ..imaging.grid import Grid
from ..imaging.scan import Scan
from ..networks.head_model import LesionModel
from .anatomy import head_view
from .midplane import Midplane
from .tissue import Tissue, whole_anatomy

MOST_POINTS = 20_000
"""Voxels of a box that are looked up at most."""
LEAST_KNOWN = 0.5
"""Share of the mirrored side that must be known."""


@dataclass(frozen=True, eq=False)
class HeadMap:
    """Probabilities all over one scan.

    Attributes:
        values: float32 (K, D, H, W), axes nearly R, A, S.
        affine: 4x4, voxel indices to RAS millimetres.
    """

    values: np.ndarray
    affine: np.ndarray

    @cached_property
    def grid(self) -> Grid:
        """Where its voxels lie."""
        return Grid(self.values.shape[1:], self.affine)

    def at(self, points: np.ndarray) -> np.ndarray:
        """Values at RAS points (n, 3), shape (K, n); those of the border beyond the field of view."""
        index = self.grid.ijk_from_ras(points).T
        return np.stack([ndimage.map_coordinates(value, index, order=1, mode="nearest") for value in self.values])


@dataclass(frozen=True, eq=False)
class HeadMaps:
    """Both models' maps of one scan.

    Attributes:
        tissue: not brain, fluid, grey and white, adding up to 1; None where there is no tissue model or it sees no brain.
        lesion: lesion; None where there is no lesion model.
    """

    tissue: HeadMap | None
    lesion: HeadMap | None

    def metrics_over(self, scan: Scan, hole: Hole, midplane: Midplane | None, suspects: Hole | None) -> dict[str, float]:
        """The metrics of `metric.METRICS` that rest on these maps, for the voxels of a box; NaN where they are not known.

        Args:
            midplane: None where the mirrored side may not be looked at.
            suspects: where the mirrored side may not be looked at.
        """
        voxels = np.argwhere(hole.mask)
        points = scan.ras_from_ijk(voxels[:: 1 + len(voxels) // MOST_POINTS] + hole.start)
        found = {"tissue_doubt": math.nan, "tissue_asymmetry": math.nan, "lesion_probability": math.nan}
        if self.lesion:
            found["lesion_probability"] = float(self.lesion.at(points).mean())
        if self.tissue:
            shares = self.tissue.at(points)
            found["tissue_doubt"] = _entropy(shares)
            if midplane:
                reflection = midplane.reflection
                opposite = points @ reflection[:3, :3].T + reflection[:3, 3]
                known = _may_be_seen(scan, opposite, suspects)
                if known.mean() >= LEAST_KNOWN:
                    apart = np.abs(shares[:, known] - self.tissue.at(opposite[known])).sum(axis=0) / 2
                    found["tissue_asymmetry"] = float(apart.mean())
        return found


def head_maps(scan: Scan, tissue: Tissue, model: LesionModel | None = None, whole: bool = False) -> HeadMaps:
    """Show both models the whole scan; nothing is hidden from them, for they judge what is there.

    Args:
        tissue: of the scan, for its background.
        model: the lesion model; the installed one by default.
        whole: whether nothing was hidden while the tissue was estimated, so that its anatomy is that of the whole scan.
    """
    anatomy = tissue.anatomy if whole else whole_anatomy(scan, tissue)
    model = model or LesionModel.installed()
    tissues = lesion = None
    if anatomy is not None:
        brain = anatomy.shares.astype(np.float32) / 255
        tissues = HeadMap(np.concatenate([np.clip(1 - brain.sum(axis=0, keepdims=True), 0, 1), brain]), anatomy.affine)
    if model is not None:
        values, affine = head_view(scan, model, tissue.stretch, tissue.background)
        lesion = HeadMap(model.probabilities(values), affine)
    return HeadMaps(tissues, lesion)


def _entropy(shares: np.ndarray) -> float:
    """Mean over points (n) of the entropy of probabilities (K, n), as a share of the largest."""
    return float(-(shares * np.log(np.maximum(shares, 1e-6))).sum(axis=0).mean() / math.log(len(shares)))


def _may_be_seen(scan: Scan, points: np.ndarray, suspects: Hole | None) -> np.ndarray:
    """Whether RAS points (n, 3) lie in the scan and outside the suspects; boolean (n,)."""
    index = scan.grid.nearest(points)
    seen = scan.grid.holds(index)
    return seen if suspects is None else seen & ~suspects.holds(index)
