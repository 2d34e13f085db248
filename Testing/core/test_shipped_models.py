"""The verdict with all the models that are shipped, on a head that any machine can make."""

from __future__ import annotations

import numpy as np
import pytest
from bench.phantom import make_head, with_dark_blob

from RadiomicsPersonaLib.analysis.analysis import analyze
from RadiomicsPersonaLib.geometry.box import Box
from RadiomicsPersonaLib.reconstruction.reconstruction_model import load_model

pytestmark = pytest.mark.slow

BOX = Box([34, -10, 14], [24, 28, 22])
TURNED = Box([-30, 12, 20], [20, 26, 18], np.array([[0.8, -0.6, 0], [0.6, 0.8, 0], [0, 0, 1]]))


@pytest.mark.parametrize("model", ["harmonic", "auto"])
def test_a_lesion_is_called_pathological_and_healthy_tissue_is_not(model):
    sick = with_dark_blob(make_head(2.0), BOX.center)
    analysis = analyze(sick, [BOX, TURNED], load_model(model), controls=24)
    assert [result.label for result in analysis.boxes] == [1, 0]
    assert analysis.boxes[0].p <= 0.01 and analysis.boxes[1].p > 0.05
    assert analysis.boxes[0].probability > 0.6 and analysis.boxes[1].probability < 0.4
    assert analysis.tissue.method["name"] == "tissue"
