"""Lesion picture: three orthogonal slices through a place, with a lesion's outline where it is wanted."""

from __future__ import annotations

import numpy as np
from PIL import Image
from scipy import ndimage

from ..imaging.scan import Scan
from .picture import side_by_side
from .slice_plane import ORIENTATIONS, Plane, cut

OUTLINE = (230, 97, 1)


def slices_of(
    scan: Scan, values: np.ndarray, center: np.ndarray, mask: np.ndarray | None = None, side: float = 90.0, pixels: int = 300
) -> Image.Image:
    """Axial, coronal and sagittal slice side by side, in the scan's own window.

    Args:
        values: what is shown, on the scan's grid, axes I, J, K.
        center: RAS millimetres.
        mask: boolean, on the scan's grid; its outline is drawn.
        side: millimetres that a slice shows.
        pixels: edge of a slice.
    """
    step = max(1, round((scan.array.size / 1e6) ** (1 / 3)))
    low, high = np.percentile(scan.array[::step, ::step, ::step], [1, 99.8])
    panels = []
    for orientation in ORIENTATIONS:
        plane = Plane(orientation, np.asarray(center, float), side, pixels)
        grey = np.clip((cut(values, scan.affine, plane, low) - low) / ((high - low) or 1.0), 0, 1)
        picture = np.repeat(np.rint(255 * grey).astype(np.uint8)[..., None], 3, axis=-1)
        if mask is not None:
            inside = cut(mask.astype(np.float32), scan.affine, plane, 0.0) >= 0.5
            picture[inside & ~ndimage.binary_erosion(inside)] = OUTLINE
        panels.append(Image.fromarray(picture))
    return side_by_side(panels)
