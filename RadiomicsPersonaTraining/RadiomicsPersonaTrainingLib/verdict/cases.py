"""Cases: boxes whose truth is known, in scans that nothing was fitted on."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from RadiomicsPersonaLib.brain.tissue import Tissue, estimate_tissue
from RadiomicsPersonaLib.geometry.box import Box, lattice_of
from RadiomicsPersonaLib.geometry.markups import boxes_from_label_map
from RadiomicsPersonaLib.imaging.files import read_scan
from RadiomicsPersonaLib.imaging.scan import Scan

from ..data.held_out import HeldOutScan
from ..data.held_out_groups import held_out_scans
from ..samples.random_holes import random_box

TIGHT, WIDE, OFF, HEALTHY = "tight", "1.5 times as large", "half a lesion off", "healthy"
"""Kinds of boxes: around a lesion in three ways, and in a healthy person."""
LEAST_SIDE = 8.0
"""Millimetres; nobody draws a smaller box around a small lesion."""
LEAST_VOXELS = 27
MOST_LESIONS = {"MS": 6}
"""Lesions of a patient that are taken, the largest first, where a source has several; otherwise one."""
HEALTHY_SIDES = 2 * ((12.0, 20.0), (20.0, 32.0), (32.0, 48.0))
"""Ranges of sides, millimetres, of the boxes in every healthy person, two of each:
of 72 boxes 1 to 7 may have p <= 0.05 by chance."""


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
    """The patients and healthy people beneath a data folder that nothing was fitted on; see `held_out_scans`."""
    return [
        held_out for held_out in held_out_scans(root, card, groups, most) if held_out.read_places is None or held_out.lesion
    ]


def cases_of(held_out: HeldOutScan, scan: Scan, kinds: tuple[str, ...] = (TIGHT, WIDE, OFF)) -> Iterator[VerdictCase]:
    """The boxes of one scan.

    Args:
        held_out, scan: what it is, and what it reads as.
        kinds: of boxes around lesions.
    """
    tissue = estimate_tissue(scan)
    if held_out.lesion is None:
        rng = np.random.default_rng((0, zlib.crc32(held_out.subject.encode())))
        for number, sides in enumerate(HEALTHY_SIDES):
            box = random_box(scan, tissue, rng, sides)
            if box is not None:
                yield VerdictCase(held_out.group, held_out.subject, HEALTHY, number, box)
        return
    mask = read_scan(held_out.lesion)
    boxes = boxes_from_label_map((mask.array > 0).astype(np.uint8), mask.affine, min_voxels=LEAST_VOXELS)
    boxes.sort(key=lambda box: -box.volume_ml)
    for number, box in enumerate(boxes[: MOST_LESIONS.get(held_out.group.split(" ")[0], 1)]):
        tight = Box(box.center, np.maximum(box.size, LEAST_SIDE), box.axes, "lesion")
        variants = {TIGHT: tight, WIDE: Box(tight.center, 1.5 * tight.size, tight.axes, "lesion"), OFF: _off(tight, tissue)}
        for kind in kinds:
            yield VerdictCase(held_out.group, held_out.subject, kind, number, variants[kind])


def _off(box: Box, tissue: Tissue) -> Box:
    """The box moved by half its own size to the side on which it holds most brain."""
    moved = [
        box.moved_to(box.center + sign * 0.5 * box.size[axis] * box.axes[:, axis]) for axis in range(3) for sign in (1, -1)
    ]
    return max(moved, key=lambda candidate: float((tissue.classes_at(lattice_of(candidate)) > 0).mean()))
