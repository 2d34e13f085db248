"""The grid that every image holds."""

from __future__ import annotations

import numpy as np
import pytest
from bench.phantom import make_head

from RadiomicsPersonaLib.brain.tissue import estimate_tissue
from RadiomicsPersonaLib.imaging.grid import Grid


def oblique() -> Grid:
    """Voxels of 1 x 2 x 3 mm, turned by 30 degrees, the last axis running down."""
    cos, sin = np.cos(np.pi / 6), np.sin(np.pi / 6)
    affine = np.eye(4)
    affine[:3, :3] = np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, -1]]) * [1.0, 2.0, 3.0]
    affine[:3, 3] = [-20.0, 7.0, 40.0]
    return Grid((10, 12, 14), affine)


def test_a_turned_and_flipped_grid_finds_its_voxels_again_and_knows_their_size():
    grid = oblique()
    index = np.stack(np.meshgrid(*(np.arange(n) for n in grid.shape), indexing="ij"), axis=-1)
    np.testing.assert_array_equal(grid.nearest(grid.ras_from_ijk(index) + 0.3), index)
    assert grid.spacing == pytest.approx([1, 2, 3])
    assert grid.voxel_ml == pytest.approx(0.006) and grid.ml_of(500) == pytest.approx(3.0)
    assert grid.voxels_of(3.0) == pytest.approx(500)


def test_beyond_an_image_there_is_nothing():
    grid = oblique()
    values = np.arange(1, 1 + np.prod(grid.shape)).reshape(grid.shape)
    found = grid.nearest_values(values, grid.ras_from_ijk([[0, 0, 0], [9, 11, 13], [-1, 0, 0], [9, 12, 13]]))
    assert found.tolist() == [1, values[-1, -1, -1], 0, 0]


def test_a_scan_and_its_overview_place_the_brain_alike():
    head = make_head(4.0)
    tissue = estimate_tissue(head)
    middle = tissue.grid.patch.ras_from_ijk(np.argwhere(tissue.brain)).mean(axis=0)
    assert head.grid.holds(head.grid.nearest(middle))
    assert tissue.brain_ml == pytest.approx(tissue.grid.patch.ml_of(tissue.brain.sum()), rel=0.2)
