"""Pictures: what a hole was, what was rebuilt in it, and how far that is from the truth."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass

import numpy as np
from PIL import Image

from RadiomicsPersonaLib.report.colors import DIFFERENCE_RANGE, diverging
from RadiomicsPersonaLib.report.picture import side_by_side
from RadiomicsPersonaLib.report.slice_plane import Plane, cut, cut_hole

from .rebuilding import NETWORK, Case, EvaluationPlan, cases_of
from .scores import HoleScore

PANELS = ("Scan with the hole", "Rebuilt", "Truth", "Difference")
CONTEXT_MM = 16.0
"""Millimetres shown around a hole."""
PIXELS = 220


@dataclass(frozen=True, eq=False)
class Example:
    """A hole to show.

    Attributes:
        word: "typical" (the median squared error of its table) or "worst".
        row: the score of the judged rebuilder.
        image: the panels named in `PANELS`, side by side; one axial slice.
    """

    word: str
    row: HoleScore
    image: Image.Image


def judged_rebuilder(plan: EvaluationPlan) -> str:
    """Whose holes are shown: the network's, or without one those of the last rebuilder."""
    return NETWORK if NETWORK in plan.rebuilders else list(plan.rebuilders)[-1]


def example_rows(scores: list[HoleScore], rebuilder: str, group: str, stratum: str) -> list[tuple[str, HoleScore]]:
    """The hole with the median and the one with the largest squared error; one hole alone is typical."""
    rows = [row for row in scores if (row.group, row.stratum, row.rebuilder) == (group, stratum, rebuilder)]
    ranked = sorted(rows, key=lambda row: (row.metrics["mse"], row.hole))
    picked = {(len(ranked) - 1) // 2: "typical", len(ranked) - 1: "worst"} if len(ranked) > 1 else {0: "typical"}
    return [(word, ranked[index]) for index, word in sorted(picked.items()) if ranked]


def examples_of(plan: EvaluationPlan, scores: list[HoleScore], group: str) -> list[Example]:
    """The holes of `example_rows` of every stratum, rebuilt once more."""
    rebuilder = judged_rebuilder(plan)
    wanted = [pair for stratum in plan.strata for pair in example_rows(scores, rebuilder, group, stratum)]
    examples = {}
    for held_out in plan.scans:
        keys = {(row.stratum, row.number): word for word, row in wanted if row.hole[:2] == (held_out.group, held_out.subject)}
        for stratum, number, case in cases_of(plan, held_out, keys) if keys else ():
            examples[held_out.subject, stratum, number] = side_by_side(_panels(plan, case, rebuilder))
    return [Example(word, row, examples[row.hole[1:]]) for word, row in wanted]


def jpeg_uri(image: Image.Image) -> str:
    """A picture as a data URI; JPEG, because a report holds a hundred of them."""
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=88, subsampling=0)
    return "data:image/jpeg;base64," + base64.b64encode(stream.getvalue()).decode("ascii")


def _panels(plan: EvaluationPlan, case: Case, rebuilder: str) -> list[Image.Image]:
    scan, tissue, hole = case.prepared.scan, case.prepared.tissue, case.hole
    points = scan.ras_from_ijk(np.argwhere(hole.mask) + hole.start)
    side = float(np.ptp(points, axis=0).max() + 2 * CONTEXT_MM)
    plane = Plane("axial", points.mean(axis=0), side, PIXELS)
    # everything the plane can show: half its diagonal around the hole
    wide = hole.grown(scan.shape, int(np.ceil(side / np.sqrt(2) / scan.spacing.min())))
    affine = scan.affine.copy()
    affine[:3, 3] = scan.ras_from_ijk(wide.start)
    truth = scan.array[wide.region].astype(np.float64)
    rebuilt = truth.copy()
    reconstruction = plan.rebuilders[rebuilder](case.prepared, [hole])[0]
    rebuilt[wide.mask] = reconstruction.values[reconstruction.hole.mask]
    low = tissue.background
    high = max(np.percentile(truth, 99.5), low + tissue.scale.deviation)

    def gray(values: np.ndarray) -> np.ndarray:
        shown = cut(values, affine, plane, low)
        shade = np.rint(np.clip((shown - low) / (high - low), 0, 1) * 255).astype(np.uint8)
        return np.repeat(shade[..., None], 3, axis=-1)

    in_hole = cut_hole(scan, hole, plane)[..., None]
    deviation = cut(truth - rebuilt, affine, plane, 0.0, order=0) / tissue.scale.deviation
    original = gray(truth)
    panels = (
        np.where(in_hole, np.uint8(0), original),
        gray(rebuilt),
        original,
        np.where(in_hole, diverging(deviation / DIFFERENCE_RANGE), (original * 0.4).astype(np.uint8)),
    )
    return [Image.fromarray(panel) for panel in panels]
