"""Tissue evaluation: how well a tissue model parts brain, grey,
white and fluid in scans synthesised from held-out label maps.
"""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import numpy as np

from RadiomicsPersonaLib import __version__
from RadiomicsPersonaLib.brain.tissue import FLUID, GREY, WHITE, estimate_tissue
from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.imaging.files import name_of
from RadiomicsPersonaLib.imaging.scan import Scan
from RadiomicsPersonaLib.metrics.dice import dice_of
from RadiomicsPersonaLib.networks.head_model import TissueModel
from RadiomicsPersonaLib.system.csv_table import written_cell
from RadiomicsPersonaLib.system.output import file_written_whole

from ..data.card_subjects import files_of, of_label_maps
from ..data.split import TEST
from ..evaluation.plots import spoken
from ..evaluation.summary import DRAWS, Estimate, estimate_of, plain_estimates
from ..synthesis.head_images import SynthesisRecipe, synthesize_scan
from ..synthesis.label_map import opened_label_map
from ..synthesis.tissue_contrast import CONTRASTS

SCHEMA = "radiomics-persona-tissue-evaluation/1"
SLICES = (1.0, 3.0, 6.0)
"""Slice thicknesses, millimetres; in the slice voxels measure 1 mm."""
MEASURES = {"brain": (FLUID, GREY, WHITE), "grey": (GREY,), "white": (WHITE,), "fluid": (FLUID,)}
CLASSICAL = "brain by thresholds"
RECIPE = SynthesisRecipe(
    realistic=1.0, rotation=10, scale=0.05, stretch=0.05, elastic=3, bias=0.3, gamma=0.1, noise=0.03, extracted=0.25
)
"""What the images are drawn from: milder than in training, for these are to be like scans."""
NOTES = f"""\
Scans are synthesised from label maps that the model never saw, one per map, contrast and slice thickness; every fourth is
brain-extracted. Dice at 1 mm; means over label maps of the means of their scans, with 95 % intervals ({DRAWS:,} bootstrap
draws over label maps)."""


@dataclass(frozen=True)
class TissueCase:
    """One synthesised scan and the agreement with its truth at 1 mm.

    Attributes:
        label_map, contrast, slices: name, contrast, slice thickness in millimetres.
        dice: by the keys of `MEASURES`; 0 for all where the model saw no brain. And of the brain mask by thresholds, 0
            where they found none.
    """

    label_map: str
    contrast: str
    slices: float
    dice: dict[str, float]


def held_out_maps(root: Path, card: dict) -> list[Path]:
    """The label maps beneath a data folder that a tissue model's card names as kept for the test.

    Raises:
        InputError: none of them is there.
    """
    files = [file for entry in of_label_maps(card) for file in files_of(entry, TEST, root)]
    if not files:
        raise InputError(
            f"None of the label maps that '{card['name']}' keeps for the test lies beneath '{root}': give their folder."
        )
    return files


def evaluate_tissue(
    files: list[Path],
    model: TissueModel,
    seed: int = 0,
    contrasts: tuple[str, ...] = CONTRASTS,
    slices: tuple[float, ...] = SLICES,
    progress: Callable[[int, int, str], None] | None = None,
) -> list[TissueCase]:
    """Dice on every label map in every contrast with every slice thickness, one scan each, slices along S."""
    cases = []
    total = len(files) * len(contrasts) * len(slices)
    for number, file in enumerate(files):
        for column, contrast in enumerate(contrasts):
            for thickness in slices:
                scan, truth = synthesized_scan(file, (seed, number, column), contrast, thickness)
                cases.append(TissueCase(name_of(file), contrast, thickness, _agreement(scan, truth, model)))
                if progress:
                    progress(len(cases), total, f"{name_of(file)} {contrast}")
    return cases


def synthesized_scan(file: Path, seed: tuple[int, int, int], contrast: str, slices: float) -> tuple[Scan, Scan]:
    """The scan that a label map is evaluated with, and its tissue classes at 1 mm.

    Args:
        seed: of the evaluation, the label map's number among those evaluated, and the contrast's.
        slices: millimetres along S.
    """
    rng = np.random.default_rng((*seed, int(10 * slices)))
    return synthesize_scan(opened_label_map(file), replace(RECIPE, contrasts=(contrast,)), rng, np.array([1.0, 1.0, slices]))


def tissue_found(scan: Scan, truth: Scan, model: TissueModel) -> np.ndarray:
    """The model's tissue classes (0 to 3) on the grid of the truth, int8; 0 all over where it sees no brain."""
    anatomy = estimate_tissue(scan, model=model).anatomy
    return np.zeros(truth.shape, np.int8) if anatomy is None else anatomy.classes_on(truth.affine, truth.shape)


def _agreement(scan: Scan, truth: Scan, model: TissueModel) -> dict[str, float]:
    true, found = truth.array.astype(np.int8), tissue_found(scan, truth, model)
    # beyond the scan's field of view nothing is known
    low, high = (truth.ijk_from_ras(end) for end in (scan.ras_from_ijk([0, 0, 0]), scan.ras_from_ijk(np.array(scan.shape) - 1)))
    seen = tuple(slice(max(0, int(np.ceil(a - 0.5))), int(np.floor(b + 0.5)) + 1) for a, b in zip(low, high))
    dice = {key: dice_of(np.isin(found[seen], kinds), np.isin(true[seen], kinds)) for key, kinds in MEASURES.items()}
    try:
        mask = estimate_tissue(scan, model=None).brain_on(truth.affine, truth.shape)
        return dice | {CLASSICAL: dice_of(mask[seen], true[seen] > 0)}
    except InputError:
        return dice | {CLASSICAL: 0.0}


def summary_of(cases: list[TissueCase], seed: int = 0) -> dict[str, dict[str, Estimate]]:
    """Mean Dice with intervals, by what is looked at: each contrast, each slice thickness, all."""
    groups = {
        contrast: [case for case in cases if case.contrast == contrast] for contrast in dict.fromkeys(c.contrast for c in cases)
    }
    for thickness in dict.fromkeys(case.slices for case in cases):
        groups[f"{thickness:g} mm slices"] = [case for case in cases if case.slices == thickness]
    groups["all"] = cases
    return {name: _means(members, seed) for name, members in groups.items()}


def _means(cases: list[TissueCase], seed: int) -> dict[str, Estimate]:
    maps = list(dict.fromkeys(case.label_map for case in cases))
    chosen = np.random.default_rng(seed).integers(len(maps), size=(DRAWS, len(maps)))
    estimates = {}
    for key in (*MEASURES, CLASSICAL):
        means = np.array([np.mean([case.dice[key] for case in cases if case.label_map == name]) for name in maps])
        estimates[key] = estimate_of(means.mean(), means[chosen].mean(axis=1), len(maps))
    return estimates


def table_of(cases: list[TissueCase], seed: int = 0) -> str:
    """The summary as a Markdown table."""
    heads = ["scans", *MEASURES, CLASSICAL]
    lines = [" | ".join(heads), " | ".join(["---"] * len(heads))]
    for name, estimates in summary_of(cases, seed).items():
        lines.append(" | ".join([name, *(spoken(estimate) for estimate in estimates.values())]))
    return "\n".join(f"| {line} |" for line in lines) + "\n"


def record_of(cases: list[TissueCase], model: TissueModel, seed: int) -> dict:
    """What goes into the model's card and into `evaluation.json`, in plain JSON types."""
    return {
        "schema": SCHEMA,
        "command": f"radiomics-persona-train evaluate FOLDER --model {model.name} --seed {seed} --output DIR --card",
        "what": " ".join(NOTES.split()),
        "date": date.today().isoformat(),
        "version": __version__,
        "model": model.provenance(),
        "seed": seed,
        "label_maps": sorted({case.label_map for case in cases}),
        "scans": len(cases),
        "dice": plain_estimates(summary_of(cases, seed)),
    }


def write_cases(cases: list[TissueCase], path: Path) -> None:
    """One line a case, as CSV."""
    with file_written_whole(path) as staging, open(staging, "w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["label_map", "contrast", "slice_mm", *MEASURES, CLASSICAL])
        for case in cases:
            writer.writerow(
                [
                    written_cell(case.label_map),
                    written_cell(case.contrast),
                    f"{case.slices:g}",
                    *(f"{value:.4f}" for value in case.dice.values()),
                ]
            )
