"""Segmentation evaluation: how well a segmentation model does on people it never saw, structure by structure."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np

from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.imaging.files import name_of
from RadiomicsPersonaLib.imaging.scan import Scan
from RadiomicsPersonaLib.metrics.dice import dice_of
from RadiomicsPersonaLib.segmentation.segmentation import segment
from RadiomicsPersonaLib.segmentation.segmentation_model import SegmentationModel
from RadiomicsPersonaLib.system.csv_table import written_cell
from RadiomicsPersonaLib.system.output import file_written_whole

from ..data.segmentation_cases import read_case, truths_in
from ..data.split import TRAINING, VALIDATION
from ..evaluation.plots import spoken
from ..evaluation.report import markdown_table
from ..evaluation.summary import DRAWS, Estimate, mean_over_subjects, plain_estimates
from ..settings.segmentation_labels import Labels, labels_of
from ..settings.training_settings import segmentation_in
from ..versions import versions_used

SCHEMA = "radiomics-persona-segmentation-evaluation/1"
NOTES = f"""\
People that the model was neither trained nor chosen on; whole scans on their own grid. Hausdorff distances in mm: the largest,
and the 95th percentile per direction, of which the larger counts. Empty against empty is Dice 1 and 0 mm; where only one is
empty, Dice is 0 and the distance the diagonal of the field of view. Means over subjects with 95 % intervals ({DRAWS:,}
bootstrap draws over subjects)."""


@dataclass(frozen=True, eq=False)
class SegmentedCase:
    """One case that was segmented.

    Attributes:
        subject, case: whose it is, and the name of its label map.
        scan: the first contrast that is there.
        found, truth: classes from 0 on the scan's grid.
        measures: the `MEASURES` by structure, and its volumes `found_ml` and `true_ml`.
    """

    subject: str
    case: str
    scan: Scan
    found: np.ndarray
    truth: np.ndarray
    measures: dict[str, dict[str, float]]


def held_out_truths(root: Path, card: dict) -> list[tuple[str, Path]]:
    """Subjects and label maps beneath a folder of people that the model was neither trained nor chosen on.

    Raises:
        InputError: there is none.
    """
    seen = {subject for entry in card["data"] for part in (TRAINING, VALIDATION) for subject in entry.get(part, [])}
    found = [(subject, file) for subject, file in truths_in(root, segmentation_in(card)) if subject not in seen]
    if not found:
        raise InputError(
            f"The model '{card['name']}' was trained or chosen on everyone beneath '{root}': give a folder with others."
        )
    return found


def evaluate_segmentation(
    truths: list[tuple[str, Path]], model: SegmentationModel, progress: Callable[[int, int, str], None] | None = None
) -> list[SegmentedCase]:
    """Segment every case and compare it with its label map.

    Args:
        truths: subjects and label maps.
    Raises:
        InputError: a case cannot be used.
    """
    settings = segmentation_in(model.card)
    labels, cases = labels_of(settings), []
    for number, (subject, file) in enumerate(truths, start=1):
        scans, truth = read_case(file, settings)
        there = {place: scan for place, scan in enumerate(scans) if scan is not None}
        first = next(iter(there.values()))
        found = _classes(segment(there, model).labels, labels)
        cases.append(
            SegmentedCase(subject, name_of(file), first, found, truth, measures_of(found, truth, first.spacing, labels))
        )
        if progress:
            progress(number, len(truths), name_of(file))
    return cases


def measures_of(found: np.ndarray, truth: np.ndarray, spacing: np.ndarray, labels: Labels) -> dict[str, dict[str, float]]:
    """What `SegmentedCase.measures` holds; classes from 0."""
    milliliter, measures = float(np.prod(spacing)) / 1000, {}
    for name, kinds in labels.measured.items():
        one, other = np.isin(found, kinds), np.isin(truth, kinds)
        volumes = {"found_ml": float(one.sum()) * milliliter, "true_ml": float(other.sum()) * milliliter}
        measures[name] = agreement(one, other, spacing) | volumes
    return measures


def summary_of(cases: list[SegmentedCase], seed: int = 0) -> dict[str, dict[str, Estimate]]:
    """Means over subjects by structure; a measure that no subject has is left out."""
    summary: dict[str, dict[str, Estimate]] = {}
    for structure in cases[0].measures:
        summary[structure] = {}
        for measure in MEASURES:
            values: dict[str, list[float]] = {}
            for case in cases:
                if not math.isnan(value := case.measures[structure][measure]):
                    values.setdefault(case.subject, []).append(value)
            if values:
                summary[structure][measure] = mean_over_subjects(values, seed)
    return summary


def summary_rows(cases: list[SegmentedCase], seed: int = 0) -> tuple[list[str], list[list[str]]]:
    """Heads and rows of the table of means."""
    rows = [
        [structure, *(spoken(estimates[measure]) if measure in estimates else "" for measure in MEASURES)]
        for structure, estimates in summary_of(cases, seed).items()
    ]
    return ["structure", *MEASURES.values()], rows


def subject_rows(cases: list[SegmentedCase]) -> tuple[list[str], list[list[str]]]:
    """Heads and rows of the table with a line per case and structure."""
    rows = [
        [
            case.case,
            structure,
            *("" if math.isnan(measures[m]) else f"{measures[m]:.3f}" for m in (*MEASURES, "true_ml", "found_ml")),
        ]
        for case in cases
        for structure, measures in case.measures.items()
    ]
    return ["case", "structure", *MEASURES.values(), "true (ml)", "found (ml)"], rows


def markdown_of(cases: list[SegmentedCase], model: SegmentationModel, seed: int = 0) -> str:
    """The tables as Markdown."""
    people = len({case.subject for case in cases})
    lines = [f"{len(cases)} cases of {people} people. {NOTES}", "", *markdown_table(*summary_rows(cases, seed)), ""]
    return "\n".join([*lines, "## Case by case", "", *markdown_table(*subject_rows(cases)), ""])


def record_of(cases: list[SegmentedCase], model: SegmentationModel, seed: int = 0) -> dict:
    """What goes into the model's card and into `evaluation.json`, in plain JSON types."""
    return {
        "schema": SCHEMA,
        "command": f"radiomics-persona-train evaluate FOLDER --model {model.name} --seed {seed} --output DIR --card",
        "what": " ".join(NOTES.split()),
        "date": date.today().isoformat(),
        "versions": versions_used(network=True),
        "model": model.provenance(),
        "seed": seed,
        "cases": [case.case for case in cases],
        "figures": plain_estimates(summary_of(cases, seed)),
    }


def write_cases(cases: list[SegmentedCase], path: Path) -> None:
    """One line per case and structure, as CSV."""
    with file_written_whole(path) as staging, open(staging, "w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["subject", "case", "structure", *MEASURES, "true_ml", "found_ml"])
        for case in cases:
            for structure, measures in case.measures.items():
                writer.writerow(
                    [
                        *map(written_cell, (case.subject, case.case, structure)),
                        *(f"{measures[m]:.4f}" for m in (*MEASURES, "true_ml", "found_ml")),
                    ]
                )


def _classes(numbers: np.ndarray, labels: Labels) -> np.ndarray:
    """Classes from 0 of the numbers that `segment` writes."""
    classes = np.zeros(numbers.shape, np.uint8)
    for number, written in enumerate(labels.written, start=1):
        classes[numbers == written] = number
    return classes


MEASURES = {
    "dice": "Dice",
    "jaccard": "Jaccard",
    "sensitivity": "sensitivity",
    "specificity": "specificity",
    "hd95_mm": "HD95 (mm)",
    "hd_mm": "HD (mm)",
}


def agreement(found: np.ndarray, truth: np.ndarray, spacing: np.ndarray) -> dict[str, float]:
    """The `MEASURES` of one structure.

    Hausdorff distances run between the outermost voxels of both (MONAI's edges and distances): the largest, and the 95th
    percentile of each direction, of which the larger counts. Two empty structures agree: Dice and Jaccard 1, distances 0. Where
    one of them is empty, Dice and Jaccard are 0 and distances the diagonal of the field of view. Sensitivity is not a number
    without a true voxel, specificity without a false one.

    Args:
        found, truth: boolean, one shape.
        spacing: millimetres of the voxels along the axes.
    """
    both, one, other = int((found & truth).sum()), int(found.sum()), int(truth.sum())
    empty = truth.size - other
    measures = {
        "dice": dice_of(found, truth),
        "jaccard": both / (one + other - both) if one + other else 1.0,
        "sensitivity": both / other if other else math.nan,
        "specificity": (empty - (one - both)) / empty if empty else math.nan,
    }
    if not one and not other:
        return measures | {"hd95_mm": 0.0, "hd_mm": 0.0}
    if not one or not other:
        diagonal = float(np.linalg.norm(spacing * np.array(truth.shape)))
        return measures | {"hd95_mm": diagonal, "hd_mm": diagonal}
    forth, back = _distances(found, truth, spacing)
    return measures | {
        "hd95_mm": float(max(np.percentile(forth, 95), np.percentile(back, 95))),
        "hd_mm": float(max(forth.max(), back.max())),
    }


def _distances(found: np.ndarray, truth: np.ndarray, spacing: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """From every edge voxel of one structure to the nearest of the other, both ways."""
    from monai.metrics.utils import get_mask_edges, get_surface_distance  # takes seconds to load

    edges = get_mask_edges(found, truth)
    return tuple(np.asarray(get_surface_distance(*pair, spacing=spacing.tolist())) for pair in (edges, edges[::-1]))
