"""Verdict: 0 healthy, 1 pathological, or None with the reason why it cannot be known."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..defaults import USUAL_THRESHOLDS
from ..errors import InputError
from ..metrics.metric import METRICS
from .classifier import GREY_ZONE, Classifier, probability_of
from .score import Standing, rank_p, standings

LEAST_BRAIN = 0.5
"""Share of the box that must be brain for a verdict."""
GREY_P = 2.0
"""p above the threshold, but by no more than this factor, says neither healthy nor pathological: one healthy box more or less would decide."""
CLASSIFIER_CONTROLS = 8
"""Fewest controls whose median and MAD standardise a score well enough for the classifier."""
OUTLYING, MOST_OUTLYING = 3.5, 0.25
"""Controls disagree when more than this share of them lies this many robust SDs off in a usual score: the median of the shares over
the scores. 3.5 as in Iglewicz and Hoaglin 1993."""


@dataclass(frozen=True)
class Decision:
    """What the label rests on.

    Attributes:
        rule: "p", "classifier", or the key of a metric.
        threshold: label 1 at p <= threshold, at probability >= threshold, or where the metric is at least as bad as it.
    """

    rule: str = "p"
    threshold: float = USUAL_THRESHOLDS["p"]

    def __post_init__(self):
        if self.rule not in (*USUAL_THRESHOLDS, *METRICS):
            raise InputError(f"There is no decision '{self.rule}': choose p, classifier or one of {', '.join(METRICS)}.")
        if self.rule == "classifier" and not 0 < self.threshold < 1:
            raise InputError(
                f"The threshold {self.threshold:g} cannot be used: a probability lies between 0 and 1, "
                f"for example {USUAL_THRESHOLDS['classifier']:g}."
            )
        if not math.isfinite(self.threshold) or (self.rule == "p" and not 0 < self.threshold < 1):
            raise InputError(
                f"The threshold {self.threshold:g} cannot be used: a p-value's lies between 0 and 1, "
                f"for example {USUAL_THRESHOLDS['p']:g}."
            )

    @property
    def controls_needed(self) -> int:
        """Fewest controls with which a label can be given; for p, with which the smallest one, 1 / (n + 1), reaches the threshold."""
        if self.rule == "classifier":
            return CLASSIFIER_CONTROLS
        return math.ceil(1 / self.threshold - 1 - 1e-9) if self.rule == "p" else 0


@dataclass(frozen=True)
class Evidence:
    """What speaks for and against a box.

    Attributes:
        standings: of the box, by score; see `score.Standing`.
        control_scores: robust standard scores of the controls, shape (controls, scores); NaN where not known.
        combined: the combined score of the box, drawn towards its controls' median as `weigh` says.
        control_combined: of the controls, shape (controls,).
        p: rank of the combined score, or None without controls.
        percentile: share of controls with a smaller combined score, percent, or None.
        probability: by the classifier, or None with too few controls for it.
        contributions: what every score adds to the classifier's log odds, by key; empty without a probability.
    """

    standings: dict[str, Standing]
    control_scores: np.ndarray
    combined: float
    control_combined: np.ndarray
    p: float | None
    percentile: float | None
    probability: float | None
    contributions: dict[str, float]


def weigh(
    metrics: dict[str, float], control_metrics: list[dict[str, float]], classifier: Classifier, milliliters: float
) -> Evidence:
    """Hold a box's metrics against its controls'.

    The combined score is the classifier's log odds. It is computed in the same way for the box and for every control (each against
    all the others), so that its rank is a fair test whatever the dependence of the scores: the nonparametric combination of Pesarin
    and Salmaso 2010. A rank is exact where box and controls are exchangeable. A box may lie anywhere while its controls were chosen
    for their likeness, so before it is ranked its distance from their median is divided by `Classifier.widening`. On
    painted lesions in subjects that were left out the combined score found more than every single score, than the largest of them,
    than their sum of squares, and than Fisher's combination of their ranks.

    Args:
        milliliters: volume of the box, and so of every control.
    """
    scores = classifier.scores_of([metrics, *control_metrics], milliliters)
    combined = classifier.log_odds(scores)
    others = combined[1:]
    ranked = combined.copy()
    if len(others):
        middle = np.median(others)
        ranked[0] = middle + (combined[0] - middle) / classifier.widening
    p = rank_p(ranked)
    probability, contributions = None, {}
    if len(others) >= CLASSIFIER_CONTROLS:
        probability = probability_of(float(combined[0]))
        contributions = classifier.contributions(scores[0])
    percentile = 100 * float((others < ranked[0]).mean()) if p is not None else None
    return Evidence(standings(scores), scores[1:], float(ranked[0]), others, p, percentile, probability, contributions)


@dataclass(frozen=True)
class Verdict:
    """The label, None when undetermined, and the reason in one sentence."""

    label: int | None
    reason: str


def judge(
    metrics: dict[str, float], evidence: Evidence, decision: Decision, brain_share: float, unlike_known: str | None
) -> Verdict:
    """The verdict on one box.

    Args:
        metrics: of the box.
        evidence: what `weigh` made of them.
        brain_share: share of the box that is brain, 0 to 1.
        unlike_known: why the scan is out of the model's range, one clause, or None.
    """
    undetermined = _why_undetermined(evidence, decision, brain_share, unlike_known)
    if undetermined:
        return Verdict(None, f"Undetermined: {undetermined}.")
    if decision.rule == "p":
        return _judge_by_p(evidence, decision)
    if decision.rule == "classifier":
        label = int(evidence.probability >= decision.threshold)
        word, relation = ("Pathological", "reaches") if label else ("Healthy", "does not reach")
        return Verdict(
            label,
            f"{word}: the classifier's probability of pathology, {evidence.probability:.2f}, {relation} {decision.threshold:g}.",
        )
    return _judge_by_metric(metrics, decision)


def _judge_by_p(evidence: Evidence, decision: Decision) -> Verdict:
    count, p = len(evidence.control_combined), evidence.p
    as_extreme = int((evidence.control_combined >= evidence.combined).sum())
    if p <= decision.threshold:
        return Verdict(
            1,
            f"Pathological: deviates more than {count - as_extreme} of {count} matched healthy boxes in this scan, p = {p:.2g}.",
        )
    return Verdict(
        0,
        f"Healthy: {as_extreme} of {count} matched healthy boxes in this scan deviate at least as much, "
        f"p = {p:.2g} (above {decision.threshold:g}).",
    )


def _why_undetermined(evidence: Evidence, decision: Decision, brain_share: float, unlike_known: str | None) -> str | None:
    count = len(evidence.control_combined)
    if brain_share < LEAST_BRAIN:
        return f"only {brain_share:.0%} of the box is brain, so move it onto the brain"
    if unlike_known:
        return unlike_known
    if count < decision.controls_needed:
        need = f"p <= {decision.threshold:g}" if decision.rule == "p" else "the classifier"
        return (
            f"only {count} matched healthy boxes fit into this scan and {need} needs "
            f"{decision.controls_needed}, so draw a smaller box or raise the number of controls"
        )
    if decision.rule not in USUAL_THRESHOLDS:
        return None
    outlying = _outlying_share(evidence.control_scores)
    if outlying > MOST_OUTLYING:
        return (
            f"the matched healthy boxes disagree, {outlying:.0%} of them stand out among themselves, so nothing can be told from "
            f"them; exclude what is known to be abnormal with --exclude"
        )
    if decision.rule == "p":
        what, value, low, high = "p", evidence.p, decision.threshold, GREY_P * decision.threshold
    else:
        what, value, (low, high) = "the probability of pathology", evidence.probability, GREY_ZONE
    if low < value <= high + 1e-9:
        return (
            f"{what}, {value:.2g}, lies in the grey zone from {low:g} to {high:g}, so look at the difference, or draw the box "
            f"closer around what is in question"
        )
    return None


def _outlying_share(scores: np.ndarray) -> float:
    """Share of the controls that stand out among themselves in a usual score; see `MOST_OUTLYING`."""
    known = np.isfinite(scores).all(axis=0)
    return float(np.median((np.abs(scores[:, known]) > OUTLYING).mean(axis=0))) if known.any() else 0.0


def _judge_by_metric(metrics: dict[str, float], decision: Decision) -> Verdict:
    metric, value = METRICS[decision.rule], metrics[decision.rule]
    if not math.isfinite(value):
        return Verdict(None, f"Undetermined: {metric.label} is not defined for this box, so decide by another metric.")
    worse = value >= decision.threshold if metric.higher_is_worse else value <= decision.threshold
    word, relation = ("Pathological", "reaches") if worse else ("Healthy", "does not reach")
    unit = f" {metric.unit}" if metric.unit else ""
    return Verdict(int(worse), f"{word}: {metric.label} of {value:.4g}{unit} {relation} the threshold {decision.threshold:g}.")
