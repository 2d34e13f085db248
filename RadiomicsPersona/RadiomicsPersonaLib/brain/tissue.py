"""Tissue: where the brain is, how bright its tissues are, and the scale that follows from them.

Everything is estimated with the boxes taken out, so that what lies inside a box cannot set the scale it is judged by:
the brain and its tissues by the tissue model, brightness on a 4 mm overview of the scan. Where the tissue model cannot
run, or sees no brain, thresholds on the overview find brain and tissues (`classical_brain`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from scipy import ndimage

from ..errors import InputError
from ..geometry.hole import Hole, bounding_box
from ..geometry.patch import PatchGrid, patch_grid
from ..imaging.grid import Grid
from ..imaging.scan import Scan
from ..networks.head_model import TissueModel
from .anatomy import Anatomy, find_anatomy
from .classical_brain import classical_brain, three_classes

OVERVIEW_SIZE = 64
OVERVIEW_SPACING = 4.0
SMALLEST_HEAD = 100.0
"""Millimetres; a scan smaller than this has a wrong spacing, or shows a part of a brain."""
NOT_BRAIN, FLUID, GREY, WHITE = range(4)
"""Tissue classes."""
T1_WEIGHTED, OTHER_CONTRAST, UNKNOWN_CONTRAST = "T1w", "other", "unknown"
"""What a scan's contrast is taken for."""
LEAST_T1_CONTRAST = 0.5
"""Standard deviations of brain tissue by which white matter outshines grey in T1: 0.6 to 1.5 in scans of six sources, -0.9 to
0.4 in FLAIR and T2."""


@dataclass(frozen=True)
class IntensityScale:
    """Scan intensities to tissue units: 0 is the median of brain tissue, 1 its robust standard deviation.

    The deviation is (90th - 10th percentile) / 2.563, which is the standard deviation for a normal distribution.
    """

    center: float
    deviation: float

    def to_tissue(self, values: np.ndarray) -> np.ndarray:
        """Intensities to tissue units."""
        return (values - np.float32(self.center)) / np.float32(self.deviation)

    def to_scan(self, values: np.ndarray) -> np.ndarray:
        """Tissue units to intensities."""
        return values * np.float32(self.deviation) + np.float32(self.center)


@dataclass(frozen=True, eq=False)
class Tissue:
    """The tissue of one scan.

    Attributes:
        grid: the overview's geometry (64 voxels an axis, 4 mm or as much as covers the scan).
        values: overview in scan intensities, float32, axes nearly R, A, S; smooth guesses inside the boxes.
        known: boolean, False inside the boxes.
        brain: boolean, brain tissue including ventricles.
        thresholds: two intensities between three classes of the brain by brightness.
        scale: the intensity scale.
        background: intensity of air.
        anatomy: tissue classes by the tissue model, or None where thresholds had to do.
        method: what found the brain, for the provenance.
        doubt: why this is hardly a brain MRI, one clause, or None.
    """

    grid: PatchGrid
    values: np.ndarray
    known: np.ndarray
    brain: np.ndarray
    thresholds: tuple[float, float]
    scale: IntensityScale
    background: float
    anatomy: Anatomy | None
    method: dict[str, object]
    doubt: str | None

    @property
    def stretch(self) -> float:
        """1, or for a scan whose spacing cannot be a head's the factor that was taken for it."""
        return float(self.grid.patch.spacing[0] / OVERVIEW_SPACING)

    @property
    def brain_ml(self) -> float:
        """Volume of the brain mask in millilitres."""
        mask, grid = self._finest
        return grid.ml_of(mask.sum())

    def classes_at(self, points: np.ndarray) -> np.ndarray:
        """Tissue class at RAS points (..., 3): 0 not brain, 1 fluid, 2 grey, 3 white.

        Without the tissue model 1, 2 and 3 are dark, middle and bright brain.
        """
        if self.anatomy is not None:
            return self.anatomy.classes_at(points)
        return self.grid.patch.nearest_values(self._classes, points)

    def depth_at(self, points: np.ndarray) -> np.ndarray:
        """Millimetres from RAS points (..., 3) to what is not brain; 0 outside the brain."""
        return self._finest[1].nearest_values(self._depth, points)

    def brain_on(self, affine: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
        """The brain mask on another grid of the same scan whose axes run along these; boolean."""
        if self.anatomy is not None:
            return self.anatomy.classes_on(affine, shape) > 0
        between = self.grid.patch.inverse @ affine
        smooth = ndimage.affine_transform(self.brain.astype(np.float32), between[:3, :3], between[:3, 3], tuple(shape), order=1)
        return smooth >= 0.5

    @cached_property
    def contrast(self) -> str:
        """`T1_WEIGHTED` where white matter is clearly brighter than grey, else `OTHER_CONTRAST`.

        `UNKNOWN_CONTRAST` without the tissue model, or where a tissue is missing.
        """
        if self.anatomy is None:
            return UNKNOWN_CONTRAST
        classes = self.anatomy.classes_on(self.grid.affine, (self.grid.size,) * 3)
        grey, white = (self.values[self.known & (classes == kind)] for kind in (GREY, WHITE))
        if min(len(grey), len(white)) < 20:
            return UNKNOWN_CONTRAST
        outshines = float(np.median(white) - np.median(grey)) / self.scale.deviation
        return T1_WEIGHTED if outshines > LEAST_T1_CONTRAST else OTHER_CONTRAST

    @property
    def _finest(self) -> tuple[np.ndarray, Grid]:
        """The brain mask on the tissue model's grid, or without the model on the overview's."""
        return (self.brain, self.grid.patch) if self.anatomy is None else (self.anatomy.classes > 0, self.anatomy.grid)

    @cached_property
    def _depth(self) -> np.ndarray:
        brain, grid = self._finest
        return ndimage.distance_transform_edt(np.pad(brain, 1), sampling=grid.spacing)[1:-1, 1:-1, 1:-1]

    @cached_property
    def _classes(self) -> np.ndarray:
        return np.where(self.brain, 1 + np.digitize(self.values, self.thresholds), 0).astype(np.int8)


def estimate_tissue(
    scan: Scan, hidden: Hole | None = None, model: TissueModel | None | Literal["installed"] = "installed"
) -> Tissue:
    """Find the brain, its tissues and their intensities, looking at nothing inside `hidden`.

    Args:
        model: the tissue model to ask; None for thresholds.
    Raises:
        InputError: nothing like a head is in the scan.

    >>> from RadiomicsPersonaLib.imaging.scan import make_scan
    >>> mm = np.stack(np.meshgrid(*3 * [np.arange(-96.0, 97, 6)], indexing="ij"))  # a head: scalp, skull, grey and white matter
    >>> radius = np.linalg.norm(mm / np.array([66, 80, 60])[:, None, None, None], axis=0)
    >>> values = np.select([radius < 0.8, radius < 1, radius < 1.15, radius < 1.3], [600.0, 400.0, 60.0, 500.0], 0.0)
    >>> scan = make_scan(values, [[6, 0, 0, -96], [0, 6, 0, -96], [0, 0, 6, -96], [0, 0, 0, 1]])
    >>> tissue = estimate_tissue(scan, model=None)
    >>> [float(round(value)) for value in (*tissue.thresholds, tissue.scale.center, tissue.scale.deviation)]
    [445.0, 547.0, 593.0, 78.0]
    """
    stretch = _stretch(scan)
    middle = scan.ras_from_ijk((np.array(scan.shape) - 1) / 2)
    grid = patch_grid(scan, middle, OVERVIEW_SPACING * stretch, OVERVIEW_SIZE)
    background = _background(scan, hidden)
    if background is None:
        raise _no_brain(scan)
    values, known = _overview(scan, grid, hidden, background)
    if model == "installed":
        model = TissueModel.installed()
    anatomy, method, doubt = None, {"method": "thresholds, for the tissue model or PyTorch is not installed"}, None
    if model is not None:
        anatomy = _by_model(scan, model, grid, values, background, hidden)
        method, doubt = model.provenance(), anatomy.doubt
    if doubt:
        anatomy, method = None, {"method": "thresholds, for the tissue model saw no brain"}
    if anatomy is None:
        brain = outline = classical_brain(values - background)
    else:
        brain = anatomy.classes_on(grid.affine, (grid.size,) * 3) > 0
        outline = _with_rim(brain, values - background)
    # a mask of brain without its rim, where partial volume with air and bone lies
    core = ndimage.binary_erosion(outline, iterations=1) & known
    sample = values[core]
    if sample.size < 200 or sample.max() == sample.min():
        raise _no_brain(scan)
    low, median, high = np.percentile(sample, [10, 50, 90])
    deviation = max((high - low) / 2.563, 1e-3 * abs(median - background), np.finfo(np.float32).tiny)
    scale = IntensityScale(float(median), float(deviation))
    return Tissue(grid, values, known, brain, three_classes(sample), scale, background, anatomy, method, doubt)


def whole_anatomy(scan: Scan, tissue: Tissue) -> Anatomy | None:
    """The tissue model's view of the scan with nothing hidden; None without the model, or where it saw no brain before."""
    model = TissueModel.installed()
    if tissue.anatomy is None or model is None:
        return None
    return find_anatomy(scan, model, tissue.stretch, tissue.background)


def _by_model(
    scan: Scan, model: TissueModel, grid: PatchGrid, values: np.ndarray, background: float, hidden: Hole | None
) -> Anatomy:
    """The tissue model's view of a scan; inside `hidden` it is shown the overview's smooth guesses."""

    def guess(points: np.ndarray) -> np.ndarray:
        return ndimage.map_coordinates(values, grid.patch.ijk_from_ras(points).T, order=1, mode="nearest")

    return find_anatomy(scan, model, _stretch(scan), background, hidden, guess)


def _with_rim(brain: np.ndarray, values: np.ndarray) -> np.ndarray:
    """The brain and what touches it and is no darker than tissue by thresholds would be.

    The scale's core is worn off from this outline: masks by thresholds, with whose scale the shipped networks that rebuild
    were trained, reach as far. Where those masks are right the two scales agree within 2 % (median) and 3 % (deviation).
    """
    if not brain.any():
        return brain
    return ndimage.binary_dilation(brain) & (brain | (values > 0.35 * np.median(values[brain])))


def _stretch(scan: Scan) -> float:
    """1, or for a spacing that cannot be a head's the factor with which the scan just fills the overview.

    Such a spacing is taken for a wrong one: then voxels, not millimetres, tell what is in the scan.
    """
    extent = float((scan.spacing * np.array(scan.shape)).max())
    whole = OVERVIEW_SPACING * OVERVIEW_SIZE
    return 1.0 if SMALLEST_HEAD <= extent <= whole else extent / whole


def _overview(scan: Scan, grid: PatchGrid, hidden: Hole | None, background: float) -> tuple[np.ndarray, np.ndarray]:
    """The scan on the overview with smooth guesses where it is hidden, and where it is known."""
    values, share = grid.from_scan(scan.array, hidden, outside=background)
    known = share >= 0.5
    return (values if known.all() else _fill_by_diffusion(values, known)), known


def _no_brain(scan: Scan) -> InputError:
    return InputError(
        f"'{scan.name}' shows nothing like a brain outside the boxes and what is excluded: choose a brain MRI, and boxes and "
        "masks that leave brain."
    )


def _background(scan: Scan, hidden: Hole | None) -> float | None:
    """A low value of the scan outside `hidden`; None where nothing is left outside."""
    every = tuple(slice(None, None, max(1, n // 64)) for n in scan.shape)
    sample = scan.array[every]
    if hidden is not None:
        sample = sample[~hidden.full_mask(scan.shape)[every]]
    return float(np.percentile(sample, 1)) if sample.size else None


def _fill_by_diffusion(values: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Nearest known value, smoothed inside the unknown region."""
    nearest = ndimage.distance_transform_edt(~known, return_distances=False, return_indices=True)
    filled = values[tuple(nearest)].astype(np.float32)
    window = tuple(slice(max(s.start - 1, 0), s.stop + 1) for s in bounding_box(~known))
    part, fixed = filled[window], known[window]
    for _ in range(30):
        part = np.where(fixed, part, ndimage.uniform_filter(part, 3))
    filled[window] = part
    return filled
