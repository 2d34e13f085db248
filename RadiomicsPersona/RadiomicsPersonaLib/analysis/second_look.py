"""Second look: the persona that is shown of a called box, in which only what deviates is rebuilt.

The first persona is blind to the whole box, and every number of a verdict rests on it alone. A large hole leaves the network
little to go by: falx, gyri and ventricles fade into fog. So once the verdict is made, what deviates is rebuilt again, with what
is healthy in the box around it as context. It is no test of anything: what is kept was chosen by looking.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy import ndimage

from ..brain.evidence import grown_and_shrunk
from ..brain.preparation import PreparedScan
from ..geometry.hole import Hole, union_of
from ..metrics.deviation_map import deviation_p
from ..reconstruction.reconstruction import Reconstruction, rebuild
from ..reconstruction.reconstruction_model import Model
from .control import place_controls
from .part import far_off, unusual_in

LEAST_EVIDENCE = 0.5
"""Smoothed -log10 p from which on a voxel's difference from its persona is doubtful: p = 0.3."""
LEAST_ODDS, PERCENTILE = -3.0, 90.0
"""Smoothed log odds of lesion from which on a voxel is doubtful, and the percentile of the brain outside that they exceed."""
GROWN = 3.0
"""Millimetres by which what is doubtful grows."""
CLOSED = 4.0
"""Millimetres up to which gaps between doubtful parts are closed."""
MOST_REBUILT = 0.85
"""Share of a box's brain from which on the first persona is as good: hardly anything is left as context."""
CONTROLS = 12
"""Healthy boxes that a persona without a verdict is held against."""


def doubtful_in(prepared: PreparedScan, hole: Hole, voxel_p: np.ndarray, unusual: np.ndarray) -> np.ndarray:
    """The voxels of a box that are rebuilt again: all of its brain but what is confidently healthy and joined to the rim.

    Args:
        voxel_p: p of every voxel's difference over the hole's region, see `deviation_map.deviation_p`.
        unusual: boolean, same shape: the voxels that drive the verdict.
    Returns:
        boolean over the hole's region, axes I, J, K.
    """
    found = unusual | far_off(prepared.scan, hole, voxel_p, LEAST_EVIDENCE)
    brain = hole.mask
    if prepared.evidence is not None:
        found |= prepared.evidence.marked_in(prepared.scan, hole, prepared.suspects, PERCENTILE, LEAST_ODDS)
        brain = prepared.evidence.brain_in(prepared.scan, hole)
    found &= brain
    if not found.any():
        return found
    doubtful = grown_and_shrunk(found, prepared.scan.spacing, GROWN + CLOSED, CLOSED) & brain
    healthy = hole.mask & ~doubtful
    rim = hole.mask & ~ndimage.binary_erosion(hole.mask, border_value=0)
    joined = ndimage.binary_propagation(healthy & rim, mask=healthy)
    return brain & ~joined


def second_look(
    prepared: PreparedScan, others: list[Hole], hole: Hole, doubtful: np.ndarray, model: Model, went_without: bool
) -> Reconstruction | None:
    """Rebuild what is doubtful in a box, seen from the rest of the box and of the scan, and from the mirrored side voxel by
    voxel: all of it but what is hidden itself.

    Args:
        prepared: the scan, prepared without looking into any box.
        others: what else must not be looked at: other boxes, excluded voxels, what the lesion model marks.
        hole: of the box.
        doubtful: from `doubtful_in`.
        went_without: whether the first persona was made without the mirrored side, as it is where a part of that is hidden,
            to be fair to the healthy boxes. Then all of the box's brain is rebuilt where nearly all is doubtful.
    Returns:
        None where nothing is doubtful, or so much that the first persona is as good.
    """
    brain = hole.mask if prepared.evidence is None else prepared.evidence.brain_in(prepared.scan, hole)
    if not doubtful.any():
        return None
    if doubtful.sum() > MOST_REBUILT * brain.sum():
        if not went_without:
            return None
        doubtful = brain
    corner = np.argwhere(doubtful)
    low, high = corner.min(axis=0), corner.max(axis=0) + 1
    inner = Hole(hole.start + low, doubtful[tuple(slice(a, b) for a, b in zip(low, high))])
    seen = replace(prepared, suspects=union_of([inner, *others]))
    seen.take_maps_of(prepared)
    [reconstruction] = rebuild(seen, [inner], model)
    return reconstruction


def second_looks(prepared: PreparedScan, personas: list[Reconstruction], model: Model) -> list[Reconstruction]:
    """The second look at personas that no verdict was asked for, of boxes or masks.

    What deviates is told from a few healthy boxes. A persona stays where nothing is doubtful, or nearly all.

    Args:
        prepared: the scan, prepared without looking into any of the holes.
        personas: blind to their whole holes, and to each other's.
    """
    placed = place_controls(prepared, CONTROLS)
    controls = rebuild(prepared.hiding_marked(), [control.hole for control in placed], model)
    marked = [] if prepared.marked is None else [prepared.marked]
    looks = []
    for persona in personas:
        hole = persona.hole
        voxel_p = deviation_p(prepared.scan, persona, controls)
        doubtful = doubtful_in(prepared, hole, voxel_p, unusual_in(prepared, hole, voxel_p))
        others = [other.hole for other in personas if other is not persona]
        looks.append(second_look(prepared, others + marked, hole, doubtful, model, False) or persona)
    return looks
