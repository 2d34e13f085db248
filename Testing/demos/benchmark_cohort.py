"""How much faster two single-threaded workers do a cohort than one: `python Testing/demos/benchmark_cohort.py [SCANS]`.

One worker is held to one core, two to two: on a machine that does something else meanwhile, or whose cores share their
caches and clock, the ratio is smaller. Linux only, because of how a process is held to its cores.
"""

from __future__ import annotations

import csv
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.phantom import make_head

from RadiomicsPersonaLib.cohort.cohort import run_cohort
from RadiomicsPersonaLib.cohort.table import CohortTable
from RadiomicsPersonaLib.imaging.files import write_nifti

RUNS = 3
BOX = "34,-10,14,28,28,28"


def seconds(table: Path, workers: int, folder: Path) -> float:
    """Wall time of the cohort, the workers' start included."""
    rows = CohortTable(table, "analyze", [])
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, set(sorted(cores)[:workers]))
    try:
        started = time.perf_counter()
        outcome = run_cohort(rows, folder, workers)
        taken = time.perf_counter() - started
    finally:
        os.sched_setaffinity(0, cores)
    if outcome.broken:
        raise SystemExit(f"{outcome.broken} rows of the benchmark's own cohort failed; see {folder}.")
    return taken


def main() -> None:
    """Measure and print the ratio."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 8
    if not hasattr(os, "sched_setaffinity") or len(os.sched_getaffinity(0)) < 2:
        raise SystemExit("This needs Linux and two cores.")
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        head = make_head(2.0)
        write_nifti(folder / "head.nii.gz", head.array, head.affine)
        table = folder / "cohort.csv"
        with open(table, "w", newline="", encoding="utf-8") as stream:
            csv.writer(stream).writerows([["scan", "box", "seed"], *(["head.nii.gz", BOX, number] for number in range(count))])
        times = {1: [], 2: []}
        for run in range(RUNS):
            for workers, taken in times.items():
                taken.append(seconds(table, workers, folder / f"{workers} in run {run}"))
        one, two = (statistics.median(taken) for taken in times.values())
        ratio = statistics.median(a / b for a, b in zip(times[1], times[2]))
    print(f"{count} scans: one worker {one:.1f} s, two workers {two:.1f} s, {ratio:.2f} times as fast (median of {RUNS} pairs)")
    print(f"load of the machine meanwhile: {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
