"""The synthetic head is head-like enough for what is tested on it."""

from __future__ import annotations

import numpy as np
import pytest
from bench.phantom import CSF, GREY, WHITE, make_head

from RadiomicsPersonaLib.brain.midplane import estimate_midplane
from RadiomicsPersonaLib.brain.tissue import estimate_tissue

pytestmark = pytest.mark.slow


def test_the_head_has_a_brain_of_human_size_and_a_midplane(synthetic_head):
    assert synthetic_head.shape == (90, 110, 90) and not synthetic_head.warnings
    tissue = estimate_tissue(synthetic_head)
    assert 1200 < tissue.brain_ml < 1700
    assert CSF < tissue.thresholds[0] < WHITE and GREY < tissue.scale.center < WHITE
    midplane = estimate_midplane(tissue)
    assert midplane.normal[0] > 0.999 and abs(midplane.offset) < 1 and midplane.symmetry > 0.9


def test_the_head_stands_upright_whatever_the_grid(synthetic_head):
    """On a left-handed, permuted, anisotropic, tilted grid far from the origin."""
    turn = np.array([[np.cos(0.4), -np.sin(0.4), 0], [np.sin(0.4), np.cos(0.4), 0], [0, 0, 1]])
    affine = np.eye(4)
    affine[:3, :3] = turn @ np.array([[0, -2.5, 0], [0, 0, 3], [3, 0, 0]])
    affine[:3, 3] = [100, 50, -70]
    head = make_head(affine=affine)
    np.testing.assert_array_equal(head.affine, affine)
    middle = head.ras_from_ijk((np.array(head.shape) - 1) / 2)
    midplane = estimate_midplane(estimate_tissue(head))
    assert midplane.normal[0] > 0.999 and abs(midplane.offset - middle[0]) < 2
    for offset in ([0, 0, 10], [40, 20, 30], [-30, -50, 20], [0, 95, 8]):
        here = tuple(np.rint(head.ijk_from_ras(middle + offset)).astype(int))
        there = tuple(np.rint(synthetic_head.ijk_from_ras(offset)).astype(int))
        assert abs(head.array[here] - synthetic_head.array[there]) < 150


def test_a_seed_names_one_head(synthetic_head):
    np.testing.assert_array_equal(make_head(seed=0).array, synthetic_head.array)
    assert not np.array_equal(make_head(seed=1).array, synthetic_head.array)
