"""What a process keeps of a scan for its next box."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from bench.phantom import make_head

from RadiomicsPersonaLib.brain.preparation import prepare
from RadiomicsPersonaLib.commands.cache import Cache
from RadiomicsPersonaLib.geometry.box import Box
from RadiomicsPersonaLib.geometry.hole import hole_of_box
from RadiomicsPersonaLib.imaging.files import write_nifti

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """A scan as the cache keeps it, and its preparations for two boxes."""
    head = make_head(4.0)
    path = tmp_path_factory.mktemp("cache") / "head.nii.gz"
    write_nifti(path, head.array, head.affine)
    cache = Cache()
    scan, _ = cache.scan(path)
    holes = [hole_of_box(scan, Box([x, 0.0, 20.0], [24.0, 24.0, 24.0])) for x in (30.0, -30.0)]
    first = cache.prepare(scan, [holes[0]])
    assert first.maps.tissue and first.maps.lesion
    return scan, holes, first, cache.prepare(scan, [holes[1]])


def test_the_second_box_of_a_scan_finds_the_whole_head_judged_already_with_the_same_numbers(two):
    scan, holes, first, second = two
    assert second is not first and second.maps is first.maps
    fresh = prepare(scan, [holes[1]]).maps
    for kept, anew in ((second.maps.tissue, fresh.tissue), (second.maps.lesion, fresh.lesion)):
        np.testing.assert_array_equal(kept.values, anew.values)
        np.testing.assert_array_equal(kept.affine, anew.affine)


def test_where_another_background_was_found_the_head_is_judged_anew(two):
    _, _, first, second = two
    other = replace(second, tissue=replace(second.tissue, background=second.tissue.background + 1))
    other.take_maps_of(first)
    assert "maps" not in vars(other)
