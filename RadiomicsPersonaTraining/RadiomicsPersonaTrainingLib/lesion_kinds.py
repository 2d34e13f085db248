"""Lesion kinds: which real outlines stand for which kind of lesion, and where lies what was learnt from them; the standard library only."""

from __future__ import annotations

from pathlib import Path

STROKE, MS, TUMOUR, FCD = "stroke", "ms", "tumour", "fcd"
LEARNT_FROM = {STROKE: STROKE, MS: MS, TUMOUR: STROKE, FCD: STROKE}
"""The kind whose real outlines stand for a kind's: there are public outlines of strokes and of MS alone."""

_HERE = Path(__file__).resolve().parent
# beside the library in a checkout and in Slicer, inside it when installed as a wheel
RESOURCES = next((folder for folder in (_HERE.parent / "Resources" / "masks", _HERE / "masks") if folder.is_dir()), _HERE)
"""What is shipped for the drawing of lesion masks: the average brain, real lesions' places, trained generators."""
