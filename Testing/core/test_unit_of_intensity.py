"""What a scan's intensities are measured in does not matter, from 1e-30 to 1e30."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pytest
from bench.phantom import make_head

from RadiomicsPersonaLib.analysis.analysis import analyze
from RadiomicsPersonaLib.brain.midplane import estimate_midplane
from RadiomicsPersonaLib.brain.tissue import estimate_tissue
from RadiomicsPersonaLib.geometry.box import Box
from RadiomicsPersonaLib.imaging.noise import scan_noise
from RadiomicsPersonaLib.reconstruction.reconstruction import error_over_rim_mean
from RadiomicsPersonaLib.reconstruction.reconstruction_model import load_model

pytestmark = pytest.mark.usefixtures("small_models")

IN_THE_SCANS_UNIT = {"mae": 1, "rmse": 1, "mse": 2}
"""Metrics that are intensities, and their power."""


@pytest.fixture(scope="module")
def head():
    return make_head(4.0)


def in_unit(head, factor: float):
    return replace(head, array=(head.array.astype(np.float64) * factor).astype(np.float32))


@pytest.fixture(scope="module")
def analyzed(head):
    return lambda factor: analyze(in_unit(head, factor), [Box([26, 12, 20], [22, 22, 22])], load_model("harmonic"), controls=2)


@pytest.mark.parametrize("factor", [2.0**97, 2.0**20, 2.0**-97])
def test_another_unit_changes_no_digit(analyzed, factor):
    """A power of two, which rounds nothing."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        here, there = analyzed(1.0), analyzed(factor)
    assert there.midplane.symmetry == here.midplane.symmetry > 0.5 and there.warnings == here.warnings
    for one, other in zip(here.boxes[0].controls, there.boxes[0].controls, strict=True):
        assert np.array_equal(one.box.center, other.box.center)
    one, other = here.boxes[0], there.boxes[0]
    assert (one.p, one.label, one.combined) == (other.p, other.label, other.combined)
    for key, value in one.metrics.items():
        unit = factor ** IN_THE_SCANS_UNIT.get(key, 0)
        np.testing.assert_equal(other.metrics[key], value * unit, err_msg=key)
    rebuilt = one.reconstruction, other.reconstruction
    shares = [error_over_rim_mean(analysis.scan, each) for analysis, each in zip((here, there), rebuilt)]
    assert shares[0] == shares[1]


@pytest.mark.parametrize("factor", [1e30, 1e6, 1e-9, 1e-30])
def test_the_midplane_is_found_in_any_unit(head, factor):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        here, there = (estimate_midplane(estimate_tissue(in_unit(head, f), model=None)) for f in (1.0, factor))
    assert abs(here.symmetry - there.symmetry) < 1e-3 and here.normal @ there.normal > 0.9999


def test_noise_is_measured_in_any_unit():
    values = np.random.default_rng(0).normal(size=(30, 30, 30))
    everywhere = np.ones(values.shape, bool)
    one, other = (scan_noise(values * factor, everywhere) for factor in (1.0, 2.0**-97))
    assert one.width == other.width and one.deviation * 2.0**-97 == other.deviation
