"""Painted lesions: nothing changes but what is declared, in the direction that disease has in the scan's contrast."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from bench.painted_scan import CORTEX, DEEP_WHITE, contrast_scan
from scipy import ndimage

from RadiomicsPersonaLib.brain.tissue_levels import CONTRASTS, contrast_of, tissue_shares
from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.geometry.hole import Hole
from RadiomicsPersonaLib.lesions.mass_effect import displacement_around, jacobian
from RadiomicsPersonaLib.lesions.outline import ball, outline
from RadiomicsPersonaLib.lesions.painter import KINDS, paint_lesion

pytestmark = pytest.mark.slow

SIZE = {"fcd": 4.0, "ms": 1.5, "stroke": 10.0, "tumour": 20.0}
BRIGHTER = {"T1": -1, "T2": 1, "FLAIR": 1}


def painted(kind: str, contrast: str, strength: float = 1.0, seed: int = 0):
    """The scan, its levels of difference, and the lesion."""
    scan, prepared, model = contrast_scan(contrast)
    place = DEEP_WHITE if kind in ("ms", "tumour") else CORTEX
    hole = outline(kind, scan, prepared.tissue, place, SIZE[kind], np.random.default_rng(seed))
    lesion = paint_lesion(
        scan, hole, kind, contrast, np.random.default_rng(seed), strength=strength, prepared=prepared, model=model
    )
    return scan, hole, lesion


@pytest.mark.parametrize("contrast", CONTRASTS)
@pytest.mark.parametrize("kind", KINDS)
def test_only_what_is_declared_changes_and_in_the_direction_of_the_contrast(kind, contrast):
    scan, hole, lesion = painted(kind, contrast)
    np.testing.assert_array_equal(lesion.values[~lesion.changed], scan.array[~lesion.changed])
    assert lesion.values.dtype == scan.array.dtype
    assert lesion.changed[lesion.lesion].all() and lesion.changed.mean() < 0.2
    assert 0.6 * hole.voxels < lesion.lesion.sum() < 1.4 * hole.voxels
    difference = (lesion.values - scan.array)[lesion.lesion] / contrast_scan(contrast)[1].tissue.scale.deviation
    if (kind, contrast) == ("tumour", "T1 post"):
        assert (
            np.percentile(difference, 95) > 1 and np.percentile(difference, 5) < -0.5
        )  # its rim takes up contrast agent, its core does not
    else:
        assert difference.mean() * BRIGHTER[contrast.split()[0]] > 0.05
        assert (difference * BRIGHTER[contrast.split()[0]] > 0).mean() > 0.55


@pytest.mark.parametrize("kind", KINDS)
def test_a_stronger_lesion_differs_more_and_a_vanishing_one_hardly(kind):
    differences, inside = [], painted(kind, "FLAIR")[2].lesion
    for strength in (0.05, 0.5, 1.0, 2.0):
        scan, _, lesion = painted(kind, "FLAIR", strength)
        differences.append(np.abs(lesion.values - scan.array)[inside].mean() / contrast_scan("FLAIR")[1].tissue.scale.deviation)
    assert differences == sorted(differences) and differences[3] > 2 * differences[1]
    assert differences[0] < 0.15


def test_a_seed_gives_the_same_lesion_and_another_seed_another():
    first, again, other = (painted("stroke", "T1", seed=seed)[2] for seed in (0, 0, 1))
    np.testing.assert_array_equal(first.values, again.values)
    assert (first.lesion != other.lesion).any() and (first.values != other.values).any()


def test_the_noise_inside_is_the_scan_s():
    """Where rebuilt tissue, which has none, took its place."""
    noise = np.random.default_rng(5)
    scan, prepared, model = contrast_scan("T1")
    levels = prepared.tissue.scale.deviation
    noisy = type(scan)((scan.array + noise.normal(0, 0.5 * levels, scan.shape)).astype(np.float32), scan.affine, scan.name)
    hole = outline("ms", noisy, prepared.tissue, DEEP_WHITE, 8.0, np.random.default_rng(0))
    lesion = paint_lesion(
        noisy, hole, "ms", "T1", np.random.default_rng(0), strength=2.0, prepared=replace(prepared, scan=noisy), model=model
    )

    inside = ndimage.binary_erosion(lesion.lesion, iterations=2)

    def roughness(values):
        """Of second differences, without the border's."""
        second = np.diff(values, 2, axis=0)
        return second[inside[:-2] & inside[1:-1] & inside[2:]].std()

    assert 0.8 < roughness(lesion.values) / roughness(noisy.array) < 1.3


def test_tissue_around_a_mass_moves_away_and_never_folds():
    grid = np.indices((40, 44, 36)).astype(float)
    mass = sum((g - c) ** 2 for g, c in zip(grid, (20, 22, 18))) < 8**2
    free = np.ones(mass.shape)
    free[:, :, :12] = 0
    moved = displacement_around(mass, free, np.array([1.0, 1.0, 2.0]), push=6.0, reach=12.0)
    assert jacobian(moved).min() > 0
    assert moved[0, 30, 22, 18] < -1.5 and moved[0, 10, 22, 18] > 1.5  # it came from nearer the middle
    assert (moved[:, :, :, :12] == 0).all() and (moved[:, 0] == 0).all()


def test_a_tumour_displaces_tissue_beyond_its_outline_and_spares_cortex_with_its_oedema():
    scan, hole, lesion = painted("tumour", "T1")
    mask = hole.full_mask(scan.shape)
    assert (lesion.changed & ~mask).sum() > 0.5 * mask.sum()
    assert (
        np.abs(lesion.values - scan.array)[lesion.changed & ~mask].max() > 0.5 * contrast_scan("T1")[1].tissue.scale.deviation
    )


@pytest.mark.parametrize("kind", [None, *KINDS])
def test_an_outline_is_one_piece_in_tissue_of_the_size_that_was_asked_for(kind):
    scan, prepared, _ = contrast_scan("T1")
    rng = np.random.default_rng(3)
    hole = outline(kind, scan, prepared.tissue, CORTEX, 6.0, rng) if kind else ball(scan, prepared.tissue, CORTEX, 6.0, rng)
    mask = hole.full_mask(scan.shape)
    assert abs(mask.sum() * 0.008 - 6.0) < 0.2
    assert ndimage.label(mask)[1] == 1
    shares = tissue_shares(prepared.tissue, scan.affine, scan.shape)
    assert (shares[1:].sum(axis=0)[mask] < 0.4).mean() < 0.05


def test_the_contrast_is_told_by_the_tissues():
    for contrast in ("T1", "T2", "FLAIR"):
        scan, prepared, _ = contrast_scan(contrast)
        assert contrast_of(scan, prepared.tissue) == contrast
    scan, prepared, _ = contrast_scan("T1")
    named = type(scan)(scan.array, scan.affine, "sub-1_T1ce")
    assert contrast_of(named, prepared.tissue) == "T1 post"


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"kind": "flu"}, "There is no kind of lesion 'flu': choose fcd, ms, stroke or tumour."),
        ({"contrast": "SWI"}, "There is no contrast 'SWI': choose T1, T1 post, T2 or FLAIR."),
        ({"strength": 3.0}, "The strength is 3: give a number from 0.05 to 2; 1 is a usual lesion."),
    ],
)
def test_what_cannot_be_painted_is_refused_in_one_sentence(change, sentence):
    scan, prepared, model = contrast_scan("T1")
    asked = {"kind": "ms", "contrast": "T1", "strength": 1.0} | change
    with pytest.raises(InputError) as refused:
        paint_lesion(
            scan,
            Hole(np.array([40, 40, 40]), np.ones((3, 3, 3), bool)),
            asked["kind"],
            asked["contrast"],
            np.random.default_rng(0),
            strength=asked["strength"],
            prepared=prepared,
            model=model,
        )
    assert str(refused.value) == sentence
