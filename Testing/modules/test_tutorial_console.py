"""The tutorial's lines for Slicer's Python console run as they stand there: real nodes, and a real worker process."""

from __future__ import annotations

import re
from types import SimpleNamespace

import numpy as np
import pytest
from bench.phantom import make_head

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed: pip install slicer-core")

from bench.nodes import add_roi, add_volume

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("small_models")]

CENTER = np.array([34.0, -10, 14])


@pytest.fixture
def lines(checkout):
    """The console's lines of the tutorial."""
    text = (checkout / "docs" / "tutorial.md").read_text(encoding="utf-8").partition("## From the Python console")[2]
    return [re.split(r"\s{2,}#", line)[0].strip() for line in text.splitlines() if line.startswith("    ")]


def test_the_tutorials_lines_apply_to_what_the_panel_shows(module, lines, checkout, monkeypatch):
    logic = module.RadiomicsPersonaLogic()
    head = make_head(4.0)
    points = head.ras_from_ijk(np.stack(np.indices(head.shape), axis=-1))
    array = np.where(np.linalg.norm(points - CENTER, axis=-1) < 8, 900, head.array)
    parameters = logic.getParameterNode()
    parameters.inputVolume = add_volume(np.ascontiguousarray(array.transpose(2, 1, 0)), head.affine, "head")
    parameters.inputROIs = [add_roi("spot", (24, 24, 24), np.eye(3), CENTER)]
    parameters.model, parameters.controls = "harmonic", 5
    widget = SimpleNamespace(self=lambda: SimpleNamespace(logic=logic))
    monkeypatch.setattr(slicer.modules.radiomicspersona, "widgetRepresentation", lambda: widget, raising=False)
    known = {"slicer": slicer}
    assert lines[-1] == "logic.apply()" and "logic.segmentAndApply()" in (checkout / "docs" / "tutorial.md").read_text("utf-8")
    exec("\n".join(lines), known)
    assert known["parameters"] is not None and logic.verdicts(parameters.resultTable)[0].startswith("spot (label 1)")
    assert callable(logic.segmentAndApply)
    logic.close()
