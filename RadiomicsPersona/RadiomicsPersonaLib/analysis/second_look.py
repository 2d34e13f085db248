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
from ..reconstruction.reconstruction import Reconstruction, rebuild
from ..reconstruction.reconstruction_model import Model
from .part import far_off

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
    prepared: PreparedScan, others: list[Hole], hole: Hole, doubtful: np.ndarray, model: Model, use_mirror: bool
) -> Reconstruction | None:
    """Rebuild what is doubtful in a box, seen from the rest of the box and of the scan.

    Args:
        prepared: the scan, prepared without looking into any box.
        others: what else must not be looked at: other boxes and excluded voxels.
        hole: of the box.
        doubtful: from `doubtful_in`.
        use_mirror: whether the mirrored side may be looked at.
    Returns:
        None where nothing is doubtful, or so much that the first persona is as good.
    """
    brain = hole.mask if prepared.evidence is None else prepared.evidence.brain_in(prepared.scan, hole)
    if not doubtful.any() or doubtful.sum() > MOST_REBUILT * brain.sum():
        return None
    corner = np.argwhere(doubtful)
    low, high = corner.min(axis=0), corner.max(axis=0) + 1
    inner = Hole(hole.start + low, doubtful[tuple(slice(a, b) for a, b in zip(low, high))])
    seen = replace(prepared, suspects=union_of([inner, *others]))
    seen.take_maps_of(prepared)
    [reconstruction] = rebuild(seen, [inner], model, use_mirror)
    return reconstruction
