"""Brain sheets: outlines of the brain masks on real scans, to be looked at."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw
from scipy import ndimage

from RadiomicsPersonaLib.brain.tissue import Tissue, estimate_tissue
from RadiomicsPersonaLib.geometry.patch import patch_grid
from RadiomicsPersonaLib.imaging.files import read_scan
from RadiomicsPersonaLib.imaging.scan import Scan
from RadiomicsPersonaLib.networks.head_model import TissueModel

from ..data.held_out_groups import CONTRAST_SOURCES
from ..data.split import scans_in

PANEL, PANEL_SPACING = 96, 2.5
"""Pixels along the edge of a panel, and their millimetres."""
OURS, CLASSICAL = (90, 230, 90), (255, 80, 60)
"""Colours of the tissue model's outline and of that by thresholds."""


def real_scans(root: Path, most: int | None = None) -> dict[str, list[Path]]:
    """The real scans beneath a data folder by source, patients' in every contrast.

    Args:
        most: at most this many of a source.
    """
    folders = [folder for folder in sorted((root / "healthy").glob("*")) if folder.is_dir()]
    found = {folder.name: scans_in(folder) for folder in folders}
    for name, source in CONTRAST_SOURCES.items():
        for contrast, ending in source.contrasts.items():
            files = sorted((root / source.folder).glob(f"*/*{ending}.nii.gz"))
            if files:
                found[f"{name} {contrast}"] = files
    return {name: files[:most] for name, files in found.items()}


def mask_sheet(paths: list[Path], model: TissueModel, columns: int = 4) -> tuple[Image.Image, list[dict[str, object]]]:
    """Outlines of the brain masks on real scans: the tissue model's in green, that by thresholds in red.

    Returns:
        The picture, three planes a scan, and per scan its name, both volumes in millilitres, and what was doubted.
    """
    tiles, rows = [], []
    for path in paths:
        scan = read_scan(path)
        ours, classical = estimate_tissue(scan, model=model), estimate_tissue(scan, model=None)
        tiles.append(_tile(scan, ours, classical))
        row = {
            "scan": scan.name,
            "ml": round(ours.brain_ml),
            "ml_by_thresholds": round(classical.brain_ml),
            "doubt": ours.doubt,
        }
        rows.append(row | {"found_by": ours.method["method"]})
    width, height = tiles[0].size
    sheet = Image.new("RGB", (columns * width, -(-len(tiles) // columns) * height))
    for number, tile in enumerate(tiles):
        sheet.paste(tile, ((number % columns) * width, (number // columns) * height))
    return sheet, rows


def _tile(scan: Scan, ours: Tissue, classical: Tissue) -> Image.Image:
    low, high = scan.bounds_ras
    brain = np.argwhere(ours.brain)
    center = ours.grid.patch.ras_from_ijk(brain.mean(axis=0)) if len(brain) else (low + high) / 2
    stretch = ours.grid.patch.spacing[0] / 4
    grid = patch_grid(scan, center, PANEL_SPACING * stretch, PANEL)
    values, _ = grid.from_scan(scan.array, outside=ours.background)
    shape = (PANEL,) * 3
    mask = ours.brain_on(grid.affine, shape)
    other = classical.brain_on(grid.affine, shape)
    top = np.percentile(values, 99.7)
    grey = np.clip((values - ours.background) / max(top - ours.background, 1e-9), 0, 1) * 255
    panels = []
    for axis in range(3):
        color = np.repeat(np.take(grey, PANEL // 2, axis)[..., None], 3, axis=-1)
        for outlined, paint in ((other, CLASSICAL), (mask, OURS)):
            cut = np.take(outlined, PANEL // 2, axis)
            color[cut & ~ndimage.binary_erosion(cut)] = paint
        panels.append(color[:, ::-1].transpose(1, 0, 2))
    tile = Image.fromarray(np.concatenate(panels, axis=1).astype(np.uint8))
    ImageDraw.Draw(tile).text((2, 1), scan.name[:40], fill=(255, 255, 0))
    return tile
