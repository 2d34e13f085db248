"""Calibration: fits the verdict's classifier on boxes whose truth is known, and says how well it does on other subjects.

In every healthy scan a box is drawn and rebuilt with its controls, as an analysis does. All of them are healthy boxes; into every
second one a lesion is painted after it was rebuilt, which the rebuilding, being blind to the box, could not have known.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from RadiomicsPersonaLib import __version__
from RadiomicsPersonaLib.analysis import metrics_of, usual_range
from RadiomicsPersonaLib.box import Box
from RadiomicsPersonaLib.classifier import Classifier, feature_of, make_classifier
from RadiomicsPersonaLib.control import place_controls
from RadiomicsPersonaLib.defaults import USUAL_CONTROLS
from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.head_model import installed_head_models
from RadiomicsPersonaLib.hole import hole_of_box
from RadiomicsPersonaLib.metric import METRICS
from RadiomicsPersonaLib.model import Model
from RadiomicsPersonaLib.preparation import prepare
from RadiomicsPersonaLib.reconstruction import rebuild
from RadiomicsPersonaLib.scan import name_of, read_scan
from RadiomicsPersonaLib.score import SCORES, standard_scores
from RadiomicsPersonaLib.tissue import estimate_tissue

from .contrast import as_contrast
from .corruption import random_box
from .journal import Journal, metrics_from
from .painted_lesion import lesion_in_box, painted

SIDES = (12.0, 64.0)
"""Shortest and longest side of the boxes, millimetres."""
CONTRAST_SHARES = {"T1": 0.4, "FLAIR": 0.4, "T2": 0.2}
"""How often a scan is taken as it is, and how often as it might look in another contrast."""
LEAST_SUBJECTS = 4
PULLS = (0.0, 10.0, 30.0, 100.0, 300.0, 1000.0)
"""Strengths tried of the pull of the coefficients towards each other."""
_FOLDS = 5

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True, eq=False)
class KnownBoxes:
    """Boxes of one subject whose truth is known.

    Attributes:
        subject: its folder's and its file's name.
        scores: robust standard scores, shape (boxes, scores).
        sick: boolean, shape (boxes,).
    """

    subject: str
    scores: np.ndarray
    sick: np.ndarray


def measured_boxes(file: Path, model: Model, shapes: tuple[Path, ...], seed: tuple[int, ...]) -> dict | None:
    """The metrics of healthy and painted boxes of one healthy scan; None where no box with enough controls fits.

    Args:
        file: the scan.
        shapes: files of lesion masks.
    Returns:
        "healthy": metrics of every box; "painted": pairs of a box's number and its metrics with a lesion in it.
    Raises:
        InputError: the scan cannot be used.
    """
    scan, rng = read_scan(file), np.random.default_rng(seed)
    tissue = estimate_tissue(scan)
    scan = as_contrast(scan, tissue, rng.choice(list(CONTRAST_SHARES), p=list(CONTRAST_SHARES.values())), rng)
    side = float(np.exp(rng.uniform(*np.log(SIDES))))
    first = random_box(scan, tissue, rng, (0.8 * side, 1.25 * side))
    if first is None:
        return None
    prepared = prepare(scan, [hole_of_box(scan, first)])
    model = model.for_scan(prepared)
    rebuilt = rebuild(prepared, [hole_of_box(scan, first)], model)
    placed = place_controls(prepared, first, rebuilt[0], USUAL_CONTROLS, int(rng.integers(2**31)))
    if len(placed) < USUAL_CONTROLS // 2:
        return None
    rebuilt += rebuild(prepared, [control.hole for control in placed], model)
    limits = usual_range(prepared)
    healthy = [metrics_of(prepared, r, model, limits) for r in rebuilt]
    lesions: list[tuple[int, dict[str, float]]] = []
    boxes: list[Box] = [first, *(control.box for control in placed)]
    for number in range(0, len(boxes), 2):
        lesion = lesion_in_box(scan, boxes[number], shapes, rng)
        if lesion is None:
            continue
        hole = rebuilt[number].hole
        original = scan.array[hole.region]
        inside = lesion.mask_over(hole.start, hole.mask.shape)
        values = np.where(hole.mask, painted(original, inside, scan.spacing, prepared.tissue.scale, rng), original)
        lesions.append((number, metrics_of(prepared, rebuilt[number], model, limits, values=values)))
    return {"healthy": healthy, "painted": lesions}


def known_boxes(subject: str, found: dict) -> KnownBoxes:
    """What `measured_boxes` found, every box held against all the others."""
    healthy = [metrics_from(m) for m in found["healthy"]]
    scores, sick = list(standard_scores(healthy)), [False] * len(healthy)
    for number, lesion in found["painted"]:
        metrics = list(healthy)
        metrics[number] = metrics_from(lesion)
        scores.append(standard_scores(metrics)[number])
        sick.append(True)
    return KnownBoxes(subject, np.array(scores), np.array(sick))


def fit_classifier(boxes: list[KnownBoxes], name: str, about: dict, seed: int = 0) -> Classifier:
    """Logistic regression in which every subject, and within it either truth, has the same weight.

    Painted lesions are not real ones. The coefficients are therefore pulled towards each other, for equal weights hold up best where the
    cases are not those of the fit (Dawes 1979), and as strongly as predictions for subjects that were left out allow within one
    standard error of the best (Breiman et al. 1984). Their log odds are recalibrated by the line that fits those predictions (Cox 1958).

    Raises:
        InputError: too few subjects, or only one truth.
    """
    boxes = [b for b in boxes if b.sick.any() and not b.sick.all()]
    if len(boxes) < LEAST_SUBJECTS:
        raise InputError(f"Only {len(boxes)} subjects have boxes of both kinds, and at least {LEAST_SUBJECTS} are needed: give more healthy scans.")
    from sklearn.metrics import roc_auc_score

    folds = np.random.default_rng(seed).permutation(len(boxes)) % min(_FOLDS, len(boxes))
    tried = {pull: _left_out(boxes, folds, pull) for pull in PULLS}
    areas = {pull: np.array([roc_auc_score(b.sick, o) for b, o in zip(boxes, found)]) for pull, found in tried.items()}
    best = max(areas.values(), key=np.mean)
    enough = best.mean() - best.std(ddof=1) / np.sqrt(len(boxes))
    pull = max(pull for pull, area in areas.items() if area.mean() >= enough)
    left_out = tried[pull]
    odds, truth, weight = np.concatenate(left_out), np.concatenate([b.sick for b in boxes]), _weights(boxes)
    slope, intercept = calibration_line(odds, truth, weight)
    final = _regression(boxes, pull)
    probability = 1 / (1 + np.exp(-(slope * odds + intercept)))
    measured = {
        "what": "predictions for subjects that were left out; the slope is that of the log odds before they were recalibrated",
        "subjects": len(boxes),
        "boxes": int(len(truth)),
        "lesions": int(truth.sum()),
        "pull_towards_equal_coefficients": pull,
        "auroc_mean_over_subjects": float(areas[pull].mean()),
        "auroc_by_pull": {f"{tried_pull:g}": round(float(area.mean()), 4) for tried_pull, area in areas.items()},
        "brier": float(np.average((probability - truth) ** 2, weights=weight)),
        "slope": slope,
        "reliability": reliability(probability, truth, weight),
    }
    return make_classifier(
        name, tuple(SCORES), slope * final.coefficients, slope * final.intercept + intercept, about | {"cross_validation": measured}
    )


def calibration_line(log_odds: np.ndarray, truth: np.ndarray, weight: np.ndarray | None = None) -> tuple[float, float]:
    """Slope and intercept of truth on log odds by logistic regression (Cox 1958); 1 and 0 are perfect."""
    from sklearn.linear_model import LogisticRegression

    line = LogisticRegression(C=1e6, max_iter=1000).fit(log_odds[:, None], truth, sample_weight=weight)
    return float(line.coef_[0, 0]), float(line.intercept_[0])


def reliability(probability: np.ndarray, truth: np.ndarray, weight: np.ndarray) -> list[tuple[float, float, int]]:
    """Mean probability, share of what is true, and number of boxes, in bins of a tenth that hold any; weighted but for the number."""
    points = []
    for low in np.arange(0, 1, 0.1):
        inside = (probability >= low) & (probability < low + 0.1 + (low > 0.85))
        if inside.any():
            share = float(np.average(truth[inside], weights=weight[inside]))
            points.append((float(np.average(probability[inside], weights=weight[inside])), share, int(inside.sum())))
    return points


def calibrate(
    files: list[Path],
    model: Model,
    shapes: tuple[Path, ...],
    name: str,
    journal: Path,
    seed: int = 0,
    progress: Progress | None = None,
) -> Classifier:
    """Fit a classifier on healthy scans, one per subject.

    Args:
        files: the scans.
        model: what rebuilds.
        shapes: files of lesion masks to paint with.
        journal: file of what was measured so far; a run that was cut off goes on from it.
        progress: called with (scans done, scans in all, what); may raise to cancel.
    Raises:
        InputError: a scan cannot be used, or too few can.
    """
    identity = {
        "model": {key: model.provenance()[key] for key in ("name", "sha256")},
        "head_models": installed_head_models(),
        "seed": seed,
        "sides_mm": list(SIDES),
        "contrast_shares": CONTRAST_SHARES,
    }
    found = Journal(journal, identity | {"shapes": [name_of(file) for file in shapes], "metrics": list(METRICS)})
    boxes = []
    for number, file in enumerate(files):
        subject = f"{file.parent.name}/{name_of(file)}"
        if subject not in found.records:
            # by the name, so that a scan gets the same boxes whichever others there are
            found.add(subject, measured_boxes(file, model, shapes, (seed, zlib.crc32(subject.encode()))))
        if found.records[subject] is not None:
            boxes.append(known_boxes(subject, found.records[subject]))
        if progress:
            progress(number + 1, len(files), file.name)
    about = {"versions": {"RadiomicsPersona": __version__}} | identity | {"subjects": [b.subject for b in boxes]}
    return fit_classifier(boxes, name, about, seed)


@dataclass(frozen=True)
class _Line:
    """Log odds = features @ coefficients + intercept."""

    coefficients: np.ndarray
    intercept: float

    def log_odds(self, boxes: KnownBoxes) -> np.ndarray:
        return feature_of(boxes.scores) @ self.coefficients + self.intercept


def _left_out(boxes: list[KnownBoxes], folds: np.ndarray, pull: float) -> list[np.ndarray]:
    """Log odds of every subject's boxes from a regression on the other folds' subjects."""
    lines = [_regression([b for b, f in zip(boxes, folds) if f != fold], pull) for fold in range(folds.max() + 1)]
    return [lines[fold].log_odds(b) for b, fold in zip(boxes, folds)]


def _regression(boxes: list[KnownBoxes], pull: float) -> _Line:
    """Logistic regression with a ridge of 1, a penalty on coefficients that differ from their mean, and none below 0.

    Free coefficients separate painted lesions a little better, but learn how lesions were painted: an unusual gradient or
    SSIM then speaks for health, which nobody could defend.
    """
    from scipy.optimize import minimize
    from scipy.special import expit

    x, y, weight = np.concatenate([feature_of(b.scores) for b in boxes]), np.concatenate([b.sick for b in boxes]), _weights(boxes)

    def loss(line: np.ndarray) -> tuple[float, np.ndarray]:
        odds, slopes = x @ line[:-1] + line[-1], line[:-1]
        wrong = weight * (expit(odds) - y)
        apart = slopes - slopes.mean()
        value = (weight * (np.logaddexp(0, odds) - y * odds)).sum() + 0.5 * (slopes**2).sum() + 0.5 * pull * (apart**2).sum()
        return float(value), np.append(x.T @ wrong + slopes + pull * apart, wrong.sum())

    bounds = [(0.0, None)] * x.shape[1] + [(None, None)]
    best = minimize(loss, np.zeros(x.shape[1] + 1), jac=True, method="L-BFGS-B", bounds=bounds).x
    return _Line(best[:-1], float(best[-1]))


def _weights(boxes: list[KnownBoxes]) -> np.ndarray:
    """One per box: either truth of every subject weighs half of its mean number of boxes."""
    mean = np.mean([len(b.sick) for b in boxes])
    return np.concatenate([mean / 2 / np.where(b.sick, b.sick.sum(), (~b.sick).sum()) for b in boxes])
