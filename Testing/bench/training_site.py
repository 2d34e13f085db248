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


def tiny(steps: int = 4, more_recipe: str = "", task: str = "", fit: str = "") -> str:
    """TOML for a network of 8 channels on 32-voxel patches; further lines for the sections may be added."""
    return TINY.format(steps=steps, recipe=RECIPE, more_recipe=more_recipe, task=task, fit=fit)


def environment() -> dict[str, str]:
    """Environment in which `python -m RadiomicsPersonaTrainingLib` finds this checkout."""
    checkout = Path(__file__).resolve().parent.parent.parent
    folders = [str(checkout / name) for name in ("RadiomicsPersona", "RadiomicsPersonaTraining")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(folders)}
