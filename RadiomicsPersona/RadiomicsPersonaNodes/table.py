"""Table: results as MRML tables and plots, and as text for other programs."""

from __future__ import annotations

import csv
import io
import json
import math
import re

import slicer
import vtk
from slicer.i18n import tr as _

from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.report.colors import CONTROL_COLOR, VERDICT_COLORS
from RadiomicsPersonaLib.system.csv_table import CsvTable, written_cell

TICKS = "RadiomicsPersona.ticks"
"""Attribute of a chart with the names that stand at an axis: {"axis": "bottom" or "left", "names": [...], "first": place}."""
BAR_MARGIN = 0.7


def fill_results(table_node, results: dict) -> None:
    """One row per box: the verdict, what it rests on, and the comparison's measures."""
    boxes = results["boxes"]
    words = {
        "healthy": _("healthy (0)"),
        "pathological": _("pathological (1)"),
        "unusual": _("unusual (1)"),
        "undetermined": _("undetermined"),
    }
    table, units = vtk.vtkTable(), {}

    def add_numbers(name, values, unit=""):
        table.AddColumn(numbers(name, values))
        units[name] = unit

    table.AddColumn(texts("box", [box["name"] for box in boxes]))
    table.AddColumn(texts("verdict", [words[box["word"]] for box in boxes]))
    add_numbers("label", [box["label"] for box in boxes])
    add_numbers("p", [box["p"] for box in boxes])
    add_numbers("percentile", [box["percentile"] for box in boxes], "%")
    add_numbers("q", [box["q"] for box in boxes])
    add_numbers("probability", [box["probability"] for box in boxes])
    add_numbers("controls", [box["n_controls"] for box in boxes])
    add_numbers("voxels", [box["voxels"] for box in boxes])
    for axis, letter in enumerate("RAS"):
        add_numbers(f"center {letter}", [box["center_ras"][axis] for box in boxes], "mm")
    for axis in range(3):
        add_numbers(f"size {axis + 1}", [box["size_mm"][axis] for box in boxes], "mm")
    for key in dict.fromkeys(key for box in boxes for key in box["metrics"]):
        add_numbers(key, [box["metrics"].get(key) for box in boxes])
    table.AddColumn(texts("reason", [box["reason"] for box in boxes]))
    table.AddColumn(texts("warnings", [" ".join(box["warnings"]) for box in boxes]))
    with slicer.util.NodeModify(table_node):
        put(table_node, table)
        for name, unit in units.items():
            table_node.SetColumnUnitLabel(name, unit)


def put(table_node, table) -> None:
    """Give a table node its columns, whose names the views shall show as heads and not as a row."""
    table_node.SetAndObserveTable(table)
    table_node.SetUseColumnTitleAsColumnHeader(True)


def rows_of(table_node) -> list:
    """A table node's column names and then its rows; numbers as numbers, None where there is none."""
    table = table_node.GetTable()
    columns = [table.GetColumn(number) for number in range(table.GetNumberOfColumns())]
    rows = [[column.GetName() for column in columns]]
    for row in range(table.GetNumberOfRows()):
        values = [column.GetValue(row) for column in columns]
        rows.append([None if isinstance(value, float) and math.isnan(value) else value for value in values])
    return rows


def text_of(table_node, delimiter: str) -> str:
    """A table node as delimited text, as spreadsheets read it."""
    stream = io.StringIO()
    csv.writer(stream, delimiter=delimiter, lineterminator="\n").writerows(
        map(written_cell, row) for row in rows_of(table_node)
    )
    return stream.getvalue()


def read_csv(path) -> list:
    """The rows of a CSV file, the first with the columns' names; see `CsvTable`.

    Raises:
        InputError: it is no table with rows.
    """
    read = CsvTable(path)
    rows = [read.heads, *(list(cells.values()) for _line, cells in read)]
    if len(rows) < 2:
        raise InputError(_("The table '{path}' has no rows below its heads: add some.").format(path=path))
    return rows


def fill_from_rows(table_node, rows: list) -> None:
    """Texts, the first row with the columns' names, as a table node; columns that hold nothing but numbers as numbers.

    Numbers with a zero in front, such as 007, are names of somebody, and stay texts.
    """
    heads, *lines = rows
    table = vtk.vtkTable()
    for place, head in enumerate(heads):
        cells = [line[place].strip() if place < len(line) else "" for line in lines]
        try:
            if any(re.match(r"0\d", cell) for cell in cells):
                raise ValueError
            table.AddColumn(numbers(head.strip(), [float(cell) if cell else None for cell in cells]))
        except ValueError:
            table.AddColumn(texts(head.strip(), cells))
    put(table_node, table)


def fill_scores(table_node, chart, results: dict) -> None:
    """The scores behind the verdicts as a bar plot: a series per box, the first box's most unusual score first.

    Bars of Slicer stand at 0, 1, 2, whatever the column of places says.
    """
    boxes = [box for box in results["boxes"] if box["scores"]]
    scores = boxes[0]["scores"] if boxes else {}
    keys = sorted((key for key in scores if scores[key]["z"] is not None), key=lambda key: -scores[key]["z"])
    table = vtk.vtkTable()
    table.AddColumn(texts("score", [scores[key]["name"] for key in keys]))
    table.AddColumn(numbers("place", range(len(keys))))
    for number, box in enumerate(boxes, start=1):
        table.AddColumn(numbers(f"{number} {box['name']}", [box["scores"][key]["z"] for key in keys]))
    with slicer.util.NodeModify(table_node):
        put(table_node, table)
    remove_series(chart)
    for number, box in enumerate(boxes, start=1):
        series = add_series(chart, box["name"], table_node, "place", f"{number} {box['name']}", VERDICT_COLORS[box["word"]])
        series.SetPlotType(series.PlotTypeBar)
        series.SetLabelColumnName("score")
    chart.SetTitle(_("Score profile"))
    chart.SetXAxisTitle("")
    chart.SetYAxisTitle(_("robust SD of the control regions"))
    chart.SetXAxisRangeAuto(False)
    chart.SetXAxisRange(-BAR_MARGIN, max(len(keys), 1) - 1 + BAR_MARGIN)
    name_axis(chart, "bottom", [scores[key]["name"] for key in keys], 0)


def fill_standing(table_node, chart, results: dict) -> None:
    """The combined score of every box among those of its healthy boxes, whose rank is p:
    a line of dots and a diamond per box.
    """
    boxes = [box for box in results["boxes"] if box["controls"]]
    table = vtk.vtkTable()
    longest = max((len(box["controls"]) for box in boxes), default=0)

    def add(name, values):
        table.AddColumn(numbers(name, [*values, *[None] * (longest - len(values))]))

    names = []
    for place, box in enumerate(boxes, start=1):
        names.append((f"{box['name']} ({box['word']})", _("control regions of {name}").format(name=box["name"])))
        add(f"{place} score", [box["combined"]])
        add(f"{place} line", [place])
        add(f"{place} healthy scores", [control["combined"] for control in box["controls"]])
        # three lines of dots, so that dots of nearly the same score can be told apart
        add(f"{place} healthy lines", [place + 0.08 * (number % 3 - 1) for number in range(len(box["controls"]))])
    with slicer.util.NodeModify(table_node):
        put(table_node, table)
    remove_series(chart)
    for place, (box, (own, healthy)) in enumerate(zip(boxes, names), start=1):
        for name, prefix, color, marker, size in (
            (healthy, f"{place} healthy", CONTROL_COLOR, slicer.vtkMRMLPlotSeriesNode.MarkerStyleCircle, 7),
            (own, f"{place}", VERDICT_COLORS[box["word"]], slicer.vtkMRMLPlotSeriesNode.MarkerStyleDiamond, 16),
        ):
            columns = (
                (f"{prefix} scores", f"{prefix} lines") if prefix.endswith("healthy") else (f"{prefix} score", f"{prefix} line")
            )
            series = add_series(chart, name, table_node, *columns, color)
            series.SetPlotType(series.PlotTypeScatter)
            series.SetLineStyle(series.LineStyleNone)
            series.SetMarkerStyle(marker)
            series.SetMarkerSize(size)
    chart.SetTitle(_("Control distribution"))
    chart.SetXAxisTitle(_("combined score (log odds); further right is less like healthy tissue"))
    chart.SetYAxisTitle("")
    chart.SetYAxisRangeAuto(False)
    chart.SetYAxisRange(0.5, max(len(boxes), 1) + 0.5)
    name_axis(chart, "left", [box["name"] for box in boxes], 1)


def name_axis(chart, axis: str, names: list, first: float) -> None:
    """Have names stand at an axis, "bottom" or "left", one apart from `first` on; see `view.show_chart`."""
    chart.SetAttribute(TICKS, json.dumps({"axis": axis, "names": names, "first": first}))


def remove_series(chart) -> None:
    series = [chart.GetNthPlotSeriesNode(number) for number in range(chart.GetNumberOfPlotSeriesNodes())]
    chart.RemoveAllPlotSeriesNodeIDs()
    for node in series:
        slicer.mrmlScene.RemoveNode(node)


def add_series(chart, name: str, table_node, x: str, y: str, color):
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLPlotSeriesNode", name)
    node.SetAndObserveTableNodeID(table_node.GetID())
    node.SetXColumnName(cell(x))
    node.SetYColumnName(cell(y))
    node.SetColor(*(part / 255 for part in color))
    chart.AddAndObservePlotSeriesNodeID(node.GetID())
    return node


def cell(text: str) -> str:
    """A text that Slicer's own files of tables give back as it was: they hold no line, no tab and no double quote in a cell."""
    return " ".join(text.split()).replace('"', "'")


def texts(name: str, values) -> vtk.vtkStringArray:
    column = vtk.vtkStringArray()
    column.SetName(cell(name))
    for value in values:
        column.InsertNextValue(cell(value))
    return column


def numbers(name: str, values) -> vtk.vtkDoubleArray:
    column = vtk.vtkDoubleArray()
    column.SetName(cell(name))
    for value in values:
        column.InsertNextValue(float("nan") if value is None else value)
    return column
