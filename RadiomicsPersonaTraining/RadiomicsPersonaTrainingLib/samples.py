"""Samples: endless training pairs drawn from healthy scans, fresh at every draw."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from scipy import ndimage
from torch.utils.data import IterableDataset, get_worker_info

from RadiomicsPersonaLib.hole import Hole
from RadiomicsPersonaLib.midplane import Midplane, estimate_midplane
from RadiomicsPersonaLib.network_input import TISSUE_RANGE, voided_input, with_fill
from RadiomicsPersonaLib.patch import patch_grid
from RadiomicsPersonaLib.scan import Scan, read_scan
from RadiomicsPersonaLib.tissue import Tissue, estimate_tissue

from .corruption import random_box, random_hole


LARGEST_HOLE = 0.55
"""Share of the patch's edge that a hole's hull may take in training."""


@dataclass(frozen=True)
class Recipe:
    """How training pairs are drawn. Lengths are in patch voxels unless they say millimetres.

    Attributes:
        patch: patch voxels along every axis.
        spacings: patch spacings in millimetres, and beneath it their chances.
        side: shortest and longest side of a hole; its hull is kept to `LARGEST_HOLE` of the patch.
        rotated, ellipsoids: chances that a box is turned, and that its ellipsoid is taken instead.
        flip, low_resolution, contrast, no_mirror: chances of a left-right flip, of thick or coarse voxels, of a bent
            intensity curve with a bias field, and of a mirrored side that is not given.
    """

    patch: int = 64
    spacings: tuple[float, ...] = (1.0, 1.5, 2.0)
    spacing_chances: tuple[float, ...] = (0.5, 0.3, 0.2)
    side: tuple[float, float] = (9.0, 34.0)
    rotated: float = 0.3
    ellipsoids: float = 0.2
    flip: float = 0.5
    low_resolution: float = 0.25
    contrast: float = 0.7
    no_mirror: float = 0.15


@dataclass(frozen=True, eq=False)
class HealthyScan:
    """A healthy scan with everything that is estimated once."""

    scan: Scan
    tissue: Tissue
    midplane: Midplane


def load_healthy(path: str | Path) -> HealthyScan:
    """Read a healthy scan and estimate its tissue and midplane."""
    scan = read_scan(path)
    tissue = estimate_tissue(scan)
    return HealthyScan(scan, tissue, estimate_midplane(tissue))


class HealthySamples(IterableDataset):
    """Endless pairs (image, mirror, target, hole weight) as float32 tensors; see `network_input` for the first two.

    `target` is the patch in tissue units, (1, S, S, S); `hole weight` is 1 in the hole and 0.25 in a rim two voxels
    wide around it, so that the rebuilt tissue continues what it meets. Draw n depends on the seed and n alone.
    """

    def __init__(self, scans: list[HealthyScan], chances: np.ndarray, recipe: Recipe, seed: int, first_draw: int = 0):
        self.scans, self.recipe, self.seed, self.first_draw = scans, recipe, seed, first_draw
        self.chances = np.asarray(chances, float) / np.sum(chances)

    def __iter__(self):
        worker = get_worker_info()
        step, draw = (worker.num_workers, self.first_draw + worker.id) if worker else (1, self.first_draw)
        while True:
            yield self.draw(draw)
            draw += step

    def draw(self, number: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        """The pair with this number."""
        recipe = self.recipe
        rng = np.random.default_rng((self.seed, number))
        while True:
            healthy = self.scans[rng.choice(len(self.scans), p=self.chances)]
            spacing = rng.choice(recipe.spacings, p=recipe.spacing_chances)
            side = np.array(recipe.side) * spacing
            box = random_box(healthy.scan, healthy.tissue, rng, tuple(side), recipe.rotated, brain_share=0.5, tries=20)
            if box is not None and np.ptp(box.corners, axis=0).max() <= LARGEST_HOLE * recipe.patch * spacing:
                break
        hole = random_hole(healthy.scan, box, rng, recipe.ellipsoids)
        jitter = spacing * rng.uniform(0.92, 1.08, 3) if rng.random() < 0.7 else spacing
        grid = patch_grid(healthy.scan, box.center + rng.uniform(-3, 3, 3) * spacing, jitter, recipe.patch)
        midplane = None if rng.random() < recipe.no_mirror else healthy.midplane
        return self._pair(healthy, hole, grid, midplane, rng)

    def _pair(self, healthy: HealthyScan, hole: Hole, grid, midplane, rng: np.random.Generator):
        recipe = self.recipe
        image, mirror = voided_input(healthy.scan, hole, grid, healthy.tissue, midplane)
        truth, _ = grid.from_scan(healthy.scan.array, outside=healthy.tissue.background)
        target = np.clip(healthy.tissue.scale.to_tissue(truth), *TISSUE_RANGE)
        in_hole = image[1] > 0
        if rng.random() < recipe.low_resolution:
            target, image[0] = _coarsen(target, image[0], in_hole, rng)
        if rng.random() < recipe.contrast:
            air = float(healthy.tissue.scale.to_tissue(np.float32(healthy.tissue.background)))
            bend = _intensity_curve(air, rng)
            field = _bias_field(recipe.patch, rng)
            target = bend(target, field)
            image[0] = np.where(in_hole, 0, bend(image[0], field))
            # the mirrored side is lit from the other side
            mirror[0] = np.where(mirror[1] > 0, bend(mirror[0], field[::2, ::2, ::2][::-1]), 0)
        image = with_fill(image.astype(np.float32))
        if rng.random() < recipe.flip:
            image, mirror, target, in_hole = image[:, ::-1], mirror[:, ::-1], target[::-1], in_hole[::-1]
        weight = np.maximum(in_hole, 0.25 * ndimage.binary_dilation(in_hole, iterations=2))
        return tuple(
            torch.from_numpy(np.ascontiguousarray(a, dtype=np.float32)) for a in (image, mirror, target[None], weight[None])
        )


def _coarsen(target: np.ndarray, image: np.ndarray, in_hole: np.ndarray, rng: np.random.Generator):
    """Blocks of 2 voxels along every axis, or of 2 to 4 along one, averaged and interpolated again."""
    factors = [2, 2, 2]
    if rng.random() < 0.5:
        factors = [1, 1, 1]
        factors[rng.integers(3)] = int(rng.choice([2, 3, 4]))

    def coarse(values: np.ndarray, weight: np.ndarray) -> np.ndarray:
        stack = torch.from_numpy(np.stack([values * weight, weight]).astype(np.float32))[None]
        pooled = torch.nn.functional.avg_pool3d(stack, factors)
        low = pooled[:, :1] / pooled[:, 1:].clamp_min(0.1)
        return torch.nn.functional.interpolate(low, values.shape, mode="trilinear", align_corners=False)[0, 0].numpy()

    outside = (~in_hole).astype(np.float32)
    return coarse(target, np.ones_like(outside)), coarse(image, outside) * outside


def _intensity_curve(air: float, rng: np.random.Generator):
    """A monotone change of contrast: gamma between air and bright tissue, then a small shift and stretch."""
    gamma = np.exp(rng.normal(0, 0.2))
    stretch, shift = np.exp(rng.normal(0, 0.08)), rng.normal(0, 0.1)
    top = 3.0

    def bend(values: np.ndarray, field: np.ndarray) -> np.ndarray:
        unit = np.maximum((values - air) / (top - air), 0)
        return ((unit**gamma * field * (top - air) + air) * stretch + shift).astype(np.float32)

    return bend


def _bias_field(size: int, rng: np.random.Generator) -> np.ndarray:
    """A smooth factor around 1, from a coarse random grid."""
    coarse = torch.from_numpy(rng.normal(0, 0.06, (1, 1, 3, 3, 3)).astype(np.float32))
    return torch.exp(torch.nn.functional.interpolate(coarse, (size,) * 3, mode="trilinear", align_corners=True))[0, 0].numpy()
