"""Table: results as JSON and CSV."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path

from .metric import METRICS
from .picture import display_window
from .result import RESEARCH_USE, Analysis, BoxResult
from .score import SCORES


def results_of(analysis: Analysis) -> dict:
    """Everything but the images, in plain JSON types; numbers that are not finite become null."""
    return plain(
        {
            "notice": RESEARCH_USE,
            "scan": analysis.scan.name,
            "boxes": [_box_record(result, analysis) for result in analysis.boxes],
            "rebuilt_by": analysis.rebuilt_by,
            "decision": analysis.decision,
            "warnings": list(analysis.warnings),
            "window": display_window(analysis),
            "provenance": analysis.provenance,
        }
    )


def write_results_json(analysis: Analysis, path: str | Path) -> None:
    """`results_of` as a file."""
    Path(path).write_text(json.dumps(results_of(analysis), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


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


def write_rows(path: str | Path, rows: list[dict]) -> None:
    """Rows as CSV, under all columns that any of them has; what is missing, None or NaN stays empty."""
    columns = list(dict.fromkeys(key for row in rows for key in row))
    with open(path, "w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, columns)
        writer.writeheader()
        writer.writerows({key: "" if value is None or value != value else value for key, value in row.items()} for row in rows)


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
        "label": result.label,
        "reason": result.reason,
        "warnings": list(result.warnings),
        "controls": [
            {
                "name": control.box.name,
                "center_ras": control.box.center.tolist(),
                "axes": control.box.axes.T.tolist(),
                "mismatch": control.mismatch,
                "depth_difference_mm": control.depth_difference,
                "metrics": control.metrics,
                "combined": control.combined,
                "z": {key: float(others[number]) for key, others in result.control_scores.items()},
            }
            for number, control in enumerate(result.controls)
        ],
    }


def plain(value):
    """A value in plain JSON types; numbers that are not finite become null."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, bool) or value is None or isinstance(value, (str, int)):
        return value
    number = float(value)
    return number if math.isfinite(number) else None
