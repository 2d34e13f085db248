"""Saved: an analysis read back from its files, so that its report can be written again without computing anything."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .box import Box
from .errors import InputError
from .hole import hole_of_box
from .result import Analysis, BoxResult, Control, Reconstruction, Trial
from .scan import Scan, read_scan
from .score import Standing
from .tissue import IntensityScale

RESULTS = "results.json"
RECONSTRUCTIONS = ("reconstruction.nii.gz", "reconstruction.nrrd")


@dataclass(frozen=True)
class SavedTissue:
    """What the results keep of a scan's `tissue.Tissue`."""

    scale: IntensityScale


def read_analysis(folder: str | Path, scan: Scan) -> Analysis:
    """The analysis whose results.json and reconstruction lie in a folder.

    Args:
        scan: the scan that was analyzed.
    Raises:
        InputError: a file is missing or damaged, or the reconstruction is not on the scan's grid.
    """
    folder = Path(folder)
    path = folder / RESULTS
    if not path.is_file():
        raise InputError(f"There is no {RESULTS} in '{folder}': name a folder that `analyze` has written.")
    reconstruction = next((folder / name for name in RECONSTRUCTIONS if (folder / name).is_file()), None)
    if reconstruction is None:
        raise InputError(f"There is no {RECONSTRUCTIONS[0]} in '{folder}': name a folder that `analyze` has written.")
    rebuilt = read_scan(reconstruction)
    if rebuilt.shape != scan.shape or not np.allclose(rebuilt.affine, scan.affine, rtol=1e-4, atol=1e-3):
        raise InputError(f"'{reconstruction.name}' is on another grid than the scan '{scan.name}': name the scan that was analyzed.")
    try:
        results = json.loads(path.read_text(encoding="utf-8"))
        return _analysis(results, scan, rebuilt.array.astype(scan.array.dtype, copy=False))
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"'{path}' was not written by this version of the program ({error!r}): analyze again.") from error


def _analysis(results: dict, scan: Scan, rebuilt: np.ndarray) -> Analysis:
    boxes = tuple(_box_result(record, scan, rebuilt) for record in results["boxes"])
    difference = np.zeros(scan.shape, np.float32)
    for result in boxes:
        region, mask = result.reconstruction.hole.region, result.reconstruction.hole.mask
        difference[region][mask] = (scan.array[region] - rebuilt[region])[mask]
    scale = IntensityScale(**results["provenance"]["preprocessing"]["tissue_scale"])
    low, high = results["window"]
    return Analysis(
        scan=scan,
        tissue=SavedTissue(scale),
        midplane=None,
        boxes=boxes,
        reconstruction=rebuilt,
        difference=difference,
        deviation_p=np.ones(scan.shape, np.float32),
        decision=results["decision"],
        provenance=results["provenance"],
        warnings=tuple(results["warnings"]),
        window=(low, high),
    )


def _box_result(record: dict, scan: Scan, rebuilt: np.ndarray) -> BoxResult:
    box = Box(record["center_ras"], record["size_mm"], np.array(record["axes"]).T, record["name"])
    hole = hole_of_box(scan, box)
    controls = tuple(
        Control(
            Box(kept["center_ras"], record["size_mm"], np.array(kept["axes"]).T, kept["name"]),
            _metrics(kept["metrics"]), kept["mismatch"], kept["depth_difference_mm"], _number(kept["combined"]),
        )
        for kept in record["controls"]
    )  # fmt: skip
    scores = record["scores"]
    return BoxResult(
        box=box,
        reconstruction=Reconstruction(hole, rebuilt[hole.region].astype(np.float64), record["grid_mm"]),
        metrics=_metrics(record["metrics"]),
        controls=controls,
        p=record["p"],
        percentile=record["percentile"],
        label=record["label"],
        reason=record["reason"],
        warnings=tuple(record["warnings"]),
        standings={key: Standing(_number(kept["z"]), kept["p"]) for key, kept in scores.items()},
        combined=_number(record["combined"]),
        control_scores={key: np.array([_number(kept["z"].get(key)) for kept in record["controls"]]) for key in scores},
        probability=record["probability"],
        contributions={key: kept["adds_to_log_odds"] for key, kept in scores.items() if kept["adds_to_log_odds"] is not None},
        q=record["q"],
        independent_controls=record["independent_controls"],
        stability=tuple(Trial(kept["change"], kept["label"], kept["p"]) for kept in record["stability"]),
    )


def _metrics(record: dict) -> dict[str, float]:
    return {key: _number(value) for key, value in record.items()}


def _number(value: float | None) -> float:
    """JSON has no NaN; results write null."""
    return math.nan if value is None else float(value)
