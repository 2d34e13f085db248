"""`radiomics-persona follow`: one region over several visits of a patient."""

from __future__ import annotations

import math
from html import escape
from pathlib import Path

from .errors import InputError


def add_follow(commands) -> None:
    """Add the command to the parser's."""
    follow = commands.add_parser("follow", help="analyze the same boxes in several scans of one patient, carried along by rigid registration")
    follow.add_argument("scans", nargs="+", metavar="SCAN", help="the patient's scans; the boxes are in the first one's coordinates")
    follow.add_argument(
        "--dates", nargs="+", default=[], metavar="DATE",
        help="one per scan, as 2026-03-31, or numbers of years (default: what DICOM headers or the files beside the scans say)",
    )  # fmt: skip
    follow.add_argument("--box", action="append", default=[], metavar="R,A,S,X,Y,Z", help="centre and sizes in RAS mm; may be repeated")
    follow.add_argument("--boxes", action="append", default=[], metavar="FILE", help="boxes of a Slicer .mrk.json; may be repeated")
    follow.add_argument("--labels", metavar="FILE", help="a label map of the first scan: a box around each connected part of each label")
    follow.add_argument("--masks", nargs="+", default=[], metavar="MASK", help="the lesion's mask in each scan, for its volume; parts that reach into the box count")
    follow.add_argument("--patient", default="patient", metavar="NAME", help="what the table calls the patient (default patient)")
    follow.add_argument("--output", required=True, metavar="DIR", help="folder for visits.csv, report.html, and a folder per visit as `analyze` writes it")
    follow.add_argument("--options", default="", metavar='"..."', help="options for `analyze`, also as all that stands behind a lone --")
    follow.set_defaults(run=_follow)


def _follow(options) -> int:
    from .cache import Cache
    from .output import folder_written_whole
    from .progress import ProgressBar
    from .result import RESEARCH_USE

    with folder_written_whole(options.output) as folder:
        rows, notes = follow_into_folder(options, folder, Cache(), ProgressBar())
    for row in rows:
        volume = "" if row["volume_ml"] is None else f", lesion {row['volume_ml']:.3f} ml"
        print(
            f"{row['visit']} at {row['years']:.2f} years, {row['box']}: label {'-' if row['label'] is None else row['label']}, "
            f"combined score {row['combined']:.2f}, unusual {row['deviating_ml']:.3f} ml{volume}"
        )
    for note in notes:
        print(f"note: {note}")
    print(f"Table: {Path(options.output) / 'visits.csv'} (goes into radiomics-persona regress); report: {Path(options.output) / 'report.html'}")
    print(RESEARCH_USE)
    return 0


def follow_into_folder(options, folder: Path, cache, progress, write=None) -> tuple[list[dict], list[str]]:
    """Analyze every visit and write all files.

    Args:
        options: of the command `follow`.
        folder: an empty one.
        cache: the `Cache` of this process.
        progress: called with (done, total, what); may raise to cancel.
        write: for each visit, see `analyze_into_folder`.
    Returns:
        the table's rows; what the user should know, one sentence each.
    Raises:
        InputError: an input cannot be used.
    """
    import shlex

    from .cli import analyze_into_folder, boxes_of, parse
    from .markups import write_boxes
    from .mask import read_mask
    from .table import write_rows
    from .visits import carried, lesion_ml, visit_row, visit_times

    for name, given in (("dates", options.dates), ("masks", options.masks)):
        if given and len(given) != len(options.scans):
            raise InputError(f"There are {len(options.scans)} scans and {len(given)} {name}: give one per scan, in the same order.")
    if len(options.scans) < 2:
        raise InputError("There is one scan only: give at least two visits, or use `radiomics-persona analyze`.")
    times = visit_times(options.dates or [_date_of(path) for path in options.scans])
    first, _ = cache.scan(options.scans[0])
    boxes = boxes_of(options, first)
    rows, notes, shown = [], [], []
    for number, (path, time) in enumerate(zip(options.scans, times), 1):
        scan, _ = cache.scan(path)
        here, motion, doubts = carried(boxes, first, scan) if number > 1 else (boxes, None, ())
        notes += doubts
        visit = folder / f"visit-{number}"
        visit.mkdir()
        write_boxes(visit / "boxes.mrk.json", here)
        words = ["analyze", path, "--boxes", str(visit / "boxes.mrk.json"), "--output", str(visit), *shlex.split(options.options)]

        def step(done: int, total: int, what: str, number=number) -> None:
            progress((number - 1) * total + done, len(times) * total, f"visit {number}: {what}")

        analysis = analyze_into_folder(parse(words), cache, step, write)
        mask = read_mask(options.masks[number - 1]) if options.masks else None
        start = {"patient": options.patient, "visit": f"visit {number}", "date": time.text, "years": round(time.years, 4), "scan": scan.name}
        for result in analysis.boxes:
            rows.append(visit_row(analysis, result, start, motion, lesion_ml(*mask, result.box) if mask else None))
        shown.append(_pictures(analysis, f"Visit {number}, {time.years:.2f} years after the first"))
    write_rows(folder / "visits.csv", rows)
    (folder / "report.html").write_text(_report(rows, notes, shown), encoding="utf-8")
    return rows, notes


def _date_of(path: str) -> str:
    from .visit_date import visit_date

    date = visit_date(path)
    if date is None:
        raise InputError(f"'{Path(path).name}' does not tell when it was taken: give --dates with a date or a number of years for each scan.")
    return date


def _pictures(analysis, title: str) -> str:
    from .picture import slice_triplet
    from .report import data_uri

    parts = []
    for result in analysis.boxes:
        said = f"{result.box.name}: {result.word}. {result.reason}"
        alt = escape(f"{title}, {result.box.name}: scan, healthy persona and difference in an axial slice", quote=True)
        picture = data_uri(slice_triplet(analysis, result))
        parts.append(f"<figure><img src='{picture}' alt='{alt}'><figcaption>{escape(said)}</figcaption></figure>")
    return f"<section><h2>{escape(title)}</h2>{''.join(parts)}</section>"


def _report(rows: list[dict], notes: list[str], shown: list[str]) -> str:
    """One page without names and dates: the measures over time, and every visit's slices."""
    from .page import html_page, html_table
    from .plot import OTHER, Plot
    from .report import number_text

    columns = {"volume_ml": "lesion (ml)", "deviating_ml": "unusual tissue (ml)", "combined": "combined score", "deviation": "deviation (SD)", "p": "p"}
    columns = {key: name for key, name in columns.items() if any(row[key] is not None for row in rows)}

    def text(value) -> str:
        return "-" if value is None or not math.isfinite(value) else number_text(value)

    table = html_table(
        "What was measured at every visit; the boxes were carried along by rigid registration.",
        ["Visit", "Years", "Box", "Label", *columns.values()],
        [[row["visit"], f"{row['years']:.2f}", row["box"], text(row["label"]), *(text(row[key]) for key in columns)] for row in rows],
    )
    plots = []
    for key, name in columns.items():
        known = [row for row in rows if row[key] is not None and math.isfinite(row[key])]
        if key == "p" or len({row["years"] for row in known}) < 2:
            continue
        plot = Plot(f"{name} over years", "years", name, [row["years"] for row in known], [row[key] for row in known], (760, 240))
        for region in dict.fromkeys(row["region"] for row in known):
            mine = sorted((row["years"], row[key]) for row in known if row["region"] == region)
            plot.line(*zip(*mine), OTHER, 1.5)
            plot.points(*zip(*mine), OTHER, 4)
        plots.append(f"<figure>{plot.svg}<figcaption>{escape(name)}, a line per box.</figcaption></figure>")
    listed = "".join(f"<li>{escape(note)}</li>" for note in notes)
    return html_page("Follow-up of a region", "", table + (f"<ul>{listed}</ul>" if notes else ""), "".join(plots) + "".join(shown))
