"""Worst case: the cases of an evaluation that the model did worst in, and one of them again as images to look at."""

from __future__ import annotations

import json
import math
from collections import Counter
from pathlib import Path

from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.networks.card import LESION_KIND, RECONSTRUCTION_KIND, SEGMENTATION_KIND, TISSUE_KIND
from RadiomicsPersonaLib.system.csv_table import CsvTable

# Imported in functions: held_out_run, opened_case and rebuilding, which load torch or scipy: the panel lists the worst cases
# at once.

HOLES, CASES = "rows.csv", "cases.csv"
TISSUES = ("grey", "white", "fluid")


def worst_cases(evaluation: Path, kind: str = RECONSTRUCTION_KIND, count: int = 12) -> list[dict]:
    """The cases with the largest error, the worst first, as rows of the evaluation's own table.

    A model that rebuilds: the network's holes by squared error. A segmentation: structures of cases by Dice. A tissue model:
    synthesised scans by the mean Dice of the tissues. A lesion model: heads with lesions by Dice, each with its `number` among
    those of its group and subject.

    Args:
        evaluation: its folder.
        kind: what the model does.
    Raises:
        InputError: the folder holds no evaluation case by case.
    """
    try:
        rows = [cells for _, cells in CsvTable(evaluation / (HOLES if kind == RECONSTRUCTION_KIND else CASES))]
    except InputError:
        raise InputError(f"'{evaluation}' holds no evaluation case by case: evaluate the run first.") from None
    try:
        return sorted(_scored(rows, kind), key=lambda row: row.pop("badness"), reverse=True)[:count]
    except (KeyError, ValueError, TypeError) as error:
        raise InputError(
            f"The evaluation in '{evaluation}' is not that of a {kind} model ({error}): evaluate the run again."
        ) from error


def open_case(run: Path, evaluation: Path, row: dict, folder: Path):
    """Have the model do one case of an evaluation once more.

    Args:
        run, evaluation: folders of the run and of its evaluation.
        row: one of `worst_cases`.
        folder: where the images are written.
    Returns:
        `opened_case.OpenedCase`
    Raises:
        InputError: the scan or the checkpoint is gone.
    """
    from .held_out_run import held_out_run
    from .opened_case import OPENED

    held_out = held_out_run(run)
    if held_out is None:
        raise InputError(f"'{run}' is no training run: there is nothing to look at.")
    if held_out.kind not in OPENED:
        raise InputError(f"Cases of a {held_out.kind} model cannot be opened: look at its evaluation's own page.")
    seed = json.loads((evaluation / "evaluation.json").read_text(encoding="utf-8"))["seed"]
    folder.mkdir(parents=True, exist_ok=True)
    return OPENED[held_out.kind](held_out, row, seed, folder)


def _scored(rows: list[dict], kind: str) -> list[dict]:
    """The rows that can be ranked, each with its `badness`."""
    if kind == RECONSTRUCTION_KIND:
        from ..evaluation.rebuilding import NETWORK

        return [
            row | {"badness": float(row["mse"])} for row in rows if row["rebuilder"] == NETWORK and row.get("official_psnr_01")
        ]
    if kind == TISSUE_KIND:
        return [row | {"badness": -sum(float(row[key]) for key in TISSUES)} for row in rows]
    if kind == LESION_KIND:
        seen: Counter = Counter()
        for row in rows:
            row["number"] = seen[row["group"], row["subject"]]
            seen[row["group"], row["subject"]] += 1
    if kind in (LESION_KIND, SEGMENTATION_KIND):
        return [row | {"badness": -float(row["dice"])} for row in rows if math.isfinite(float(row["dice"]))]
    raise KeyError(kind)
