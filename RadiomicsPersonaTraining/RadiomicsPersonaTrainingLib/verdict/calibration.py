"""Calibration: fits the verdict's classifier on boxes whose truth is known, and says how well it does on other subjects.

Every healthy scan is looked at as it is and as it might look in another contrast. Boxes of all sizes are placed in it as an
analysis places its controls, rebuilt and measured: they are what healthy boxes look like, and the reference that p ranks among.
Lesions are painted into the scan, and boxes are drawn around them tight, loose and shifted, as people draw them.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy.optimize import least_squares, minimize
from scipy.special import expit

from RadiomicsPersonaLib import __version__
from RadiomicsPersonaLib.analysis.classifier import (
    ALONE,
    FEATURES,
    Classifier,
    at_least_alone,
    features_of,
    make_classifier,
)
from RadiomicsPersonaLib.analysis.control import PlacedControl, mirror_is_healthy, place_controls
from RadiomicsPersonaLib.analysis.reference import Reference
from RadiomicsPersonaLib.analysis.score import SCORES, Norm, make_up_of, raw_scores, standard_scores
from RadiomicsPersonaLib.brain.preparation import PreparedScan, prepare
from RadiomicsPersonaLib.brain.tissue import estimate_tissue
from RadiomicsPersonaLib.defaults import USUAL_CONTROLS, USUAL_THRESHOLDS
from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.geometry.box import Box
from RadiomicsPersonaLib.geometry.hole import Hole, hole_of_box
from RadiomicsPersonaLib.geometry.markups import boxes_from_label_map
from RadiomicsPersonaLib.imaging.files import name_of, read_scan
from RadiomicsPersonaLib.imaging.scan import Scan
from RadiomicsPersonaLib.lesions.painter import paint_lesion
from RadiomicsPersonaLib.metrics.measurement import metrics_of, usual_range
from RadiomicsPersonaLib.metrics.metric import MAKE_UP, METRICS
from RadiomicsPersonaLib.networks.head_model import installed_head_models
from RadiomicsPersonaLib.reconstruction.reconstruction import rebuild
from RadiomicsPersonaLib.reconstruction.reconstruction_model import Model

from ..runs.journal import Journal, metrics_from
from ..samples.random_holes import random_box
from ..synthesis.tissue_contrast import as_contrast
from .cases import drawn_boxes
from .painted_lesion import BRIGHTER, lesion_in_box, painted

SIDES = (10.0, 60.0)
"""Shortest and longest side of tight boxes around painted lesions, millimetres."""
OTHER_CONTRASTS = {"FLAIR": 2 / 3, "T2": 1 / 3}
"""How often a scan is looked at as it might look in another contrast, after it was looked at as it is."""
LOOKS = 2
"""How often every scan is looked at usually."""
PAINTED = 2
"""Lesions that are painted for every look, one at a time."""
DRAWN = 3
"""Boxes around every lesion: a tight one, and others of `cases.drawn_boxes`."""
LARGE, LARGE_SIDES, LARGE_BRAIN = 3, (60.0, 140.0), 0.5
"""Boxes of up to most of a hemisphere in every look, their shortest and longest side, millimetres, and the share that is brain
at least: larger than healthy boxes that serve as controls."""
LEAST_EDGE = 8.0
"""Millimetres; nobody draws a smaller box around a small lesion."""
ANY = "any"
"""Instead of a kind of lesion: one of random brightness and texture."""
STRENGTH = (0.7, 2.0)
"""Of lesions painted by kind, log-uniform; 1 is a usual one. With fainter ones (0.3 to 2) the probabilities of real patients
were too near one half: the slope of their log odds was 1.84."""
LEAST_SUBJECTS = 4
LEAST_CONTROLS = 8
"""Healthy boxes of a look from which its own median and MAD can be told."""
LEVEL = USUAL_THRESHOLDS["p"]
"""Share of healthy boxes that may be called abnormal."""
PULLS = (0.0, 10.0, 30.0, 100.0, 300.0)
"""Strengths tried of the pull of the coefficients towards each other; a stronger one calls fewer painted lesions."""
SHARE_ALONE = 0.25
"""Share of the level that the score that may call a box on its own gets; all scores together get the rest."""
TAILS_ALONE = (0.004, 0.03)
"""Shares of healthy boxes that lie above where its line is laid."""
_FOLDS = 5

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True, eq=False)
class KnownBoxes:
    """Boxes of one subject whose truth is known.

    Attributes:
        subject: its folder's and its file's name.
        scores: robust standard scores, shape (boxes, scores).
        sick: boolean, shape (boxes,).
        volumes: millilitres, shape (boxes,).
    """

    subject: str
    scores: np.ndarray
    sick: np.ndarray
    volumes: np.ndarray


def measured_boxes(
    file: Path, model: Model, shapes: tuple[Path, ...], seed: tuple[int, ...], looks: int = LOOKS, kinds: tuple[str, ...] = ()
) -> list[dict]:
    """The metrics of healthy boxes and of boxes around painted lesions of one healthy scan, one entry for every look.

    Args:
        file: the scan.
        shapes: files of lesion masks.
        looks: at the scan as it is and, from the second on, as it might look in another contrast.
        kinds: of lesions, drawn for each, as `RadiomicsPersonaLib.lesions.painter` paints them, or `ANY`;
            empty for `ANY` alone.
    Returns:
        Of every look: "contrast"; "healthy", metrics of the healthy boxes; "painted", of every box around a lesion "kind" and
        "strength" of the lesion, "box", how it is drawn, "metrics", and "apart", the numbers of the healthy boxes that it does
        not touch; "large", "metrics" and "apart" of healthy boxes that are larger than these.
    Raises:
        InputError: the scan cannot be used.
    """
    scan = read_scan(file)
    tissue = estimate_tissue(scan)
    found = []
    for number in range(looks):
        rng = np.random.default_rng((*seed, number))
        contrast = "T1" if number == 0 else str(rng.choice(list(OTHER_CONTRASTS), p=list(OTHER_CONTRASTS.values())))
        found.append(_look(as_contrast(scan, tissue, contrast, rng) if number else scan, contrast, model, shapes, rng, kinds))
    return found


def _look(scan: Scan, contrast: str, model: Model, shapes: tuple[Path, ...], rng: np.random.Generator, kinds) -> dict:
    """One entry of `measured_boxes`."""
    prepared = prepare(scan, [])
    model = model.for_scan(prepared)
    limits = usual_range(prepared)
    placed = place_controls(prepared, USUAL_CONTROLS, int(rng.integers(2**31)), clean=False)
    hiding = prepared.hiding_marked()
    rebuilt = rebuild(hiding, [control.hole for control in placed], model)
    healthy = [metrics_of(hiding, r, model, limits) for r in rebuilt]
    lesions: list[dict] = []
    for _ in range(PAINTED):
        side = float(np.exp(rng.uniform(*np.log(SIDES))))
        around = random_box(scan, prepared.tissue, rng, (0.8 * side, 1.25 * side))
        lesion = around and lesion_in_box(scan, around, shapes, rng)
        if not lesion:
            continue
        array, kind, strength = _painted(prepared, lesion, contrast, rng, model, kinds)
        sick = Scan(array, scan.affine, scan.name)
        whole = replace(prepared, scan=sick)
        inside = boxes_from_label_map(lesion.full_mask(scan.shape).astype(np.uint8), scan.affine, min_voxels=1)
        largest = max(inside, key=lambda box: box.volume_ml)
        boxes = drawn_boxes(Box(largest.center, np.maximum(largest.size, LEAST_EDGE), largest.axes), rng)
        others = rng.choice(list(boxes)[1:], DRAWN - 1, replace=False).tolist()
        for drawn in (next(iter(boxes)), *others):
            hole = hole_of_box(scan, boxes[drawn])
            found = _measured(replace(whole, suspects=hole), whole, boxes[drawn], hole, placed, model, limits)
            lesions.append({"kind": kind, "strength": strength, "box": drawn} | found)
    large = []
    for _ in range(LARGE):
        box = random_box(scan, prepared.tissue, rng, LARGE_SIDES, brain_share=LARGE_BRAIN)
        if box is None:
            continue
        hole = hole_of_box(scan, box)
        try:
            blind = prepare(scan, [hole])  # for much of what the brain is told by is hidden
        except InputError:
            continue
        large.append(_measured(blind, prepared, box, hole, placed, model, limits))
    return {"contrast": contrast, "healthy": healthy, "painted": lesions, "large": large}


def _measured(
    blind: PreparedScan, whole: PreparedScan, box: Box, hole: Hole, placed: list[PlacedControl], model: Model, limits
) -> dict:
    """The metrics of a box, and the numbers of the healthy boxes that it does not touch.

    Args:
        blind: the scan without the box; `whole`, with it, lends its maps.
    """
    blind.take_maps_of(whole)
    use_mirror = mirror_is_healthy(blind, box)
    blind = blind.hiding_marked()
    [persona] = rebuild(blind, [hole], model, use_mirror)
    return {
        "metrics": metrics_of(blind, persona, model, limits, use_mirror),
        "apart": [number for number, control in enumerate(placed) if not control.hole.touches(hole)],
    }


def _painted(
    prepared: PreparedScan, lesion: Hole, contrast: str, rng: np.random.Generator, model: Model, kinds
) -> tuple[np.ndarray, str, float | None]:
    """The scan's array with a lesion painted into it, the lesion's kind, and its strength where it was painted by kind."""
    scan, kind = prepared.scan, str(rng.choice(kinds or (ANY,)))
    if kind != ANY:
        strength = float(np.exp(rng.uniform(*np.log(STRENGTH))))
        found = paint_lesion(scan, lesion, kind, contrast, rng, strength=strength, prepared=prepared, model=model)
        return found.values, kind, strength
    region = lesion.grown(scan.shape, 8)
    array = scan.array.copy()
    array[region.region] = painted(
        scan.array[region.region], region.mask, scan.spacing, prepared.tissue.scale, contrast, rng
    ).astype(array.dtype)
    return array, kind, None


def known_boxes(subject: str, found: list[dict], norms: dict[str, Norm], large: bool = False) -> KnownBoxes:
    """What `measured_boxes` found: every healthy box held against all others of its look, and every large one and lesion's
    against those that it does not touch.

    Args:
        large: whether the large ones are among them. They are for the reference, not for the fit: no lesion was painted as
            large, so that the fit would learn from them that what is large is healthy.
    """
    scores, sick, volumes = [], [], []
    for look in found:
        healthy = [metrics_from(m) for m in look["healthy"]]
        scores += list(standard_scores(healthy, norms))
        others = [*(look["large"] if large else ()), *look["painted"]]
        measured = [metrics_from(entry["metrics"]) for entry in others]
        for metrics, entry in zip(measured, others):
            scores.append(standard_scores([metrics, *(healthy[n] for n in entry["apart"])], norms)[0])
        sick += (len(healthy) + len(others) - len(look["painted"])) * [False] + len(look["painted"]) * [True]
        volumes += [metrics["brain_volume"] for metrics in (*healthy, *measured)]
    return KnownBoxes(subject, np.array(scores).reshape(-1, len(SCORES)), np.array(sick, bool), np.array(volumes, float))


def reference_of(boxes: list[KnownBoxes]) -> Reference:
    """The healthy boxes of all subjects."""
    scores, volumes = (np.concatenate([getattr(b, name)[~b.sick] for b in boxes]) for name in ("scores", "volumes"))
    return Reference(scores.astype(np.float32), np.round(volumes, 3), len(boxes))


def fit_classifier(
    boxes: list[KnownBoxes],
    name: str,
    about: dict,
    norms: dict[str, Norm] | None = None,
    reference: Reference | None = None,
    seed: int = 0,
) -> Classifier:
    """Logistic regression in which every subject, and within it either truth, has the same weight.

    Painted lesions are not real ones. The coefficients are therefore pulled towards each other, for equal weights hold up best
    where the cases are not those of the fit (Dawes 1979), and as strongly as predictions for subjects that were left out allow
    within one standard error of the best (Breiman et al. 1984). Then one score gets a line of its own, see `Classifier`. The
    log odds are recalibrated by the line that fits those predictions (Cox 1958).

    Args:
        norms: with which the scores were standardised.
        reference: see `Classifier`; the healthy boxes themselves where it is not given.
    Raises:
        InputError: too few subjects, or only one truth.
    """
    boxes = [b for b in boxes if b.sick.any() and not b.sick.all()]
    if len(boxes) < LEAST_SUBJECTS:
        raise InputError(
            f"Of {len(boxes)} subjects there are boxes of both kinds, and at least {LEAST_SUBJECTS} subjects are needed: give "
            "scans of more."
        )
    from sklearn.metrics import roc_auc_score  # takes seconds to load

    folds = np.random.default_rng(seed).permutation(len(boxes)) % min(_FOLDS, len(boxes))
    tried = {pull: _left_out(boxes, folds, pull) for pull in PULLS}
    areas = {pull: np.array([roc_auc_score(b.sick, o) for b, o in zip(boxes, found)]) for pull, found in tried.items()}
    best = max(areas.values(), key=np.mean)
    enough = best.mean() - best.std(ddof=1) / np.sqrt(len(boxes))
    pull = max(pull for pull, area in areas.items() if area.mean() >= enough)
    left_out = _left_out(boxes, folds, pull, with_alone=True)
    odds, truth, weight = np.concatenate(left_out), np.concatenate([b.sick for b in boxes]), _weights(boxes)
    slope, intercept = calibration_line(odds, truth, weight)
    final = _with_alone(_regression(boxes, pull), boxes)
    probability = expit(slope * odds + intercept)
    measured = {
        "what": "predictions for subjects that were left out; the slope is that of the log odds before they were recalibrated",
        "subjects": len(boxes),
        "boxes": int(len(truth)),
        "lesions": int(truth.sum()),
        "pull_towards_equal_coefficients": pull,
        "auroc_mean_over_subjects": float(np.mean([roc_auc_score(b.sick, o) for b, o in zip(boxes, left_out)])),
        "auroc_by_pull": {f"{tried_pull:g}": round(float(area.mean()), 4) for tried_pull, area in areas.items()},
        "brier": float(np.average((probability - truth) ** 2, weights=weight)),
        "slope": slope,
        "reliability": reliability(probability, truth, weight),
    }
    about = about | {"cross_validation": measured}
    coefficients = slope * final.coefficients
    reference = reference or reference_of(boxes)
    alone = final.alone and (slope * final.alone[0] + intercept, slope * final.alone[1])
    return make_classifier(name, FEATURES, coefficients, slope * final.intercept + intercept, about, norms, reference, alone)


def fit_norms(found: list[list[dict]]) -> dict[str, Norm]:
    """What is usual in healthy boxes, by score.

    Args:
        found: by subject, from `measured_boxes`.
    Source: robust regression on the boxes' make-up (Cauchy loss); variance components by moments, from medians and MADs; see
        `Norm`.
    """
    looks = [[metrics_from(m) for m in look["healthy"]] for subject in found for look in subject]
    raw = [np.array([raw_scores(metrics) for metrics in look]).reshape(-1, len(SCORES)) for look in looks]
    kinds = [np.array([make_up_of(metrics) for metrics in look]).reshape(-1, len(MAKE_UP)) for look in looks]
    large = [metrics_from(entry["metrics"]) for subject in found for look in subject for entry in look["large"]]
    large_scores = np.array([raw_scores(metrics) for metrics in large]).reshape(-1, len(SCORES))
    large_kinds = np.array([make_up_of(metrics) for metrics in large]).reshape(-1, len(MAKE_UP))
    norms = {}
    for column, key in enumerate(SCORES):
        known = [np.isfinite(scores[:, column]) for scores in raw]
        values = [scores[k, column] for scores, k in zip(raw, known)]
        kept = [number for number, these in enumerate(values) if len(these) >= LEAST_CONTROLS]
        if len(kept) < LEAST_SUBJECTS:
            continue
        made = [kinds[n][known[n]] for n in kept]
        there = np.isfinite(large_scores[:, column])
        line = _robust_line(
            np.concatenate([*made, large_kinds[there]]),
            np.concatenate([*(values[n] for n in kept), large_scores[there, column]]),
        )
        off = [values[n] - line[0] - m @ line[1:] for n, m in zip(kept, made)]
        counts = np.array([len(o) for o in off])
        middles = np.array([np.median(o) for o in off])
        spreads = np.array([1.4826 * np.median(np.abs(o - np.median(o))) for o in off])
        if not (spreads > 0).all():
            continue
        spread = float(np.sqrt(np.median(spreads**2)))
        # a median of n varies by pi/2 of what a mean does, a MAD by as much as the SD of 0.37 n values
        between = np.sqrt(max(np.var(middles) - np.pi / 2 * np.mean(spreads**2 / counts), (0.1 * spread) ** 2))
        uneven = max(np.var(np.log(spreads**2)) - np.mean(2 / (0.37 * counts)), 0.05)
        norms[key] = Norm(float(line[0]), tuple(map(float, line[1:])), spread, float(between), float(2 / uneven))
    return norms


def _robust_line(kinds: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Intercept and slopes of values (n,) on make-ups (n, k), shape (1 + k,)."""
    design = np.column_stack([np.ones(len(values)), kinds])
    start = np.linalg.lstsq(design, values, rcond=None)[0]
    scale = max(1.4826 * float(np.median(np.abs(values - design @ start))), 1e-9)
    return least_squares(lambda line: values - design @ line, start, loss="cauchy", f_scale=2 * scale).x


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
    looks: int = LOOKS,
    kinds: tuple[str, ...] = (),
) -> Classifier:
    """Fit a classifier on healthy scans, one per subject.

    Args:
        files: the scans.
        model: what rebuilds.
        shapes: files of lesion masks to paint with.
        journal: file of what was measured so far; a run that was cut off goes on from it.
        progress: called with (scans done, scans in all, what); may raise to cancel.
        looks: how often every scan is looked at, see `measured_boxes`.
        kinds: see `measured_boxes`.
    Raises:
        InputError: a scan cannot be used, or too few can.
    """
    identity = _identity(model, seed, looks, kinds)
    found = _journal(journal, identity, shapes)
    for number, file in enumerate(files):
        _measure(file, found, model, shapes, seed, looks, kinds)
        if progress:
            progress(number + 1, len(files), file.name)
    usable = {subject: found.records[subject] for subject in map(subject_of_scan, files) if found.records[subject]}
    norms = fit_norms(list(usable.values()))
    boxes = [known_boxes(subject, around, norms) for subject, around in usable.items()]
    about = {"versions": {"RadiomicsPersona": __version__}} | identity | {"subjects": list(usable)}
    reference = reference_of([known_boxes(subject, around, norms, large=True) for subject, around in usable.items()])
    return fit_classifier(boxes, name, about, norms, reference, seed)


def measuring_time(
    files: list[Path],
    model: Model,
    shapes: tuple[Path, ...],
    journal: Path,
    seed: int = 0,
    progress: Progress | None = None,
    looks: int = LOOKS,
    kinds: tuple[str, ...] = (),
) -> tuple[int, float]:
    """How many scans `calibrate` still has to measure, and how many seconds that will take; one of them is measured now,
    and kept.

    For the arguments and what is raised see `calibrate`.
    """
    found = _journal(journal, _identity(model, seed, looks, kinds), shapes)
    left = [file for file in files if not found.holds(subject_of_scan(file), [file, *shapes])]
    if not left:
        return 0, 0.0
    if progress:
        progress(0, 1, f"measuring {left[0].name}")
    started = time.monotonic()
    _measure(left[0], found, model, shapes, seed, looks, kinds)
    return len(left) - 1, (time.monotonic() - started) * (len(left) - 1)


def _identity(model: Model, seed: int, looks: int, kinds: tuple[str, ...]) -> dict:
    """What decides the boxes that are measured."""
    return {
        "model": {key: model.provenance()[key] for key in ("name", "sha256")},
        "head_models": installed_head_models(),
        "seed": seed,
        "sides_mm": list(SIDES),
        "other_contrasts": OTHER_CONTRASTS,
        "brighter": BRIGHTER,
        "looks": looks,
        "painted": PAINTED,
        "drawn": DRAWN,
        "large": [LARGE, *LARGE_SIDES],
        "controls": USUAL_CONTROLS,
        **({"kinds": list(kinds)} if kinds else {}),
    }


def _journal(path: Path, identity: dict, shapes: tuple[Path, ...]) -> Journal:
    return Journal(path, identity | {"shapes": [name_of(file) for file in shapes], "metrics": list(METRICS)})


def _measure(
    file: Path, found: Journal, model: Model, shapes: tuple[Path, ...], seed: int, looks: int, kinds: tuple[str, ...]
) -> None:
    """Measure a scan unless that was done."""
    subject = subject_of_scan(file)
    if not found.holds(subject, [file, *shapes]):
        # by the name, so that a scan gets the same boxes whichever others there are
        measured = measured_boxes(file, model, shapes, (seed, zlib.crc32(subject.encode())), looks, kinds)
        found.add(subject, measured, [file, *shapes])


def subject_of_scan(file: Path) -> str:
    """What a healthy scan's subject is called: by its folder's and its file's name."""
    return f"{file.parent.name}/{name_of(file)}"


@dataclass(frozen=True)
class _Line:
    """Log odds = features @ coefficients + intercept, and no less than the line of the score that may speak alone."""

    coefficients: np.ndarray
    intercept: float
    alone: tuple[float, float] | None = None

    def log_odds(self, boxes: KnownBoxes) -> np.ndarray:
        return at_least_alone(features_of(boxes.scores) @ self.coefficients + self.intercept, boxes.scores, self.alone)


def _left_out(boxes: list[KnownBoxes], folds: np.ndarray, pull: float, with_alone: bool = False) -> list[np.ndarray]:
    """Log odds of every subject's boxes from a regression on the other folds' subjects."""
    lines = []
    for fold in range(folds.max() + 1):
        others = [b for b, f in zip(boxes, folds) if f != fold]
        line = _regression(others, pull)
        lines.append(_with_alone(line, others) if with_alone else line)
    return [lines[fold].log_odds(b) for b, fold in zip(boxes, folds)]


def _regression(boxes: list[KnownBoxes], pull: float) -> _Line:
    """Logistic regression with a ridge of 1, a penalty on coefficients that differ from their mean, and none below 0.

    Free coefficients separate painted lesions a little better, but learn how lesions were painted: an unusual gradient or
    SSIM then speaks for health, which nobody could defend.
    """
    x, y, weight = (
        np.concatenate([features_of(b.scores) for b in boxes]),
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


def _with_alone(line: _Line, boxes: list[KnownBoxes]) -> _Line:
    """The line with one for the score `ALONE`, on which that is as rare among healthy boxes as log odds are that call the rest
    of the level; without it where that score is not known or does not vary.
    """
    odds = np.concatenate([line.log_odds(b)[~b.sick] for b in boxes])
    said = np.concatenate([b.scores[~b.sick, list(SCORES).index(ALONE)] for b in boxes])
    tails = np.geomspace(*TAILS_ALONE, 24)
    own = np.quantile(said[np.isfinite(said)], 1 - tails) if np.isfinite(said).any() else np.zeros(len(tails))
    if np.ptp(own) < 1e-6:
        return line
    slope, intercept = np.polyfit(own, np.quantile(odds, 1 - tails * (1 - SHARE_ALONE) / SHARE_ALONE), 1)
    return replace(line, alone=(float(intercept), float(slope))) if slope > 0 else line


def _weights(boxes: list[KnownBoxes]) -> np.ndarray:
    """One per box: either truth of every subject weighs half of its mean number of boxes."""
    mean = np.mean([len(b.sick) for b in boxes])
    return np.concatenate([mean / 2 / np.where(b.sick, b.sick.sum(), (~b.sick).sum()) for b in boxes])
