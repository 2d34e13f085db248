"""Exchange: an analysis on its way from the worker to Slicer's process, as two files that numpy alone reads."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

RESULTS, ARRAYS = "results.json", "arrays.npz"


def write_exchange(analysis, folder: Path) -> None:
    """Write an `Analysis`: `results_of` and, uncompressed, its arrays with the scan's affine."""
    from .table import write_results_json

    write_results_json(analysis, folder / RESULTS)
    arrays = {"reconstruction": analysis.reconstruction, "difference": analysis.difference, "deviation_p": analysis.deviation_p}
    np.savez(folder / ARRAYS, affine=analysis.scan.affine, **arrays)


def read_exchange(folder: str | Path) -> tuple[dict, dict[str, np.ndarray]]:
    """What `write_exchange` wrote.

    Returns:
        the content of results.json; `reconstruction`, `difference` (scan minus reconstruction) and `deviation_p`, axes I, J, K,
        with their `affine`, 4x4, IJK to RAS millimetres.
    """
    results = json.loads((Path(folder) / RESULTS).read_text(encoding="utf-8"))
    with np.load(Path(folder) / ARRAYS) as arrays:
        return results, dict(arrays)
