"""Run set-up: what one run trains: a task with its samples, as the settings and the split say."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.utils.data import Dataset

from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.networks.card import (
    LESION_KIND,
    MASK_KIND,
    RECONSTRUCTION_KIND,
    SEGMENTATION_KIND,
    TISSUE_KIND,
)
from RadiomicsPersonaLib.networks.head_model import TissueModel
from RadiomicsPersonaLib.networks.unets import network_of

from ..data.lesion_shapes import training_shapes
from ..data.prepared_scans import CachedScans
from ..data.split import TRAINING, VALIDATION, ListedScan
from ..data.training_scans import Cohort, gather, sources_of
from ..lesion_masks.pieces import lesion_pieces
from ..samples.healthy_pairs import HealthyPairs
from ..samples.mask_samples import MaskSamples
from ..samples.segmentation_samples import SegmentationSamples, prepared_cases
from ..samples.tissue_samples import LesionSamples, TissueSamples
from ..settings.sample_sections import GAN
from ..settings.sections import CLASSES, LABEL_MAPS, WITH_POPULATION
from ..settings.segmentation_labels import labels_of
from ..settings.training_settings import TrainingSettings, architecture_in
from .head_tasks import LesionTask, TissueTask
from .mask_tasks import MaskGanTask, MaskTask
from .reconstruction_task import ReconstructionTask
from .segmentation_task import SegmentationTask
from .start import model_to_start_from
from .task import TrainingTask


@dataclass(frozen=True)
class Work:
    """A task with its samples.

    Attributes:
        task: the network with its loss.
        training: samples by number, without end.
        validation: the validation samples, always the same.
        edge: voxels along the shortest edge of a sample.
        told: sentences for the user: what is trained on, and what was left out.
    """

    task: TrainingTask
    training: Dataset
    validation: list
    edge: int
    told: tuple[str, ...]


def work_of(
    settings: TrainingSettings,
    rows: list[ListedScan],
    lesion_masks: Path | None,
    cache: Path,
    progress: Callable[[int, int, str], None] | None = None,
) -> Work:
    """Read or prepare what the settings' task needs.

    Args:
        rows: of the split.
        lesion_masks: folder of lesion masks, or None.
        cache: folder of prepared scans.
    Raises:
        InputError: data that the task cannot use, a part without data, or weights to start from that do not fit.
    """
    if settings.task.kind == SEGMENTATION_KIND:
        return segmentation_work(settings, rows, cache, progress)
    if settings.task.kind == MASK_KIND:
        return mask_work(settings, rows, lesion_masks, cache, progress)
    if settings.task.kind != RECONSTRUCTION_KIND:
        return label_map_work(settings, rows, lesion_masks)
    return reconstruction_work(settings, gather(settings, rows, lesion_masks, cache, progress))


def reconstruction_work(settings: TrainingSettings, cohort: Cohort) -> Work:
    """Rebuilding holes in healthy scans."""
    run = settings.fit
    shown = settings.network.population
    pairs = HealthyPairs(cohort.training, cohort.chances, settings.recipe, run.seed, cohort.shapes, shown)
    one_hole = replace(settings.recipe, several=0.0)
    held_out = HealthyPairs(cohort.validation, cohort.validation_chances, one_hole, run.seed + 1, cohort.shapes, shown)
    task = ReconstructionTask(starting_network(settings), settings.task, _steps(settings), pairs.name_of)
    told = (
        *(f"Skipped: {note}" for note in cohort.skipped),
        f"{len(cohort.training)} scans train, {len(cohort.validation)} validate.",
    )
    return Work(task, pairs, [held_out[number] for number in range(run.validation_pairs)], settings.recipe.patch, told)


def label_map_work(settings: TrainingSettings, rows: list[ListedScan], lesion_masks: Path | None = None) -> Work:
    """Telling tissues apart, or finding lesions, in heads synthesised from label maps.

    Where the split has no validation maps, validation takes other images of the training maps. Outlines of lesions that
    are kept for evaluation are left out.
    """
    scans = [source.name for source in sources_of(settings, rows) if source.kind != LABEL_MAPS]
    if scans:
        raise InputError(
            f"The {settings.task.kind} task trains on label maps, and '{scans[0]}' holds scans: give it kind = "
            f'"{LABEL_MAPS}", or leave it out.'
        )
    parts = {part: [row.file for row in rows if row.part == part] for part in (TRAINING, VALIDATION)}
    if not parts[TRAINING]:
        raise InputError("No label map is left for training: add some to the split.")
    run = settings.fit
    shapes: tuple[Path, ...] = ()
    if settings.task.kind == LESION_KIND and settings.tissue.various and settings.tissue.real_outlines:
        if not lesion_masks:
            raise InputError(
                "'real_outlines' in [tissue] needs 'lesion_masks' in [scans]: name a folder there, or set it to 0."
            )
        shapes = training_shapes(lesion_masks)
    asked = TissueTask if settings.task.kind == TISSUE_KIND else LesionTask
    drawn = TissueSamples if asked is TissueTask else partial(LesionSamples, shapes=shapes)
    samples = drawn(parts[TRAINING], settings.tissue, run.seed)
    held_out = drawn(parts[VALIDATION] or parts[TRAINING], settings.tissue, run.seed + 1)
    task = asked(starting_network(settings), settings.task, _steps(settings), samples.name_of)
    told = (
        f"{len(parts[TRAINING])} label maps train, {len(parts[VALIDATION])} validate.",
        *([f"{len(shapes)} lesion masks lend their outlines."] if shapes else []),
    )
    return Work(task, samples, [held_out[number] for number in range(run.validation_pairs)], min(settings.tissue.shape), told)


def segmentation_work(
    settings: TrainingSettings, rows: list[ListedScan], cache: Path, progress: Callable[[int, int, str], None] | None = None
) -> Work:
    """Segmenting cases with label maps."""
    run, labels = settings.fit, labels_of(settings.segmentation)
    used = [row for row in rows if row.part in (TRAINING, VALIDATION)]
    entries, notes = prepared_cases(
        [row.file for row in used], settings.segmentation, cache, settings.cache, run.workers, progress
    )
    parts = {
        part: CachedScans([entry for row, entry in zip(used, entries) if entry and row.part == part])
        for part in (TRAINING, VALIDATION)
    }
    for part, cases in parts.items():
        if not len(cases):
            raise InputError(f"No case is left for {part}: add cases to the split.")
    sources = [row.source for row, entry in zip(used, entries) if entry and row.part == TRAINING]
    chances = _chances(settings, rows, sources)
    samples = SegmentationSamples(
        parts[TRAINING], settings.segmentation, len(labels.names), settings.augmentation, run.seed, chances
    )
    whole = replace(settings.segmentation, foreground=1.0)
    held_out = SegmentationSamples(parts[VALIDATION], whole, len(labels.names), None, run.seed + 1)
    task = SegmentationTask(starting_network(settings), settings.task, _steps(settings), samples.name_of, labels)
    told = (*(f"Skipped: {note}" for note in notes), f"{len(parts[TRAINING])} cases train, {len(parts[VALIDATION])} validate.")
    return Work(
        task, samples, [held_out[number] for number in range(run.validation_pairs)], min(settings.segmentation.patch), told
    )


def _chances(settings: TrainingSettings, rows: list[ListedScan], sources: list[str]) -> np.ndarray | None:
    """How likely each training case is drawn, by the share of its collection; None for a single collection.

    Args:
        sources: the collection of every case.
    Raises:
        InputError: no collection with cases has a share.
    """
    if len(set(sources)) < 2:
        return None
    share = {source.name: source.share for source in sources_of(settings, rows)}
    chances = np.array([share[name] / sources.count(name) for name in sources])
    if not chances.any():
        raise InputError("The share of every collection is 0: give one of them more in [[data]].")
    return chances


def mask_work(
    settings: TrainingSettings,
    rows: list[ListedScan],
    lesion_masks: Path,
    cache: Path,
    progress: Callable[[int, int, str], None] | None = None,
) -> Work:
    """Drawing lesion masks in healthy scans; shapes that are kept for evaluation are left out."""
    run, recipe = settings.fit, settings.masks
    cohort = gather(settings, rows, None, cache, progress)
    for prepared in (*cohort.training, *cohort.validation):
        if prepared.tissue.anatomy is None:
            raise InputError(f"The tissue model sees no brain in '{prepared.scan.name}': leave that scan out.")
    pieces = [piece for piece in lesion_pieces(lesion_masks, recipe.kinds, cache, progress) if not piece.held_out]
    samples = MaskSamples(cohort.training, pieces, recipe, run.seed)
    held_out = MaskSamples(cohort.validation, pieces, recipe, run.seed + 1)
    asked = MaskGanTask if recipe.generator == GAN else MaskTask
    task = asked(starting_network(settings), settings.task, _steps(settings), samples.name_of, recipe)
    counts = ", ".join(f"{len(samples.pieces[kind])} {kind}" for kind in recipe.kinds)
    told = (
        *(f"Skipped: {note}" for note in cohort.skipped),
        f"{len(cohort.training)} scans train, {len(cohort.validation)} validate; lesions: {counts}.",
    )
    return Work(task, samples, [held_out[number] for number in range(run.validation_pairs)], recipe.patch, told)


def _steps(settings: TrainingSettings) -> int:
    return settings.fit.epochs * settings.fit.validate_every


def starting_network(settings: TrainingSettings) -> nn.Module:
    """A fresh network, or that of a model to start from with its weights.

    Raises:
        InputError: the model is classical, or its network is not the one that the settings describe.
    """
    start, kind = settings.fit.start, settings.task.kind
    if not start:
        torch.manual_seed(settings.fit.seed)
        return network_of(architecture_in(settings))
    model = model_to_start_from(start, kind)
    wanted, its = architecture_in(settings), model.card["architecture"]
    widened = (its["class"], wanted["class"]) == (CLASSES[RECONSTRUCTION_KIND], WITH_POPULATION)
    for key in wanted:
        if its[key] != wanted[key] and not (key == "class" and (widened or isinstance(model, TissueModel))):
            raise InputError(
                f"The model '{model.name}' has {key} {its[key]}: set the same in the settings, or leave 'start' empty."
            )
    if isinstance(model, TissueModel) and kind == LESION_KIND:
        # the same network but for its head
        torch.manual_seed(settings.fit.seed)
        network = network_of(wanted)
        trunk = {key: value for key, value in model.network.state_dict().items() if not key.startswith("head.")}
        network.load_state_dict(trunk, strict=False)
        return network
    if widened:
        network = network_of(wanted)
        network.take(model.network.state_dict())
        return network
    return copy.deepcopy(model.network)  # a loaded tissue model is kept for further scans, and must stay what it is
