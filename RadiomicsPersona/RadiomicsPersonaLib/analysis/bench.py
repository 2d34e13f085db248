"""Bench: what a box was judged with, so that another content of the same box can be judged likewise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..brain.preparation import PreparedScan
from ..reconstruction.reconstruction_model import Model
from .classifier import Classifier
from .result import BoxResult
from .verdict import Decision, Verdict, Weighing, judge, weigh


@dataclass(frozen=True, eq=False)
class Bench:
    """One judged box.

    Attributes:
        prepared: the scan as the box was measured in it.
        result: of the box.
        model: what rebuilt it.
        intensity_range: see `measurement.usual_range`.
        use_mirror: whether the mirrored side was looked at.
        classifier, decision: what its verdict rests on.
    """

    prepared: PreparedScan
    result: BoxResult
    model: Model
    intensity_range: tuple[float, float]
    use_mirror: bool
    classifier: Classifier
    decision: Decision

    def judged(self, metrics: dict[str, float]) -> tuple[Weighing, Verdict]:
        """What would speak for and against the box, and its verdict, if these were its metrics, with the same healthy boxes."""
        result = self.result
        weighing = weigh(metrics, [control.metrics for control in result.controls], self.classifier)
        return weighing, judge(metrics, weighing, self.decision, result.brain_share, result.unlike_known)


Probe = Callable[[Bench], str]
"""Tells in a sentence what would have been found in a box, or nothing."""
