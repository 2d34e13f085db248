"""Analyzed: the ROIs that a table of results is about, their verdicts as marks and in sentences, and the healthy boxes they
were held against.
"""

from __future__ import annotations

import json

import numpy as np
from slicer.i18n import tr as _

from RadiomicsPersonaLib.defaults import USUAL_PERCENT, USUAL_THRESHOLDS
from RadiomicsPersonaLib.metrics.metric import METRICS

from . import origin, roi
from . import scan as scans
from .origin import ATTRIBUTE_PREFIX

BOX_ROLE = "RadiomicsPersona.box"
SCAN_STATE = ATTRIBUTE_PREFIX + "scanState"
"""Attribute of a table of results with what the scan was at the analysis, see `scan.place`, and a checksum of its voxels."""
VOXELS_CHANGED = ATTRIBUTE_PREFIX + "voxelsChanged"
"""Attribute of a table of results whose scan has got other voxels since."""


def rois(result_table) -> list:
    """The ROIs that the results are about."""
    found = (
        [result_table.GetNthNodeReference(BOX_ROLE, n) for n in range(result_table.GetNumberOfNodeReferences(BOX_ROLE))]
        if result_table
        else []
    )
    return [node for node in found if node]


def record(result_table, nodes: list) -> None:
    """Keep with a table of results which ROIs it is about, and mark them with their verdicts; earlier ones lose theirs."""
    for before in rois(result_table):
        if before not in nodes:
            roi.hide_verdict(before)
    result_table.RemoveNodeReferenceIDs(BOX_ROLE)
    for node in nodes:
        result_table.AddNodeReferenceID(BOX_ROLE, node.GetID())
    scan = result_table.GetNodeReference(origin.INPUT_VOLUME_ROLE)
    result_table.SetAttribute(SCAN_STATE, json.dumps(scans.place(scan) | {"voxels": scans.checksum(scan)}))
    mark(result_table)


def usual_threshold(result_table, decision: str) -> float | None:
    """The threshold to begin with: the usual one, or for a metric where `USUAL_PERCENT` of the healthy boxes here lie."""
    if decision in USUAL_THRESHOLDS:
        return USUAL_THRESHOLDS[decision]
    results = origin.results_in(result_table)
    controls = [control for box in results["boxes"] for control in box["controls"]] if results else []
    values = [control["metrics"][decision] for control in controls if control["metrics"].get(decision) is not None]
    return (
        float(np.percentile(values, USUAL_PERCENT if METRICS[decision].higher_is_worse else 100 - USUAL_PERCENT))
        if values
        else None
    )


def outdated(result_table) -> list:
    """Why each verdict of a table of results belongs to nothing that is in the scene now, one sentence, or an empty text."""
    text = result_table.GetAttribute(ATTRIBUTE_PREFIX + "boxes") if result_table else None
    boxes = json.loads(text) if text else []
    scan = result_table.GetNodeReference(origin.INPUT_VOLUME_ROLE) if result_table else None
    if not scan:
        return [_("The scan was removed; its verdicts no longer hold.")] * len(boxes)
    changed = _("The scan '{name}' was changed since: apply again for its verdicts.").format(name=scan.GetName())
    kept = json.loads(result_table.GetAttribute(SCAN_STATE) or "{}")
    now = scans.place(scan) if kept else {}
    if kept and (not scans.is_same_place(kept["grid"], now["grid"]) or result_table.GetAttribute(VOXELS_CHANGED)):
        return [changed] * len(boxes)
    moved = bool(kept) and not scans.is_same_place(kept["to_world"], now["to_world"])
    return [_why_outdated(result_table.GetNthNodeReference(BOX_ROLE, n), scan, box, moved) for n, box in enumerate(boxes)]


def _why_outdated(node, scan, box: dict, scan_moved: bool) -> str:
    if not node:
        return _("'{name}' was deleted; its verdict no longer holds.").format(name=box["name"])
    if roi.is_where(node, scan, box):
        return ""
    if scan_moved:
        return _("The scan '{scan}' has been moved since: apply again for the verdict on '{name}'.").format(
            scan=scan.GetName(), name=box["name"]
        )
    return _("'{name}' has been moved since: apply again for its verdict.").format(name=box["name"])


def look_at_voxels(result_table) -> None:
    """Find out whether the scan still has the voxels that were analyzed."""
    scan = result_table.GetNodeReference(origin.INPUT_VOLUME_ROLE)
    kept = json.loads(result_table.GetAttribute(SCAN_STATE) or "{}")
    if scan and kept:
        same = bool(scan.GetImageData()) and scans.checksum(scan) == kept["voxels"]
        result_table.RemoveAttribute(VOXELS_CHANGED) if same else result_table.SetAttribute(VOXELS_CHANGED, "true")


def mark(result_table) -> list:
    """Show every analyzed ROI in its verdict's colour and with its word, and those whose verdict is outdated as before.

    Returns:
        why each verdict is outdated, see `outdated`.
    """
    reasons = outdated(result_table)
    text = result_table.GetAttribute(ATTRIBUTE_PREFIX + "boxes") if result_table else None
    for number, (box, reason) in enumerate(zip(json.loads(text) if text else [], reasons)):
        node = result_table.GetNthNodeReference(BOX_ROLE, number)
        if node and reason:
            roi.hide_verdict(node)
        elif node:
            roi.show_verdict(node, box["word"])
    return reasons


def parts_by_box(result_table) -> list:
    """Of every analyzed ROI that is still where it was and in which a part is unusual: the ROI and the record of its largest
    part, as in results.json.
    """
    results = origin.results_in(result_table)
    return [
        (result_table.GetNthNodeReference(BOX_ROLE, number), box["parts"][0])
        for number, (box, reason) in enumerate(zip(results["boxes"] if results else [], outdated(result_table)))
        if box["parts"] and not reason
    ]


def tighten(result_table) -> list:
    """Draw every such ROI tightly around the largest part of what is unusual in it; returns the ROIs. They count as moved."""
    scan = result_table.GetNodeReference(origin.INPUT_VOLUME_ROLE) if result_table else None
    moved = []
    for node, part in parts_by_box(result_table):
        roi.set_roi(node, roi.box_of_record(part), scan)
        moved.append(node)
    return moved


def show_controls(result_table, shown: bool) -> None:
    """Put the healthy boxes of the results into the scene as locked ROIs, or take them out again."""
    roi.hide_controls()
    results, scan = (
        origin.results_in(result_table),
        result_table.GetNodeReference(origin.INPUT_VOLUME_ROLE) if result_table else None,
    )
    if shown and results and scan:
        roi.show_controls(results["boxes"], scan)


def by_box(table_node) -> list:
    """Name, label (0, 1 or None) and reason of every box in a table of results; none in a table of something else.

    They are those that were recorded with the table: its cells can be edited, and files may cut them.
    """
    results = origin.results_in(table_node)
    return [(box["name"], box["label"], box["reason"]) for box in results["boxes"]] if results else []


def details(table_node) -> list:
    """Of every box in a table of results what is told beneath its verdict: where the unusual lies, how often such boxes are
    right, what would have been found in a healthy one, what the persona keeps, and how sure it is.
    """
    results = origin.results_in(table_node)
    told = ("where", "error_rates", "would_be_found", "persona", "certainty")
    return [" ".join(filter(None, map(box.get, told))) for box in results["boxes"]] if results else []


def overview(table_node) -> list:
    """Of every box in a table of results what a reader looks at first: "name", "word", "percentile" among healthy boxes,
    "p", and "unusual_ml", the volume of what is unusual; None where there is none.
    """
    results = origin.results_in(table_node)
    return [
        {
            "name": box["name"],
            "word": box["word"],
            "percentile": box["percentile"],
            "p": box["p"],
            "unusual_ml": sum(part["volume_ml"] for part in box.get("parts", [])) if box["label"] == 1 else None,
        }
        for box in (results["boxes"] if results else [])
    ]


def sentences(table_node) -> list:
    """One sentence per box, then the notes."""
    labels = {0: _("label 0"), 1: _("label 1"), None: _("no label")}
    said = [
        _("{box} ({labelText}): {reason}").format(box=name, labelText=labels[label], reason=reason)
        for name, label, reason in by_box(table_node)
    ]
    return said + (notes(table_node) if said else [])


def notes(table_node) -> list:
    """What the user should know about the boxes and the scan."""
    results = origin.results_in(table_node)
    said = [
        _("Note on {box}: {warning}").format(box=box["name"], warning=warning)
        for box in (results["boxes"] if results else [])
        for warning in box["warnings"]
    ]
    made_by = (table_node.GetAttribute(ATTRIBUTE_PREFIX + key) for key in ("rebuilt_by", "judged_by"))
    said += [json.loads(sentence) for sentence in made_by if sentence]
    return said + [
        _("Note: {warning}").format(warning=note)
        for note in json.loads(table_node.GetAttribute(ATTRIBUTE_PREFIX + "warnings") or "[]")
    ]
