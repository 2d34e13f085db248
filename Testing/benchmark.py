"""Speed and memory, each beside a baseline in the same run: `make benchmark`.

Medians of five runs after a warm-up, on two threads. Ratios say more than seconds: they hold on other machines too.
"""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import torch
from bench.phantom import make_head

from RadiomicsPersonaLib.analysis import analyze
from RadiomicsPersonaLib.box import Box
from RadiomicsPersonaLib.control import place_controls
from RadiomicsPersonaLib.defaults import USUAL_CONTROLS
from RadiomicsPersonaLib.hole import hole_of_box
from RadiomicsPersonaLib.model import load_model
from RadiomicsPersonaLib.preparation import prepare
from RadiomicsPersonaLib.reconstruction import rebuild
from RadiomicsPersonaLib.scan import read_scan, write_nifti

RUNS = 5
THREADS = 2


def median_seconds(task) -> float:
    """Median wall time of `RUNS` runs after one that does not count."""
    task()
    times = []
    for _ in range(RUNS):
        started = time.perf_counter()
        task()
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def main() -> None:
    """Measure and print the table."""
    torch.set_num_threads(THREADS)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "head.nii.gz"
        head = make_head(1.0)
        write_nifti(path, head.array, head.affine)
        loading = median_seconds(lambda: read_scan(path))
    box = Box([34, -10, 14], [30, 30, 30])
    model = load_model("auto")
    one = median_seconds(lambda: analyze(head, [box], model, controls=0))
    all_ = median_seconds(lambda: analyze(head, [box], model))
    hole = hole_of_box(head, box)
    prepared = prepare(head, [hole])
    placed = place_controls(prepared, box, rebuild(prepared, [hole], model)[0], USUAL_CONTROLS, 0)
    holes = [control.hole for control in placed]
    batched = median_seconds(lambda: rebuild(prepared, holes, model))
    singly = median_seconds(lambda: [rebuild(prepared, [hole], model) for hole in holes])
    imported = median_seconds(
        lambda: subprocess.run([sys.executable, "-c", "import RadiomicsPersonaLib.analysis"], check=True)
    ) - median_seconds(lambda: subprocess.run([sys.executable, "-c", "import numpy"], check=True))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    scan_mb = head.array.nbytes / 2**20
    print(f"scan {' x '.join(map(str, head.shape))} at 1 mm, box 30 mm, {THREADS} threads, {model.precision}")
    print(f"{'what':<44} {'seconds':>8} {'baseline':<34} {'ratio':>7}")
    rows = [
        ("one box, end to end", one, "loading the scan", loading),
        ("one box with its controls, end to end", all_, "one box without controls", one),
        (f"{len(holes)} controls rebuilt in batches", batched, "one by one", singly),
    ]
    for what, seconds, baseline, base in rows:
        print(f"{what:<44} {seconds:8.2f} {f'{baseline} ({base:.2f} s)':<34} {seconds / base:7.2f}")
    print(f"{'import of the core, beyond numpy':<44} {imported:8.2f}")
    print(f"{'peak memory of the process':<44} {peak:6.0f} MB {f'the scan in memory ({scan_mb:.0f} MB)':<34} {peak / scan_mb:7.1f}")


if __name__ == "__main__":
    main()
