"""Certainty: how often healthy voxels lie within the expected error of their persona, and within twice of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import numpy as np

from RadiomicsPersonaLib.analysis.control import place_controls
from RadiomicsPersonaLib.brain.preparation import PreparedScan, prepare
from RadiomicsPersonaLib.brain.tissue import FLUID, GREY, WHITE
from RadiomicsPersonaLib.defaults import RESEARCH_USE, USUAL_CONTROLS
from RadiomicsPersonaLib.metrics.expected_error import error_model
from RadiomicsPersonaLib.reconstruction.reconstruction import Reconstruction, rebuild
from RadiomicsPersonaLib.reconstruction.reconstruction_model import Model

from ..data.held_out import HeldOutScan
from ..runs.journal import Journal
from .holes import CUBOIDS, LESIONS
from .rebuilding import EvaluationPlan, holes_of
from .report import markdown_table
from .summary import Estimate, mean_over_subjects, rounded

POOL = 2 * USUAL_CONTROLS
"""Healthy boxes of a scan that are rebuilt; of those that do not touch a hole its regression takes as many as usual."""
TISSUES = {"fluid": FLUID, "grey": GREY, "white": WHITE}
ALL = "brain"
SHOWN, TRUE = "persona", "scan"
"""Whose tissue a voxel is counted under: what the persona shows, which is known at use, or what the scan shows."""
LEAST_VOXELS = 50
"""Of a tissue in a hole for its share to count."""
GOALS = ((0.60, 0.75), (0.90, 0.97))
"""Shares of voxels within the expected error, and within twice of it."""
NOTES = (
    "Holes in healthy brain of people that the model never saw. The expected error of each is told from control regions of "
    "the same scan that do not touch it. "
    f"Within it should lie {GOALS[0][0]:.0%} to {GOALS[0][1]:.0%} of the voxels, and within "
    f"twice of it {GOALS[1][0]:.0%} to {GOALS[1][1]:.0%}. Means over subjects, the first with 95 % intervals. Tissues are "
    "those that the persona shows, since nothing else is known at use. Beside them stand those of the scan: fluid that the "
    "persona does not know of is missed more often."
)

Progress = Callable[[int, int, str], None]


def evaluate_certainty(plan: EvaluationPlan, model: Model, output: Path, progress: Progress | None = None) -> dict:
    """Measure the expected error in every hole of a plan; a run that was cut off goes on where it stopped.

    Args:
        output: the folder that keeps what was found, `certainty.jsonl`.
        progress: called with (scans done, scans in all, what); may raise to cancel.
    Returns:
        By (group, stratum, whose tissue, tissue) and subject the pairs of shares, one per hole.
    Raises:
        InputError: the folder holds another run, or a file cannot be used.
    """
    identity = {"model": model.provenance(), "seed": plan.seed, "boxes": plan.boxes_per_stratum}
    journal = Journal(output / "certainty.jsonl", identity)
    for number, held_out in enumerate(plan.scans, start=1):
        key = f"{held_out.group}/{held_out.subject}"
        if not journal.holds(key, held_out.files):
            with journal.removed_if_refused():
                journal.add(key, _shares_in(plan, model, held_out), held_out.files)
        if progress:
            progress(number, len(plan.scans), key)
    found = defaultdict(lambda: defaultdict(list))
    for held_out in plan.scans:
        for row in journal.records[f"{held_out.group}/{held_out.subject}"]:
            place = held_out.group, row["stratum"], row["whose"], row["tissue"]
            found[place][held_out.subject].append((row["within"], row["within_twice"]))
    return found


def table_of(found: dict, seed: int) -> str:
    """The shares as Markdown, a table per group."""
    lines = []
    for group in dict.fromkeys(place[0] for place in found):
        heads, rows = ["holes", ALL, *TISSUES, *(f"{name} in the scan" for name in TISSUES)], []
        for stratum in (*CUBOIDS, LESIONS):
            places = [(group, stratum, SHOWN, ALL)]
            places += [(group, stratum, whose, name) for whose in (SHOWN, TRUE) for name in TISSUES]
            if places[0] in found:
                rows.append([stratum, *(_cell(found.get(place), seed) for place in places)])
        subjects = {subject for place, own in found.items() if place[0] == group for subject in own}
        lines += [f"## {group} ({len(subjects)})", "", *markdown_table(heads, rows), ""]
    return "\n".join(lines)


def page_of(found: dict, model: Model, seed: int) -> str:
    """The whole page as Markdown."""
    return f"# The expected error: {model.name}\n\n{RESEARCH_USE}\n\n{NOTES}\n\n{table_of(found, seed)}"


def record_of(found: dict, model: Model, seed: int) -> dict:
    """The same in plain JSON types."""
    figures = [
        {"group": place[0], "holes": place[1], "whose": place[2], "tissue": place[3], "subjects": len(own)}
        | {name: rounded(share) for name, share in zip(("within", "within_twice"), _estimates(own, seed))}
        for place, own in found.items()
    ]
    return {"notice": RESEARCH_USE, "model": model.provenance(), "seed": seed, "goals": GOALS, "figures": figures}


def _cell(own: dict | None, seed: int) -> str:
    if not own:
        return "-"
    within, twice = _estimates(own, seed)
    interval = f" ({within.low:.2f}-{within.high:.2f})" if np.isfinite(within.low) else ""
    return f"{within.value:.2f}{interval}, {twice.value:.2f}"


def _estimates(own: dict[str, list[tuple[float, float]]], seed: int) -> tuple[Estimate, Estimate]:
    return tuple(
        mean_over_subjects({subject: [pair[n] for pair in pairs] for subject, pairs in own.items()}, seed) for n in (0, 1)
    )


def _shares_in(plan: EvaluationPlan, model: Model, held_out: HeldOutScan) -> list[dict]:
    """One row per hole, whose tissue and tissue."""
    scan, _ = held_out.scan_and_places()
    forbidden = held_out.forbidden(scan)
    prepared = prepare(scan, [] if forbidden is None else [forbidden]).hiding_marked()
    model = model.for_scan(prepared)
    wanted = [(stratum, number) for stratum in plan.strata for number in range(plan.boxes_per_stratum)]
    holes = list(holes_of(plan, held_out, wanted))
    pool = rebuild(prepared, [control.hole for control in place_controls(prepared, POOL, plan.seed)], model)
    rows = []
    for (stratum, _, _, hole), persona in zip(holes, rebuild(prepared, [hole for *_, hole in holes], model)):
        controls = [control for control in pool if not control.hole.touches(hole)][:USUAL_CONTROLS]
        known = error_model(prepared, controls, True)
        if known is None:
            continue
        off = np.abs(scan.array[persona.hole.region] - persona.values)[persona.hole.mask]
        off /= known.expected(prepared, persona)[persona.hole.mask]
        shown, true = _tissues(prepared, persona)
        for whose, tissue in ((SHOWN, shown), (TRUE, true)):
            for name, members in ((ALL, true > 0), *((name, (tissue == kind) & (true > 0)) for name, kind in TISSUES.items())):
                if members.sum() >= LEAST_VOXELS:
                    share, twice = (float((off[members] < limit).mean()) for limit in (1, 2))
                    rows.append({"stratum": stratum, "whose": whose, "tissue": name, "within": share, "within_twice": twice})
    return rows


def _tissues(prepared: PreparedScan, persona: Reconstruction) -> tuple[np.ndarray, np.ndarray]:
    """Of the hole's voxels, (n,): the tissue whose usual intensity the persona's is nearest to; and the scan's, 0 for none."""
    scan, hole, tissue = prepared.scan, persona.hole, prepared.tissue
    points = scan.ras_from_ijk(np.argwhere(hole.mask) + hole.start)
    values = tissue.values[tissue.brain]
    kinds = tissue.classes_at(tissue.grid.patch.ras_from_ijk(np.argwhere(tissue.brain)))
    usual = [np.median(values[kinds == kind]) if (kinds == kind).any() else np.inf for kind in TISSUES.values()]
    nearest = np.abs(persona.values[hole.mask][:, None] - np.array(usual)).argmin(axis=1)
    return np.array([*TISSUES.values()])[nearest], tissue.classes_at(points)
