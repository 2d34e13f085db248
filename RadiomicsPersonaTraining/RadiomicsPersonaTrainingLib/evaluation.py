"""Evaluation: how well healthy tissue is rebuilt, hole by hole, by a network and by the classical fills beside it.

Every hole is rebuilt on the scan's own grid, by every rebuilder, from a preparation that never saw what is in it; only
voxels inside count. The population mean, which needs registration to an atlas, is not among the fills.
"""

from __future__ import annotations

import csv
import json
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np

from RadiomicsPersonaLib.challenge import WINDOW_RADIUS, challenge_limits, challenge_metrics
from RadiomicsPersonaLib.comparison import CONTEXT, compare
from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.hole import Hole
from RadiomicsPersonaLib.model import Model, load_model
from RadiomicsPersonaLib.output import file_written_whole
from RadiomicsPersonaLib.preparation import PreparedScan, prepare
from RadiomicsPersonaLib.reconstruction import rebuild
from RadiomicsPersonaLib.result import Reconstruction
from RadiomicsPersonaLib.scan import name_of, read_scan
from RadiomicsPersonaLib.tissue import estimate_tissue

from .evaluation_holes import CUBOIDS, LESIONS, draw_hole

assert CONTEXT >= WINDOW_RADIUS  # one region serves both kinds of scores

Rebuilder = Callable[[PreparedScan, list[Hole]], list[Reconstruction]]
Progress = Callable[[int, int, str], None]

FILLS = ("rim mean", "harmonic", "biharmonic", "mirrored side")
"""The classical fills that a network is held against."""
NETWORK, NETWORK_WITHOUT_MIRROR = "unet", "unet, no mirror"

METRICS = {
    "mse": "MSE (tissue SD²)",
    "mse_01": "MSE (0-1)",
    "psnr": "PSNR (dB)",
    "ssim": "SSIM 3-D",
    "gradient_error": "gradient error (tissue SD/mm)",
    "official_ssim": "official SSIM",
    "official_mse": "official MSE",
    "official_psnr": "official PSNR (dB)",
    "official_psnr_01": "official PSNR, range 1 (dB)",
}
"""What is scored in every hole; see `score` and `challenge.challenge_metrics` for the formulas."""


@dataclass(frozen=True)
class EvaluationPlan:
    """Everything that decides an evaluation.

    Attributes:
        rebuilders: callables (prepared, holes) -> reconstructions, by the name that tables use.
        subjects: by group (a source of scans), one file per subject.
        lesion_masks: binary shapes for the holes of the second kind; none leaves that stratum out.
        boxes_per_stratum: holes per subject and stratum.
        seed: of the holes.
        identity: what tells this run's rebuilders from others of the same name, in plain JSON types (name, SHA-256).
    """

    rebuilders: dict[str, Rebuilder]
    subjects: dict[str, tuple[Path, ...]]
    lesion_masks: tuple[Path, ...] = ()
    boxes_per_stratum: int = 4
    seed: int = 0
    identity: dict = field(default_factory=dict)

    @property
    def strata(self) -> tuple[str, ...]:
        """Names of the strata."""
        return (*CUBOIDS, LESIONS) if self.lesion_masks else tuple(CUBOIDS)


@dataclass(frozen=True)
class Score:
    """One hole rebuilt by one rebuilder.

    Attributes:
        group, subject, stratum, number: which hole.
        rebuilder: who rebuilt it.
        milliliters: the hole's volume.
        seconds: time of the rebuilding alone.
        metrics: the keys of `METRICS`.
    """

    group: str
    subject: str
    stratum: str
    number: int
    rebuilder: str
    milliliters: float
    seconds: float
    metrics: dict[str, float]

    @property
    def hole(self) -> tuple[str, str, str, int]:
        """What tells this hole from all others."""
        return self.group, self.subject, self.stratum, self.number


@dataclass(frozen=True, eq=False)
class Case:
    """One hole of one scan, ready to be rebuilt; the preparation has not looked into it."""

    prepared: PreparedScan
    hole: Hole


def standard_rebuilders(network: Model | None) -> dict[str, Rebuilder]:
    """The classical fills and, if given, the network with the mirrored side and without it."""
    names = ("rim-mean", "harmonic", "biharmonic", "mirror")
    rebuilders: dict[str, Rebuilder] = {
        label: partial(rebuild, model=load_model(name)) for label, name in zip(FILLS, names)
    }
    if network is not None:
        rebuilders[NETWORK] = partial(rebuild, model=network)
        rebuilders[NETWORK_WITHOUT_MIRROR] = partial(rebuild, model=network, use_mirror=False)
    return rebuilders


def cases_of(plan: EvaluationPlan, path: Path, wanted: Iterable[tuple[str, int]]) -> Iterable[tuple[str, int, Case]]:
    """The cases of one subject: for every wanted (stratum, number) that has a place in the brain, that and its case."""
    scan = read_scan(path)
    tissue = estimate_tissue(scan)
    for stratum, number in wanted:
        hole = draw_hole(scan, tissue, stratum, number, plan.seed, plan.lesion_masks)
        if hole is not None:
            yield stratum, number, Case(prepare(scan, [hole]), hole)


def score(case: Case, reconstruction: Reconstruction, limits: tuple[float, float]) -> dict[str, float]:
    """The numbers of `METRICS`, over the hole's voxels x (scan) and y (rebuilt).

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


def evaluate(plan: EvaluationPlan, output: Path, progress: Progress | None = None) -> list[Score]:
    """Score every rebuilder on every hole of every subject.

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
    _claim(plan, output)
    table = _Table(output / "rows.csv", tuple(plan.rebuilders))
    wanted = [(stratum, number) for stratum in plan.strata for number in range(plan.boxes_per_stratum)]
    total, done = len(wanted) * sum(len(files) for files in plan.subjects.values()), 0
    scores = []
    for group, files in plan.subjects.items():
        for path in files:
            subject = name_of(path)
            missing = [key for key in wanted if (group, subject, *key) not in table.rows]
            for stratum, number, case in cases_of(plan, path, missing) if missing else ():
                table.add(_scores_of_case(plan, case, (group, subject, stratum, number)))
                left = [key for key in missing if (group, subject, *key) not in table.rows]
                if progress:
                    progress(done + len(wanted) - len(left), total, f"{subject}, {stratum}")
            done += len(wanted)
            if progress:
                progress(done, total, subject)
            scores += [row for key in wanted for row in table.rows.get((group, subject, *key), ())]
    return scores


def _scores_of_case(plan: EvaluationPlan, case: Case, hole: tuple[str, str, str, int]) -> list[Score]:
    scan = case.prepared.scan
    limits = challenge_limits(np.where(case.hole.full_mask(scan.shape), 0, scan.array))
    milliliters = case.hole.voxels * abs(np.linalg.det(scan.affine[:3, :3])) / 1000
    scores = []
    for name, rebuilder in plan.rebuilders.items():
        started = time.perf_counter()
        reconstruction = rebuilder(case.prepared, [case.hole])[0]
        seconds = time.perf_counter() - started
        metrics = {key: float(value) for key, value in score(case, reconstruction, limits).items()}
        scores.append(Score(*hole, name, float(milliliters), seconds, metrics))
    return scores


class _Table:
    """The rows of a run in a CSV file; a hole appears with all of its rebuilders or not at all."""

    COLUMNS = ("group", "subject", "stratum", "number", "rebuilder", "milliliters", "seconds", *METRICS)

    def __init__(self, path: Path, rebuilders: tuple[str, ...]):
        self.path = path
        self.rows: dict[tuple, list[Score]] = {}
        found = defaultdict(dict)
        for row in _complete_rows(path, self.COLUMNS):
            found[row.hole][row.rebuilder] = row
        self.rows = {
            hole: [rows[name] for name in rebuilders] for hole, rows in found.items() if set(rebuilders) <= set(rows)
        }
        with file_written_whole(path) as staging, open(staging, "w", newline="", encoding="utf-8") as stream:
            csv.writer(stream).writerow(self.COLUMNS)
            csv.writer(stream).writerows(_cells(row) for rows in self.rows.values() for row in rows)

    def add(self, rows: list[Score]) -> None:
        """Add one hole's rows, to the file as well."""
        self.rows[rows[0].hole] = rows
        with open(self.path, "a", newline="", encoding="utf-8") as stream:
            csv.writer(stream).writerows(_cells(row) for row in rows)


def _cells(row: Score) -> list:
    return [*row.hole, row.rebuilder, row.milliliters, row.seconds, *(row.metrics[key] for key in METRICS)]


def _complete_rows(path: Path, columns: tuple[str, ...]) -> Iterable[Score]:
    if not path.exists():
        return
    # a run that was killed can leave its last line cut off
    lines = [line for line in path.read_text(encoding="utf-8").splitlines(keepends=True) if line.endswith("\n")]
    for cells in csv.DictReader(lines):
        if set(cells) != set(columns) or None in cells.values():
            raise InputError(f"'{path}' is not a table of this evaluation: choose another output folder.")
        hole = cells["group"], cells["subject"], cells["stratum"], int(cells["number"])
        metrics = {key: float(cells[key]) for key in METRICS}
        yield Score(*hole, cells["rebuilder"], float(cells["milliliters"]), float(cells["seconds"]), metrics)


def _claim(plan: EvaluationPlan, output: Path) -> None:
    """Note what this folder's rows come from, or check that it is the same."""
    note = output / "run.json"
    own = {
        "seed": plan.seed,
        "rebuilders": list(plan.rebuilders),
        "lesion_masks": [name_of(path) for path in plan.lesion_masks],
        "identity": plan.identity,
    }
    own = json.loads(json.dumps(own))
    if note.exists() and json.loads(note.read_text(encoding="utf-8")) != own:
        raise InputError(f"The folder '{output}' holds an evaluation of something else: choose another output folder.")
    note.write_text(json.dumps(own, indent=1) + "\n", encoding="utf-8")


def _refuse_shared_names(plan: EvaluationPlan) -> None:
    for group, files in plan.subjects.items():
        names = [name_of(path) for path in files]
        for name in names:
            if names.count(name) > 1:
                raise InputError(f"Two files of '{group}' are called '{name}': give every subject's file its own name.")
