"""Thresholds that find the brain where nothing was installed, against scikit-image's."""

from __future__ import annotations

import numpy as np
from skimage.filters import threshold_multiotsu, threshold_otsu

from RadiomicsPersonaLib.brain.classical_brain import otsu_thresholds


def mixtures():
    """Intensities of a few tissues, of any size and spread."""
    random = np.random.default_rng(0)
    for _ in range(40):
        parts = zip(random.uniform(0, 1000, 4), random.uniform(5, 150, 4), random.integers(50, 3000, 4))
        yield np.concatenate([random.normal(mean, spread, count) for mean, spread, count in parts])


def test_thresholds_of_otsu_are_those_of_scikit_image():
    for values in mixtures():
        np.testing.assert_allclose(otsu_thresholds(values, 2, 256), [threshold_otsu(values)], rtol=1e-6)
        np.testing.assert_allclose(otsu_thresholds(values, 3, 64), threshold_multiotsu(values, 3, 64), rtol=1e-4)


def test_fewer_values_than_classes_have_no_thresholds():
    assert otsu_thresholds(np.array([1.0, 1, 2, 2]), 3, 64) == ()
    low, high = otsu_thresholds(np.array([1.0, 2, 3, 3]), 3, 64)
    assert 1 < low < 2 < high < 3
