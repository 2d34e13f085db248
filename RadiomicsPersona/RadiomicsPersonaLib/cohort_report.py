"""Cohort report: the results of all rows as one CSV table and one page with thumbnails, written row by row."""

from __future__ import annotations

import base64
import csv
import math
from collections.abc import Callable, Iterator
from html import escape
from pathlib import Path

from .cohort_row import THUMBNAIL
from .cohort_table import CohortRow, CohortTable
from .output import file_written_whole
from .page import page_parts
from .report import number_text

SHOWN = ("label", "p", "combined", "volume_ml", "deviating_ml", "deviation", "ml", "area_mm2", "mask_volume_ml", "voxels")
"""Results that the page shows where they are there; the table holds all."""
_STYLE = "td img { width: 20rem; max-width: none } tr { content-visibility: auto; contain-intrinsic-size: auto 7rem }"
Records = Callable[[], Iterator[tuple[CohortRow, dict, Path]]]


def write_report_of_cohort(records: Records, table: CohortTable, csv_path: Path, html_path: Path, with_name: bool) -> tuple[int, int]:
    """Write both files.

    Args:
        records: gives every row, what `cohort_row.run_row` recorded of it, and its folder, as often as it is called.
        with_name: name the scans by their files in the page.
    Returns:
        how many rows have a sentence instead of results; how many of these have no command at all.
    """
    broken = unusable = lines = 0
    found: dict[str, None] = {}
    for row, record, _ in records():
        broken += bool(record["sentence"])
        unusable += row.words is None
        lines += len(record["results"])
        found |= dict.fromkeys(key for result in record["results"] for key in result)
    renamed = {key: f"result_{key}" if key in table.heads and key not in table.option_columns else key for key in found}
    columns = dict.fromkeys(["row", *table.heads, "sentence", *renamed.values()])
    with file_written_whole(csv_path) as path, open(path, "w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(columns))
        writer.writeheader()
        for row, record, _ in records():
            for result in record["results"] or [{}]:
                line = {"row": row.number, **row.cells, "sentence": record["sentence"]}
                writer.writerow(line | {renamed[key]: _cell(value) for key, value in result.items()})
    shown = [key for key in SHOWN if key in found]
    done = sum(1 for _ in records()) - broken
    introduction = (
        f"<p>{done + broken} rows: {done} with results ({lines} lines in {csv_path.name}), {broken} without.</p>"
        f"<p class='faint'>radiomics-persona {escape(table.command)}, a row per scan. Pictures show the box that deviates most "
        "(scan, healthy persona, difference) where boxes were analyzed.</p>"
    )
    with file_written_whole(html_path) as path, open(path, "w", encoding="utf-8", errors="replace") as stream:
        for part in page_parts("Cohort", _STYLE, introduction, _sections(records, shown, with_name)):
            stream.write(part)
    return broken, unusable


def _sections(records: Records, shown: list[str], with_name: bool) -> Iterator[str]:
    heads = "".join(f"<th scope='col'>{escape(head)}</th>" for head in ("Row", "Picture", "Region", *shown, "Note"))
    yield f"<div class='wide'><table><caption>A line per result.</caption><thead><tr>{heads}</tr></thead><tbody>"
    for row, record, folder in records():
        name = f" {Path(row.words[1]).name}" if with_name and row.words else ""
        for number, result in enumerate(record["results"] or [{}]):
            picture = _picture(folder / THUMBNAIL, row.number) if not number else ""
            region = result.get("region") and result.get("visit") or result.get("name") or ""
            cells = "".join(f"<td class='number'>{escape(_text(result.get(key)))}</td>" for key in shown)
            yield (
                f"<tr><th scope='row'>{row.number}{escape(name)}</th><td>{picture}</td><td>{escape(str(region))}</td>{cells}"
                f"<td>{escape(record['sentence'])}</td></tr>"
            )
    yield "</tbody></table></div>"


def _picture(path: Path, number: int) -> str:
    if not path.is_file():
        return ""
    data = base64.b64encode(path.read_bytes()).decode("ascii")
    return f"<img src='data:image/jpeg;base64,{data}' loading='lazy' alt='Slice of row {number}'>"


def _cell(value):
    return "" if value is None or value != value else value


def _text(value) -> str:
    """A result as it is read from a table or from JSON."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return "" if value is None else str(value)
    return number_text(number) if math.isfinite(number) else ""
