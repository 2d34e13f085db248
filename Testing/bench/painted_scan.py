"""Scans to paint into: the demo's template at 2 mm, as T1 and as it might look in other contrasts; made once."""

from __future__ import annotations

from functools import cache

import numpy as np

from RadiomicsPersonaLib.brain.preparation import PreparedScan, prepare
from RadiomicsPersonaLib.imaging.scan import Scan
from RadiomicsPersonaLib.reconstruction.reconstruction_model import Model, load_model

CORTEX, DEEP_WHITE = np.array([40.0, 26.0, 32.0]), np.array([26.0, -32.0, 30.0])
"""Places in the template, RAS millimetres."""


@cache
def template() -> Scan:
    """The ICBM152 T1 template at 2 mm."""
    from nilearn.datasets import load_mni152_template

    image = load_mni152_template(resolution=2)
    return Scan(np.asarray(image.dataobj, np.float32), np.array(image.affine), "template")


@cache
def contrast_scan(contrast: str) -> tuple[Scan, PreparedScan, Model]:
    """The template in a contrast, prepared with nothing hidden, and the model that rebuilds it."""
    from RadiomicsPersonaTrainingLib.synthesis.tissue_contrast import as_contrast

    prepared = prepare(template())
    if contrast in ("T2", "FLAIR"):
        prepared = prepare(as_contrast(template(), prepared.tissue, contrast, np.random.default_rng(0)))
    return prepared.scan, prepared, load_model("harmonic")
