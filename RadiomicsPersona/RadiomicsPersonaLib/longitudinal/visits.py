"""Visits: the same region in several scans of one patient, and what is measured there each time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ..analysis.result import DEVIATING_P, Analysis, BoxResult
from ..errors import InputError
from ..geometry.box import Box
from ..geometry.hole import hole_of_box
from ..imaging.dates import DAYS_PER_YEAR, days_of, is_number
from ..imaging.grid import Grid
from ..imaging.registration import RigidMotion, rigid_motion
from ..imaging.scan import Scan

LEAST_CONTROLS = 5
"""Control regions from which on it is told what is usual among them."""
_USUAL = (0.025, 0.975)
_MOST_YEARS = 3000.0
"""Larger numbers of years are dates in another form, or mistakes."""
_LITTLE_INFORMATION = 0.25
"""Nats below which two scans hardly match; scans of one head share more than 0.5 after registration,
also in other contrasts."""


@dataclass(frozen=True)
class VisitTime:
    """When a visit was.

    Attributes:
        text: as it was given, a date or a number.
        years: since the earliest visit.
    """

    text: str
    years: float


def visit_times(texts: list[str]) -> list[VisitTime]:
    """Dates in one of the forms of `dates.days_of`, or numbers of years, as years since the earliest.

    Raises:
        InputError: a text is neither, both are mixed, or two visits are at the same time.

    >>> [time.years for time in visit_times(["2", "3.5"])]
    [0.0, 1.5]
    """
    numbers = [float(text.replace(",", ".")) for text in texts if is_number(text)]
    if len(numbers) == len(texts) and max(map(abs, numbers)) <= _MOST_YEARS:
        years = numbers
    else:
        try:
            years = [day / DAYS_PER_YEAR for day in days_of(texts)]
        except InputError as error:
            raise InputError(
                f"The dates {', '.join(texts)} cannot be read: write all as 2026-03-31, or all as numbers of years."
            ) from error
    if len(set(years)) < len(years):
        raise InputError(f"The dates {', '.join(texts)} must differ from one another: give every visit its own.")
    return [VisitTime(text, year - min(years)) for text, year in zip(texts, years)]


def carried(boxes: list[Box], first: Scan, later: Scan) -> tuple[list[Box], RigidMotion, tuple[str, ...]]:
    """The boxes of the first scan around the same anatomy in a later one.

    Returns:
        the boxes, turned and shifted with the head; the motion; what the user should know, one sentence each.
    Raises:
        InputError: the scans cannot be brought onto each other, or a box leaves the later one.
    """
    motion = rigid_motion(first, later)
    moved = [box.transformed(motion.matrix) for box in boxes]
    for box in moved:
        try:
            hole_of_box(later, box)
        except InputError as error:
            raise InputError(
                f"Box '{box.name}' does not lie in '{later.name}' after registration: check that both are of one head, and "
                "that the scan reaches that far."
            ) from error
    notes = ()
    if motion.information < _LITTLE_INFORMATION:
        notes = (
            f"'{later.name}' hardly matches '{first.name}' after registration: check that both are of one head, and where the "
            "box lies.",
        )
    return moved, motion, notes


def lesion_ml(mask: np.ndarray, affine: np.ndarray, box: Box) -> float:
    """Millilitres of a mask's connected parts that reach into a box, all of them, so that growth beyond the box counts too.

    Args:
        mask: boolean, axes I, J, K.
        affine: 4x4, its IJK to RAS millimetres.
    """
    grid = Grid(mask.shape, affine)
    parts, _ = ndimage.label(mask, np.ones((3, 3, 3)))
    index = np.argwhere(mask)
    reached = np.unique(parts[tuple(index[box.contains(grid.ras_from_ijk(index))].T)])
    return grid.ml_of(np.isin(parts, reached[reached > 0]).sum())


def deviating_ml(analysis: Analysis, result: BoxResult) -> float:
    """Millilitres of the box whose difference from the healthy persona is unusual among the healthy boxes;
    NaN without these.
    """
    if result.deviation_p is None or not result.controls:
        return float("nan")
    unusual = (result.deviation_p <= DEVIATING_P) & result.reconstruction.hole.mask
    return analysis.scan.grid.ml_of(unusual.sum())


def usual_ml(result: BoxResult) -> tuple[float, float]:
    """What `deviating_ml` would be in control regions as large as the box: from where to where it lies in 95 % of them, by
    linear interpolation; NaN with fewer than `LEAST_CONTROLS`.
    """
    known = [] if result.control_shares is None else result.control_shares[np.isfinite(result.control_shares)]
    if len(known) < LEAST_CONTROLS:
        return float("nan"), float("nan")
    low, high = np.quantile(known, _USUAL) * result.box.volume_ml
    return float(low), float(high)


def visit_row(analysis: Analysis, result: BoxResult, start: dict, motion: RigidMotion | None, volume_ml: float | None) -> dict:
    """One row of the table that `regress` reads: where the box is, what was found there.

    Args:
        start: columns that say whose visit it is and when.
        motion: that brought the box here; None at the first visit.
        volume_ml: of the lesion, where a mask says it.
    """
    box, usual = result.box, usual_ml(result)
    row = start | {"region": f"{start['patient']}: {box.name}", "box": box.name}
    row |= {"volume_ml": volume_ml, "deviating_ml": deviating_ml(analysis, result)}
    row |= {"usual_low_ml": usual[0], "usual_high_ml": usual[1]}
    row |= {"label": result.label, "p": result.p, "probability": result.probability, "combined": result.combined}
    row |= result.metrics
    row |= {f"center_{axis}": float(value) for axis, value in zip("ras", box.center)}
    row |= {"turned_deg": motion.degrees if motion else 0.0, "information": motion.information if motion else None}
    return row | {"notes": " ".join(result.warnings)}
