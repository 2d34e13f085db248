"""What the bench stands on."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed: pip install slicer-core")

from bench.nodes import add_volume


def test_slicers_own_python_files_are_used_when_their_folder_is_named(module):
    wanted = os.environ.get("SLICER_PYTHON_DIR") or Path(__file__).resolve().parents[1] / "bench"
    for name in ("ScriptedLoadableModule", "parameterNodeWrapper", "i18n"):
        assert Path(getattr(slicer, name).__file__).is_relative_to(wanted)


def test_the_scene_shows_a_volume_in_grey_as_slicer_does(scene, slicer_bench):
    volume = add_volume(np.arange(1000, dtype=np.float32).reshape(10, 10, 10))
    assert volume.GetDisplayNode().GetColorNode().GetID() == "vtkMRMLColorTableNodeGrey"
