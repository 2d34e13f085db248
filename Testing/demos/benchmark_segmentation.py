"""Segmentation beside MONAI's stock U-Net, and the time of a whole head: run by hand,
`python Testing/demos/benchmark_segmentation.py FOLDER`.

FOLDER holds hippocampi as the Medical Segmentation Decathlon lays them out. Both networks see the same samples in the same
order, with the same loss, optimiser, running average and number of steps, and segment the same held-out people by the same
windows; MONAI's also goes by the optimiser and the loss of MONAI's tutorials (Adam at 1e-4, Dice). The head is 240 x 240 x 155
voxels of 1 mm in four contrasts, by the network of brats2020.toml with fresh weights; what it answers does not matter for the
time.
"""

from __future__ import annotations

import argparse
import copy
import resource
import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

from RadiomicsPersonaLib.imaging.scan import Scan
from RadiomicsPersonaLib.networks.card import SEGMENTATION_KIND
from RadiomicsPersonaLib.networks.unets import network_of
from RadiomicsPersonaLib.segmentation.segmentation import segment
from RadiomicsPersonaLib.segmentation.segmentation_model import SegmentationModel
from RadiomicsPersonaTrainingLib.data.split import TEST
from RadiomicsPersonaTrainingLib.data.training_scans import split_of
from RadiomicsPersonaTrainingLib.evaluation.report import markdown_table
from RadiomicsPersonaTrainingLib.export.export import export_model
from RadiomicsPersonaTrainingLib.fitting.loop import fit
from RadiomicsPersonaTrainingLib.fitting.run_setup import Work, work_of
from RadiomicsPersonaTrainingLib.fitting.segmentation_task import SegmentationTask, segmentation_loss
from RadiomicsPersonaTrainingLib.head_evaluation.segmentation import evaluate_segmentation, summary_rows
from RadiomicsPersonaTrainingLib.runs.record import RunRecord, begin
from RadiomicsPersonaTrainingLib.settings.sample_sections import DICE
from RadiomicsPersonaTrainingLib.settings.sections import architecture_of
from RadiomicsPersonaTrainingLib.settings.training_settings import TrainingSettings, read_settings

RESOURCES = Path(__file__).resolve().parents[2] / "RadiomicsPersonaTraining" / "Resources" / "segmentation"
HEAD = (240, 240, 155)
BRAIN = (140, 175, 140)
"""Voxels of the box that holds the brain."""


class TutorialTask(SegmentationTask):
    """The optimiser of MONAI's tutorials."""

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.network.parameters(), 1e-4)


def main() -> None:
    """Measure and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", help="hippocampi; without it only the head is timed")
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if options.folder:
        compare(Path(options.folder), options.steps)
    time_head(options.threads)


def compare(folder: Path, steps: int) -> None:
    """The shipped network and MONAI's on the same steps."""
    settings = read_settings(RESOURCES / "hippocampus.toml")
    # the arithmetic is named, for it is chosen by our networks' depth otherwise
    settings = replace(
        settings, fit=replace(settings.fit, steps=steps, validate_every=min(100, steps), average=0.98, precision="bf16-mixed")
    )
    rows = split_of(settings, RESOURCES / "hippocampus.toml", folder)
    truths = [(row.subject, row.file) for row in rows if row.part == TEST]
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary)
        model, seconds = ours(settings, rows, root)
        told = [("shipped design", model, seconds)]
        for name, kind in (
            ("MONAI's UNet, same loop", SegmentationTask),
            ("MONAI's UNet, its tutorials' recipe", TutorialTask),
        ):
            network, seconds = monais(settings, rows, root, kind, root / kind.__name__)
            twin = copy.copy(model)
            twin.network = network
            told.append((name, twin, seconds))
        for name, each, seconds in told:
            size = sum(value.numel() for value in each.network.parameters())
            print(f"\n{name}: {size / 1e6:.2f} million weights, {steps} steps of {settings.fit.batch} in {seconds:.0f} s\n")
            print("\n".join(markdown_table(*summary_rows(evaluate_segmentation(truths, each)))), flush=True)


def ours(settings: TrainingSettings, rows: list, root: Path) -> tuple[SegmentationModel, float]:
    """Our network, fitted and exported, and the seconds of the fit."""
    run = root / "ours"
    begin(run, RunRecord(settings, tuple(rows)), resume=False)
    seconds = fitted(work_of(settings, rows, None, root / "cache"), settings, run)
    return SegmentationModel.load(str(export_model(run, root / "model"))), seconds


def monais(
    settings: TrainingSettings, rows: list, root: Path, kind: type[SegmentationTask], run: Path
) -> tuple[torch.nn.Module, float]:
    """MONAI's UNet as its tutorials make it, fitted, and the seconds of the fit."""
    from monai.networks.nets import UNet

    torch.manual_seed(settings.fit.seed)
    # the tutorials' fifth level of 256 would need patches that are multiples of 16
    network = UNet(
        spatial_dims=3, in_channels=1, out_channels=3, channels=(16, 32, 64, 128), strides=(2, 2, 2), num_res_units=2
    )
    work = work_of(settings, rows, None, root / "cache")
    task = kind(network, settings.task, work.task.steps, work.task.name_of, work.task.labels)
    if kind is TutorialTask:
        task.loss = segmentation_loss(DICE, len(task.labels.names), 0.5)
    seconds = fitted(replace(work, task=task), settings, run)
    state = torch.load(run / "best.ckpt", weights_only=True)["state_dict"]
    network.load_state_dict({key.removeprefix("network."): value for key, value in state.items() if key.startswith("network.")})
    return network.eval(), seconds


def fitted(work: Work, settings: TrainingSettings, run: Path) -> float:
    """Seconds of a fit."""
    started = time.monotonic()
    fit(work, settings.fit, run)
    return time.monotonic() - started


def time_head(threads: int, repeats: int = 5) -> None:
    """Seconds and memory of segmenting a whole head in four contrasts."""
    settings = read_settings(RESOURCES / "brats2020.toml")
    what, architecture = settings.segmentation, architecture_of(settings.network, SEGMENTATION_KIND, 4, 4)
    card = {
        "name": "fresh",
        "architecture": architecture,
        "grid": {"spacing_mm": what.spacing, "window_voxels": what.patch, "flips": what.flips_at_use},
        "segmentation": {
            "channels": [{"name": name} for name in what.channels],
            "labels": [{"name": str(number), "number": number} for number in (1, 2, 4)],
            "may_miss": True,
        },
    }
    with tempfile.TemporaryDirectory() as folder:
        weights = Path(folder) / "fresh.safetensors"
        save_file(network_of(architecture).state_dict(), str(weights))
        model = SegmentationModel(card, weights)
    rng = np.random.default_rng(0)
    scans = {}
    for place in range(4):
        array = np.zeros(HEAD, np.float32)
        array[tuple(slice((n - b) // 2, (n - b) // 2 + b) for n, b in zip(HEAD, BRAIN))] = rng.normal(500, 80, BRAIN)
        scans[place] = Scan(array, np.diag([-1.0, -1.0, 1.0, 1.0]))
    segment(scans, model)
    times, processor = [], []
    for _ in range(repeats):
        started = time.monotonic(), time.process_time()
        segment(scans, model)
        times.append(time.monotonic() - started[0])
        processor.append(time.process_time() - started[1])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"\nwhole head, 4 contrasts: {statistics.median(times):.1f} s on {threads} threads ({model.precision}; "
        f"{statistics.median(processor):.1f} s of processor time), {peak:.0f} MB at peak"
    )


if __name__ == "__main__":
    main()
