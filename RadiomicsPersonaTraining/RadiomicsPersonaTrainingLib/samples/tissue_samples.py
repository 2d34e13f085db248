"""Tissue samples: synthesised heads with the tissue, or the lesions, of every voxel, fresh at every draw."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import Dataset

from RadiomicsPersonaLib.networks.head_model import BRIGHTEST, tissue_input

from ..settings.sample_sections import TissueRecipe
from ..synthesis.head_images import Synthesis, SynthesisRecipe, synthesize
from ..synthesis.label_map import opened_label_map
from ..synthesis.lesion_variety import Variety

SYNTHESIS = SynthesisRecipe(realistic=0.85, elastic=3.0, bias=0.5, low_resolution=0.5, defaced=0.15, cut=0.2, lesions=0.25)
"""Mostly contrasts that exist, and all that a scan in a clinic may lack or hold."""
DISEASED = replace(SYNTHESIS, lesions=0.0, disease=0.85)
"""The same heads; whatever in them is no healthy tissue is marked."""


class HeadSamples(Dataset):
    """Samples by number. Sample n depends on the seed and n alone, in whichever process it is drawn.

    Args:
        files: label maps.
        synthesis: of the images; `usual` by default.
    """

    usual: SynthesisRecipe

    def __init__(self, files: list[Path], recipe: TissueRecipe, seed: int, synthesis: SynthesisRecipe | None = None):
        self.files, self.recipe, self.seed, self.synthesis = files, recipe, seed, synthesis or self.usual

    def drawn(self, number: int) -> tuple[torch.Tensor, Synthesis]:
        """The image as `tissue_input` scales it, float32 (1, D, H, W), and what is known of it."""
        recipe = self.recipe
        rng = np.random.default_rng((self.seed, number))
        label_map = opened_label_map(self.files[rng.integers(len(self.files))])
        low, high = label_map.brain_bounds
        center = (low + high) / 2 + rng.uniform(-1, 1, 3) * rng.uniform(0, 1) * np.array(recipe.offset)
        head = synthesize(label_map, self.synthesis, rng, recipe.shape, recipe.spacing, recipe.fine, center)
        image = np.clip(tissue_input(head.image) * np.float32(np.exp(rng.normal(0, recipe.gain))), 0, BRIGHTEST)
        return torch.from_numpy(image[None]), head

    def name_of(self, number: int) -> str:
        """Name of the label map that a sample was drawn from."""
        rng = np.random.default_rng((self.seed, number))
        return self.files[rng.integers(len(self.files))].name


class TissueSamples(HeadSamples):
    """(image, shares, number), the first two float32 tensors.

    `shares` is (4, D, H, W), the part of every voxel that is not brain, fluid, grey and white, in that order, adding up to 1.
    """

    usual = SYNTHESIS

    def __getitem__(self, number: int) -> tuple[torch.Tensor, torch.Tensor, int]:
        image, head = self.drawn(number)
        brain = head.shares
        shares = np.concatenate([np.clip(1 - brain.sum(axis=0, keepdims=True), 0, 1), brain])
        return image, torch.from_numpy(shares), number


def diseased(recipe: TissueRecipe, shapes: tuple[Path, ...] = ()) -> SynthesisRecipe:
    """Heads for the lesion model, as the recipe says.

    Args:
        shapes: files of lesion masks whose outlines may be used.
    """
    if not recipe.various:
        return DISEASED
    variety = Variety(
        recipe.real_outlines if shapes else 0.0,
        recipe.noise_outlines,
        recipe.flow_outlines,
        shapes,
        recipe.mixed,
        recipe.small,
        recipe.faint,
        recipe.least_difference,
    )
    return replace(
        DISEASED,
        disease=1 - recipe.healthy,
        variety=variety,
        artefacts=recipe.artefacts,
        low_resolution=recipe.low_resolution,
        slices=recipe.thick_slices,
        extracted=recipe.extracted,
    )


class LesionSamples(HeadSamples):
    """(image, share, number), the first two float32 tensors (1, D, H, W); `share` is the part of every voxel that is lesion.

    Args:
        shapes: files of lesion masks whose outlines may be used where the recipe asks for them.
    """

    usual = DISEASED

    def __init__(
        self,
        files: list[Path],
        recipe: TissueRecipe,
        seed: int,
        synthesis: SynthesisRecipe | None = None,
        shapes: tuple[Path, ...] = (),
    ):
        super().__init__(files, recipe, seed, synthesis or diseased(recipe, shapes))

    def __getitem__(self, number: int) -> tuple[torch.Tensor, torch.Tensor, int]:
        image, head = self.drawn(number)
        return image, torch.from_numpy(head.lesion_share[None]), number
