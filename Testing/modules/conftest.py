"""Fixtures of the panels.

The folder is not called `slicer`: that package takes in every folder of its name on the import path.
"""

from __future__ import annotations

import sys

import numpy as np
import pytest


@pytest.fixture
def panel(module, slicer_bench):
    """The module's widget in a window, with a prepared run; fails the test if any slot raised."""
    import slicer
    from bench.prepared_run import PreparedRun

    if slicer.no_qt:
        pytest.skip(slicer.no_qt)
    import qt
    from bench.slicer_widgets import ModuleParent

    raised = []
    hook, sys.excepthook = sys.excepthook, lambda kind, error, trace: raised.append(error)
    parent = ModuleParent()
    parent.setLayout(qt.QVBoxLayout())
    widget = module.RadiomicsPersonaWidget(parent)
    widget.setup()
    widget.logic.runner = PreparedRun()
    yield widget
    widget.cleanup()
    parent.layout().itemAt(0).widget().setMRMLScene(None)
    sys.excepthook = hook
    if raised:
        raise raised[0]


@pytest.fixture
def inputs(panel):
    """A volume and two ROIs, selected in the panel."""
    from bench.nodes import add_roi, add_volume

    volume = add_volume(np.random.default_rng(0).integers(0, 900, (24, 22, 20)).astype(np.int16), np.diag([2.0, 2, 2, 1]))
    rois = [add_roi(name, (8, 8, 8), np.eye(3), (x, 20, 20)) for name, x in (("A", 10), ("B", 20))]
    panel.ui.inputVolumeSelector.setCurrentNode(volume)
    for roi in rois:
        panel.ui.inputROIsSelector.check(roi)
    return volume, rois
