"""Mask model: a trained generator of lesion masks; those that are shipped lie in this module's Resources,
for the analysis has no use for them.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from RadiomicsPersonaLib.brain.tissue import Tissue
from RadiomicsPersonaLib.imaging.scan import Scan
from RadiomicsPersonaLib.networks.card import MASK_KIND, kind_of, model_cards, read_card
from RadiomicsPersonaLib.networks.trained_model import TrainedModel, numbers_of

from ..settings.sample_sections import UNET_TISSUE
from .kinds import RESOURCES
from .patch import conditions, grid_for, noise_field

# Imported in functions: torch, and mask_drawing with it, which takes seconds to load: a list of the generators need not wait
# for it.


class MaskModel(TrainedModel):
    """Draws lesion masks.

    Attributes:
        kinds: what it was trained on.
        roughness: by kind, what makes up for the network's smoothness, see `resources`.
        size: voxels along the edge of its patch.
    """

    kind, automatic = MASK_KIND, False

    def __init__(self, card: dict, weights: Path, device: str = "cpu"):
        super().__init__(card, weights, device)
        self.kinds, self.steps = tuple(card["masks"]["kinds"]), int(card["masks"]["steps"])
        self.roughness = dict(card["masks"].get("roughness", {}))
        self.with_tissue = card["masks"]["generator"] == UNET_TISSUE
        self.size = int(card["grid"]["patch_voxels"])

    @classmethod
    def load(cls, name: str, device: str = "cpu") -> MaskModel:
        """A generator by its name, shipped ones too, or by the path of its card; see `TrainedModel.load`."""
        return super().load(str(mask_model_cards().get(name, name)), device)

    def draw(
        self, scan: Scan, tissue: Tissue, center_ras: np.ndarray, ml: float, kind: str, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """A mask's field around a point, as rough as real lesions are.

        Args:
            tissue: of the scan, with its anatomy.
            ml: volume that is asked for.
            kind: one of `kinds`.
        Returns:
            float32 (S, S, S), from -1 to 1, the larger the more certainly lesion;
            4x4 matrix from its indices to RAS millimetres.
        """
        field, affine = self.smooth_field(scan, tissue, center_ras, ml, kind, rng)
        return roughened(field, self.roughness.get(kind, 0.0), rng), affine

    def smooth_field(
        self, scan: Scan, tissue: Tissue, center_ras: np.ndarray, ml: float, kind: str, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """What the network draws, smoother than real lesions; see `draw`."""
        import torch

        from .mask_drawing import drawn_field

        grid = grid_for(scan, center_ras, ml, self.size)
        shown = torch.from_numpy(conditions(scan, tissue, grid, kind, self.kinds, self.with_tissue))[None]
        noise = torch.from_numpy(noise_field(rng, self.size))[None, None]
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=self.precision == "bfloat16"):
            field = drawn_field(self.network, shown.to(self.device), noise.to(self.device), self.steps)
        return numbers_of(self.name, field[0, 0].clamp(-1, 1).cpu().numpy()), grid.affine


def roughened(field: np.ndarray, roughness: float, rng: np.random.Generator) -> np.ndarray:
    """A field with noise of three scales; its standard deviation is the roughness."""
    return np.clip(field + np.float32(roughness) * noise_field(rng, len(field)), -1, 1)


def mask_model_cards() -> dict[str, Path]:
    """Names and card files of the shipped generators and of those in the folder of further models."""
    shipped = {path.stem: path for path in sorted(RESOURCES.glob("*.json")) if kind_of(read_card(path)) == MASK_KIND}
    return shipped | model_cards(MASK_KIND)
