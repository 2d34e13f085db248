"""Healthy pairs: training pairs drawn from healthy scans, fresh at every draw, and the same for the same number."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from scipy import ndimage
from torch.utils.data import Dataset

from RadiomicsPersonaLib.brain.population import LEAST_SHARE, Population
from RadiomicsPersonaLib.brain.preparation import PreparedScan
from RadiomicsPersonaLib.geometry.hole import Hole, union_of
from RadiomicsPersonaLib.geometry.patch import PatchGrid, patch_grid
from RadiomicsPersonaLib.reconstruction.network_input import TISSUE_RANGE, population_input, voided_input, with_fill

from ..settings.sample_sections import LARGEST_HOLE, Recipe
from .random_holes import further_boxes, random_box, random_hole

RIM_WEIGHT = 0.25
"""Weight, beside the hole's, of a rim two voxels wide, so that the rebuilt tissue continues what it meets."""


class HealthyPairs(Dataset):
    """Pairs by number: (image, guide, target, weight, number); the first four are float32 tensors.

    `image` and `guide` are as in `network_input`. `target` is the patch in tissue units, (1, S, S, S). `weight` gives every
    hole of the patch the same weight in all, and `RIM_WEIGHT` as much per voxel to the rim around it; it is largest in the
    smallest hole, where it is 1. Pair n depends on the seed and n alone, in whichever process it is drawn.
    """

    def __init__(
        self,
        scans: Sequence[PreparedScan],
        chances: np.ndarray,
        recipe: Recipe,
        seed: int,
        shapes: tuple[Path, ...] = (),
        population: bool = False,
    ):
        self.scans, self.recipe, self.seed, self.shapes, self.population = scans, recipe, seed, shapes, population
        self.chances = np.asarray(chances, float) / np.sum(chances)
        self._populations: dict[int, Population | None] = {}

    def __getitem__(self, number: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor, int]:
        recipe = self.recipe
        rng = np.random.default_rng((self.seed, number))
        while True:
            index = int(rng.choice(len(self.scans), p=self.chances))
            healthy = self.scans[index]
            spacing = rng.choice(recipe.spacings, p=np.array(recipe.spacing_chances) / sum(recipe.spacing_chances))
            side = np.array(recipe.side) * spacing
            box = random_box(healthy.scan, healthy.tissue, rng, tuple(side), recipe.rotated, brain_share=0.5, tries=20)
            if box is not None and np.ptp(box.corners, axis=0).max() <= LARGEST_HOLE * recipe.patch * spacing:
                break
        jitter = spacing * rng.uniform(0.92, 1.08, 3) if rng.random() < 0.7 else spacing
        grid = patch_grid(healthy.scan, box.center + rng.uniform(-3, 3, 3) * spacing, jitter, recipe.patch)
        boxes = [box]
        if rng.random() < recipe.several:
            boxes += further_boxes(healthy.tissue, box, grid, rng, recipe.side[0], recipe.holes - 1)
        low, high = healthy.scan.bounds_ras
        holes = [
            random_hole(healthy.scan, b, rng, recipe.ellipsoids, recipe.lesions, self.shapes)
            for b in boxes
            if ((b.center > low) & (b.center < high)).all()
        ]
        return *self._pair(healthy, union_of(holes), grid, rng, self._population_of(index)), number

    def _population_of(self, index: int) -> Population | None:
        """Of a scan, found once in this process; scans themselves do not stay open."""
        if self.population and index not in self._populations:
            self._populations[index] = self.scans[index].population
        return self._populations.get(index)

    def name_of(self, number: int) -> str:
        """Name of the scan that a pair was drawn from."""
        rng = np.random.default_rng((self.seed, number))
        return self.scans[rng.choice(len(self.scans), p=self.chances)].scan.name

    def _pair(
        self, healthy: PreparedScan, hole: Hole, grid: PatchGrid, rng: np.random.Generator, population: Population | None
    ) -> tuple[torch.Tensor, ...]:
        recipe = self.recipe
        midplane = None if rng.random() < recipe.no_mirror else healthy.midplane
        image, guide = voided_input(healthy.scan, hole, grid, healthy.tissue, midplane)
        if self.population:
            shown = None if rng.random() < recipe.no_population else population
            guide = np.concatenate([guide, population_input(grid, shown)])
        truth, _ = grid.from_scan(healthy.scan.array, outside=healthy.tissue.background)
        target = np.clip(healthy.tissue.scale.to_tissue(truth), *TISSUE_RANGE)
        in_hole = image[1] > 0
        if rng.random() < recipe.low_resolution:
            target, image[0] = _coarsen(target, image[0], in_hole, rng)
        curves = []
        air = float(healthy.tissue.scale.to_tissue(np.float32(healthy.tissue.background)))
        if rng.random() < recipe.contrast:
            curves.append(_intensity_curve(air, rng))
        if rng.random() < recipe.foreign:
            curves.append(_foreign_curve(air, rng))
        if curves:
            field = _bias_field(recipe.patch, rng)
            for bend in curves:
                target = bend(target, field)
                image[0] = np.where(in_hole, 0, bend(image[0], field))
                # the mirrored side is lit from the other side
                guide[0] = np.where(guide[1] > 0, bend(guide[0], field[::2, ::2, ::2][::-1]), 0)
                if self.population:  # its brightness is found over the whole brain, which no field lights as a whole
                    guide[2] = np.where(guide[3] > LEAST_SHARE, bend(guide[2], np.ones_like(guide[2])), 0)
                field = np.ones_like(field)
        image = with_fill(image.astype(np.float32), recipe.fill)
        weight = _weight(in_hole)
        if rng.random() < recipe.flip:
            image, guide, target, weight = image[:, ::-1], guide[:, ::-1], target[::-1], weight[::-1]
        return tuple(
            torch.from_numpy(np.ascontiguousarray(a, dtype=np.float32)) for a in (image, guide, target[None], weight[None])
        )


def _weight(in_hole: np.ndarray) -> np.ndarray:
    """Weights of the loss, float32 of the mask's shape; see `HealthyPairs`."""
    labels, count = ndimage.label(in_hole)
    sizes = np.bincount(labels.ravel())[1:]
    weight = np.zeros(in_hole.shape, np.float32)
    for number, window in enumerate(ndimage.find_objects(labels, count), start=1):
        wide = tuple(slice(max(s.start - 2, 0), s.stop + 2) for s in window)
        piece = labels[wide] == number
        rim = ndimage.binary_dilation(piece, iterations=2) & ~in_hole[wide]
        share = (piece + RIM_WEIGHT * rim) * (sizes.min() / sizes[number - 1])
        weight[wide] = np.maximum(weight[wide], share)
    return weight


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


def _foreign_curve(air: float, rng: np.random.Generator):
    """Another contrast from the same scan: tissue brightness inverted, or folded around a level, air kept where it is.

    The result is scaled back to median 0 and robust deviation 1 of ordinary tissue, as any scan is before it is looked at.
    """
    fold = rng.uniform(-1.5, 1.5) if rng.random() < 0.5 else None
    ordinary = np.linspace(-1.3, 1.3, 41)

    def tissue(values: np.ndarray) -> np.ndarray:
        return -values if fold is None else np.abs(values - fold)

    low, middle, high = np.percentile(tissue(ordinary), [10, 50, 90])
    dark = tissue(ordinary).min() - rng.uniform(0.5, 2.0) * (high - low)

    def bend(values: np.ndarray, field: np.ndarray) -> np.ndarray:
        # between air and the darkest tissue the curve leads over, so that no bright rim appears
        share = np.clip((values - air) / (-2.5 - air), 0, 1) if air < -2.5 else np.ones_like(values)
        changed = (share * tissue(values) + (1 - share) * dark) * field
        return ((changed - middle) / max((high - low) / 2.563, 0.2)).astype(np.float32)

    return bend


def _bias_field(size: int, rng: np.random.Generator) -> np.ndarray:
    """A smooth factor around 1, from a coarse random grid."""
    coarse = torch.from_numpy(rng.normal(0, 0.06, (1, 1, 3, 3, 3)).astype(np.float32))
    return torch.exp(torch.nn.functional.interpolate(coarse, (size,) * 3, mode="trilinear", align_corners=True))[0, 0].numpy()
