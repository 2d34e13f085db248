"""Control: healthy boxes of the same scan against which a box is judged."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .box import Box
from .errors import InputError
from .hole import Hole, hole_of_box
from .preparation import PreparedScan
from .result import Reconstruction
from .tissue import Tissue, tissue_of_rebuilt

LATTICE = 6
"""Points per edge at which a box's tissue is looked up."""
CANDIDATES = 2000
GREATEST_OVERLAP = 0.4
"""Share of their volume that two controls may have in common."""
GREATEST_MISMATCH = 0.35
"""Largest tissue mismatch at which a box still serves as control."""


@dataclass(frozen=True, eq=False)
class PlacedControl:
    """A control before it is rebuilt: its box, its voxels, and how far its tissue is from the user's box."""

    box: Box
    hole: Hole
    mismatch: float


def lattice_of(box: Box) -> np.ndarray:
    """Points spread evenly through a box, RAS millimetres, shape (LATTICE**3, 3)."""
    steps = (np.arange(LATTICE) + 0.5) / LATTICE - 0.5
    unit = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), axis=-1).reshape(-1, 3)
    return box.center + (unit * box.size) @ box.axes.T


def place_controls(
    prepared: PreparedScan, box: Box, reconstruction: Reconstruction, count: int, seed: int
) -> list[PlacedControl]:
    """The mirrored box, and boxes of the same size at random places whose tissue make-up is closest.

    The make-up of the user's box is that of its healthy persona, so that a lesion does not choose its own controls: the
    shares of not brain, fluid, grey and white matter. A control touches no suspect voxel, lies inside the
    scan, and shares at most `GREATEST_OVERLAP` of its volume with another. The same seed gives the same places.

    Returns:
        Up to `count` controls, the mirrored one first where it is usable.
    """
    if count == 0:
        return []
    rng = np.random.default_rng(seed)
    wanted = _make_up(prepared, lattice_of(box), reconstruction)
    offsets = lattice_of(box) - box.center
    centers = _candidate_centers(prepared, rng)
    shares = _shares(prepared.tissue, centers[:, None, :] + offsets[None])
    mismatch = 0.5 * np.abs(shares - wanted).sum(axis=1)
    placed: list[PlacedControl] = []
    mirrored = box.transformed(prepared.midplane.reflection, "mirror")
    own = 0.5 * np.abs(_shares(prepared.tissue, lattice_of(mirrored)[None])[0] - wanted).sum()
    _place(prepared, mirrored, float(own), placed)
    for index in np.argsort(mismatch, kind="stable"):
        if len(placed) >= count or mismatch[index] > GREATEST_MISMATCH:
            break
        _place(prepared, box.moved_to(centers[index], f"control {len(placed) + 1}"), float(mismatch[index]), placed)
    return placed[:count]


def _place(prepared: PreparedScan, box: Box, mismatch: float, placed: list[PlacedControl]) -> None:
    """Append the box when it is free, inside the scan, and close enough in tissue."""
    if mismatch > GREATEST_MISMATCH:
        return
    for other in placed:
        if _overlap(box, other.box) > GREATEST_OVERLAP:
            return
    corners = prepared.scan.ijk_from_ras(box.corners)
    if (corners < -0.5).any() or (corners > np.array(prepared.scan.shape) - 0.5).any():
        return
    try:
        hole = hole_of_box(prepared.scan, box)
    except InputError:  # thinner than the slices and between two of them
        return
    suspects = prepared.suspects
    if suspects is not None and (hole.mask & suspects.mask_over(hole.start, hole.mask.shape)).any():
        return
    placed.append(PlacedControl(box, hole, mismatch))


def _overlap(a: Box, b: Box) -> float:
    if np.linalg.norm(a.center - b.center) > np.linalg.norm(a.size):
        return 0.0
    return float(b.contains(lattice_of(a)).mean())


def _candidate_centers(prepared: PreparedScan, rng: np.random.Generator) -> np.ndarray:
    tissue = prepared.tissue
    places = np.argwhere(tissue.brain)
    index = places[rng.integers(len(places), size=CANDIDATES)] + rng.uniform(-0.5, 0.5, (CANDIDATES, 3))
    return index @ tissue.grid.affine[:3, :3].T + tissue.grid.affine[:3, 3]


def _shares(tissue: Tissue, points: np.ndarray) -> np.ndarray:
    """Shares of not brain, fluid, grey and white in boxes given by their points (n, m, 3); shape (n, 4)."""
    classes = tissue.classes_at(points)
    return np.stack([(classes == c).mean(axis=1) for c in range(4)], axis=1)


def _make_up(prepared: PreparedScan, points: np.ndarray, reconstruction: Reconstruction) -> np.ndarray:
    """Shares of the four classes in the healthy persona at points (m, 3); shape (4,)."""
    hole = reconstruction.hole
    persona = tissue_of_rebuilt(prepared.scan, prepared.tissue, prepared.suspects, hole, reconstruction.values)
    return _shares(persona, points[None])[0]
