"""A page of real tumours with their healthy personas, to look at: scan, blind persona, persona, and the persona in its fog.

    python Testing/demos/real_tumours.py DATA PAGE.html [T1|FLAIR|...]

The two patients of BraTS and the six largest of TCGA-LGG, each in a box of 1.25 times the tumour. No model was trained on them.
Their scans may be measured and not shown, so the page is for your own eyes.
"""

from __future__ import annotations

import sys
from html import escape
from pathlib import Path

import numpy as np
from PIL import Image

from RadiomicsPersonaLib.analysis.analysis import analyze
from RadiomicsPersonaLib.analysis.result import Analysis
from RadiomicsPersonaLib.geometry.box import Box
from RadiomicsPersonaLib.imaging.files import read_label_map
from RadiomicsPersonaLib.reconstruction.reconstruction_model import load_model
from RadiomicsPersonaLib.report.html_page import data_uri, html_page
from RadiomicsPersonaLib.report.picture import CONTEXT_MM, annotated, display_window, gray, side_by_side, slice_row
from RadiomicsPersonaLib.report.slice_plane import ORIENTATIONS, planes_around
from RadiomicsPersonaTrainingLib.data.held_out import HeldOutScan
from RadiomicsPersonaTrainingLib.verdict.cases import verdict_scans

LOOSE = 1.25
MOST = 6
PIXELS = 300
COLUMNS = ("scan", "blind persona", "persona", "persona in its fog")
OUTLINE = (246, 168, 92)


def main(data: str, page: str, contrast: str = "T1") -> None:
    """Analyze the tumours and write the page."""
    groups = [f"{source} {contrast}" for source in ("BraTS", "LGG")]
    patients = [held_out for held_out in verdict_scans(Path(data), None, groups, 1000) if held_out.group in groups]
    sizes = {held_out.subject: (read_label_map(held_out.lesion).array > 0).sum() for held_out in patients}
    patients.sort(key=lambda held_out: (not held_out.group.startswith("BraTS"), -sizes[held_out.subject]))
    brats = sum(held_out.group.startswith("BraTS") for held_out in patients)
    model, sections = load_model("auto"), []
    for held_out in patients[: brats + MOST]:
        analysis = tumour_analysis(held_out, model)
        (result,) = analysis.boxes
        print(f"{held_out.group} {held_out.subject}: {result.word}. {' '.join(result.remarks)}", flush=True)
        rows = "".join(
            f"<p><img src='{data_uri(panels(analysis, orientation))}' alt='{orientation}'></p>" for orientation in ORIENTATIONS
        )
        told = " ".join((result.reason, *result.remarks))
        sections.append(
            f"<section><h2>{escape(held_out.group)}, {escape(held_out.subject)}</h2><p>{escape(told)}</p>{rows}</section>"
        )
    introduction = f"<p>In every row: {', '.join(COLUMNS)}; axial, coronal, sagittal.</p>"
    Path(page).write_text(
        html_page("Real tumours and their healthy personas", "", introduction, "".join(sections)), encoding="utf-8"
    )
    print(page)


def tumour_analysis(held_out: HeldOutScan, model) -> Analysis:
    """The analysis of a loose upright box around a patient's tumour."""
    scan = held_out.read()
    corners = scan.ras_from_ijk(np.argwhere(read_label_map(held_out.lesion).array > 0))
    low, high = corners.min(axis=0), corners.max(axis=0)
    return analyze(scan, [Box((low + high) / 2, LOOSE * (high - low + scan.spacing.min()), name="tumour")], model)


def panels(analysis: Analysis, orientation: str) -> Image.Image:
    """Scan, blind persona, persona, and the persona in its fog, side by side."""
    (result,) = analysis.boxes
    plane = planes_around(result.box, CONTEXT_MM, PIXELS)[ORIENTATIONS.index(orientation)]
    images = [
        annotated(gray(array, analysis.scan.affine, plane, display_window(analysis)), result.box, plane, OUTLINE)
        for array in (analysis.scan.array, analysis.blind, analysis.reconstruction)
    ]
    return side_by_side([*images, slice_row(analysis, result, orientation, PIXELS)[2]])


if __name__ == "__main__":
    main(*sys.argv[1:])
