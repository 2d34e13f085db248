"""Own boxes: what a site knows to be healthy or pathological, as the verdict's classifier is fitted on it.

Every box is given to the analysis as a user would give it. A pathological box is held against its healthy boxes, and each of
these, being healthy tissue of the same scan, against the others: the same as with painted lesions (see `calibration`). Norms
and reference are those of the shipped classifier, for few sites have the hundreds of healthy boxes that they take.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from RadiomicsPersonaLib import __version__
from RadiomicsPersonaLib.analysis.analysis import analyze
from RadiomicsPersonaLib.analysis.classifier import Classifier, load_classifier
from RadiomicsPersonaLib.defaults import USUAL_CONTROLS
from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.geometry.hole import hole_of_box
from RadiomicsPersonaLib.imaging.files import read_scan, sha256_of
from RadiomicsPersonaLib.metrics.metric import METRICS
from RadiomicsPersonaLib.networks.head_model import installed_head_models
from RadiomicsPersonaLib.reconstruction.reconstruction_model import Model

from ..runs.journal import Journal, metrics_from
from .calibration import LEAST_SUBJECTS, KnownBoxes, Progress, fit_classifier
from .own_box_list import OwnBox


def refuse_unmeasurable(boxes: list[OwnBox]) -> None:
    """Refuse, before anything is measured, boxes that lie outside their scans, and too few of them.

    Raises:
        InputError: a scan or a box cannot be used, or too few subjects have a pathological box.
    """
    sick = len({box.subject for box in boxes if box.sick})
    if sick < LEAST_SUBJECTS:
        raise InputError(
            f"Of {sick} {'subject' if sick == 1 else 'subjects'} a box is pathological, and at least {LEAST_SUBJECTS} subjects "
            "are needed: list boxes of more."
        )
    for file in dict.fromkeys(box.scan for box in boxes):
        scan = read_scan(file)
        for own in boxes:
            if own.scan == file:
                try:
                    hole_of_box(scan, own.box)
                except InputError as error:
                    raise InputError(f"{own.line[0].upper()}{own.line[1:]}: {error}" if own.line else str(error)) from error


def calibrate_on_own(
    boxes: list[OwnBox], model: Model, name: str, journal: Path, seed: int = 0, progress: Progress | None = None
) -> Classifier:
    """Fit a classifier on a site's own boxes.

    Args:
        model: what rebuilds.
        journal: file of what was measured so far; a run that was cut off goes on from it.
        progress: called with (done, in all, what), in hundredths of a scan; may raise to cancel.
    Raises:
        InputError: a scan or a box cannot be used, or too few subjects have a pathological box.
    """
    identity = {
        "model": {key: model.provenance()[key] for key in ("name", "sha256")},
        "head_models": installed_head_models(),
        "seed": seed,
        "controls": USUAL_CONTROLS,
        "metrics": list(METRICS),
    }
    found, subjects, shipped = Journal(journal, identity), {}, load_classifier()
    scans = list(dict.fromkeys(box.scan for box in boxes))
    for number, scan in enumerate(scans, start=1):
        own = [box for box in boxes if box.scan == scan]
        # by the content of the scan and the boxes' places, so that a box that was moved is measured anew
        places = [
            [*np.round(b.box.center, 2).tolist(), *np.round(b.box.size, 2).tolist(), *np.round(b.box.axes, 4).ravel().tolist()]
            for b in own
        ]
        key = f"{sha256_of(scan)} {places}"
        if not found.holds(key):
            found.add(key, _measured(own, scan, model, seed, _part_of(progress, number - 1, len(scans), scan.name)))
        for box, measured in zip(own, found.records[key]):
            subjects.setdefault(box.subject, []).append(_rows(box, measured, shipped))
        if progress:
            progress(100 * number, 100 * len(scans), scan.name)
    known = [KnownBoxes(subject, *(np.concatenate(part) for part in zip(*rows))) for subject, rows in subjects.items()]
    about = {"versions": {"RadiomicsPersona": __version__}, "what": "boxes of a site's own"} | identity
    about |= {"subjects": len(known), "own_boxes": len(boxes), "norms_and_reference_of": shipped.provenance()}
    return fit_classifier(known, name, about, shipped.norms, shipped.reference, seed)


def _measured(own: list[OwnBox], scan: Path, model: Model, seed: int, progress: Progress | None) -> list[dict]:
    """The metrics of every box of a scan and of its healthy boxes, none of which touches a box of the site's."""
    boxes = [box.box for box in own]
    analysis = analyze(read_scan(scan), boxes, model, USUAL_CONTROLS, seed=seed, progress=progress, look_twice=False)
    return [
        {"metrics": result.metrics, "controls": [control.metrics for control in result.controls]} for result in analysis.boxes
    ]


def _rows(own: OwnBox, measured: dict, shipped: Classifier) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scores (boxes, scores), truth (boxes,) and millilitres (boxes,) of a box and of its healthy boxes."""
    box, controls = metrics_from(measured["metrics"]), [metrics_from(metrics) for metrics in measured["controls"]]
    scores = np.concatenate([shipped.scores_of([box, *controls])[:1], shipped.scores_of(controls)])
    volumes = [metrics["brain_volume"] for metrics in (box, *controls)]
    return scores, np.array([own.sick] + [False] * len(controls)), np.array(volumes, float)


def _part_of(progress: Progress | None, done: int, total: int, name: str) -> Callable[[int, int, str], None] | None:
    """Progress of one scan as a part of all, in hundredths of a scan; it never goes back when more is found to do."""
    if progress is None:
        return None
    reached = 100 * done

    def tell(part: int, parts: int, what: str) -> None:
        nonlocal reached
        reached = max(reached, 100 * done + 100 * part // max(parts, 1))
        progress(reached, 100 * total, f"{name}: {what}")

    return tell
