"""Evaluation of verdicts: the analysis as a user runs it, on boxes whose truth is known, with naive scores beside it.

Every lesion's box is held against healthy boxes of the same size in the same brain: its controls, as far as they touch no
lesion. Each of those can be judged in the same way, by the others. What is measured does not depend on the classifier.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from RadiomicsPersonaLib.analysis.analysis import analyze
from RadiomicsPersonaLib.analysis.result import Analysis, BoxResult
from RadiomicsPersonaLib.analysis.stability import flipped, shifted
from RadiomicsPersonaLib.brain.preparation import PreparedScan
from RadiomicsPersonaLib.defaults import USUAL_CONTROLS
from RadiomicsPersonaLib.geometry.box import lattice_of
from RadiomicsPersonaLib.geometry.hole import Hole, hole_of_box
from RadiomicsPersonaLib.imaging.files import read_scan
from RadiomicsPersonaLib.imaging.scan import Scan
from RadiomicsPersonaLib.metrics.metric import METRICS
from RadiomicsPersonaLib.networks.head_model import installed_head_models
from RadiomicsPersonaLib.reconstruction.reconstruction import rebuild
from RadiomicsPersonaLib.reconstruction.reconstruction_model import ClassicalModel, Model

from ..data.held_out import HeldOutScan
from ..evaluation.rebuilding import POPULATION_MEAN, Rebuilder
from ..runs.journal import Journal, metrics_from
from .cases import HEALTHY, TIGHT, VerdictCase, cases_of

FILLS = {"rim mean": "rim-mean", "harmonic": "harmonic", "mirrored side": "mirror"}
"""Simple fills whose residual is a naive score."""
TISSUES = ("fluid", "grey", "white")

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
        mismatch: median tissue mismatch of the controls, NaN without any.
        measured: what was measured.
        naive: naive scores of the box, by name; empty where they were not asked for.
        control_naive: the same of every control.
        clean: whether a control touches no lesion.
        changed: what was measured after changes that should not matter, by change; of the first box of every scan.
    """

    group: str
    subject: str
    kind: str
    number: int
    milliliters: float
    tissue: str
    mismatch: float
    measured: MeasuredBox
    naive: dict[str, float]
    control_naive: list[dict[str, float]]
    clean: list[bool]
    changed: dict[str, MeasuredBox]

    @property
    def sick(self) -> bool:
        """The truth."""
        return self.kind != HEALTHY


def measure_cases(plan: VerdictPlan, journal_file: Path, progress: Progress | None = None) -> list[KnownCase]:
    """Analyse every box of every scan.

    Args:
        journal_file: what was found so far; a run that was cut off goes on from it.
        progress: called with (scans done, scans in all, what) after every box; may raise to cancel.
    Raises:
        InputError: the file holds another run, or a scan cannot be used.
    """
    journal, cases = Journal(journal_file, plan.identity), []
    for number, held_out in enumerate(plan.scans):
        name = f"{held_out.group} / {held_out.subject}"
        if name not in journal.records:
            keys = []
            scan = held_out.read()
            lesion = None if held_out.lesion is None else read_scan(held_out.lesion).array > 0
            for case in cases_of(held_out, scan):
                if case.key not in journal.records:
                    journal.add(case.key, _measured(plan, case, scan, lesion))
                keys.append(case.key)
                if progress:
                    progress(number, len(plan.scans), case.key)
            journal.add(name, keys)
        cases += [known_case(journal.records[key]) for key in journal.records[name]]
        if progress:
            progress(number + 1, len(plan.scans), name)
    return cases


def _measured(plan: VerdictPlan, case: VerdictCase, scan: Scan, lesion: np.ndarray | None) -> dict:
    analysis = analyze(scan, [case.box], plan.model, seed=plan.seed)
    result = analysis.boxes[0]
    holes = [hole_of_box(scan, box) for box in (case.box, *(control.box for control in result.controls))]
    closely = case.kind in (TIGHT, HEALTHY)
    naive = naive_scores(plan, analysis, result, holes) if closely else [{} for _ in holes]
    changed = {}
    # of every scan the first box, to save time
    for change in (flipped(scan, [case.box]), shifted(scan, [case.box])) if closely and case.number == 0 else ():
        changed[change.name] = _record_of(analyze(change.scan, change.boxes, plan.model, seed=plan.seed).boxes[0])
    shares = np.bincount(analysis.tissue.classes_at(lattice_of(case.box)), minlength=4)
    return {
        "group": case.group,
        "subject": case.subject,
        "kind": case.kind,
        "number": case.number,
        "milliliters": case.box.volume_ml,
        "tissue": TISSUES[int(shares[1:].argmax())],
        "mismatch": float(np.median([control.mismatch for control in result.controls])) if result.controls else math.nan,
        "measured": _record_of(result),
        "naive": naive[0],
        "control_naive": naive[1:],
        "clean": [lesion is None or not lesion[hole.region][hole.mask].any() for hole in holes[1:]],
        "changed": changed,
    }


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
            "mismatch": math.nan if record["mismatch"] is None else record["mismatch"],
            "measured": measured(record["measured"]),
            "naive": metrics_from(record["naive"]),
            "control_naive": [metrics_from(scores) for scores in record["control_naive"]],
            "changed": {name: measured(found) for name, found in record["changed"].items()},
        }
    )


def naive_scores(plan: VerdictPlan, analysis: Analysis, result: BoxResult, holes: list[Hole]) -> list[dict[str, float]]:
    """What could be said of the user's box and of its controls without a network; larger is less like healthy tissue.

    The distance of the mean intensity from the brain's median, the SD in the box, the difference from the mirrored box, and the
    root of the mean squared residual of simple fills; all in tissue SD.
    """
    scan, scale = analysis.scan, analysis.tissue.scale
    prepared = PreparedScan(scan, analysis.tissue, analysis.midplane, holes[0])
    every = [result.metrics, *(control.metrics for control in result.controls)]
    scores = [
        {"|z| of mean intensity": abs(m["intensity"]), "SD in the box": m["spread"], "mirror difference": m["asymmetry"]}
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
