"""Work: what one run trains: a task with its samples, as the settings and the split say."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import nn
from torch.utils.data import Dataset

from RadiomicsPersonaLib.architecture import network_of
from RadiomicsPersonaLib.card import (
    LESION_KIND,
    MASK_KIND,
    RECONSTRUCTION_KIND,
    SEGMENTATION_KIND,
    TISSUE_KIND,
    kind_of,
    model_cards,
    read_card,
)
from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.head_model import HEAD_MODELS, TissueModel
from RadiomicsPersonaLib.model import ClassicalModel, NetworkModel, load_model
from RadiomicsPersonaLib.segmentation_model import SegmentationModel
from RadiomicsPersonaLib.trained_model import TrainedModel

from .cache import CachedScans
from .cohort import Cohort, gather, sources_of
from .lesion_pieces import lesion_pieces
from .lesion_task import LesionTask
from .mask_gan_task import MaskGanTask
from .mask_model import MaskModel
from .mask_samples import GAN, MaskSamples
from .mask_task import MaskTask
from .reconstruction_task import ReconstructionTask
from .samples import HealthyPairs
from .segmentation_labels import labels_of
from .segmentation_samples import SegmentationSamples, prepared_cases
from .segmentation_task import SegmentationTask
from .settings import LABEL_MAPS, TrainingSettings, architecture_in
from .split import TRAINING, VALIDATION, ListedScan
from .tissue_samples import LesionSamples, TissueSamples
from .tissue_task import TissueTask
from .training_task import TrainingTask

TRAINED_MODELS = HEAD_MODELS | {SEGMENTATION_KIND: SegmentationModel, MASK_KIND: MaskModel}


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
        return label_map_work(settings, rows)
    return reconstruction_work(settings, gather(settings, rows, lesion_masks, cache, progress))


def reconstruction_work(settings: TrainingSettings, cohort: Cohort) -> Work:
    """Rebuilding holes in healthy scans."""
    run = settings.fit
    pairs = HealthyPairs(cohort.training, cohort.chances, settings.recipe, run.seed, cohort.shapes)
    one_hole = replace(settings.recipe, several=0.0)
    held_out = HealthyPairs(cohort.validation, cohort.validation_chances, one_hole, run.seed + 1, cohort.shapes)
    task = ReconstructionTask(_network(settings), settings.task, _steps(settings), pairs.name_of)
    told = (
        *(f"Skipped: {note}" for note in cohort.skipped),
        f"{len(cohort.training)} scans train, {len(cohort.validation)} validate.",
    )
    return Work(task, pairs, [held_out[number] for number in range(run.validation_pairs)], settings.recipe.patch, told)


def label_map_work(settings: TrainingSettings, rows: list[ListedScan]) -> Work:
    """Telling tissues apart, or finding lesions, in heads synthesised from label maps.

    Where the split has no validation maps, validation takes other images of the training maps.
    """
    scans = [source.name for source in sources_of(settings, rows) if source.kind != LABEL_MAPS]
    if scans:
        raise InputError(f"The {settings.task.kind} task trains on label maps, and '{scans[0]}' holds scans: give it kind = \"{LABEL_MAPS}\", or leave it out.")
    parts = {part: [row.file for row in rows if row.part == part] for part in (TRAINING, VALIDATION)}
    if not parts[TRAINING]:
        raise InputError("No label map is left for training: add some to the split.")
    run = settings.fit
    drawn, asked = (TissueSamples, TissueTask) if settings.task.kind == TISSUE_KIND else (LesionSamples, LesionTask)
    samples = drawn(parts[TRAINING], settings.tissue, run.seed)
    held_out = drawn(parts[VALIDATION] or parts[TRAINING], settings.tissue, run.seed + 1)
    task = asked(_network(settings), settings.task, _steps(settings), samples.name_of)
    told = (f"{len(parts[TRAINING])} label maps train, {len(parts[VALIDATION])} validate.",)
    return Work(task, samples, [held_out[number] for number in range(run.validation_pairs)], min(settings.tissue.shape), told)


def segmentation_work(
    settings: TrainingSettings, rows: list[ListedScan], cache: Path, progress: Callable[[int, int, str], None] | None = None
) -> Work:
    """Segmenting cases with label maps."""
    run, labels = settings.fit, labels_of(settings.segmentation)
    used = [row for row in rows if row.part in (TRAINING, VALIDATION)]
    entries, notes = prepared_cases([row.file for row in used], settings.segmentation, cache, settings.cache, run.workers, progress)
    parts = {part: CachedScans([entry for row, entry in zip(used, entries) if entry and row.part == part]) for part in (TRAINING, VALIDATION)}
    for part, cases in parts.items():
        if not len(cases):
            raise InputError(f"No case is left for {part}: add cases to the split.")
    samples = SegmentationSamples(parts[TRAINING], settings.segmentation, len(labels.names), settings.augmentation, run.seed)
    whole = replace(settings.segmentation, foreground=1.0)
    held_out = SegmentationSamples(parts[VALIDATION], whole, len(labels.names), None, run.seed + 1)
    task = SegmentationTask(_network(settings), settings.task, _steps(settings), samples.name_of, labels)
    told = (*(f"Skipped: {note}" for note in notes), f"{len(parts[TRAINING])} cases train, {len(parts[VALIDATION])} validate.")
    return Work(task, samples, [held_out[number] for number in range(run.validation_pairs)], min(settings.segmentation.patch), told)


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
    task = asked(_network(settings), settings.task, _steps(settings), samples.name_of, recipe)
    counts = ", ".join(f"{len(samples.pieces[kind])} {kind}" for kind in recipe.kinds)
    told = (
        *(f"Skipped: {note}" for note in cohort.skipped),
        f"{len(cohort.training)} scans train, {len(cohort.validation)} validate; lesions: {counts}.",
    )
    return Work(task, samples, [held_out[number] for number in range(run.validation_pairs)], recipe.patch, told)


def _steps(settings: TrainingSettings) -> int:
    return settings.fit.epochs * settings.fit.validate_every


def _network(settings: TrainingSettings) -> nn.Module:
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
    for key in wanted:
        if its[key] != wanted[key] and not (key == "class" and isinstance(model, TissueModel)):
            raise InputError(f"The model '{model.name}' has {key} {its[key]}: set the same in the settings, or leave 'start' empty.")
    if isinstance(model, TissueModel) and kind == LESION_KIND:
        # the same network but for its head
        torch.manual_seed(settings.fit.seed)
        network = network_of(wanted)
        trunk = {key: value for key, value in model.network.state_dict().items() if not key.startswith("head.")}
        network.load_state_dict(trunk, strict=False)
        return network
    return copy.deepcopy(model.network)  # a loaded tissue model is kept for further scans, and must stay what it is


def model_to_start_from(name: str, kind: str) -> NetworkModel | TrainedModel:
    """The model whose weights a training of this kind begins with; a lesion model may begin with a tissue model's.

    Raises:
        InputError: there is no such model, or it has no weights.
    """
    if kind == LESION_KIND:
        path = model_cards(TISSUE_KIND).get(name, Path(name))
        kind = TISSUE_KIND if path.is_file() and kind_of(read_card(path)) == TISSUE_KIND else kind
    model = load_model(name, "cpu") if kind == RECONSTRUCTION_KIND else TRAINED_MODELS[kind].load(name)
    if isinstance(model, ClassicalModel):
        raise InputError(f"'{name}' has no weights to start from: name a trained model.")
    return model
