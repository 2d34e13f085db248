"""Sensitivity report: what was found of which size and contrast, as a page with the curve, a picture, a table; and as files."""

from __future__ import annotations

from dataclasses import asdict
from html import escape
from pathlib import Path

import numpy as np

from .. import __version__
from ..defaults import LESION_KINDS, RESEARCH_USE
from ..imaging.files import write_nifti
from ..imaging.scan import Scan
from ..report.html_page import data_uri, html_page, html_table, number_text
from ..report.results_files import write_rows
from ..system.json_text import json_value, written
from .lesion_picture import before_and_after, slices_of
from .sensitivity import CAVEAT, Sensitivity
from .sensitivity_curve import curve_picture, curve_svg


def write_sensitivity(result: Sensitivity, scan: Scan, folder: Path, example: bool = True) -> None:
    """Write sensitivity.csv (a row per painted lesion), .json, .png (the curve), .html (the page),
    and perhaps the example as NIfTI.
    """
    write_rows(folder / "sensitivity.csv", rows_of(result))
    (folder / "sensitivity.json").write_text(written(json_value(record_of(result)), indent=1) + "\n", encoding="utf-8")
    curve_picture(result).save(folder / "sensitivity.png")
    (folder / "sensitivity.html").write_text(_page(result, scan), encoding="utf-8", errors="backslashreplace")
    if example:
        write_nifti(folder / "example.nii.gz", result.example.values, scan.affine)
        write_nifti(folder / "example_mask.nii.gz", result.example.lesion.astype(np.uint8), scan.affine)


def rows_of(result: Sensitivity) -> list[dict]:
    """A row per painted lesion."""
    return [
        {
            "kind": result.kind,
            "asked_ml": trial.asked_ml,
            "size_ml": round(trial.size_ml, 5),
            "diameter_mm": round(trial.diameter_mm, 3),
            "strength": round(trial.strength, 4),
            "contrast_sd": round(trial.contrast_sd, 4),
            "p": trial.p,
            "probability": trial.probability,
            "combined": trial.combined,
            "label": trial.label,
            "word": trial.word,
        }
        for trial in result.trials
    ]


def record_of(result: Sensitivity) -> dict:
    """Everything but the arrays."""
    return {
        "notice": RESEARCH_USE,
        "caveat": CAVEAT,
        "version": __version__,
        "kind": result.kind,
        "contrast": result.contrast,
        "place_ras": list(result.place),
        "decision": result.decision,
        "model": result.model,
        "seed": result.seed,
        "controls": result.controls,
        "sizes": [asdict(size) for size in result.sizes],
        "trials": [asdict(trial) | {"word": trial.word, "diameter_mm": trial.diameter_mm} for trial in result.trials],
        "summary": list(sentences_of(result)),
        "warnings": list(result.warnings),
    }


def sentences_of(result: Sensitivity):
    """What was found of each size, one sentence each."""
    for size in result.sizes:
        what = f"{size.diameter_mm:.1f} mm ({size.size_ml:.2g} ml)"
        if all(trial.label is None for trial in result.trials if trial.asked_ml == size.asked_ml):
            yield f"Of {what} nothing can be told: no verdict was reached there."
        elif size.least_contrast_sd is None:
            yield f"Of {what} nothing was found, up to {size.missed_contrast_sd:.2f} SD of contrast."
        elif size.missed_contrast_sd is None:
            yield f"Of {what} everything was found, down to {size.least_contrast_sd:.2f} SD of contrast."
        else:
            yield (
                f"Of {what} lesions were found from {size.least_contrast_sd:.2f} SD of contrast on, and not yet at "
                f"{size.missed_contrast_sd:.2f} SD."
            )


def _page(result: Sensitivity, scan: Scan) -> str:
    told = "".join(f"<li>{escape(sentence)}</li>" for sentence in sentences_of(result))
    notes = "".join(f"<li>{escape(note)}</li>" for note in result.warnings)
    curve = (
        "Each mark is one painted lesion. Orange dot: called pathological; yellow diamond: undetermined; blue ring: not found."
    )
    example = result.example
    center = scan.ras_from_ijk(np.argwhere(example.lesion).mean(axis=0))
    picture = slices_of(scan, before_and_after(scan, example.values, example.lesion), center)
    found = any(size.least_strength for size in result.sizes[-1:])
    strength = "as faint as it was found" if found else "at the greatest strength, which was not found"
    said = f"An example: the largest size, {strength}."
    shown = f"<img src='{data_uri(picture)}' alt='{escape(said, quote=True)}'><figcaption>{escape(said)}</figcaption>"
    sizes = html_table(
        "Size by size: the box is tight around the lesion; its verdict with nothing painted stands beside it.",
        ["Size", "Volume (ml)", "Box (mm)", "Control regions", "p without lesion", "Found from (SD)", "Not yet at (SD)"],
        [
            [
                f"{s.diameter_mm:.1f} mm",
                number_text(s.size_ml),
                " x ".join(f"{edge:.0f}" for edge in s.box_mm),
                str(s.controls),
                _text(s.healthy_p),
                _text(s.least_contrast_sd),
                _text(s.missed_contrast_sd),
            ]
            for s in result.sizes
        ],
    )
    trials = html_table(
        "Every painted lesion.",
        ["Size", "Strength", "Contrast (SD)", "p", "Probability", "Verdict"],
        [
            [f"{t.diameter_mm:.1f} mm", f"{t.strength:.3g}", f"{t.contrast_sd:.2f}", _text(t.p), _text(t.probability), t.word]
            for t in result.trials
        ],
    )
    how = html_table(
        "What is needed to make these numbers again.",
        ["Setting", "Value"],
        [
            ["kind, contrast", f"{LESION_KINDS[result.kind]}, {result.contrast}"],
            ["place (R, A, S)", ", ".join(f"{value:g}" for value in result.place)],
            ["decision", f"{result.decision['rule']}, threshold {result.decision['threshold']:g}"],
            ["model", str(result.model.get("name"))],
            ["control regions, seed", f"{result.controls}, {result.seed}"],
            ["version", __version__],
        ],
        long=True,
    )
    introduction = f"<p>{escape(CAVEAT)}</p><ul>{told}</ul>" + (f"<ul>{notes}</ul>" if notes else "")
    drawn = f"<figure>{curve_svg(result)}<figcaption>{curve}</figcaption></figure>"
    return html_page(
        "Sensitivity in this patient",
        "",
        introduction,
        f"<section>{drawn}{sizes}</section><section><h2>What was painted</h2><figure>{shown}</figure></section>"
        f"<section><details><summary>Lesion by lesion</summary>{trials}</details></section><section>{how}</section>",
    )


def _text(value: float | None) -> str:
    return "-" if value is None else f"{value:.2g}"
