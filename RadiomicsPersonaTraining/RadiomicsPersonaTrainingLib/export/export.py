"""Export: a checkpoint becomes weights (safetensors, in half precision or eight bits) with a model card."""

from __future__ import annotations

import json
import pickle
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

from RadiomicsPersonaLib import __version__
from RadiomicsPersonaLib.brain.preparation import prepare
from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.geometry.hole import hole_of_box
from RadiomicsPersonaLib.geometry.patch import patch_grid
from RadiomicsPersonaLib.imaging.files import read_scan, sha256_of
from RadiomicsPersonaLib.imaging.scan import Scan, make_scan
from RadiomicsPersonaLib.networks.card import MASK_KIND, RECONSTRUCTION_KIND, SEGMENTATION_KIND
from RadiomicsPersonaLib.networks.unets import network_of
from RadiomicsPersonaLib.reconstruction.reconstruction import error_over_rim_mean, rebuild
from RadiomicsPersonaLib.reconstruction.reconstruction_model import NetworkModel
from RadiomicsPersonaLib.report.colors import CLASS_COLORS
from RadiomicsPersonaLib.system.output import file_written_whole, folder_written_whole
from RadiomicsPersonaLib.system.stored_weights import HALF, in_eight_bits, in_half

from ..data.held_out_groups import synthetic_scan
from ..data.segmentation_cases import channel_names
from ..data.split import PARTS, VALIDATION
from ..data.training_scans import sources_of
from ..lesion_masks.ground import lesion_ground
from ..lesion_masks.mask_model import MaskModel
from ..lesion_masks.patch import ACROSS
from ..lesion_masks.resources import measured_roughness
from ..runs.record import RunRecord, read_record
from ..runs.state import BEST
from ..samples.random_holes import random_box
from ..settings.key import plain
from ..settings.sample_sections import GAN, LARGEST_HOLE
from ..settings.sections import SCANS
from ..settings.segmentation_labels import labels_of
from ..settings.training_settings import TrainingSettings, architecture_in, unused_sections
from ..synthesis.tissue_contrast import CONTRASTS

LARGEST_WEIGHTS = 10_000_000
STRETCH = 1.25
"""How much larger than in training a hole may be, in voxels, before the next coarser grid does better (on validation
subjects)."""


@dataclass(frozen=True)
class Kept:
    """What an export keeps of the model that the training started from (after Wortsman et al. 2022, Robust fine-tuning of
    zero-shot models, doi 10.1109/CVPR52688.2022.00780): a share of its weights, the rest are the trained ones.

    Attributes:
        share: 0 to 1.
        weights: of the network before the first step, by name.
    """

    share: float
    weights: Mapping[str, torch.Tensor]


def refuse_missing(checkpoint: Path) -> None:
    """Raise where a checkpoint, or a run's folder, is not there.

    Raises:
        InputError: it is not.
    """
    if not checkpoint.exists():
        raise InputError(f"There is no checkpoint and no folder '{checkpoint}': check the path.")


def export_model(
    checkpoint: Path,
    target: Path | None = None,
    default: bool = False,
    licence: str | None = None,
    bits: int = HALF,
    kept: Kept | None = None,
) -> Path:
    """Write `NAME.safetensors` and its card `NAME.json`.

    The known range of a model that rebuilds, and the roughness of one that draws masks, are measured first,
    on the validation scans.

    Args:
        checkpoint: a checkpoint of a run, or the run's folder, which means the best one.
        target: the two files' path without suffix; None takes the name in the settings, in the working folder.
        default: whether `--model auto` may take it once it is installed.
        licence: of the weights; None takes the one in the settings.
        bits: of a weight in the file, see `stored_weights`.
        kept: of the model that the training started from.
    Returns:
        The card's path.
    Raises:
        InputError: no checkpoint of this program, weights too large, or the validation scans are gone.
    """
    refuse_missing(checkpoint)
    if checkpoint.is_dir():
        checkpoint = checkpoint / BEST
    record = read_record(checkpoint.parent)
    target = target or Path(record.settings.model.name)
    gone = [row.file for row in record.rows if row.part == VALIDATION and not row.file.is_file()]
    if gone and record.settings.task.kind in (RECONSTRUCTION_KIND, MASK_KIND):
        what = "known range" if record.settings.task.kind == RECONSTRUCTION_KIND else "roughness"
        raise InputError(f"The validation scan '{gone[0]}' is gone: bring it back, the model's {what} is measured on it.")
    with folder_written_whole(target.absolute().parent) as folder:
        file = folder / f"{target.name}.safetensors"
        card = written_weights(checkpoint, record, file, default, bits=bits, kept=kept)
        card["licence"] = licence or card["licence"]
        file.chmod(0o644)  # it was written for its owner alone
        if file.stat().st_size > LARGEST_WEIGHTS:
            raise InputError("The weights exceed 10 MB: choose narrower channels.")
        if card["kind"] == RECONSTRUCTION_KIND:
            limit = measure_known_range(NetworkModel(card, file, "auto"), [read() for read in _measured_on(record)])
            card["known_range"] = {"error_over_rim_mean": round(limit, 4)}
        if card["kind"] == MASK_KIND:
            grounds = [lesion_ground(read()) for read in _measured_on(record)]
            card["masks"]["roughness"] = measured_roughness(MaskModel(card, file), grounds)
        with file_written_whole(folder / f"{target.name}.json") as path:
            path.write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")
    return target.with_name(f"{target.name}.json")


def model_of(checkpoint: Path, averaged: bool = True) -> NetworkModel:
    """The model of a checkpoint that rebuilds, as `export_model` would write it, but for the known range.

    Args:
        averaged: the running average of the weights, or those of the last step.
    Raises:
        InputError: no checkpoint of this program.
    """
    record = read_record(checkpoint.parent)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f"{record.settings.model.name}.safetensors"
        return NetworkModel(written_weights(checkpoint, record, file, averaged=averaged), file, "auto")


def written_weights(
    checkpoint: Path,
    record: RunRecord,
    file: Path,
    default: bool = False,
    averaged: bool = True,
    bits: int = HALF,
    kept: Kept | None = None,
) -> dict:
    """Write a checkpoint's weights, and return their card without a known range.

    Args:
        default, bits, kept: see `export_model`.
        averaged: see `weights_of`.
    Raises:
        InputError: see `weights_of`.
    """
    weights, step = weights_of(checkpoint, record, averaged, kept)
    save_file(weights if bits == HALF else in_eight_bits(weights, bits), str(file))
    card = _card(record, weights, step, file.stem, default) | {"weights": file.name, "sha256": sha256_of(file)}
    return card | {"training": card["training"] | ({"kept_of_start": kept.share} if kept else {})}


def _measured_on(record: RunRecord) -> list[Callable[[], Scan]]:
    """What gives the validation scans that the known range is measured on; of a label map, one in each contrast."""
    kinds = {source.name: source.kind for source in sources_of(record.settings, list(record.rows))}
    scans = []
    for row in record.rows:
        if row.part == VALIDATION and kinds[row.source] == SCANS:
            scans.append(partial(read_scan, row.file))
        elif row.part == VALIDATION:
            scans += [partial(synthetic_scan, row.file, contrast) for contrast in CONTRASTS]
    return scans


def weights_of(
    checkpoint: Path, record: RunRecord, averaged: bool = True, kept: Kept | None = None
) -> tuple[dict[str, torch.Tensor], int]:
    """The weights of a checkpoint in half precision, and the steps behind them.

    Args:
        averaged: their running average, or those of the last step.
        kept: see `export_model`.
    Raises:
        InputError: not a checkpoint of this program, of another network, or one that could run code.
    """
    try:
        state = torch.load(checkpoint, weights_only=True, map_location="cpu")
        prefix = "network."
        found = state["state_dict" if averaged else "current_model_state"]
        weights = {key.removeprefix(prefix): value for key, value in found.items() if key.startswith(prefix)}
        if kept:
            weights = {k: (1 - kept.share) * value + kept.share * kept.weights[k].float() for k, value in weights.items()}
        weights = in_half(weights)
        wrong = next((name for name, value in weights.items() if not value.isfinite().all()), None)
        if wrong:
            raise InputError(
                f"The weights '{wrong}' of '{checkpoint}' are not finite, or too large to be stored: train with a lower "
                "learning_rate."
            )
        step = int(state["global_step"])
    except FileNotFoundError:
        raise InputError(f"There is no checkpoint '{checkpoint}': run fit first.") from None
    except pickle.UnpicklingError:
        raise InputError(
            f"'{checkpoint}' holds more than weights and is not opened, for it could run code: give a checkpoint of fit."
        ) from None
    except (RuntimeError, KeyError, TypeError, OSError, EOFError) as error:
        raise InputError(
            f"'{checkpoint}' is no checkpoint of fit, or a damaged one ({type(error).__name__}): fit again."
        ) from error
    expected = network_of(architecture_in(record.settings)).state_dict()
    if {k: v.shape for k, v in weights.items()} != {k: v.shape for k, v in expected.items()}:
        raise InputError(
            f"'{checkpoint}' holds another network than its run's settings describe: give a checkpoint of this run."
        )
    return weights, step


def _card(record: RunRecord, weights: dict[str, torch.Tensor], step: int, name: str, default: bool) -> dict:
    settings, kind = record.settings, record.settings.task.kind
    left_out = {"model", "data", *unused_sections(kind)}
    return {
        "name": name,
        "kind": kind,
        "default": default,
        "version": __version__,
        "description": settings.model.description,
        "contrasts": settings.model.contrasts,
        "architecture": {
            **architecture_in(settings),
            "parameters": int(sum(value.numel() for value in weights.values())),
        },
        "grid": _grid_at_use(settings),
        **_what_is_segmented(settings),
        **_what_is_drawn(settings),
        "history": settings.model.history,
        "training": {"best_after_steps": step, **{key: value for key, value in plain(settings).items() if key not in left_out}},
        "data": [
            {
                "name": source.name,
                "kind": source.kind,
                "source": source.source,
                "licence": source.licence,
                **{
                    part: sorted({r.subject for r in record.rows if r.part == part and r.source == source.name})
                    for part in PARTS
                },
            }
            for source in sources_of(settings, list(record.rows))
        ],
        "limits": f"{settings.model.limits} Research use only, not a medical device.",
        "licence": settings.model.licence or ("Apache-2.0" if default else ""),
    }


def _what_is_segmented(settings: TrainingSettings) -> dict[str, object]:
    if settings.task.kind != SEGMENTATION_KIND:
        return {}
    labels = labels_of(settings.segmentation)
    codes = settings.segmentation.codes or ("",) * len(labels.names)
    classes = [
        {"name": name, "number": number, "color": list(CLASS_COLORS[place % len(CLASS_COLORS)]), "code": code}
        for place, (name, number, code) in enumerate(zip(labels.names, labels.written, codes))
    ]
    regions = {region: [labels.names[number - 1] for number in members] for region, members in labels.regions.items()}
    may_miss = settings.augmentation.missing > 0 and len(settings.segmentation.channels) > 1
    return {
        "segmentation": {
            "channels": channel_names(settings.segmentation),
            "may_miss": may_miss,
            "labels": classes,
            "regions": regions,
        }
    }


def _what_is_drawn(settings: TrainingSettings) -> dict[str, object]:
    if settings.task.kind != MASK_KIND:
        return {}
    recipe = settings.masks
    return {
        "masks": {
            "generator": recipe.generator,
            "kinds": list(recipe.kinds),
            "steps": 1 if recipe.generator == GAN else recipe.steps,
        }
    }


def _grid_at_use(settings: TrainingSettings) -> dict[str, object]:
    if settings.task.kind == SEGMENTATION_KIND:
        what = settings.segmentation
        return {"spacing_mm": list(what.spacing), "window_voxels": list(what.patch), "flips": what.flips_at_use}
    if settings.task.kind == MASK_KIND:
        return {"patch_voxels": settings.masks.patch, "voxels_across": ACROSS}
    if settings.task.kind != RECONSTRUCTION_KIND:
        return {"spacing_mm": settings.tissue.spacing}
    recipe = settings.recipe
    return {
        "patch_voxels": recipe.patch,
        "spacings_mm": _spacings_at_use(recipe.spacings),
        "largest_hole_voxels": round(STRETCH * LARGEST_HOLE * recipe.patch),
        "fill": recipe.fill,
    }


def _spacings_at_use(trained: tuple[float, ...]) -> list[float]:
    """The training's spacings and those halfway between: the finer the grid that still holds the hole,
    the smaller the error.
    """
    between = [(a + b) / 2 for a, b in zip(trained[:-1], trained[1:])]
    return sorted([*trained, *between])


SIDES_MM = ((12.0, 20.0), (20.0, 30.0), (30.0, 40.0), (40.0, 56.0))
MARGIN = 1.25
COARSE_MM = 2.0
"""Voxels that the scans are also measured in, for scanners that see less."""


def measure_known_range(model: NetworkModel, scans: list[Scan], boxes_per_size: int = 12, seed: int = 0) -> float:
    """The largest median share, over scans and box sizes, of the rim mean's squared error that the model leaves, times 1.25.

    `analysis` takes the same share on a scan's controls. Every scan is measured as it is and again in voxels
    of 2 mm; the margin covers scanners that the held-out scans do not show.
    """
    medians = []
    for number, scan in enumerate([*scans, *(coarse for coarse in map(_coarse, scans) if coarse is not None)]):
        prepared = prepare(scan)
        for size, sides in enumerate(SIDES_MM):
            rng = np.random.default_rng((seed, number, size))
            boxes = [random_box(prepared.scan, prepared.tissue, rng, sides) for _ in range(boxes_per_size)]
            holes = [hole_of_box(prepared.scan, box) for box in boxes if box is not None]
            medians.append(np.median([error_over_rim_mean(prepared.scan, r) for r in rebuild(prepared, holes, model)]))
    return MARGIN * float(np.max(medians))


def _coarse(scan: Scan) -> Scan | None:
    """The scan in voxels of `COARSE_MM`, or None when it is as coarse already."""
    if np.median(scan.spacing) >= 0.75 * COARSE_MM:
        return None
    size = int(np.ceil(max(np.array(scan.shape) * scan.spacing) / COARSE_MM))
    lowest = float(scan.array.min())
    grid = patch_grid(scan, scan.ras_from_ijk((np.array(scan.shape) - 1) / 2), COARSE_MM, size)
    return make_scan(grid.from_scan(scan.array, outside=lowest)[0], grid.affine, scan.name)
