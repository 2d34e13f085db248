"""The README's picture of a real lesion: one of multiple sclerosis in a T1-weighted scan, its healthy persona, the difference.

    python Testing/demos/real_lesion.py DATA/lesion/ms/patient26

The patient is number 26 of Lesjak et al. 2018, doi 10.1007/s12021-017-9348-7, whose scans are CC BY.
Writes Resources/real-lesion.png.
"""

from __future__ import annotations

import sys
from pathlib import Path

from PIL import Image, ImageDraw

import RadiomicsPersonaLib as rp
from RadiomicsPersonaLib.report.lettering import write_text
from RadiomicsPersonaLib.report.picture import (
    BACKGROUND,
    COLUMNS,
    FAINT,
    GAP,
    TEXT,
    difference_range,
    side_by_side,
    slice_row,
)

BOX = rp.Box(center=(17.5, -9.5, 31.5), size=(24, 30, 24), name="MS lesion")
PIXELS, HEAD = 236, 24


def main(patient: str) -> None:
    """Analyze and write the picture."""
    folder = Path(patient)
    known = rp.read_scan(folder / f"{folder.name}_mask.nii.gz").array > 0  # the other lesions are no healthy tissue
    analysis = rp.analyze(folder / f"{folder.name}_T1.nii.gz", BOX, exclude=known)
    (result,) = analysis.boxes
    print(result.word, result.reason, result.where, result.error_rates, *result.warnings, *analysis.warnings, sep="\n")
    rows = [side_by_side(slice_row(analysis, result, orientation, PIXELS)) for orientation in ("axial", "coronal")]
    image = Image.new("RGB", (rows[0].width, 2 * HEAD + sum(row.height + GAP for row in rows) - GAP), BACKGROUND)
    draw = ImageDraw.Draw(image)
    reach = difference_range(analysis)
    colours = f"Yellow: what is unusual. Difference: blue darker, red brighter, to {reach:g} {analysis.unit}."
    write_text(draw, (4, 3), f"{result.word.upper()}, p = {result.p:.2g}. {colours}", 15, TEXT)
    for column, head in enumerate(COLUMNS):
        write_text(draw, (4 + column * (PIXELS + GAP), HEAD + 3), head, 14, FAINT)
    for number, row in enumerate(rows):
        image.paste(row, (0, 2 * HEAD + number * (row.height + GAP)))
    path = Path("Resources/real-lesion.png")
    image.convert("P", palette=Image.Palette.ADAPTIVE, colors=128).save(path, optimize=True)
    print(path, path.stat().st_size)


if __name__ == "__main__":
    main(*sys.argv[1:])
