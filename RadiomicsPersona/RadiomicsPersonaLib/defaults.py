"""Defaults: what the panel, the command line and the library do alike unless they are told otherwise; nothing to import."""

from __future__ import annotations

USUAL_THRESHOLDS = {"p": 0.05, "classifier": 0.5}
"""Decisions that need no threshold of the user's; every text that names one of these is made from here."""
USUAL_PERCENT = 100 * (1 - USUAL_THRESHOLDS["p"])
"""Percent of the healthy boxes that the usual threshold of p leaves below it; reports mark this place in a score."""
USUAL_CONTROLS = 15
"""Healthy boxes of a scan unless the user asks for another number. They set the scale of the scores; p rests on many more,
those of other people."""

DEFAULT_MODEL = "auto"
CLASSICAL = {
    "rim-mean": "the mean of the voxels that touch the hole",
    "harmonic": "Laplace equation with the rim as boundary",
    "biharmonic": "biharmonic equation, continuing values and slopes of the rim",
    "mirror": "the mirrored side of the same scan",
}
"""Models that need no weights, with what fills the hole."""

HOLE_FILLS = ("biharmonic", "mean", "constant", "noise")
"""What a network may be shown in the hole, see `network_input.with_fill`; a model's card says what it was trained with."""

LESION_MODEL = "lesion"
"""The model that the panel segments with unless another is chosen."""
SEGMENT_MARGIN_MM = 2.0
"""Millimetres around a segment, so that its border lies inside its box."""

LESION_KINDS = {"fcd": "focal cortical dysplasia", "ms": "MS lesion", "stroke": "infarct", "tumour": "tumour"}
"""Kinds of lesions that can be painted, with what they are called."""
LESION_CONTRASTS = ("T1", "T1 post", "T2", "FLAIR")
"""Contrasts that they can be painted in."""
LESION_STRENGTH = (0.05, 2.0)
"""Their least and greatest strength, a factor on the brightness that `kinds.SIGNAL` gives: 1 is a usual lesion of its kind,
0.25 a faint one."""

RESEARCH_USE = "Research use only, not a medical device."
