"""Training scans: those of a training run, found in the split, prepared in the cache, each with its chance to be drawn."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from RadiomicsPersonaLib.brain.preparation import PreparedScan
from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.networks.card import SEGMENTATION_KIND

from ..settings.sections import SCANS, DataSource
from ..settings.training_settings import TrainingSettings
from .lesion_shapes import training_shapes
from .prepared_scans import CachedScans, prepare_scans
from .segmentation_cases import truths_in
from .split import TRAINING, VALIDATION, ListedScan, read_split, split_subjects
from .synthetic_scans import SyntheticScans


@dataclass(frozen=True)
class Cohort:
    """What a run trains on.

    Attributes:
        training, validation: prepared scans.
        chances, validation_chances: how likely each is drawn, shape (scans,).
        shapes: files of lesion masks whose shapes may be taken out; those kept for evaluation are not among them.
        skipped: one sentence for every scan that was left out.
    """

    training: Sequence[PreparedScan]
    chances: np.ndarray
    validation: Sequence[PreparedScan]
    validation_chances: np.ndarray
    shapes: tuple[Path, ...]
    skipped: tuple[str, ...]


class Joined(Sequence):
    """Sequences one behind the other."""

    def __init__(self, parts: list[Sequence]):
        self.parts, self.ends = parts, np.cumsum([len(part) for part in parts]).tolist()

    def __len__(self) -> int:
        return self.ends[-1]

    def __getitem__(self, index: int) -> PreparedScan:
        number = bisect_right(self.ends, index)
        return self.parts[number][index - (self.ends[number] - len(self.parts[number]))]


def split_of(settings: TrainingSettings, settings_file: Path, root: Path | None) -> list[ListedScan]:
    """The rows of the settings' split that belong to its collections.

    Args:
        root: folder beneath which the files lie; None takes the split's own.
    Raises:
        InputError: the split is missing or broken, or names a collection that the settings do not.
    """
    if not settings.scans.split:
        return drawn_split(settings, root)
    path = settings_file.parent / settings.scans.split
    rows = read_split(path, root)
    known = {source.name for source in sources_of(settings, rows)}
    strange = sorted({row.source for row in rows} - known)
    if strange:
        raise InputError(
            f"The split '{path}' names the source '{strange[0]}', which no [[data]] of the settings describes: add it."
        )
    return rows


def lesion_masks_of(settings: TrainingSettings, settings_file: Path, root: Path | None) -> Path | None:
    """The folder of lesion masks that the settings name, None where they name none: beneath `root` if it is there, else as seen
    from the settings file's folder."""
    if not settings.scans.lesion_masks:
        return None
    places = [folder / settings.scans.lesion_masks for folder in (root, settings_file.parent) if folder]
    return next((place for place in places if place.is_dir()), places[-1])


def drawn_split(settings: TrainingSettings, root: Path | None) -> list[ListedScan]:
    """The cases beneath a folder, their subjects parted at random as the settings' seed says: 80 % train, 10 % validate,
    10 % test.

    Args:
        root: the data folder.
    Raises:
        InputError: the task is no segmentation, whose settings say how files are called; or there are too few cases.
    """
    if settings.task.kind != SEGMENTATION_KIND or root is None:
        missing = "give the data folder with --data" if settings.task.kind == SEGMENTATION_KIND else "name one"
        raise InputError(f"'split' in [scans] is empty: {missing}.")
    if len(settings.data) > 1:
        raise InputError(
            "A split can be drawn over one [[data]] alone: make one with `radiomics-persona-train split`, and name it in "
            "[scans]."
        )
    source = settings.data[0].name if settings.data else root.resolve().name
    found = truths_in(root, settings.segmentation)
    parts = split_subjects([subject for subject, _ in found], 0.1, 0.1, settings.fit.seed)
    return [ListedScan(source, subject, parts[subject], file) for subject, file in found]


def sources_of(settings: TrainingSettings, rows: list[ListedScan]) -> tuple[DataSource, ...]:
    """The settings' collections or, where they name none, those of the split, all alike."""
    return settings.data or tuple(DataSource(name) for name in sorted({row.source for row in rows}))


def gather(
    settings: TrainingSettings,
    rows: list[ListedScan],
    lesion_masks: Path | None,
    cache: Path,
    progress: Callable[[int, int, str], None] | None = None,
) -> Cohort:
    """Prepare the training and validation scans.

    Args:
        lesion_masks: folder of lesion masks, or None.
        cache: folder of the cache.
    Raises:
        InputError: a scan cannot be used and the settings say stop, or a part is left without scans.
    """
    sources = {source.name: source for source in sources_of(settings, rows)}
    used = [row for row in rows if row.part in (TRAINING, VALIDATION)]
    read = [row for row in used if sources[row.source].kind == SCANS]
    entries, notes = prepare_scans([row.file for row in read], cache, settings.cache, settings.fit.workers, progress)
    parts = {}
    for part in (TRAINING, VALIDATION):
        collections, chances = [], []
        for source in sources.values():
            if source.kind == SCANS:
                scans = CachedScans([e for row, e in zip(read, entries) if e and (row.part, row.source) == (part, source.name)])
            else:
                files = [row.file for row in used if (row.part, row.source) == (part, source.name)]
                scans = SyntheticScans(files, source.variants, cache, settings.fit.seed)
            collections.append(scans)
            chances += [source.share / max(len(scans), 1)] * len(scans)
        if not sum(chances):
            raise InputError(f"No scan is left for {part}: add scans to the split, or raise the shares of the collections.")
        parts[part] = Joined(collections), np.array(chances) / sum(chances)
    shapes = training_shapes(lesion_masks) if lesion_masks else ()
    return Cohort(*parts[TRAINING], *parts[VALIDATION], shapes, tuple(notes))
