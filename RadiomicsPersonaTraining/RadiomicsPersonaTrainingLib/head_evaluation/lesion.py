"""Lesion evaluation: how well a lesion model tells lesion from healthy brain, voxel by voxel, in heads it never saw."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import numpy as np
from scipy import ndimage

from RadiomicsPersonaLib import __version__
from RadiomicsPersonaLib.brain.head_maps import HeadMaps, head_maps
from RadiomicsPersonaLib.brain.tissue import estimate_tissue
from RadiomicsPersonaLib.imaging.files import name_of, read_scan
from RadiomicsPersonaLib.networks.head_model import LesionModel
from RadiomicsPersonaLib.system.csv_table import written_cell
from RadiomicsPersonaLib.system.output import file_written_whole

from ..data.held_out import HeldOutScan
from ..evaluation.plots import spoken
from ..evaluation.summary import DRAWS, Estimate, auroc_of, mean_over_subjects, plain_estimates
from ..samples.tissue_samples import DISEASED, LesionSamples
from ..settings.sample_sections import TissueRecipe
from ..synthesis.head_images import Synthesis
from ..synthesis.tissue_contrast import CONTRASTS
from .segmentation import agreement

SCHEMA = "radiomics-persona-lesion-evaluation/1"
HEADS = 4
"""Synthesised heads per label map and contrast."""
SYNTHETIC = "painted"
MEASURES = ("auroc", "dice", "found_ml", "true_ml")
"""What is summarised over subjects."""
COLUMNS = (*MEASURES, "jaccard", "sensitivity", "specificity", "hd95_mm", "hd_mm")
"""What the table of heads holds."""
NOTES = f"""\
Painted: heads synthesised from label maps that the model never saw, {HEADS} per map and contrast, with lesions as in training.
Real patients and healthy people: sources that nothing was trained on. AUROC over the voxels of the brain, on the model's grid,
where there is a lesion; Dice at probability 0.5, which is 1 where there is none and none is found, and 0 where there is none
and some is found; found_ml is what is called lesion at 0.5. Means over subjects with 95 % intervals ({DRAWS:,} bootstrap draws
over subjects). The model is made for a score of boxes, not to delineate; millilitres of sources without a voxel size mean
nothing."""


@dataclass(frozen=True)
class LesionCase:
    """One head.

    Attributes:
        group, subject: source with contrast, and whose head it is.
        auroc: NaN without a lesion.
        agreement: of what is called lesion and what is, see `segmentation.agreement`.
        found_ml, true_ml: what is called lesion, and what is.
    """

    group: str
    subject: str
    auroc: float
    agreement: dict[str, float]
    found_ml: float
    true_ml: float

    def measure(self, name: str) -> float:
        """One of `COLUMNS`."""
        return self.agreement[name] if name in self.agreement else getattr(self, name)


def evaluate_lesion(
    maps: list[Path],
    scans: list[HeldOutScan],
    model: LesionModel,
    seed: int = 0,
    heads: int = HEADS,
    progress: Callable[[int, int, str], None] | None = None,
) -> list[LesionCase]:
    """Every synthesised head and every scan.

    Args:
        maps: held-out label maps.
        scans: of patients and healthy people.
    """
    cases, total = [], len(maps) * len(CONTRASTS) + len(scans)

    def told(what: str, done: int) -> None:
        if progress:
            progress(done, total, what)

    for column, contrast in enumerate(CONTRASTS):
        for number, file in enumerate(maps):
            for head in range(heads):
                image, truth = painted_head(file, contrast, heads * number + head, model.spacing, seed + column)
                found = model.probabilities(image)[0]
                brain = ndimage.binary_dilation(truth.shares.sum(axis=0) >= 0.5)
                cases.append(
                    _case(f"{SYNTHETIC} {contrast}", name_of(file), found, truth.lesion_share >= 0.5, brain, model.spacing)
                )
            told(f"{name_of(file)} {contrast}", column * len(maps) + number + 1)
    for number, held_out in enumerate(scans, start=1):
        scan = held_out.read()
        seen: HeadMaps = head_maps(scan, estimate_tissue(scan), model, whole=True)
        found, grid = seen.lesion.values[0], seen.lesion.grid
        shape, points = found.shape, grid.ras_from_ijk(np.argwhere(np.ones(found.shape, bool)))
        brain = (np.ones(len(points)) if seen.tissue is None else 1 - seen.tissue.at(points)[0]).reshape(shape) >= 0.5
        lesion = np.zeros(shape, bool)
        if held_out.lesion is not None:
            mask = read_scan(held_out.lesion)
            marked = (mask.array > 0).astype(np.float32)
            lesion = (
                ndimage.map_coordinates(marked, mask.ijk_from_ras(points).T, order=1, mode="grid-constant").reshape(shape)
                >= 0.5
            )
        cases.append(_case(held_out.group, held_out.subject, found, lesion, brain | lesion, float(grid.spacing[0])))
        told(f"{held_out.group} {held_out.subject}", total - len(scans) + number)
    return cases


def painted_head(file: Path, contrast: str, number: int, spacing: float, seed: int) -> tuple[np.ndarray, Synthesis]:
    """The head of that number with lesions, float32 (D, H, W) on the model's grid, and what is known of it."""
    synthesis = replace(DISEASED, realistic=1.0, contrasts=(contrast,), disease=1.0)
    image, truth = LesionSamples([file], TissueRecipe(spacing=spacing), seed, synthesis).drawn(number)
    return image[0].numpy(), truth


def _case(group: str, subject: str, found: np.ndarray, lesion: np.ndarray, brain: np.ndarray, spacing: float) -> LesionCase:
    voxel = spacing**3 / 1000
    marked = (found >= 0.5) & brain
    area = auroc_of(found[lesion], found[brain & ~lesion]) if lesion.any() else math.nan
    agreed = agreement(marked, lesion, np.full(3, spacing))
    return LesionCase(group, subject, area, agreed, float(marked.sum() * voxel), float(lesion.sum() * voxel))


def summary_of(cases: list[LesionCase], seed: int = 0) -> dict[str, dict[str, Estimate]]:
    """Means over subjects by group; measures that no head of the group has are left out."""
    found: dict[str, dict[str, Estimate]] = {}
    for group in dict.fromkeys(case.group for case in cases):
        members = [case for case in cases if case.group == group]
        subjects = list(dict.fromkeys(case.subject for case in members))
        found[group] = {}
        for name in MEASURES:
            values = {s: [v for c in members if c.subject == s and not math.isnan(v := c.measure(name))] for s in subjects}
            if all(values.values()):
                found[group][name] = mean_over_subjects(values, seed)
    return found


def table_of(cases: list[LesionCase], seed: int = 0) -> str:
    """The summary as a Markdown table."""
    heads = ["heads", "subjects", *MEASURES]
    lines = [" | ".join(heads), " | ".join(["---"] * len(heads))]
    for group, estimates in summary_of(cases, seed).items():
        count = len({case.subject for case in cases if case.group == group})
        lines.append(
            " | ".join([group, str(count), *(spoken(estimates[name]) if name in estimates else "" for name in MEASURES)])
        )
    return "\n".join(f"| {line} |" for line in lines) + "\n"


def record_of(cases: list[LesionCase], model: LesionModel, seed: int) -> dict:
    """What goes into the model's card and into `evaluation.json`, in plain JSON types."""
    return {
        "schema": SCHEMA,
        "command": f"radiomics-persona-train evaluate FOLDER --model {model.name} --seed {seed} --output DIR --card",
        "what": " ".join(NOTES.split()),
        "date": date.today().isoformat(),
        "version": __version__,
        "model": model.provenance(),
        "seed": seed,
        "figures": plain_estimates(summary_of(cases, seed)),
    }


def write_cases(cases: list[LesionCase], path: Path) -> None:
    """One line a head, as CSV."""
    with file_written_whole(path) as staging, open(staging, "w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["group", "subject", *COLUMNS])
        for case in cases:
            writer.writerow(
                [written_cell(case.group), written_cell(case.subject), *(f"{case.measure(name):.4f}" for name in COLUMNS)]
            )
