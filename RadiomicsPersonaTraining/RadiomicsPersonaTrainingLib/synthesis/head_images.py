"""Head images: images of any contrast from label maps, fresh at every draw.

After SynthSeg's generator (Billot et al. 2023, Medical Image Analysis 86:102789): a label map is deformed, every
structure gets a random brightness, then come bias field, resolution, noise and gamma. Own are contrasts that
exist beside random ones, fat and muscle in what the maps call soft tissue, and heads that are brain-extracted, defaced,
cut off, or hold something that is no healthy tissue.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from RadiomicsPersonaLib.brain.tissue import FLUID, GREY, WHITE
from RadiomicsPersonaLib.imaging.random_field import smooth_field
from RadiomicsPersonaLib.imaging.scan import Scan, make_scan

from .artefacts import add_lesions, cut, deface, extract
from .disease import LEAST_DIFFERENCE, paint_lesions, plan_lesions, push_away
from .label_map import APPEARANCE_OF_CODE, APPEARANCES, NUMBER_OF_CODE, OTHER_SIDE, TISSUE_OF_CODE, LabelMap
from .lesion_variety import LesionGroup, Variety, plan_groups
from .scanner_artefacts import add_artefacts
from .tissue_contrast import CONTRASTS, random_contrast, realistic_contrast

BLUR = 0.42
"""Standard deviation of a voxel's profile as a share of its width: a Gaussian whose full width at half maximum is the voxel."""
MARGIN = 8.0
"""Millimetres of air around the head in a synthesised scan."""


@dataclass(frozen=True)
class SynthesisRecipe:
    """The ranges that images are drawn from. Every range is uniform unless it says otherwise; lengths are millimetres.

    Attributes:
        realistic: chance of a contrast that exists (`contrasts`, with random spread) instead of a random one.
        contrasts: names from `CONTRASTS`.
        flip: chance of a left-right flip.
        rotation: largest angle about every axis, degrees.
        scale, stretch: largest change of size of the whole, and of every axis besides, as shares of 1.
        shear: largest shear.
        elastic: largest standard deviation of the smooth deformation, which bends over `elastic_reach`.
        bias: largest standard deviation of the bias field's logarithm at its nodes.
        gamma: standard deviation of the logarithm of the exponent.
        noise: largest standard deviation of the noise as a share of the brightest tissue.
        low_resolution: chance of voxels larger than the finest; those that are not slices are of one size on all axes
            up to `largest_voxel`.
        slices: share of these that are slices as thick as `thickest_slice`.
        extracted: chance of a brain-extracted image.
        defaced, cut: chances of a face taken off, and of a field of view that ends above the neck or in the brain.
        lesions: chance of one to three blobs or boxes of other brightness in the brain; their tissue class stays.
        disease: chance of lesions as diseases leave them, which are marked.
        variety: what these are like; None for irregular ellipsoids, one or two large ones or many small ones.
        artefacts: chance of what goes wrong in a scanner; half of that in heads with disease.
    """

    realistic: float = 0.5
    contrasts: tuple[str, ...] = CONTRASTS
    flip: float = 0.5
    rotation: float = 15.0
    scale: float = 0.2
    stretch: float = 0.08
    shear: float = 0.012
    elastic: float = 4.0
    elastic_reach: float = 32.0
    bias: float = 0.7
    gamma: float = 0.3
    noise: float = 0.05
    low_resolution: float = 0.65
    largest_voxel: float = 4.0
    thickest_slice: float = 8.0
    extracted: float = 0.25
    defaced: float = 0.0
    cut: float = 0.0
    lesions: float = 0.0
    disease: float = 0.0
    variety: Variety | None = None
    artefacts: float = 0.0
    slices: float = 0.5


@dataclass(frozen=True, eq=False)
class Synthesis:
    """One synthesised image, axes R, A, S.

    Attributes:
        image: float32 on cubic voxels, 0 to about 1.
        codes: uint8, structure of every voxel of the fine grid on which it was painted, see `LabelMap`; this is the
            image's own grid unless a finer one was asked for.
        lesion: boolean on the same grid, what disease changed; what the map itself calls a lesion counts.
    """

    image: np.ndarray
    codes: np.ndarray
    lesion: np.ndarray

    @property
    def tissue(self) -> np.ndarray:
        """Tissue classes on the fine grid, uint8."""
        return TISSUE_OF_CODE[self.codes]

    @property
    def numbers(self) -> np.ndarray:
        """FreeSurfer numbers on the fine grid, int16."""
        return NUMBER_OF_CODE[self.codes]

    @property
    def shares(self) -> np.ndarray:
        """Share of fluid, grey and white in every voxel of the image, float32 (3, *image.shape)."""
        return np.stack([self._share(self.tissue == kind) for kind in (FLUID, GREY, WHITE)])

    @property
    def lesion_share(self) -> np.ndarray:
        """Share of lesion in every voxel of the image, float32."""
        return self._share(self.lesion)

    def _share(self, fine: np.ndarray) -> np.ndarray:
        """What part of every voxel of the image a mask on the fine grid covers."""
        ratio = self.codes.shape[0] / self.image.shape[0]
        share = fine.astype(np.float32)
        for axis, (n, m) in enumerate(zip(self.codes.shape, self.image.shape)):
            share = _along(share, axis, _profile(n, 1.0, ratio, m, ratio)[0])
        return share


def synthesize(
    label_map: LabelMap,
    recipe: SynthesisRecipe,
    rng: np.random.Generator,
    shape: tuple[int, int, int],
    spacing: float,
    fine: float | None = None,
    center: np.ndarray | None = None,
) -> Synthesis:
    """An image of `shape` cubic voxels of `spacing` millimetres, as a scan of random resolution looks on such a grid.

    Args:
        fine: millimetres of the grid on which structures are painted; `spacing` by default. A finer grid gives voxels
            that hold several tissues, and takes longer.
        center: index into the label map (fractional) that the image's middle shows; the brain's middle by default.
    """
    fine = fine or spacing
    painted = tuple(int(round(n * spacing / fine)) for n in shape)
    codes, image, lesion, ill = _paint(label_map, recipe, rng, painted, fine, center)
    profiles = [
        _profile(n, fine, float(size), m, spacing) for n, m, size in zip(painted, shape, _voxel_size(recipe, rng, fine))
    ]
    for axis in range(3):
        image = _along(image, axis, profiles[axis][0])
    image = _develop(image, recipe, rng, ill)
    for axis in range(3):
        image = _along(image, axis, profiles[axis][1])
    return Synthesis(image, codes, lesion)


def synthesize_scan(
    label_map: LabelMap, recipe: SynthesisRecipe, rng: np.random.Generator, voxel_size: np.ndarray | None = None
) -> tuple[Scan, Scan]:
    """A whole head as a scanner would give it, with its truth.

    Args:
        voxel_size: millimetres along R, A, S; drawn from the recipe by default.
    Returns:
        The scan on its own voxels, and the tissue classes (0 to 3) in the same place at 1 mm.
    """
    shape = tuple(int(n) for n in np.ceil(np.array(label_map.codes.shape) * (1 + recipe.scale / 2) + 2 * MARGIN))
    middle = (np.array(label_map.codes.shape) - 1) / 2
    codes, image, _, ill = _paint(label_map, recipe, rng, shape, 1.0, middle)
    size = _voxel_size(recipe, rng, 1.0) if voxel_size is None else np.asarray(voxel_size, float)
    affine = np.eye(4)
    affine[:3, 3] = -(np.array(shape) - 1) / 2
    truth = make_scan(TISSUE_OF_CODE[codes], affine, label_map.name)
    for axis in range(3):
        image = _along(image, axis, _profile(shape[axis], 1.0, float(size[axis]), shape[axis], 1.0)[0])
    first = np.array([_voxel_centers(n, 1.0, s)[0] for n, s in zip(shape, size)])
    affine = np.diag([*size, 1.0])
    affine[:3, 3] = truth.ras_from_ijk(first)
    image = np.rint(1000 * _develop(image, recipe, rng, ill)).astype(np.float32)
    return make_scan(image, affine, label_map.name), truth


def _paint(label_map, recipe, rng, shape, spacing, center) -> tuple[np.ndarray, np.ndarray, np.ndarray, bool]:
    """Structures, brightness and lesions on the fine grid, before blur; and whether disease was painted."""
    codes = _deformed(label_map, recipe, rng, shape, spacing, center)
    # no draw is spent where there is no disease, so that seeds keep their meaning
    ill = bool(recipe.disease) and rng.random() < recipe.disease
    groups = _planned(codes, recipe.variety, rng, spacing) if ill else []
    for group in groups:
        push_away(codes, group.lesions, rng)
    contrast = None
    if rng.random() < recipe.realistic:
        contrast = str(rng.choice(recipe.contrasts))
        means, deviations = realistic_contrast(contrast, rng)
    else:
        means, deviations = random_contrast(rng)
    look = APPEARANCE_OF_CODE[codes].astype(np.uint8)
    fat_between = smooth_field(rng, shape, spacing, 12.0)[0] > rng.uniform(0, 2)
    look[(look == APPEARANCES.index("muscle")) & fat_between] = APPEARANCES.index("fat")
    image = rng.standard_normal(shape, dtype=np.float32)
    image *= deviations.astype(np.float32)[look]
    image += means.astype(np.float32)[look]
    lesion = look == APPEARANCES.index("white lesion")
    least = recipe.variety.least_difference if recipe.variety else LEAST_DIFFERENCE
    for group in groups:
        if group.lesions:
            lesion |= paint_lesions(image, codes, group.lesions, means, contrast, rng, spacing, least, group.faint)
    if rng.random() < recipe.lesions:
        add_lesions(image, codes, rng, spacing)
    if rng.random() < recipe.extracted:
        extract(image, codes, rng, spacing, float(means[APPEARANCES.index("air")]))
    if recipe.bias > 0:
        image *= np.exp(
            smooth_field(rng, shape, spacing, max(shape) * spacing / 3)[0] * np.float32(rng.uniform(0, recipe.bias))
        )
    return codes, image, lesion, ill


def _planned(codes: np.ndarray, variety: Variety | None, rng: np.random.Generator, spacing: float) -> list[LesionGroup]:
    return plan_groups(codes, variety, rng, spacing) if variety else [LesionGroup(plan_lesions(codes, rng, spacing), False)]


def _deformed(label_map, recipe, rng, shape, spacing, center) -> np.ndarray:
    """Codes on the grid after turning, scaling, shearing, bending and flipping; what faces and fields of view lose is air."""
    low, high = label_map.brain_bounds
    center = (low + high) / 2 if center is None else np.asarray(center, float)
    turn = _rotation(np.deg2rad(rng.uniform(-recipe.rotation, recipe.rotation, 3)))
    size = (1 + rng.uniform(-recipe.scale, recipe.scale)) * (1 + rng.uniform(-recipe.stretch, recipe.stretch, 3))
    shear = np.eye(3) + np.where(np.eye(3) > 0, 0, rng.uniform(-recipe.shear, recipe.shear, (3, 3)))
    matrix = turn @ shear @ np.diag(1 / size)
    flipped = rng.random() < recipe.flip
    if flipped:
        matrix = np.diag([-1.0, 1.0, 1.0]) @ matrix
    bend = smooth_field(rng, shape, spacing, recipe.elastic_reach, 3) * np.float32(rng.uniform(0, recipe.elastic))
    steps = [((np.arange(n) - (n - 1) / 2) * spacing).astype(np.float32) for n in shape]
    grid = (steps[0][:, None, None], steps[1][None, :, None], steps[2][None, None, :])
    extent = label_map.codes.shape
    index = np.zeros(shape, np.int32)
    inside = np.ones(shape, bool)
    # the neck goes on below the map, everything else ends at its border
    for axis in range(3):
        where = bend[axis]
        where += sum(np.float32(matrix[axis, k]) * grid[k] for k in range(3))
        where += np.float32(center[axis] + 0.5)
        if axis == 2:
            np.maximum(where, 0, out=where)
        inside &= (where >= 0) & (where < extent[axis])
        np.clip(where, 0, extent[axis] - 1, out=where)
        index = index * extent[axis] + where.astype(np.int32)
    codes = label_map.codes.ravel().take(index)
    codes[~inside] = 0
    if flipped:
        codes = OTHER_SIDE[codes]
    if rng.random() < recipe.defaced:
        deface(codes, grid, rng)
    if rng.random() < recipe.cut:
        cut(codes, rng)
    return codes


def _rotation(angles: np.ndarray) -> np.ndarray:
    matrix = np.eye(3)
    for axis, angle in enumerate(angles):
        turn = np.eye(3)
        i, j = [a for a in range(3) if a != axis]
        turn[i, i] = turn[j, j] = np.cos(angle)
        turn[i, j], turn[j, i] = -np.sin(angle), np.sin(angle)
        matrix = matrix @ turn
    return matrix


def _voxel_size(recipe: SynthesisRecipe, rng: np.random.Generator, finest: float) -> np.ndarray:
    """Millimetres along the three axes."""
    size = np.full(3, finest)
    if rng.random() < recipe.low_resolution:
        if rng.random() < 1 - recipe.slices:
            size[:] = rng.uniform(finest, recipe.largest_voxel)
        else:
            size[:] = rng.uniform(finest, max(finest, 1.5))
            size[rng.integers(3)] = rng.uniform(finest, recipe.thickest_slice)
    return size


def _develop(image: np.ndarray, recipe: SynthesisRecipe, rng: np.random.Generator, ill: bool) -> np.ndarray:
    """Artefacts, noise and gamma; magnitude images are never negative."""
    if recipe.artefacts and rng.random() < recipe.artefacts * (0.5 if ill else 1.0):
        image = add_artefacts(image, rng)
    image = image + rng.standard_normal(image.shape, dtype=np.float32) * np.float32(rng.uniform(0, recipe.noise))
    np.abs(image, out=image)
    top = np.float32(max(float(image.max()), 1e-6))
    return top * (image / top) ** np.float32(np.exp(rng.normal(0, recipe.gamma)))


def _along(image: np.ndarray, axis: int, matrix: np.ndarray) -> np.ndarray:
    """A matrix applied along one axis; nothing to do where it is the identity."""
    if matrix.shape[0] == matrix.shape[1] and np.array_equal(matrix, np.eye(len(matrix), dtype=np.float32)):
        return image
    return np.ascontiguousarray(np.moveaxis(np.tensordot(image, matrix, axes=(axis, 1)), -1, axis))


def _voxel_centers(count: int, spacing: float, size: float) -> np.ndarray:
    """Where voxels of `size` lie among `count` samples of `spacing`, as sample indices; they cover the field evenly."""
    voxels = max(1, int(np.floor(count * spacing / size + 1e-6)))
    return (count - 1) / 2 + (np.arange(voxels) - (voxels - 1) / 2) * size / spacing


@lru_cache(maxsize=256)
def _profile(count: int, fine: float, size: float, target_count: int, target: float) -> tuple[np.ndarray, np.ndarray]:
    """From `count` fine samples to voxels of `size` millimetres, and on to `target_count` voxels of `target` millimetres.

    Returns:
        Two matrices, (voxels, count) and (target_count, voxels): a Gaussian profile, and the linear interpolation or
        tent filter with which the core resamples scans. All grids share their middle.
    """
    centers = _voxel_centers(count, fine, size)
    down = np.exp(-0.5 * ((np.arange(count)[None, :] - centers[:, None]) * fine / (BLUR * size)) ** 2)
    down /= down.sum(axis=1, keepdims=True)
    position = (np.arange(target_count) - (target_count - 1) / 2) * target / size + (len(centers) - 1) / 2
    distance = np.clip(position, 0, len(centers) - 1)[:, None] - np.arange(len(centers))[None, :]
    up = np.maximum(0, max(1.0, target / size) - np.abs(distance))
    up /= up.sum(axis=1, keepdims=True)
    return down.astype(np.float32), up.astype(np.float32)
