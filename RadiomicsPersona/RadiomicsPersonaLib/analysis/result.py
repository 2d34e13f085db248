"""Result: what an analysis found, one object for files, nodes and reports alike."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from ..brain.midplane import Midplane
from ..brain.tissue import Tissue
from ..defaults import USUAL_PERCENT, USUAL_THRESHOLDS
from ..geometry.box import Box
from ..imaging.scan import Scan
from ..reconstruction.reconstruction import Reconstruction
from .score import Standing

EXPECTED_ERRORS, TISSUE_SD = "expected errors", "tissue SD"
"""Units of a difference."""
NEARLY_ALL = 0.98
"""Share of a box from which on it is told to be rebuilt as a whole."""
MOST_TOLD = 3
"""Pieces of what is unusual whose volumes are told in a sentence."""
DEVIATING_P = USUAL_THRESHOLDS["p"]
"""Voxels whose difference from the healthy persona has at most this p deviate."""
BEYOND, HEALTHY_BEYOND = 2.0, "about 5 %"
"""Expected errors beyond which a voxel's difference is counted, and how many of healthy brain's are."""


@dataclass(frozen=True, eq=False)
class Control:
    """A healthy box of the same scan, rebuilt and compared like the user's.

    Attributes:
        box: where it is; its name is "control 1", "control 2", ...
        metrics: the same keys as the user's box.
        combined: its combined score against all the other boxes; see `score`.
    """

    box: Box
    metrics: dict[str, float]
    combined: float = math.nan


@dataclass(frozen=True)
class StabilityTrial:
    """The verdict on a box after a small change that should not matter.

    Attributes:
        change: in words.
        label, p: as in `BoxResult`.
    """

    change: str
    label: int | None
    p: float | None


@dataclass(frozen=True, eq=False)
class Part:
    """One piece of what is unusual in a box.

    Attributes:
        volume_ml: its volume, millilitres.
        box: the upright box around it, with a little room.
    """

    volume_ml: float
    box: Box


def _ml(value: float) -> str:
    """Millilitres in three digits, and in whole ones from a hundred on."""
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


@dataclass(frozen=True, eq=False)
class BoxResult:
    """Everything about one of the user's boxes.

    Attributes:
        box: the box.
        reconstruction: its healthy persona.
        metrics: comparison of scan and reconstruction inside the box (see `comparison`).
        controls: the healthy boxes it was held against.
        p: rank of the combined score among healthy boxes of this scan and of other people, see `verdict.weigh`, or None.
        percentile: share of those healthy boxes that are less extreme than the box, in percent, or None.
        label: 0 healthy, 1 pathological, None undetermined.
        reason: the verdict in one sentence.
        warnings: what the user should know about this box, one sentence each.
        standings: every score among the controls', by key; see `score.Standing`.
        combined: the scores in one number; its rank is p.
        control_scores: robust standard scores of the controls, by the same keys, each shape (controls,).
        probability: of pathology, by the classifier, where both outcomes are equally frequent; None with too few controls.
        contributions: what every score adds to the classifier's log odds, by key.
        q: p as the false discovery rate over all boxes of the analysis (Benjamini and Hochberg 1995), or None without p.
        deviation_p: p of every voxel, float32 over the hole's region, 1 outside; see `deviation_map`.
        control_shares: share of each control that deviates, up to `DEVIATING_P`, when it is held against the others,
            shape (controls,); NaN where it cannot be said.
        independent_controls: how many controls without overlap tell as much (n^2 over the sum of all overlaps, Kish 1965).
        effective_boxes: how many independent healthy boxes of this size all those are worth that p ranks the box among.
        brain_share: share of the box that is brain, 0 to 1.
        unusual: the voxels that drive the verdict, boolean over the hole's region, or None; empty where the label is not 1.
        parts: the pieces of `unusual`, the largest first.
        rebuilt_again_ml: millilitres that the second look rebuilt, see `second_look`; None where the first persona is shown.
        error_rates: how often boxes like this one are called, one sentence; empty where that is not known.
        would_be_found: whether a lesion painted into a healthy box would have been called, in words; see `lesions.probe`.
        expected_error: how far the persona that is shown is expected to be off, float32 over the hole's region, in the scan's
            intensities; 0 where nothing was rebuilt; see `expected_error`. None with too few controls.
        expected_error_sd: its median over the rebuilt brain, in tissue SD, or None.
        beyond_expected: share of the rebuilt brain that differs by more than `BEYOND` times its expected error, or None.
        unlike_known: why the scan is out of the model's range, one clause, or None.
        stability: what becomes of label and p when the box or scan change a little; empty when not asked.
        brain: the voxels inside the head, boolean over the hole's region; pictures show no difference elsewhere. None where
            that is not known.
    """

    box: Box
    reconstruction: Reconstruction
    metrics: dict[str, float]
    controls: tuple[Control, ...]
    p: float | None
    percentile: float | None
    label: int | None
    reason: str
    warnings: tuple[str, ...] = ()
    standings: dict[str, Standing] = field(default_factory=dict)
    combined: float = math.nan
    control_scores: dict[str, np.ndarray] = field(default_factory=dict)
    probability: float | None = None
    contributions: dict[str, float] = field(default_factory=dict)
    q: float | None = None
    deviation_p: np.ndarray | None = None
    control_shares: np.ndarray | None = None
    independent_controls: float = 0.0
    effective_boxes: float = 0.0
    unusual: np.ndarray | None = None
    parts: tuple[Part, ...] = ()
    rebuilt_again_ml: float | None = None
    error_rates: str = ""
    would_be_found: str = ""
    expected_error: np.ndarray | None = None
    expected_error_sd: float | None = None
    beyond_expected: float | None = None
    brain_share: float = 1.0
    unlike_known: str | None = None
    stability: tuple[StabilityTrial, ...] = ()
    brain: np.ndarray | None = None

    @property
    def sorted_scores(self) -> list[str]:
        """Keys of the scores that are known, the most unusual first."""
        known = [key for key, standing in self.standings.items() if math.isfinite(standing.z)]
        return sorted(known, key=lambda key: -self.standings[key].z)

    def usual_limit(self, key: str) -> float:
        """The `USUAL_PERCENT` percentile of a score among the controls, robust standard deviations; NaN without any."""
        known = np.asarray(self.control_scores.get(key, ()), float)
        known = known[np.isfinite(known)]
        return float(np.percentile(known, USUAL_PERCENT)) if known.size else math.nan

    @property
    def match(self) -> str:
        """Some sentences: how many control regions there are and how well they match."""
        others = f"p ranks the box among an effective number of {self.effective_boxes:.0f} control regions of about its size."
        if not self.controls:
            return f"No control region of this scan was looked at. {others}"
        edges = [edge for control in self.controls for edge in control.box.size]
        return (
            f"{len(self.controls)} control regions of this scan have edges of {min(edges):.0f} to {max(edges):.0f} mm. "
            f"Their effective number, given their overlap, is {self.independent_controls:.0f}. {others}"
        )

    @property
    def where(self) -> str:
        """One sentence: how much of the box is unusual, in how many pieces; empty where the label is not 1."""
        if self.label != 1:
            return ""
        if not self.parts:
            return "No single part of the box stands out: it is unusual as a whole."
        volumes = [_ml(part.volume_ml) for part in self.parts[:MOST_TOLD]]
        told = " and ".join(filter(None, (", ".join(volumes[:-1]), volumes[-1])))
        parts = f", in {len(self.parts)} parts" if len(self.parts) > 1 else ""
        largest = ", of which these are the largest" if len(self.parts) > MOST_TOLD else ""
        return f"What is unusual measures {told} ml{parts}{largest}, in a box of {_ml(self.box.volume_ml)} ml."

    @property
    def persona(self) -> str:
        """One sentence: what of the box the persona rebuilds; empty where that is all of it."""
        if self.rebuilt_again_ml is None:
            return ""
        brain = max(self.brain_share * self.box.volume_ml, self.rebuilt_again_ml)
        if self.rebuilt_again_ml >= NEARLY_ALL * brain:
            return "Nothing of the box was clearly healthy, so the second look rebuilt all of it, too."
        return (
            f"The persona keeps what is healthy in the box: {_ml(self.rebuilt_again_ml)} of its {_ml(brain)} ml of brain "
            "were rebuilt, in a second look. All numbers rest on the first persona, which is blind to the whole box."
        )

    @property
    def certainty(self) -> str:
        """One sentence or two: how far the persona is expected to be off, and how much is beyond; empty where not known."""
        if self.expected_error_sd is None:
            return ""
        return (
            f"Expected error of the persona: {self.expected_error_sd:.2g} tissue SD. {100 * self.beyond_expected:.0f} % of the "
            f"voxels exceed twice theirs; in healthy brain {HEALTHY_BEYOND} do."
        )

    @property
    def remarks(self) -> tuple[str, ...]:
        """What is told beneath the verdict: how often such boxes are right, what would be found, what the persona keeps, how
        sure it is.
        """
        return tuple(filter(None, (self.error_rates, self.would_be_found, self.persona, self.certainty)))

    @property
    def stability_in_words(self) -> str:
        """One sentence: the band of p and the labels over `stability`; empty when that was not asked."""
        if not self.stability:
            return ""
        changed = [trial.change for trial in self.stability if trial.label != self.label]
        ps = [trial.p for trial in self.stability if trial.p is not None]
        band = f"p lies between {min(ps):.2g} and {max(ps):.2g}" if ps else "there is no p"
        kept = f"the verdict stays {self.word} in {len(self.stability) - len(changed)} of {len(self.stability)}"
        return f"After small changes that should not matter {kept}, and {band}" + (
            f"; it changes when: {', '.join(changed)}." if changed else "."
        )

    @property
    def word(self) -> str:
        """The label as a word; "unusual" is label 1 on weaker evidence, see `verdict.STRONG_P`."""
        if self.label == 1 and self.reason.startswith("Unusual:"):
            return "unusual"
        return {0: "healthy", 1: "pathological", None: "undetermined"}[self.label]


def tightened(result: BoxResult) -> Box:
    """The box around the largest part of what is unusual, under the box's name; the box itself where the label is not 1."""
    return replace(result.parts[0].box, name=result.box.name) if result.parts else result.box


@dataclass(frozen=True, eq=False)
class Analysis:
    """One scan with all of its boxes.

    Attributes:
        scan, tissue, midplane: the scan and what was estimated from it outside the boxes.
        boxes: one result per box, in the user's order.
        reconstruction: the scan with every box replaced by its healthy persona, in called boxes only where they deviate;
            axes I, J, K, the scan's dtype; bit for bit the scan outside the boxes.
        difference: scan minus reconstruction, float32, scan intensities; 0 outside the boxes.
        deviation_p: p of every voxel's difference, float32, 1 outside the boxes.
        decision: what the verdict rests on ("p", "classifier" or a metric's key) and its threshold.
        provenance: versions, model, preprocessing, seed, hashes: enough to make the numbers again.
        warnings: what concerns the whole scan, one sentence each.
        window: intensities that pictures show black and white; None where they are still to be found,
            see `picture.display_window`.
        blind: as `reconstruction`, with the first personas, which are blind to the whole boxes; all numbers rest on them.
            `reconstruction` itself where it is not given.
    """

    scan: Scan
    tissue: Tissue
    midplane: Midplane
    boxes: tuple[BoxResult, ...]
    reconstruction: np.ndarray
    difference: np.ndarray
    deviation_p: np.ndarray
    decision: dict[str, object]
    provenance: dict[str, object]
    warnings: tuple[str, ...] = field(default_factory=tuple)
    window: tuple[float, float] | None = None
    blind: np.ndarray | None = None

    def __post_init__(self):
        if self.blind is None:
            object.__setattr__(self, "blind", self.reconstruction)

    @property
    def unusual(self) -> np.ndarray:
        """The voxels that drive the verdicts of all boxes; boolean, axes I, J, K."""
        found = np.zeros(self.scan.shape, bool)
        for result in self.boxes:
            if result.unusual is not None:
                found[result.reconstruction.hole.region] |= result.unusual
        return found

    @property
    def brain(self) -> np.ndarray | None:
        """The voxels of all boxes that lie inside the head; boolean, axes I, J, K; None where that is not known."""
        if any(result.brain is None for result in self.boxes):
            return None
        found = np.zeros(self.scan.shape, bool)
        for result in self.boxes:
            found[result.reconstruction.hole.region] |= result.brain
        return found

    @cached_property
    def expected_error(self) -> np.ndarray | None:
        """How far the reconstruction is expected to be off, float32, scan intensities; 0 where nothing was rebuilt; None where
        that is not known of every box.
        """
        if any(result.expected_error is None for result in self.boxes):
            return None
        found = np.zeros(self.scan.shape, np.float32)
        for result in self.boxes:
            region = result.reconstruction.hole.region
            found[region] = np.where(result.expected_error > 0, result.expected_error, found[region])
        return found

    @cached_property
    def difference_in_units(self) -> np.ndarray:
        """The difference in its expected errors, or where those are not known, in tissue SD; float32, 0 outside the boxes."""
        expected = self.expected_error
        if expected is None:
            return self.difference / np.float32(self.tissue.scale.deviation)
        return np.divide(self.difference, expected, out=np.zeros_like(self.difference), where=expected > 0)

    @property
    def unit(self) -> str:
        """Of `difference_in_units`, in words."""
        return TISSUE_SD if any(result.expected_error is None for result in self.boxes) else EXPECTED_ERRORS

    @property
    def rebuilt_by(self) -> str:
        """One sentence: which model rebuilt the boxes, and why where the program chose."""
        model = self.provenance["model"]
        why = f", taken because {model['chosen_because']}" if "chosen_because" in model else ""
        return f"Rebuilt by {model['name']}{why}."

    @property
    def judged_by(self) -> str:
        """One sentence: which classifier weighed the scores behind the verdict and its probability;
        empty where that was not kept.
        """
        classifier = self.provenance.get("classifier")
        if not classifier:
            return ""
        whose = "a classifier of your own" if classifier.get("own") else "the program's classifier"
        return f"Scores weighed by {whose}, {classifier['name']}."

    @property
    def made_by(self) -> str:
        """`rebuilt_by` and `judged_by`."""
        return f"{self.rebuilt_by} {self.judged_by}".strip()
