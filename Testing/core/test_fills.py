"""The classical fills: what they rebuild exactly, what they never touch, and what they refuse."""

import time

import numpy as np
import pytest
from scipy import ndimage, sparse
from scipy.sparse.linalg import spsolve

from RadiomicsPersonaLib.brain.midplane import Midplane
from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.geometry.hole import Hole
from RadiomicsPersonaLib.imaging.scan import make_scan
from RadiomicsPersonaLib.reconstruction.fills import biharmonic, harmonic, mirrored_side, rim_mean

SPACING = np.array([1.0, 1.5, 3.0])
SHAPE = (19, 15, 12)

every_fill = pytest.mark.parametrize("fill", [rim_mean, harmonic, biharmonic])
smooth_fills = pytest.mark.parametrize("fill", [harmonic, biharmonic])


def cuboid(shape=SHAPE, start=(4, 3, 3), stop=(15, 12, 9)):
    mask = np.zeros(shape, bool)
    mask[tuple(slice(a, b) for a, b in zip(start, stop))] = True
    return mask


def lesion_like(shape=SHAPE, seed=3, margin=2, share=75):
    """An irregular shape with holes, spurs and several pieces."""
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=shape), 1.2)
    mask = noise > np.percentile(noise, share)
    if margin:
        inner = np.zeros(shape, bool)
        inner[(slice(margin, -margin),) * 3] = True
        mask &= inner
    return mask


def texture(shape=SHAPE, seed=0):
    return 300 + 100 * ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=shape), 1.0)


def millimetres(shape=SHAPE):
    return [grid * h / 10 for grid, h in zip(np.indices(shape, dtype=float), SPACING)]


def direct_solution(values, mask, spacing, order):
    """The same energies minimised by a sparse direct solver, assembled edge by edge."""
    index = np.arange(values.size).reshape(values.shape)
    rows, columns, weights = [], [], []
    for axis in range(3):
        first = np.take(index, range(values.shape[axis] - 1), axis).ravel()
        second = np.take(index, range(1, values.shape[axis]), axis).ravel()
        rows += [first, second]
        columns += [second, first]
        weights += [np.full(first.size * 2, spacing[axis] ** -2.0)]
    adjacency = sparse.coo_array(
        (np.concatenate(weights), (np.concatenate(rows), np.concatenate(columns))), shape=(values.size,) * 2
    ).tocsr()
    operator = sparse.diags_array(adjacency.sum(axis=1)) - adjacency
    inside = mask.ravel()
    if order == 2:
        used = (np.abs(operator[:, inside]).sum(axis=1) > 0).astype(float)
        operator = operator.T @ sparse.diags_array(used) @ operator
    operator = operator.tocsr()
    result = values.ravel().copy()
    known = operator[inside][:, ~inside] @ result[~inside]
    result[inside] = spsolve(operator[inside][:, inside].tocsc(), -known)
    return result.reshape(values.shape)


@every_fill
@pytest.mark.parametrize("junk", [np.nan, 1e9])
@pytest.mark.parametrize("mask", [cuboid(), lesion_like(), cuboid(start=(0, 3, 3), stop=(5, 15, 8))])
def test_what_is_inside_the_hole_is_never_looked_at(fill, junk, mask):
    values = texture()
    spoiled = np.where(mask, junk, values)
    np.testing.assert_array_equal(fill(values, mask, SPACING), fill(spoiled, mask, SPACING))


@every_fill
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_every_voxel_outside_the_hole_stays_bit_for_bit(fill, dtype):
    values = texture().astype(dtype)
    before, mask = values.copy(), lesion_like()
    filled = fill(values, mask, SPACING)
    assert filled.dtype == dtype
    assert filled[~mask].tobytes() == before[~mask].tobytes()
    assert (filled[mask] != before[mask]).all()
    assert values.tobytes() == before.tobytes(), "the input itself was changed"


def test_the_rim_mean_of_each_piece_is_the_mean_of_the_voxels_that_touch_it():
    values, mask = texture(), np.zeros(SHAPE, bool)
    mask[3, 3, 3] = mask[12, 10, 6] = True
    filled = rim_mean(values, mask, SPACING)
    around = [values[2, 3, 3], values[4, 3, 3], values[3, 2, 3], values[3, 4, 3], values[3, 3, 2], values[3, 3, 4]]
    assert filled[3, 3, 3] == pytest.approx(np.mean(around))
    assert filled[12, 10, 6] != pytest.approx(np.mean(around))


@pytest.mark.parametrize("mask", [cuboid(), lesion_like()])
def test_harmonic_continues_a_slope_exactly(mask):
    x, y, z = millimetres()
    plane = 40 + 3 * x - 2 * y + 5 * z
    np.testing.assert_allclose(harmonic(plane, mask, SPACING), plane, atol=1e-4)


@pytest.mark.parametrize("mask", [cuboid(), lesion_like()])
def test_biharmonic_continues_a_cubic_exactly(mask):
    x, y, z = millimetres()
    cubic = 7 + x - 2 * y + x * y - 3 * z**2 + x**2 * z - y**3 + x * y * z + 0.5 * z**3
    np.testing.assert_allclose(biharmonic(cubic, mask, SPACING), cubic, atol=1e-4)
    assert np.abs(harmonic(cubic, mask, SPACING) - cubic).max() > 1e-2, "the harmonic fill would pass as well"


@smooth_fills
@pytest.mark.parametrize(
    "mask",
    [
        cuboid(),
        lesion_like(),
        lesion_like(margin=0),
        cuboid(start=(0, 0, 3), stop=(9, 15, 12)),
        cuboid(start=(7, 7, 7), stop=(8, 8, 8)),
        ~cuboid(start=(9, 7, 5), stop=(10, 8, 6)),
    ],
    ids=["cuboid", "lesion", "lesion at the border", "slab on four borders", "one voxel", "all but one voxel"],
)
def test_the_fill_agrees_with_a_direct_solver(fill, mask):
    values = texture()
    expected = direct_solution(values, mask, SPACING, order=1 if fill is harmonic else 2)
    assert np.abs(fill(values, mask, SPACING) - expected).max() < 1e-4 * np.ptp(values)


@smooth_fills
def test_the_unit_of_the_spacing_makes_no_difference_but_its_ratio_does(fill):
    values, mask = texture(), cuboid()
    in_mm = fill(values, mask, SPACING)
    np.testing.assert_allclose(fill(values, mask, SPACING / 1000), in_mm, rtol=1e-9)
    assert np.abs(fill(values, mask, np.ones(3)) - in_mm).max() > 1


@every_fill
def test_a_constant_surrounding_gives_that_constant(fill):
    values, mask = np.full(SHAPE, 812.5), lesion_like(margin=0)
    np.testing.assert_array_equal(fill(values, mask, SPACING), values)


@every_fill
def test_an_empty_hole_changes_nothing(fill):
    values = texture()
    np.testing.assert_array_equal(fill(values, np.zeros(SHAPE, bool), SPACING), values)


@every_fill
def test_a_hole_that_is_the_whole_scan_is_refused_with_a_sentence(fill):
    with pytest.raises(InputError, match="nothing is left"):
        fill(texture(), np.ones(SHAPE, bool), SPACING)


@every_fill
@pytest.mark.clock
def test_the_largest_cuboid_of_the_evaluation_takes_seconds_at_most(fill):
    values = texture((62, 62, 62))
    mask = cuboid(values.shape, (3, 3, 3), (59, 59, 59))
    started = time.perf_counter()
    fill(values, mask, np.ones(3))
    assert time.perf_counter() - started < 5


def symmetric_scan(half=20):
    """A scan that is its own mirror image, its midplane at R = 0."""
    right = texture((half, 24, 22), seed=5)
    affine = np.diag([2.0, 2.0, 2.0, 1.0])
    affine[0, 3] = -(2 * half - 1)
    return make_scan(np.concatenate([right[::-1], right]), affine), Midplane(np.array([1.0, 0, 0]), 0.0, 1.0)


def test_the_mirrored_side_rebuilds_a_symmetric_head_exactly():
    scan, midplane = symmetric_scan()
    hole = Hole(np.array([5, 6, 6]), cuboid((10, 11, 9), (1, 1, 1), (9, 10, 8)))
    truth = scan.array[hole.region]
    np.testing.assert_allclose(mirrored_side(scan, hole, midplane, 0.0), truth, rtol=1e-5)


def test_the_mirrored_side_of_a_hole_across_the_midplane_falls_back_on_the_harmonic_fill():
    scan, midplane = symmetric_scan()
    hole = Hole(np.array([14, 6, 6]), np.ones((12, 8, 8), bool))
    wide = hole.grown(scan.shape, 1)
    expected = harmonic(scan.array[wide.region], wide.mask, scan.spacing)[1:-1, 1:-1, 1:-1]
    np.testing.assert_allclose(mirrored_side(scan, hole, midplane, 0.0), expected, rtol=1e-6)


def test_the_mirrored_side_never_looks_into_the_hole_nor_takes_air_from_beyond_the_scan():
    scan, midplane = symmetric_scan()
    shifted = Midplane(midplane.normal, 9.0, 1.0)
    hole = Hole(np.array([1, 6, 6]), np.ones((12, 8, 8), bool))
    spoiled = scan.array.copy()
    spoiled[hole.region] = 1e6
    filled = mirrored_side(scan, hole, shifted, -1000.0)
    again = mirrored_side(make_scan(spoiled, scan.affine), hole, shifted, -1000.0)
    np.testing.assert_array_equal(filled, again)
    assert filled.min() >= scan.array.min(), "air from beyond the field of view came in"
