"""Mask model: a trained generator of lesion masks; those that are shipped lie in this module's Resources, for the analysis has no use for them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from RadiomicsPersonaLib.card import MASK_KIND, kind_of, model_cards, read_card
from RadiomicsPersonaLib.scan import Scan
from RadiomicsPersonaLib.tissue import Tissue
from RadiomicsPersonaLib.trained_model import TrainedModel

from .mask_patch import conditions, grid_for, noise_field
from .mask_samples import UNET_TISSUE

SHIPPED = Path(__file__).resolve().parent.parent / "Resources" / "masks"


class MaskModel(TrainedModel):
    """Draws lesion masks.

    Attributes:
        kinds: what it was trained on.
        size: voxels along the edge of its patch.
    """

    kind, automatic = MASK_KIND, False

    def __init__(self, card: dict, weights: Path, device: str = "cpu"):
        super().__init__(card, weights, device)
        self.kinds, self.steps = tuple(card["masks"]["kinds"]), int(card["masks"]["steps"])
        self.with_tissue = card["masks"]["generator"] == UNET_TISSUE
        self.size = int(card["grid"]["patch_voxels"])

    def draw(self, scan: Scan, tissue: Tissue, center_ras: np.ndarray, ml: float, kind: str, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """A mask's field around a point.

        Args:
            tissue: of the scan, with its anatomy.
            ml: volume that is asked for.
            kind: one of `kinds`.
        Returns:
            float32 (S, S, S), from -1 to 1, the larger the more certainly lesion; 4x4 matrix from its indices to RAS millimetres.
        """
        import torch

        from .mask_drawing import drawn_field

        grid = grid_for(scan, center_ras, ml, self.size)
        shown = torch.from_numpy(conditions(scan, tissue, grid, kind, self.kinds, self.with_tissue))[None]
        noise = torch.from_numpy(noise_field(rng, self.size))[None, None]
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=self.precision == "bfloat16"):
            field = drawn_field(self.network, shown.to(self.device), noise.to(self.device), self.steps)
        return field[0, 0].clamp(-1, 1).cpu().numpy(), grid.affine


def mask_model_cards() -> dict[str, Path]:
    """Names and card files of the shipped generators and of those in the folder of further models."""
    shipped = {path.stem: path for path in sorted(SHIPPED.glob("*.json")) if kind_of(read_card(path)) == MASK_KIND}
    return shipped | model_cards(MASK_KIND)
