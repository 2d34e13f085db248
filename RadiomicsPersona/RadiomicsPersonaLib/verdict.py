"""Verdict: 0 healthy, 1 pathological, or None with the reason why it cannot be known."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from .comparison import METRICS
from .errors import InputError

SCORE = "deviation"
"""The metric whose rank among the controls gives p."""
LEAST_BRAIN = 0.5
"""Share of the box that must be brain for a verdict."""


@dataclass(frozen=True)
class Decision:
    """What the label rests on.

    Attributes:
        rule: "p", or the key of a metric.
        threshold: label 1 at p <= threshold, or where the metric is at least as bad as it.
    """

    rule: str = "p"
    threshold: float = 0.05

    def __post_init__(self):
        if self.rule != "p" and self.rule not in METRICS:
            raise InputError(f"There is no decision '{self.rule}': choose p or one of {', '.join(METRICS)}.")
        if not math.isfinite(self.threshold) or (self.rule == "p" and not 0 < self.threshold < 1):
            raise InputError(f"The threshold {self.threshold:g} cannot be used: a p-value's lies between 0 and 1, for example 0.05.")

    @property
    def controls_needed(self) -> int:
        """Fewest controls with which the smallest possible p, 1 / (n + 1), can reach the threshold."""
        return math.ceil(1 / self.threshold - 1 - 1e-9) if self.rule == "p" else 0


@dataclass(frozen=True)
class Verdict:
    """Label and the numbers behind it; see `BoxResult`."""

    label: int | None
    reason: str
    p: float | None
    percentile: float | None


def judge(
    metrics: dict[str, float],
    control_metrics: list[dict[str, float]],
    decision: Decision,
    brain_share: float,
    unlike_known: str | None,
) -> Verdict:
    """The verdict on one box.

    p = (1 + number of controls that deviate at least as much) / (n + 1), the rank test of Phipson and Smyth 2010.

    Args:
        brain_share: share of the box that is brain, 0 to 1.
        unlike_known: why the scan is out of the model's range, one clause, or None.
    """
    count = len(control_metrics)
    p = percentile = None
    if count:
        scores = np.array([m[SCORE] for m in control_metrics])
        as_extreme = int((scores >= metrics[SCORE]).sum())
        p = (1 + as_extreme) / (count + 1)
        percentile = 100 * float((scores < metrics[SCORE]).mean())
    undetermined = _why_undetermined(count, decision, brain_share, unlike_known)
    if undetermined:
        return Verdict(None, f"Undetermined: {undetermined}.", p, percentile)
    if decision.rule != "p":
        return _judge_by_metric(metrics, decision, p, percentile)
    label = int(p <= decision.threshold)
    if label:
        beaten = count - as_extreme
        reason = f"Pathological: deviates more than {beaten} of {count} matched healthy boxes in this scan, p = {p:.2g}."
    else:
        reason = (
            f"Healthy: {as_extreme} of {count} matched healthy boxes in this scan deviate at least as much, "
            f"p = {p:.2g} (above {decision.threshold:g})."
        )
    return Verdict(label, reason, p, percentile)


def _why_undetermined(count: int, decision: Decision, brain_share: float, unlike_known: str | None) -> str | None:
    if brain_share < LEAST_BRAIN:
        return f"only {brain_share:.0%} of the box is brain, so move it onto the brain"
    if unlike_known:
        return unlike_known
    if count < decision.controls_needed:
        return (
            f"only {count} matched healthy boxes fit into this scan and p <= {decision.threshold:g} needs "
            f"{decision.controls_needed}, so draw a smaller box or raise the number of controls"
        )
    return None


def _judge_by_metric(metrics, decision: Decision, p, percentile) -> Verdict:
    metric, value = METRICS[decision.rule], metrics[decision.rule]
    worse = value >= decision.threshold if metric.higher_is_worse else value <= decision.threshold
    word, relation = ("Pathological", "reaches") if worse else ("Healthy", "does not reach")
    unit = f" {metric.unit}" if metric.unit else ""
    return Verdict(
        int(worse), f"{word}: {metric.label} of {value:.4g}{unit} {relation} the threshold {decision.threshold:g}.", p, percentile
    )
