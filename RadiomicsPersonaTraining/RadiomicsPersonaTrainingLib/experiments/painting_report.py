"""Painting report: what the painting experiment found, each arm held against the first one; one HTML file, and the same tables
as Markdown.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from html import escape

import numpy as np
from PIL import Image
from scipy import ndimage

from RadiomicsPersonaLib.imaging.files import read_label_map, read_scan
from RadiomicsPersonaLib.lesions.lesion_picture import before_and_after, sheet_of, strip_of
from RadiomicsPersonaLib.report.html_page import html_page, html_table

from ..evaluation.pictures import jpeg_uri
from ..evaluation.plots import interval_plot, spoken
from ..evaluation.report import markdown_table
from ..evaluation.summary import DRAWS, Estimate, estimate_of
from ..head_evaluation.lesion_detection import sensitivity_at
from .painting_cases import ExperimentCase
from .painting_experiment import MeasuredPatient
from .painting_settings import ExperimentPlan

PIXELS, SIDE = 200, 140.0
"""Edge of a picture, pixels and millimetres."""
LIMITS = """\
The patients are few, their scans of many scanners and in thick slices, and lower-grade gliomas are large: what helps there need
not help in small or rare lesions, for which no images are at hand. The networks are small and fitted for few steps, equal for
all; with more of both the arms may lie closer together. Intervals hold for patients like these; arms that differ by less than
their intervals are not told apart. Some of the patients may be used for measuring only, so none of these networks is kept."""


def page_of(
    lines: list[ArmLine], plan: ExperimentPlan, examples: list[tuple[str, ExperimentCase]], origin: dict[str, str]
) -> str:
    """The page's HTML.

    Args:
        examples: painted cases to show, with what each is; no patient is shown, so that a report can be handed on.
        origin: what is needed to make the figures again.
    """
    sections = "".join(
        _group(group, [line for line in lines if line.group == group]) for group in dict.fromkeys(line.group for line in lines)
    )
    figures = "".join(
        f"<figure><img src='{jpeg_uri(three_planes(case))}' alt='{escape(text, quote=True)}'>"
        f"<figcaption>{escape(text)}</figcaption></figure>"
        for text, case in examples
    )
    sections += f"<section><h2>The same head with a lesion painted by every arm</h2>{figures}</section>" if figures else ""
    sections += f"<section><h2>What this can and cannot show</h2><p>{escape(LIMITS)}</p></section>"
    sections += f"<section><h2>How it was measured</h2><p>{escape(how(plan))}</p><p>{escape(NOTES)}</p></section>"
    rows = [[name, value] for name, value in origin.items()]
    sections += (
        "<section><h2>Where the numbers come from</h2>"
        f"{html_table('What is needed to make them again.', ['what', 'value'], rows, long=True)}</section>"
    )
    return html_page("What painted lesions are worth", "", "", sections)


def markdown_of(lines: list[ArmLine], plan: ExperimentPlan) -> str:
    """The tables as Markdown."""
    parts = []
    for group in dict.fromkeys(line.group for line in lines):
        parts += [f"## {group}", "", *markdown_table(*table_of([line for line in lines if line.group == group], spoken)), ""]
    return "\n".join([*parts, how(plan), "", NOTES, "", LIMITS, ""])


def how(plan: ExperimentPlan) -> str:
    """How the arms were fitted, in words."""
    fit = plan.settings.fit
    return (
        f"Every network has the same design, {fit.steps} steps of {fit.batch} samples in {plan.contrast}, half of them from "
        f"{plan.painted} painted heads ({', '.join(plan.kinds)}) where there are some, the others from {plan.few} real "
        f"patients ({plan.few + plan.further} in the last row). Patients are parted anew for every seed, alike for all rows. "
        "The same healthy heads are painted for every kind of mask, each with one lesion of its own; spheres and real shapes "
        "lie anywhere in the tissue, the masks of trained generators where real lesions do."
    )


def three_planes(case: ExperimentCase) -> Image.Image:
    """The head through the middle of its largest lesion, in three planes, without and then with the lesion's edge."""
    scan, lesion = read_scan(case.image), read_label_map(case.mask).array > 0
    labels, _ = ndimage.label(lesion)
    sizes = np.bincount(labels.ravel())[1:]
    inside = np.argwhere(labels == sizes.argmax() + 1) if len(sizes) else np.array(scan.shape)[None] / 2
    middle = inside[np.abs(inside - inside.mean(axis=0)).sum(axis=1).argmin()]
    center = scan.ras_from_ijk(middle)
    shown = before_and_after(scan, None, lesion)
    return sheet_of([strip_of(scan, shown, center, SIDE, PIXELS)], [volume.head for volume in shown], PIXELS)


def _group(group: str, lines: list[ArmLine]) -> str:
    plot = interval_plot([(line.arm, line.dice) for line in lines], f"Dice in {group} by what was trained on", "Dice")
    table = html_table(f"{group}: {lines[0].patients} patients.", *table_of(lines, spoken))
    return (
        f"<section><h2>{escape(group)}</h2><figure>{plot}<figcaption>Dice with 95 % "
        f"intervals</figcaption></figure>{table}</section>"
    )


FALSE_PER_SCAN = 1.0
MEASURES = {"dice": "Dice", "coverage": "coverage", "detected": "lesions found"}
NOTES = f"""\
Real patients whom no network of their row saw. Dice and coverage (the share of a lesion's voxels that is found) at a
probability of one half; lesions found at the cut that finds most with at most {FALSE_PER_SCAN:g} false positive per scan. Means
over patients of the means of their seeds, with 95 % intervals ({DRAWS:,} bootstrap draws over patients). The difference in Dice
is taken patient by patient and seed by seed."""


@dataclass(frozen=True)
class ArmLine:
    """One arm in one group.

    Attributes:
        patients, runs: how many went in, and how many fits.
        dice, coverage, detected: means.
        over_first: difference in Dice to the first arm.
    """

    group: str
    arm: str
    patients: int
    runs: int
    dice: Estimate
    coverage: Estimate
    detected: Estimate
    over_first: Estimate


def lines_of(measured: list[MeasuredPatient], seed: int = 0) -> list[ArmLine]:
    """A line per group and arm, in the order in which they were measured."""
    groups, arms = (dict.fromkeys(getattr(one, name) for one in measured) for name in ("group", "arm"))
    return [_line(group, arm, next(iter(arms)), measured, seed) for group in groups for arm in arms]


def _line(group: str, arm: str, first: str, measured: list[MeasuredPatient], seed: int) -> ArmLine:
    own = [one for one in measured if (one.group, one.arm) == (group, arm)]
    base = {(one.seed, one.subject): one.dice for one in measured if (one.group, one.arm) == (group, first)}
    subjects = list(dict.fromkeys(one.subject for one in own))
    chosen = np.random.default_rng(seed).integers(len(subjects), size=(DRAWS, len(subjects)))

    def estimate(value) -> Estimate:
        means = np.array([np.mean([value(one) for one in own if one.subject == subject]) for subject in subjects])
        return estimate_of(float(means.mean()), means[chosen].mean(axis=1), len(means))

    paired = all((one.seed, one.subject) in base for one in own)
    return ArmLine(
        group,
        arm,
        len(subjects),
        len({one.seed for one in own}),
        estimate(lambda one: one.dice),
        estimate(lambda one: one.coverage),
        _detected(own, subjects, chosen),
        estimate(lambda one: one.dice - base[one.seed, one.subject]) if paired else Estimate(math.nan, math.nan, math.nan),
    )


def _detected(own: list[MeasuredPatient], subjects: list[str], chosen: np.ndarray) -> Estimate:
    """Lesions found, mean over seeds, of which each has a cut of its own; every draw picks its cuts anew."""
    by_seed: dict[int, dict[str, MeasuredPatient]] = defaultdict(dict)
    for one in own:
        by_seed[one.seed][one.subject] = one

    def mean(drawn: list[str]) -> float:
        found = []
        for tested in by_seed.values():
            detections = [tested[subject].detection for subject in drawn if subject in tested]
            if sum(detection.lesions for detection in detections):
                found.append(sensitivity_at(detections, FALSE_PER_SCAN))
        return float(np.mean(found)) if found else math.nan

    draws = np.array([mean([subjects[n] for n in row]) for row in chosen])
    return estimate_of(mean(subjects), draws[np.isfinite(draws)], len(subjects))


def table_of(lines: list[ArmLine], spoken) -> tuple[list[str], list[list[str]]]:
    """Heads and rows of the table of one group; `spoken` writes an estimate."""
    rows = [
        [
            line.arm,
            str(line.patients),
            str(line.runs),
            *(spoken(getattr(line, name)) for name in MEASURES),
            spoken(line.over_first),
        ]
        for line in lines
    ]
    return ["trained on", "patients", "seeds", *MEASURES.values(), "Dice beside the first"], rows
