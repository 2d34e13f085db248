"""The population: what healthy people have on average lies where a scan has it, in its contrast, and looks into no box."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from bench.phantom import make_head
from scipy import ndimage

from RadiomicsPersonaLib.brain.population import averages
from RadiomicsPersonaLib.brain.preparation import prepare
from RadiomicsPersonaLib.brain.tissue import estimate_tissue
from RadiomicsPersonaLib.geometry.box import Box
from RadiomicsPersonaLib.geometry.hole import hole_of_box
from RadiomicsPersonaLib.geometry.patch import patch_grid
from RadiomicsPersonaLib.imaging.scan import make_scan
from RadiomicsPersonaLib.reconstruction.network_input import population_input
from RadiomicsPersonaTrainingLib.synthesis.tissue_contrast import as_contrast

pytestmark = pytest.mark.slow

BOX = Box([28.0, -20.0, 20.0], [30.0, 30.0, 30.0])
TURN = np.array([[0.94, -0.34, 0, 12], [0.34, 0.94, 0, -7], [0, 0, 1, 5], [0, 0, 0, 1.0]])


@pytest.fixture(scope="module")
def template():
    """The ICBM152 average, which no person of the shipped averages is, at 2 mm."""
    image = pytest.importorskip("nilearn.datasets").load_mni152_template(resolution=2)
    return np.asarray(image.dataobj, np.float32), np.array(image.affine)


def likeness(scan) -> float:
    """Correlation of the scan with what healthy people have there, over its brain."""
    prepared = prepare(scan)
    brightness, share = prepared.population.on(scan.affine, scan.shape)
    inside = ndimage.binary_erosion(share > 0.9, iterations=2) & (scan.array > 0.05 * scan.array.max())
    return float(np.corrcoef(brightness[inside], scan.array[inside])[0, 1])


@pytest.mark.parametrize("contrast", ["T1", "FLAIR"])
def test_it_lies_where_the_scan_has_the_same_in_the_contrast_of_the_scan(template, contrast):
    scan = make_scan(*template)
    if contrast == "FLAIR":
        scan = as_contrast(scan, prepare(scan).tissue, contrast, np.random.default_rng(0))
    least = {"T1": 0.7, "FLAIR": 0.45}[contrast]
    assert likeness(scan) > least
    assert likeness(make_scan(scan.array, TURN @ scan.affine)) > least


def test_nothing_in_the_box_is_looked_at(template):
    array, affine = template
    scan = make_scan(array, affine)
    hole, found = hole_of_box(scan, BOX), []
    for louder in (0, 5 * array.max()):
        changed = dataclasses.replace(scan, array=scan.array + louder * hole.full_mask(scan.shape).astype(np.float32))
        found.append(prepare(changed, [hole]).population.on(scan.affine, scan.shape))
    assert np.array_equal(*found) and found[0][1].max() > 0.9


def test_where_no_brain_is_seen_the_network_is_told_that_nothing_is_known():
    head = make_head(4.0)
    prepared = dataclasses.replace(prepare(head), tissue=estimate_tissue(head, model=None))
    assert prepared.population is None
    assert not population_input(patch_grid(head, BOX.center, 2.0, 32), None).any()


def test_the_shipped_averages_are_of_a_brain_with_fluid_within_and_around():
    brightness, fluid, grey, white = averages()
    brain = fluid + grey + white
    assert brain.max() <= 1.02 and 1200 < brain.sum() * 8 / 1000 < 2000, "millilitres"
    assert np.average(brightness / np.maximum(brain, 0.05), weights=white) > np.average(
        brightness / np.maximum(brain, 0.05), weights=fluid
    )
