"""Verdict: what a table of results says, in sentences."""

from __future__ import annotations

import json
import math

from slicer.i18n import tr as _

from .origin import ATTRIBUTE_PREFIX


def by_box(table_node) -> list:
    """Name, label (0, 1 or None) and reason of every box in a table of results; none in a table of something else."""
    table = table_node.GetTable()
    columns = [table.GetColumnByName(name) for name in ("box", "label", "reason")]
    if not all(columns):
        return []
    rows = [[column.GetValue(row) for column in columns] for row in range(table.GetNumberOfRows())]
    return [(name, None if math.isnan(label) else int(label), reason) for name, label, reason in rows]


def sentences(table_node) -> list:
    """One sentence per box, then the notes."""
    labels = {0: _("label 0"), 1: _("label 1"), None: _("no label")}
    said = [_("{box} ({labelText}): {reason}").format(box=name, labelText=labels[label], reason=reason)
            for name, label, reason in by_box(table_node)]
    return said + (notes(table_node) if said else [])


def notes(table_node) -> list:
    """What the user should know about the boxes and the scan."""
    table = table_node.GetTable()
    names, warnings = table.GetColumnByName("box"), table.GetColumnByName("warnings")
    said = []
    for row in range(table.GetNumberOfRows()) if names and warnings else ():
        said += [_("Note on {box}: {warning}").format(box=names.GetValue(row), warning=line) for line in warnings.GetValue(row).splitlines()]
    made_by = (table_node.GetAttribute(ATTRIBUTE_PREFIX + key) for key in ("rebuilt_by", "judged_by"))
    said += [json.loads(sentence) for sentence in made_by if sentence]
    return said + [_("Note: {warning}").format(warning=note) for note in json.loads(table_node.GetAttribute(ATTRIBUTE_PREFIX + "warnings") or "[]")]
