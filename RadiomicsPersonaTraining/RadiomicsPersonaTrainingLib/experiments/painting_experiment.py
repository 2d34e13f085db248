"""Painting experiment: what painted lesions are worth to a network that segments real ones.

The same network is fitted for the same number of steps on a few real patients alone, on them and as many samples of painted
heads, with masks of every kind, and on more real patients instead; each is measured on patients that none of them saw. Who is
who changes with the seed. The networks are made to be measured and thrown away: some of the patients' terms allow nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.imaging.files import read_label_map, read_scan
from RadiomicsPersonaLib.segmentation.segmentation import segment
from RadiomicsPersonaLib.segmentation.segmentation_model import SegmentationModel

from ..data.held_out_groups import held_out_scans
from ..data.split import TRAINING, VALIDATION, ListedScan
from ..export.export import weights_of
from ..fitting.loop import fit
from ..fitting.run_setup import work_of
from ..head_evaluation.lesion_detection import Detection, detect
from ..head_evaluation.segmentation import agreement
from ..inspection.held_out_run import HeldOutRun
from ..runs.journal import Journal
from ..runs.record import RunRecord, begin
from ..runs.state import LAST
from .painting_cases import PAINTED, REAL, ExperimentCase, real_case
from .painting_settings import Arm, ExperimentPlan, settings_of

Progress = Callable[[int, int, str], None]
DISEASES = {"LGG": "glioma", "BraTS": "glioma", "MS": "multiple sclerosis"}
"""Of the patients of a source."""


@dataclass(frozen=True)
class People:
    """Who is what under one seed.

    Attributes:
        few, more: real patients that train; `more` holds `few`.
        validation: one who is watched while training; nothing is chosen by it.
        test: whom no network of this seed saw.
    """

    few: tuple[ExperimentCase, ...]
    more: tuple[ExperimentCase, ...]
    validation: ExperimentCase
    test: tuple[ExperimentCase, ...]


@dataclass(frozen=True, eq=False)
class MeasuredPatient:
    """One test patient under one arm and seed.

    Attributes:
        group: the patient's disease, see `DISEASES`.
        dice, coverage: at a probability of one half; the coverage is the share of the lesion's voxels that are found.
        detection: counts of lesions.
    """

    arm: str
    seed: int
    group: str
    subject: str
    dice: float
    coverage: float
    detection: Detection


def patients_of(root: Path, contrast: str, folder: Path, progress: Progress | None = None) -> list[ExperimentCase]:
    """The patients beneath a data folder who have that contrast and a mask, as cases.

    Raises:
        InputError: there are none.
    """
    scans = [
        held_out
        for held_out in held_out_scans(root, None)
        if held_out.lesion is not None and held_out.group.endswith(f" {contrast}")
    ]
    if not scans:
        raise InputError(f"No patient beneath '{root}' has a {contrast} scan and a mask: give the folder that holds lesion/.")
    cases = []
    for number, held_out in enumerate(scans, start=1):
        cases.append(real_case(held_out, folder))
        if progress:
            progress(number, len(scans), f"{held_out.group} {held_out.subject}")
    return cases


def people_of(cases: list[ExperimentCase], plan: ExperimentPlan, seed: int) -> People:
    """Part the patients: those of `plan.training_sources` at random, the others are always tested.

    Raises:
        InputError: they are too few.
    """
    may_train = [case for case in cases if case.source in plan.training_sources]
    need = plan.few + plan.further + 2
    if len(may_train) < need:
        raise InputError(f"There are {len(may_train)} patients to part, and {need} are needed: lower --few or --more.")
    order = [may_train[n] for n in np.random.default_rng((seed, 17)).permutation(len(may_train))]
    more, rest = order[: plan.few + plan.further], order[plan.few + plan.further :]
    others = [case for case in cases if case not in may_train]
    return People(tuple(more[: plan.few]), tuple(more), rest[0], (*rest[1:], *others))


def fit_arm(
    arm: Arm, people: People, painted: list[ExperimentCase], plan: ExperimentPlan, seed: int, folder: Path, cache: Path
) -> SegmentationModel:
    """Fit one arm, or go on with it where it was cut off; the model is that of its last step (running average)."""
    real = people.more if arm.more_real else people.few
    rows = [ListedScan(REAL, case.subject, TRAINING, case.mask) for case in real]
    rows += [ListedScan(PAINTED, case.subject, TRAINING, case.mask) for case in painted]
    rows.append(ListedScan(REAL, people.validation.subject, VALIDATION, people.validation.mask))
    sources = (REAL, PAINTED) if painted else (REAL,)
    settings = settings_of(plan, arm.name, seed, sources)
    run = folder / f"{arm.folder}-{seed}"
    record = RunRecord(settings, tuple(rows))
    done = weights_of(run / LAST, record)[1] if (run / LAST).is_file() else 0
    begin(run, record, resume=done > 0)
    if done < settings.fit.steps:
        fit(work_of(settings, rows, None, cache), settings.fit, run, resume=done > 0)
    return HeldOutRun(run, record).model(LAST)


def measure_arm(arm: Arm, seed: int, model: SegmentationModel, test: tuple[ExperimentCase, ...]) -> list[MeasuredPatient]:
    """Segment every test patient."""
    measured = []
    for case in test:
        scan, truth = read_scan(case.image), read_label_map(case.mask).array > 0
        probability = segment({0: scan}, model, probabilities=True).probabilities[0]
        measures = agreement(probability >= 0.5, truth, scan.spacing)
        counted = detect(probability, truth, float(np.prod(scan.spacing)) / 1000)
        measured.append(
            MeasuredPatient(
                arm.name, seed, DISEASES[case.source], case.subject, measures["dice"], measures["sensitivity"], counted
            )
        )
    return measured


def run_experiment(
    plan: ExperimentPlan,
    cases: list[ExperimentCase],
    paint: Callable[[Arm, int], list[ExperimentCase]],
    output: Path,
    progress: Progress | None = None,
) -> list[MeasuredPatient]:
    """Fit and measure all arms under all seeds, one after another; what is done is kept, and a second call goes on.

    Args:
        cases: of `patients_of`.
        paint: gives the painted cases of an arm under a seed.
        output: runs/, cache/ and measured.jsonl are kept in it.
    """
    identity = plan.identity | {"patients": [f"{case.group} {case.subject} {case.mask.parent.name}" for case in cases]}
    journal = Journal(output / "measured.jsonl", identity)
    jobs = [(seed, arm) for seed in range(plan.seeds) for arm in plan.arms]
    measured = []
    for number, (seed, arm) in enumerate(jobs):
        key = f"{arm.name} / {seed}"
        if progress:
            progress(number, len(jobs), f"{arm.name}, seed {seed}")
        if key not in journal.records:
            people = people_of(cases, plan, seed)
            painted = paint(arm, seed) if arm.masks else []
            model = fit_arm(arm, people, painted, plan, seed, output / "runs", output / "cache")
            journal.add(key, [_record(one) for one in measure_arm(arm, seed, model, people.test)])
        measured += [_measured(record) for record in journal.records[key]]
    if progress:
        progress(len(jobs), len(jobs), "done")
    return measured


def _record(one: MeasuredPatient) -> dict:
    counted = {"lesions": one.detection.lesions, "found": one.detection.found.tolist(), "false": one.detection.false.tolist()}
    return {**{key: value for key, value in vars(one).items() if key != "detection"}, "detection": counted}


def _measured(record: dict) -> MeasuredPatient:
    counted = record["detection"]
    return MeasuredPatient(
        **{**record, "detection": Detection(counted["lesions"], np.array(counted["found"]), np.array(counted["false"]))}
    )
