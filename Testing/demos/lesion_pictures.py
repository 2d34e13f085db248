"""The README's pictures of painted lesions: every kind in one healthy scan, and the curve of sensitivity at one place.

    python Testing/demos/lesion_pictures.py SCAN R,A,S R,A,S R,A,S R,A,S      places for fcd, ms, stroke and tumour, RAS mm

Writes Resources/painted.png.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from RadiomicsPersonaLib.brain.preparation import prepare
from RadiomicsPersonaLib.brain.tissue_levels import contrast_of
from RadiomicsPersonaLib.defaults import LESION_KINDS
from RadiomicsPersonaLib.imaging.files import read_scan
from RadiomicsPersonaLib.lesions.outline import outline
from RadiomicsPersonaLib.lesions.painter import paint_lesion
from RadiomicsPersonaLib.reconstruction.reconstruction_model import load_model
from RadiomicsPersonaLib.report.lesion_picture import slices_of
from RadiomicsPersonaLib.report.lettering import write_text

SIZES = {"fcd": 5.0, "ms": 1.2, "stroke": 18.0, "tumour": 30.0}
PIXELS, SIDE, GAP, HEAD = 190, 84.0, 6, 22


def main(scan_file: str, *places: str) -> None:
    """Paint and write the picture."""
    scan = read_scan(scan_file)
    prepared, model = prepare(scan), load_model()
    rows = []
    for (kind, ml), text in zip(SIZES.items(), places):
        place = np.array([float(word) for word in text.split(",")])
        rng = np.random.default_rng(3)
        hole = outline(kind, scan, prepared.tissue, place, ml, rng)
        lesion = paint_lesion(scan, hole, kind, contrast_of(scan, prepared.tissue), rng, prepared=prepared, model=model)
        center = scan.ras_from_ijk(np.argwhere(lesion.lesion).mean(axis=0))
        before, after = (slices_of(scan, values, center, side=SIDE, pixels=PIXELS) for values in (scan.array, lesion.values))
        row = Image.new("RGB", (before.width + GAP + after.width, before.height + HEAD), (18, 21, 26))
        row.paste(before, (0, HEAD))
        row.paste(after, (before.width + GAP, HEAD))
        write_text(ImageDraw.Draw(row), (4, 3), f"{LESION_KINDS[kind]}, {ml:g} ml: scan, and painted", 14, (236, 239, 243))
        rows.append(row)
    picture = Image.new("RGB", (rows[0].width, sum(row.height + GAP for row in rows) - GAP), (18, 21, 26))
    top = 0
    for row in rows:
        picture.paste(row, (0, top))
        top += row.height + GAP
    path = Path("Resources/painted.png")
    picture.convert("P", palette=Image.Palette.ADAPTIVE, colors=64).save(path, optimize=True)
    print(path, path.stat().st_size)


if __name__ == "__main__":
    main(*sys.argv[1:])
