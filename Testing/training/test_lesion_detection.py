"""Lesions are counted as found, missed, or made up."""

from __future__ import annotations

import numpy as np
import pytest

from RadiomicsPersonaTrainingLib.head_evaluation.lesion_detection import CUTS, detect, sensitivity_at

VOXEL_ML = 0.01
HALF = int(np.searchsorted(CUTS, 0.5))


def cube(at: int, side: int = 6) -> tuple[slice, slice, slice]:
    return (slice(at, at + side),) * 3


@pytest.fixture
def truth():
    marked = np.zeros((60, 60, 60), bool)
    marked[cube(5)] = marked[cube(30)] = True
    return marked


def test_a_found_a_missed_and_a_made_up_lesion_are_counted(truth):
    probability = np.full(truth.shape, 0.01)
    probability[cube(6)], probability[cube(45)] = 0.7, 0.4
    counted = detect(probability, truth, VOXEL_ML)
    assert counted.lesions == 2
    assert (counted.found[HALF], counted.false[HALF]) == (1, 0)
    assert (counted.found[0], counted.false[0]) == (1, 1)
    assert (counted.found[-1], counted.false[-1]) == (0, 0)


def test_calling_the_whole_head_a_lesion_finds_none(truth):
    counted = detect(np.ones(truth.shape), truth, VOXEL_ML)
    assert not counted.found.any() and (counted.false == 1).all()


def test_specks_do_not_count(truth):
    probability = np.zeros(truth.shape)
    probability[50, 50, 50] = 1.0
    truth[55, 55, 55] = True
    counted = detect(probability, truth, VOXEL_ML)
    assert counted.lesions == 2 and not counted.false.any()


def test_sensitivity_is_that_of_the_best_cut_which_keeps_false_positives_few(truth):
    """At low cuts both lesions are found, with three false positives in two scans; at one half one lesion with none."""
    probability = np.zeros(truth.shape)
    probability[cube(5)], probability[cube(30)] = 0.8, 0.3
    for at in (18, 42, 50):
        probability[cube(at)] = 0.3
    healthy = detect(np.zeros(truth.shape), np.zeros_like(truth), VOXEL_ML)
    counted = detect(probability, truth, VOXEL_ML)
    assert sensitivity_at([counted, healthy], 1.0) == 0.5
    assert sensitivity_at([counted, healthy], 1.5) == 1.0
    assert sensitivity_at([counted, healthy, healthy], 1.0) == 1.0
    with pytest.raises(ValueError):
        sensitivity_at([healthy])
