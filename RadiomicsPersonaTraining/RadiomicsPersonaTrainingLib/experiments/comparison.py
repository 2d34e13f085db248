"""Comparison: candidates fitted on the same steps, and measured in the same holes of the same subjects."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from RadiomicsPersonaLib.brain.preparation import PreparedScan
from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.geometry.hole import Hole
from RadiomicsPersonaLib.reconstruction.reconstruction import Reconstruction, rebuild
from RadiomicsPersonaLib.reconstruction.reconstruction_model import NetworkModel

from ..data.card_subjects import of_scans
from ..data.held_out import HeldOutScan
from ..data.held_out_groups import SOURCE as SYNTHETIC
from ..data.held_out_groups import held_out_scans
from ..data.lesion_shapes import is_for_evaluation
from ..data.split import ListedScan, scan_files
from ..evaluation.rebuilding import EvaluationPlan, Rebuilder, evaluate, standard_rebuilders
from ..evaluation.scores import HoleScore
from ..export.export import model_of, weights_of
from ..fitting.loop import fit
from ..fitting.run_setup import work_of
from ..runs.record import RunRecord, begin, read_record
from ..runs.state import BEST, LAST
from .candidates import Candidate

Progress = Callable[[int, int, str], None]
HEALTHY = "healthy scans"
"""The group of the real scans, from all collections."""


@dataclass(frozen=True, eq=False)
class Fitted:
    """A candidate after its steps.

    Attributes:
        folder: of its run.
        steps: how many it took.
        model: of its best checkpoint.
    """

    name: str
    folder: Path
    steps: int
    model: NetworkModel


def fit_candidates(
    candidates: list[Candidate],
    rows: list[ListedScan],
    lesion_masks: Path | None,
    cache: Path,
    folder: Path,
    progress: Progress | None = None,
    say: Callable[[str], None] = print,
) -> list[Fitted]:
    """Fit candidates one after another, each in a folder of its name.

    What is finished is left alone, and what was cut off goes on from the end of its last epoch.

    Args:
        rows, lesion_masks, cache: as for `run_setup.work_of`.
        folder: of all runs.
        say: takes sentences for the user.
    Raises:
        InputError: a run in the folder was begun with other settings, or a fit cannot go on.
    """
    for candidate in candidates:
        _begin(candidate, rows, folder / candidate.name)
    fitted = []
    for number, candidate in enumerate(candidates, start=1):
        run, fits = folder / candidate.name, candidate.settings.fit
        done = _steps_of(run)
        if done < fits.steps:
            say(f"Candidate {number} of {len(candidates)}: {candidate.name}" + (f", from step {done}" if done else ""))
            work = work_of(candidate.settings, rows, lesion_masks, cache, progress)
            for sentence in work.told:
                say(sentence)
            fit(work, fits, run, resume=done > 0)
        fitted.append(Fitted(candidate.name, run, _steps_of(run), model_of(run / BEST)))
    return fitted


def measure(
    fitted: list[Fitted],
    root: Path,
    part: str,
    output: Path,
    subjects: int | None = None,
    boxes: int = 1,
    seed: int = 0,
    progress: Progress | None = None,
) -> tuple[EvaluationPlan, list[HoleScore]]:
    """Rebuild the same holes with every candidate, with what can be had from them for nothing, and with the simple fills.

    Args:
        root: folder with the split's scans and, where there are some, label_maps/ and lesion_masks/.
        part: of the split: validation or test.
        output: the rows are kept in a folder of this comparison in it, from which a run that was cut off goes on.
        subjects: at most this many of every collection.
        boxes: per subject and stratum.
        seed: of the holes.
    Raises:
        InputError: none of the part's scans is beneath the folder.
    """
    identity = {"part": part, "candidates": {each.name: each.model.card["sha256"] for each in fitted}}
    plan = EvaluationPlan(
        rebuilders=standard_rebuilders(None) | networks_of(fitted),
        scans=tuple(_held_out(root, fitted[0].model.card, part, subjects)),
        lesion_masks=tuple(file for file in sorted(scan_files(root / "lesion_masks")) if is_for_evaluation(file)),
        boxes_per_stratum=boxes,
        seed=seed,
        identity=identity,
    )
    name = hashlib.sha256(json.dumps([identity, seed]).encode()).hexdigest()[:8]
    return plan, evaluate(plan, output / f"holes-{name}", progress)


def networks_of(fitted: list[Fitted]) -> dict[str, Rebuilder]:
    """The candidates by name, then the first one used otherwise, and averaged with the second."""
    networks: dict[str, Rebuilder] = {each.name: partial(rebuild, model=each.model) for each in fitted}
    first, *others = fitted
    last_step = model_of(first.folder / LAST, averaged=False)
    more = {
        f"{first.name}, mirrored side hidden": partial(rebuild, model=first.model, use_mirror=False),
        f"{first.name}, averaged over a flip": partial(rebuild, model=_averaged_over_a_flip(first.model)),
        f"{first.name}, weights of the last step": partial(rebuild, model=last_step),
    }
    if others:
        more[f"{first.name} and {others[0].name}, averaged"] = partial(
            _mean, members=(networks[first.name], networks[others[0].name])
        )
    return networks | more


def _begin(candidate: Candidate, rows: list[ListedScan], run: Path) -> None:
    begun = (run / LAST).is_file()
    if begun and read_record(run).settings.fit.steps != candidate.settings.fit.steps:
        raise InputError(
            f"The run in '{run}' was begun for another number of steps, which set its learning rate: choose another --output."
        )
    begin(run, RunRecord(candidate.settings, tuple(rows)), resume=begun)


def _steps_of(run: Path) -> int:
    return weights_of(run / LAST, read_record(run))[1] if (run / LAST).is_file() else 0


def _held_out(root: Path, card: dict, part: str, most: int | None) -> list[HeldOutScan]:
    """The real scans of the part as one group, and heads of label maps that no candidate saw."""
    real = {entry["name"] for entry in of_scans(card)}
    scans = [
        replace(scan, group=HEALTHY, subject=f"{scan.group} {scan.subject}") if scan.group in real else scan
        for scan in held_out_scans(root, card, most=most, part=part)
        if scan.group in real or scan.group.startswith(f"{SYNTHETIC} ")
    ]
    if not scans:
        raise InputError(
            f"'{root}' holds no scan of the split's part '{part}': give the folder of the split's scans with --data."
        )
    return scans


def _averaged_over_a_flip(model: NetworkModel) -> NetworkModel:
    """The model that takes the mean of what is rebuilt from a patch and from the patch with left and right exchanged."""

    def predict(image: np.ndarray, mirror: np.ndarray, window=None) -> np.ndarray:
        exchanged = model.predict(image[:, :, ::-1].copy(), mirror[:, :, ::-1].copy())
        return (model.predict(image, mirror) + exchanged[:, ::-1]) / 2

    twin = copy.copy(model)
    twin.predict = predict
    return twin


def _mean(prepared: PreparedScan, holes: list[Hole], members: tuple[Rebuilder, ...]) -> list[Reconstruction]:
    rebuilt = zip(*(member(prepared, holes) for member in members))
    return [replace(several[0], values=np.mean([one.values for one in several], axis=0)) for several in rebuilt]
