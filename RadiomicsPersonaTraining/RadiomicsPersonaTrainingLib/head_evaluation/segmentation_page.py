"""Segmentation page: the report of an evaluation, one HTML file with tables and pictures of input, truth and what was found."""

from __future__ import annotations

from html import escape

import numpy as np
from PIL import Image

from RadiomicsPersonaLib.report.colors import CLASS_COLORS
from RadiomicsPersonaLib.report.html_page import html_page, html_table
from RadiomicsPersonaLib.report.picture import side_by_side
from RadiomicsPersonaLib.report.slice_plane import Plane, cut
from RadiomicsPersonaLib.segmentation.segmentation_model import SegmentationModel

from ..evaluation.pictures import jpeg_uri
from .segmentation import NOTES, SegmentedCase, subject_rows, summary_rows

PANELS = ("Input", "Truth", "Found")
PIXELS = 320
MARGIN_MM = 12.0
OPACITY = 0.5


def page_of(cases: list[SegmentedCase], model: SegmentationModel, record: dict, seed: int = 0) -> str:
    """The page's HTML.

    Args:
        record: see `segmentation.record_of`.
    """
    people = len({case.subject for case in cases})
    title = f"Segmenting: {escape(model.name)}"
    figures = "".join(
        f"<figure><img src='{jpeg_uri(panels(case))}' alt='{escape(text, quote=True)}'>"
        f"<figcaption>{escape(text)}</figcaption></figure>"
        for text, case in (
            (f"{word}: {case.case}, mean Dice {mean_dice(case):.3f}. {', '.join(PANELS)}.", case)
            for word, case in examples(cases)
        )
    )
    legend = ", ".join(
        f"<span style='color:rgb{CLASS_COLORS[n % len(CLASS_COLORS)]}'>&#9632;</span> {escape(label['name'])}"
        for n, label in enumerate(model.labels)
    )
    origin = [
        ["Date", record["date"]],
        ["Model", f"{model.name}, SHA-256 {model.card['sha256']}"],
        ["Command", record["command"]],
    ]
    origin += [["Versions", ", ".join(f"{name} {value}" for name, value in record["versions"].items() if value)]]
    sources = html_table("What is needed to make them again.", ["what", "value"], origin, long=True)
    sections = f"""<section><h2>Typical and worst</h2><p>{legend}</p>{figures}</section>
<section><h2>Case by case</h2>{html_table("A row per case and structure.", *subject_rows(cases))}</section>
<section><h2>How it was measured</h2><p>{escape(NOTES)}</p></section>
<section><h2>Where the numbers come from</h2>{sources}</section>"""
    means = html_table(f"Means over {people} people ({len(cases)} cases).", *summary_rows(cases, seed))
    return html_page(title, "", means, sections)


def mean_dice(case: SegmentedCase) -> float:
    """Mean over the structures of a case."""
    return float(np.mean([measures["dice"] for measures in case.measures.values()]))


def examples(cases: list[SegmentedCase]) -> list[tuple[str, SegmentedCase]]:
    """The case with the median and the one with the lowest mean Dice; one case alone is typical."""
    ranked = sorted(cases, key=lambda case: (-mean_dice(case), case.case))
    typical = ("Typical", ranked[(len(ranked) - 1) // 2])
    return [typical] if len(ranked) == 1 else [typical, ("Worst", ranked[-1])]


def panels(case: SegmentedCase) -> Image.Image:
    """Input, truth and what was found, side by side; the axial plane that holds most of both."""
    scan = case.scan
    marked = np.argwhere((case.truth > 0) | (case.found > 0))
    points = scan.ras_from_ijk(marked if len(marked) else np.array(scan.shape)[None] / 2)
    low, high = scan.bounds_ras
    heights, counts = np.unique(np.rint(points[:, 2]), return_counts=True)
    center = np.array([*(points.min(axis=0) + points.max(axis=0))[:2] / 2, heights[counts.argmax()]])
    side = min(
        float(np.ptp(points[:, :2], axis=0).max()) + 2 * MARGIN_MM if len(marked) else np.inf, float((high - low)[:2].max())
    )
    plane = Plane("axial", center, side, PIXELS)
    dark, bright = np.percentile(scan.array, [1, 99.5])
    shade = np.clip((cut(scan.array, scan.affine, plane, dark) - dark) / max(bright - dark, 1e-6), 0, 1)
    gray = np.repeat(255 * shade[..., None], 3, axis=-1)
    shown = [gray]
    for classes in (case.truth, case.found):
        on_plane = cut(classes, scan.affine, plane, 0, order=0).astype(int)
        colors = np.array(CLASS_COLORS)[(on_plane - 1) % len(CLASS_COLORS)]
        shown.append(np.where((on_plane > 0)[..., None], (1 - OPACITY) * gray + OPACITY * colors, gray))
    return side_by_side([Image.fromarray(np.rint(panel).astype(np.uint8)) for panel in shown])
