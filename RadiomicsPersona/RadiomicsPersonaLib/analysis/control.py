"""Control: healthy boxes of the same scan against which boxes are judged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..brain.mirror import mirror_is_free
from ..brain.preparation import PreparedScan
from ..errors import InputError
from ..geometry.box import Box, lattice_of
from ..geometry.hole import Hole, hole_of_box
from .halton import halton

CANDIDATES = 1024
"""Places on either side of the midplane that are looked at, one after the other, until enough controls are found."""
SIDES = (10.0, 80.0)
"""Shortest and longest edge of a control, millimetres; edges are spread evenly by their logarithm."""
STRETCH = 1.25
"""How much longer or shorter than the usual edge of a control one of its edges is at most."""
LEAST_BRAIN = 0.7
"""Share of a control that is brain at least."""
MOST_COMMON = 0.4
"""Share of the smaller one's volume that two controls have in common at most."""
POINTS = 2000
"""Voxels of a shape at which the tissue is looked up, about."""
MOST_PLACED = 4
"""Times as many controls are placed at most as each box is to be held against."""
MOST_SUSPECT = 0.02
"""Share of a control that the lesion model may mark at most."""


@dataclass(frozen=True, eq=False)
class PlacedControl:
    """A control before it is rebuilt: its box and its voxels."""

    box: Box
    hole: Hole


def check_count(controls: int) -> None:
    """Refuse a number of controls that nobody can want.

    Raises:
        InputError: it is negative, or above 1000.
    """
    if not 0 <= controls <= 1000:
        raise InputError(f"The number of control regions is {controls}: give a number from 0 to 1000.")


def place_controls(
    prepared: PreparedScan, count: int, seed: int = 0, clean: bool = True, boxes: Sequence[Hole] = ()
) -> list[PlacedControl]:
    """Healthy boxes of all sizes, spread over the brain, for all boxes of a scan.

    Scores are adjusted for size and make-up (see `score`), so that controls need not be as large as the box they are for.
    They are looked for in a fixed order, each beside its mirror image. A control touches no suspect, holds next to nothing
    that the lesion model marks, neither here nor on its mirrored side, lies inside the scan and mostly in brain, and shares
    little of its volume with another. What is decided of one place changes none that was found before it. The same seed gives
    the same places, whatever the boxes: these only decide how many are looked for.

    Args:
        clean: whether what the lesion model marks is left out; False for boxes that stand for any box in a healthy person.
        boxes: the user's; controls are placed until so many do not touch each of them, see `apart_from`.
    Returns:
        `count` controls, or more where some touch a box, or fewer where there is no room.
    """
    placed: list[PlacedControl] = []
    apart = [0] * max(len(boxes), 1)
    if count == 0:
        return placed
    for center, size in zip(*_candidates(prepared, seed)):
        if min(apart) >= count or len(placed) == MOST_PLACED * count:
            break
        box = Box(center, size, np.eye(3), f"control {len(placed) + 1}")
        if float((prepared.tissue.classes_at(lattice_of(box)) > 0).mean()) < LEAST_BRAIN:
            continue
        if any(_common(box, other.box) > MOST_COMMON for other in placed):
            continue
        hole = _free_hole(prepared, box)
        if hole is not None and not (clean and (_is_suspect(prepared, hole) or not _mirror_is_unmarked(prepared, box))):
            placed.append(PlacedControl(box, hole))
            apart = [n + (not hole.touches(other)) for n, other in zip(apart, boxes)] if boxes else [len(placed)]
    return placed


def apart_from(placed: list[PlacedControl], hole: Hole, count: int) -> list[int]:
    """The numbers of the first `count` controls that do not touch a box: those that it is held against."""
    return [number for number, control in enumerate(placed) if not control.hole.touches(hole)][:count]


def place_shape(prepared: PreparedScan, shape: Hole, count: int, seed: int = 0) -> list[Hole]:
    """The voxels of a hole moved, not turned, to healthy places of the brain, in the order in which `place_controls` looks.

    Each lies inside the scan and mostly in brain, touches no suspect, holds next to nothing that the lesion model marks, and
    shares little of its volume with another.

    Returns:
        Up to `count` holes.
    """
    scan, placed = prepared.scan, []
    index = np.argwhere(shape.mask)
    middle = np.rint(index.mean(axis=0)).astype(int)
    some = index[:: max(1, len(index) // POINTS)]
    for center in _candidates(prepared, seed)[0] if count else ():
        if len(placed) == count:
            break
        start = np.rint(scan.ijk_from_ras(center)).astype(int) - middle
        if (start < 0).any() or (start + shape.mask.shape > scan.shape).any():
            continue
        if float((prepared.tissue.classes_at(scan.ras_from_ijk(some + start)) > 0).mean()) < LEAST_BRAIN:
            continue
        hole = Hole(start, shape.mask)
        common = (int((hole.mask & other.mask_over(start, hole.mask.shape)).sum()) for other in placed)
        if any(voxels > MOST_COMMON * hole.voxels for voxels in common):
            continue
        if not (prepared.suspects is not None and hole.touches(prepared.suspects)) and not _is_suspect(prepared, hole):
            placed.append(hole)
    return placed


def mirror_is_healthy(prepared: PreparedScan, box: Box) -> bool:
    """Whether the mirrored side may stand for healthy tissue: it lies in no suspect, and the lesion model marks next to nothing
    in it. Else a healthy box opposite a lesion would be called for the lesion's sake.
    """
    return mirror_is_free(prepared, box) and _mirror_is_unmarked(prepared, box)


def _mirror_is_unmarked(prepared: PreparedScan, box: Box) -> bool:
    """Whether the lesion model marks next to nothing on the mirrored side."""
    evidence = prepared.evidence
    if evidence is None:
        return True
    points = lattice_of(box.transformed(prepared.midplane.reflection))
    return float(evidence.grid.nearest_values(evidence.suspect, points).mean()) <= MOST_SUSPECT


def _common(box: Box, other: Box) -> float:
    """Volume that two upright boxes have in common, as a share of the smaller one's."""
    low = np.maximum(box.center - box.size / 2, other.center - other.size / 2)
    high = np.minimum(box.center + box.size / 2, other.center + other.size / 2)
    return float(np.prod(np.maximum(high - low, 0)) / min(np.prod(box.size), np.prod(other.size)))


def independent(boxes: list[Box]) -> float:
    """How many boxes without overlap tell as much as these (Kish 1965)."""
    if not boxes:
        return 0.0
    common = np.array([[_common(a, b) for b in boxes] for a in boxes])
    return len(boxes) ** 2 / float(common.sum())


def _free_hole(prepared: PreparedScan, box: Box) -> Hole | None:
    """The voxels of a box that is inside the scan and touches no suspect; else None."""
    corners = prepared.scan.ijk_from_ras(box.corners)
    if (corners < -0.5).any() or (corners > np.array(prepared.scan.shape) - 0.5).any():
        return None
    try:
        hole = hole_of_box(prepared.scan, box)
    except InputError:  # thinner than the slices and between two of them
        return None
    suspects = prepared.suspects
    if suspects is not None and hole.touches(suspects):
        return None
    return hole


def _is_suspect(prepared: PreparedScan, hole: Hole) -> bool:
    """Whether the lesion model marks a part of a place, so that it cannot stand for healthy tissue."""
    evidence = prepared.evidence
    if evidence is None:
        return False
    inside = evidence.holding(prepared.scan, hole)
    return bool(evidence.suspect[inside].mean() > MOST_SUSPECT) if inside.any() else False


def _candidates(prepared: PreparedScan, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Centres, RAS millimetres, and edges, millimetres, each (n, 3), spread evenly, every one beside its mirror image."""
    tissue, normal = prepared.tissue, prepared.midplane.normal
    brain = tissue.grid.patch.ras_from_ijk(np.argwhere(tissue.brain))
    forward = np.array([0.0, 1.0, 0.0]) - normal[1] * normal
    forward /= np.linalg.norm(forward)
    axes = np.stack([normal, forward, np.cross(normal, forward)])
    middle = brain.mean(axis=0)
    middle += (prepared.midplane.offset - middle @ normal) * normal
    reach = np.abs((brain - middle) @ axes.T).max(axis=0)
    unit = halton(7, CANDIDATES, seed)
    place = unit[:, :3] * [1, 2, 2] - [0, 1, 1]
    centers = middle + (np.stack([place, place * [-1, 1, 1]], axis=1).reshape(-1, 3) * reach) @ axes
    low, high = np.log(SIDES)
    sizes = np.exp(low + (high - low) * unit[:, 3:4] + (2 * unit[:, 4:7] - 1) * np.log(STRETCH))
    return centers, np.repeat(sizes, 2, axis=0)
