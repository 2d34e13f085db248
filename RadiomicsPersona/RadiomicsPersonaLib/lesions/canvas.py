"""Canvas: the part of a scan that a lesion is painted on, with all that the painting of any kind rests on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ..brain.preparation import PreparedScan
from ..brain.tissue_levels import TissueLevels, sharpened, tissue_levels, tissue_shares
from ..geometry.hole import Hole
from ..imaging.noise import ScanNoise, scan_noise
from ..imaging.random_field import smooth_field
from ..reconstruction.reconstruction import rebuild
from ..reconstruction.reconstruction_model import Model

EVENNESS = 2.0
"""Millimetres, Gaussian, over which the background's own level is taken."""


@dataclass(frozen=True, eq=False)
class Canvas:
    """A region of a healthy scan around a lesion; all arrays over it, axes I, J, K.

    Attributes:
        start: IJK index of the first voxel.
        affine: 4x4, indices of the region to RAS millimetres.
        spacing: millimetres along I, J, K.
        values: the scan's intensities, float64.
        rebuilt: the same with the lesion's voxels as the rebuilding model sees them, which has not looked at any of them.
        mask: boolean, the lesion's outline.
        shares: fluid, grey and white matter, float32 (3, ...).
        levels, noise: the scan's.
        contrast: one of `tissue_levels.CONTRASTS`.
        strength: 1 for a usual lesion.
        rng: what decides anything else.
    """

    start: np.ndarray
    affine: np.ndarray
    spacing: np.ndarray
    values: np.ndarray
    rebuilt: np.ndarray
    mask: np.ndarray
    shares: np.ndarray
    levels: TissueLevels
    noise: ScanNoise
    contrast: str
    strength: float
    rng: np.random.Generator

    def texture(self, reach: float) -> np.ndarray:
        """A smooth random field that varies over `reach` millimetres; standard deviation 1."""
        return smooth_field(self.rng, self.mask.shape, self.spacing, reach)[0].astype(np.float64)

    def depth(self, mask: np.ndarray) -> np.ndarray:
        """Millimetres from every voxel to a mask's border, positive inside."""
        half = 0.5 * float(self.spacing.min())
        inside = ndimage.distance_transform_edt(mask, sampling=self.spacing)
        outside = ndimage.distance_transform_edt(~mask, sampling=self.spacing)
        return np.where(mask, inside - half, half - outside)

    def soft(self, mask: np.ndarray, width: float, rough: float = 0.0) -> np.ndarray:
        """Weights that rise from 0 to 1 over `width` millimetres across a mask's border.

        Args:
            rough: millimetres (SD) by which the border strays from the mask's, as far as the mask is thick enough.
        """
        depth = self.depth(mask)
        thick = max(float(depth.max()), 0.5)
        smooth = ndimage.gaussian_filter(depth, 0.6 * min(1.0, thick / 2) / self.spacing)
        rough = min(rough, 0.25 * thick)
        if rough:
            smooth += rough * (0.8 * self.texture(max(3.0, 0.7 * thick)) + 0.6 * self.texture(2.5))
        return smoothstep(0.5 + smooth / min(width, 2 * thick))

    def background(self, values: np.ndarray, share: np.ndarray) -> np.ndarray:
        """Values inside the outline, to some share replaced by rebuilt tissue; see `with_noise`."""
        return values + share * self.mask * (self.rebuilt - values)

    def with_noise(self, values: np.ndarray, share: np.ndarray) -> np.ndarray:
        """Values with the noise that was lost where rebuilt tissue, which has none, took a share s:
        1 - s of its SD was left.
        """
        left = np.clip(1 - share * self.mask, 0, 1)
        return values + np.sqrt(1 - left**2) * self.noise.drawn(values.shape, self.rng)

    def shifted(
        self, background: np.ndarray, share: np.ndarray, shift: np.ndarray | float, evened: float, evenness: float = EVENNESS
    ) -> np.ndarray:
        """Background, to some share brought to the level of white matter plus `shift` times the difference of white and fluid.

        Args:
            evened: how much of the background's own level gives way to the lesion's.
            evenness: millimetres, Gaussian, over which that level is taken; what is finer stays.
        """
        levels, strength = self.levels, self.strength
        own = ndimage.gaussian_filter(background, evenness / self.spacing) - levels.white
        change = strength * shift * levels.reach - min(1.0, strength) * evened * own
        return background + share * self._within_fluid(background, change)

    def _within_fluid(self, background: np.ndarray, change: np.ndarray) -> np.ndarray:
        """A change that darkens no further than fluid in T1, and brightens no further than fluid in T2; nothing is wetter."""
        room = self.levels.fluid - background
        if self.contrast in ("T1", "T1 post"):
            return np.maximum(change, np.minimum(room, 0))
        return np.minimum(change, np.maximum(room, 0)) if self.contrast == "T2" else change


def smoothstep(x: np.ndarray) -> np.ndarray:
    """0 below 0, 1 above 1, and smooth in between."""
    x = np.clip(x, 0, 1)
    return x * x * (3 - 2 * x)


def canvas_for(
    prepared: PreparedScan, hole: Hole, model: Model, contrast: str, strength: float, rng: np.random.Generator, margin: float
) -> Canvas:
    """The region within `margin` millimetres of a lesion's voxels.

    Args:
        prepared: the scan, with nothing hidden: it is healthy.
        model: what rebuilds the lesion's voxels.
    """
    scan = prepared.scan
    around = np.ceil(margin / scan.spacing).astype(int)
    start = np.maximum(hole.start - around, 0)
    shape = tuple(int(n) for n in np.minimum(hole.stop + around, scan.shape) - start)
    region = tuple(slice(int(a), int(a) + n) for a, n in zip(start, shape))
    affine = scan.affine.copy()
    affine[:3, 3] = scan.ras_from_ijk(start)
    values = scan.array[region].astype(np.float64)
    result = rebuild(prepared, [hole], model)[0]
    mask, rebuilt = hole.mask_over(start, shape), values.copy()
    rebuilt[mask] = result.values[result.hole.mask]
    levels = tissue_levels(scan, prepared.tissue)
    shares = sharpened(tissue_shares(prepared.tissue, affine, shape), values, levels)
    white = ndimage.binary_erosion(shares[2] > 0.8)
    return Canvas(
        start, affine, scan.spacing, values, rebuilt, mask, shares, levels, scan_noise(values, white), contrast, strength, rng
    )
