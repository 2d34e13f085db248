"""Synthesis sheet: painted lesions in three planes, each beside the healthy scan and with its outline."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from RadiomicsPersonaLib.hole import Hole
from RadiomicsPersonaLib.picture import BACKGROUND, GAP, side_by_side
from RadiomicsPersonaLib.plane import ORIENTATIONS, Plane, cut, cut_hole
from RadiomicsPersonaLib.scan import Scan

if TYPE_CHECKING:
    from PIL import Image

PIXELS = 220
LEAST_SIDE, MARGIN = 90.0, 25.0
"""Millimetres that a picture shows at least, and around a lesion."""
COLOR = (255, 176, 0)


def lesion_row(scan: Scan, values: np.ndarray | None, hole: Hole, pixels: int = PIXELS) -> Image.Image:
    """One lesion: in each of three planes the healthy scan, the painted one, and that with the outline.

    Args:
        values: the scan with the lesion, on its grid; None shows the healthy scan with the outline alone.
    """
    points = scan.ras_from_ijk(np.argwhere(hole.mask) + hole.start)
    middle = points[np.linalg.norm(points - points.mean(axis=0), axis=1).argmin()]
    side = max(LEAST_SIDE, float(np.ptp(points, axis=0).max()) + 2 * MARGIN)
    dark, bright = np.percentile(scan.array, [1, 99.7])
    tiles = []
    for orientation in ORIENTATIONS:
        plane = Plane(orientation, middle, side, pixels)
        shown = [_gray(cut(array, scan.affine, plane, dark), dark, bright) for array in (scan.array, values) if array is not None]
        inside = cut_hole(scan, hole, plane)
        marked = shown[-1].copy()
        marked[inside & ~ndimage.binary_erosion(inside)] = COLOR
        tiles += [*(shown if values is not None else ()), marked]
    return side_by_side([_image(tile) for tile in tiles])


def sheet_of(rows: list[Image.Image]) -> Image.Image:
    """Rows of one size, one below the other."""
    from PIL import Image

    image = Image.new("RGB", (rows[0].width, sum(row.height + GAP for row in rows) - GAP), BACKGROUND)
    for number, row in enumerate(rows):
        image.paste(row, (0, number * (row.height + GAP)))
    return image


def _gray(values: np.ndarray, dark: float, bright: float) -> np.ndarray:
    shade = np.clip((values - dark) / max(bright - dark, 1e-6), 0, 1)
    return np.repeat(np.rint(255 * shade[..., None]), 3, axis=-1)


def _image(tile: np.ndarray) -> Image.Image:
    from PIL import Image

    return Image.fromarray(tile.astype(np.uint8))
