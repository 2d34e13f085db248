"""API: what a Python program uses, by the names that `import RadiomicsPersonaLib as rp` offers.

These names, their arguments and what they return change only with the first number of the version. Everything deeper may move.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from .analysis.analysis import analyze as _analyze
from .analysis.classifier import load_classifier
from .analysis.result import Analysis
from .analysis.verdict import Decision
from .commands.analyze import write_all
from .defaults import DEFAULT_MODEL, LESION_MODEL, USUAL_CONTROLS, USUAL_THRESHOLDS
from .errors import InputError
from .geometry.box import Box
from .geometry.hole import hole_of_box
from .imaging.files import read_scan, sha256_of, write_nifti
from .imaging.scan import Scan
from .reconstruction.inpainting import inpaint
from .reconstruction.reconstruction_model import load_model
from .segmentation.segmentation import Segmentation
from .segmentation.segmenter import load_segmenting, segment_files
from .system.output import file_written_whole, folder_written_whole

Progress = Callable[[int, int, str], None]


def analyze(
    scan: Scan | str | Path,
    boxes: Box | Sequence[Box],
    *,
    model: str = DEFAULT_MODEL,
    device: str = "auto",
    controls: int = USUAL_CONTROLS,
    decision: str = "p",
    threshold: float | None = None,
    classifier: str | Path | None = None,
    exclude: np.ndarray | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> Analysis:
    """Rebuild, compare and judge boxes, as `radiomics-persona analyze` does.

    Args:
        scan: a scan, or the file or DICOM folder of one.
        boxes: one box or several, RAS millimetres.
        model: what rebuilds: a name that `radiomics-persona models` lists, or the file of a card.
        device: "auto", "cpu", "cuda" or another device of PyTorch.
        controls: number of control regions in the scan.
        decision: what the label rests on: "p", "classifier" or the key of a metric.
        threshold: of the decision; the usual one of "p" (0.05) and "classifier" (0.5) by default.
        classifier: name or file of one of your own; the shipped one by default.
        exclude: boolean, the scan's shape: known pathology, never taken for healthy.
        seed: of the control regions' places.
        progress: called with (done, total, what); may raise to cancel.
    Returns:
        One result per box in `boxes`, with `label` (0, 1 or None), `p`, `reason`, `metrics`; the healthy persona in
        `reconstruction`, an array of the scan's shape; `difference`; `warnings`.
    Raises:
        InputError: an input cannot be used; its text says what to do.
    """
    if decision not in USUAL_THRESHOLDS and threshold is None:
        raise InputError(f"The decision '{decision}' needs a threshold: give the metric's value.")
    read = _read(scan)
    analysis = _analyze(
        read,
        [boxes] if isinstance(boxes, Box) else list(boxes),
        load_model(str(model), device),
        controls,
        Decision(decision, USUAL_THRESHOLDS.get(decision) if threshold is None else threshold),
        seed,
        None if exclude is None else _mask(exclude, read),
        progress,
        load_classifier(classifier),
    )
    if not isinstance(scan, Scan):
        analysis.provenance["scan_sha256"] = sha256_of(scan)
    return analysis


def rebuild(
    scan: Scan | str | Path,
    where: Box | np.ndarray,
    *,
    model: str = DEFAULT_MODEL,
    device: str = "auto",
    progress: Progress | None = None,
) -> Scan:
    """Rebuild healthy tissue in a box or a mask, without looking inside; nothing is compared or judged.

    Args:
        scan: a scan, or its file.
        where: a box, or a boolean array of the scan's shape.
        model, device, progress: as in `analyze`.
    Returns:
        The scan with healthy tissue there, bit for bit the same elsewhere; `warnings` says what to bear in mind.
    Raises:
        InputError: an input cannot be used.
    """
    scan = _read(scan)
    if isinstance(where, Box):
        hole = hole_of_box(scan, where)
        mask = np.zeros(scan.shape, bool)
        mask[hole.region] = hole.mask
    else:
        mask = _mask(where, scan)
    rebuilt, _, warnings = inpaint(scan, mask, load_model(str(model), device), progress)
    return replace(scan, array=rebuilt, original=None, warnings=warnings)


def segment(
    scan: Scan | str | Path | Mapping[str, Scan | str | Path],
    *,
    model: str = LESION_MODEL,
    device: str = "auto",
    probabilities: bool = False,
    progress: Progress | None = None,
) -> Segmentation:
    """Find what a segmentation model was trained to find, as `radiomics-persona segment` does.

    Args:
        scan: a scan or its file; for models that take several contrasts a mapping such as {"t1": ..., "flair": ...}, whose
            first entry sets the grid.
        model: a model that segments, or the file of a card.
        device, progress: as in `analyze`.
        probabilities: whether to keep a probability for every class.
    Returns:
        `labels` on the scan's grid, their `classes`, and `milliliters` by class.
    Raises:
        InputError: an input cannot be used.
    """
    named = scan if isinstance(scan, Mapping) else {"": scan}
    files, scans = [], {}
    for number, (name, one) in enumerate(named.items()):
        file = f"scan {number}" if isinstance(one, Scan) else str(one)
        scans |= {file: one} if isinstance(one, Scan) else {}
        files.append(f"{name}={file}" if name else file)
    return segment_files(files, load_segmenting(str(model), device), probabilities, progress, scans)[0]


def save(result: Analysis | Scan | Segmentation, path: str | Path, *, name: str | None = None) -> Path:
    """Write a result, whole or not at all.

    Args:
        result: an analysis becomes a folder with results, volumes, report and Slicer scene; a scan or a segmentation becomes
            one NIfTI file.
        path: the folder, or a file that ends in .nii.gz or .nii.
        name: what the report of an analysis calls the scan; without it the report is anonymous.
    Returns:
        The path.
    Raises:
        InputError: it cannot be written there.

    >>> import tempfile
    >>> from RadiomicsPersonaLib.imaging.scan import make_scan
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = save(make_scan(np.arange(60.0).reshape(3, 4, 5), np.eye(4)), f"{folder}/scan.nii.gz")
    ...     read_scan(file).shape
    (3, 4, 5)
    """
    if isinstance(result, Analysis):
        with folder_written_whole(str(path)) as folder:
            write_all(result, folder, name)
        return Path(path)
    if not str(path).endswith((".nii", ".nii.gz")):
        raise InputError(f"The output '{path}' must end in .nii or .nii.gz.")
    with file_written_whole(str(path)) as file:
        write_nifti(file, result.labels if isinstance(result, Segmentation) else result.array, result.grid.affine)
    return Path(path)


def _read(scan: Scan | str | Path) -> Scan:
    return scan if isinstance(scan, Scan) else read_scan(scan)


def _mask(mask: np.ndarray, scan: Scan) -> np.ndarray:
    mask = np.asarray(mask, bool)
    if mask.shape != scan.shape:
        raise InputError(f"The mask has the shape {mask.shape}, the scan {scan.shape}: bring it onto the scan's grid.")
    return mask
