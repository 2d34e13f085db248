"""Analyzed: the ROIs that a table of results is about, their verdicts as marks and in sentences, and the healthy boxes they
were held against.
"""

from __future__ import annotations

import json
import math

import numpy as np
from slicer.i18n import tr as _

from RadiomicsPersonaLib.defaults import USUAL_PERCENT, USUAL_THRESHOLDS
from RadiomicsPersonaLib.metrics.metric import METRICS

from . import origin, roi
from .origin import ATTRIBUTE_PREFIX

BOX_ROLE = "RadiomicsPersona.box"


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


def mark(result_table) -> list:
    """Show every analyzed ROI in its verdict's colour and with its word, those moved since then as before.

    Returns:
        the names of the boxes that have been moved or removed since the analysis.
    """
    text = result_table.GetAttribute(origin.ATTRIBUTE_PREFIX + "boxes") if result_table else None
    scan = result_table.GetNodeReference(origin.INPUT_VOLUME_ROLE) if result_table else None
    if not text or not scan:
        return []
    moved = []
    for number, box in enumerate(json.loads(text)):
        node = result_table.GetNthNodeReference(BOX_ROLE, number)
        if node and roi.is_where(node, scan, box):
            roi.show_verdict(node, box["word"])
            continue
        moved.append(box["name"])
        if node:
            roi.hide_verdict(node)
    return moved


def parts_by_box(result_table) -> list:
    """Of every analyzed ROI that is still where it was and in which a part is unusual: the ROI and the record of its largest
    part, as in results.json.
    """
    results = origin.results_in(result_table)
    scan = result_table.GetNodeReference(origin.INPUT_VOLUME_ROLE) if result_table else None
    if not results or not scan:
        return []
    found = []
    for number, box in enumerate(results["boxes"]):
        node = result_table.GetNthNodeReference(BOX_ROLE, number)
        if node and box["parts"] and roi.is_where(node, scan, box):
            found.append((node, box["parts"][0]))
    return found


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
    """Name, label (0, 1 or None) and reason of every box in a table of results; none in a table of something else."""
    table = table_node.GetTable()
    columns = [table.GetColumnByName(name) for name in ("box", "label", "reason")]
    if not all(columns):
        return []
    rows = [[column.GetValue(row) for column in columns] for row in range(table.GetNumberOfRows())]
    return [(name, None if math.isnan(label) else int(label), reason) for name, label, reason in rows]


def details(table_node) -> list:
    """Of every box in a table of results what is told beneath its verdict: where the unusual lies, how often such boxes are
    right, and what would have been found in a healthy one.
    """
    results = origin.results_in(table_node)
    told = ("where", "error_rates", "would_be_found")
    return [" ".join(filter(None, map(box.get, told))) for box in results["boxes"]] if results else []


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
    table = table_node.GetTable()
    names, warnings = table.GetColumnByName("box"), table.GetColumnByName("warnings")
    said = []
    for row in range(table.GetNumberOfRows()) if names and warnings else ():
        said += [
            _("Note on {box}: {warning}").format(box=names.GetValue(row), warning=line)
            for line in warnings.GetValue(row).splitlines()
        ]
    made_by = (table_node.GetAttribute(ATTRIBUTE_PREFIX + key) for key in ("rebuilt_by", "judged_by"))
    said += [json.loads(sentence) for sentence in made_by if sentence]
    return said + [
        _("Note: {warning}").format(warning=note)
        for note in json.loads(table_node.GetAttribute(ATTRIBUTE_PREFIX + "warnings") or "[]")
    ]
