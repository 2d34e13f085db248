"""Visits report: one page on a region over several visits."""

from __future__ import annotations

import math
from html import escape

from ..analysis.result import Analysis
from ..report.html_page import data_uri, html_page, html_table, number_text
from ..report.picture import slice_triplet
from ..report.plots import OTHER, Plot
from .observations import NAMES


def pictures_of_visit(analysis: Analysis, title: str) -> str:
    """A visit's boxes in slices: scan, healthy persona and difference, as a section of the page."""
    parts = []
    for result in analysis.boxes:
        said = f"{result.box.name}: {result.word}. {result.reason}"
        alt = escape(f"{title}, {result.box.name}: scan, healthy persona and difference in an axial slice", quote=True)
        picture = data_uri(slice_triplet(analysis, result))
        parts.append(f"<figure><img src='{picture}' alt='{alt}'><figcaption>{escape(said)}</figcaption></figure>")
    return f"<section><h2>{escape(title)}</h2>{''.join(parts)}</section>"


def report_of_visits(rows: list[dict], notes: list[str], shown: list[str]) -> str:
    """One page without names and dates: the measures over time, and every visit's slices."""
    columns = {key: name for key, name in NAMES.items() if any(row[key] is not None for row in rows)}

    def text(value) -> str:
        return "-" if value is None or not math.isfinite(value) else number_text(value)

    def cell(row: dict, key: str) -> str:
        usual = (row["usual_low_ml"], row["usual_high_ml"])
        if key != "deviating_ml" or not all(map(math.isfinite, usual)):
            return text(row[key])
        return f"{text(row[key])} (usual {text(usual[0])} to {text(usual[1])})"

    table = html_table(
        "What was measured at every visit; the boxes were carried along by rigid registration. Usual is what 95 % of the "
        "scan's control regions have, scaled to the box's volume.",
        ["Visit", "Years", "Box", "Label", *columns.values()],
        [
            [row["visit"], f"{row['years']:.2f}", row["box"], text(row["label"]), *(cell(row, key) for key in columns)]
            for row in rows
        ],
    )
    plots = []
    for key, name in columns.items():
        known = [row for row in rows if row[key] is not None and math.isfinite(row[key])]
        if key == "p" or len({row["years"] for row in known}) < 2:
            continue
        plot = Plot(
            f"{name} over years", "years", name, [row["years"] for row in known], [row[key] for row in known], (760, 240)
        )
        for region in dict.fromkeys(row["region"] for row in known):
            mine = sorted((row["years"], row[key]) for row in known if row["region"] == region)
            plot.line(*zip(*mine), OTHER, 1.5)
            plot.points(*zip(*mine), OTHER, 4)
        plots.append(f"<figure>{plot.svg}<figcaption>{escape(name)}, a line per box.</figcaption></figure>")
    listed = "".join(f"<li>{escape(note)}</li>" for note in notes)
    return html_page(
        "Follow-up of a region", "", table + (f"<ul>{listed}</ul>" if notes else ""), "".join(plots) + "".join(shown)
    )
