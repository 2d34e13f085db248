"""Opened case: one case of an evaluation, done by the model once more and written as images to look at."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.imaging.files import name_of, write_nifti
from RadiomicsPersonaLib.imaging.grid import Grid
from RadiomicsPersonaLib.networks.card import LESION_KIND, RECONSTRUCTION_KIND, SEGMENTATION_KIND, TISSUE_KIND
from RadiomicsPersonaLib.reconstruction.reconstruction import rebuild
from RadiomicsPersonaLib.report.colors import CLASS_COLORS
from RadiomicsPersonaLib.segmentation.segmentation import segment

from ..data.segmentation_cases import read_case
from ..evaluation.rebuilding import EvaluationPlan, cases_of
from ..head_evaluation.lesion import HEADS, SYNTHETIC, painted_head
from ..head_evaluation.tissue import synthesized_scan, tissue_found
from ..settings.segmentation_labels import labels_of
from ..settings.training_settings import segmentation_in
from ..synthesis.tissue_contrast import CONTRASTS
from .held_out_run import HeldOutRun

TISSUE_NAMES = ("fluid", "grey matter", "white matter")
TRUTH, FOUND = "truth", "found"


@dataclass(frozen=True)
class OpenedCase:
    """Files of one case.

    Attributes:
        scan: what the model was shown; of several contrasts the first.
        center: RAS millimetres of what is to be looked at.
        rebuilt: the scan with the hole rebuilt, on the same grid; None for models that rebuild nothing.
        maps: label maps by what they are, `TRUTH` and `FOUND`; empty for models that rebuild.
        labels: names and colours (red, green, blue; 0 to 255) by the number in the label maps.
    """

    scan: Path
    center: tuple[float, float, float]
    rebuilt: Path | None = None
    maps: dict[str, Path] | None = None
    labels: dict[int, tuple[str, tuple[int, int, int]]] | None = None


def _hole(run: HeldOutRun, row: dict, seed: int, folder: Path) -> OpenedCase:
    """A hole that a model rebuilds."""
    wanted = row["stratum"], int(row["number"])
    found = [scan for scan in run.scans() if (scan.group, scan.subject) == (row["group"], row["subject"])]
    if not found:
        raise InputError(f"The scan of '{row['subject']}' is not there any more: bring it back.")
    cases = list(cases_of(EvaluationPlan({}, tuple(found), seed=seed), found[0], [wanted]))
    if not cases:
        raise InputError(f"The scan of '{row['subject']}' has changed since it was evaluated: evaluate the run again.")
    case = cases[0][2]
    scan, hole = case.prepared.scan, case.hole
    reconstruction = rebuild(case.prepared, [hole], run.model())[0]
    composed = scan.array.copy()
    values = np.zeros(scan.shape, np.float64)
    values[reconstruction.hole.region][reconstruction.hole.mask] = reconstruction.values[reconstruction.hole.mask]
    composed[hole.region][hole.mask] = values[hole.region][hole.mask]
    middle = np.argwhere(hole.mask).mean(axis=0) + hole.start
    rebuilt = _written(folder / "rebuilt.nii.gz", composed, scan.affine)
    return OpenedCase(_written(folder / "scan.nii.gz", scan.array, scan.affine), _point(scan.ras_from_ijk(middle)), rebuilt)


def _segmented(run: HeldOutRun, row: dict, seed: int, folder: Path) -> OpenedCase:
    """A case with a label map; looked at where the structure of the row lies."""
    files = [file for subject, file in run.truths() if (subject, name_of(file)) == (row["subject"], row["case"])]
    if not files:
        raise InputError(f"The case '{row['case']}' is not there any more: bring it back.")
    model = run.model()
    settings = segmentation_in(model.card)
    labels = labels_of(settings)
    scans, truth = read_case(files[0], settings)
    there = {place: scan for place, scan in enumerate(scans) if scan is not None}
    first = next(iter(there.values()))
    numbers = np.array([0, *labels.written])
    found = segment(there, model).labels
    kinds = labels.measured[row["structure"]]
    named = {
        number: (name, CLASS_COLORS[place % len(CLASS_COLORS)])
        for place, (name, number) in enumerate(zip(labels.names, labels.written))
    }
    both = np.isin(truth, kinds) | np.isin(found, numbers[list(kinds)])
    return _mapped(first.array, numbers[truth], found, first.affine, both, named, folder)


def _tissues(run: HeldOutRun, row: dict, seed: int, folder: Path) -> OpenedCase:
    """A scan synthesised from a label map, with its tissues."""
    number, file = _map_called(run, row["label_map"])
    contrast = CONTRASTS.index(row["contrast"])
    scan, truth = synthesized_scan(file, (seed, number, contrast), row["contrast"], float(row["slice_mm"]))
    true, found = truth.array.astype(np.uint8), tissue_found(scan, truth, run.model())
    named = {place: (name, CLASS_COLORS[place - 1]) for place, name in enumerate(TISSUE_NAMES, start=1)}
    maps = {word: _written(folder / f"{word}.nii.gz", array, truth.affine) for word, array in ((TRUTH, true), (FOUND, found))}
    apart = true != found
    middle = truth.ras_from_ijk(np.argwhere(apart if apart.any() else true > 0).mean(axis=0))
    return OpenedCase(_written(folder / "scan.nii.gz", scan.array, scan.affine), _point(middle), None, maps, named)


def _lesions(run: HeldOutRun, row: dict, seed: int, folder: Path) -> OpenedCase:
    """A head with painted lesions, on the model's grid."""
    number, file = _map_called(run, row["subject"])
    column = next((place for place, contrast in enumerate(CONTRASTS) if row["group"] == f"{SYNTHETIC} {contrast}"), None)
    if column is None:
        raise InputError(f"'{row['group']}' is not of the run's own test: open one of the synthesised heads.")
    model = run.model()
    image, truth = painted_head(file, CONTRASTS[column], HEADS * number + int(row["number"]), model.spacing, seed + column)
    true, found = truth.lesion_share >= 0.5, model.probabilities(image)[0] >= 0.5
    affine = np.diag([model.spacing] * 3 + [1.0])
    return _mapped(image, true, found, affine, true | found, {1: ("lesion", CLASS_COLORS[0])}, folder)


OPENED = {RECONSTRUCTION_KIND: _hole, SEGMENTATION_KIND: _segmented, TISSUE_KIND: _tissues, LESION_KIND: _lesions}
"""By what the model does: called with the run, a row of `worst_case.worst_cases`, the evaluation's seed,
and a folder for the images."""


def _map_called(run: HeldOutRun, name: str) -> tuple[int, Path]:
    """A test label map, and its number among them."""
    for number, file in enumerate(run.maps()):
        if name_of(file) == name:
            return number, file
    raise InputError(f"The label map '{name}' is not there any more: bring it back.")


def _mapped(image, truth, found, affine: np.ndarray, looked_at: np.ndarray, labels: dict, folder: Path) -> OpenedCase:
    """A case whose scan, truth and answer share a grid."""
    maps = {
        word: _written(folder / f"{word}.nii.gz", array.astype(np.uint16), affine)
        for word, array in ((TRUTH, truth), (FOUND, found))
    }
    shown = looked_at if looked_at.any() else np.ones(looked_at.shape, bool)
    middle = Grid(shown.shape, affine).ras_from_ijk(np.argwhere(shown).mean(axis=0))
    return OpenedCase(_written(folder / "scan.nii.gz", image, affine), _point(middle), None, maps, labels)


def _written(file: Path, array: np.ndarray, affine: np.ndarray) -> Path:
    write_nifti(file, array.astype(np.float32) if array.dtype.kind == "f" else array, affine)
    return file


def _point(point) -> tuple[float, float, float]:
    return tuple(float(value) for value in point)
