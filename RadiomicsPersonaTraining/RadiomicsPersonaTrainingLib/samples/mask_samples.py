"""Mask samples: healthy scans with the masks of real lesions carried to their own anatomical place, fresh at every draw."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch.utils.data import Dataset

from RadiomicsPersonaLib.brain.preparation import PreparedScan
from RadiomicsPersonaLib.brain.standard_space import ras_from_standard
from RadiomicsPersonaLib.errors import InputError

from ..lesion_masks.patch import conditions, field_of, grid_for, noise_field, shares_on
from ..lesion_masks.pieces import FLIP, LesionPiece, carried_mask
from ..settings.sample_sections import MaskRecipe

TRIES = 20
LEAST_VOXELS = 40
"""Patch voxels that a mask must keep once what lies outside the tissue is cut off; whole it has about 500."""


class MaskSamples(Dataset):
    """(conditions, field, noise, time, number), float32 tensors; sample n depends on the seed and n alone.

    `conditions` are as in `lesion_masks.patch`; `field` is the mask's, `noise` two fields of noise (2, S, S, S),
    `time` from 0 to 1.

    Args:
        scans: healthy ones, with their anatomy.
        pieces: real lesions, not those held out.
    """

    def __init__(self, scans: Sequence[PreparedScan], pieces: list[LesionPiece], recipe: MaskRecipe, seed: int):
        self.scans, self.recipe, self.seed = scans, recipe, seed
        self.pieces = {kind: [piece for piece in pieces if piece.kind == kind] for kind in recipe.kinds}
        self._standard: dict[int, np.ndarray] = {}

    def __getitem__(self, number: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor, int]:
        rng, recipe = np.random.default_rng((self.seed, number)), self.recipe
        which = int(rng.integers(len(self.scans)))
        prepared = self.scans[which]
        kind = recipe.kinds[rng.integers(len(recipe.kinds))]
        for _ in range(TRIES):
            piece = self.pieces[kind][rng.integers(len(self.pieces[kind]))]
            carried = self._carrier(which, prepared) @ (FLIP if rng.random() < 0.5 else np.eye(4))
            ml = piece.ml * abs(np.linalg.det(carried[:3, :3]))
            center = carried[:3, :3] @ piece.center + carried[:3, 3]
            grid = grid_for(prepared.scan, center, ml * np.exp(rng.normal(0, 0.1)), recipe.patch)
            mask = carried_mask(piece, carried, grid.affine, (recipe.patch,) * 3)
            mask &= shares_on(prepared.tissue.anatomy, grid.affine, mask.shape)[1:].sum(axis=0) >= 0.5
            if mask.sum() >= LEAST_VOXELS:
                break
        else:
            raise InputError(
                f"No lesion of the kind '{kind}' has its place inside the brain of '{prepared.scan.name}': leave that scan out."
            )
        shown = conditions(
            prepared.scan, prepared.tissue, grid, kind, recipe.kinds, recipe.with_tissue, rng.random() < recipe.pictures
        )
        noise = np.stack([noise_field(rng, recipe.patch) for _ in range(2)])
        time = torch.tensor(rng.random(), dtype=torch.float32)
        return torch.from_numpy(shown), torch.from_numpy(field_of(mask)[None]), torch.from_numpy(noise), time, number

    def name_of(self, number: int) -> str:
        """Name of the scan that a sample was drawn from."""
        return self.scans[int(np.random.default_rng((self.seed, number)).integers(len(self.scans)))].scan.name

    def _carrier(self, which: int, prepared: PreparedScan) -> np.ndarray:
        if which not in self._standard:
            self._standard[which] = ras_from_standard(prepared.tissue.anatomy)
        return self._standard[which]
