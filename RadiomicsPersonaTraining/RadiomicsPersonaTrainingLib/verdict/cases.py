"""Cases: boxes whose truth is known, in scans that nothing was fitted on."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np

from RadiomicsPersonaLib.brain.midplane import Midplane
from RadiomicsPersonaLib.brain.tissue import Tissue
from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.geometry.box import Box, lattice_of
from RadiomicsPersonaLib.geometry.hole import hole_of_box
from RadiomicsPersonaLib.geometry.markups import boxes_from_label_map
from RadiomicsPersonaLib.imaging.files import name_of, read_label_map
from RadiomicsPersonaLib.imaging.scan import Scan
from RadiomicsPersonaLib.system.csv_table import CsvTable

from ..data.held_out import HeldOutScan
from ..data.held_out_groups import EVALUATION_ONLY, OASIS, held_out_scans
from ..data.split import scans_in
from ..samples.random_holes import random_box

TIGHT, THIRD_OFF, HALF_OFF = "tight", "a third off", "half off"
LOOSE = {"1.25 times": 1.25, "1.5 times": 1.5, "twice": 2.0}
DRAWN = (TIGHT, *LOOSE, THIRD_OFF, HALF_OFF)
"""How boxes are drawn around a lesion: its bounding box; larger along every side; off by a third of its size along every axis,
or by half along one."""
CUBE, MIRRORED, HEALTHY = "30 mm cube", "mirrored side", "healthy"
"""A cube on the middle of a large lesion; the lesion-free side of a patient; a healthy person."""
LEAST_SIDE = 8.0
"""Millimetres; nobody draws a smaller box around a small lesion."""
LEAST_VOXELS = 27
MOST_LESIONS = {"MS": 6}
"""Lesions of a patient that are taken, the largest first, where a source has several; otherwise one."""
LEAST_CUBED = 30.0
"""Millimetres of a lesion's longest side from which on it is also given a cube."""
HEALTHY_SIDES = 2 * ((10.0, 16.0), (16.0, 24.0), (24.0, 40.0), (40.0, 56.0), (56.0, 80.0), (70.0, 130.0))
"""Ranges of sides, millimetres, of the boxes in every healthy person, two of each; the last are up to most of a hemisphere."""


@dataclass(frozen=True, eq=False)
class VerdictCase:
    """One box of one scan.

    Attributes:
        group, subject: as in `HeldOutScan`.
        kind: one of the kinds above.
        number: of the lesion, the largest first, or of the healthy box.
        box: the box.
    """

    group: str
    subject: str
    kind: str
    number: int
    box: Box

    @property
    def key(self) -> str:
        """What tells it from all others."""
        return f"{self.group} / {self.subject} / {self.kind} / {self.number}"


def verdict_scans(root: Path, card: dict | None, groups: list[str] | None = None, most: int | None = None) -> list[HeldOutScan]:
    """The patients and healthy people beneath a data folder that nothing was fitted on; see `held_out_scans`.

    Nobody is taken twice, and OASIS comes last.
    """
    found = [held_out for held_out in held_out_scans(root, card, groups, most) if held_out.again is None]
    found.sort(key=lambda held_out: held_out.group == OASIS)
    return [held_out for held_out in found if held_out.read_places is None or held_out.lesion]


def ages_in(root: Path) -> dict[str, float]:
    """Years of the healthy people beneath a data folder, by the subjects of `verdict_scans`, as healthy/subjects.tsv tells."""
    table = root / "healthy" / "subjects.tsv"
    if not table.is_file():
        return {}
    told = {row["subject"]: float(row["age"]) for _, row in CsvTable(table) if row.get("age")}
    folder = root / EVALUATION_ONLY[OASIS]
    scans = scans_in(folder) if folder.is_dir() else []
    return told | {name_of(file): told[name] for file in scans if (name := "_".join(file.name.split("_")[:2])) in told}


def cases_of(held_out: HeldOutScan, scan: Scan, tissue: Tissue, midplane: Midplane) -> list[VerdictCase]:
    """The boxes of one scan.

    Args:
        held_out, scan: what it is, and what it reads as.
        tissue, midplane: of the scan.
    """
    found: list[VerdictCase] = []

    def add(kind: str, number: int, box: Box | None) -> None:
        if box is not None:
            found.append(VerdictCase(held_out.group, held_out.subject, kind, number, box))

    rng = np.random.default_rng((0, zlib.crc32(held_out.subject.encode())))
    if held_out.lesion is None:
        for number, sides in enumerate(HEALTHY_SIDES):
            share = 0.75 if sides[0] < 40 else 0.6 if sides[0] < 70 else 0.5
            add(HEALTHY, number, random_box(scan, tissue, rng, sides, brain_share=share))
        return found
    mask = read_label_map(held_out.lesion)
    lesion = mask.array > 0
    boxes = boxes_from_label_map(lesion.astype(np.uint8), mask.affine, min_voxels=LEAST_VOXELS)
    boxes.sort(key=lambda box: -box.volume_ml)
    for number, box in enumerate(boxes[: MOST_LESIONS.get(held_out.group.split(" ")[0], 1)]):
        tight = Box(box.center, np.maximum(box.size, LEAST_SIDE), box.axes, "lesion")
        for kind, drawn in drawn_boxes(tight, rng, tissue).items():
            add(kind, number, drawn)
        if tight.size.max() >= LEAST_CUBED:
            own = np.argwhere(lesion & hole_of_box(scan, tight).full_mask(scan.shape))
            add(CUBE, number, Box(scan.ras_from_ijk(own.mean(axis=0)), np.full(3, 30.0), name="lesion"))
        opposite = tight.transformed(midplane.reflection, "lesion")
        if not _holds(scan, opposite, lesion) and (tissue.classes_at(lattice_of(opposite)) > 0).mean() >= 0.5:
            add(MIRRORED, number, opposite)
    return found


def drawn_boxes(tight: Box, rng: np.random.Generator, tissue: Tissue | None = None) -> dict[str, Box]:
    """A lesion's bounding box as people draw it, by `DRAWN`.

    Args:
        tissue: where it is given, boxes off the lesion lie on the side where most of them is brain; else on any.
    """
    boxes = {TIGHT: tight} | {kind: Box(tight.center, k * tight.size, tight.axes, tight.name) for kind, k in LOOSE.items()}
    every = np.array(list(product((-1, 1), repeat=3))) / 3
    one = np.concatenate([np.eye(3), -np.eye(3)]) / 2
    for kind, steps in ((THIRD_OFF, every), (HALF_OFF, one)):
        moved = [tight.moved_to(tight.center + tight.axes @ (step * tight.size)) for step in steps]
        if tissue is None:
            boxes[kind] = moved[rng.integers(len(moved))]
        else:
            boxes[kind] = max(moved, key=lambda box: float((tissue.classes_at(lattice_of(box)) > 0).mean()))
    return boxes


def _holds(scan: Scan, box: Box, lesion: np.ndarray) -> bool:
    """Whether a box holds a voxel of the lesion, or none of the scan."""
    try:
        hole = hole_of_box(scan, box)
    except InputError:
        return True
    return bool(lesion[hole.region][hole.mask].any())
