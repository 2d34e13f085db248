"""Results files: results as JSON and CSV, and an analysis read back from its files, so that its report can be written again
without computing anything.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..analysis.result import Analysis, BoxResult, Control, Part, StabilityTrial
from ..analysis.score import SCORES, Standing
from ..brain.tissue import IntensityScale
from ..defaults import RESEARCH_USE
from ..errors import InputError
from ..geometry.box import Box
from ..geometry.hole import hole_of_box
from ..imaging.files import read_label_map, read_scan, sha256_of
from ..imaging.scan import Scan
from ..metrics.metric import METRICS
from ..reconstruction.reconstruction import Reconstruction
from ..system.csv_table import written_cell
from ..system.json_text import json_value, written
from .picture import display_window
from .results_form import SCHEMA_VERSION, wrong_place


def results_of(analysis: Analysis) -> dict:
    """Everything but the images, in plain JSON types; numbers that are not finite become null."""
    return json_value(
        {
            "notice": RESEARCH_USE,
            "schema_version": SCHEMA_VERSION,
            "scan": analysis.scan.name,
            "boxes": [_box_record(result, analysis) for result in analysis.boxes],
            "rebuilt_by": analysis.rebuilt_by,
            "judged_by": analysis.judged_by,
            "decision": analysis.decision,
            "warnings": list(analysis.warnings),
            "window": display_window(analysis),
            "provenance": analysis.provenance,
        }
    )


def write_results_json(analysis: Analysis, path: str | Path) -> None:
    """`results_of` as a file."""
    Path(path).write_text(written(results_of(analysis), indent=1) + "\n", encoding="utf-8")


def write_results_csv(analysis: Analysis, path: str | Path) -> None:
    """One row per box; the columns are those of the JSON, vectors spread over R, A, S or X, Y, Z."""
    rows = []
    for record in results_of(analysis)["boxes"]:
        row = {"name": record["name"], "label": record["label"], "p": record["p"], "percentile": record["percentile"]}
        row |= {f"center_{c}": v for c, v in zip("ras", record["center_ras"])}
        row |= {f"size_{c}_mm": v for c, v in zip("xyz", record["size_mm"])}
        row |= {key: record[key] for key in ("voxels", "n_controls", "q", "probability", "combined")}
        row |= {key: record["metrics"][key] for key in METRICS}
        row |= {f"z_{key}": record["scores"].get(key, {}).get("z") for key in SCORES}
        row |= {"reason": record["reason"], "warnings": " ".join(record["warnings"])}
        rows.append(row)
    write_rows(path, rows)


def write_rows(path: str | Path, rows: list[dict], columns: Sequence[str] = ()) -> None:
    """Rows as CSV, under all columns that any of them has; what is missing, None or NaN stays empty, and no cell runs as a
    formula in a spreadsheet.

    Args:
        columns: those that come first, and are there without any row too.
    """
    columns = list(dict.fromkeys([*columns, *(key for row in rows for key in row)]))
    with open(path, "w", newline="", encoding="utf-8", errors="backslashreplace") as stream:
        writer = csv.writer(stream)
        writer.writerow(map(written_cell, columns))
        writer.writerows([written_cell(row.get(key)) for key in columns] for row in rows)


def probability_bound(p: float | None) -> float | None:
    """The most that p alone can say for pathology when both are held equally likely beforehand.

    1 - 1 / (1 + 1 / B) with B = -e p ln p, the bound of Sellke, Bayarri and Berger 2001; 0.5 (no evidence) for p >= 1/e.
    It is an upper bound, not a diagnosis: p = 0.03 gives 0.78, not 0.97.
    """
    if p is None:
        return None
    if p >= 1 / math.e:
        return 0.5
    return 1 / (1 - math.e * p * math.log(p))


def _box_record(result: BoxResult, analysis: Analysis) -> dict:
    box = result.box
    return {
        "name": box.name,
        "center_ras": box.center.tolist(),
        "center_ijk": analysis.scan.ijk_from_ras(box.center).tolist(),
        "size_mm": box.size.tolist(),
        "axes": box.axes.T.tolist(),
        "voxels": result.reconstruction.hole.voxels,
        "grid_mm": result.reconstruction.spacing,
        "metrics": result.metrics,
        "n_controls": len(result.controls),
        "independent_controls": result.independent_controls,
        "effective_boxes": result.effective_boxes,
        "p": result.p,
        "percentile": result.percentile,
        "q": result.q,
        "probability": result.probability,
        "combined": result.combined,
        "scores": {
            key: {
                "name": METRICS[key].label,
                "z": standing.z,
                "usual_up_to": result.usual_limit(key),
                "p": standing.p,
                "adds_to_log_odds": result.contributions.get(key),
            }
            for key, standing in result.standings.items()
        },
        "stability": [{"change": trial.change, "label": trial.label, "p": trial.p} for trial in result.stability],
        "parts": [
            {
                "volume_ml": part.volume_ml,
                "center_ras": part.box.center.tolist(),
                "size_mm": part.box.size.tolist(),
                "axes": part.box.axes.T.tolist(),
            }
            for part in result.parts
        ],
        "where": result.where,
        "persona": result.persona,
        "rebuilt_again_ml": result.rebuilt_again_ml,
        "error_rates": result.error_rates,
        "would_be_found": result.would_be_found,
        "certainty": result.certainty,
        "expected_error_sd": result.expected_error_sd,
        "beyond_expected": result.beyond_expected,
        "label": result.label,
        "word": result.word,
        "reason": result.reason,
        "warnings": list(result.warnings),
        "controls": [
            {
                "name": control.box.name,
                "center_ras": control.box.center.tolist(),
                "size_mm": control.box.size.tolist(),
                "axes": control.box.axes.T.tolist(),
                "metrics": control.metrics,
                "combined": control.combined,
                "z": {key: float(others[number]) for key, others in result.control_scores.items()},
            }
            for number, control in enumerate(result.controls)
        ],
    }


RESULTS = "results.json"
UNUSUAL = "unusual.nii.gz"
BRAIN = "brain.nii.gz"
BLIND = "blind.nii.gz"
EXPECTED_ERROR, EXPECTED_ERROR_SD = "expected_error.nii.gz", "expected_error_sd.nrrd"
"""In the scan's intensities, as `analyze` writes it, and in tissue SD, as Slicer does."""
RECONSTRUCTIONS = ("reconstruction.nii.gz", "reconstruction.nrrd")


@dataclass(frozen=True)
class SavedTissue:
    """What the results keep of a scan's `tissue.Tissue`."""

    scale: IntensityScale


def read_analysis(folder: str | Path, scan: Scan, file: str | Path | None = None) -> Analysis:
    """The analysis whose results.json and reconstruction lie in a folder.

    Args:
        scan: the scan that was analyzed.
        file: where it was read from, to be held against what the results say of their scan's file.
    Raises:
        InputError: a file is missing or damaged, or the reconstruction is not the scan outside the boxes.
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
        raise InputError(
            f"'{reconstruction.name}' is on another grid than the scan '{scan.name}': name the scan that was analyzed."
        )
    try:
        results = json.loads(path.read_text(encoding="utf-8"))
        place = wrong_place(results)
        if place:
            raise InputError(f"'{path}' was not written by this version of the program (unusable: {place}): analyze again.")
        unusual, brain = (_mask_in(folder, name, scan) for name in (UNUSUAL, BRAIN))
        values = rebuilt.array.astype(scan.array.dtype, copy=False)
        try:
            analysis = _analysis(results, scan, values, unusual, brain)
        except InputError as error:  # a box that this scan does not hold
            raise InputError(f"'{path}' does not belong to the scan '{scan.name}': {error}") from error
        _refuse_unless_rebuilt_from(analysis, path, reconstruction.name)
        if file is not None and reconstruction.name == RECONSTRUCTIONS[0]:  # Slicer writes the scan anew, too
            analysis = _of_this_file(analysis, path, Path(file))
        return _with_expected_error(analysis, folder)
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise InputError(
            f"'{path}' was not written by this version of the program ({type(error).__name__}: {error}): analyze again."
        ) from error


def _refuse_unless_rebuilt_from(analysis: Analysis, path: Path, name: str) -> None:
    """Refuse a reconstruction that is not the scan outside the boxes.

    Raises:
        InputError: one of the two belongs to something else.
    """
    scan, outside = analysis.scan.array, np.ones(analysis.scan.shape, bool)
    for result in analysis.boxes:
        outside[result.reconstruction.hole.region] &= ~result.reconstruction.hole.mask
    rounding = 1e-6 * float(np.abs(scan).max(initial=0))  # of files that hold fewer digits
    if (np.abs(analysis.reconstruction - scan) > rounding)[outside].any():
        raise InputError(
            f"Outside the boxes of '{path}' the image '{name}' differs from the scan '{analysis.scan.name}': name the scan "
            "that was analyzed, and the folder as `analyze` has written it."
        )


def _of_this_file(analysis: Analysis, path: Path, file: Path) -> Analysis:
    """The analysis where its scan's file is the one that its results name; with a note where they name none.

    Raises:
        InputError: it is another file.
    """
    known = analysis.provenance.get("scan_sha256")
    if known is None:
        note = (
            f"'{path.name}' does not say which file was analyzed; that it is this scan is told by the voxels outside the boxes."
        )
        return replace(analysis, warnings=(*analysis.warnings, note))
    if known != sha256_of(file):
        raise InputError(
            f"'{file.name}' is not the file that '{path}' was made from (its SHA-256 is another one): name the scan that was "
            "analyzed, as it was then, or analyze again."
        )
    return analysis


def _with_expected_error(analysis: Analysis, folder: Path) -> Analysis:
    """The analysis with the expected error that it wrote; as it is where that is not there."""
    path = next((folder / name for name in (EXPECTED_ERROR, EXPECTED_ERROR_SD) if (folder / name).is_file()), None)
    if path is None:
        return analysis
    expected = read_scan(path).array.astype(np.float32)
    if path.name == EXPECTED_ERROR_SD:
        expected *= np.float32(analysis.tissue.scale.deviation)
    if expected.shape != analysis.scan.shape or not np.isfinite(expected).all() or (expected < 0).any():
        raise InputError(f"'{path.name}' does not belong to the scan '{analysis.scan.name}': analyze again.")
    holes = (result.reconstruction.hole for result in analysis.boxes)
    boxes = tuple(
        replace(result, expected_error=np.where(hole.mask, expected[hole.region], np.float32(0)))
        for result, hole in zip(analysis.boxes, holes)
    )
    return replace(analysis, boxes=boxes)


def _mask_in(folder: Path, name: str, scan: Scan) -> np.ndarray | None:
    """A mask that an analysis wrote; None where it is not there."""
    if not (folder / name).is_file():
        return None
    mask = read_label_map(folder / name).array > 0
    if mask.shape != scan.shape:
        raise InputError(f"'{name}' is on another grid than the scan '{scan.name}': analyze again.")
    return mask


def _analysis(results: dict, scan: Scan, rebuilt: np.ndarray, unusual: np.ndarray | None, brain: np.ndarray | None) -> Analysis:
    boxes = tuple(_box_result(record, scan, rebuilt, unusual, brain) for record in results["boxes"])
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


def _box_result(
    record: dict, scan: Scan, rebuilt: np.ndarray, unusual: np.ndarray | None, brain: np.ndarray | None
) -> BoxResult:
    box = Box(record["center_ras"], record["size_mm"], np.array(record["axes"]).T, record["name"])
    hole = hole_of_box(scan, box)
    controls = tuple(
        Control(
            Box(kept["center_ras"], kept["size_mm"], np.array(kept["axes"]).T, kept["name"]),
            _metrics(kept["metrics"]),
            _number(kept["combined"]),
        )
        for kept in record["controls"]
    )
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
        effective_boxes=record["effective_boxes"],
        unusual=None if unusual is None else unusual[hole.region] & hole.mask & (record["label"] == 1),
        brain=None if brain is None else brain[hole.region] & hole.mask,
        parts=tuple(
            Part(
                kept["volume_ml"],
                Box(kept["center_ras"], kept["size_mm"], np.array(kept["axes"]).T, f"{record['name']}, part {number}"),
            )
            for number, kept in enumerate(record["parts"], start=1)
        ),
        rebuilt_again_ml=record["rebuilt_again_ml"],
        error_rates=record["error_rates"],
        would_be_found=record["would_be_found"],
        expected_error_sd=record["expected_error_sd"],
        beyond_expected=record["beyond_expected"],
        stability=tuple(StabilityTrial(kept["change"], kept["label"], kept["p"]) for kept in record["stability"]),
    )


def _metrics(record: dict) -> dict[str, float]:
    return {key: _number(value) for key, value in record.items()}


def _number(value: float | None) -> float:
    """JSON has no NaN; results write null."""
    return math.nan if value is None else float(value)
