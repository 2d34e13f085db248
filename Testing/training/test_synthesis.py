"""Images synthesised from label maps look like scans of any contrast, and say the truth about themselves."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from bench.label_phantom import SHAPE, make_label_map, make_numbers
from scipy import ndimage

from RadiomicsPersonaLib.brain.preparation import prepare
from RadiomicsPersonaLib.brain.tissue import FLUID, GREY, WHITE
from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.imaging.files import write_nifti
from RadiomicsPersonaTrainingLib.data.lesion_shapes import is_for_evaluation
from RadiomicsPersonaTrainingLib.data.split import TRAINING, ListedScan
from RadiomicsPersonaTrainingLib.fitting.run_setup import label_map_work
from RadiomicsPersonaTrainingLib.samples.healthy_pairs import HealthyPairs
from RadiomicsPersonaTrainingLib.samples.tissue_samples import LesionSamples
from RadiomicsPersonaTrainingLib.settings.sample_sections import Recipe, TissueRecipe
from RadiomicsPersonaTrainingLib.settings.training_settings import settings_from
from RadiomicsPersonaTrainingLib.synthesis.disease import FAINT, paint_lesions
from RadiomicsPersonaTrainingLib.synthesis.head_images import SynthesisRecipe, synthesize, synthesize_scan
from RadiomicsPersonaTrainingLib.synthesis.label_map import (
    APPEARANCE_OF_CODE,
    APPEARANCES,
    NUMBER_OF_CODE,
    TISSUE_OF_CODE,
    LabelMap,
    codes_of,
    read_label_map,
)
from RadiomicsPersonaTrainingLib.synthesis.lesion_outlines import ellipsoid, flowing, noisy, real
from RadiomicsPersonaTrainingLib.synthesis.lesion_variety import Variety, plan_groups
from RadiomicsPersonaTrainingLib.synthesis.scanner_artefacts import (
    KINDS,
    add_artefacts,
    fold_over,
    ghosts,
    motion,
    noise,
    shading,
    spikes,
)

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("small_models")]

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


@pytest.mark.usefixtures("shipped_models")
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


VARIETY = Variety(real=0.0, noise=0.3, flow=0.3, shapes=(), mixed=0.0, small=0.0, faint=0.0, least_difference=0.035)
DRAWERS = {"ellipsoid": ellipsoid, "flow": flowing, "noise": noisy, "real": real}


def bent_mask(folder: Path, arm: int = 24) -> Path:
    """A mask of two long arms that meet at a right angle, on voxels of 1 x 1 x 2 mm."""
    mask = np.zeros((60, 60, 30), np.uint8)
    mask[10 : 10 + arm, 10:16, 10:13] = 1
    mask[10:16, 10 : 10 + arm, 10:13] = 1
    folder.mkdir(exist_ok=True)
    write_nifti(folder / f"bent-{arm}.nii.gz", mask, np.diag([1.0, 1.0, 2.0, 1.0]))
    return folder / f"bent-{arm}.nii.gz"


def spread_of(points: np.ndarray) -> np.ndarray:
    """Standard deviations along the main axes as shares of the largest."""
    values = np.sqrt(np.linalg.eigvalsh(np.cov(points.T)))
    return values / values.max()


@pytest.mark.parametrize("kind", DRAWERS)
@pytest.mark.parametrize("radius", [4.0, 14.0])
def test_an_outline_holds_about_the_volume_asked_for_whatever_the_voxels(kind, radius, tmp_path):
    files = {"files": (bent_mask(tmp_path),)} if kind == "real" else {}
    volumes = {1.0: [], 2.0: []}
    for spacing, found in volumes.items():
        for seed in range(8):
            shape = (int(120 / spacing),) * 3
            lesion = DRAWERS[kind](np.full(3, 60 / spacing), radius, shape, np.random.default_rng(seed), spacing, **files)
            assert lesion.distance.shape == tuple(part.stop - part.start for part in lesion.region)
            inside = lesion.distance < 1
            # it does not reach its region's border, so nothing is cut off
            assert not any(np.take(inside, (0, -1), axis).any() for axis in range(3))
            found.append(inside.sum() * spacing**3 / (4 / 3 * np.pi * radius**3))
    assert all(0.6 < np.mean(found) < 1.7 for found in volumes.values())


def test_a_real_outline_keeps_its_form_when_it_is_turned_and_scaled(tmp_path):
    file = bent_mask(tmp_path)
    wanted = spread_of(np.argwhere(np.asarray(_array(file)) > 0) * [1.0, 1.0, 2.0])
    turned = []
    for seed in range(6):
        lesion = real(np.full(3, 50.0), 12.0, (100, 100, 100), np.random.default_rng(seed), 1.0, (file,))
        inside = np.argwhere(lesion.distance < 1)
        assert spread_of(inside) == pytest.approx(wanted, abs=0.06)
        turned.append(np.linalg.eigh(np.cov(inside.T))[1][:, -1])
    assert np.abs(np.array(turned) @ turned[0]).min() < 0.8, "it lies another way each time"


def test_a_flow_draws_a_ball_out_without_changing_its_volume_and_noise_breaks_it_up():
    def form(draw, seed):
        lesion = draw(np.full(3, 60.0), 15.0, (120, 120, 120), np.random.default_rng(seed), 1.0)
        inside = lesion.distance < 1
        # the largest piece's share, and the surface for that volume
        rim = inside & ~ndimage.binary_erosion(inside)
        sizes = np.bincount(ndimage.label(inside)[0].ravel())[1:]
        return sizes.max() / sizes.sum(), rim.sum() / inside.sum() ** (2 / 3)

    round_ones, drawn_out, ragged = ([form(draw, seed) for seed in range(6)] for draw in (ellipsoid, flowing, noisy))
    assert np.mean([r for _, r in drawn_out]) > 1.1 * np.mean([r for _, r in round_ones])
    assert min(share for share, _ in drawn_out) > 0.9 and min(share for share, _ in ragged) < 0.9


def test_small_lesions_lie_in_white_matter_near_ventricles_and_cortex(head):
    codes, rng = head.codes, np.random.default_rng(0)
    centers, radii = [], []
    for _ in range(12):
        for group in plan_groups(codes, replace(VARIETY, small=1.0), rng, 1.0):
            centers += [lesion.center for lesion in group.lesions]
            radii += [lesion.radius for lesion in group.lesions]
    index = np.clip(np.rint(centers).astype(int), 0, np.array(codes.shape) - 1)
    assert (TISSUE_OF_CODE[codes[tuple(index.T)]] == WHITE).mean() > 0.85
    assert 1 < min(radii) and max(radii) < 8.2 and np.median(radii) < 4
    ventricle = np.argwhere(np.isin(NUMBER_OF_CODE[codes], (4, 43)))[::11]
    near = np.array([np.linalg.norm(ventricle - center, axis=1).min() < 12 for center in index])
    everywhere = np.argwhere(TISSUE_OF_CODE[codes] == WHITE)[::5000]
    usual = np.mean([np.linalg.norm(ventricle - place, axis=1).min() < 12 for place in everywhere])
    assert near.mean() > 1.5 * usual + 0.1


def test_a_mixed_head_holds_large_and_small_lesions_and_no_count_is_certain(head):
    rng = np.random.default_rng(1)
    heads = [plan_groups(head.codes, replace(VARIETY, mixed=1.0), rng, 1.0) for _ in range(25)]
    radii = [[lesion.radius for group in groups for lesion in group.lesions] for groups in heads]
    assert sum(max(found) > 12 and min(found) < 4 for found in radii if found) >= 6
    counts = [len(found) for found in radii]
    assert min(counts) <= 2 and max(counts) >= 12


def test_faint_lesions_differ_little_but_as_much_as_was_asked_for(head):
    codes = head.codes
    means = np.linspace(0.2, 0.9, len(APPEARANCES))
    differences = {True: [], False: []}
    for faint, found in differences.items():
        for seed in range(8):
            rng = np.random.default_rng(seed)
            image = means.astype(np.float32)[APPEARANCE_OF_CODE[codes]]
            before = image.copy()
            for group in plan_groups(codes, replace(VARIETY, small=0.0), rng, 1.0):
                marked = paint_lesions(image, codes, group.lesions, means, None, rng, 1.0, 0.035, faint)
                white = marked & np.isin(NUMBER_OF_CODE[codes], (2, 41))
                if white.sum() > 50:
                    found.append(float(np.median(np.abs(image - before)[white])))
    assert len(differences[True]) >= 4 and 0.02 < min(differences[True]) and max(differences[True]) < FAINT + 0.03
    assert np.median(differences[False]) > 2 * np.median(differences[True])


@pytest.fixture(scope="module")
def clean(head):
    return draw(head, replace(PLAIN, contrasts=("T1",)), seed=3).image


@pytest.mark.parametrize("add", [ghosts, motion, spikes, fold_over, shading, noise])
def test_an_artefact_is_seen_and_leaves_the_head_where_it_lies(clean, add):
    def sharpness(moved):
        return float(np.corrcoef(moved.ravel(), clean.ravel())[0, 1])

    for seed in range(4):
        spoilt = add(clean, np.random.default_rng(seed))
        assert spoilt.shape == clean.shape and np.isfinite(spoilt).all() and spoilt.min() >= 0
        assert np.abs(spoilt - clean).mean() > 0.002
        still = sharpness(spoilt)
        assert still > 0.6 and all(sharpness(np.roll(spoilt, step, axis)) < still for axis in range(3) for step in (-2, 2))


def test_every_artefact_comes_now_and_then_and_the_image_given_stays_as_it_was(clean):
    before = clean.copy()
    outside = clean < 0.02
    found = [add_artefacts(clean, np.random.default_rng(seed)) for seed in range(24)]
    assert np.array_equal(clean, before) and all(image.dtype == np.float32 for image in found)
    # shading leaves the air dark, everything else puts something there
    bright = np.array([image[outside].mean() for image in found])
    assert (bright < 0.005).any() and (bright > 0.02).any() and len(KINDS) == 6


def test_healthy_heads_with_artefacts_hold_no_mark(head):
    for seed in range(4):
        plain, spoilt = (draw(head, replace(PLAIN, contrasts=("T2",), artefacts=share), seed) for share in (0.0, 1.0))
        assert not spoilt.lesion.any() and np.array_equal(plain.codes, spoilt.codes)
        assert np.abs(plain.image - spoilt.image).mean() > 0.002


def test_slices_are_thick_along_one_axis_and_the_share_is_as_asked_for(head):
    def blur(recipe, seed):
        """How much less neighbours differ than in a fine image: the least blurred axis over the most blurred one."""
        image, fine = (draw(head, kind, seed).image for kind in (recipe, replace(recipe, low_resolution=0.0)))
        kept = [np.abs(np.diff(image, axis=axis)).mean() / np.abs(np.diff(fine, axis=axis)).mean() for axis in range(3)]
        return max(kept) / min(kept)

    coarse = replace(PLAIN, contrasts=("T1",), low_resolution=1.0, thickest_slice=8.0)
    sliced, even = ([blur(replace(coarse, slices=share), seed) for seed in range(6)] for share in (1.0, 0.0))
    assert np.mean(sliced) > 1.2 * np.mean(even) and max(even) < 1.1


def test_the_lesion_task_draws_from_the_masks_that_may_train_and_from_no_others(label_maps, tmp_path):
    rows = [ListedScan("maps", file.name, TRAINING, file) for file in sorted(label_maps.iterdir())]
    files = [bent_mask(tmp_path / "masks", arm) for arm in range(12, 36, 2)]
    kept = [file for file in files if is_for_evaluation(file)]
    assert kept, "one in five or so"
    small = {"shape": [32, 48, 32], "spacing": 4.0, "fine": 4.0, "various": True, "real_outlines": 1.0, "healthy": 0.0}
    table = {
        "data": [{"name": "maps", "kind": "label maps"}], "tissue": small, "task": {"kind": "lesion"},
        "network": {"channels": [8, 8], "blocks": [1, 1]}, "fit": {"validation_pairs": 1},
    }  # fmt: skip
    work = label_map_work(settings_from(table), rows, tmp_path / "masks")
    used = work.training.synthesis.variety.shapes
    assert set(used) == set(files) - set(kept) and f"{len(used)} lesion masks" in " ".join(work.told)
    assert sum(float(work.training[number][1].sum()) for number in range(6)) > 5
    with pytest.raises(InputError, match="lesion_masks"):
        label_map_work(settings_from(table), rows, None)
    table["tissue"] = {**small, "real_outlines": 0.0}
    assert label_map_work(settings_from(table), rows, None).training.synthesis.variety.shapes == ()


def test_without_variety_samples_are_drawn_as_before(label_maps):
    files = sorted(label_maps.iterdir())
    grid = {"shape": (32, 48, 32), "spacing": 4.0, "fine": 4.0}
    plain = LesionSamples(files, TissueRecipe(**grid), 0)
    unused = LesionSamples(
        files, TissueRecipe(**grid, faint=1.0, artefacts=1.0, thick_slices=1.0, healthy=1.0), 0, shapes=tuple(files)
    )
    various = LesionSamples(files, TissueRecipe(**grid, various=True), 0)
    for number in range(3):
        assert all((a == b).all() for a, b in zip(plain[number][:2], unused[number][:2]))
    assert not all((plain[number][0] == various[number][0]).all() for number in range(3))


def _array(file: Path) -> np.ndarray:
    import nibabel

    return np.asarray(nibabel.load(file).dataobj)
