"""Verdict: 0 healthy, 1 pathological, or None with the reason why it cannot be known."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..defaults import USUAL_THRESHOLDS
from ..errors import InputError
from ..metrics.metric import MAKE_UP, METRICS
from ..system.names import meant
from .classifier import GREY_ZONE, Classifier, probability_of
from .reference import conformal_p
from .score import USUAL_ML, Standing, standings

LEAST_BRAIN = 0.1
"""Share of the box that must lie inside the head for a verdict, which rests on that share alone."""
GREY_P = 1.3
"""p above the threshold, but by no more than this factor, says neither healthy nor pathological:
a few healthy boxes more or less would decide."""
STRONG_P = 0.01
"""p up to which a box is called pathological; above it, up to the threshold, it is called unusual, and its label is 1 too."""


JUDGED_BY = tuple(key for key in METRICS if key not in MAKE_UP)
"""Metrics that a verdict can rest on alone."""


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
        known = (*USUAL_THRESHOLDS, *JUDGED_BY)
        if self.rule not in known:
            others = f"choose p, classifier or one of {', '.join(JUDGED_BY)}"
            raise InputError(f"There is no decision '{self.rule}'{meant(self.rule, known)}: {others}.")
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


@dataclass(frozen=True)
class Weighing:
    """What speaks for and against a box.

    Attributes:
        standings: of the box, by score; see `score.Standing`.
        control_scores: robust standard scores of the controls, shape (controls, scores); NaN where not known.
        combined: the combined score of the box: the classifier's log odds.
        control_combined: of the controls, shape (controls,).
        p: rank of the combined score among healthy boxes, see `weigh`; None without any.
        percentile: share of those healthy boxes with a smaller combined score, percent, or None.
        effective: how many independent boxes of this size those healthy boxes are worth.
        probability: by the classifier.
        contributions: what every score adds to the classifier's log odds, by key.
    """

    standings: dict[str, Standing]
    control_scores: np.ndarray
    combined: float
    control_combined: np.ndarray
    p: float | None
    percentile: float | None
    effective: float
    probability: float
    contributions: dict[str, float]


def weigh(metrics: dict[str, float], control_metrics: list[dict[str, float]], classifier: Classifier) -> Weighing:
    """Hold a box's metrics against its controls' and against healthy boxes of other people.

    The combined score is the classifier's log odds. It is computed in the same way for the box and for every healthy box, each
    against the controls of its own scan, so that its rank is a fair test whatever the dependence of the scores: the
    nonparametric combination of Pesarin and Salmaso 2010. Healthy boxes of other people are those of the classifier's
    `Reference`, weighted by how alike they are in volume (localised conformal prediction, Guan 2023); the scan's own controls
    count one each. So p is fine where many healthy boxes are known, and a large box has one although no other fits into the
    scan. A classifier without a reference ranks among the controls alone.
    """
    scores = classifier.scores_of([metrics, *control_metrics])
    combined = classifier.log_odds(scores)
    ranked, weights = combined[1:], np.ones(len(combined) - 1)
    effective = float(len(ranked))
    if classifier.reference is not None:
        milliliters = metrics.get("brain_volume", math.nan)
        milliliters = milliliters if milliliters > 0 else USUAL_ML
        ranked = np.concatenate([ranked, classifier.log_odds(classifier.reference.scores)])
        weights = np.concatenate([weights, classifier.reference.weights(milliliters)])
        effective += classifier.reference.effective(milliliters)
    p = conformal_p(combined[0], ranked, weights) if len(ranked) else None
    percentile = 100 * float(weights[ranked < combined[0]].sum() / weights.sum()) if len(ranked) else None
    return Weighing(
        standings(scores),
        scores[1:],
        float(combined[0]),
        combined[1:],
        p,
        percentile,
        effective,
        probability_of(float(combined[0])),
        classifier.contributions(scores[0]),
    )


@dataclass(frozen=True)
class Verdict:
    """The label, None when undetermined, and the reason in one sentence."""

    label: int | None
    reason: str


def judge(
    metrics: dict[str, float], weighing: Weighing, decision: Decision, brain_share: float, unlike_known: str | None
) -> Verdict:
    """The verdict on one box.

    Args:
        metrics: of the box.
        weighing: what `weigh` made of them.
        brain_share: share of the box that lies inside the head, 0 to 1.
        unlike_known: why nothing can be said of this scan, one clause, or None.

    >>> from RadiomicsPersonaLib.analysis.classifier import load_classifier
    >>> controls = [{"intensity": 0.1 * n, "spread": 1 + 0.02 * n} for n in range(15)]
    >>> box = {"intensity": 9.0, "spread": 4.0, "deviation": 9.0, "lesion_peak": 9.0, "mean_shift": 9.0}
    >>> verdict = judge(box, weigh(box, controls, load_classifier()), Decision(), 1.0, None)
    >>> verdict.label, verdict.reason.split(",")[0]
    (1, 'Pathological: more unusual than all 15 control regions of this scan and than 100 % of those of other people')
    """
    undetermined = _why_undetermined(weighing, decision, brain_share, unlike_known)
    if undetermined:
        return Verdict(None, f"Undetermined: {undetermined}.")
    if decision.rule == "p":
        return _judge_by_p(weighing, decision)
    if decision.rule == "classifier":
        label = int(weighing.probability >= decision.threshold)
        word, relation = ("Pathological", "reaches") if label else ("Healthy", "does not reach")
        return Verdict(
            label,
            f"{word}: the classifier's probability of pathology, {weighing.probability:.2f}, {relation} "
            f"{decision.threshold:g}.",
        )
    return _judge_by_metric(metrics, decision)


def _judge_by_p(weighing: Weighing, decision: Decision) -> Verdict:
    count, p = len(weighing.control_combined), weighing.p
    fewer = int((weighing.control_combined < weighing.combined).sum())
    own = "" if not count else f"all {count}" if fewer == count else f"{fewer} of {count}"
    own = f"{own} control regions of this scan and than " if own else ""
    than = f"more unusual than {own}{_percent(weighing.percentile)} of those of other people, p = {p:.2g}"
    if not own:
        than = f"more unusual than {_percent(weighing.percentile)} of control regions of other people, p = {p:.2g}"
    if p <= decision.threshold:
        return Verdict(1, f"{'Pathological' if p <= STRONG_P else 'Unusual'}: {than}.")
    return Verdict(0, f"Healthy: {than} (above {decision.threshold:g}).")


def _percent(value: float) -> str:
    return f"{value:.0f} %" if value < 95 or value >= 99.95 else f"{value:.1f} %"


def _why_undetermined(weighing: Weighing, decision: Decision, brain_share: float, unlike_known: str | None) -> str | None:
    if brain_share < LEAST_BRAIN:
        return f"only {brain_share:.0%} of the box is brain, so move it onto the brain"
    if unlike_known:
        return unlike_known
    if decision.rule not in USUAL_THRESHOLDS:
        return None
    if decision.rule == "p":
        if weighing.p is None:
            return "there is no control region to hold it against, so ask for some"
        what, value, low, high = "p", weighing.p, decision.threshold, GREY_P * decision.threshold
    else:
        what, value, (low, high) = "the probability of pathology", weighing.probability, GREY_ZONE
    if low < value <= high + 1e-9:
        return (
            f"{what}, {value:.2g}, lies in the grey zone from {low:g} to {high:g}, so look at the difference, or draw the box "
            f"closer around what is in question"
        )
    return None


def _judge_by_metric(metrics: dict[str, float], decision: Decision) -> Verdict:
    metric, value = METRICS[decision.rule], metrics[decision.rule]
    if not math.isfinite(value):
        return Verdict(None, f"Undetermined: {metric.label} is not defined for this box, so decide by another metric.")
    worse = value >= decision.threshold if metric.higher_is_worse else value <= decision.threshold
    word, relation = ("Pathological", "reaches") if worse else ("Healthy", "does not reach")
    unit = f" {metric.unit}" if metric.unit else ""
    return Verdict(int(worse), f"{word}: {metric.label} of {value:.4g}{unit} {relation} the threshold {decision.threshold:g}.")
