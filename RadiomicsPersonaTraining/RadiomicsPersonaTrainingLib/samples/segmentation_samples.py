"""Segmentation samples: patches of cases with their classes, changed afresh at every draw, and the same for the same number."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import Dataset

from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.geometry import model_grid
from RadiomicsPersonaLib.imaging import dicom, nifti_place, resampling
from RadiomicsPersonaLib.imaging import files as imaging_files
from RadiomicsPersonaLib.imaging import grid as imaging_grid
from RadiomicsPersonaLib.imaging import scan as imaging_scan
from RadiomicsPersonaLib.imaging.files import sha256_of
from RadiomicsPersonaLib.segmentation import segmentation_model

from ..data import segmentation_cases
from ..data.prepared_scans import digest_of_modules, intact, made_entries, write_entry
from ..data.segmentation_cases import SegmentationCase, images_of, prepared_case
from ..settings import segmentation_labels
from ..settings.key import plain
from ..settings.sample_sections import Augmentation, SegmentationSettings
from ..settings.sections import CacheSettings

MARGIN = 1.4
"""How much larger than a sample the piece is from which it is rotated and scaled."""
PREPARING = (
    imaging_files,
    imaging_scan,
    imaging_grid,
    nifti_place,
    dicom,
    model_grid,
    resampling,
    segmentation_model,
    segmentation_labels,
    segmentation_cases,
)
"""Modules whose code makes an entry of the cache."""


class SegmentationSamples(Dataset):
    """(image, truth, number): float32 (C, D, H, W), 0 where there is no scan, and classes from 0 as int64 (1, D, H, W).

    Sample n depends on the seed and n alone, in whichever process it is drawn.

    Args:
        classes: how many there are beside the background.
        augmentation: None leaves samples as they are.
        chances: how likely each case is drawn, shape (cases,); None for all alike.
    """

    def __init__(
        self,
        cases: Sequence[SegmentationCase],
        settings: SegmentationSettings,
        classes: int,
        augmentation: Augmentation | None,
        seed: int,
        chances: np.ndarray | None = None,
    ):
        self.cases, self.settings, self.classes, self.seed = cases, settings, classes, seed
        self.ends = None if chances is None else np.cumsum(chances) / np.sum(chances)
        self.augmentation = augmentation
        self._change: Callable | None = None

    def __getitem__(self, number: int) -> tuple[torch.Tensor, torch.Tensor, int]:
        rng = np.random.default_rng((self.seed, number))
        case = self.cases[self._drawn(rng)]
        patch = np.array(self.settings.patch)
        side = patch if self.augmentation is None else np.ceil(MARGIN * patch).astype(int)
        center = _center(case.truth, self.classes, patch, self.settings.foreground, rng)
        image, truth = (_piece(array, center, side) for array in (case.image, case.truth[None]))
        if self.augmentation is not None:
            self._change = self._change or changes(self.augmentation, tuple(self.settings.patch))
            self._change.set_random_state(seed=int(rng.integers(2**31)))
            changed = self._change({"image": torch.from_numpy(image), "truth": torch.from_numpy(truth)})
            image, truth = (np.asarray(changed[key]) for key in ("image", "truth"))
            image = _without_some(image, self.augmentation.missing, rng)
        return torch.from_numpy(np.ascontiguousarray(image)), torch.from_numpy(np.ascontiguousarray(truth)).long(), number

    def name_of(self, number: int) -> str:
        """Name of the case that a sample was drawn from."""
        return self.cases[self._drawn(np.random.default_rng((self.seed, number)))].name

    def _drawn(self, rng: np.random.Generator) -> int:
        if self.ends is None:
            return int(rng.integers(len(self.cases)))
        return int(np.searchsorted(self.ends[:-1], rng.random(), side="right"))


def changes(recipe: Augmentation, patch: tuple[int, int, int]):
    """MONAI's transforms of a dictionary with `image` and `truth`, in one pass of interpolation."""
    from monai import transforms  # takes seconds to load

    both = ("image", "truth")
    spatial = transforms.RandAffined(
        both,
        spatial_size=patch,
        prob=recipe.affine,
        rotate_range=tuple(np.deg2rad(recipe.rotation)),
        scale_range=(recipe.scale,) * 3,
        mode=("bilinear", "nearest"),
        padding_mode="zeros",
    )
    flips = [transforms.RandFlipd(both, prob=chance, spatial_axis=axis) for axis, chance in enumerate(recipe.flip) if chance]
    return transforms.Compose(
        [
            spatial,
            *flips,
            transforms.RandGaussianSmoothd("image", (0.5, 1.0), (0.5, 1.0), (0.5, 1.0), prob=recipe.blur),
            transforms.RandScaleIntensityd("image", recipe.brightness, prob=1.0, channel_wise=True),
            transforms.RandShiftIntensityd("image", recipe.brightness, prob=1.0, channel_wise=True),
            transforms.RandAdjustContrastd("image", prob=recipe.gamma, gamma=(0.7, 1.5), retain_stats=True),
            transforms.RandGaussianNoised("image", prob=recipe.noise, std=0.1),
        ]
    )


def prepared_cases(
    files: list[Path],
    settings: SegmentationSettings,
    cache: Path,
    how: CacheSettings,
    workers: int = 1,
    progress: Callable[[int, int, str], None] | None = None,
) -> tuple[list[Path | None], list[str]]:
    """Make sure that every case has an entry in the cache; for the arguments and what it returns see
    `prepared_scans.prepare_scans`.

    Args:
        files: label maps.
    """
    return made_entries(partial(_entry_or_reason, folder=cache, settings=settings), files, how, workers, progress)


def _entry_or_reason(truth: Path, folder: Path, settings: SegmentationSettings) -> tuple[Path | None, str]:
    try:
        if not truth.is_file():
            raise InputError(f"There is no label map '{truth}': correct the split.")
        files = [truth, *images_of(truth, settings)]
        told = [plain(settings), [file and sha256_of(file) for file in files], digest_of_modules(*PREPARING)]
        digest = hashlib.sha256(json.dumps(told).encode())
        entry = folder / digest.hexdigest()[:24]
        if not intact(entry):
            write_entry(entry, prepared_case(truth, settings))
        return entry, ""
    except InputError as error:
        return None, str(error)


def _center(truth: np.ndarray, classes: int, patch: np.ndarray, foreground: float, rng: np.random.Generator) -> np.ndarray:
    """Middle of a sample: a voxel of one of the classes that are there, or anywhere so that it lies within the scan."""
    shape = np.array(truth.shape)
    wanted, chance = rng.permutation(classes) + 1, rng.random()
    low, high = np.minimum(patch // 2, shape // 2), np.maximum(shape - (patch - patch // 2), shape // 2)
    anywhere = rng.integers(low, high + 1)
    if chance >= foreground:
        return anywhere
    for number in wanted:
        voxels = np.flatnonzero(truth == number)
        if len(voxels):
            chosen = np.array(np.unravel_index(rng.choice(voxels), truth.shape))
            return np.clip(chosen, low, high)
    return anywhere


def _piece(array: np.ndarray, center: np.ndarray, side: np.ndarray) -> np.ndarray:
    """The block of (C, D, H, W) around a voxel, float32, 0 beyond the border."""
    block = np.zeros((len(array), *side), np.float32)
    start = center - side // 2
    low, high = np.maximum(start, 0), np.minimum(start + side, array.shape[1:])
    source = tuple(slice(a, b) for a, b in zip(low, high))
    target = tuple(slice(a, b) for a, b in zip(low - start, high - start))
    block[(slice(None), *target)] = array[(slice(None), *source)]
    return block


def _without_some(image: np.ndarray, missing: float, rng: np.random.Generator) -> np.ndarray:
    """The image with contrasts set to 0 by chance; one that holds anything always stays."""
    gone = rng.random(len(image)) < missing
    held = np.flatnonzero(np.abs(image).sum(axis=(1, 2, 3)) > 0)
    if len(held) and gone[held].all():
        gone[rng.choice(held)] = False
    return np.where(gone[:, None, None, None], np.float32(0), image).astype(np.float32)
