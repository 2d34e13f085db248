"""Analysis: the straight line from a scan and its boxes to verdicts."""

from __future__ import annotations

import datetime
import math
import platform
from collections.abc import Callable
from dataclasses import replace
from itertools import combinations

import numpy as np

from .. import __version__
from ..brain.mirror import mirror_is_free
from ..brain.preparation import PreparedScan, prepare
from ..brain.recognition import notes_on_scan, why_no_brain
from ..brain.tissue import OTHER_CONTRAST, T1_WEIGHTED
from ..defaults import USUAL_CONTROLS
from ..errors import InputError
from ..geometry.box import Box, lattice_of
from ..geometry.hole import Hole, hole_of_box, hole_of_mask, union_of
from ..imaging.scan import Scan
from ..metrics.deviation_map import deviation_of
from ..metrics.expected_error import ErrorModel, error_model
from ..metrics.measurement import metrics_of, usual_range
from ..metrics.metric import METRICS
from ..networks.head_model import LesionModel
from ..reconstruction.reconstruction import Reconstruction, compose, error_over_rim_mean, rebuild
from ..reconstruction.reconstruction_model import Model, NetworkModel
from ..system.threads import thread_per_core
from .bench import Bench, Probe
from .classifier import HINGES, Classifier, load_classifier
from .control import apart_from, check_count, independent, mirror_is_healthy, place_controls
from .error_rates import error_rates_of
from .part import parts_of, unusual_in
from .result import BEYOND, DEVIATING_P, Analysis, BoxResult, Control
from .score import SCORES, false_discovery_rates
from .second_look import doubtful_in, second_look
from .verdict import Decision, judge, weigh

MOST_FLUID = 0.9
"""Share of a box that may be fluid before that is told."""
MOST_COMMON = 0.5
"""Share of the smaller of two boxes that may lie in the other before that is told."""
USELESS = 0.9
"""Share of a plain fill's squared error at which a model's reconstructions are worth nothing."""

Progress = Callable[[int, int, str], None]


def analyze(
    scan: Scan,
    boxes: list[Box],
    model: Model,
    controls: int = USUAL_CONTROLS,
    decision: Decision | None = None,
    seed: int = 0,
    exclude: np.ndarray | None = None,
    progress: Progress | None = None,
    classifier: Classifier | None = None,
    prepare: Callable[[Scan, list[Hole]], PreparedScan] = prepare,
    look_twice: bool = True,
    probe: Probe | None = None,
) -> Analysis:
    """Rebuild, compare and judge every box.

    Args:
        scan: the scan.
        boxes: the user's boxes; neither they nor the excluded voxels are looked at while any of them is rebuilt, except that a
            box found healthy may serve as another's mirrored side.
        model: what rebuilds; see `NetworkModel.for_scan` for how "auto" chooses.
        controls: number of healthy boxes of the scan that all boxes are held against.
        decision: what the label rests on; p and its usual threshold by default.
        seed: of the controls' places.
        exclude: boolean array of the scan's shape with known pathology, or None.
        progress: called with (done, total, what) as rebuilt boxes accumulate; may raise to cancel.
        classifier: what gives the probability; the shipped one by default.
        prepare: what estimates tissue and midplane outside the suspects; one that remembers, where a scan comes again.
        look_twice: whether the persona of a called box keeps what is healthy in it; see `second_look`. No number changes.
        probe: what tells of a healthy box what would have been found in it; see `lesions.probe`.
    Raises:
        InputError: no box, a box off the scan or of air, too much taken out, or an unusable number of controls.
    """
    decision = decision or Decision()
    if not boxes:
        raise InputError("There is no box: give at least one.")
    check_count(controls)
    holes = [hole_of_box(scan, box) for box in boxes]
    excluded = hole_of_mask(exclude) if exclude is not None and exclude.any() else None
    suspects = [*holes, *([excluded] if excluded else [])]
    prepared = prepare(scan, suspects)
    model = model.for_scan(prepared)
    for box, hole in zip(boxes, holes):
        _refuse_air(prepared, box, hole)
    intensity_range = usual_range(prepared)
    classifier = classifier or load_classifier()
    line = _Line(prepared, model, classifier, intensity_range, progress, controls, holes, excluded, seed)
    first = [line.result_of(box, hole, decision) for box, hole in zip(boxes, holes)]
    results = list(first)
    for number, (box, hole) in enumerate(zip(boxes, holes)):
        # a box that was found healthy may serve as the mirrored side of another, whose own content has no say in that
        healthy = {n for n, result in enumerate(first) if result.label == 0 and n != number}
        seen = replace(prepared, suspects=union_of([h for n, h in enumerate(suspects) if n not in healthy]))
        if model.uses_mirror and not mirror_is_free(prepared, box) and mirror_is_free(seen, box):
            seen.take_maps_of(prepared)
            line.total += 1
            results[number] = line.result_of(box, hole, decision, seen)
    # a box that was given twice is one question
    asked = {hole.key: result.p for hole, result in zip(reversed(holes), reversed(results))}
    rates = dict(zip(asked, false_discovery_rates(list(asked.values()))))
    results = [_with_rate(result, rates[hole.key], decision) for hole, result in zip(holes, results)]
    if probe:
        results = [line.probed(result, decision, probe) if result.label == 0 else result for result in results]
    blind = rebuilt = compose(prepared, [result.reconstruction for result in results])
    looks = [None] * len(results)
    if look_twice:
        looks = [line.second_look(result, [h for h in suspects if h.key != hole.key]) for hole, result in zip(holes, results)]
        results = [
            # a box's voxels may take more room than the box
            replace(r, rebuilt_again_ml=look and min(scan.grid.ml_of(look.hole.voxels), r.box.volume_ml))
            for r, look in zip(results, looks)
        ]
        rebuilt = compose(prepared, [look or r.reconstruction for r, look in zip(results, looks)]) if any(looks) else blind
    results = [line.with_expected_error(r, look or r.reconstruction, hole) for r, look, hole in zip(results, looks, holes)]
    difference, voxel_p = np.zeros(scan.shape, np.float32), np.ones(scan.shape, np.float32)
    for result in results:
        region, mask = result.reconstruction.hole.region, result.reconstruction.hole.mask
        difference[region][mask] = (scan.array[region] - rebuilt[region])[mask]
        voxel_p[region][mask] = result.deviation_p[mask]
    return Analysis(
        scan=scan,
        tissue=prepared.tissue,
        midplane=prepared.midplane,
        boxes=tuple(results),
        reconstruction=rebuilt,
        blind=blind,
        difference=difference,
        deviation_p=voxel_p,
        decision={"rule": decision.rule, "threshold": decision.threshold},
        provenance=_provenance(prepared, model, classifier, intensity_range, controls, seed),
        warnings=(
            *(*scan.warnings, *_scan_warnings(prepared, model), *_covering(boxes, holes)),
            *_unknown(prepared, classifier, results),
        ),
    )


class _Line:
    """What the boxes of one scan share while they go down the line.

    No box is looked at while any persona is rebuilt. But what a box is held against is the same as if it were alone: controls
    lie where they lie whatever the other boxes, and are rebuilt and measured as if there were none.
    """

    def __init__(
        self,
        prepared: PreparedScan,
        model: Model,
        classifier: Classifier,
        intensity_range,
        progress: Progress | None,
        controls: int,
        holes: list[Hole],
        excluded: Hole | None,
        seed: int,
    ):
        self.prepared, self.model, self.classifier, self.intensity_range = prepared, model, classifier, intensity_range
        self.hiding = prepared.hiding_marked()
        self.no_brain = why_no_brain(prepared)
        self.excluded = excluded
        self.open = self._without(())
        self.placed = place_controls(self._seen_without(()), controls, seed, boxes=holes)
        self.against = {hole.key: apart_from(self.placed, hole, controls) for hole in holes}
        self.needed = sorted({number for numbers in self.against.values() for number in numbers})
        self.progress, self.total, self.done, self.count = progress, len(holes) + len(self.needed), 0, controls
        self._measured: dict[bool, dict[int, tuple[Reconstruction, dict[str, float]]]] = {}
        self._error_models: dict[tuple, ErrorModel | None] = {}

    def result_of(self, box: Box, hole: Hole, decision: Decision, seen: PreparedScan | None = None) -> BoxResult:
        """Rebuild, compare and judge one box; `seen` tells what may be looked at if that is more than outside all suspects."""
        prepared = self.prepared
        seen = seen or prepared
        use_mirror = mirror_is_healthy(seen, box)
        hiding = self.hiding if seen is prepared else seen.hiding_marked()
        reconstruction = self._rebuild(hiding, [hole], use_mirror, box.name)[0]
        metrics = metrics_of(self._without((hole,)), reconstruction, self.model, self.intensity_range, use_mirror)
        rebuilt, compared = self._controls(hole, use_mirror)
        weighing = weigh(metrics, compared, self.classifier)
        controls = tuple(
            Control(self.placed[number].box, measured, float(combined))
            for number, measured, combined in zip(self.against[hole.key], compared, weighing.control_combined)
        )
        brain_share = self._brain_share(box)
        share = self._error_share(rebuilt)
        unlike_known = self.no_brain or self._why_unlike_known(share)
        verdict = judge(metrics, weighing, decision, brain_share, unlike_known)
        voxel_p, control_shares = deviation_of(prepared.scan, reconstruction, rebuilt, DEVIATING_P)
        known = error_rates_of(self.classifier.sha256, prepared.tissue.contrast, metrics["brain_volume"])
        unusual = np.zeros(voxel_p.shape, bool)
        if verdict.label == 1:
            unusual = unusual_in(prepared, reconstruction.hole, voxel_p)
        return BoxResult(
            box=box,
            reconstruction=reconstruction,
            metrics=metrics,
            controls=controls,
            p=weighing.p,
            percentile=weighing.percentile,
            label=verdict.label,
            reason=verdict.reason,
            warnings=reconstruction.warnings
            + self._warnings(box, hole, brain_share, metrics["fluid_share"], use_mirror, share, len(controls)),
            standings=weighing.standings,
            combined=weighing.combined,
            control_scores=dict(zip(SCORES, weighing.control_scores.T)),
            probability=weighing.probability,
            contributions=weighing.contributions,
            deviation_p=voxel_p,
            control_shares=control_shares,
            unusual=unusual,
            parts=parts_of(prepared.scan, reconstruction.hole, unusual, box.name),
            error_rates=known.in_words if known and decision.rule == "p" else "",
            independent_controls=independent([control.box for control in controls]),
            effective_boxes=weighing.effective,
            brain_share=brain_share,
            unlike_known=unlike_known,
            brain=self._brain_in(reconstruction.hole) | unusual,
        )

    def second_look(self, result: BoxResult, others: list[Hole]) -> Reconstruction | None:
        """What deviates in a called box, rebuilt again; see `second_look`. None where the first persona stays."""
        if result.label != 1:
            return None
        hole, prepared = result.reconstruction.hole, self.prepared
        doubtful = doubtful_in(prepared, hole, result.deviation_p, result.unusual)
        others = others if prepared.marked is None else [*others, prepared.marked]
        went_without = self.model.uses_mirror and not mirror_is_healthy(prepared, result.box)
        self._tell_verdict(result, "a second look")
        return second_look(prepared, others, hole, doubtful, self.model, went_without)

    def with_expected_error(self, result: BoxResult, shown: Reconstruction, hole: Hole) -> BoxResult:
        """The result with the expected error of the persona that is shown, and how far the scan is beyond it."""
        scan, mirrored = self.prepared.scan, mirror_is_healthy(self.prepared, result.box)
        if mirrored not in self._measured:  # its mirrored side is another box that was found healthy
            mirrored = not mirrored
        key = mirrored, *self.against[hole.key]
        if key not in self._error_models:
            rebuilt = self._controls(hole, mirrored)[0]
            self._error_models[key] = error_model(self.open, rebuilt, mirrored)
        model = self._error_models[key]
        if model is None:
            return result
        hole, its = result.reconstruction.hole, shown.hole
        expected = np.zeros(hole.mask.shape, np.float32)
        # the region of what is shown is mostly a part of the box's, and wider where there is nothing to be seen around it
        low, high = np.maximum(hole.start, its.start), np.minimum(hole.stop, its.stop)
        inner, own = (tuple(map(slice, low - start, high - start)) for start in (hole.start, its.start))
        expected[inner] = model.expected(self.hiding, shown)[own]
        known = its.mask[own] if result.brain is None else its.mask[own] & result.brain[inner]
        if not known.any():
            return replace(result, expected_error=expected)
        off = np.abs(scan.array[its.region] - shown.values)[own][known] / expected[inner][known]
        return replace(
            result,
            expected_error=expected,
            expected_error_sd=float(np.median(expected[inner][known])) / self.prepared.tissue.scale.deviation,
            beyond_expected=float((off > BEYOND).mean()),
        )

    def probed(self, result: BoxResult, decision: Decision, probe: Probe) -> BoxResult:
        """The result with what would have been found in its box."""
        use_mirror = mirror_is_healthy(self.prepared, result.box)
        seen = self._without((result.reconstruction.hole,))
        bench = Bench(seen, result, self.model, self.intensity_range, use_mirror, self.classifier, decision)
        self._tell_verdict(result, "what would be found")
        return replace(result, would_be_found=probe(bench))

    def _controls(self, hole: Hole, use_mirror: bool) -> tuple[list[Reconstruction], list[dict[str, float]]]:
        """The controls of a box, rebuilt and measured, once for all boxes that may look at the mirrored side and once for the
        others.
        """
        if use_mirror not in self._measured:
            if self._measured:
                self.total += len(self.needed)
            rebuilt = self._rebuild(self.open, [self.placed[number].hole for number in self.needed], use_mirror, "controls")
            compared = []
            with thread_per_core() as pool:
                for measured in pool.map(
                    lambda r: metrics_of(self.open, r, self.model, self.intensity_range, use_mirror), rebuilt
                ):
                    compared.append(measured)
                    self._advance(0, "controls")  # which may raise to cancel
            self._measured[use_mirror] = dict(zip(self.needed, zip(rebuilt, compared)))
        own = [self._measured[use_mirror][number] for number in self.against[hole.key]]
        return [persona for persona, _ in own], [measured for _, measured in own]

    def _seen_without(self, holes: tuple[Hole, ...]) -> PreparedScan:
        """The scan without some boxes and what was excluded, the other boxes as any part of it."""
        hidden = [*holes, *([self.excluded] if self.excluded else [])]
        seen = replace(self.prepared, suspects=union_of(hidden) if hidden else None)
        seen.take_maps_of(self.prepared)
        return seen

    def _without(self, holes: tuple[Hole, ...]) -> PreparedScan:
        """As `_seen_without`, and without what the lesion model marks."""
        return self._seen_without(holes).hiding_marked()

    def _brain_in(self, hole: Hole) -> np.ndarray:
        """The voxels of a hole that lie inside the head, boolean over its region."""
        scan, evidence = self.prepared.scan, self.prepared.evidence
        if evidence is not None:
            return evidence.brain_in(scan, hole)
        found = np.zeros(hole.mask.shape, bool)
        index = np.argwhere(hole.mask)
        found[tuple(index.T)] = self.prepared.tissue.classes_at(scan.ras_from_ijk(index + hole.start)) > 0
        return found

    def _brain_share(self, box: Box) -> float:
        """Share of a box that lies inside the head: brain, and what a lesion has made of it."""
        points, evidence = lattice_of(box), self.prepared.evidence
        if evidence is not None:
            return evidence.brain_share(points)
        return float((self.prepared.tissue.classes_at(points) > 0).mean())

    def _rebuild(self, seen: PreparedScan, holes: list[Hole], use_mirror: bool, what: str) -> list[Reconstruction]:
        before = self.done

        def step(done: int, _: int) -> None:
            self._advance(before + done - self.done, what)

        return rebuild(seen, holes, self.model, use_mirror, step)

    def _tell_verdict(self, result: BoxResult, then: str) -> None:
        """The verdict while the rest is still computed, which does not change it."""
        p = "" if result.p is None else f", p = {result.p:.2g}"
        self._advance(0, f"{result.box.name} is {result.word}{p}; {then}")

    def _advance(self, steps: int, what: str) -> None:
        self.done += steps
        if self.progress:
            self.progress(self.done, self.total, what)

    def _error_share(self, rebuilt: list[Reconstruction]) -> float | None:
        """The network's `error_over_rim_mean` in the scan's healthy boxes; None where there are too few,
        and for classical models.
        """
        if not isinstance(self.model, NetworkModel) or len(rebuilt) < 5:
            return None
        return float(np.median([error_over_rim_mean(self.prepared.scan, reconstruction) for reconstruction in rebuilt]))

    def _why_unlike_known(self, share: float | None) -> str | None:
        """Whether the scan is out of the model's range: it rebuilds healthy boxes hardly better than their rim's mean would."""
        if share is None or share <= max(USELESS, self._known_limit):
            return None
        return (
            f"the scan is unlike anything the model knows: in its control regions the model's squared error is {share:.2f} of "
            f"a plain fill's; check the contrast, or take the model harmonic"
        )

    @property
    def _known_limit(self) -> float:
        """Up to where `error_over_rim_mean` lies on scans the model knows, as its card says."""
        return self.model.card["known_range"]["error_over_rim_mean"]

    def _warnings(
        self, box: Box, hole: Hole, brain_share: float, fluid_share: float, use_mirror: bool, share: float | None, fit: int
    ) -> tuple[str, ...]:
        notes = []
        if share is not None and share > self._known_limit:
            notes.append(
                f"The scan is unlike those the model knows: in its control regions the model's squared error is {share:.2f} "
                f"of a plain fill's, where {self._known_limit:.2f} is the most seen on scans it knows. The verdict misses more."
            )
        if brain_share < 0.75:
            notes.append(f"Only {brain_share:.0%} of box '{box.name}' is brain, and only that is judged.")
        evidence = self.prepared.evidence
        larger = evidence and evidence.larger_around(self.prepared.scan, hole)
        if larger:
            every, within, (low, high) = larger
            low, high = np.minimum(low - 2, box.corners.min(axis=0)), np.maximum(high + 2, box.corners.max(axis=0))
            around = ",".join(f"{value:.0f}" for value in (*(low + high) / 2, *(high - low)))
            notes.append(
                f"What the lesion model marks in box '{box.name}' goes on outside of it: at least {every:.0f} ml in "
                f"all, {within:.0f} ml inside. The persona may be rebuilt from abnormal tissue. A box around all of it is "
                f"{around}."
            )
        if fluid_share > MOST_FLUID:
            notes.append(f"Box '{box.name}' is nearly all fluid, in which little can be compared.")
        if fit < self.count:
            notes.append(f"Only {fit} of {self.count} control regions fit into this scan.")
        if self.model.uses_mirror and not use_mirror:
            notes.append(
                "The mirrored side lies in a box or an excluded region, or looks abnormal itself. It was not used, neither "
                "here nor for the control regions."
            )
        return tuple(notes)


def _with_rate(result: BoxResult, q: float | None, decision: Decision) -> BoxResult:
    """The result with its false discovery rate, and a note where the label would not hold for that."""
    notes = result.warnings
    if result.label == 1 and decision.rule == "p" and q > decision.threshold:
        notes += (
            f"With this many boxes the label does not hold at a false discovery rate of {decision.threshold:g} (q = {q:.2g}).",
        )
    return replace(result, q=q, warnings=notes)


def _refuse_air(prepared: PreparedScan, box: Box, hole: Hole) -> None:
    """Raise where a box holds neither brain nor any other tissue."""
    tissue = prepared.tissue
    if (tissue.classes_at(lattice_of(box)) > 0).any():
        return
    values = prepared.scan.array[hole.region][hole.mask]
    if np.percentile(values, 90) < tissue.background + 0.25 * (tissue.scale.center - tissue.background):
        raise InputError(f"Box '{box.name}' holds only air: move it onto the brain.")


def _scan_warnings(prepared: PreparedScan, model: Model) -> tuple[str, ...]:
    notes = []
    if (
        isinstance(model, NetworkModel)
        and model.card.get("contrasts") == T1_WEIGHTED
        and prepared.tissue.contrast == OTHER_CONTRAST
    ):
        notes.append(f"The scan does not look T1-weighted, and {model.name} was trained on T1-weighted scans only; look twice.")
    if isinstance(model, NetworkModel):
        notes += model.notes
    volume = prepared.tissue.brain_ml
    if prepared.tissue.doubt:
        notes.append(
            f"No brain was recognised ({prepared.tissue.doubt}); check that this is a brain MRI. "
            f"Thresholds had to find the tissue."
        )
    if not 500 <= volume <= 2600:
        notes.append(
            f"The tissue found measures {volume:.0f} ml, which is not a brain's volume; check the scan and its spacing."
        )
    if prepared.midplane.symmetry < 0.7:
        notes.append("No clear mid-sagittal plane was found; the mirrored side may be wrong.")
    return tuple(notes + notes_on_scan(prepared))


def _unknown(prepared: PreparedScan, classifier: Classifier, results: list[BoxResult]) -> tuple[str, ...]:
    """Which scores of the classifier could not be measured in this scan, since the networks behind them did not run."""
    if prepared.evidence is not None:
        return ()
    keys = dict.fromkeys(HINGES.get(feature, feature) for feature in classifier.features)
    missing = [METRICS[key].label for key in keys if not any(math.isfinite(result.metrics[key]) for result in results)]
    if not missing:
        return ()
    return (
        f"The networks that look at the whole head did not run, so the verdict weighs fewer scores: {', '.join(missing)} are "
        "missing.",
    )


def _covering(boxes: list[Box], holes: list[Hole]) -> tuple[str, ...]:
    """A note for every two boxes of which one lies largely in the other."""
    notes = []
    for (box, hole), (other, its) in combinations(zip(boxes, holes), 2):
        common = int((hole.mask & its.mask_over(hole.start, hole.mask.shape)).sum())
        if common > MOST_COMMON * min(hole.voxels, its.voxels):
            share = common / min(hole.voxels, its.voxels)
            notes.append(f"Boxes '{box.name}' and '{other.name}' cover each other by {share:.0%}, so they say much the same.")
    return tuple(notes)


def _provenance(
    prepared: PreparedScan, model: Model, classifier: Classifier, intensity_range, controls: int, seed: int
) -> dict:
    scale = prepared.tissue.scale
    return {
        "date": datetime.date.today().isoformat(),
        "contrast": prepared.tissue.contrast,
        "grid": {"shape": list(prepared.scan.shape), "spacing_mm": prepared.scan.spacing.tolist()},
        "versions": {"RadiomicsPersona": __version__, "python": platform.python_version(), "numpy": np.__version__}
        | ({"torch": _torch_version()} if isinstance(model, NetworkModel) else {}),
        "model": model.provenance(),
        "classifier": classifier.provenance() | {"own": classifier.sha256 != load_classifier().sha256},
        "lesion_model": _lesion_model(),
        "preprocessing": {
            "tissue_scale": {"center": scale.center, "deviation": scale.deviation},
            "intensity_range": list(intensity_range),
            "brain_ml": prepared.tissue.brain_ml,
            "brain_found_by": prepared.tissue.method,
            "midplane": {
                "normal": prepared.midplane.normal.tolist(),
                "offset_mm": prepared.midplane.offset,
                "symmetry": prepared.midplane.symmetry,
            },
        },
        "controls": controls,
        "seed": seed,
    }


def _lesion_model() -> dict | None:
    model = LesionModel.installed()
    return model.provenance() if model else None


def _torch_version() -> str:
    import torch  # which a Slicer may lack

    return torch.__version__
