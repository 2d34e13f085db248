"""Sensitivity in this patient: how small and how faint a painted lesion the verdict still finds at one place of one scan.

Lesions of several sizes and strengths are painted into the scan itself and judged as an analysis would. The healthy boxes of
one size are rebuilt and measured once: what is painted into a box has no say in them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from ..analysis.analysis import analyze
from ..analysis.bench import Bench
from ..analysis.classifier import Classifier, load_classifier
from ..analysis.control import mirror_is_healthy
from ..analysis.result import BoxResult
from ..analysis.verdict import Decision
from ..brain.preparation import PreparedScan, prepare
from ..brain.tissue_levels import checked_contrast, contrast_of
from ..defaults import USUAL_CONTROLS
from ..errors import InputError
from ..geometry.box import Box
from ..geometry.hole import Hole, hole_of_box
from ..geometry.markups import boxes_from_label_map
from ..imaging.scan import Scan
from ..metrics.measurement import metrics_of, usual_range
from ..reconstruction.reconstruction import rebuild
from ..reconstruction.reconstruction_model import Model
from .outline import outline, radius_of
from .painter import STRENGTH, PaintedLesion, check_kind, paint_lesion

SIZES_ML = {
    "fcd": (0.5, 1.5, 4.0, 10.0),
    "ms": (0.1, 0.3, 1.0, 3.0),
    "stroke": (0.5, 2.0, 8.0, 25.0),
    "tumour": (1.0, 4.0, 12.0, 30.0),
}
"""Millilitres tried where none are asked for; those that do not fit at a place are left out."""
STRENGTHS = (0.25, 0.5, 1.0, 2.0)
LEAST_SIDE = 8.0
"""Millimetres; nobody draws a smaller box around a small lesion."""
TRIAL_STEPS = 4
"""What judging a painted lesion weighs in the progress, in rebuilt boxes."""
CAVEAT = (
    "These lesions are painted, not real: drawn after published appearances into this scan, at this place, with a box drawn "
    "tight around them. The curve shows how much a difference of this look must stand out here from the scan's own variety "
    "and noise; it does not show how often real lesions are found, nor that a region without a finding is free of disease."
)

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class SensitivityTrial:
    """One painted lesion and its verdict.

    Attributes:
        size_ml: of what was painted, millilitres.
        asked_ml: of what was asked for.
        strength: as in `paint_lesion`.
        contrast_sd: mean over the lesion's voxels of the absolute difference from what was there,
            in SD of the scan's brain tissue.
        p, probability, combined: see `verdict.Evidence`.
        label: 1 found, 0 not found, None undetermined.
        reason: of the verdict.
    """

    size_ml: float
    asked_ml: float
    strength: float
    contrast_sd: float
    p: float | None
    probability: float | None
    combined: float
    label: int | None
    reason: str

    @property
    def diameter_mm(self) -> float:
        """Of the ball of the painted volume, millimetres."""
        return 2 * radius_of(self.size_ml)

    @property
    def word(self) -> str:
        """What became of it."""
        return {1: "found", 0: "not found", None: "undetermined"}[self.label]


@dataclass(frozen=True)
class SizeSummary:
    """What is found of one size.

    Attributes:
        asked_ml, size_ml, diameter_mm: of the lesions, as in `SensitivityTrial`; medians over strengths.
        box_mm: edges of the box around them, millimetres.
        controls: healthy boxes.
        healthy_p, healthy_word: the verdict on the box with nothing painted.
        least_strength, least_contrast_sd: of the faintest lesion from which on all stronger ones were found;
            None where there is none.
        missed_contrast_sd: of the strongest fainter one, which was not; None where every one was found.
    """

    asked_ml: float
    size_ml: float
    diameter_mm: float
    box_mm: tuple[float, float, float]
    controls: int
    healthy_p: float | None
    healthy_word: str
    least_strength: float | None
    least_contrast_sd: float | None
    missed_contrast_sd: float | None


@dataclass(frozen=True, eq=False)
class Sensitivity:
    """How small and how faint a lesion is found at a place.

    Attributes:
        kind, contrast: of lesion and scan.
        place: RAS millimetres.
        trials: by size, then by strength.
        sizes: a summary for each size.
        warnings: what the user should know, one sentence each.
        example: the faintest lesion found of the largest size, or the strongest one of it where none was found.
        decision, model, seed, controls: how the verdicts came about.
    """

    kind: str
    contrast: str
    place: tuple[float, float, float]
    trials: tuple[SensitivityTrial, ...]
    sizes: tuple[SizeSummary, ...]
    warnings: tuple[str, ...]
    example: PaintedLesion
    decision: dict
    model: dict
    seed: int
    controls: int


def sensitivity(
    scan: Scan,
    place: np.ndarray,
    kind: str,
    model: Model,
    *,
    sizes_ml: tuple[float, ...] | None = None,
    strengths: tuple[float, ...] = STRENGTHS,
    contrast: str | None = None,
    controls: int = USUAL_CONTROLS,
    decision: Decision | None = None,
    seed: int = 0,
    refinements: int = 1,
    progress: Progress | None = None,
    classifier: Classifier | None = None,
    prepare: Callable[[Scan, list[Hole]], PreparedScan] = prepare,
) -> Sensitivity:
    """Paint lesions of several sizes and strengths at a place of a scan, and judge each.

    Args:
        place: RAS millimetres, in grey or white matter.
        kind: one of `painter.KINDS`.
        sizes_ml: millilitres; `SIZES_ML` of the kind, as far as they fit, by default.
        strengths: all of which every size is painted with.
        contrast: one of `tissue_levels.CONTRASTS`; told from the scan by default.
        refinements: further strengths per size, each half way (as a ratio) between the faintest found and the strongest missed
            one.
        the others: as `analysis.analyze`.
    Raises:
        InputError: something cannot be used, the place lies outside the brain, or a size does not fit there.
    """
    check_kind(kind)
    strengths = tuple(sorted(set(strengths)))
    if not strengths or not all(STRENGTH[0] <= s <= STRENGTH[1] for s in strengths):
        raise InputError(f"A strength is a number from {STRENGTH[0]:g} to {STRENGTH[1]:g}; 1 is a usual lesion.")
    decision, classifier = decision or Decision(), classifier or load_classifier()
    whole = prepare(scan, [])
    contrast = checked_contrast(contrast) if contrast else contrast_of(scan, whole.tissue)
    painter = model.for_scan(whole)
    holes, notes = usual_outlines(scan, whole, kind, np.asarray(place, float), sizes_ml, seed)
    steps = 1 + controls + TRIAL_STEPS * (len(strengths) + refinements)
    trials, summaries, example, doubts = [], [], None, {}
    for number, (ml, hole) in enumerate(holes):
        what = f"{ml:g} ml"

        def step(done: int, _total: int = 0, _what: str = "", first: int = number * steps, what: str = what) -> None:
            if progress:
                progress(first + min(done, steps), len(holes) * steps, what)

        def paint(strength: float, hole: Hole = hole, number: int = number) -> PaintedLesion:
            # the same random numbers for every strength, so that nothing else differs
            rng = np.random.default_rng((seed, number))
            return paint_lesion(scan, hole, kind, contrast, rng, strength=strength, prepared=whole, model=painter)

        faintest = paint(strengths[0])
        if not faintest.lesion.any():
            nothing = InputError(
                f"A lesion of {ml:g} ml changes no voxel here: choose a place in grey or white matter, or a larger size."
            )
            if sizes_ml:
                raise nothing
            notes.append(f"It was left out. {nothing}")
            step(steps)
            continue
        bench = _Bench(scan, box_around(scan, hole), model, controls, decision, seed, classifier, prepare, step)
        found: dict[float, tuple[SensitivityTrial, PaintedLesion]] = {}
        queue, refined = list(strengths), 0
        while queue:
            strength = queue.pop(0)
            painted = faintest if strength == strengths[0] else paint(strength)
            found[strength] = bench.trial(ml, strength, painted)
            step(1 + controls + TRIAL_STEPS * len(found))
            if not queue and refined < refinements:
                refined += 1
                queue = _between({s: trial.label == 1 for s, (trial, _) in found.items()})
        doubts |= dict.fromkeys(bench.warnings)
        ordered = [found[s][0] for s in sorted(found)]
        trials += ordered
        summaries.append(_summary(ordered, bench))
        shown = summaries[-1].least_strength
        example = found[max(found) if shown is None else shown][1]
        step(steps)
    if not trials:
        raise nothing
    notes += [*doubts, *_doubts(summaries, trials)]
    return Sensitivity(
        kind,
        contrast,
        tuple(float(x) for x in np.asarray(place, float)),
        tuple(trials),
        tuple(summaries),
        tuple(notes),
        example,
        {"rule": decision.rule, "threshold": decision.threshold},
        bench.model.provenance(),
        seed,
        controls,
    )


def box_around(scan: Scan, hole: Hole) -> Box:
    """The box that encloses an outline's voxels, along the scan's axes, no edge shorter than `LEAST_SIDE`."""
    box = boxes_from_label_map(hole.full_mask(scan.shape).astype(np.uint8), scan.affine, min_voxels=1)[0]
    return Box(box.center, np.maximum(box.size, LEAST_SIDE), box.axes, "lesion")


class _Bench:
    """The box around the lesions of one size with its healthy boxes, on which any of them is judged."""

    def __init__(self, scan, box, model, controls, decision, seed, classifier, prepare, step):
        analysis = analyze(scan, [box], model, controls, decision, seed, None, step, classifier, prepare, False)
        self.scan = scan
        self.healthy: BoxResult = analysis.boxes[0]
        self.warnings = analysis.warnings
        self.hole = hole_of_box(scan, box)
        self.prepared = prepare(scan, [self.hole])
        self.model = model.for_scan(self.prepared)
        self.mirror = mirror_is_healthy(self.prepared, box)
        self.range = usual_range(self.prepared)
        self.bench = Bench(self.prepared, self.healthy, self.model, self.range, self.mirror, classifier, decision)

    def trial(self, asked_ml: float, strength: float, painted: PaintedLesion) -> tuple[SensitivityTrial, PaintedLesion]:
        """The verdict on the box with a lesion painted into the scan."""
        # soft edges and displaced tissue reach beyond the box, so the box is rebuilt from what is there now
        prepared = replace(self.prepared, scan=Scan(painted.values, self.scan.affine, self.scan.name)).hiding_marked()
        rebuilt = rebuild(prepared, [self.hole], self.model, self.mirror)[0]
        metrics = metrics_of(prepared, rebuilt, self.model, self.range, self.mirror)
        weighing, verdict = self.bench.judged(metrics)
        difference = (
            np.abs(painted.values[painted.lesion] - self.scan.array[painted.lesion]).mean() if painted.lesion.any() else 0.0
        )
        milliliters = self.scan.grid.ml_of(painted.lesion.sum())
        trial = SensitivityTrial(
            milliliters,
            asked_ml,
            strength,
            float(difference / prepared.tissue.scale.deviation),
            weighing.p,
            weighing.probability,
            weighing.combined,
            verdict.label,
            verdict.reason,
        )
        return trial, painted


def usual_outlines(
    scan, whole, kind: str, place: np.ndarray, sizes_ml, seed: int
) -> tuple[list[tuple[float, Hole]], list[str]]:
    """The outline of every size asked for, or usual, the smallest first; and what to say of usual ones that do not fit."""
    asked = sorted(set(sizes_ml or SIZES_ML[kind]))
    holes, notes, refused = [], [], None
    for number, ml in enumerate(asked):
        try:
            holes.append((ml, outline(kind, scan, whole.tissue, place, ml, np.random.default_rng((seed, 1000 + number)))))
        except InputError as error:
            if sizes_ml:
                raise
            refused = error
            notes.append(f"A lesion of {ml:g} ml was left out. {error}")
    if not holes:
        raise refused
    return holes, notes


def _between(found: dict[float, bool]) -> list[float]:
    """The strength half way, as a ratio, between the faintest from which on all are found and the next fainter;
    none where all or none are.
    """
    strengths = sorted(found)
    least = _least_found(strengths, [found[s] for s in strengths])
    if least is None or least == 0:
        return []
    return [float(np.sqrt(strengths[least - 1] * strengths[least]))]


def _least_found(strengths: list[float], found: list[bool]) -> int | None:
    """Index of the faintest from which on all are found."""
    least = None
    for index in reversed(range(len(strengths))):
        if not found[index]:
            break
        least = index
    return least


def _summary(trials: list[SensitivityTrial], bench: _Bench) -> SizeSummary:
    least = _least_found([t.strength for t in trials], [t.label == 1 for t in trials])
    ml = float(np.median([t.size_ml for t in trials]))
    return SizeSummary(
        trials[0].asked_ml,
        ml,
        2 * radius_of(ml),
        tuple(float(x) for x in bench.healthy.box.size),
        len(bench.healthy.controls),
        bench.healthy.p,
        bench.healthy.word,
        None if least is None else trials[least].strength,
        None if least is None else trials[least].contrast_sd,
        trials[-1].contrast_sd if least is None else (trials[least - 1].contrast_sd if least else None),
    )


def _doubts(summaries: list[SizeSummary], trials: list[SensitivityTrial]) -> list[str]:
    notes = []
    strange = [f"{s.asked_ml:g} ml" for s in summaries if s.healthy_word in ("pathological", "unusual")]
    if strange:
        notes.append(
            f"With nothing painted the box for {', '.join(strange)} is already called pathological or unusual: the place is so "
            "by itself, and what is found there says little about the lesion."
        )
    for summary in summaries:
        mine = [trial for trial in trials if trial.asked_ml == summary.asked_ml]
        if all(trial.label is None for trial in mine):
            notes.append(f"Of {summary.asked_ml:g} ml nothing can be told. {mine[-1].reason}")
    return notes
