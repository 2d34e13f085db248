"""Trains the models of Testing/bench/small_models, in about five minutes: python Testing/demos/small_models.py FOLDER

They know heads like those of `bench.phantom.make_head` and nothing else: for tests only. FOLDER gets maps, runs and models.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

sys.path[:0] = [str(Path(__file__).resolve().parents[1])]

from bench.training_site import tiny_tissue

from RadiomicsPersonaLib.imaging.files import write_nifti
from RadiomicsPersonaTrainingLib.cli import main

STEPS = {"tissue": 200, "lesion": 60}
SHAPE = (184, 222, 184)
"""Voxels of 1 mm along R, A, S."""
OTHER_SIDE = {2: 41, 3: 42, 4: 43, 10: 49}


def label_map(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """FreeSurfer numbers of such a head, of a size and folds of its own, and the 4x4 matrix to RAS millimetres."""
    points = np.stack(np.meshgrid(*(np.arange(n) - (n - 1) / 2 for n in SHAPE), indexing="ij"))
    mirrored = np.stack([np.abs(points[0]), *points[1:]])
    growth = rng.uniform(0.92, 1.06)

    def radius(center, half_axes, at=points) -> np.ndarray:
        return np.sqrt(sum(((at[k] - center[k]) / half_axes[k]) ** 2 for k in range(3)))

    folds = np.prod([np.sin(points[k] / rng.uniform(4, 6)) for k in range(3)], axis=0)
    brain = radius((0, 0, 10), growth * np.array([66, 82, 62]))
    numbers = np.zeros(SHAPE, np.int16)
    for number, center, half_axes in ((511, 8, (84, 102, 78)), (515, 8, (77, 94, 72)), (24, 10, (69, 85, 65))):
        numbers[radius((0, 0, center), growth * np.array(half_axes)) < 1] = number
    numbers[brain < 1 - 0.04 * np.maximum(folds, 0)] = 3
    numbers[brain < 0.78 + 0.09 * folds] = 2
    numbers[radius((20, 0, 2), (8, 18, 10), mirrored) < 1] = 10
    numbers[radius((10, 0, 18), (6, 30, 9), mirrored) < 1] = 4
    numbers[(mirrored[0] < 1.5) & (brain > 0.55) & (brain < 1) & (points[2] > 0)] = 24
    for left, right in OTHER_SIDE.items():
        numbers[(numbers == left) & (points[0] > 0)] = right
    affine = np.eye(4)
    affine[:3, 3] = -(np.array(SHAPE) - 1) / 2
    return numbers, affine


def train(folder: Path) -> None:
    """Make the maps, train on one of them, export."""
    (folder / "maps").mkdir(parents=True)
    for number in range(3):
        write_nifti(folder / "maps" / f"map-{number}.nii.gz", *label_map(np.random.default_rng(number)))
    commands = [["split", folder / "maps", "--output", folder / "maps.csv"]]
    for kind, steps in STEPS.items():
        settings = tiny_tissue(steps, kind).replace("tiny", "small").replace("[32, 48, 32]", "[48, 64, 48]")
        (folder / f"{kind}.toml").write_text(settings)
        commands.append(["fit", folder / f"{kind}.toml", "--output", folder / kind, "--cache", folder / "cache"])
        commands.append(["export", folder / kind, "--output", folder / "models" / f"small-{kind}"])
    for command in commands:
        if main([*map(str, command)]):
            sys.exit(1)


if __name__ == "__main__":
    train(Path(sys.argv[1]).resolve())
