"""`radiomics-persona-train fit`: train a model as a settings file says."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from RadiomicsPersonaLib.commands.job import Job
from RadiomicsPersonaLib.errors import InputError

from ..data.training_scans import lesion_masks_of, split_of
from ..runs.heartbeat import NAME, alive_in, refuse_if_running
from ..runs.record import RunRecord, begin, may_begin
from ..settings.training_settings import read_settings

# Imported in functions: estimate, callbacks, loop and run_setup, which load torch and Lightning for some ten seconds. A wrong
# word is answered at once, and a run has its heartbeat by then.


EXAMPLES = (
    "settings.toml -o run",
    "settings.toml -o run --minutes 30",
    "settings.toml -o run --resume",
    "settings.toml -o run --estimate",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `fit` may be asked."""
    parser.add_argument("settings", metavar="SETTINGS.toml", help="of the training, as init writes them")
    parser.add_argument("--output", required=True, metavar="RUN", help="folder for checkpoints, log and pictures")
    parser.add_argument("--data", metavar="FOLDER", help="where the split's relative files lie (default: beside the split)")
    parser.add_argument("--cache", metavar="FOLDER", help="prepared scans (default: cache/ beside RUN)")
    parser.add_argument(
        "--resume", action="store_true", help="go on from the end of the last epoch, or from the start where none was finished"
    )
    parser.add_argument(
        "--minutes",
        type=float,
        metavar="N",
        help="stop after this time, preparing included, ready to go on; a first epoch may take one minute",
    )
    parser.add_argument("--devices", type=int, default=1, metavar="N", help="GPUs, or processes on a CPU (default 1)")
    parser.add_argument("--nodes", type=int, default=1, metavar="N", help="machines (default 1)")
    parser.add_argument("--estimate", action="store_true", help="only say how much disk space and time it will take")


def run(options: argparse.Namespace, job: Job) -> int:
    """Train, or only say what it will take."""
    if min(options.devices, options.nodes) < 1 or (options.minutes is not None and not options.minutes > 0):
        raise InputError("--devices, --nodes and --minutes must be above 0: correct them, or leave them out.")
    began = time.monotonic()
    file, output = Path(options.settings), Path(options.output)
    settings = read_settings(file)
    root = Path(options.data) if options.data else None
    rows = split_of(settings, file, root)
    cache = Path(options.cache) if options.cache else output.parent / "cache"
    masks = lesion_masks_of(settings, file, root)
    if options.estimate:
        from ..fitting.estimate import estimate

        print(estimate(settings, rows, masks, cache, job.progress).sentence)
        return 0
    refuse_if_running(output / NAME)
    record = RunRecord(settings, tuple(rows))
    may_begin(output, record, options.resume)  # before a word of this one stands in the folder
    with alive_in(output / NAME, "fit", job.progress) as alive:
        goes_on = begin(output, record, options.resume)
        if options.resume and not goes_on:
            print("Its first epoch was not finished, so the run begins at its first step.", flush=True)
        from ..fitting.callbacks import StepsTold
        from ..fitting.loop import fit
        from ..fitting.run_setup import work_of

        work = work_of(settings, rows, masks, cache, lambda done, total, scan: alive.progress(done, total, f"preparing {scan}"))
        for sentence in work.told:
            print(sentence, flush=True)

        told = StepsTold(settings.fit.epochs, settings.fit.validate_every, alive.progress)
        left = options.minutes and max(options.minutes - (time.monotonic() - began) / 60, 1e-4)
        best = fit(work, settings.fit, output, goes_on, options.devices, options.nodes, left, (told,))
    print(f"Best checkpoint: {best}")
    return 0
