"""Evaluation of verdicts: what an analysis measures, on boxes whose truth is known, with naive scores beside it.

Every lesion's box is held against healthy boxes of the same size in the same brain: its controls, as far as they touch no
lesion. Each of those can be judged in the same way, by the others. What is measured does not depend on the classifier.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from RadiomicsPersonaLib.analysis.analysis import analyze
from RadiomicsPersonaLib.analysis.control import apart_from, mirror_is_healthy, place_controls
from RadiomicsPersonaLib.analysis.result import BoxResult
from RadiomicsPersonaLib.analysis.stability import flipped, shifted
from RadiomicsPersonaLib.brain.preparation import PreparedScan, prepare
from RadiomicsPersonaLib.brain.recognition import why_no_brain
from RadiomicsPersonaLib.defaults import USUAL_CONTROLS
from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.geometry.box import Box, lattice_of
from RadiomicsPersonaLib.geometry.hole import Hole, hole_of_box, union_of
from RadiomicsPersonaLib.imaging.files import read_label_map
from RadiomicsPersonaLib.imaging.scan import Scan
from RadiomicsPersonaLib.metrics.measurement import metrics_of, usual_range
from RadiomicsPersonaLib.metrics.metric import METRICS
from RadiomicsPersonaLib.networks.head_model import installed_head_models
from RadiomicsPersonaLib.reconstruction.reconstruction import rebuild
from RadiomicsPersonaLib.reconstruction.reconstruction_model import ClassicalModel, Model
from RadiomicsPersonaLib.system.device import computes_in_bfloat16, in_precision, precision_on

from ..data.held_out import HeldOutScan
from ..evaluation.rebuilding import POPULATION_MEAN, Rebuilder
from ..runs.journal import Journal, metrics_from
from .cases import CUBE, HEALTHY, MIRRORED, TIGHT, VerdictCase, cases_of

FILLS = {"rim mean": "rim-mean", "harmonic": "harmonic", "mirrored side": "mirror"}
"""Simple fills whose residual is a naive score."""
TISSUES = ("fluid", "grey", "white")
MAP_ALONE = "lesion map alone"
"""The largest log odds of the lesion model in the box less the 99th percentile of the brain outside: one line of arithmetic."""
CHANGED_EVERY = 9
"""Of every so many scans one is analysed again after changes that should not matter."""
AS_IT_IS = "as it is"
OTHER_THREADS = "one thread or two"
OTHER_PRECISION = "bfloat16 or float32"
"""Of processors that compute in both."""
HIDDEN = (TIGHT, CUBE)
"""Kinds of boxes to which a bench is blind: others hold nothing more of the lesion, and all would leave little of a head."""
MOST_HIDDEN = 0.4
"""Share of the brain's volume from which on a box is measured in a scan prepared for it alone: tissue may no longer be told."""

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class VerdictPlan:
    """Everything that decides what is measured; a classifier then says what it means.

    Attributes:
        scans: what is evaluated.
        model: what rebuilds.
        population_mean: average of the model's training scans, or None without them.
        seed: of the controls' places.
    """

    scans: tuple[HeldOutScan, ...]
    model: Model
    population_mean: Rebuilder | None = None
    seed: int = 0

    @property
    def identity(self) -> dict:
        """What tells this run's measurements from others."""
        model = {key: self.model.provenance()[key] for key in ("name", "sha256")}
        return {
            "model": model,
            "head_models": installed_head_models(),
            "seed": self.seed,
            "metrics": list(METRICS),
            "controls": USUAL_CONTROLS,
        }


@dataclass(frozen=True)
class MeasuredBox:
    """What an analysis measured in one box and in its controls.

    Attributes:
        metrics, controls: of the box and of every control.
        brain_share, unlike_known: as in `BoxResult`.
    """

    metrics: dict[str, float]
    controls: list[dict[str, float]]
    brain_share: float
    unlike_known: str | None


@dataclass(frozen=True)
class KnownCase:
    """One box whose truth is known.

    Attributes:
        group, subject, kind, number: as in `VerdictCase`.
        milliliters: of the box.
        tissue: what most of the box is, were it healthy: "fluid", "grey" or "white".
        measured: what was measured.
        naive: naive scores of the box, by name; empty where they were not asked for.
        control_naive: the same of every control.
        clean: whether a control touches no lesion.
        changed: what an analysis gave as the scan is and after changes that should not matter, by change; of the first box of
            every `CHANGED_EVERY` scans.
    """

    group: str
    subject: str
    kind: str
    number: int
    milliliters: float
    tissue: str
    measured: MeasuredBox
    naive: dict[str, float]
    control_naive: list[dict[str, float]]
    clean: list[bool]
    changed: dict[str, MeasuredBox]

    @property
    def sick(self) -> bool:
        """The truth."""
        return self.kind not in (HEALTHY, MIRRORED)


def measure_cases(plan: VerdictPlan, journal_file: Path, progress: Progress | None = None) -> list[KnownCase]:
    """Measure every box of every scan.

    Args:
        journal_file: what was found so far; a run that was cut off goes on from it.
        progress: called with (scans done, scans in all, what) after every scan; may raise to cancel.
    Raises:
        InputError: the file holds another run, or a scan cannot be used.
    """
    journal, cases = Journal(journal_file, plan.identity), []
    for number, held_out in enumerate(plan.scans):
        name = f"{held_out.group} / {held_out.subject}"
        if not journal.holds(name, held_out.files):
            with journal.removed_if_refused():
                journal.add(name, _measured(plan, held_out, number % CHANGED_EVERY == 0), held_out.files)
        cases += [known_case(record) for record in journal.records[name]]
        if progress:
            progress(number + 1, len(plan.scans), name)
    return cases


def _measured(plan: VerdictPlan, held_out: HeldOutScan, change: bool) -> list[dict]:
    """All boxes of one scan."""
    scan = held_out.read()
    lesion = None if held_out.lesion is None else read_label_map(held_out.lesion).array > 0
    whole = prepare(scan, [])
    cases = cases_of(held_out, scan, whole.tissue, whole.midplane)
    held = [(case, hole_of_box(scan, case.box)) for case in cases if _is_usable(scan, case)]
    bench = _Bench(plan, whole, [hole for case, hole in held if case.kind in HIDDEN], [hole for _, hole in held])
    records = []
    for case, hole in held:
        result, controls = bench.measured(case.box, hole)
        closely = case.kind in (TIGHT, HEALTHY)
        holes = [hole, *(bench.placed[n].hole for n in controls)]
        naive = naive_scores(plan, bench, holes, result) if case.kind == TIGHT else []
        shares = np.bincount(bench.blind.tissue.classes_at(lattice_of(case.box)), minlength=4)
        records.append(
            {
                "group": case.group,
                "subject": case.subject,
                "kind": case.kind,
                "number": case.number,
                "milliliters": case.box.volume_ml,
                "tissue": TISSUES[int(shares[1:].argmax())],
                "measured": result,
                "naive": naive[0] if naive else {},
                "control_naive": naive[1:],
                "clean": [
                    lesion is None or not lesion[hole.region][hole.mask].any()
                    for hole in (bench.placed[n].hole for n in controls)
                ],
                "changed": _changes(plan, scan, case.box) if change and closely and case.number == 0 else {},
            }
        )
    return records


def _is_usable(scan: Scan, case: VerdictCase) -> bool:
    """Whether a box, shifted or enlarged, still holds voxels of the scan."""
    try:
        hole_of_box(scan, case.box)
    except InputError:
        return False
    return True


def _changes(plan: VerdictPlan, scan: Scan, box: Box) -> dict:
    """The analysis as a user runs it, on the scan as it is and after changes that should not matter."""

    def record(scan: Scan, boxes: list[Box]) -> dict:
        return _record_of(analyze(scan, boxes, plan.model, seed=plan.seed, look_twice=False).boxes[0])

    found = {AS_IT_IS: record(scan, [box])}
    for changed in (flipped(scan, [box]), shifted(scan, [box])):
        found[changed.name] = record(changed.scan, changed.boxes)
    if not isinstance(plan.model, ClassicalModel):
        with other_threads():
            found[OTHER_THREADS] = record(scan, [box])
        if computes_in_bfloat16("cpu"):
            with in_precision("fp32" if precision_on("cpu") == "bfloat16" else "bf16"):
                found[OTHER_PRECISION] = record(scan, [box])
    return found


@contextmanager
def other_threads():
    """Let the networks compute with two threads instead of one, or with one instead of several."""
    import torch  # which an evaluation of simple fills does without

    before = torch.get_num_threads()
    torch.set_num_threads(2 if before == 1 else 1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class _Bench:
    """One scan on which many boxes are measured as an analysis would measure each of them.

    To save time the controls are rebuilt and measured once for all boxes, as an analysis does for all boxes of a scan; each box
    is held against the first of those that it does not touch.
    """

    def __init__(self, plan: VerdictPlan, whole: PreparedScan, hidden: list[Hole], boxes: list[Hole]):
        self.scan = whole.scan
        self.blind = prepare(self.scan, [union_of(hidden)] if hidden else [])
        self.blind.take_maps_of(whole)
        self.model = plan.model.for_scan(self.blind)
        self.limits = usual_range(self.blind)
        self.open = replace(self.blind, suspects=None)
        self.open.take_maps_of(self.blind)
        self.placed = place_controls(self.open, USUAL_CONTROLS, plan.seed, boxes=boxes)
        self.needed = sorted({number for hole in boxes for number in apart_from(self.placed, hole, USUAL_CONTROLS)})
        self._controls: dict[bool, dict[int, dict[str, float]]] = {}

    def measured(self, box: Box, hole: Hole) -> tuple[dict, list[int]]:
        """What `MeasuredBox` keeps of a box, and the numbers of the controls that do not touch it."""
        if self.scan.grid.ml_of(hole.voxels) > MOST_HIDDEN * self.blind.tissue.brain_ml:
            own = prepare(self.scan, [hole])
        else:
            own = replace(self.blind, suspects=hole)
        own.take_maps_of(self.blind)
        use_mirror = mirror_is_healthy(own, box)
        own = own.hiding_marked()
        [persona] = rebuild(own, [hole], self.model, use_mirror)
        metrics = metrics_of(own, persona, self.model, self.limits, use_mirror)
        apart = apart_from(self.placed, hole, USUAL_CONTROLS)
        controls = self._measured_controls(use_mirror)
        points, evidence = lattice_of(box), own.evidence
        share = evidence.brain_share(points) if evidence else float((own.tissue.classes_at(points) > 0).mean())
        return {
            "metrics": metrics,
            "controls": [controls[n] for n in apart],
            "brain_share": share,
            "unlike_known": why_no_brain(own),
        }, apart

    def _measured_controls(self, use_mirror: bool) -> dict[int, dict[str, float]]:
        if use_mirror not in self._controls:
            hiding = self.open.hiding_marked()
            rebuilt = rebuild(hiding, [self.placed[number].hole for number in self.needed], self.model, use_mirror)
            measured = (metrics_of(hiding, r, self.model, self.limits, use_mirror) for r in rebuilt)
            self._controls[use_mirror] = dict(zip(self.needed, measured))
        return self._controls[use_mirror]


def _record_of(result: BoxResult) -> dict:
    return {
        "metrics": result.metrics,
        "controls": [control.metrics for control in result.controls],
        "brain_share": result.brain_share,
        "unlike_known": result.unlike_known,
    }


def known_case(record: dict) -> KnownCase:
    """A case as it was written into the journal."""

    def measured(found: dict) -> MeasuredBox:
        return MeasuredBox(
            **found | {"metrics": metrics_from(found["metrics"]), "controls": [metrics_from(m) for m in found["controls"]]}
        )

    return KnownCase(
        **record
        | {
            "measured": measured(record["measured"]),
            "naive": metrics_from(record["naive"]),
            "control_naive": [metrics_from(scores) for scores in record["control_naive"]],
            "changed": {name: measured(found) for name, found in record["changed"].items()},
        }
    )


def naive_scores(plan: VerdictPlan, bench: _Bench, holes: list[Hole], measured: dict) -> list[dict[str, float]]:
    """What could be said of the user's box and of its controls without a network; larger is less like healthy tissue.

    The distance of the mean intensity from the brain's median, the SD in the box, the difference from the mirrored box, and the
    root of the mean squared residual of simple fills; all in tissue SD. Beside them the lesion model's map alone.
    """
    scan, scale = bench.scan, bench.blind.tissue.scale
    prepared = PreparedScan(scan, bench.blind.tissue, bench.blind.midplane, holes[0])
    every = [measured["metrics"], *measured["controls"]]
    scores = [
        {
            "|z| of mean intensity": abs(m["intensity"]),
            "SD in the box": m["spread"],
            "mirror difference": m["asymmetry"],
            MAP_ALONE: m["lesion_peak"],
        }
        for m in every
    ]
    fills: dict[str, Rebuilder] = {
        f"residual of {label}": (lambda prepared, holes, model=ClassicalModel(name): rebuild(prepared, holes, model))
        for label, name in FILLS.items()
    }
    if plan.population_mean is not None:
        fills[f"residual of {POPULATION_MEAN}"] = plan.population_mean
    for label, fill in fills.items():
        for found, reconstruction in zip(scores, fill(prepared, holes)):
            hole = reconstruction.hole
            residual = (scan.array[hole.region] - reconstruction.values)[hole.mask]
            found[label] = float(np.sqrt(np.mean(residual**2)) / scale.deviation)
    return scores
