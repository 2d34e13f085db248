"""Worst case: the holes of an evaluation that were rebuilt worst, and one of them again as images to look at."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.reconstruction import rebuild
from RadiomicsPersonaLib.scan import write_nifti

from .evaluation import NETWORK, EvaluationPlan, cases_of
from .run_evaluation import held_out_run


@dataclass(frozen=True)
class OpenedCase:
    """Files of one hole.

    Attributes:
        scan, rebuilt: the scan, and the scan with the hole rebuilt, on the same grid.
        center: RAS millimetres of the hole's middle.
    """

    scan: Path
    rebuilt: Path
    center: tuple[float, float, float]


def worst_cases(evaluation: Path, count: int = 12) -> list[dict]:
    """The network's holes with the largest squared error, the worst first: group, subject, stratum, number, ml and the metrics.

    Raises:
        InputError: the folder holds no evaluation of a model that rebuilds.
    """
    try:
        with open(evaluation / "rows.csv", newline="", encoding="utf-8") as stream:
            rows = [row for row in csv.DictReader(stream) if row.get("rebuilder") == NETWORK and row.get("official_psnr_01")]
    except OSError:
        raise InputError(f"'{evaluation}' holds no evaluation hole by hole: evaluate the run first.") from None
    rows.sort(key=lambda row: -float(row["mse"]))
    return rows[:count]


def open_case(run: Path, evaluation: Path, row: dict, folder: Path) -> OpenedCase:
    """Rebuild one hole of an evaluation once more.

    Args:
        run, evaluation: folders of the run and of its evaluation.
        row: one of `worst_cases`.
        folder: where the two images are written.
    Raises:
        InputError: the scan or the checkpoint is gone.
    """
    held_out = held_out_run(run)
    if held_out is None:
        raise InputError(f"'{run}' is no training run: nothing can be rebuilt.")
    wanted = row["stratum"], int(row["number"])
    found = [scan for scan in held_out.scans() if (scan.group, scan.subject) == (row["group"], row["subject"])]
    if not found:
        raise InputError(f"The scan of '{row['subject']}' is not there any more: bring it back.")
    seed = json.loads((evaluation / "run.json").read_text(encoding="utf-8"))["seed"]
    cases = list(cases_of(EvaluationPlan({}, tuple(found), seed=seed), found[0], [wanted]))
    if not cases:
        raise InputError(f"The scan of '{row['subject']}' has changed since it was evaluated: evaluate the run again.")
    case = cases[0][2]
    scan, hole = case.prepared.scan, case.hole
    reconstruction = rebuild(case.prepared, [hole], held_out.model())[0]
    composed = scan.array.copy()
    values = np.zeros(scan.shape, np.float64)
    values[reconstruction.hole.region][reconstruction.hole.mask] = reconstruction.values[reconstruction.hole.mask]
    composed[hole.region][hole.mask] = values[hole.region][hole.mask]
    folder.mkdir(parents=True, exist_ok=True)
    files = folder / "scan.nii.gz", folder / "rebuilt.nii.gz"
    for file, array in zip(files, (scan.array, composed)):
        write_nifti(file, array.astype(np.float32), scan.affine)
    middle = np.argwhere(hole.mask).mean(axis=0) + hole.start
    return OpenedCase(*files, tuple(float(value) for value in scan.ras_from_ijk(middle)))
