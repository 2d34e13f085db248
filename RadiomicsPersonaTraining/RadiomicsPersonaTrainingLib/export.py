"""Export: a checkpoint becomes weights (safetensors, half precision) with a model card."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import torch
from safetensors.torch import save_file

from RadiomicsPersonaLib import __version__
from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.model import NetworkModel
from RadiomicsPersonaLib.output import file_written_whole
from RadiomicsPersonaLib.scan import name_of, sha256_of

from .known_range import measure_known_range
from .samples import LARGEST_HOLE
from .settings import TrainingSettings

LARGEST_WEIGHTS = 10_000_000
STRETCH = 1.25
"""How much larger than in training a hole may be, in voxels, before the next coarser grid does better (on validation subjects)."""


def export_model(
    checkpoint: Path, settings: TrainingSettings, split: dict[str, dict[str, list[Path]]], folder: Path
) -> Path:
    """Write `NAME.safetensors` and its card `NAME.json`, after measuring the known range on the validation subjects.

    Args:
        checkpoint: `last.pt` of a run.
        split: per data folder the files of the parts training, validation and test.
        folder: where the two files go.
    Returns:
        The card's path.
    """
    if not checkpoint.is_file():
        raise InputError(f"There is no checkpoint '{checkpoint}': run fit first.")
    state = torch.load(checkpoint, weights_only=True, map_location="cpu")
    prefix = "module."
    weights = {
        key.removeprefix(prefix): value.half().contiguous() for key, value in state["average"].items() if key.startswith(prefix)
    }
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{settings.name}.safetensors"
    with file_written_whole(target) as path:
        save_file(weights, str(path))
        if path.stat().st_size > LARGEST_WEIGHTS:
            raise InputError("The weights exceed 10 MB: choose narrower channels.")
    fit = settings.fit
    card = {
        "name": settings.name,
        "default": True,
        "version": __version__,
        "description": settings.description,
        "contrasts": settings.contrasts,
        "architecture": {
            "class": "ReconstructionUNet",
            "channels": list(fit.channels),
            "blocks": list(fit.blocks),
            "parameters": int(sum(value.numel() for value in weights.values())),
        },
        "grid": {
            "patch_voxels": fit.recipe.patch,
            "spacings_mm": _spacings_at_use(fit.recipe.spacings),
            "largest_hole_voxels": round(STRETCH * LARGEST_HOLE * fit.recipe.patch),
        },
        "history": settings.history,
        "training": {"steps": int(state["step"]), **{k: v for k, v in asdict(fit).items() if k != "steps"}},
        "data": [
            {
                "source": source.source,
                "licence": source.licence,
                "folder": source.folder,
                **{part: [name_of(path) for path in files] for part, files in split[source.folder].items()},
            }
            for source in settings.data
        ],
        "limits": "Adults without focal lesions; T1-weighted without contrast agent. Research use only, not a medical device.",
        "licence": "Apache-2.0",
        "weights": target.name,
        "sha256": sha256_of(target),
    }
    validation = [file for parts in split.values() for file in parts["validation"]]
    limit = measure_known_range(NetworkModel(card, target, "auto"), validation)
    card["known_range"] = {"error_over_rim_mean": round(limit, 4)}
    path = folder / f"{settings.name}.json"
    with file_written_whole(path) as staging:
        staging.write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")
    return path


def _spacings_at_use(trained: tuple[float, ...]) -> list[float]:
    """The training's spacings and those halfway between: the finer the grid that still holds the hole, the smaller the error."""
    between = [(a + b) / 2 for a, b in zip(trained[:-1], trained[1:])]
    return sorted([*trained, *between])
