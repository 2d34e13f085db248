"""Box to patch to scan and back, under every geometry a scanner can produce."""

from __future__ import annotations

import numpy as np
import pytest
from bench.phantom import make_head

from RadiomicsPersonaLib.brain.midplane import Midplane
from RadiomicsPersonaLib.brain.preparation import PreparedScan
from RadiomicsPersonaLib.brain.tissue import estimate_tissue
from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.geometry.box import Box, parse_box
from RadiomicsPersonaLib.geometry.hole import hole_of_box
from RadiomicsPersonaLib.geometry.patch import patch_grid
from RadiomicsPersonaLib.imaging.scan import Scan
from RadiomicsPersonaLib.reconstruction import reconstruction
from RadiomicsPersonaLib.reconstruction.reconstruction import rebuild
from RadiomicsPersonaLib.reconstruction.reconstruction_model import load_model
from RadiomicsPersonaTrainingLib.synthesis.random_rotation import random_rotation

GEOMETRIES = 10_000
PATCH = 12


def random_scan(rng: np.random.Generator) -> tuple[Scan, np.ndarray]:
    """A small scan of random geometry that shows a ramp in world coordinates, and the ramp's (a, b, c, d)."""
    shape = tuple(rng.integers(10, 24, 3))
    flips = np.diag(rng.choice([-1.0, 1.0], 3))
    affine = np.eye(4)
    affine[:3, :3] = random_rotation(rng) @ flips * np.exp(rng.uniform(np.log(0.3), np.log(7), 3))
    affine[:3, 3] = rng.uniform(-200, 200, 3)
    ramp = rng.normal(size=4)
    index = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), axis=-1)
    world = index @ affine[:3, :3].T + affine[:3, 3]
    return Scan(world @ ramp[:3] + ramp[3], affine), ramp


@pytest.mark.slow
def test_ten_thousand_random_geometries_carry_a_ramp_to_the_patch_and_back():
    """A linear function of the world survives resampling exactly only if every voxel is where it should be."""
    rng = np.random.default_rng(0)
    checked_in = checked_back = 0
    for _ in range(GEOMETRIES):
        scan, ramp = random_scan(rng)
        middle = scan.ras_from_ijk((np.array(scan.shape) - 1) * rng.uniform(0.3, 0.7, 3))
        spacing = float(np.exp(rng.uniform(np.log(0.3), np.log(7))))
        grid = patch_grid(scan, middle, spacing, PATCH)
        # the patch's axes point along R, A, S as nearly as the scan's do, and its voxels have the spacing asked for
        directions = grid.affine[:3, :3] / np.linalg.norm(grid.affine[:3, :3], axis=0)
        assert (np.diag(directions) > 0).all() and np.linalg.norm(grid.affine[:3, 0]) == pytest.approx(spacing, rel=2e-3)

        patch, known = grid.from_scan(scan.array)
        assert (known == 1).all()
        index = np.stack(np.meshgrid(*[np.arange(PATCH)] * 3, indexing="ij"), axis=-1)
        world = index @ grid.affine[:3, :3].T + grid.affine[:3, 3]
        reach = np.maximum(1, spacing / scan.spacing)
        where = scan.ijk_from_ras(world)
        inner = ((where >= reach) & (where <= np.array(scan.shape) - 1 - reach)).all(axis=-1)
        tolerance = 1e-4 * np.abs(scan.array).max()
        assert np.abs(patch - (world @ ramp[:3] + ramp[3]))[inner].max(initial=0) < tolerance
        checked_in += inner.sum()

        box = Box(middle, np.full(3, 3 * spacing), random_rotation(rng))
        try:
            hole = hole_of_box(scan, box)
        except InputError:
            continue  # between the slices
        back = grid.to_scan((world @ ramp[:3] + ramp[3]).astype(np.float32), hole)
        truth = scan.array[hole.region]
        corner = np.stack(np.meshgrid(*[np.arange(n) for n in hole.mask.shape], indexing="ij"), axis=-1) + hole.start
        at = np.linalg.inv(grid.ijk_from_patch) @ np.concatenate([corner, np.ones((*hole.mask.shape, 1))], -1)[..., None]
        at = at[..., :3, 0]
        reach = np.maximum(1, 1 / np.abs(grid.step))
        inner = hole.mask & ((at >= reach) & (at <= PATCH - 1 - reach)).all(axis=-1)
        assert np.abs(back - truth)[inner].max(initial=0) < tolerance
        checked_back += inner.sum()
    assert checked_in > 1_000_000 and checked_back > 100_000  # the checks above had something to check


def test_a_one_millimetre_scan_passes_through_the_patch_unchanged():
    rng = np.random.default_rng(1)
    affine = np.array([[0, 0, 1.0, -60], [-1, 0, 0, 70], [0, 1.0, 0, -50], [0, 0, 0, 1]])
    scan = Scan(rng.normal(size=(40, 50, 60)).astype(np.float32), affine)
    grid = patch_grid(scan, np.array([-30.3, 50.2, -20.4]), 1.0, 32)
    patch, _ = grid.from_scan(scan.array)
    hole = hole_of_box(scan, Box([-30, 50, -20], [12, 12, 12]))
    assert np.array_equal(grid.to_scan(patch, hole), scan.array[hole.region])


def test_the_hole_is_exactly_the_voxels_whose_centre_lies_in_the_box():
    rng = np.random.default_rng(2)
    for _ in range(300):
        scan, _ = random_scan(rng)
        middle = scan.ras_from_ijk((np.array(scan.shape) - 1) / 2)
        box = Box(middle + rng.normal(size=3), scan.spacing.max() * rng.uniform(1, 6, 3), random_rotation(rng))
        index = np.stack(np.meshgrid(*map(np.arange, scan.shape), indexing="ij"), axis=-1)
        inside = box.contains(scan.ras_from_ijk(index))
        if not inside.any():
            continue
        assert np.array_equal(hole_of_box(scan, box).full_mask(scan.shape), inside)


def test_what_is_in_the_hole_does_not_reach_the_patch():
    rng = np.random.default_rng(3)
    for _ in range(200):
        scan, _ = random_scan(rng)
        middle = scan.ras_from_ijk((np.array(scan.shape) - 1) / 2)
        box = Box(middle, scan.spacing.max() * rng.uniform(2, 4, 3), random_rotation(rng))
        hole = hole_of_box(scan, box)
        grid = patch_grid(scan, middle, float(np.exp(rng.uniform(np.log(0.3), np.log(7)))), PATCH)
        changed = scan.array.copy()
        changed[hole.region][hole.mask] = 1e6
        for a, b in zip(grid.from_scan(scan.array, hole), grid.from_scan(changed, hole)):
            assert np.array_equal(a, b)


def test_beyond_the_field_of_view_the_patch_shows_the_value_given_for_outside():
    scan = Scan(np.full((20, 20, 20), 5, np.float32), np.diag([2.0, 2, 2, 1]))
    patch, _ = patch_grid(scan, np.array([0.0, 20, 20]), 2.0, 16).from_scan(scan.array, outside=-3)
    assert (patch[:7] == -3).all() and (patch[8:] == 5).all()


@pytest.mark.parametrize("text", ["1,2,3,4,5,6", "1;2;3;4;5;6", " 1 2  3\t4 5 6 ", "1, 2, 3, 4, 5, 6"])
def test_a_box_is_read_in_every_usual_form(text):
    box = parse_box(text)
    assert box.center.tolist() == [1, 2, 3] and box.size.tolist() == [4, 5, 6]


@pytest.mark.parametrize(
    "text",
    ["1,2,3,4,5", "1,2,3,4,5,six", "1,2,3,4,5,nan", "1,2,3,4,5,0", "1,2,3,4,5,-6", "", "R.mrk.JSON"]
    + ["10,5;20;30;40;20", "1 000,2,3,4,5", "1,,2,3,4,5,6", "1,2,3,4,5,6,", "1 0,2,3,4,5,6", "1,5;2;3;4;5;6", "1;2;3 4 5 6"],
)
def test_a_box_that_is_not_six_good_numbers_is_refused_in_one_sentence(text):
    with pytest.raises(InputError, match="."):
        parse_box(text)


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (0.94, 0.94, 7.75), (3.0, 1.2, 1.2)])
def test_a_box_is_rebuilt_bit_for_bit_as_if_all_of_its_patch_had_been(spacing, monkeypatch):
    """The network computes its finest level no farther than the hole and the match to its rim reach."""
    head = make_head(affine=np.diag([*spacing, 1.0]))
    middle = head.ras_from_ijk((np.array(head.shape) - 1) / 2)
    holes = [
        hole_of_box(head, Box(middle + shift, size)) for shift, size in (([25, 5, 0], [14, 20, 16]), ([0, 0, 9], [44, 30, 30]))
    ]
    prepared = PreparedScan(
        head, estimate_tissue(head, model=None), Midplane(np.array([1.0, 0, 0]), float(middle[0]), 1.0), None
    )
    found = rebuild(prepared, holes, load_model("healthy-t1"))
    monkeypatch.setattr(reconstruction, "_window_of", lambda scan, hole, grid: np.array([[0] * 3, [grid.size] * 3]))
    for less, all_ in zip(found, rebuild(prepared, holes, load_model("healthy-t1"))):
        assert np.array_equal(less.values, all_.values) and less.values.std() > 0
