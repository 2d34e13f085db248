"""From nodes to nodes through a real worker process, with a classical fill and few controls."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
from bench.phantom import make_head

from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.geometry.hole import hole_of_box
from RadiomicsPersonaLib.imaging.scan import make_scan
from RadiomicsPersonaLib.system.child import Cancelled

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed: pip install slicer-core")

from bench.nodes import add_roi, add_transform, add_volume, four_by_four, ijk_to_ras

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("small_models")]

CHECKOUT = Path(__file__).resolve().parents[2]


@pytest.fixture
def head(module):
    """A left-handed, tilted, anisotropic head with a bright lesion, and an ROI on it, both under one transform."""
    cosine, sine = np.cos(0.3), np.sin(0.3)
    affine = np.array([[0, -4, 0, 0], [-3 * cosine, 0, 3.5 * sine, 0], [3 * sine, 0, 3.5 * cosine, 0], [0, 0, 0, 1.0]])
    assert np.linalg.det(affine[:3, :3]) < 0
    scan = make_head(affine=affine, seed=2)
    center = scan.ras_from_ijk((np.array(scan.shape) - 1) / 2) + [30, 10, 30]
    points = scan.ras_from_ijk(np.indices(scan.shape).reshape(3, -1).T).reshape(*scan.shape, 3)
    array = scan.array.copy()
    array[np.linalg.norm(points - center, axis=-1) < 9] = 900
    volume = add_volume(array.transpose(2, 1, 0), affine, "Kopf é")
    transform = add_transform(four_by_four([[cosine, -sine, 0], [sine, cosine, 0], [0, 0, 1]], (50, -20, 10)))
    roi = add_roi("lésion", (24, 26, 22), [[cosine, 0, sine], [0, 1, 0], [-sine, 0, cosine]], center)
    for node in (volume, roi):
        node.SetAndObserveTransformNodeID(transform.GetID())
    return volume, roi


@pytest.fixture
def logic(module, head, tmp_path, monkeypatch):
    """The Logic with its own worker, and a folder for temporary files whose name has accents and spaces."""
    folder = tmp_path / "Zoë Müller"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    logic = module.RadiomicsPersonaLogic()
    parameters = logic.getParameterNode()
    parameters.inputVolume, parameters.inputROIs = head[0], [head[1]]
    parameters.model, parameters.controls, parameters.threshold = "harmonic", 9, 0.1
    yield logic
    logic.close()


def test_a_bright_lesion_is_rebuilt_and_called_pathological(module, logic, head):
    lines = []
    results = logic.apply(lambda line: not lines.append(line))
    parameters = logic.getParameterNode()
    box = results["boxes"][0]
    assert (box["name"], box["label"], box["n_controls"]) == ("lésion", 1, 9) and box["p"] <= 0.01
    verdict = logic.verdicts(parameters.resultTable)[0]
    assert verdict.startswith("lésion (label 1): Pathological: more unusual than all 9")
    assert len(lines) > 1

    volume, roi = head
    before = slicer.util.arrayFromVolume(volume).transpose(2, 1, 0)
    after = slicer.util.arrayFromVolume(parameters.reconstructionVolume).transpose(2, 1, 0)
    difference = slicer.util.arrayFromVolume(parameters.differenceVolume).transpose(2, 1, 0)
    scan = make_scan(before, ijk_to_ras(volume))
    inside = hole_of_box(scan, module.RadiomicsPersonaLogic.boxFromROI(roi, volume)).full_mask(scan.shape)
    assert inside.sum() == box["voxels"]
    assert np.array_equal(after[~inside], before[~inside])
    lesion = before == 900
    deviation = results["provenance"]["preprocessing"]["tissue_scale"]["deviation"]
    expected = slicer.util.arrayFromVolume(parameters.expectedErrorVolume).transpose(2, 1, 0)
    assert lesion.sum() > 50 and after[lesion].max() < 700 and difference[lesion].min() > 2
    np.testing.assert_allclose(difference * expected * deviation, before - after, atol=1e-2)
    assert not expected[~inside].any() and np.median(expected[lesion]) == pytest.approx(box["expected_error_sd"], rel=0.5)
    counted = [line for line in lines if re.search(r" \d+ of 10$", line)]
    assert counted and counted[-1].endswith("10 of 10")  # what the bar of the panel goes by


def test_the_same_inputs_give_the_same_numbers_with_their_provenance(logic, nothing_remembered):
    first, second = (json.dumps(logic.apply()["boxes"]) for _ in range(2))
    assert first == second
    text = logic.getParameterNode().resultTable.GetAttribute("RadiomicsPersona.provenance")
    provenance = json.loads(text)
    assert provenance["model"]["name"] == "harmonic" and provenance["seed"] == 0
    assert "RadiomicsPersona-" not in text and "Zo" not in text  # no folder of the user's
    assert not os.listdir(tempfile.gettempdir())


def test_what_the_worker_refuses_is_said_in_its_own_sentence(logic, head):
    head[1].SetCenter(500, 0, 0)
    with pytest.raises(InputError, match=r"^Box 'lésion' holds no voxel of the scan; .* so move or enlarge the box\.$"):
        logic.apply()
    parameters = logic.getParameterNode()
    parameters.model = "no-such-model"
    with pytest.raises(InputError, match="no-such-model"):
        logic.apply()
    assert parameters.reconstructionVolume is None


def test_cancelling_ends_the_analysis_and_leaves_nothing(logic):
    with pytest.raises(Cancelled):
        logic.apply(lambda line: " of " not in line)
    assert logic.getParameterNode().reconstructionVolume is None
    assert not os.listdir(tempfile.gettempdir())


IN_SLICERS_PROCESS = """
import os, sys
sys.path[:0] = ["Testing", "RadiomicsPersona"]
from bench import application
application.start()
before = set(sys.modules)
import numpy as np, slicer, socket
def refuse(*given):
    raise OSError("the network was asked for")
socket.socket.connect = socket.create_connection = socket.getaddrinfo = refuse
module = application.load_module()
scene = application.new_scene()
panel = None
if not slicer.no_qt:
    import qt
    from bench.slicer_widgets import ModuleParent
    parent = ModuleParent()
    parent.setLayout(qt.QVBoxLayout())
    panel = module.RadiomicsPersonaWidget(parent)
    panel.setup()
with np.load({path!r}) as head:
    volume = slicer.util.addVolumeFromArray(head["array"], head["affine"])
roi = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsROINode", "R")
roi.SetCenter(30, 0, 20)
roi.SetSize(24, 24, 24)
logic = module.RadiomicsPersonaLogic()
parameters = logic.getParameterNode()
parameters.inputVolume, parameters.inputROIs, parameters.controls = volume, [roi], 3
logic.apply()
logic.segment(probabilities=True)
model, surface = logic.makeMesh(parameters.segmentation, parameters.segmentation.GetSegmentation().GetNthSegmentID(0))
from RadiomicsPersonaNodes import mesh
mesh.save(model, {path!r} + ".ply")
logic.liveTwin.ask(roi)
while not logic.liveTwin.take():
    pass
logic.close()
if panel:
    panel.cleanup()
    parent.layout().itemAt(0).widget().setMRMLScene(None)
new = {{name.split(".")[0] for name in set(sys.modules) - before}}
heavy = new & {{"torch", "scipy", "skimage", "nibabel", "SimpleITK", "safetensors", "PIL", "monai"}}
scene.close()
sys.exit(f"imported: {{heavy}}" if heavy else 0)
"""


def test_slicers_process_imports_neither_torch_nor_scipy_whatever_is_asked(tmp_path):
    """In a fresh interpreter, since other tests import them: the panel, an analysis with a network, a segmentation with its
    mesh, a live twin; and without internet."""
    head = make_head(4.0)
    np.savez(tmp_path / "head.npz", array=head.array.transpose(2, 1, 0), affine=head.affine)
    code = IN_SLICERS_PROCESS.format(path=str(tmp_path / "head.npz"))
    done = subprocess.run([sys.executable, "-c", code], cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-500:]
