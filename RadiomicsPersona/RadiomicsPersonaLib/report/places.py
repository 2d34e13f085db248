"""Places: what a search of a whole head listed, as JSON, table, boxes for Slicer, and a sheet of pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from .. import __version__
from ..analysis.head_norms import LEVEL, Measured
from ..analysis.head_search import Place, Search
from ..brain.tissue import Tissue
from ..defaults import RESEARCH_USE
from ..geometry.markups import write_boxes
from ..imaging.scan import Scan
from ..system.json_text import json_value, written
from .colors import VERDICT_COLORS
from .picture import FAINT, GAP, MARGIN, TEXT, WIDTH, annotated, gray, paragraphs, side_by_side, stacked
from .results_files import write_rows
from .slice_plane import coordinate, planes_of_scan

BOXES = "boxes"
"""Folder of the boxes, one file each."""
PANEL = (WIDTH - 2 * MARGIN - 2 * GAP) // 3
"""Pixels of a slice on the sheet, three to a row."""
COLUMNS = ("rank", "p", "false_per_head", "score", "peak_r", "peak_a", "peak_s", "ml", "box", "file")
"""Of places.csv."""
MISSES = (
    "What is not listed may still be ill: most small and faint lesions are missed. Draw a box wherever something looks odd."
)


def record_of(search: Search, measured: Measured, provenance: dict) -> dict:
    """Everything that was found, in plain JSON types."""
    return json_value(
        {
            "notice": RESEARCH_USE,
            "version": __version__,
            "summary": search.in_words,
            "refusal": search.refusal,
            "contrast": search.contrast,
            "healthy_heads": search.people,
            "places": rows_of(search),
            "misses": [MISSES, measured.in_words],
            "measured": [rates.in_words for rates in measured.rates],
            "provenance": provenance,
        }
    )


def rows_of(search: Search) -> list[dict]:
    """A row per place; `box` is what `analyze --box` takes."""
    return [
        {
            "rank": rank,
            "p": round(place.p, 4),
            "false_per_head": round(place.false_per_head, 3),
            "score": place.score,
            **{f"peak_{axis}": round(value, 1) for axis, value in zip("ras", place.point)},
            "ml": round(place.milliliters, 2),
            "box": ",".join(f"{value:.1f}" for value in (*place.box.center, *place.box.size)),
            "file": f"{BOXES}/place-{rank}.mrk.json",
        }
        for rank, place in enumerate(search.places, start=1)
    ]


def write_places(search: Search, measured: Measured, provenance: dict, folder: Path) -> None:
    """Write places.json, places.csv and a box per place that `analyze --boxes` takes, also where nothing is listed."""
    (folder / BOXES).mkdir()
    for row, place in zip(rows_of(search), search.places):
        write_boxes(folder / row["file"], [place.box], [color_of(place)], locked=False)
    record = record_of(search, measured, provenance)
    (folder / "places.json").write_text(written(record, indent=1) + "\n", encoding="utf-8")
    write_rows(folder / "places.csv", rows_of(search), COLUMNS)


def color_of(place: Place) -> tuple[float, float, float]:
    """Red, green, blue (0 to 1): of what is unusual where p <= `LEVEL`, else of what is undetermined."""
    return tuple(value / 255 for value in VERDICT_COLORS["unusual" if place.p <= LEVEL else "undetermined"])


def line_of(rank: int, place: Place) -> str:
    """A place in a line, as "1: p = 0.024, R 30.0 A 12.0 S 24.0, 12.1 ml, as striking as 0.1 places of a healthy head"."""
    where = " ".join(coordinate(axis, value) for axis, value in enumerate(place.point))
    common = f"{place.false_per_head:.2g} places as striking in a healthy head"
    return f"{rank}: p = {place.p:.2g}, {where}, {place.milliliters:.3g} ml, {common}"


def sheet_of(search: Search, scan: Scan, tissue: Tissue) -> Image.Image:
    """Every place in three planes through what stands out most, with its box."""
    values = tissue.values[tissue.brain & tissue.known]
    window = (float(tissue.background), float(max(np.percentile(values, 99.8), tissue.background + tissue.scale.deviation)))
    parts = [
        paragraphs(["Places that stand out"], 22, TEXT, bold=True, below=0),
        paragraphs([search.in_words], 15, TEXT, above=4),
    ]
    for rank, place in enumerate(search.places, start=1):
        color = tuple(round(255 * value) for value in color_of(place))
        panels = [
            annotated(
                gray(scan.array, scan.affine, plane, window), place.box, plane, color, f"{plane.orientation}, {plane.position}"
            )
            for plane in planes_of_scan(scan, np.array(place.point), PANEL)
        ]
        parts += [paragraphs([line_of(rank, place)], 16, TEXT, bold=True, below=2), side_by_side(panels)]
    return stacked([*parts, paragraphs([MISSES, RESEARCH_USE], 15, FAINT)])
