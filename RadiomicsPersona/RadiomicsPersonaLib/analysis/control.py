"""Control: healthy boxes of the same scan against which a box is judged."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..brain.preparation import PreparedScan
from ..brain.tissue import Tissue, tissue_of_rebuilt
from ..errors import InputError
from ..geometry.box import Box, lattice_of, overlaps
from ..geometry.hole import Hole, hole_of_box
from ..reconstruction.reconstruction import Reconstruction

CANDIDATES = 2048
"""Places on either side of the midplane that are looked at, about half of which lie in the brain."""
ALLOWANCES = ((0.4, 0.35), (0.6, 0.35), (0.8, 0.5))
"""Share of their volume that two controls may have in common, and the largest tissue mismatch;
the next pair where too few fit."""
DEPTH_UNIT = 50.0
"""Millimetres of difference in depth that weigh as much as a tissue mismatch of 1: the value from 5 to 200, and none, with
which the best matched boxes tell most of a healthy box's deviation and intensity."""


@dataclass(frozen=True, eq=False)
class PlacedControl:
    """A control before it is rebuilt: its box, its voxels, and how far its tissue and its depth (mm) are from the user's
    box.
    """

    box: Box
    hole: Hole
    mismatch: float
    depth_difference: float


def place_controls(
    prepared: PreparedScan, box: Box, reconstruction: Reconstruction, count: int, seed: int
) -> list[PlacedControl]:
    """The mirrored box, and boxes of the same size whose tissue make-up and depth are closest.

    The make-up of the user's box is that of its healthy persona, so that a lesion does not choose its own controls: the
    shares of not brain, fluid, grey and white matter. Depth is the mean distance from the brain's surface. A control touches no
    suspect voxel, lies inside the scan, and overlaps others no more than `ALLOWANCES` say: large boxes find no room without.
    The same seed gives the same places, and in the mirrored scan the mirrored ones.

    Returns:
        Up to `count` controls, the mirrored one first where it is usable.
    """
    if count == 0:
        return []
    points = lattice_of(box)
    hole = reconstruction.hole
    persona = tissue_of_rebuilt(prepared.scan, prepared.tissue, prepared.suspects, hole, reconstruction.values)
    wanted = _shares(persona, points[None])[0], persona.depth_at(points).mean()
    mirrored = box.transformed(prepared.midplane.reflection, "mirror")
    centers = _candidate_centers(prepared, seed)
    everywhere = np.concatenate([lattice_of(mirrored)[None], centers[:, None] + (points - box.center)])
    mismatch = 0.5 * np.abs(_shares(prepared.tissue, everywhere) - wanted[0]).sum(axis=1)
    deeper = prepared.tissue.depth_at(everywhere).mean(axis=1) - wanted[1]
    order = np.argsort(mismatch + np.abs(deeper) / DEPTH_UNIT, kind="stable")
    placed: list[PlacedControl] = []
    barred: set[int] = set()
    for overlap, greatest_mismatch in ALLOWANCES:
        for index in [0, *order[order > 0]]:
            if len(placed) >= count:
                return placed
            if index in barred or mismatch[index] > greatest_mismatch:
                continue
            chosen = mirrored if index == 0 else box.moved_to(centers[index - 1], f"control {len(placed) + 1}")
            if placed and max(overlaps([chosen], [other.box for other in placed])[0]) > overlap:
                continue
            barred.add(index)
            hole = _free_hole(prepared, chosen)
            if hole is not None:
                placed.append(PlacedControl(chosen, hole, float(mismatch[index]), float(deeper[index])))
    return placed


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
    if suspects is not None and (hole.mask & suspects.mask_over(hole.start, hole.mask.shape)).any():
        return None
    return hole


def _candidate_centers(prepared: PreparedScan, seed: int) -> np.ndarray:
    """Points spread evenly through the brain, RAS millimetres, (n, 3), every one beside its reflection at the midplane."""
    from scipy.stats import qmc  # takes a second to load, for which reports need not wait

    tissue, normal = prepared.tissue, prepared.midplane.normal
    brain = tissue.grid.patch.ras_from_ijk(np.argwhere(tissue.brain))
    forward = np.array([0.0, 1.0, 0.0]) - normal[1] * normal
    forward /= np.linalg.norm(forward)
    axes = np.stack([normal, forward, np.cross(normal, forward)])
    middle = brain.mean(axis=0)
    middle += (prepared.midplane.offset - middle @ normal) * normal
    reach = np.abs((brain - middle) @ axes.T).max(axis=0)
    unit = qmc.Halton(3, scramble=True, seed=seed).random(CANDIDATES)
    right = unit * [1, 2, 2] - [0, 1, 1]
    both = np.stack([right, right * [-1, 1, 1]], axis=1).reshape(-1, 3)
    centers = middle + (both * reach) @ axes
    return centers[tissue.classes_at(centers) > 0]


def _shares(tissue: Tissue, points: np.ndarray) -> np.ndarray:
    """Shares of not brain, fluid, grey and white in boxes given by their points (n, m, 3); shape (n, 4)."""
    classes = tissue.classes_at(points)
    return np.stack([(classes == c).mean(axis=1) for c in range(4)], axis=1)
