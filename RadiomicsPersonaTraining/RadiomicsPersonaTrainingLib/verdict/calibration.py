"""Calibration: fits the verdict's classifier on boxes whose truth is known, and says how well it does on other subjects.

In every healthy scan boxes are drawn at random and rebuilt with their controls, as an analysis does. All of them are healthy
boxes; into some a lesion is painted after they were rebuilt, which the rebuilding, being blind to the box, could not have
known.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit

from RadiomicsPersonaLib import __version__
from RadiomicsPersonaLib.analysis.classifier import Classifier, feature_of, make_classifier
from RadiomicsPersonaLib.analysis.control import place_controls
from RadiomicsPersonaLib.analysis.score import SCORES, Norm, raw_scores, standard_scores
from RadiomicsPersonaLib.analysis.verdict import CLASSIFIER_CONTROLS
from RadiomicsPersonaLib.brain.preparation import prepare
from RadiomicsPersonaLib.brain.tissue import Tissue, estimate_tissue
from RadiomicsPersonaLib.defaults import USUAL_CONTROLS, USUAL_THRESHOLDS
from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.geometry.box import Box
from RadiomicsPersonaLib.geometry.hole import hole_of_box
from RadiomicsPersonaLib.imaging.files import name_of, read_scan
from RadiomicsPersonaLib.imaging.scan import Scan
from RadiomicsPersonaLib.lesions.painter import paint_lesion
from RadiomicsPersonaLib.metrics.measurement import metrics_of, usual_range
from RadiomicsPersonaLib.metrics.metric import METRICS
from RadiomicsPersonaLib.networks.head_model import installed_head_models
from RadiomicsPersonaLib.reconstruction.reconstruction import rebuild
from RadiomicsPersonaLib.reconstruction.reconstruction_model import Model

from ..runs.journal import Journal, metrics_from
from ..samples.random_holes import random_box
from ..synthesis.tissue_contrast import as_contrast
from .painted_lesion import BRIGHTER, lesion_in_box, painted

SIDES = (12.0, 64.0)
"""Shortest and longest side of the boxes, millimetres."""
CONTRAST_SHARES = {"T1": 0.4, "FLAIR": 0.4, "T2": 0.2}
"""How often a scan is taken as it is, and how often as it might look in another contrast."""
DRAWN = 4
"""Boxes that are usually drawn in every scan, each in a contrast of its own."""
PAINTED_EVERY = 8
"""Of a drawn box and its controls every such one gets a lesion, the drawn one first."""
STRENGTH = (0.3, 2.0)
"""Of lesions painted by kind, log-uniform; 1 is a usual one."""
LEAST_SUBJECTS = 4
LEVEL = USUAL_THRESHOLDS["p"]
"""Share of healthy boxes that may be called abnormal."""
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
        drawn: of every drawn box, which is healthy, the rows of `scores` that are its own and, after it, its controls'.
    """

    subject: str
    scores: np.ndarray
    sick: np.ndarray
    drawn: tuple[np.ndarray, ...] = ()


def measured_boxes(
    file: Path, model: Model, shapes: tuple[Path, ...], seed: tuple[int, ...], drawn: int = DRAWN, kinds: tuple[str, ...] = ()
) -> list[dict]:
    """The metrics of healthy and painted boxes of one healthy scan,
    one entry for every drawn box around which enough controls fit.

    Args:
        file: the scan.
        shapes: files of lesion masks.
        drawn: boxes to draw.
        kinds: of lesions, drawn for each, as `RadiomicsPersonaLib.lesions.painter` paints them;
            empty for lesions of random brightness and texture.
    Returns:
        Of every drawn box: "milliliters"; "healthy", metrics of it and of its controls; "painted", pairs of a box's number
        among them and its metrics with a lesion in it.
    Raises:
        InputError: the scan cannot be used.
    """
    scan = read_scan(file)
    tissue = estimate_tissue(scan)
    found = [
        _measured_around(scan, tissue, model, shapes, np.random.default_rng((*seed, number)), kinds) for number in range(drawn)
    ]
    return [entry for entry in found if entry is not None]


def _measured_around(
    scan: Scan, tissue: Tissue, model: Model, shapes: tuple[Path, ...], rng: np.random.Generator, kinds: tuple[str, ...]
) -> dict | None:
    """One entry of `measured_boxes`."""
    contrast = str(rng.choice(list(CONTRAST_SHARES), p=list(CONTRAST_SHARES.values())))
    scan = as_contrast(scan, tissue, contrast, rng)
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
    whole = prepare(scan, []) if kinds else None
    for number in range(0, len(boxes), PAINTED_EVERY):
        lesion = lesion_in_box(scan, boxes[number], shapes, rng)
        if lesion is None:
            continue
        hole = rebuilt[number].hole
        original = scan.array[hole.region]
        if kinds:
            strength = float(np.exp(rng.uniform(*np.log(STRENGTH))))
            lesioned = paint_lesion(
                scan, lesion, str(rng.choice(kinds)), contrast, rng, strength=strength, prepared=whole, model=model
            ).values[hole.region]
        else:
            inside = lesion.mask_over(hole.start, hole.mask.shape)
            lesioned = painted(original, inside, scan.spacing, prepared.tissue.scale, contrast, rng)
        values = np.where(hole.mask, lesioned, original)
        lesions.append((number, metrics_of(prepared, rebuilt[number], model, limits, values=values)))
    return {"milliliters": first.volume_ml, "healthy": healthy, "painted": lesions}


def known_boxes(subject: str, found: list[dict], norms: dict[str, Norm]) -> KnownBoxes:
    """What `measured_boxes` found, every box held against all the others around the same drawn one."""
    scores, sick, drawn = [], [], []
    for around in found:
        healthy, milliliters = [metrics_from(m) for m in around["healthy"]], around["milliliters"]
        drawn.append(len(scores) + np.arange(len(healthy)))
        scores += list(standard_scores(healthy, norms, milliliters))
        for number, lesion in around["painted"]:
            metrics = list(healthy)
            metrics[number] = metrics_from(lesion)
            scores.append(standard_scores(metrics, norms, milliliters)[number])
        sick += len(healthy) * [False] + len(around["painted"]) * [True]
    return KnownBoxes(subject, np.array(scores).reshape(-1, len(SCORES)), np.array(sick, bool), tuple(drawn))


def fit_classifier(
    boxes: list[KnownBoxes],
    name: str,
    about: dict,
    norms: dict[str, Norm] | None = None,
    widening: float | None = None,
    seed: int = 0,
) -> Classifier:
    """Logistic regression in which every subject, and within it either truth, has the same weight.

    Painted lesions are not real ones. The coefficients are therefore pulled towards each other, for equal weights hold up best
    where the cases are not those of the fit (Dawes 1979), and as strongly as predictions for subjects that were left out allow
    within one standard error of the best (Breiman et al. 1984). Their log odds are recalibrated by the line that fits those
    predictions (Cox 1958).

    Args:
        norms: with which the scores were standardised.
        widening: see `Classifier`; fitted on the drawn boxes where it is not given.
    Raises:
        InputError: too few subjects, or only one truth.
    """
    boxes = [b for b in boxes if b.sick.any() and not b.sick.all()]
    if len(boxes) < LEAST_SUBJECTS:
        raise InputError(
            f"Only {len(boxes)} subjects have boxes of both kinds, and at least {LEAST_SUBJECTS} are needed: give more healthy "
            "scans."
        )
    from sklearn.metrics import roc_auc_score  # takes seconds to load

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
    probability = expit(slope * odds + intercept)
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
    about = about | {"cross_validation": measured}
    widening = widening_of(boxes, left_out) if widening is None else widening
    return make_classifier(
        name, tuple(SCORES), slope * final.coefficients, slope * final.intercept + intercept, about, norms, widening
    )


def widening_of(boxes: list[KnownBoxes], log_odds: list[np.ndarray]) -> float:
    """By how much healthy boxes drawn anywhere must come closer to their controls for `LEVEL` of them to have p <= `LEVEL`;
    at least 1.

    Args:
        log_odds: of every subject's boxes.
    """
    ratios = []
    for known, odds in zip(boxes, log_odds):
        for rows in known.drawn:
            own, others = odds[rows[0]], np.sort(odds[rows[1:]])
            beyond = int(LEVEL * (len(others) + 1) + 1e-9)  # so many of the largest may be reached, less one
            if not beyond:
                continue
            middle, limit = np.median(others), others[-beyond]
            ratios.append((own - middle) / max(limit - middle, 1e-9))
    return max(1.0, float(np.quantile(ratios, 1 - LEVEL))) if ratios else 1.0


def fit_norms(found: list[list[dict]]) -> dict[str, Norm]:
    """What is usual in healthy boxes, by score.

    Args:
        found: by subject, from `measured_boxes`.
    Source: variance components by moments, from medians and MADs; see `Norm`.
    """
    sets = [around for subject in found for around in subject]
    raw = [np.array([raw_scores(metrics_from(m)) for m in around["healthy"]]) for around in sets]
    volumes, norms = np.log([around["milliliters"] for around in sets]), {}
    for column, key in enumerate(SCORES):
        values = [scores[np.isfinite(scores[:, column]), column] for scores in raw]
        kept = [number for number, these in enumerate(values) if len(these) >= CLASSIFIER_CONTROLS]
        if len(kept) < LEAST_SUBJECTS:
            continue
        counts = np.array([len(values[n]) for n in kept])
        middles = np.array([np.median(values[n]) for n in kept])
        spreads = np.array([1.4826 * np.median(np.abs(values[n] - np.median(values[n]))) for n in kept])
        if not (spreads > 0).all():
            continue
        slope, intercept = np.polyfit(volumes[kept], middles, 1)
        off = middles - intercept - slope * volumes[kept]
        spread = float(np.sqrt(np.median(spreads**2)))
        # a median of n varies by pi/2 of what a mean does, a MAD by as much as the SD of 0.37 n values
        between = np.sqrt(max(np.var(off) - np.pi / 2 * np.mean(spreads**2 / counts), (0.1 * spread) ** 2))
        uneven = max(np.var(np.log(spreads**2)) - np.mean(2 / (0.37 * counts)), 0.05)
        norms[key] = Norm(float(intercept), float(slope), spread, float(between), float(2 / uneven))
    return norms


def calibration_line(log_odds: np.ndarray, truth: np.ndarray, weight: np.ndarray | None = None) -> tuple[float, float]:
    """Slope and intercept of truth on log odds by logistic regression (Cox 1958); 1 and 0 are perfect."""
    from sklearn.linear_model import LogisticRegression  # takes seconds to load

    line = LogisticRegression(C=1e6, max_iter=1000).fit(log_odds[:, None], truth, sample_weight=weight)
    return float(line.coef_[0, 0]), float(line.intercept_[0])


def reliability(probability: np.ndarray, truth: np.ndarray, weight: np.ndarray) -> list[tuple[float, float, int]]:
    """Mean probability, share of what is true, and number of boxes, in bins of a tenth that hold any;
    weighted but for the number.
    """
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
    drawn: int = DRAWN,
    kinds: tuple[str, ...] = (),
) -> Classifier:
    """Fit a classifier on healthy scans, one per subject.

    Args:
        files: the scans.
        model: what rebuilds.
        shapes: files of lesion masks to paint with.
        journal: file of what was measured so far; a run that was cut off goes on from it.
        progress: called with (scans done, scans in all, what); may raise to cancel.
        drawn: boxes to draw in every scan.
        kinds: see `measured_boxes`.
    Raises:
        InputError: a scan cannot be used, or too few can.
    """
    identity = _identity(model, seed, drawn, kinds)
    found = _journal(journal, identity, shapes)
    for number, file in enumerate(files):
        _measure(file, found, model, shapes, seed, drawn, kinds)
        if progress:
            progress(number + 1, len(files), file.name)
    usable = {subject: found.records[subject] for subject in map(_subject_of, files) if found.records[subject]}
    norms = fit_norms(list(usable.values()))
    boxes = [known_boxes(subject, around, norms) for subject, around in usable.items()]
    about = {"versions": {"RadiomicsPersona": __version__}} | identity | {"subjects": list(usable)}
    return fit_classifier(boxes, name, about, norms, seed=seed)


def measuring_time(
    files: list[Path],
    model: Model,
    shapes: tuple[Path, ...],
    journal: Path,
    seed: int = 0,
    progress: Progress | None = None,
    drawn: int = DRAWN,
    kinds: tuple[str, ...] = (),
) -> tuple[int, float]:
    """How many scans `calibrate` still has to measure, and how many seconds that will take; one of them is measured now,
    and kept.

    For the arguments and what is raised see `calibrate`.
    """
    found = _journal(journal, _identity(model, seed, drawn, kinds), shapes)
    left = [file for file in files if _subject_of(file) not in found.records]
    if not left:
        return 0, 0.0
    if progress:
        progress(0, 1, f"measuring {left[0].name}")
    started = time.monotonic()
    _measure(left[0], found, model, shapes, seed, drawn, kinds)
    return len(left) - 1, (time.monotonic() - started) * (len(left) - 1)


def _identity(model: Model, seed: int, drawn: int, kinds: tuple[str, ...]) -> dict:
    """What decides the boxes that are measured."""
    return {
        "model": {key: model.provenance()[key] for key in ("name", "sha256")},
        "head_models": installed_head_models(),
        "seed": seed,
        "sides_mm": list(SIDES),
        "contrast_shares": CONTRAST_SHARES,
        "brighter": BRIGHTER,
        "drawn": drawn,
        "painted_every": PAINTED_EVERY,
        **({"kinds": list(kinds)} if kinds else {}),
    }


def _journal(path: Path, identity: dict, shapes: tuple[Path, ...]) -> Journal:
    return Journal(path, identity | {"shapes": [name_of(file) for file in shapes], "metrics": list(METRICS)})


def _measure(
    file: Path, found: Journal, model: Model, shapes: tuple[Path, ...], seed: int, drawn: int, kinds: tuple[str, ...]
) -> None:
    """Measure a scan unless that was done."""
    subject = _subject_of(file)
    if subject not in found.records:
        # by the name, so that a scan gets the same boxes whichever others there are
        found.add(subject, measured_boxes(file, model, shapes, (seed, zlib.crc32(subject.encode())), drawn, kinds))


def _subject_of(file: Path) -> str:
    return f"{file.parent.name}/{name_of(file)}"


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
    x, y, weight = (
        np.concatenate([feature_of(b.scores) for b in boxes]),
        np.concatenate([b.sick for b in boxes]),
        _weights(boxes),
    )

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
