"""Lesion picture: three orthogonal slices through a place, as the scan is and as it is with a lesion, and its outline.

As in the report's pictures, panels tell their sides, the first of each plane has a scale bar, and heads say what is shown.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw
from scipy import ndimage

from ..imaging.scan import Scan
from ..report.lettering import write_text
from ..report.picture import BACKGROUND, FAINT, GAP, gray, marked, side_by_side
from ..report.slice_plane import ORIENTATIONS, Plane, cut

OUTLINE = (230, 97, 1)
BAR_MM = 50.0
SCAN, PAINTED, OUTLINED = "Scan", "Painted", "Outline"
HEADS = 24
"""Height of the line of heads."""


@dataclass(frozen=True, eq=False)
class Shown:
    """A volume on the scan's grid.

    Attributes:
        head: what stands above it.
        values: axes I, J, K.
        mask: boolean; its outline is drawn.
    """

    head: str
    values: np.ndarray
    mask: np.ndarray | None = None


def before_and_after(scan: Scan, painted: np.ndarray | None, lesion: np.ndarray) -> tuple[Shown, ...]:
    """Scan, painted scan and outline; scan and outline where nothing is painted."""
    after = () if painted is None else (Shown(PAINTED, painted),)
    return (Shown(SCAN, scan.array), *after, Shown(OUTLINED, scan.array if painted is None else painted, lesion))


def slices_of(scan: Scan, shown: Iterable[Shown], center: np.ndarray, side: float = 90.0, pixels: int = 300) -> Image.Image:
    """A row of panels for each of three planes, with heads; see `panels_of`."""
    shown = tuple(shown)
    rows = [side_by_side(row) for row in panels_of(scan, shown, center, side, pixels)]
    return sheet_of(rows, [volume.head for volume in shown], pixels)


def strip_of(scan: Scan, shown: Iterable[Shown], center: np.ndarray, side: float = 90.0, pixels: int = 200) -> Image.Image:
    """The panels of all planes in one row, without heads; see `panels_of`."""
    return side_by_side([panel for row in panels_of(scan, tuple(shown), center, side, pixels) for panel in row])


def sheet_of(rows: list[Image.Image], heads: list[str], pixels: int) -> Image.Image:
    """Rows below each other, and above them what their panels show, again and again for all planes of a strip."""
    image = Image.new("RGB", (rows[0].width, HEADS + sum(row.height + GAP for row in rows) - GAP), BACKGROUND)
    draw, top = ImageDraw.Draw(image), HEADS
    for number, left in enumerate(range(0, image.width, pixels + GAP)):
        write_text(draw, (left, HEADS - 7), heads[number % len(heads)], 14, FAINT, anchor="ls")
    for row in rows:
        image.paste(row, (0, top))
        top += row.height + GAP
    return image


def panels_of(scan: Scan, shown: tuple[Shown, ...], center: np.ndarray, side: float, pixels: int) -> list[list[Image.Image]]:
    """Axial, coronal and sagittal panels of every volume, in the scan's own window.

    Args:
        center: RAS millimetres.
        side: millimetres that a slice shows.
        pixels: edge of a slice.
    """
    step = max(1, round((scan.array.size / 1e6) ** (1 / 3)))
    low, high = np.percentile(scan.array[::step, ::step, ::step], [1, 99.8])
    rows = []
    for orientation in ORIENTATIONS:
        plane, row = Plane(orientation, np.asarray(center, float), side, pixels), []
        for volume in shown:
            picture = gray(volume.values, scan.affine, plane, (low, max(high, low + 1e-6)))
            if volume.mask is not None:
                inside = cut(volume.mask.astype(np.float32), scan.affine, plane, 0.0) >= 0.5
                picture[inside & ~ndimage.binary_erosion(inside)] = OUTLINE
            first = volume is shown[0]
            caption = f"{orientation}, {plane.position}" if first and pixels >= 260 else ""
            row.append(marked(Image.fromarray(picture), plane, caption, BAR_MM if first else None))
        rows.append(row)
    return rows
