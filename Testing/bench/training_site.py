"""Training site: settings of a training that takes seconds, and the environment of a training in a process of its own."""

from __future__ import annotations

import os
from pathlib import Path

RECIPE = """
patch = 32
spacings = [2.0, 3.0]
spacing_chances = [0.5, 0.5]
side = [5.0, 12.0]
"""
TINY = """
[model]
name = "tiny"

[scans]
split = "split.csv"

[[data]]
name = "heads"
licence = "CC0"

[recipe]
{recipe}
{more_recipe}

[network]
channels = [8, 8, 8, 8]
blocks = [1, 1, 1, 1]

[task]
warmup = 1
{task}

[fit]
steps = {steps}
batch = 2
validate_every = 2
validation_pairs = 2
average = 0.5
pictures_every = 2
{fit}
"""

TINY_TISSUE = """
[model]
name = "tiny-{kind}"

[scans]
split = "maps.csv"

[[data]]
name = "maps"
kind = "label maps"
source = "phantoms"
licence = "CC0"

[tissue]
shape = [32, 48, 32]
spacing = 4.0
fine = 4.0

[network]
channels = [16, 16, 16, 16]
blocks = [1, 1, 1, 1]

[task]
kind = "{kind}"
learning_rate = 0.01
warmup = 5

[fit]
steps = {steps}
batch = 1
validate_every = 20
validation_pairs = 2
average = 0.8
pictures_every = 1
"""


def tiny(steps: int = 4, more_recipe: str = "", task: str = "", fit: str = "") -> str:
    """TOML for a network of 8 channels on 32-voxel patches; further lines for the sections may be added."""
    return TINY.format(steps=steps, recipe=RECIPE, more_recipe=more_recipe, task=task, fit=fit)


def tiny_tissue(steps: int = 40, kind: str = "tissue") -> str:
    """TOML for a tissue or lesion model of 16 channels on heads of 4 mm."""
    return TINY_TISSUE.format(steps=steps, kind=kind)


def environment() -> dict[str, str]:
    """Environment in which `python -m RadiomicsPersonaTrainingLib` finds this checkout."""
    checkout = Path(__file__).resolve().parent.parent.parent
    folders = [str(checkout / name) for name in ("RadiomicsPersona", "RadiomicsPersonaTraining")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(folders)}
