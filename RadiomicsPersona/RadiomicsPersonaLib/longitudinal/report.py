"""Report of a regression: estimates, figures and patients as one HTML page, and as CSV and JSON files."""

from __future__ import annotations

import math
from dataclasses import asdict
from html import escape
from pathlib import Path

from .. import __version__
from ..defaults import RESEARCH_USE
from ..report.html_page import html_page, html_table, number_text
from ..report.results_files import write_rows
from ..system.json_text import json_value, written
from .figures import curve_rows, figures_of
from .outcome_analysis import OutcomeAnalysis

_READING = (
    "Estimates are the mean change of the outcome per unit of what stands beside them, over patients, with the 95 % "
    "confidence interval. p is of no effect; q is p corrected for all rows of all outcomes. The robust line does not lean on "
    "single visits or patients: it is the Hodges-Lehmann estimate of the patients' Theil-Sen slopes with Wilcoxon's interval, "
    "or Huber's M-estimate where time plays no part. An association is not a cause."
)


def write_regression(analyses: list[OutcomeAnalysis], folder: Path, settings: dict, with_names: bool = False) -> None:
    """Write regression.csv, patients.csv, residuals.csv, curves.csv, regression.json, the figures as SVG,
    and report.html into a folder.

    Args:
        settings: what was asked for, kept with the results.
        with_names: call patients in report and figures as the table does; otherwise they are numbered. The CSV files always do.
    """
    names = _names(analyses, with_names)
    figures = [figures_of(analysis, names) for analysis in analyses]
    write_rows(folder / "regression.csv", [row for analysis in analyses for row in term_rows(analysis)])
    write_rows(
        folder / "patients.csv",
        [
            {"outcome": analysis.regression.observations.outcome} | asdict(slope)
            for analysis in analyses
            for slope in analysis.slopes
        ],
    )
    write_rows(folder / "curves.csv", [row for analysis in analyses for row in curve_rows(analysis)])
    write_rows(folder / "residuals.csv", [row for analysis in analyses for row in _residual_rows(analysis)])
    for outcome in figures:
        for stem, _, plot in outcome:
            (folder / f"{stem}.svg").write_text(plot.svg_alone, encoding="utf-8")
    record = {
        "notice": RESEARCH_USE,
        "version": __version__,
        "settings": settings,
        "outcomes": [_record(analysis) for analysis in analyses],
    }
    (folder / "regression.json").write_text(written(json_value(record), indent=1) + "\n", encoding="utf-8")
    (folder / "report.html").write_text(
        report_of(analyses, figures, names, settings), encoding="utf-8", errors="backslashreplace"
    )


def report_of(analyses: list[OutcomeAnalysis], figures, names: dict[str, str], settings: dict) -> str:
    """The page's HTML; the figures are what `figures_of` gives for each outcome."""
    rows = [
        [
            _named(analysis),
            row["term"],
            row["method"],
            interval_text(row["estimate"], row["low"], row["high"]),
            _p(row["p"]),
            _p(row["q"]),
        ]
        for analysis in analyses
        for row in term_rows(analysis)
    ]
    summary = html_table("Estimates with 95 % intervals.", ["Outcome", "Per", "Method", "Change", "p", "q"], rows)
    sections = "".join(_section(analysis, shown, names) for analysis, shown in zip(analyses, figures))
    asked = [[key, ", ".join(map(str, value)) if isinstance(value, list) else str(value)] for key, value in settings.items()]
    how = html_table(
        "What is needed to make these numbers again.", ["Setting", "Value"], [*asked, ["version", __version__]], long=True
    )
    return html_page(
        "Regression of measurements",
        "",
        summary,
        f"{sections}<section><h2>How to read this</h2><p>{_READING}</p></section><section>{how}</section>",
    )


def term_rows(analysis: OutcomeAnalysis) -> list[dict]:
    """One row per estimate: the model's terms, then the robust ones."""
    regression = analysis.regression
    seen = regression.observations
    start = {"outcome": f"ln {seen.outcome}" if regression.log else seen.outcome}
    size = {"rows": len(seen.values), "patients": len(seen.visits)}
    rows = []
    for term, q in zip(regression.terms, analysis.q):
        # a number of time is told by its unit
        name = seen.unit if term.name == seen.time else term.name
        rows.append(start | {"term": name, "method": regression.method} | asdict(term) | {"q": q} | size)
    if analysis.robust:
        kept = asdict(analysis.robust)
        rows.append(
            start
            | {"term": seen.unit, "method": "robust: Theil-Sen, Hodges-Lehmann"}
            | kept
            | {"df": None, "q": None}
            | size
            | {"patients": kept["patients"]}
        )
    rows += [
        start | {"term": term.name, "method": "robust: Huber"} | asdict(term) | {"q": None} | size
        for term in analysis.robust_terms
    ]
    order = ("outcome", "term", "method", "estimate", "low", "high", "df", "p", "q", "rows", "patients")
    return [{key: row[key] for key in order} for row in rows]


def _named(analysis: OutcomeAnalysis) -> str:
    """What the page calls the outcome, or its logarithm; files keep the column's name."""
    name = analysis.regression.observations.name
    return f"ln {name}" if analysis.regression.log else name


def _section(analysis: OutcomeAnalysis, figures, names: dict[str, str]) -> str:
    regression = analysis.regression
    seen = regression.observations
    scale = " (analyzed as logarithms)" if regression.log else ""
    facts = [f"{len(seen.values)} visits of {len(seen.visits)} patient(s); {regression.method}."]
    words = {
        "intercept": "levels of patients at the mean time",
        "slope": f"slopes per {seen.unit}",
        "residual": "visits around their patient's line",
    }
    facts.append("SD of " + ", ".join(f"{words[key]}: {number_text(value)}" for key, value in regression.spread.items()) + ".")
    if analysis.doubling:
        facts.append(analysis.doubling.in_words)
    listed = (note.removeprefix(f"{seen.outcome}: ") for note in analysis.notes)
    notes = "".join(f"<li>{escape(note[0].upper() + note[1:])}</li>" for note in listed)
    pictures = "".join(f"<figure>{plot.svg}<figcaption>{escape(caption)}</figcaption></figure>" for _, caption, plot in figures)
    patients = [
        [names[slope.patient], str(slope.visits), interval_text(slope.slope, slope.low, slope.high), number_text(slope.robust)]
        for slope in analysis.slopes
    ]
    table = (
        html_table(f"Every patient's own slope per {seen.unit}.", ["Patient", "Visits", "Least squares", "Theil-Sen"], patients)
        if patients
        else ""
    )
    return (
        f"<section><h2>{escape(seen.name)}{scale}</h2>"
        f"<p>{escape(' '.join(facts))}</p>{f'<ul>{notes}</ul>' if notes else ''}{pictures}"
        + (f"<details><summary>Patient by patient</summary>{table}</details>" if table else "")
        + "</section>"
    )


def _record(analysis: OutcomeAnalysis) -> dict:
    regression = analysis.regression
    return {
        "outcome": regression.observations.outcome,
        "log": regression.log,
        "method": regression.method,
        "estimates": term_rows(analysis),
        "spread": regression.spread,
        "doubling_time": asdict(analysis.doubling) if analysis.doubling else None,
        "residuals": {"shapiro_wilk_p": analysis.diagnostics.normal_p, "breusch_pagan_p": analysis.diagnostics.even_p},
        "notes": list(analysis.notes),
    }


def _residual_rows(analysis: OutcomeAnalysis) -> list[dict]:
    regression = analysis.regression
    seen = regression.observations
    columns = {"patient": seen.patients} | ({seen.unit: seen.times} if seen.times is not None else {}) | seen.covariates
    columns |= {"value": seen.values, "fitted": regression.fitted, "residual_sd": regression.residuals}
    outliers = set(analysis.diagnostics.outliers)
    return [
        {"outcome": seen.outcome} | {key: values[row] for key, values in columns.items()} | {"outlier": int(row in outliers)}
        for row in range(len(seen.values))
    ]


def _names(analyses: list[OutcomeAnalysis], with_names: bool) -> dict[str, str]:
    patients = sorted({patient for analysis in analyses for patient in analysis.regression.observations.visits})
    return {patient: patient if with_names else f"patient {number}" for number, patient in enumerate(patients, 1)}


def interval_text(value: float, low: float, high: float) -> str:
    """A number with its interval; alone where there is none."""
    if not math.isfinite(low):
        return number_text(value)
    return f"{number_text(value)} ({number_text(low)} to {number_text(high)})"


def _p(value: float | None) -> str:
    return "-" if value is None or not math.isfinite(value) else f"{value:.2g}"
