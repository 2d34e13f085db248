"""Where somebody without a scan gets one: Slicer's Sample Data module, and the line in the panel that leads there."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed: pip install slicer-core")

from RadiomicsPersonaLib.lesions.sample_head import LESION_CENTER, LESION_RADII


@pytest.fixture
def sample(module, scene, monkeypatch):
    """What is in the Sample Data module once Slicer has started."""
    scene.open_views()
    slots = []
    monkeypatch.setattr(slicer.app, "connect", lambda signal, slot: slots.append((signal, slot)), raising=False)
    monkeypatch.setattr(slicer.modules, "sampleDataSources", {}, raising=False)
    module.RadiomicsPersona(SimpleNamespace(path=slicer.modules.radiomicspersona.path))
    for signal, slot in slots:
        if signal == "startupCompleted()":
            slot()
    (source,) = slicer.modules.sampleDataSources["Radiomics Persona"]
    return source


def test_sample_data_makes_a_brain_with_a_lesion_and_shows_it(module, sample):
    assert Path(sample.thumbnailFileName).is_file()
    sample.customDownloader(sample)
    sample.customDownloader(sample)
    first, second = slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")
    assert first.GetName() == sample.sampleName == sample.nodeNames[0] != second.GetName()
    array, affine = slicer.util.arrayFromVolume(first), slicer.util.arrayFromVTKMatrix(_matrix(first))
    assert np.array_equal(array, slicer.util.arrayFromVolume(second))
    assert slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode")[0].GetBackgroundVolumeID() == second.GetID()
    points = np.stack(np.indices(array.shape)[::-1], axis=-1) @ affine[:3, :3].T + affine[:3, 3]
    lesion, mirrored = ((((points - place) / LESION_RADII) ** 2).sum(axis=-1) < 0.5 for place in _places())
    assert array[lesion].mean() < 0.7 * array[mirrored].mean()
    assert not module.RadiomicsPersonaLogic.scanNotes(SimpleNamespace(_resultsOf=lambda volume: None), first)


def test_who_has_no_scan_is_led_to_one(panel, monkeypatch):
    """Until there is a volume that can be chosen."""
    hint, gone_to = panel.ui.sampleHintLabel, []
    assert not hint.isHidden() and {"MRBrainTumor1", "MRBrainTumor2"} <= set(hint.text.replace(",", "").split())
    monkeypatch.setattr(slicer.util, "moduleSelector", lambda: SimpleNamespace(selectModule=gone_to.append))
    hint.linkActivated.emit(hint.text.split('"')[1])
    assert gone_to == ["SampleData"]
    slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode")
    assert not hint.isHidden()
    volume = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")
    assert hint.isHidden()
    slicer.mrmlScene.RemoveNode(volume)
    assert not hint.isHidden()


def _places() -> tuple:
    return LESION_CENTER, (-LESION_CENTER[0], *LESION_CENTER[1:])


def _matrix(volume):
    import vtk

    matrix = vtk.vtkMatrix4x4()
    volume.GetIJKToRASMatrix(matrix)
    return matrix
