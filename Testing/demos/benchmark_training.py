"""Speed and memory of training, each beside a baseline in the same run: part of `make benchmark`.

The baseline is the loop of MONAI's tutorials (its DataLoader, one process, an Adam step per batch) with the same network on the
same pairs. Memory is the peak of a process that draws pairs from a cache of 20 scans and from one of 200.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import torch
from bench.phantom import make_head
from lightning.pytorch.callbacks import Callback

from RadiomicsPersonaLib.imaging.files import write_nifti
from RadiomicsPersonaLib.networks.unets import network_of
from RadiomicsPersonaTrainingLib.data.prepared_scans import CachedScans, prepare_scans
from RadiomicsPersonaTrainingLib.fitting.reconstruction_task import reconstruction_loss
from RadiomicsPersonaTrainingLib.samples.healthy_pairs import HealthyPairs
from RadiomicsPersonaTrainingLib.settings.sample_sections import Recipe
from RadiomicsPersonaTrainingLib.settings.sections import CacheSettings, NetworkSettings, TaskSettings, architecture_of

SCANS, MANY = 20, 200
BATCH, STEPS = 4, 12
DRAW = """
import resource, sys
from pathlib import Path
import numpy as np
from RadiomicsPersonaTrainingLib.data.prepared_scans import CachedScans
from RadiomicsPersonaTrainingLib.samples.healthy_pairs import HealthyPairs
from RadiomicsPersonaTrainingLib.settings.sample_sections import Recipe
entries = [Path(line) for line in sys.stdin.read().splitlines()]
pairs = HealthyPairs(CachedScans(entries), np.ones(len(entries)), Recipe(), 0)
for number in range(400):
    pairs[number]
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


def main() -> None:
    """Measure and print the table."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        files = []
        for number in range(MANY):
            head = make_head(2.0, seed=number % 4)
            file = root / f"sub-{number:03d}.nii.gz"
            # one voxel differs, so that every scan has an entry of its own
            head.array[0, 0, 0] += number
            write_nifti(file, head.array, head.affine)
            files.append(file)
        entries = [entry for entry in prepare_scans(files, root / "cache", CacheSettings(), workers=2)[0]]
        few, many = (_peak_mb(part) for part in (entries[:SCANS], entries))
        print(f"drawing from {MANY} scans    {many:.0f} MB at peak, {many / few:.2f} times that from {SCANS}")
        pairs = HealthyPairs(CachedScans(entries[:SCANS]), np.ones(SCANS), Recipe(), 0, population=True)
        plain = _monai_loop(pairs)
        ours, share = _lightning_loop(pairs, root / "run")
    print(
        f"training            {ours:.2f} patches/s, {ours / plain:.2f} times MONAI's tutorial loop; {share:.0%} of it in the "
        "network"
    )


def _peak_mb(entries: list[Path]) -> float:
    listing = "\n".join(map(str, entries))
    return float(subprocess.run([sys.executable, "-c", DRAW], input=listing, capture_output=True, text=True, check=True).stdout)


def _monai_loop(pairs: HealthyPairs) -> float:
    """Patches per second after a warm-up."""
    from monai.data import DataLoader

    torch.manual_seed(0)
    network = network_of(architecture_of(NetworkSettings()))
    optimizer = torch.optim.Adam(network.parameters(), 1e-4)
    loader = DataLoader(torch.utils.data.Subset(pairs, range(BATCH * STEPS)), batch_size=BATCH, num_workers=0)
    for number, (image, mirror, target, weight, _) in enumerate(loader):
        if number == 2:
            started = time.perf_counter()
        optimizer.zero_grad()
        reconstruction_loss(network(image, mirror), target, weight, 0.3).backward()
        optimizer.step()
    return BATCH * (STEPS - 2) / (time.perf_counter() - started)


def _lightning_loop(pairs: HealthyPairs, output: Path) -> tuple[float, float]:
    """Patches per second after a warm-up, and the share of the time between a batch's arrival and the end of its step."""
    from RadiomicsPersonaTrainingLib.data.training_scans import Cohort
    from RadiomicsPersonaTrainingLib.fitting.loop import fit
    from RadiomicsPersonaTrainingLib.fitting.run_setup import reconstruction_work
    from RadiomicsPersonaTrainingLib.settings.sections import FitSettings
    from RadiomicsPersonaTrainingLib.settings.training_settings import TrainingSettings

    watch = _Watch()
    run = FitSettings(steps=STEPS, batch=BATCH, validate_every=STEPS, validation_pairs=1, workers=1)
    settings = TrainingSettings(task=TaskSettings(), fit=run)
    work = reconstruction_work(settings, Cohort(pairs.scans, pairs.chances, pairs.scans, pairs.chances, (), ()))
    fit(work, run, output, callbacks=[watch])
    return BATCH * (STEPS - 2) / (watch.ended - watch.started), watch.inside / (watch.ended - watch.started)


class _Watch(Callback):
    """Times the batches after the first two."""

    inside = 0.0

    def on_train_batch_start(self, trainer, task, batch, index):
        self.arrived = time.perf_counter()
        if index == 2:
            self.started = self.arrived

    def on_train_batch_end(self, trainer, task, outputs, batch, index):
        self.ended = time.perf_counter()
        if index >= 2:
            self.inside += self.ended - self.arrived


if __name__ == "__main__":
    main()
