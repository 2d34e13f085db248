"""Scores: every known box with all that can be said of it, and how well each score tells lesions from healthy boxes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from RadiomicsPersonaLib.analysis.classifier import Classifier, probability_of
from RadiomicsPersonaLib.analysis.score import SCORES
from RadiomicsPersonaLib.analysis.verdict import Decision, Verdict, judge, weigh
from RadiomicsPersonaLib.metrics.metric import METRICS

from ..evaluation.summary import DRAWS, Estimate, estimate_of, source_and_contrast, wins_of
from .evaluation import KnownCase

FAMILIES = {"LGG": "glioma", "BraTS": "glioma", "MS": "MS"}
"""Disease by source."""
COMBINED = "combined score"
"""What the verdict's p ranks."""


@dataclass(frozen=True)
class ScoredBox:
    """A lesion's box, or a healthy box of the same size in the same brain.

    Attributes:
        sick: the truth.
        scores: by name, larger is less like healthy tissue; the combined one, the naive ones, and those it is made of.
        probability: by the classifier.
    """

    sick: bool
    scores: dict[str, float]
    probability: float


@dataclass(frozen=True)
class ScoredCase:
    """A known case with its boxes: the user's first, then the controls that touch no lesion."""

    case: KnownCase
    boxes: tuple[ScoredBox, ...]

    @property
    def subject(self) -> str:
        """Whose it is, in all sources and contrasts."""
        return f"{source_of(self.case)[0]} {self.case.subject}"


def source_of(case: KnownCase) -> tuple[str, str]:
    """Source and contrast of a case."""
    return source_and_contrast(case.group) or (case.group, "T1")


def family_of(case: KnownCase) -> tuple[str, str] | None:
    """Disease and contrast of a case, None for healthy people."""
    source, contrast = source_of(case)
    return (FAMILIES[source], contrast) if case.sick else None


def scored(case: KnownCase, classifier: Classifier) -> ScoredCase:
    """Hold the box against its controls, and every control against the other controls."""
    measured = case.measured
    own = classifier.scores_of([measured.metrics, *measured.controls])[0]
    # the lesion has no say in what is said of the healthy boxes
    others = classifier.scores_of(measured.controls)
    naive = case.control_naive or [{}] * len(others)
    boxes = [_box(case.sick, own, case.naive, classifier)]
    boxes += [_box(False, z, found, classifier) for z, found, clean in zip(others, naive, case.clean) if clean]
    return ScoredCase(case, tuple(boxes))


def verdict_of(
    case: KnownCase, classifier: Classifier, change: str | None = None, decision: Decision | None = None
) -> tuple[Verdict, float | None]:
    """The verdict on a case, as it was or after a change, and its p; the same as an analysis gives."""
    measured = case.measured if change is None else case.changed[change]
    weighing = weigh(measured.metrics, measured.controls, classifier)
    return judge(measured.metrics, weighing, decision or Decision(), measured.brain_share, measured.unlike_known), weighing.p


def auroc(cases: list[ScoredCase], score: Callable[[ScoredBox], float], seed: int = 0, draws: int = DRAWS) -> Estimate:
    """Area under the ROC curve over all boxes, with a bootstrap over subjects.

    It is the share of pairs of a lesion and a healthy box in which the lesion has the larger score, ties counting half. Scores
    that are not known stand in the middle of the healthy ones.
    """
    subjects = list(dict.fromkeys(case.subject for case in cases))
    values = {subject: ([], []) for subject in subjects}
    for case in cases:
        for box in case.boxes:
            values[case.subject][0 if box.sick else 1].append(score(box))
    every = np.array([value for _, healthy in values.values() for value in healthy], float)
    middle = float(np.nanmedian(every)) if np.isfinite(every).any() else 0.0
    sick, healthy = ([np.nan_to_num(np.array(values[s][k], float), nan=middle) for s in subjects] for k in (0, 1))
    wins = np.array([[wins_of(a, b) for b in healthy] for a in sick])
    counts = np.array([[len(a) for a in sick], [len(b) for b in healthy]], float)
    times = (
        np.random.default_rng(seed)
        .multinomial(len(subjects), np.full(len(subjects), 1 / len(subjects)), size=draws)
        .astype(float)
    )
    pairs = (times @ counts[0]) * (times @ counts[1])
    drawn = np.einsum("di,ij,dj->d", times, wins, times)[pairs > 0] / pairs[pairs > 0]
    return estimate_of(float(wins.sum() / max(counts[0].sum() * counts[1].sum(), 1)), drawn, len(subjects))


def score_names(cases: list[ScoredCase]) -> tuple[list[str], list[str]]:
    """Names of the naive scores, and of those that the combined score is made of."""
    naive = [name for name in cases[0].case.naive] if cases else []
    return naive, [METRICS[key].label for key in SCORES]


def _box(sick: bool, z: np.ndarray, naive: dict[str, float], classifier: Classifier) -> ScoredBox:
    odds = float(classifier.log_odds(z[None])[0])
    parts = {METRICS[key].label: float(value) for key, value in zip(SCORES, z)}
    return ScoredBox(sick, {COMBINED: odds} | naive | parts, probability_of(odds))
