"""Kinds: which real outlines stand for which kind of lesion, and where lies what was learnt from them;
the standard library only.
"""

from __future__ import annotations

from RadiomicsPersonaLib.resources import TRAINING_LIBRARY, shipped

STROKE, MS, TUMOUR, FCD = "stroke", "ms", "tumour", "fcd"
LEARNT_FROM = {STROKE: STROKE, MS: MS, TUMOUR: STROKE, FCD: STROKE}
"""The kind whose real outlines stand for a kind's: there are public outlines of strokes and of MS alone."""

RESOURCES = shipped("masks", TRAINING_LIBRARY)
"""What is shipped for the drawing of lesion masks: the average brain, real lesions' places, trained generators."""
