"""Regression: a table node on its way to the worker that fits it, and estimates and figures as nodes."""

from __future__ import annotations

import json
import math
import os

import slicer
import vtk
from slicer.i18n import tr as _

from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.longitudinal.observations import NO_TIME
from RadiomicsPersonaLib.system.csv_table import CsvTable
from RadiomicsPersonaLib.system.work_folder import work_folder

from . import table

REPORT = "report.html"
FIGURE = "RadiomicsPersona.regressionFigure"
"""Attribute of the charts, their tables and their series, so that the next regression replaces them."""
SHOWN = ("outcome", "term", "estimate", "low", "high", "p", "q", "method", "patients", "rows")
DOTS, MEAN = (0.0, 114 / 255, 178 / 255), (213 / 255, 94 / 255, 0.0)
"""Colours of the report's figures."""


def columns_of(table_node) -> tuple[list, list]:
    """Names of a table's columns, and of those that hold numbers, at least one."""
    names, *rows = table.rows_of(table_node) if table_node else [[]]
    values = {name: [row[place] for row in rows if row[place] is not None] for place, name in enumerate(names)}
    return names, [name for name in names if values[name] and not any(isinstance(value, str) for value in values[name])]


def regress(
    parameter_node, table_node, outcome: str, time: str, patient: str, covariates: list, log: bool, folder, run
) -> dict:
    """Fit an outcome of a table.

    Args:
        time, patient: columns; an empty text for no time, and for a row per patient.
        folder: for the report.
        run: called with the arguments of `regress`.
    Returns:
        the content of regression.json; the estimates are in the parameter node's table, `charts` gives the figures.
    Raises:
        InputError: something cannot be used; the message says what to do.
    """
    if not table_node or not outcome:
        raise InputError(_("No table is selected: choose one with a row per visit, and the column that is to be explained."))
    with work_folder() as work:
        path = os.path.join(work, "table.csv")
        with open(path, "w", encoding="utf-8", newline="") as stream:
            stream.write(table.text_of(table_node, ","))
        run(
            [
                "regress",
                path,
                f"--outcome={outcome}",
                f"--time={time or NO_TIME}",
                *([f"--patient={patient}"] if patient else []),
                *(f"--covariate={name}" for name in covariates),
                *(["--log"] if log else []),
                "--output",
                str(folder),
            ]
        )
    with open(os.path.join(folder, "regression.json"), encoding="utf-8") as stream:
        record = json.load(stream)
    if not parameter_node.estimateTable:
        parameter_node.estimateTable = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTableNode")
    node = parameter_node.estimateTable
    node.SetName(_("{name} regression").format(name=table_node.GetName()))
    rows = _read(folder, "regression.csv")
    table.fill_from_rows(node, [list(SHOWN), *([row[name] for name in SHOWN] for row in rows)])
    _show_charts(node.GetName(), folder)
    return record


def sentences(record: dict) -> list:
    """What came out, one sentence per estimate of the model, then doubling times and notes."""
    said = []
    for outcome in record["outcomes"]:
        for row in outcome["estimates"]:
            if row["method"].startswith("robust"):
                continue
            said.append(
                _("{outcome} per {term}: {estimate} (95 % interval {low} to {high}), p = {p}").format(
                    outcome=row["outcome"],
                    term=row["term"],
                    **{key: _text(row[key]) for key in ("estimate", "low", "high", "p")},
                )
            )
        said += outcome["notes"]
    return said


def charts() -> list:
    """The chart nodes of the latest regression."""
    return [node for node in slicer.util.getNodesByClass("vtkMRMLPlotChartNode") if node.GetAttribute(FIGURE)]


def _show_charts(name: str, folder) -> None:
    for chart in charts():
        table.remove_series(chart)
        slicer.mrmlScene.RemoveNode(chart)
    for node in slicer.util.getNodesByClass("vtkMRMLTableNode"):
        if node.GetAttribute(FIGURE):
            slicer.mrmlScene.RemoveNode(node)
    visits, curves = _read(folder, "residuals.csv"), _read(folder, "curves.csv")
    for outcome, predictor in dict.fromkeys((row["outcome"], row["predictor"]) for row in curves):
        mine = [row for row in visits if row["outcome"] == outcome]
        curve = [row for row in curves if (row["outcome"], row["predictor"]) == (outcome, predictor)]
        title = _("{outcome} over {predictor}").format(outcome=outcome, predictor=predictor)
        lines = [(_("mean"), "mean"), (_("95 % low"), "low"), (_("95 % high"), "high")]
        _show_chart(
            f"{name}: {title}",
            title,
            predictor,
            outcome,
            (mine, predictor, "value"),
            [(label, curve, "value", key) for label, key in lines],
        )
    for outcome in dict.fromkeys(row["outcome"] for row in visits):
        mine = [row for row in visits if row["outcome"] == outcome]
        title = _("residuals of {outcome}").format(outcome=outcome)
        _show_chart(f"{name}: {title}", title, _("fitted value"), _("residual (SD)"), (mine, "fitted", "residual_sd"), [])


def _show_chart(name: str, title: str, across: str, up: str, dots: tuple, lines: list) -> None:
    """Dots and lines, each of (rows, key of x, key of y), the lines with their label before."""
    table_node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTableNode", name)
    chart = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLPlotChartNode", name)
    drawn = [(_("visits"), *dots), *lines]
    longest = max(len(rows) for _label, rows, _x, _y in drawn)
    columns = vtk.vtkTable()
    for label, rows, x, y in drawn:
        for suffix, key in (("x", x), ("y", y)):
            values = [float(row[key]) if row[key] else None for row in rows]
            columns.AddColumn(table.numbers(f"{label} {suffix}", [*values, *[None] * (longest - len(values))]))
    table.put(table_node, columns)
    for node in (table_node, chart):
        node.SetAttribute(FIGURE, title)
    for number, (label, *_rest) in enumerate(drawn):
        series = table.add_series(chart, label, table_node, f"{label} x", f"{label} y", MEAN if number else DOTS)
        series.SetPlotType(series.PlotTypeScatter)
        series.SetLineStyle(
            (series.LineStyleSolid if number == 1 else series.LineStyleDash) if number else series.LineStyleNone
        )
        series.SetMarkerStyle(series.MarkerStyleNone if number else series.MarkerStyleCircle)
    chart.SetTitle(title)
    chart.SetXAxisTitle(across)
    chart.SetYAxisTitle(up)


def _read(folder, name: str) -> list:
    return [cells for _line, cells in CsvTable(os.path.join(folder, name))]


def _text(value) -> str:
    return "-" if value is None or not math.isfinite(value) else f"{value:.3g}"
