"""Analyzed: the ROIs that a table of results is about, with their verdicts, and the healthy boxes they were held against."""

from __future__ import annotations

import json

from . import origin, roi, table

BOX_ROLE = "RadiomicsPersona.box"


def rois(result_table) -> list:
    """The ROIs that the results are about."""
    found = [result_table.GetNthNodeReference(BOX_ROLE, n) for n in range(result_table.GetNumberOfNodeReferences(BOX_ROLE))] if result_table else []
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
            roi.show_verdict(node, table.WORDS[box["label"]])
            continue
        moved.append(box["name"])
        if node:
            roi.hide_verdict(node)
    return moved


def show_controls(result_table, shown: bool) -> None:
    """Put the healthy boxes of the results into the scene as locked ROIs, or take them out again."""
    roi.hide_controls()
    results, scan = origin.results_in(result_table), result_table.GetNodeReference(origin.INPUT_VOLUME_ROLE) if result_table else None
    if shown and results and scan:
        roi.show_controls(results["boxes"], scan)
