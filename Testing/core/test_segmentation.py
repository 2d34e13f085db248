"""Segmenting a scan: grids, windows, contrasts that do not share a grid, and what agreement means."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.geometry.model_grid import model_grid
from RadiomicsPersonaLib.imaging.contrast_name import channel_files
from RadiomicsPersonaLib.imaging.resampling import onto_grid_of
from RadiomicsPersonaLib.imaging.scan import Scan
from RadiomicsPersonaLib.segmentation.segmentation_model import segmentation_input
from RadiomicsPersonaLib.segmentation.sliding_window import slid
from RadiomicsPersonaTrainingLib.head_evaluation.segmentation import agreement

CHANNELS = [{"name": "t1", "endings": ["t1", "t1n"]}, {"name": "flair", "endings": ["flair", "t2f"]}]


def oblique_scan(spacing=(1.0, 1.5, 2.0), shape=(40, 36, 24)) -> Scan:
    """A smooth scan whose axes are permuted, flipped and turned by 10 degrees."""
    turn = np.deg2rad(10)
    rotation = np.array([[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]])
    affine = np.eye(4)
    affine[:3, :3] = rotation @ np.array([[0, 0, -1.0], [1.0, 0, 0], [0, -1.0, 0]]) * np.array(spacing)
    affine[:3, 3] = (5, -20, 30)
    array = ndimage.gaussian_filter(np.random.default_rng(0).normal(size=shape), 4) * 1000
    return Scan(array.astype(np.float32), affine)


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (2.5, 2.0, 1.5), (0.0, 0.0, 0.0)])
def test_a_scan_comes_back_from_the_models_grid_where_it_was(spacing):
    scan = oblique_scan()
    grid = model_grid(scan, spacing)
    back = grid.to_scan(grid.from_scan(scan.array))
    inner = (slice(4, -4),) * 3
    assert back.shape == scan.shape
    assert np.abs(back - scan.array)[inner].max() < (0.3 if any(spacing) else 1e-6) * scan.array.std()


def test_the_models_axes_point_right_anterior_superior_and_labels_keep_their_volume():
    scan = oblique_scan()
    grid = model_grid(scan, (1.0, 1.0, 1.0))
    world = scan.ras_from_ijk(np.argwhere(np.ones(scan.shape, bool))).reshape(*scan.shape, 3)
    for axis in range(3):
        coordinate = grid.from_scan(world[..., axis])
        assert (np.diff(coordinate, axis=axis)[4:-4, 4:-4, 4:-4] > 0).all()
    labels = np.where(scan.array > scan.array.std(), 2, np.where(scan.array < -scan.array.std(), 1, 0))
    moved = grid.labels_from_scan(labels, 2)
    for number in (1, 2):
        assert (moved == number).sum() == pytest.approx((labels == number).sum() * np.prod(scan.spacing), rel=0.05)


def test_a_contrast_lands_where_its_header_says():
    first = oblique_scan()
    affine = np.diag([1.3, 1.3, 1.3, 1.0])
    affine[:3, 3] = first.bounds_ras[0] - 3
    shape = tuple(np.ceil((first.bounds_ras[1] - first.bounds_ras[0] + 6) / 1.3).astype(int) + 1)
    points = np.argwhere(np.ones(shape, bool)) @ affine[:3, :3].T + affine[:3, 3]
    other = Scan((points @ [1.0, -2.0, 0.5] + 500).reshape(shape).astype(np.float32), affine, "other")
    moved = onto_grid_of(first, other)
    expected = first.ras_from_ijk(np.argwhere(np.ones(first.shape, bool))) @ [1.0, -2.0, 0.5] + 500
    assert np.abs(moved.array - expected.reshape(first.shape))[2:-2, 2:-2, 2:-2].max() < 1e-2
    away = affine.copy()
    away[:3, 3] += 60
    with pytest.raises(InputError, match="register them first"):
        onto_grid_of(first, Scan(other.array, away, "other"))


def test_a_coarser_first_scan_gets_means_and_no_aliases():
    """Stripes finer than the first scan's voxels vanish instead of turning into broad ones."""
    stripes = np.tile(np.array([0.0, 200.0]), 30)[:, None, None] * np.ones((60, 60, 60))
    fine = Scan(stripes.astype(np.float32), np.eye(4), "fine")
    coarse = Scan(np.zeros((14, 14, 14), np.float32), np.diag([4.1, 4.1, 4.1, 1.0]), "coarse")
    moved = onto_grid_of(coarse, fine).array[2:-2, 2:-2, 2:-2]
    assert np.abs(moved - 100).max() < 15


@pytest.mark.parametrize("shape", [(20, 33, 50), (7, 40, 16)])
def test_windows_cover_every_voxel_and_agree_where_they_overlap(shape):
    """An answer that depends on the voxel alone comes out the same whatever the windows."""
    image = np.random.default_rng(1).uniform(1, 2, (2, *shape)).astype(np.float32)
    told = []
    found = slid(
        image,
        (16, 16, 16),
        lambda window: np.stack([window.sum(axis=0), window[0] - window[1]]),
        lambda *step: told.append(step),
    )
    assert np.allclose(found, [image.sum(axis=0), image[0] - image[1]], atol=1e-4)
    assert told[-1][0] == told[-1][1] == len(told) > 1


def test_empty_surroundings_are_not_looked_at():
    image = np.zeros((1, 64, 64, 64), np.float32)
    image[0, 20:30, 20:30, 20:30] = 1
    asked = []
    found = slid(image, (16, 16, 16), lambda window: asked.append(1) or np.ones((1, 16, 16, 16), np.float32))
    assert len(asked) == 1 and found.sum() == 1000


def test_the_scale_of_a_scan_and_a_few_bright_voxels_do_not_matter():
    values = np.random.default_rng(2).normal(300, 50, (30, 30, 30)).astype(np.float32)
    bright = values.copy()
    bright[0, 0, :20] = 1e6
    assert np.allclose(segmentation_input(values), segmentation_input(1e-4 * values), atol=1e-3)
    assert np.allclose(segmentation_input(values)[1:], segmentation_input(bright)[1:], atol=0.02)
    extracted = np.where(np.arange(30)[:, None, None] < 12, 0, values)
    assert not segmentation_input(extracted)[:12].any() and abs(segmentation_input(extracted)[12:].mean()) < 0.05
    assert not segmentation_input(np.full((4, 4, 4), 7.0)).any()


def sphere(radius: float, spacing: np.ndarray, offset: float = 0.0) -> np.ndarray:
    points = (np.argwhere(np.ones((60, 60, 30), bool)) * spacing - np.array([30, 30, 30]) - [0, 0, offset]).reshape(
        60, 60, 30, 3
    )
    return np.linalg.norm(points, axis=-1) <= radius


def test_agreement_of_spheres_follows_the_formulas():
    """Concentric spheres of 12 and 8 mm: Dice 2 v / (V + v), Hausdorff distance 4 mm, in true millimetres."""
    spacing = np.array([1.0, 1.0, 2.0])
    large, small = sphere(12, spacing), sphere(8, spacing)
    measures = agreement(small, large, spacing)
    assert measures["dice"] == pytest.approx(2 * 8**3 / (12**3 + 8**3), abs=0.01)
    assert measures["jaccard"] == pytest.approx(8**3 / 12**3, abs=0.01) and measures["sensitivity"] == pytest.approx(
        8**3 / 12**3, abs=0.01
    )
    assert (
        measures["specificity"] == 1
        and measures["hd_mm"] == pytest.approx(4, abs=1.1)
        and measures["hd95_mm"] == pytest.approx(4, abs=1.1)
    )
    moved = agreement(sphere(8, spacing, 6), small, spacing)  # across the slices, which are 2 mm thick
    assert moved["hd_mm"] == pytest.approx(6, abs=0.5) and moved["hd95_mm"] <= moved["hd_mm"]


def test_the_distance_is_the_larger_of_the_two_percentiles():
    """A speck far off: 5 % of one structure's edge or more reach it, none of the other's do."""
    truth = np.zeros((60, 20, 20), bool)
    truth[5:15, 5:15, 5:15] = True
    found = truth.copy()
    found[40:46, 5:11, 5:11] = True
    measures = agreement(found, truth, np.ones(3))
    assert measures["hd_mm"] == pytest.approx(31, abs=0.5) and measures["hd95_mm"] > 25
    assert agreement(truth, found, np.ones(3))["hd95_mm"] == pytest.approx(measures["hd95_mm"])


def test_empty_structures_are_counted_as_agreed():
    empty, full = np.zeros((10, 10, 10), bool), np.zeros((10, 10, 10), bool)
    full[3:6, 3:6, 3:6] = True
    both = agreement(empty, empty, np.ones(3))
    assert (both["dice"], both["jaccard"], both["hd95_mm"], both["hd_mm"], both["specificity"]) == (1, 1, 0, 0, 1) and np.isnan(
        both["sensitivity"]
    )
    for pair in ((empty, full), (full, empty)):
        one = agreement(*pair, np.array([1.0, 2.0, 2.0]))
        assert one["dice"] == one["jaccard"] == 0 and one["hd95_mm"] == one["hd_mm"] == pytest.approx(30)


@pytest.mark.parametrize(
    "files, expected",
    [
        (["a_T1.nii.gz", "a_flair.nii.gz"], {0: "a_T1.nii.gz", 1: "a_flair.nii.gz"}),
        (["x-t2f.nii", "x-t1n.nii"], {1: "x-t2f.nii", 0: "x-t1n.nii"}),
        (["flair=odd.mha", "other_T1w.nii"], {1: "odd.mha", 0: "other_T1w.nii"}),
        (["one.nii", "two.nii"], {0: "one.nii", 1: "two.nii"}),
    ],
)
def test_files_are_told_by_their_names(files, expected):
    found = channel_files(files, CHANNELS, may_miss=False)
    assert found == expected and list(found) == list(expected)


@pytest.mark.parametrize(
    "files, sentence",
    [
        (["a_T2.nii.gz", "a_flair.nii.gz"], "looks like t2, and this model takes t1, flair"),
        (["a_T1.nii.gz"], "flair is missing"),
        (["a_T1.nii.gz", "b_T1.nii.gz"], "are both t1"),
        (["one.nii", "two.nii", "three.nii"], "cannot be told from its name"),
        (["pd=x.nii", "a_T1.nii"], "no contrast 'pd'"),
    ],
)
def test_files_that_do_not_fit_are_refused(files, sentence):
    with pytest.raises(InputError, match=sentence):
        channel_files(files, CHANNELS, may_miss=False)
