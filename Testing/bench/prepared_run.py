"""A run of the command line whose result is known beforehand, for tests of what Slicer does with it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from RadiomicsPersonaLib import __version__
from RadiomicsPersonaLib.geometry.hole import hole_of_box
from RadiomicsPersonaLib.geometry.markups import read_boxes
from RadiomicsPersonaLib.imaging.files import read_scan
from RadiomicsPersonaLib.metrics.metric import METRICS
from RadiomicsPersonaLib.report.exchange import ARRAYS, RESULTS
from RadiomicsPersonaLib.report.results_form import SCHEMA_VERSION
from RadiomicsPersonaLib.system.child import Cancelled

LABELS = (1, 0, None)
EXPECTED_ERROR = 8.0
"""Of the persona, in the scan's intensities: two tissue SD."""
WORDS = {1: "Pathological", 0: "Healthy", None: "Undetermined"}


class PreparedRun:
    """Reads the files it is given with the core, and answers as the worker with a reconstruction that is 7 everywhere in the
    boxes.

    Attributes:
        arguments: of the latest run.
        scan, boxes: what the latest run was given.
        lines: what the run says while it lasts.
        error: raised instead of an answer, if set.
    """

    def __init__(self, lines: tuple[str, ...] = ("Reading",), error: Exception | None = None):
        self.lines, self.error = lines, error
        self.arguments = self.scan = self.boxes = None

    def __call__(self, arguments, proceed) -> None:
        self.arguments = list(arguments)
        words = [word for word in arguments[2:] if word not in ("--json", "--one-look")]
        option = dict(zip(words[::2], words[1::2]))
        self.scan = read_scan(arguments[1])
        self.boxes = read_boxes(option["--boxes"])
        for line in self.lines:
            if not proceed(line):
                raise Cancelled
        if self.error:
            raise self.error
        output = Path(option["--output"])
        output.mkdir()
        reconstruction = self.scan.array.copy()
        holes = [hole_of_box(self.scan, box) for box in self.boxes]
        for hole in holes:
            reconstruction[hole.region][hole.mask] = 7
        difference = (self.scan.array - reconstruction).astype(np.float32)
        deviation_p = np.ones(self.scan.shape, np.float32)
        for hole in holes:
            deviation_p[hole.region][hole.mask] = 0.02
        arrays = {"reconstruction": reconstruction, "difference": difference, "deviation_p": deviation_p}
        arrays["expected_error"] = np.where(deviation_p < 1, EXPECTED_ERROR, 0).astype(np.float32)
        arrays["blind"] = reconstruction
        arrays["unusual"] = np.zeros(self.scan.shape, bool)
        for number, hole in enumerate(holes):
            if LABELS[number % len(LABELS)] == 1:  # its lower half
                half = np.arange(hole.mask.shape[2]) < hole.mask.shape[2] // 2
                arrays["unusual"][hole.region] |= hole.mask & half
        np.savez(output / ARRAYS, affine=self.scan.affine, **arrays)
        results = {
            "schema_version": SCHEMA_VERSION,
            "boxes": [self._record(number, box, hole) for number, (box, hole) in enumerate(zip(self.boxes, holes))],
            "decision": {"rule": option["--decision"], "threshold": float(option["--threshold"])},
            "window": [0.0, 900.0],
            "warnings": ["The slices are thick; naïve détail is lost."],
            "rebuilt_by": "Rebuilt by healthy-any, taken because the scan does not look T1-weighted.",
            "judged_by": "Scores weighed by a classifier of your own, clinic.",
            "provenance": {
                "versions": {"RadiomicsPersona": __version__},
                "model": {"name": option["--model"]},
                "preprocessing": {
                    "tissue_scale": {"center": 50.0, "deviation": 4.0},
                    "midplane": {"normal": [1.0, 0.0, 0.0], "offset_mm": 18.0, "symmetry": 0.9},
                },
            },
        }
        (output / RESULTS).write_text(json.dumps(results, ensure_ascii=False), encoding="utf-8")

    def _record(self, number: int, box, hole) -> dict:
        label = LABELS[number % len(LABELS)]
        p = {1: 0.04, 0: 0.6, None: None}[label]
        return {
            "name": box.name,
            "center_ras": box.center.tolist(),
            "size_mm": box.size.tolist(),
            "axes": box.axes.T.tolist(),
            "voxels": hole.voxels,
            "grid_mm": 2.0,
            "independent_controls": 2.0,
            "effective_boxes": 100.0,
            "stability": [],
            "parts": [
                {
                    "volume_ml": 0.5,
                    "center_ras": (box.center + 1.0).tolist(),
                    "size_mm": (0.5 * box.size).tolist(),
                    "axes": box.axes.T.tolist(),
                }
            ]
            if label == 1
            else [],
            "where": "What is unusual measures 0.5 ml." if label == 1 else "",
            "persona": "",
            "rebuilt_again_ml": None,
            "error_rates": f"Of boxes like this one {number} were called.",
            "would_be_found": "" if label else "A painted lesion would have been called.",
            "certainty": "The persona may be off.",
            "expected_error_sd": 2.0,
            "beyond_expected": 0.1,
            "metrics": dict.fromkeys(METRICS) | {"mse": 1.5 + number, "ssim": None if label is None else 0.25},
            "n_controls": 0 if label is None else 24,
            "p": p,
            "q": p,
            "scores": {}
            if label is None
            else {
                key: {"name": name, "z": z, "usual_up_to": 1.6, "p": 0.1, "adds_to_log_odds": 0.2}
                for key, name, z in (
                    ("ssim", "SSIM (3-D)", 0.5),
                    ("asymmetry", "Asymmetry", None),
                    ("peak", "Peak difference", 4.0 + number),
                )
            },
            "percentile": None if p is None else 100 * (1 - p),
            "probability": None if p is None else 0.7,
            "label": label,
            "word": WORDS[label].lower(),
            "reason": f"{WORDS[label]}: reason {number}.",
            "warnings": ["Close to the rim."] if number else [],
            "combined": 3.0 - number,
            "controls": []
            if label is None
            else [
                {
                    "name": f"control {place}",
                    "center_ras": (box.center + [0.0, 2.0 * place, 0.0]).tolist(),
                    "axes": box.axes.T.tolist(),
                    "size_mm": box.size.tolist(),
                    "metrics": dict.fromkeys(METRICS) | {"mse": float(place), "ssim": 0.5},
                    "combined": -1.0 + 0.1 * place,
                    "z": {},
                }
                for place in range(1, 4)
            ],
        }
