"""Population mean: the average brain of the training subjects, laid over a scan, as a simple fill of its holes.

Brains are brought together by an affine transform with 12 parameters: first by the centre, the extent and the midplane
of the brain, then by Mattes mutual information (Mattes et al. 2003), which serves any contrast. The average's values
become the scan's by the mean curve of scan against average outside the hole. Nothing inside the hole is looked at.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from scipy import ndimage

from RadiomicsPersonaLib.brain.midplane import Midplane
from RadiomicsPersonaLib.brain.preparation import PreparedScan, prepare
from RadiomicsPersonaLib.brain.tissue import Tissue
from RadiomicsPersonaLib.geometry.hole import Hole
from RadiomicsPersonaLib.imaging.files import digest_of, name_of, read_scan
from RadiomicsPersonaLib.reconstruction.reconstruction import REGION_MARGIN, Reconstruction
from RadiomicsPersonaLib.system.output import file_written_whole
from RadiomicsPersonaLib.system.stored_arrays import read_arrays

from ..data.card_subjects import files_of, of_scans
from ..data.split import TRAINING

SPACING = 2.0
"""Millimetres between the average's voxels; its overview, for the registration, has twice as much."""
SHAPE = (96, 112, 96)
AFFINE = np.diag([SPACING, SPACING, SPACING, 1.0])
AFFINE[:3, 3] = -SPACING * (np.array(SHAPE) - 1) / 2
"""From the average's indices to its own RAS millimetres, whose origin is the middle of the brain."""
_OVERVIEW_SHAPE = tuple(n // 2 for n in SHAPE)
_OVERVIEW_AFFINE = AFFINE @ np.array([[2, 0, 0, 0.5], [0, 2, 0, 0.5], [0, 0, 2, 0.5], [0, 0, 0, 1.0]])
EXTENT = np.array([35.0, 43.0, 31.0])
"""Standard deviation of a usual brain's voxels along right, anterior and superior, millimetres."""
MOST_SUBJECTS = 20
"""Subjects that go in: enough for a smooth average, made in under a minute."""
_ROUNDS = 2
_BINS = 24

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True, eq=False)
class PopulationMean:
    """The average of several healthy brains.

    Attributes:
        values: float32 of `SHAPE`, axes R, A, S, tissue units; air where fewer subjects have brain.
        share: float32 of `SHAPE`, the share of subjects that have brain there.
        subjects: names of the scans that went in.
    """

    values: np.ndarray
    share: np.ndarray
    subjects: tuple[str, ...]

    def __call__(self, prepared: PreparedScan, holes: list[Hole]) -> list[Reconstruction]:
        """Rebuild every hole of a scan that was prepared without looking into them."""
        curve, index_from_ras = self._fitted(prepared)
        scan, results = prepared.scan, []
        for hole in holes:
            region = hole.grown(scan.shape, REGION_MARGIN)
            values = np.array(scan.array[region.region], dtype=np.float64)
            points = scan.ras_from_ijk(np.argwhere(region.mask) + region.start)
            index = points @ index_from_ras[:3, :3].T + index_from_ras[:3, 3]
            values[region.mask] = curve(ndimage.map_coordinates(self.values, index.T, order=1, mode="nearest"))
            results.append(Reconstruction(region, values, SPACING))
        return results

    def _fitted(self, prepared: PreparedScan) -> tuple[Callable[[np.ndarray], np.ndarray], np.ndarray]:
        """The curve from the average's values to the scan's, and the 4x4 matrix from RAS to the average's indices."""
        tissue = prepared.tissue
        average, share = self._overview
        ras_from_overview = brain_frame(tissue, prepared.midplane) @ _OVERVIEW_AFFINE
        from_ras = tissue.grid.patch.inverse

        def sampled(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            values = _sampled(tissue.values, from_ras @ matrix, _OVERVIEW_SHAPE, tissue.background)
            known = _sampled(tissue.known, from_ras @ matrix, _OVERVIEW_SHAPE, 0.0)
            return values, known > 0.999

        values, visible = sampled(ras_from_overview)
        ras_from_overview = ras_from_overview @ _registered(average, share, tissue.scale.to_tissue(values), visible)
        values, visible = sampled(ras_from_overview)
        used = visible & (share > 0.1)
        ras_from_index = ras_from_overview @ np.linalg.inv(_OVERVIEW_AFFINE) @ AFFINE
        return _mean_curve(average[used], values[used]), np.linalg.inv(ras_from_index)

    @cached_property
    def _overview(self) -> tuple[np.ndarray, np.ndarray]:
        return _halved(self.values), _halved(self.share)


def population_mean(files: list[Path], cache: Path, progress: Progress | None = None) -> PopulationMean:
    """The average of up to `MOST_SUBJECTS` scans, taken evenly from the list, or the same one from its cache file.

    Args:
        files: training scans, one per subject.
        cache: an .npz file; written when it is missing or holds the average of other scans.
        progress: called with (scans done, scans in all, what).
    """
    if len(files) > MOST_SUBJECTS:
        files = [files[i] for i in np.linspace(0, len(files) - 1, MOST_SUBJECTS).round().astype(int)]
    # two sources may use the same names for their subjects
    subjects = tuple(f"{path.parent.name}/{name_of(path)}" for path in files)
    made_of = [*subjects, digest_of(files)]
    try:
        stored = read_arrays(cache, {"made_of": ("U", ()), "values": ("f", SHAPE), "share": ("f", SHAPE)})
        if json.loads(str(stored["made_of"])) == made_of:
            return PopulationMean(stored["values"], stored["share"], subjects)
    except (OSError, ValueError):
        pass  # not there, or damaged: it is made anew
    brains = []
    for number, path in enumerate(files):
        if progress:
            progress(number, len(files), f"population mean: {name_of(path)}")
        brains.append(_brain_of(prepare(read_scan(path))))
    if progress:
        progress(len(files), len(files), "population mean")
    values, share = (np.mean(parts, axis=0) for parts in zip(*brains))
    for _ in range(_ROUNDS):
        target = _halved(values), _halved(share)
        everywhere = np.ones(_OVERVIEW_SHAPE, bool)
        moved = []
        for brain, mask in brains:
            refined = _registered(*target, _halved(brain), everywhere)
            matrix = np.linalg.inv(AFFINE) @ _OVERVIEW_AFFINE @ refined @ np.linalg.inv(_OVERVIEW_AFFINE) @ AFFINE
            moved.append((_sampled(brain, matrix, SHAPE, float(brain.min())), _sampled(mask, matrix, SHAPE, 0.0)))
        values, share = (np.mean(parts, axis=0) for parts in zip(*moved))
    with file_written_whole(cache) as staging, open(staging, "wb") as stream:
        np.savez_compressed(stream, values=values, share=share, made_of=json.dumps(made_of))
    return PopulationMean(values, share, subjects)


def training_files(root: Path, card: dict) -> list[Path]:
    """The scans beneath a data folder that the model of a card was trained on, as far as they are there."""
    return [file for entry in of_scans(card) for file in files_of(entry, TRAINING, root)]


def brain_frame(tissue: Tissue, midplane: Midplane) -> np.ndarray:
    """4x4 matrix from the average's millimetres to a scan's RAS, by the brain's middle and extent and by the midplane."""
    points = tissue.grid.patch.ras_from_ijk(np.argwhere(tissue.brain))
    right = midplane.normal
    # the least rotation that takes R to the midplane's normal (Rodrigues)
    axis = np.cross([1.0, 0.0, 0.0], right)
    cross = np.array([[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]])
    turn = np.eye(3) + cross + cross @ cross / (1 + right[0])
    frame = np.eye(4)
    frame[:3, :3] = turn * (((points - points.mean(axis=0)) @ turn).std(axis=0) / EXTENT)
    frame[:3, 3] = points.mean(axis=0)
    return frame


def _brain_of(prepared: PreparedScan) -> tuple[np.ndarray, np.ndarray]:
    """A healthy scan's brain in the average's frame: tissue units with air around it, and its mask; float32."""
    scan, tissue = prepared.scan, prepared.tissue
    ras_from_index = brain_frame(tissue, prepared.midplane) @ AFFINE
    values = _sampled(scan.array, scan.grid.inverse @ ras_from_index, SHAPE, tissue.background)
    mask = _sampled(tissue.brain.astype(np.float32), tissue.grid.patch.inverse @ ras_from_index, SHAPE, 0.0)
    inside = mask > 0.5
    values = np.where(inside, values, np.float32(tissue.background))
    return tissue.scale.to_tissue(values).astype(np.float32), inside.astype(np.float32)


def _registered(average: np.ndarray, share: np.ndarray, brain: np.ndarray, visible: np.ndarray) -> np.ndarray:
    """4x4 matrix from overview indices of the average to those of a brain that already lies roughly there.

    Args:
        average, share: overview of the average.
        brain: overview of the scan on the same grid, tissue units.
        visible: boolean; voxels of the brain that may be looked at.
    """

    def image(array: np.ndarray, kind) -> sitk.Image:
        # SimpleITK's arrays run K, J, I
        return sitk.GetImageFromArray(np.ascontiguousarray(array.T.astype(kind)))

    start = sitk.AffineTransform(3)
    start.SetCenter([(n - 1) / 2 for n in average.shape])
    method = sitk.ImageRegistrationMethod()
    method.SetMetricAsMattesMutualInformation(32)
    method.SetMetricFixedMask(image(share > 0.1, np.uint8))
    method.SetMetricMovingMask(image(visible, np.uint8))
    method.SetMetricSamplingStrategy(method.REGULAR)
    method.SetMetricSamplingPercentage(0.25, 1)
    method.SetInterpolator(sitk.sitkLinear)
    method.SetOptimizerAsRegularStepGradientDescent(1.0, 0.02, 60)
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetInitialTransform(start, inPlace=True)
    method.Execute(image(average, np.float32), image(np.clip(brain, -6, 6), np.float32))
    matrix = np.eye(4)
    matrix[:3, :3] = np.array(start.GetMatrix()).reshape(3, 3)
    center = np.array(start.GetCenter())
    matrix[:3, 3] = center + start.GetTranslation() - matrix[:3, :3] @ center
    return matrix


def _mean_curve(average: np.ndarray, values: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """The mean of `values` given `average`: means in bins of equal counts, joined by straight lines."""
    order = np.argsort(average, kind="stable")
    parts = np.array_split(order, _BINS)
    x, y = (np.array([a[part].mean(dtype=np.float64) for part in parts]) for a in (average, values))
    return lambda found: np.interp(found, x, y)


def _sampled(array: np.ndarray, matrix: np.ndarray, shape: tuple[int, int, int], outside: float) -> np.ndarray:
    """An array at `matrix` times every index of a grid, interpolated linearly; float32 of `shape`."""
    return ndimage.affine_transform(
        np.asarray(array, np.float32), matrix[:3, :3], matrix[:3, 3], shape, order=1, mode="constant", cval=outside
    )


def _halved(array: np.ndarray) -> np.ndarray:
    """Means of blocks of two voxels along every axis."""
    i, j, k = (n // 2 for n in array.shape)
    return array.reshape(i, 2, j, 2, k, 2).mean(axis=(1, 3, 5))
