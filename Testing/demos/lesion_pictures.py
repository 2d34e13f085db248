"""The documentation's picture of painted lesions: every kind in one healthy scan.

    python Testing/demos/lesion_pictures.py SCAN R,A,S R,A,S R,A,S R,A,S      places for fcd, ms, stroke and tumour, RAS mm

Writes Resources/painted.png in less than a minute. The documentation's is of a healthy person of ds002748 (OpenNeuro, CC0):

    python Testing/demos/lesion_pictures.py sub-70_T1w.nii.gz 34,58,56 28,2,44 40,28,48 34,44,43
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
from RadiomicsPersonaLib.lesions.lesion_picture import before_and_after, sheet_of, strip_of
from RadiomicsPersonaLib.lesions.outline import outline
from RadiomicsPersonaLib.lesions.painter import paint_lesion
from RadiomicsPersonaLib.reconstruction.reconstruction_model import load_model
from RadiomicsPersonaLib.report.lettering import write_text

SIZES = {"fcd": 5.0, "ms": 1.2, "stroke": 18.0, "tumour": 30.0}
PIXELS, SIDE, TITLE = 190, 84.0, 22


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
        shown = before_and_after(scan, lesion.values, lesion.lesion)[:2]
        strip = strip_of(scan, shown, center, SIDE, PIXELS)
        row = Image.new("RGB", (strip.width, TITLE + strip.height), (18, 21, 26))
        row.paste(strip, (0, TITLE))
        write_text(ImageDraw.Draw(row), (0, 3), f"{LESION_KINDS[kind]}, {ml:g} ml", 14, (236, 239, 243))
        rows.append(row)
    picture = sheet_of(rows, [volume.head for volume in shown], PIXELS)
    path = Path("Resources/painted.png")
    picture.convert("P", palette=Image.Palette.ADAPTIVE, colors=64).save(path, optimize=True)
    print(path, path.stat().st_size)


if __name__ == "__main__":
    main(*sys.argv[1:])
