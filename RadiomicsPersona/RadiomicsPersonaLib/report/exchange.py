"""Exchange: results on their way from the worker to Slicer's process, as files that numpy alone reads."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from ..system.json_text import written

RESULTS, ARRAYS = "results.json", "arrays.npz"
PAINTED = "painted.npz"
SEGMENTATION, SEGMENTS, SURFACE = "segmentation.json", "segments.npz", "surface.npz"


def write_exchange(analysis, folder: Path, found=None, told=None) -> None:
    """Write an `Analysis`: `results_of` and, uncompressed, its arrays with the scan's affine; and what it was segmented into,
    if it was.
    """
    from .results_files import write_results_json  # with all of the analysis, which Slicer's own process must not load

    write_results_json(analysis, folder / RESULTS)
    names = ("reconstruction", "difference", "deviation_p", "unusual", "blind")
    arrays = {name: getattr(analysis, name) for name in names}
    if analysis.expected_error is not None:
        arrays["expected_error"] = analysis.expected_error
    np.savez(folder / ARRAYS, affine=analysis.scan.affine, **arrays)
    if found:
        write_segmentation(found, told, folder)


def read_exchange(folder: str | Path) -> tuple[dict, dict[str, np.ndarray]]:
    """What `write_exchange` wrote.

    Returns:
        the content of results.json; `reconstruction`, `difference` (scan minus reconstruction), `deviation_p`, `unusual` and
        `blind`, and where it is known `expected_error`, axes I, J, K, with their `affine`, 4x4, IJK to RAS millimetres.
    """
    results = json.loads((Path(folder) / RESULTS).read_text(encoding="utf-8"))
    with np.load(Path(folder) / ARRAYS) as arrays:
        return results, dict(arrays)


def write_segmentation(found, told: dict, folder: Path) -> None:
    """Write a `Segmentation`, and what is told of it, see `segment_files`."""
    (folder / SEGMENTATION).write_text(written(told), encoding="utf-8")
    probabilities = {} if found.probabilities is None else {"probabilities": found.probabilities}
    np.savez(folder / SEGMENTS, labels=found.labels, affine=found.affine, **probabilities)


def read_segmentation(folder: str | Path) -> tuple[dict, dict[str, np.ndarray]] | None:
    """What `write_segmentation` wrote, or None where nothing was.

    Returns:
        what is told of it; `labels`, axes I, J, K, with their `affine`, 4x4, IJK to RAS millimetres, and perhaps
        `probabilities`, one volume per class.
    """
    if not (Path(folder) / SEGMENTATION).is_file():
        return None
    told = json.loads((Path(folder) / SEGMENTATION).read_text(encoding="utf-8"))
    with np.load(Path(folder) / SEGMENTS) as arrays:
        return told, dict(arrays)


def write_arrays_of_surface(surface, folder: Path) -> None:
    """Write a `Surface`."""
    np.savez(folder / SURFACE, points=surface.points, faces=surface.faces)


def read_arrays_of_surface(folder: str | Path) -> dict[str, np.ndarray]:
    """What `write_arrays_of_surface` wrote: the arguments of `Surface`."""
    with np.load(Path(folder) / SURFACE) as arrays:
        return dict(arrays)


def write_painted(folder: Path, values: np.ndarray, lesion: np.ndarray, affine: np.ndarray) -> None:
    """Write a `PaintedLesion`'s values and its lesion, axes I, J, K, with the scan's affine."""
    np.savez(folder / PAINTED, values=values, lesion=lesion, affine=affine)


def read_painted(folder: str | Path) -> dict[str, np.ndarray]:
    """What `write_painted` wrote."""
    with np.load(Path(folder) / PAINTED) as arrays:
        return dict(arrays)
