"""Speed and memory, each beside a baseline in the same run: `make benchmark`.

Medians of three runs after a warm-up, on two threads. Ratios say more than seconds: they hold on other machines too.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import torch
from bench.phantom import make_head

from RadiomicsPersonaLib.analysis.analysis import analyze
from RadiomicsPersonaLib.analysis.control import place_controls
from RadiomicsPersonaLib.brain.preparation import prepare
from RadiomicsPersonaLib.defaults import USUAL_CONTROLS
from RadiomicsPersonaLib.geometry.box import Box
from RadiomicsPersonaLib.geometry.hole import hole_of_box
from RadiomicsPersonaLib.imaging.files import read_scan, write_nifti
from RadiomicsPersonaLib.reconstruction.reconstruction import rebuild
from RadiomicsPersonaLib.reconstruction.reconstruction_model import load_model
from RadiomicsPersonaLib.report.exchange import read_exchange
from RadiomicsPersonaLib.system.child import Child, child_environment

RUNS = 3
THREADS = 2


def median_seconds(task, before=lambda: None) -> float:
    """Median wall time of `RUNS` runs after one that does not count; what is done `before` each does not count either."""
    task()
    times = []
    for _ in range(RUNS):
        before()
        started = time.perf_counter()
        task()
        times.append(time.perf_counter() - started)
    return statistics.median(times)


class Window:
    """What Slicer's process does, with its worker: see `worker`."""

    def __init__(self, scan: Path, folder: Path):
        library = Path(__file__).parents[2] / "RadiomicsPersona"
        environment = child_environment(os.environ, library) | {"OMP_NUM_THREADS": str(THREADS)}
        self.worker = Child([sys.executable, "-m", "RadiomicsPersonaLib.worker"], lambda: environment)
        self.scan, self.folder, self.place = str(scan), folder, 0

    def twin(self) -> None:
        """The twin of a box of 30 mm one step further, read as the panel does."""
        self.place += 1
        request = {"kind": "twin", "scan": self.scan, "model": "auto", "device": "cpu", "output": str(self.folder / "twin.npz")}
        request["boxes"] = [{"center": [34.0, -10 + self.place % 20, 14], "size": [30.0, 30, 30]}]
        self.worker.run(request, lambda activity: True)
        np.load(self.folder / "twin.npz")["values"].sum()

    def first_twin(self) -> None:
        """The same with a worker that is not there yet."""
        self.worker.end()
        self.twin()

    def apply(self) -> None:
        """One box with three healthy ones, read as the panel does."""
        words = ["analyze", self.scan, "--box=34,-10,14,30,30,30", "--controls", "3", "--output", str(self.folder / "results")]
        self.worker.run({"kind": "command", "arguments": words, "for_slicer": True}, lambda activity: True)
        read_exchange(self.folder / "results")

    def first_apply(self) -> None:
        """The same with a worker that is not there yet."""
        self.worker.end()
        self.apply()

    def prepared(self) -> None:
        """A worker that has looked at the scan, as the panel asks for when the scan is chosen, and at no box."""
        self.worker.end()
        request = {"kind": "prepare", "scan": self.scan, "model": "auto", "device": "auto"}
        self.worker.run(request, lambda activity: True)


def main() -> None:
    """Measure and print the table."""
    torch.set_num_threads(THREADS)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "head.nii.gz"
        head = make_head(1.0)
        write_nifti(path, head.array, head.affine)
        loading = median_seconds(lambda: read_scan(path))
        window = Window(path, Path(folder))
        first_twin, twin = median_seconds(window.first_twin), median_seconds(window.twin)
        first_apply, apply = median_seconds(window.first_apply), median_seconds(window.apply)
        prepared_apply = median_seconds(window.apply, window.prepared)
        window.worker.end()
    box = Box([34, -10, 14], [30, 30, 30])
    model = load_model("auto")
    one = median_seconds(lambda: analyze(head, [box], model, controls=0))
    all_ = median_seconds(lambda: analyze(head, [box], model))
    hole = hole_of_box(head, box)
    prepared = prepare(head, [hole])
    placed = place_controls(prepared, USUAL_CONTROLS)
    holes = [control.hole for control in placed]
    batched = median_seconds(lambda: rebuild(prepared, holes, model))
    singly = median_seconds(lambda: [rebuild(prepared, [hole], model) for hole in holes])
    imported = median_seconds(
        lambda: subprocess.run([sys.executable, "-c", "import RadiomicsPersonaLib.analysis.analysis"], check=True)
    ) - median_seconds(lambda: subprocess.run([sys.executable, "-c", "import numpy"], check=True))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    scan_mb = head.array.nbytes / 2**20
    print(f"scan {' x '.join(map(str, head.shape))} at 1 mm, box 30 mm, {THREADS} threads, {model.precision}")
    print(f"{'what':<50} {'seconds':>8} {'baseline':<34} {'ratio':>7}")
    rows = [
        ("one box, end to end", one, "loading the scan", loading),
        ("one box with its controls, end to end", all_, "one box without controls", one),
        (f"live persona in the panel, {1 / twin:.1f} a second", twin, "one box, end to end", one),
        ("first live persona, with the worker's start", first_twin, "loading the scan", loading),
        ("first Apply, 3 controls, with the worker's start", first_apply, "another Apply", apply),
        ("first Apply of a scan that was prepared", prepared_apply, "with the worker's start", first_apply),
        (f"{len(holes)} controls rebuilt in batches", batched, "one by one", singly),
    ]
    for what, seconds, baseline, base in rows:
        print(f"{what:<50} {seconds:8.2f} {f'{baseline} ({base:.2f} s)':<34} {seconds / base:7.2f}")
    print(f"{'import of the core, beyond numpy':<50} {imported:8.2f}")
    print(
        f"{'peak memory of the process':<50} {peak:6.0f} MB {f'the scan in memory ({scan_mb:.0f} MB)':<34} "
        f"{peak / scan_mb:7.1f}"
    )


if __name__ == "__main__":
    main()
