"""How often the box that one click draws lies on the lesion: the lesion model on real patients that nothing was trained on,
a line per scan.

python Testing/demos/one_click.py DATA [TABLE.csv]
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.geometry.hole import hole_of_box
from RadiomicsPersonaLib.imaging.files import read_scan
from RadiomicsPersonaLib.report.results_files import write_rows
from RadiomicsPersonaLib.segmentation.segmenter import box_around, load_segmenting, segment_lesions
from RadiomicsPersonaTrainingLib.head_evaluation.segmentation import agreement
from RadiomicsPersonaTrainingLib.verdict.cases import verdict_scans

HELD = 0.5
"""Share of the lesion that the box must hold to count."""


def main(arguments: list[str]) -> int:
    """Print a line per scan, then one per source and contrast."""
    model, rows = load_segmenting("lesion"), []
    for held_out in verdict_scans(Path(arguments[0]), None, ["MS", "BraTS", "LGG"], 1000):
        if held_out.lesion is None:
            continue
        scan, lesion = held_out.read(), read_scan(held_out.lesion).array > 0
        found = segment_lesions(scan, model)
        row = {"group": held_out.group, "subject": held_out.subject} | agreement(found.labels > 0, lesion, scan.spacing)
        try:
            hole = hole_of_box(scan, box_around(found, model.name))
            inside = int((lesion[hole.region] & hole.mask).sum())
            row |= {"box_holds": inside / int(lesion.sum()), "box_is_lesion": inside / hole.voxels}
        except InputError:  # nothing was found
            row |= {"box_holds": 0.0, "box_is_lesion": 0.0}
        rows.append(row)
        print(
            f"{row['group']:<14} {row['subject']:<24} Dice {row['dice']:.2f}, the box holds {row['box_holds']:.0%} of the "
            "lesion",
            flush=True,
        )
    for group in dict.fromkeys(row["group"] for row in rows):
        mine = [row for row in rows if row["group"] == group]
        held, touched = (sum(row["box_holds"] > limit for row in mine) for limit in (HELD, 0))
        dice = np.mean([row["dice"] for row in mine])
        print(
            f"{group:<14} {len(mine):>3} patients: mean Dice {dice:.2f}; box reaches the lesion in {touched}, holds over half "
            f"of it in {held}"
        )
    if arguments[1:]:
        write_rows(arguments[1], rows)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
