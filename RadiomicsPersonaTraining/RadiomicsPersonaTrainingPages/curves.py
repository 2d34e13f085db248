"""Curves: the figures of runs and the reliability of a classifier as Slicer's tables and plots;
found again by what they are called.
"""

from __future__ import annotations

import numpy as np
import slicer
import vtk
from slicer.i18n import tr as _

from RadiomicsPersonaNodes import table as tables

PART = "RadiomicsPersonaTraining.part"
"""Attribute that tells what a table, series or chart of ours is."""
COLORS = ((0.0, 0.45, 0.7), (0.84, 0.37, 0.0), (0.0, 0.62, 0.45), (0.8, 0.47, 0.65), (0.9, 0.62, 0.0), (0.34, 0.71, 0.91))
"""Told apart by colour-blind readers (Okabe and Ito 2008)."""

LEGEND_ABOVE = 1.35


def show_curves(runs: dict[str, list[dict[str, float]]]):
    """Training loss (dotted) and validation figure (line) of runs over their steps; returns the chart.

    Args:
        runs: rows of `state.curves_of`, by the run's name.
    """
    chart = _node("vtkMRMLPlotChartNode", "curves", _("Training and validation"))
    kept = []
    for number, (name, rows) in enumerate(runs.items()):
        table = _node("vtkMRMLTableNode", f"curves of {name}", _("{name} curves").format(name=name))
        columns = [key for key in (rows[-1] if rows else {}) if key == "step" or key.startswith(("training_", "validation_"))]
        _fill(table, {key: [row.get(key, np.nan) for row in rows] for key in columns})
        shown = [key for key in columns if key == "training_loss"] + [key for key in columns if key.startswith("validation_")][
            :1
        ]
        for key in shown:
            series = _series(table, f"{name} {key}", "step", key, COLORS[number % len(COLORS)])
            series.SetLineStyle(series.LineStyleDot if key == "training_loss" else series.LineStyleSolid)
            series.SetMarkerStyle(series.MarkerStyleCircle if len(rows) < 3 else series.MarkerStyleNone)
            kept.append(series)
    _show(chart, kept)
    chart.SetXAxisTitle(_("step"))
    chart.SetYAxisTitle(_("loss"))
    return chart


def show_reliability(name: str, points: list):
    """Share of pathological boxes over the probability that was said, with the line on which both are the same;
    returns the chart.

    Args:
        points: of a classifier's cross-validation: mean probability, share, boxes.
    """
    chart = _node("vtkMRMLPlotChartNode", "reliability", _("Reliability"))
    table = _node("vtkMRMLTableNode", "reliability", _("{name} reliability").format(name=name))
    columns = list(zip(*points)) if points else [(), (), ()]
    _fill(table, {"probability": columns[0], "share": columns[1], "boxes": columns[2]})
    line = _node("vtkMRMLTableNode", "perfect reliability", _("perfect reliability"))
    _fill(line, {"probability": [0, 1], "share": [0, 1]})
    own = _series(table, _("{name}, subjects left out").format(name=name), "probability", "share", COLORS[0])
    own.SetMarkerStyle(own.MarkerStyleCircle)
    perfect = _series(line, _("perfect"), "probability", "share", (0.5, 0.5, 0.5))
    perfect.SetLineStyle(perfect.LineStyleDash)
    perfect.SetMarkerStyle(perfect.MarkerStyleNone)
    _show(chart, [own, perfect])
    # shares end at 1: above it there is room for the legend, which would cover the curve
    for axis, high in (("X", 1.0), ("Y", LEGEND_ABOVE)):
        getattr(chart, f"Set{axis}AxisRangeAuto")(False)
        getattr(chart, f"Set{axis}AxisRange")(0.0, high)
    chart.SetXAxisTitle(_("probability that was said"))
    chart.SetYAxisTitle(_("share that was pathological"))
    return chart


def show_ratios(runs: dict[str, dict[str, float]]):
    """What runs leave of the best simple fill's squared error, bars by kind of hole; returns the chart.

    Args:
        runs: ratio by kind of hole, by the run's name.
    """
    chart = _node("vtkMRMLPlotChartNode", "ratios", _("Error over the best simple fill's"))
    kinds = list(dict.fromkeys(kind for ratios in runs.values() for kind in ratios))
    table = _node("vtkMRMLTableNode", "ratios", _("Error over the best simple fill's"))
    _fill(
        table,
        {
            "place": list(range(len(kinds))),
            **{name: [ratios.get(kind, np.nan) for kind in kinds] for name, ratios in runs.items()},
        },
    )
    _label(table, kinds)
    kept = []
    for number, name in enumerate(runs):
        series = _series(table, _("{name} over the best fill").format(name=name), "place", name, COLORS[number % len(COLORS)])
        series.SetPlotType(series.PlotTypeBar)
        series.SetLabelColumnName("holes")
        kept.append(series)
    _show(chart, kept)
    chart.SetXAxisTitle("")
    chart.SetXAxisRangeAuto(False)
    chart.SetXAxisRange(-tables.BAR_MARGIN, max(len(kinds), 1) - 1 + tables.BAR_MARGIN)
    tables.name_axis(chart, "bottom", kinds, 0)
    chart.SetYAxisTitle(_("share of the best simple fill's error; below 1 is better"))
    return chart


def _node(kind: str, part: str, name: str):
    """The node of ours that is called so, made if the scene has none."""
    for node in slicer.util.getNodesByClass(kind):
        if node.GetAttribute(PART) == part:
            node.SetName(name)
            return node
    node = slicer.mrmlScene.AddNewNodeByClass(kind, name)
    node.SetAttribute(PART, part)
    return node


def _series(table, name: str, x: str, y: str, color):
    series = _node("vtkMRMLPlotSeriesNode", f"{table.GetAttribute(PART)} {y}", name)
    series.SetAndObserveTableNodeID(table.GetID())
    series.SetXColumnName(x)
    series.SetYColumnName(y)
    series.SetColor(*color)
    series.SetPlotType(series.PlotTypeScatter)
    return series


def _show(chart, series: list) -> None:
    """Make these the chart's series; nothing is touched where they are already."""
    present = [chart.GetNthPlotSeriesNodeID(number) for number in range(chart.GetNumberOfPlotSeriesNodes())]
    wanted = [node.GetID() for node in series]
    if present != wanted:
        with slicer.util.NodeModify(chart):
            chart.RemoveAllPlotSeriesNodeIDs()
            for identifier in wanted:
                chart.AddAndObservePlotSeriesNodeID(identifier)
    chart.SetTitle(chart.GetName())


def _fill(table, columns: dict) -> None:
    arrays = [np.asarray(values, float) for values in columns.values()]
    if arrays and len(arrays[0]):
        slicer.util.updateTableFromArray(table, arrays, list(columns))
        table.SetUseColumnTitleAsColumnHeader(True)
    else:
        table.RemoveAllColumns()


def _label(table, texts: list) -> None:
    column = vtk.vtkStringArray()
    column.SetName("holes")
    for text in texts:
        column.InsertNextValue(tables.cell(text))
    table.AddColumn(column)
