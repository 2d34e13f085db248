"""Evaluation pictures: rebuilt holes beside the truth, from the best case to the worst."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from RadiomicsPersonaLib.plane import Plane, cut
from RadiomicsPersonaLib.scan import name_of

from .evaluation import NETWORK, Case, EvaluationPlan, Score, cases_of

if TYPE_CHECKING:
    from PIL import Image

SHOWN = ("rim mean", "harmonic", "mirrored side", NETWORK)
"""Rebuilders in the pictures, between the voided scan and the truth."""
CONTEXT_MM = 16.0
"""Millimetres shown around a hole."""
PANEL, GAP, HEADER, CAPTION = 200, 6, 24, 22
BACKGROUND, TEXT = (18, 21, 26), (236, 239, 243)


def example_rows(scores: list[Score], group: str, stratum: str) -> list[tuple[str, Score]]:
    """The best, the median and the worst hole by the network's squared error (without one, the last rebuilder's)."""
    rows = [row for row in scores if row.group == group and row.stratum == stratum]
    if not rows:
        return []
    judge = NETWORK if any(row.rebuilder == NETWORK for row in rows) else rows[-1].rebuilder
    ranked = sorted((row for row in rows if row.rebuilder == judge), key=lambda row: (row.metrics["mse"], row.hole))
    places = {"best": 0, "median": len(ranked) // 2, "worst": len(ranked) - 1}
    picked = {index: word for word, index in places.items()}
    return [(word, ranked[index]) for index, word in sorted(picked.items())]


def example_picture(plan: EvaluationPlan, scores: list[Score], group: str, stratum: str) -> Image.Image | None:
    """Axial slices through the middle of the holes of `example_rows`, rebuilt once more; None without any."""
    from PIL import Image, ImageDraw, ImageFont

    examples = example_rows(scores, group, stratum)
    if not examples:
        return None
    shown = [name for name in SHOWN if name in plan.rebuilders]
    columns = ["voided", *shown, "truth"]
    rows = []
    for word, row in examples:
        path = next(path for path in plan.subjects[group] if name_of(path) == row.subject)
        ((_, _, case),) = cases_of(plan, path, [(row.stratum, row.number)])
        where = f"{row.subject} no. {row.number}, {row.milliliters:.0f} ml"
        caption = f"{word} ({row.rebuilder}): {where}, MSE {row.metrics['mse']:.3f} SD^2"
        rows.append((caption, _panels(plan, case, shown)))
    height = HEADER + len(rows) * (PANEL + CAPTION + GAP)
    image = Image.new("RGB", (len(columns) * (PANEL + GAP) + GAP, height), BACKGROUND)
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(13)
    for number, column in enumerate(columns):
        draw.text((GAP + number * (PANEL + GAP), 5), column, TEXT, font)
    for index, (caption, panels) in enumerate(rows):
        top = HEADER + index * (PANEL + CAPTION + GAP)
        for number, panel in enumerate(panels):
            image.paste(Image.fromarray(panel), (GAP + number * (PANEL + GAP), top))
        draw.text((GAP, top + PANEL + 3), caption, TEXT, font)
    return image


def write_example_pictures(plan: EvaluationPlan, scores: list[Score], folder: Path) -> list[Path]:
    """One `examples-GROUP-STRATUM.png` per group and stratum with scores; returns the files."""
    files = []
    for group in plan.subjects:
        for stratum in plan.strata:
            image = example_picture(plan, scores, group, stratum)
            if image is not None:
                files.append(folder / f"examples-{group}-{stratum}.png".replace(" ", "-"))
                image.save(files[-1])
    return files


def _panels(plan: EvaluationPlan, case: Case, shown: list[str]) -> list[np.ndarray]:
    """Voided, rebuilt by each, and truth: uint8 grey values (PANEL, PANEL) of one axial slice."""
    scan, tissue, hole = case.prepared.scan, case.prepared.tissue, case.hole
    points = scan.ras_from_ijk(np.argwhere(hole.mask) + hole.start)
    side = float(np.ptp(points, axis=0).max() + 2 * CONTEXT_MM)
    plane = Plane("axial", points.mean(axis=0), side, PANEL)
    # everything the plane can show: half its diagonal around the hole
    wide = hole.grown(scan.shape, int(np.ceil(side / np.sqrt(2) / scan.spacing.min())))
    affine = scan.affine.copy()
    affine[:3, 3] = scan.ras_from_ijk(wide.start)
    truth = scan.array[wide.region].astype(np.float64)
    low = tissue.background
    high = max(np.percentile(truth, 99.5), low + tissue.scale.deviation)

    def gray(values: np.ndarray) -> np.ndarray:
        shown_values = cut(values, affine, plane, low)
        return np.rint(np.clip((shown_values - low) / (high - low), 0, 1) * 255).astype(np.uint8)

    panels = [gray(np.where(wide.mask, low, truth))]
    for name in shown:
        reconstruction = plan.rebuilders[name](case.prepared, [hole])[0]
        composed = truth.copy()
        composed[wide.mask] = reconstruction.values[reconstruction.hole.mask]
        panels.append(gray(composed))
    return [*panels, gray(truth)]
