"""Recognition: why a scan is no brain MRI of which anything can be said."""

from __future__ import annotations

import numpy as np

from .preparation import PreparedScan

CT_AIR, CT_BRAIN = -500.0, (-100.0, 200.0)
"""Hounsfield units: air lies below the first, brain between the others."""
LEAST_SYMMETRY = 0.3
"""Correlation of a brain with its reflection: 0.8 to 0.97 in heads of six sources."""


def why_no_brain(prepared: PreparedScan) -> str | None:
    """Why this is no brain MRI, one clause, or None; also None where there is no tissue model that could tell."""
    tissue = prepared.tissue
    values = prepared.scan.array
    lowest = float(np.percentile(values[:: max(1, values.shape[0] // 64)], 1))
    if lowest <= CT_AIR and CT_BRAIN[0] <= tissue.scale.center <= CT_BRAIN[1]:
        return "the intensities are Hounsfield units of a CT, so choose an MRI of a brain"
    if tissue.doubt:
        return f"no brain was recognised ({tissue.doubt}), so check that this is a whole MRI of a brain"
    if tissue.anatomy is not None and prepared.midplane.symmetry < LEAST_SYMMETRY:
        return "no two halves of a brain were recognised, so check that this is a whole MRI of a brain"
    return None
