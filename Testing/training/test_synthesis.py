"""Images synthesised from label maps look like scans of any contrast, and say the truth about themselves."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from bench.label_phantom import SHAPE, make_label_map, make_numbers

from RadiomicsPersonaLib.brain.preparation import prepare
from RadiomicsPersonaLib.brain.tissue import FLUID, GREY, WHITE
from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.imaging.files import write_nifti
from RadiomicsPersonaTrainingLib.samples.healthy_pairs import HealthyPairs
from RadiomicsPersonaTrainingLib.settings.sample_sections import Recipe
from RadiomicsPersonaTrainingLib.synthesis.head_images import SynthesisRecipe, synthesize, synthesize_scan
from RadiomicsPersonaTrainingLib.synthesis.label_map import NUMBER_OF_CODE, LabelMap, codes_of, read_label_map

pytestmark = pytest.mark.slow

PLAIN = SynthesisRecipe(
    realistic=1.0,
    flip=0,
    rotation=0,
    scale=0,
    stretch=0,
    shear=0,
    elastic=0,
    bias=0,
    gamma=0,
    noise=0,
    low_resolution=0,
    extracted=0,
)
"""Nothing but a contrast."""
GRID = {"shape": (80, 96, 84), "spacing": 2.0}


@pytest.fixture(scope="module")
def head():
    return make_label_map()


def draw(head, recipe, seed=0, **grid):
    return synthesize(head, recipe, np.random.default_rng(seed), **(GRID | grid))


def test_the_same_seed_gives_the_same_image_and_another_seed_another(head):
    first, again, other = (draw(head, SynthesisRecipe(), seed) for seed in (1, 1, 2))
    assert np.array_equal(first.image, again.image) and np.array_equal(first.codes, again.codes)
    assert not np.array_equal(first.codes, other.codes) and not np.allclose(first.image, other.image)


def test_a_flip_keeps_left_structures_on_the_left(head):
    lopsided = make_numbers()
    lopsided[:70][lopsided[:70] == 11] = 2
    numbers = draw(head, replace(PLAIN, flip=1.0)).numbers
    middle = (GRID["shape"][0] - 1) / 2
    assert np.argwhere(numbers == 2)[:, 0].mean() < middle < np.argwhere(numbers == 41)[:, 0].mean()
    # what was on one side only is on the other side after the flip
    one_sided = LabelMap(codes_of(lopsided, "one-sided"), head.affine, "one-sided")
    straight, flipped = (draw(one_sided, replace(PLAIN, flip=flip)).numbers for flip in (0.0, 1.0))
    assert (straight == 50).any() and not (straight == 11).any()
    assert (flipped == 11).any() and not (flipped == 50).any()
    assert np.argwhere(flipped == 11)[:, 0].mean() < middle


@pytest.mark.parametrize("realistic", [0.0, 1.0])
def test_both_sides_of_a_structure_look_alike(head, realistic):
    for seed in range(4):
        drawn = draw(head, replace(PLAIN, realistic=realistic), seed)
        for left, right in ((2, 41), (10, 49), (3, 42)):
            means = [drawn.image[drawn.numbers == number].mean() for number in (left, right)]
            assert means[0] == pytest.approx(means[1], abs=0.02)


@pytest.mark.parametrize(
    ("contrast", "order"), [("T1", (FLUID, GREY, WHITE)), ("T2", (WHITE, GREY, FLUID)), ("FLAIR", (FLUID, WHITE, GREY))]
)
def test_realistic_contrasts_order_the_tissues_as_scanners_do(head, contrast, order):
    means = np.zeros(3)
    for seed in range(8):
        drawn = draw(head, replace(PLAIN, contrasts=(contrast,)), seed)
        regions = [np.isin(drawn.numbers, numbers) for numbers in ((4, 43), (3, 42), (2, 41))]
        means += [drawn.image[region].mean() / 8 for region in regions]
    fluid_grey_white = dict(zip((FLUID, GREY, WHITE), means))
    assert fluid_grey_white[order[0]] < fluid_grey_white[order[1]] - 0.03 < fluid_grey_white[order[2]] - 0.06


def test_a_random_contrast_may_turn_any_order_round(head):
    brighter = []
    for seed in range(12):
        drawn = draw(head, replace(PLAIN, realistic=0.0), seed)
        brighter.append(drawn.image[drawn.tissue == WHITE].mean() > drawn.image[drawn.tissue == GREY].mean())
    assert 2 <= sum(brighter) <= 10


def test_shares_of_a_finer_grid_add_up_and_follow_the_structures(head):
    drawn = draw(head, PLAIN, shape=(60, 72, 60), spacing=2.0, fine=1.0)
    assert drawn.codes.shape == (120, 144, 120)
    shares = drawn.shares
    assert shares.min() >= 0 and shares.sum(axis=0).max() <= 1 + 1e-5
    mixed = (shares.max(axis=0) < 0.9) & (shares.sum(axis=0) > 0.1)
    assert mixed.mean() > 0.05, "voxels of 2 mm at a border hold two tissues"
    brain_ml = (drawn.tissue > 0).sum() / 1000
    assert 8 * shares.sum() / 1000 == pytest.approx(brain_ml, rel=0.01)


def test_a_brain_extracted_image_keeps_the_brain_and_loses_the_head(head):
    for seed in range(5):
        whole, extracted = (draw(head, replace(PLAIN, contrasts=("T2",), extracted=share), seed) for share in (0.0, 1.0))
        brain = whole.tissue > 0
        skin = whole.numbers == 511
        assert (extracted.image[brain] > 0.1).mean() > 0.9
        assert (extracted.image[skin] > 0.02).mean() < 0.03 and whole.image[skin].mean() > 0.1


def test_lesions_change_the_image_inside_the_brain_only(head):
    changed = 0
    for seed in range(6):
        plain, ill = (draw(head, replace(PLAIN, lesions=share), seed) for share in (0.0, 1.0))
        difference = np.abs(plain.image - ill.image) > 0.03
        changed += difference.sum()
        assert np.array_equal(plain.tissue, ill.tissue)
        assert not difference[np.isin(plain.numbers, (0, 511, 507))].any()
    assert changed > 1000


@pytest.mark.parametrize("voxel_size", [(1.0, 1.0, 6.0), (3.0, 3.0, 3.0), (2.0, 5.0, 1.5)])
def test_a_synthesised_scan_has_the_voxels_asked_for_and_lies_where_its_truth_does(head, voxel_size):
    scan, truth = synthesize_scan(head, replace(PLAIN, contrasts=("T2",)), np.random.default_rng(1), np.array(voxel_size))
    assert np.allclose(scan.spacing, voxel_size) and np.allclose(truth.spacing, 1)
    assert ((scan.spacing * scan.shape) > np.array(SHAPE) - 8).all()

    def contrast(shift):
        """How much brighter the truth's fluid is than its white matter when the truth is moved."""
        levels = []
        for kind in (FLUID, WHITE):
            points = truth.ras_from_ijk(np.argwhere(truth.array == kind)[::7]) + shift
            index = np.clip(np.rint(scan.ijk_from_ras(points)).astype(int), 0, np.array(scan.shape) - 1)
            levels.append(scan.array[tuple(index.T)].mean())
        return levels[0] - levels[1]

    moves = [side * max(size, 3) * step for size, step in zip(voxel_size, np.eye(3)) for side in (-1, 1)]
    assert contrast(np.zeros(3)) > 200 and all(contrast(np.zeros(3)) > contrast(move) for move in moves)


def test_holes_for_the_inpainting_are_taken_from_a_synthesised_scan(head):
    scan, _ = synthesize_scan(head, replace(PLAIN, contrasts=("T1",), noise=0.02), np.random.default_rng(0), np.full(3, 2.0))
    recipe = Recipe(patch=32, spacings=(2.0, 3.0), spacing_chances=(0.5, 0.5), side=(5.0, 12.0))
    image, _, target, weight, _ = HealthyPairs([prepare(scan)], np.ones(1), recipe, seed=0)[0]
    assert image.shape == (2, 32, 32, 32) and (weight == 1).any() and target.std() > 0.2


def test_what_is_no_label_map_of_a_head_is_refused(tmp_path):
    write_nifti(tmp_path / "empty.nii.gz", np.zeros((40, 40, 40), np.int16), np.eye(4))
    write_nifti(tmp_path / "coarse.nii.gz", np.zeros((40, 40, 40), np.int16), np.diag([3.0, 3.0, 3.0, 1.0]))
    write_nifti(tmp_path / "odd.nii.gz", np.full((40, 40, 40), 77, np.int16), np.eye(4))
    (tmp_path / "broken.nii.gz").write_bytes(b"no image")
    for name, said in (("empty", "no brain"), ("coarse", "1 mm"), ("odd", "77"), ("broken", "cannot be read")):
        with pytest.raises(InputError, match=said):
            read_label_map(tmp_path / f"{name}.nii.gz")


def test_every_voxel_of_a_real_label_map_has_a_structure(data_root):
    import nibabel

    path = data_root / "label_maps" / "training_seg_01.nii.gz"
    if not path.is_file():
        pytest.skip(f"No label maps: '{path}' is not there.")
    label_map = read_label_map(path)
    stored = np.asarray(nibabel.as_closest_canonical(nibabel.load(path)).dataobj)
    assert np.array_equal(NUMBER_OF_CODE[label_map.codes], stored)
    volumes = np.bincount(label_map.tissue.ravel(), minlength=4) / 1000
    assert 1000 < volumes[1:].sum() < 1800 and 100 < volumes[FLUID] < 500


def test_synthetic_scans_are_made_once_and_the_same_in_every_process(tmp_path):
    from RadiomicsPersonaTrainingLib.data.synthetic_scans import SyntheticScans

    file = tmp_path / "labels.nii.gz"
    write_nifti(file, make_numbers(), make_label_map().affine)
    first = SyntheticScans([file], 2, tmp_path / "cache", seed=1)
    made = first[1]
    assert len(first) == 2 and len(list((tmp_path / "cache").iterdir())) == 1
    again = SyntheticScans([file], 2, tmp_path / "other", seed=1)[1]
    assert np.array_equal(made.scan.array, again.scan.array)
    assert not np.array_equal(made.scan.array, first[0].scan.array)
