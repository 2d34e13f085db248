"""Recognition: why a scan is no brain MRI of which anything can be said, and what the reader of one should know of it."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from .preparation import PreparedScan

CT_AIR, CT_BRAIN = -500.0, (-100.0, 200.0)
"""Hounsfield units: air lies below the first, brain between the others."""
MOST_HIDDEN_ML = 500.0
"""A third of a brain: boxes that hide more may take away what it is recognised by."""
LEAST_SYMMETRY = 0.3
"""Correlation of a brain with its reflection: 0.8 to 0.97 in heads of six sources."""

BRAIN_ML = (250.0, 2600.0)
"""Millilitres between which the brains of people lie, newborns' and swollen ones among them."""
LEAST_CONTRAST = 0.05
"""Spread of the brain's intensities over its brightness: 0.08 to 0.3 in MRI of six sources, less in a CT with an offset."""
MOST_CUT_SIDES = 3
"""Sides at which a scan may end within the brain; with more it is a piece that was cut out of a head."""
MOST_BORDER = 40.0
"""Square centimetres of brain just within the border of a scan from which on a part of the head is missing; a brain that is cut
out closely has up to 35 there."""
BORDER_POINTS = 40
"""Points along each axis of a border at which its tissue is looked up."""
BORDER_INSET = 6.0
"""Millimetres within the border where it is looked at: nearer the tissue model tells little."""
LEAST_FILLED = 0.01
"""Share of a slice's voxels that differ from its corner from which on the slice is no padding."""
SKULL_REACH = 28.0
"""Millimetres from the brain's upper half beyond which there is air."""
BRIGHT_AIR = 0.12
"""Brightness of the air around a head, its 95th percentile over the brain's median, from which on it is told."""
LEAST_AIR = 200
"""Points of air that are needed for that."""


def why_no_brain(prepared: PreparedScan) -> str | None:
    """Why this is no brain MRI, one clause, or None; also None where there is no tissue model that could tell."""
    tissue = prepared.tissue
    values = prepared.scan.array
    lowest = float(np.percentile(values[:: max(1, values.shape[0] // 64)], 1))
    if lowest <= CT_AIR and CT_BRAIN[0] <= tissue.scale.center <= CT_BRAIN[1]:
        return "the intensities are Hounsfield units of a CT, so choose an MRI of a brain"
    if tissue.doubt and prepared.suspects is not None:
        hidden = prepared.scan.grid.ml_of(prepared.suspects.voxels)
        if hidden >= MOST_HIDDEN_ML:
            return f"the boxes hide {hidden:.0f} ml, too much to recognise the brain around them, so draw them smaller"
    if tissue.doubt:
        return f"no brain was recognised ({tissue.doubt}), so check that this is a whole MRI of a brain"
    if tissue.anatomy is None:
        return None
    if prepared.midplane.symmetry < LEAST_SYMMETRY:
        return "no two halves of a brain were recognised, so check that this is a whole MRI of a brain"
    if tissue.scale.deviation < LEAST_CONTRAST * abs(tissue.scale.center - tissue.background):
        return "grey and white matter hardly differ in brightness, as in a CT, so choose an MRI of a brain"
    cut = [side for side, area in brain_on_border(prepared).items() if area >= MOST_BORDER]
    if len(cut) > MOST_CUT_SIDES:
        return f"the scan ends within the brain on {len(cut)} sides, so choose an MRI of the whole head"
    if not BRAIN_ML[0] <= tissue.brain_ml <= BRAIN_ML[1] and not cut:
        return (
            f"the brain found measures {tissue.brain_ml:.0f} ml, which is no human brain's volume, so check the scan and its "
            "spacing"
        )
    return None


def notes_on_scan(prepared: PreparedScan) -> list[str]:
    """What is unlike the whole, quiet heads that verdicts were measured on, one sentence each."""
    notes = []
    if prepared.tissue.anatomy is None:
        return notes
    cut = {side: area for side, area in brain_on_border(prepared).items() if area >= MOST_BORDER}
    if cut:
        sides = " and ".join(f"{side} ({area:.0f} cm2 of brain)" for side, area in cut.items())
        notes.append(
            f"The scan ends within the brain at its {sides}: a part of the head is missing. Verdicts were measured on whole "
            "heads alone; near that end look twice."
        )
    air = brightness_of_air(prepared)
    if air > BRIGHT_AIR:
        notes.append(
            f"The air around the head is as bright as {air:.0%} of the brain, as with ghosts, motion or fold-over. Verdicts "
            "were measured on scans without; look twice."
        )
    return notes


def brain_on_border(prepared: PreparedScan) -> dict[str, float]:
    """Square centimetres of brain just within each border of what a scan shows, by "right", "left", "front", "back", "top",
    "bottom". What was cut away may be padded with zeros.
    """
    scan = prepared.scan
    shown = _shown(scan.array)
    axes, directions = scan.axes_to_ras
    extents = np.array(scan.shape) * scan.spacing
    found = {}
    for axis, direction, (ahead, behind) in zip(axes, directions, (("right", "left"), ("front", "back"), ("top", "bottom"))):
        area = float(np.prod(np.delete(extents, axis))) / 100
        for side, last in ((ahead, direction > 0), (behind, direction < 0)):
            steps = [np.linspace(0, n - 1, min(n, BORDER_POINTS)) for n in scan.shape]
            low, high = shown[axis]
            inset = min(BORDER_INSET / scan.spacing[axis], (high - low) / 2)
            steps[axis] = np.array([high - inset if last else low + inset])
            points = np.stack(np.meshgrid(*steps, indexing="ij"), axis=-1).reshape(-1, 3)
            found[side] = area * float((prepared.tissue.classes_at(scan.ras_from_ijk(points)) > 0).mean())
    return found


def _shown(array: np.ndarray) -> list[tuple[int, int]]:
    """The first and the last slice along every axis that are more than padding, of which all of a slice is alike."""
    found = []
    for axis, count in enumerate(array.shape):
        corner = tuple(slice(None) if other == axis else slice(0, 1) for other in range(3))
        filled = (array != array[corner]).mean(axis=tuple(np.delete(range(3), axis)))
        index = np.flatnonzero(filled >= LEAST_FILLED)
        found.append((int(index[0]), int(index[-1])) if len(index) else (0, count - 1))
    return found


def brightness_of_air(prepared: PreparedScan) -> float:
    """Brightness of the air beside and above the head, its 95th percentile, as a share of the brain's; 0 where none is seen."""
    scan, tissue = prepared.scan, prepared.tissue
    grid = tissue.grid.patch
    away = ndimage.distance_transform_edt(~tissue.brain, sampling=grid.spacing) > SKULL_REACH
    points = grid.ras_from_ijk(np.argwhere(away & tissue.known))
    middle = np.median(grid.ras_from_ijk(np.argwhere(tissue.brain))[:, 2])
    index = scan.ijk_from_ras(points)
    air = (points[:, 2] > middle) & ((index > 1) & (index < np.array(scan.shape) - 2)).all(axis=1)
    if air.sum() < LEAST_AIR:
        return 0.0
    values = tissue.values[away & tissue.known][air] - tissue.background
    return float(np.percentile(values, 95) / max(tissue.scale.center - tissue.background, 1e-12))
