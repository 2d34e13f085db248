"""Lesion kinds: which real outlines stand for which kind of lesion."""

STROKE, MS, TUMOUR, FCD = "stroke", "ms", "tumour", "fcd"
LEARNT_FROM = {STROKE: STROKE, MS: MS, TUMOUR: STROKE, FCD: STROKE}
"""The kind whose real outlines stand for a kind's: there are public outlines of strokes and of MS alone."""
