"""Experiment page: the report of an experiment on painted lesions, one HTML file and the same tables as Markdown."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from RadiomicsPersonaLib.lesion_picture import slices_of
from RadiomicsPersonaLib.page import html_page, html_table
from RadiomicsPersonaLib.picture import side_by_side
from RadiomicsPersonaLib.scan import read_label_map, read_scan

from .evaluation_pictures import data_uri
from .evaluation_plots import interval_plot, spoken
from .experiment_cases import ExperimentCase
from .experiment_settings import ExperimentPlan
from .experiment_summary import NOTES, ArmLine, table_of
from .tables import markdown_table

if TYPE_CHECKING:
    from PIL import Image

PIXELS, SIDE = 200, 140.0
"""Edge of a picture, pixels and millimetres."""
LIMITS = """\
The patients are few, their scans of many scanners and in thick slices, and lower-grade gliomas are large: what helps there need not help in
small or rare lesions, for which no images are at hand. The networks are small and fitted for few steps, equal for all; with more of
both the arms may lie closer together. Intervals hold for patients like these; arms that differ by less than their intervals are not told apart. Some
of the patients may be used for measuring only, so none of these networks is kept."""


def page_of(lines: list[ArmLine], plan: ExperimentPlan, examples: list[tuple[str, ExperimentCase]], origin: dict[str, str]) -> str:
    """The page's HTML.

    Args:
        examples: painted cases to show, with what each is; no patient is shown, so that a report can be handed on.
        origin: what is needed to make the figures again.
    """
    sections = "".join(_group(group, [line for line in lines if line.group == group]) for group in dict.fromkeys(line.group for line in lines))
    figures = "".join(
        f"<figure><img src='{data_uri(three_planes(case))}' alt='{escape(text, quote=True)}'><figcaption>{escape(text)}</figcaption></figure>"
        for text, case in examples
    )
    sections += f"<section><h2>The same head with a lesion painted by every arm</h2>{figures}</section>" if figures else ""
    sections += f"<section><h2>What this can and cannot show</h2><p>{escape(LIMITS)}</p></section>"
    sections += f"<section><h2>How it was measured</h2><p>{escape(how(plan))}</p><p>{escape(NOTES)}</p></section>"
    rows = [[name, value] for name, value in origin.items()]
    sections += f"<section><h2>Where the numbers come from</h2>{html_table('What is needed to make them again.', ['what', 'value'], rows, long=True)}</section>"
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
        f"Every network has the same design, {fit.steps} steps of {fit.batch} samples in {plan.contrast}, half of them from {plan.painted} painted heads "
        f"({', '.join(plan.kinds)}) where there are some, the others from {plan.few} real patients ({plan.few + plan.further} in the last row). "
        "Patients are parted anew for every seed, alike for all rows. The same healthy heads are painted for every kind of mask, each with one lesion of its own; "
        "spheres and real shapes lie anywhere in the tissue, the masks of trained generators where real lesions do."
    )


def three_planes(case: ExperimentCase) -> Image.Image:
    """The head through the middle of its largest lesion, in three planes, without and then with the lesion's edge."""
    scan, lesion = read_scan(case.image), read_label_map(case.mask).array > 0
    labels, _ = ndimage.label(lesion)
    sizes = np.bincount(labels.ravel())[1:]
    inside = np.argwhere(labels == sizes.argmax() + 1) if len(sizes) else np.array(scan.shape)[None] / 2
    middle = inside[np.abs(inside - inside.mean(axis=0)).sum(axis=1).argmin()]
    center = scan.ras_from_ijk(middle)
    return side_by_side([slices_of(scan, scan.array, center, mask, SIDE, PIXELS) for mask in (None, lesion)])


def _group(group: str, lines: list[ArmLine]) -> str:
    plot = interval_plot([(line.arm, line.dice) for line in lines], f"Dice in {group} by what was trained on")
    table = html_table(f"{group}: {lines[0].patients} patients.", *table_of(lines, spoken))
    return f"<section><h2>{escape(group)}</h2><figure>{plot}<figcaption>Dice with 95 % intervals</figcaption></figure>{table}</section>"
