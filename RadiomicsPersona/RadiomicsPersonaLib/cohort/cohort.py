"""Cohort: many scans, each with its own command, worked on side by side, into one table and one report."""

from __future__ import annotations

import base64
import csv
import math
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from html import escape
from pathlib import Path

from ..report.html_page import number_text, page_parts
from ..system.csv_table import written_cell
from ..system.output import files_written_whole
from ..system.signals import signals_held
from .row import THUMBNAIL, identity_of, is_done, read_record, write_record
from .table import CohortRow, CohortTable
from .workers import run_here, run_on_cluster

SCANS, TABLE, REPORT = "scans", "cohort.csv", "report.html"


@dataclass(frozen=True)
class Outcome:
    """What came of a run.

    Attributes:
        rows: of the table.
        kept: were there from an earlier run.
        broken: have a sentence instead of results.
    """

    rows: int
    kept: int
    broken: int


def usual_workers() -> int:
    """As many as this process may use cores."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def run_cohort(
    table: CohortTable,
    folder: Path,
    workers: int | None = None,
    scheduler: str | None = None,
    with_name: bool = False,
    progress: Callable[[int, int, str], None] = lambda done, total, what: None,
) -> Outcome:
    """Run every row's command that has not been run before, and write table and report of all rows.

    Every row has a folder scans/NNNNN with what its command writes. A row is done when its record is there, so that a run that
    was cut off goes on where it stopped; rows that failed for a reason other than their input are tried again. Rows are read,
    worked on and written one by one: memory does not grow with their number.

    Args:
        folder: for cohort.csv, report.html and scans/; may hold an earlier run's.
        workers: processes of this machine; None takes all cores.
        scheduler: address of a Dask scheduler instead, or None.
        with_name: name the scans in the report.
        progress: called with (done, total, what); may raise to stop.
    Raises:
        InputError: the cluster cannot be used.
    """
    total = len(table)
    _remove_hidden(folder / SCANS)
    waiting = [0, 0]

    def jobs() -> Iterator[dict]:
        for row in table:
            place = folder / SCANS / f"{row.number:05d}"
            if row.options is None:
                write_record(place, {"cells": row.cells}, [], row.sentence, True)
            elif not is_done(place, identity := identity_of(row.options)):
                waiting[0] += 1
                yield {
                    "options": row.options,
                    "identity": identity,
                    "folder": str(place.absolute()),
                    "image": row.image,
                    "output_file": table.output_file,
                    "prints_json": table.prints_json,
                }

    def finished(job: dict) -> None:
        waiting[1] += 1
        progress(waiting[1], total, Path(job["image"]).name)

    try:
        if scheduler:
            run_on_cluster(jobs(), scheduler, finished)
        else:
            run_here(jobs(), min(workers or usual_workers(), total), finished)
    finally:
        if not scheduler:  # workers of another machine may still be at it
            _remove_hidden(folder / SCANS)
    progress(total, total, "")

    def records() -> Iterator[tuple[CohortRow, dict, Path]]:
        for row in table:
            place = folder / SCANS / f"{row.number:05d}"
            yield row, read_record(place) or {"results": [], "sentence": "It was not worked on."}, place

    broken = write_report_of_cohort(records, table, folder / TABLE, folder / REPORT, with_name)
    return Outcome(total, total - waiting[0] - broken[1], broken[0])


def _remove_hidden(scans: Path) -> None:
    """Remove what rows that were ended by force have left beside or inside of their folders."""
    with signals_held():
        for path in _hidden_in(scans, deeper=True):
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)


def _hidden_in(folder: Path, deeper: bool) -> Iterator[Path]:
    """What is hidden in a folder and, if `deeper`, in the folders in it; one by one, for there may be very many."""
    if not folder.is_dir():
        return
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                yield Path(entry)
            elif deeper:
                yield from _hidden_in(Path(entry), deeper=False)


SHOWN = ("label", "p", "combined", "volume_ml", "deviating_ml", "deviation", "ml", "area_mm2", "mask_volume_ml", "voxels")
"""Results that the page shows where they are there; the table holds all."""
_STYLE = "td img { width: 20rem; max-width: none } tr { content-visibility: auto; contain-intrinsic-size: auto 7rem }"
Records = Callable[[], Iterator[tuple[CohortRow, dict, Path]]]


def write_report_of_cohort(
    records: Records, table: CohortTable, csv_path: Path, html_path: Path, with_name: bool
) -> tuple[int, int]:
    """Write both files.

    Args:
        records: gives every row, what `row.run_row` recorded of it, and its folder, as often as it is called.
        with_name: name the scans by their files in the page.
    Returns:
        how many rows have a sentence instead of results; how many of these have no command at all.
    """
    broken = unusable = lines = 0
    found: dict[str, None] = {}
    for row, record, _ in records():
        broken += bool(record["sentence"])
        unusable += row.options is None
        lines += len(record["results"])
        found |= dict.fromkeys(key for result in record["results"] for key in result)
    renamed = {key: f"result_{key}" if key in table.heads and key not in table.option_columns else key for key in found}
    columns = dict.fromkeys(["row", *table.heads, "sentence", *renamed.values()])
    shown = [key for key in SHOWN if key in found]
    done = sum(1 for _ in records()) - broken
    introduction = (
        f"<p>{done + broken} rows: {done} with results ({lines} lines in {csv_path.name}), {broken} without.</p>"
        f"<p class='faint'>radiomics-persona {escape(table.command)}, a row per scan. Pictures show the box that deviates most "
        "(scan, healthy persona, difference) where boxes were analyzed.</p>"
    )
    with files_written_whole(csv_path, html_path) as (table_path, page_path):
        with open(table_path, "w", newline="", encoding="utf-8") as stream:
            writer = csv.writer(stream)
            writer.writerow(map(written_cell, columns))
            for row, record, _ in records():
                for result in record["results"] or [{}]:
                    line = {"row": row.number, **row.cells, "sentence": record["sentence"]}
                    line |= {renamed[key]: value for key, value in result.items()}
                    writer.writerow([written_cell(line.get(column)) for column in columns])
        with open(page_path, "w", encoding="utf-8", errors="replace") as stream:
            for part in page_parts("Cohort", _STYLE, introduction, _sections(records, shown, with_name)):
                stream.write(part)
    return broken, unusable


def _sections(records: Records, shown: list[str], with_name: bool) -> Iterator[str]:
    heads = "".join(f"<th scope='col'>{escape(head)}</th>" for head in ("Row", "Picture", "Region", *shown, "Note"))
    yield f"<div class='wide'><table><caption>A line per result.</caption><thead><tr>{heads}</tr></thead><tbody>"
    for row, record, folder in records():
        name = f" {Path(row.image).name}" if with_name and row.image else ""
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


def _text(value) -> str:
    """A result as it is read from a table or from JSON."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return "" if value is None else str(value)
    return number_text(number) if math.isfinite(number) else ""
