"""Provenance: the settings that are needed to make an analysis again, under names that a reader knows."""

from __future__ import annotations

from ..analysis.result import Analysis
from ..metrics.metric import METRICS
from .html_page import number_text

NAMES = {
    "decision.rule": "Decided by",
    "decision.threshold": "Threshold",
    "date": "Day of the analysis",
    "contrast": "Contrast",
    "grid.shape": "Grid (voxels)",
    "grid.spacing_mm": "Voxel size (mm)",
    "versions.RadiomicsPersona": "Version of RadiomicsPersona",
    "versions.python": "Version of Python",
    "versions.numpy": "Version of NumPy",
    "versions.torch": "Version of PyTorch",
    "model.name": "Reconstruction model",
    "model.kind": "Kind of reconstruction model",
    "model.sha256": "SHA-256 of the reconstruction model's weights",
    "model.device": "Computed on",
    "model.precision": "Precision",
    "model.chosen_because": "Why this model",
    "classifier.name": "Classifier",
    "classifier.sha256": "SHA-256 of the classifier",
    "classifier.own": "Classifier of your own",
    "lesion_model": "Lesion model",
    "lesion_model.name": "Lesion model",
    "lesion_model.method": "Kind of lesion model",
    "lesion_model.sha256": "SHA-256 of the lesion model's weights",
    "lesion_model.precision": "Precision of the lesion model",
    "preprocessing.tissue_scale.center": "Median intensity of the brain",
    "preprocessing.tissue_scale.deviation": "Tissue SD (intensity)",
    "preprocessing.intensity_range": "Intensity range outside the boxes",
    "preprocessing.brain_ml": "Brain volume (ml)",
    "preprocessing.brain_found_by.method": "Brain found by",
    "preprocessing.brain_found_by.name": "Tissue model",
    "preprocessing.brain_found_by.sha256": "SHA-256 of the tissue model's weights",
    "preprocessing.brain_found_by.precision": "Precision of the tissue model",
    "preprocessing.midplane.normal": "Normal of the midplane (RAS)",
    "preprocessing.midplane.offset_mm": "Offset of the midplane (mm)",
    "preprocessing.midplane.symmetry": "Symmetry about the midplane",
    "controls": "Control regions asked for",
    "seed": "Seed",
    "scan_sha256": "SHA-256 of the scan",
    "segmentation.scans": "Segmented scan",
    "segmentation.classes": "Found by the segmentation",
    "segmentation.model.name": "Segmentation model",
    "segmentation.model.method": "Kind of segmentation model",
    "segmentation.model.sha256": "SHA-256 of the segmentation model's weights",
    "segmentation.model.precision": "Precision of the segmentation model",
}
"""What readers are told a setting is, by its keys in `results.json` with dots between them."""


def settings_of(analysis: Analysis) -> list[tuple[str, str]]:
    """What is needed to make the numbers again, as pairs of a name and a text."""
    # the command line names files
    shown = {key: value for key, value in analysis.provenance.items() if key != "command"}
    return _flat({"decision": analysis.decision} | shown)


def name_of(key: str) -> str:
    """The name of a setting; what no name is known of keeps its last keys.

    >>> name_of("classifier.own"), name_of("segmentation.scans.T1w"), name_of("model.new_key")
    ('Classifier of your own', 'Segmented scan, T1w', 'Model, new key')
    """
    parts = key.split(".")
    for known in range(len(parts), 0, -1):
        name = NAMES.get(".".join(parts[:known]))
        if name:
            return ", ".join([name, *parts[known:]])
    text = ", ".join(parts).replace("_", " ")
    return f"{text[:1].upper()}{text[1:]}"


def _flat(value, key: str = "") -> list[tuple[str, str]]:
    """Nested settings as pairs of a name and a text."""
    if isinstance(value, dict):
        return [pair for part, item in value.items() for pair in _flat(item, f"{key}.{part}" if key else str(part))]
    if isinstance(value, (list, tuple)):
        return [(name_of(key), ", ".join(map(_text, value)))]
    if key == "decision.rule" and value in METRICS:
        return [(name_of(key), METRICS[value].label)]
    return [(name_of(key), _text(value))]


def _text(value) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict) and {"name", "ml"} <= set(value):  # a class of a segmentation
        return f"{value['name']} {_text(value['ml'])} ml"
    return number_text(value) if isinstance(value, float) else str(value)
