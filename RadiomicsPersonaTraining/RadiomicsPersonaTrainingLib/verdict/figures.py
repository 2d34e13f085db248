"""Figures: from scored boxes to the tables of "Healthy or not", every number with its interval over subjects."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from RadiomicsPersonaLib.analysis.classifier import Classifier
from RadiomicsPersonaLib.analysis.error_rates import CONTRASTS, ErrorRates
from RadiomicsPersonaLib.analysis.error_rates import KINDS as CLASS_KINDS
from RadiomicsPersonaLib.analysis.error_rates import SIZES as CLASS_SIZES
from RadiomicsPersonaLib.analysis.verdict import STRONG_P
from RadiomicsPersonaLib.brain.tissue import OTHER_CONTRAST, T1_WEIGHTED

from ..evaluation.plots import spoken
from ..evaluation.summary import DRAWS, Estimate, estimate_of, rounded
from .calibration import LEVEL, calibration_line, reliability
from .cases import CUBE, DRAWN, HEALTHY, MIRRORED, TIGHT
from .evaluation import AS_IT_IS, TISSUES, KnownCase
from .scores import COMBINED, ScoredCase, auroc, family_of, score_names, scored, source_of, verdict_of

GOALS = {
    ("glioma", "FLAIR"): 0.99,
    ("glioma", "T1"): 0.95,
    ("glioma", "T1 post"): 0.95,
    ("MS", "FLAIR"): 0.96,
    ("MS", "T1"): 0.96,
}
"""AUROC of tight boxes that is aimed at, by disease and contrast."""
CALLED_GOALS = {
    ("glioma", "FLAIR"): (0.96, 0.96, 0.96, 0.96, 0.90, 0.88, 0.92),
    ("glioma", "T1"): (0.88, 0.90, 0.90, 0.90, 0.85, 0.82, 0.85),
    ("glioma", "T1 post"): (0.82, 0.85, 0.85, 0.85, 0.78, 0.75, 0.80),
    ("MS", "FLAIR"): (0.80, 0.78, 0.75, 0.72, 0.72, 0.68, None),
    ("MS", "T1"): (0.75, 0.72, 0.70, 0.70, 0.65, 0.60, None),
}
"""Share of lesions that is to be called, by disease and contrast, for `KINDS` one after another."""
KINDS = (*DRAWN, CUBE)
SIZES = ((0.0, 3.0), (3.0, 20.0), (20.0, np.inf))
"""Box volumes in millilitres between which lesions are counted."""
HEALTHY_STRATA = CLASS_SIZES
"""Box volumes in millilitres between which healthy boxes are counted: cubes of up to 18, 31 and 48 mm, and above."""
AGES = (("up to 44 years", 0, 45), ("45 years and older", 45, np.inf))
"""Bands of age in which healthy boxes are counted."""
NOTES = (
    "Boxes are drawn around every lesion as people draw them: tight, 1.25, 1.5 and 2 times as large, off by a third of their "
    "size along every axis, off by half along one, and a cube of 30 mm. Each is judged as an analysis judges it, except that "
    "the 15 control regions of a scan are measured once, blind to the tight boxes around lesions. AUROC holds a lesion's tight "
    "box against those of the control regions that touch no lesion, each judged by the others alone. "
    "Intervals are 95 % bootstrap intervals over subjects (2,000 draws); with two subjects, as in MS, they say little. "
    "The naive scores need no rebuilt box; they are in tissue SD, the residuals root mean squares; the lesion map alone is in "
    "log odds. p ranks the combined score among control regions of this scan and of the people the classifier was fitted on; a "
    f"box is called at p <= {LEVEL:g}. TCGA-LGG gives no voxel size."
)
Table = tuple[str, list[str], list[list[str]]]


@dataclass(frozen=True)
class Figures:
    """All tables, by title, and the points of the reliability curve.

    Attributes:
        tables: title, heads, rows.
        record: the same numbers in plain JSON types.
        reliability: mean probability, share of lesions and boxes, bin by bin.
    """

    tables: tuple[Table, ...]
    record: dict
    reliability: tuple[tuple[float, float, int], ...]


def figures_of(
    cases: list[KnownCase],
    classifier: Classifier,
    seed: int = 0,
    ages: dict[str, float] | None = None,
    before: dict | None = None,
) -> tuple[Figures, list[ScoredCase]]:
    """All figures, and the scored cases behind them.

    Args:
        ages: years by subject, as far as they are known.
        before: what an earlier version's evaluation.json holds; it stands beside the new figures.
    """
    every = [scored(case, classifier) for case in cases]
    tight = [case for case in every if case.case.kind == TIGHT]
    families = list(dict.fromkeys(family_of(case.case) for case in tight))
    families.sort(key=lambda family: (family not in GOALS, family[0] != "glioma", family[1]))
    record: dict = {}
    tables = [
        _scores_table(tight, families, seed, record),
        _kinds_table(every, families, classifier, seed, record, before or {}),
        _healthy_table(every, classifier, seed, record, ages or {}),
        _classes_table(error_rates_in(cases, classifier)),
    ]
    probability, reliability = _probability_table(tight, families, seed, record)
    tables += [probability, _size_table(tight, classifier, record), _stability_table(every, classifier, seed, record)]
    return Figures(tuple(tables), record, reliability), every


def error_rates_in(cases: list[KnownCase], classifier: Classifier) -> list[ErrorRates]:
    """Counts of every class of boxes; the lesion-free sides of patients are among the healthy ones."""
    counted: dict[tuple, dict[str, list[bool]]] = {
        (contrast, *size): {kind: [] for kind in CLASS_KINDS} for contrast in CONTRASTS for size in CLASS_SIZES
    }
    for case in cases:
        contrast = T1_WEIGHTED if source_of(case)[1].startswith("T1") else OTHER_CONTRAST
        kind = "tight" if case.kind == TIGHT else "loose" if case.sick else "healthy"
        volume = case.measured.metrics["brain_volume"]
        for low, high in CLASS_SIZES:
            if case.kind != CUBE and low <= volume < high:
                counted[contrast, low, high][kind].append(verdict_of(case, classifier)[0].label == 1)
    return [
        ErrorRates(*where, **{kind: (sum(called), len(called)) for kind, called in kinds.items()})
        for where, kinds in counted.items()
        if any(kinds.values())
    ]


def _classes_table(classes: list[ErrorRates]) -> Table:
    rows = []
    for rates in classes:
        counts = (getattr(rates, kind) for kind in CLASS_KINDS)
        rows.append([rates.boxes, *(f"{called} of {boxes}" for called, boxes in counts)])
    return "Called, by class of box, as every verdict tells", ["boxes", *CLASS_KINDS.values()], rows


def share_of(rows: list[tuple[str, bool]], seed: int = 0, draws: int = DRAWS) -> Estimate:
    """A share over all rows of (subject, whether), with a bootstrap over subjects."""
    subjects = list(dict.fromkeys(subject for subject, _ in rows))
    counts = np.array(
        [[sum(hit for s, hit in rows if s == subject), sum(s == subject for s, _ in rows)] for subject in subjects], float
    )
    if not subjects:
        return Estimate(float("nan"), float("nan"), float("nan"))
    times = np.random.default_rng(seed).multinomial(len(subjects), np.full(len(subjects), 1 / len(subjects)), size=draws)
    drawn = times @ counts
    return estimate_of(float(counts[:, 0].sum() / counts[:, 1].sum()), drawn[:, 0] / drawn[:, 1], len(subjects))


def _scores_table(tight: list[ScoredCase], families: list[tuple[str, str]], seed: int, record: dict) -> Table:
    naive, parts = score_names(tight)
    rows: dict[str, list[str]] = {name: [] for name in (COMBINED, *naive, *parts)}
    record["auroc"] = {}
    for family in families:
        members = [case for case in tight if family_of(case.case) == family]
        found = {name: auroc(members, lambda box: box.scores.get(name, float("nan")), seed) for name in rows}
        best = max(naive, key=lambda name: found[name].value) if naive else None
        for name, estimate in found.items():
            rows[name].append(spoken(estimate) + (" *" if name == best else ""))
        record["auroc"][" ".join(family)] = {name: rounded(estimate) for name, estimate in found.items()}
    heads = [
        "score",
        *(f"{' '.join(family)} ({len({c.subject for c in tight if family_of(c.case) == family})})" for family in families),
    ]
    goals = ["goal", *(f"{GOALS[family]:g}" if family in GOALS else "-" for family in families)]
    body = [[name if name != COMBINED else f"{COMBINED} (ours)", *cells] for name, cells in rows.items()]
    return "Lesions against control regions of the same brains: AUROC (patients; * best naive score)", heads, [goals, *body]


def _kinds_table(every: list[ScoredCase], families, classifier: Classifier, seed: int, record: dict, before: dict) -> Table:
    rows = []
    record["boxes"] = {}
    limit = _map_limit(every)
    for family in families:
        for number, kind in enumerate(KINDS):
            members = [case for case in every if family_of(case.case) == family and case.case.kind == kind]
            if not members:
                continue
            subjects = [case.subject for case in members]
            labels = [verdict_of(case.case, classifier)[0].label for case in members]
            found = share_of([(s, label == 1) for s, label in zip(subjects, labels)], seed)
            unknown = share_of([(s, label is None) for s, label in zip(subjects, labels)], seed)
            alone = share_of(
                [(s, case.case.measured.metrics["lesion_peak"] > limit) for s, case in zip(subjects, members)], seed
            )
            goal = CALLED_GOALS.get(family, ())[number : number + 1]
            goal = f"{goal[0]:.2f}" if goal and goal[0] else "-"
            name = f"{' '.join(family)}, {kind}"
            earlier = before.get("boxes", {}).get(name)
            earlier = f"{earlier['called_1']['value']:.3g}" if earlier else "-"
            rows.append([name, str(len(members)), goal, spoken(found), earlier, spoken(unknown), spoken(alone)])
            record["boxes"][name] = {
                "lesions": len(members),
                "called_1": rounded(found),
                "undetermined": rounded(unknown),
                "called_by_map_alone": rounded(alone),
            }
    called = [verdict_of(case.case, classifier)[0].label == 1 for case in every if case.case.kind == HEALTHY]
    title = "Boxes as people draw them"
    title += f" (realised false-positive rate in healthy people: {np.mean(called):.3f})" if called else ""
    heads = ["lesions and boxes", "lesions", "goal", "called", "called by the version before", "undetermined"]
    return title, [*heads, "called by the lesion map alone"], rows


def _map_limit(every: list[ScoredCase]) -> float:
    """What 95 % of the healthy people's boxes do not reach on the lesion map alone; infinite without healthy people."""
    values = [case.case.measured.metrics["lesion_peak"] for case in every if case.case.kind == HEALTHY]
    values = [value for value in values if np.isfinite(value)]
    return float(np.percentile(values, 95)) if values else np.inf


def _healthy_table(every: list[ScoredCase], classifier: Classifier, seed: int, record: dict, ages: dict[str, float]) -> Table:
    rows = []
    record["healthy"] = {}
    healthy = [case for case in every if case.case.kind in (HEALTHY, MIRRORED)]
    people = [case for case in healthy if case.case.kind == HEALTHY]
    parts = {"all healthy people": people} if len({case.case.group for case in people}) > 1 else {}
    parts |= {group: [c for c in people if c.case.group == group] for group in dict.fromkeys(c.case.group for c in people)}
    for low, high in HEALTHY_STRATA:
        name = f"healthy people, {low:g} to {high:g} ml" if np.isfinite(high) else f"healthy people, above {low:g} ml"
        parts[name] = [case for case in people if low <= case.case.milliliters < high]
    parts |= {f"healthy people, mostly {tissue}": [c for c in people if c.case.tissue == tissue] for tissue in TISSUES}
    for name, low, high in AGES:
        parts[f"healthy people, {name}"] = [case for case in people if low <= ages.get(case.case.subject, np.nan) < high]
    parts["lesion-free side of patients"] = [case for case in healthy if case.case.kind == MIRRORED]
    for name, members in parts.items():
        if not members:
            continue
        verdicts = [verdict_of(case.case, classifier) for case in members]
        subjects = [case.subject for case in members]
        known = [(s, p) for s, (_, p) in zip(subjects, verdicts) if p is not None]
        low = share_of([(s, p <= LEVEL) for s, p in known], seed)
        strong = share_of([(s, p <= STRONG_P) for s, p in known], seed)
        called = share_of([(s, verdict.label == 1) for s, (verdict, _) in zip(subjects, verdicts)], seed)
        unknown = share_of([(s, verdict.label is None) for s, (verdict, _) in zip(subjects, verdicts)], seed)
        rows.append([name, str(len(set(subjects))), str(len(members)), *map(spoken, (low, strong, called, unknown))])
        record["healthy"][name] = {
            "people": len(set(subjects)),
            "boxes": len(members),
            "p_at_most_05": rounded(low),
            "p_at_most_01": rounded(strong),
            "called_1": rounded(called),
            "undetermined": rounded(unknown),
        }
    heads = ["boxes", "people", "boxes", f"p <= {LEVEL:g} (goal 0.03 to 0.07)", f"p <= {STRONG_P:g} (goal 0.005 to 0.02)"]
    return "Boxes in healthy tissue", [*heads, "called", "undetermined"], rows


def _probability_table(
    tight: list[ScoredCase], families, seed: int, record: dict
) -> tuple[Table, tuple[tuple[float, float, int], ...]]:
    rows = []
    record["probability"] = {}
    pools = [("all patients", tight)] + [(" ".join(f), [c for c in tight if family_of(c.case) == f]) for f in families]
    for name, members in pools:
        values = _bootstrapped(members, _brier_and_slope, seed)
        rows.append([name, *(spoken(value) for value in values)])
        record["probability"][name] = dict(zip(("brier", "slope"), map(rounded, values)))
    _, truth, probability, weight = _probabilities(tight)
    points = reliability(probability, truth, weight)
    record["reliability"] = points
    heads = ["boxes", "Brier score (0.25 knows nothing)", "slope of the log odds (goal 0.8 to 1.2)"]
    return ("Probability, lesions and control regions with equal weight", heads, rows), tuple(points)


def _probabilities(cases: list[ScoredCase]) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Log odds, truth, probability and weight of every box: in every case lesion and healthy boxes weigh the same."""
    rows = [
        (box.scores[COMBINED], box.sick, box.probability, 0.5 if box.sick else 0.5 / max(len(case.boxes) - 1, 1))
        for case in cases
        for box in case.boxes
    ]
    odds, truth, probability, weight = (np.array(column, float) for column in zip(*rows))
    return odds, truth, probability, weight


def _brier_and_slope(cases: list[ScoredCase]) -> tuple[float, float]:
    odds, truth, probability, weight = _probabilities(cases)
    return float(np.average((probability - truth) ** 2, weights=weight)), calibration_line(odds, truth, weight)[0]


def _bootstrapped(cases: list[ScoredCase], function: Callable, seed: int, draws: int = 200) -> list[Estimate]:
    """A function of cases with a bootstrap over subjects; fewer draws, for fits are slow."""
    subjects = list(dict.fromkeys(case.subject for case in cases))
    value, rng, drawn = function(cases), np.random.default_rng(seed), []
    for _ in range(draws if len(subjects) > 1 else 0):
        chosen = rng.integers(len(subjects), size=len(subjects))
        drawn.append(function([case for number in chosen for case in cases if case.subject == subjects[number]]))
    columns = np.array(drawn).T if drawn else [np.empty(0)] * len(value)
    return [estimate_of(v, column, len(subjects)) for v, column in zip(value, columns)]


def _size_table(tight: list[ScoredCase], classifier: Classifier, record: dict) -> Table:
    """Lesions that are called pathological, by size (where millimetres are known) and by tissue."""
    parts: list[tuple[str, Callable[[KnownCase], bool]]] = [
        (
            f"box of {low:g} to {high:g} ml" if np.isfinite(high) else f"box above {low:g} ml",
            lambda case, low=low, high=high: not case.group.startswith("LGG") and low <= case.milliliters < high,
        )
        for low, high in SIZES
    ]
    parts += [(f"mostly {tissue}", lambda case, tissue=tissue: case.tissue == tissue) for tissue in TISSUES]
    contrasts = list(dict.fromkeys(family_of(case.case)[1] for case in tight))
    rows = []
    record["called_1_by_size_and_tissue"] = {}
    for name, holds in parts:
        cells = []
        for contrast in contrasts:
            labels = [
                verdict_of(c.case, classifier)[0].label for c in tight if family_of(c.case)[1] == contrast and holds(c.case)
            ]
            cells.append(f"{sum(label == 1 for label in labels)} of {len(labels)}")
        rows.append([name, *cells])
        record["called_1_by_size_and_tissue"][name] = dict(zip(contrasts, cells))
    return "Lesions that are called pathological, by size and tissue (size without TCGA-LGG)", ["lesions", *contrasts], rows


def _stability_table(every: list[ScoredCase], classifier: Classifier, seed: int, record: dict) -> Table:
    rows = []
    record["stability"] = {}
    changed = [case for case in every if case.case.changed]
    for name in dict.fromkeys(name for case in changed for name in case.case.changed if name != AS_IT_IS):
        for what, sick in (("lesions", True), ("healthy people", False)):
            members = [case for case in changed if case.case.sick == sick]
            pairs = [
                (case.subject, *(verdict_of(case.case, classifier, change)[0].label for change in (AS_IT_IS, name)))
                for case in members
            ]
            other = share_of([(s, before != after) for s, before, after in pairs], seed)
            turned = share_of([(s, {before, after} == {0, 1}) for s, before, after in pairs], seed)
            rows.append([f"{name}, {what}", str(len(pairs)), spoken(other), spoken(turned)])
            record["stability"][f"{name}, {what}"] = {
                "boxes": len(pairs),
                "label_changes": rounded(other),
                "turns_over": rounded(turned),
            }
    return (
        "Stability (goal: below 0.02)",
        ["change and boxes", "boxes", "label changes", "from healthy to pathological or back"],
        rows,
    )
