"""Rebuilding: how well healthy tissue is rebuilt, hole by hole, by a network and by the classical fills beside it.

Every hole is rebuilt on the scan's own grid, by every rebuilder, from a preparation that never saw what is in it; only
voxels inside count.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np

from RadiomicsPersonaLib.brain.preparation import PreparedScan, prepare
from RadiomicsPersonaLib.brain.tissue import estimate_tissue
from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.geometry.hole import Hole
from RadiomicsPersonaLib.imaging.files import digest_of, name_of, read_scan
from RadiomicsPersonaLib.imaging.scan import Scan
from RadiomicsPersonaLib.metrics.challenge import WINDOW_RADIUS, challenge_limits, challenge_metrics
from RadiomicsPersonaLib.metrics.comparison import CONTEXT, compare
from RadiomicsPersonaLib.reconstruction.reconstruction import Reconstruction, rebuild
from RadiomicsPersonaLib.reconstruction.reconstruction_model import Model, load_model
from RadiomicsPersonaLib.system.json_text import object_in
from RadiomicsPersonaLib.system.output import file_written_whole

from ..data.held_out import HeldOutScan
from .holes import CUBOIDS, LESIONS, draw_hole
from .scores import HoleScore, RowTable, scans_in_rows
from .second_scan import SecondScan

assert CONTEXT >= WINDOW_RADIUS  # one region serves both kinds of scores

Rebuilder = Callable[[PreparedScan, list[Hole]], list[Reconstruction]]
Progress = Callable[[int, int, str], None]

NOTE, ROWS = "run.json", "rows.csv"
POPULATION_MEAN = "population mean"
FILLS = ("rim mean", "harmonic", "biharmonic", "mirrored side", POPULATION_MEAN)
"""The simple fills that a network is held against; the last one needs the model's training scans."""
NETWORK, NETWORK_WITHOUT_MIRROR = "unet", "unet, no mirror"
SECOND_SCAN = "second scan"
"""A second scan of the same person, where there is one: what noise and motion alone leave."""


@dataclass(frozen=True)
class EvaluationPlan:
    """Everything that decides an evaluation.

    Attributes:
        rebuilders: callables (prepared, holes) -> reconstructions, by the name that tables use.
        scans: what is evaluated, group by group.
        lesion_masks: binary shapes for the holes of the second kind; none leaves that stratum out.
        boxes_per_stratum: holes per subject and stratum.
        seed: of the holes.
        identity: what tells this run's rebuilders from others of the same name, in plain JSON types (name, SHA-256).
    """

    rebuilders: dict[str, Rebuilder]
    scans: tuple[HeldOutScan, ...]
    lesion_masks: tuple[Path, ...] = ()
    boxes_per_stratum: int = 4
    seed: int = 0
    identity: dict = field(default_factory=dict)

    @property
    def subjects(self) -> dict[str, list[str]]:
        """Names of the subjects by group, in the plan's order."""
        groups: dict[str, list[str]] = {}
        for held_out in self.scans:
            groups.setdefault(held_out.group, []).append(held_out.subject)
        return groups

    @property
    def strata(self) -> tuple[str, ...]:
        """Names of the strata."""
        return (*CUBOIDS, LESIONS) if self.lesion_masks else tuple(CUBOIDS)


@dataclass(frozen=True, eq=False)
class Case:
    """One hole of one scan, ready to be rebuilt; the preparation has not looked into it.

    Attributes:
        prepared, hole: the scan and the hole.
        again: a second scan of the same person, or None.
    """

    prepared: PreparedScan
    hole: Hole
    again: Scan | None = None


def standard_rebuilders(network: Model | None, population_mean: Rebuilder | None = None) -> dict[str, Rebuilder]:
    """The simple fills and, if given, the population mean and the network with the mirrored side and without it."""
    rebuilders: dict[str, Rebuilder] = {
        label: partial(rebuild, model=load_model(name))
        for label, name in zip(FILLS, ("rim-mean", "harmonic", "biharmonic", "mirror"))
    }
    if population_mean is not None:
        rebuilders[POPULATION_MEAN] = population_mean
    if network is not None:
        rebuilders[NETWORK] = partial(rebuild, model=network)
        rebuilders[NETWORK_WITHOUT_MIRROR] = partial(rebuild, model=network, use_mirror=False)
    return rebuilders


def cases_of(plan: EvaluationPlan, held_out: HeldOutScan, wanted: Iterable[tuple[str, int]]) -> Iterable[tuple[str, int, Case]]:
    """The cases of one scan: for every wanted (stratum, number) that has a place in the brain, that and its case."""
    again = None if held_out.again is None else read_scan(held_out.again)
    for stratum, number, scan, hole in holes_of(plan, held_out, wanted):
        yield stratum, number, Case(prepare(scan, [hole]), hole, again)


def holes_of(
    plan: EvaluationPlan, held_out: HeldOutScan, wanted: Iterable[tuple[str, int]]
) -> Iterable[tuple[str, int, Scan, Hole]]:
    """The holes of one scan: for every wanted (stratum, number) that has a place in the brain, that, the scan and the hole."""
    scan, places = held_out.scan_and_places()
    tissue = estimate_tissue(places)
    forbidden = held_out.forbidden(scan)
    for stratum, number in wanted:
        hole = draw_hole(places, tissue, stratum, number, plan.seed, plan.lesion_masks, forbidden)
        if hole is not None:
            yield stratum, number, scan, hole


def score(case: Case, reconstruction: Reconstruction, limits: tuple[float, float]) -> dict[str, float]:
    """The numbers of `scores.REBUILDING_METRICS`, over the hole's voxels x (scan) and y (rebuilt).

    ``mse`` is ``mean((x - y)²)`` over the squared tissue SD that was estimated outside the hole; ``mse_01`` the same
    with the limits at 0 and 1; ``psnr`` is ``10 log10(1 / mse_01)``; ``ssim`` the 3-D SSIM of the composed images, and
    ``gradient_error`` the mean absolute difference of gradient magnitudes (see `comparison.compare`). The
    ``official_`` numbers are the challenge's.

    Args:
        limits: from `challenge.challenge_limits` of the voided scan; they serve both kinds of numbers.
    """
    scan, tissue = case.prepared.scan, case.prepared.tissue
    wide = case.hole.grown(scan.shape, CONTEXT)
    truth = scan.array[wide.region].astype(np.float64)
    composed = truth.copy()
    composed[wide.mask] = reconstruction.values[reconstruction.hole.mask]
    sagittal_axis = scan.axes_to_ras[0][0]
    inside = compare(truth, composed, wide.mask, scan.spacing, tissue.scale, limits, sagittal_axis)
    official = challenge_metrics(composed, truth, wide.mask, limits, sagittal_axis)
    return {
        "mse": inside["mse"] / tissue.scale.deviation**2,
        "mse_01": inside["mse"] / (limits[1] - limits[0]) ** 2,
        "psnr": inside["psnr"],
        "ssim": inside["ssim"],
        "gradient_error": inside["gradient_error"],
        "official_ssim": official["ssim"],
        "official_mse": official["mse"],
        "official_psnr": official["psnr"],
        "official_psnr_01": official["psnr_01"],
    }


def evaluate(plan: EvaluationPlan, output: Path, progress: Progress | None = None) -> list[HoleScore]:
    """Score every rebuilder on every hole of every scan.

    Rows are added to `rows.csv` in the output folder hole by hole; a run that was cut off goes on where it stopped, and
    `run.json` keeps it from going on with other rebuilders.

    Args:
        progress: called with (holes done, holes in all, what) after every hole; may raise to cancel.
    Returns:
        The scores that the plan asks for, in the plan's order.
    Raises:
        InputError: two subjects of a group share a name, the folder holds another run, or a file cannot be used.
    """
    _refuse_shared_names(plan)
    output.mkdir(parents=True, exist_ok=True)
    begun = [file for file in (output / NOTE, output / ROWS) if not file.exists()]
    _claim(plan, output)
    table = RowTable(output / ROWS, tuple(plan.rebuilders), (SECOND_SCAN,))
    try:
        return _scores(plan, table, progress)
    except InputError:
        if not table.rows:  # nothing that a later run could go on from
            for file in begun:
                file.unlink(missing_ok=True)
            with suppress(OSError):  # it holds something else
                output.rmdir()
        raise


def _scores(plan: EvaluationPlan, table: RowTable, progress: Progress | None) -> list[HoleScore]:
    """See `evaluate`."""
    wanted = [(stratum, number) for stratum in plan.strata for number in range(plan.boxes_per_stratum)]
    total, done = len(wanted) * len(plan.scans), 0
    scores = []
    for held_out in plan.scans:
        name = (held_out.group, held_out.subject)
        missing = [key for key in wanted if (*name, *key) not in table.rows]
        for stratum, number, case in cases_of(plan, held_out, missing) if missing else ():
            table.add(_scores_of_case(plan, case, (*name, stratum, number)))
            left = [key for key in missing if (*name, *key) not in table.rows]
            if progress:
                progress(done + len(wanted) - len(left), total, f"{' '.join(name)}, {stratum}")
        done += len(wanted)
        if progress:
            progress(done, total, " ".join(name))
        scores += [row for key in wanted for row in table.rows.get((*name, *key), ())]
    return scores


def _scores_of_case(plan: EvaluationPlan, case: Case, hole: tuple[str, str, str, int]) -> list[HoleScore]:
    scan = case.prepared.scan
    limits = challenge_limits(np.where(case.hole.full_mask(scan.shape), 0, scan.array))
    milliliters = scan.grid.ml_of(case.hole.voxels)
    scores = []
    second = {} if case.again is None else {SECOND_SCAN: SecondScan(case.again)}
    for name, rebuilder in (plan.rebuilders | second).items():
        started = time.perf_counter()
        reconstruction = rebuilder(case.prepared, [case.hole])[0]
        seconds = time.perf_counter() - started
        metrics = {key: float(value) for key, value in score(case, reconstruction, limits).items()}
        scores.append(HoleScore(*hole, name, milliliters, seconds, metrics))
    return scores


def _claim(plan: EvaluationPlan, output: Path) -> None:
    """Note what this folder's rows come from, or check that it is the same."""
    note = output / NOTE
    own = {
        "seed": plan.seed,
        "rebuilders": list(plan.rebuilders),
        "lesion_masks": [name_of(path) for path in plan.lesion_masks],
        "shapes": digest_of(plan.lesion_masks),
        "identity": plan.identity,
    }
    own = json.loads(json.dumps(own))
    files = {f"{held_out.group} / {held_out.subject}": digest_of(held_out.files) for held_out in plan.scans}
    try:
        there = object_in(note) if note.exists() else own
        known = there.pop("files", {})
        known = known if isinstance(known, dict) else {}
        kept = {f"{group} / {subject}" for group, subject in scans_in_rows(output / ROWS)}
        changed = next((name for name, digest in files.items() if name in kept and known.get(name, digest) != digest), None)
        if changed:
            raise InputError(f"The files of '{changed}' have changed since '{output}' was begun: choose another output folder.")
        if there != own:
            raise InputError(f"The folder '{output}' holds an evaluation of something else: choose another output folder.")
    except (OSError, ValueError) as error:
        raise InputError(f"'{note}' cannot be read ({error}): choose another output folder.") from error
    with file_written_whole(note) as path:
        path.write_text(json.dumps(own | {"files": known | files}, indent=1) + "\n", encoding="utf-8")


def _refuse_shared_names(plan: EvaluationPlan) -> None:
    for group, names in plan.subjects.items():
        for name in names:
            if names.count(name) > 1:
                raise InputError(f"Two files of '{group}' are called '{name}': give every subject's file its own name.")
