"""What works in a Slicer to which no package was added: the worker with nothing but what Slicer brings."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from bench.lent_worker import environment
from bench.phantom import make_head

from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.imaging.files import write_nrrd
from RadiomicsPersonaLib.report.exchange import read_arrays_of_surface, read_exchange, read_painted
from RadiomicsPersonaLib.system.child import Child

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("small_models")]

BROUGHT_BY_SLICER = ("numpy", "scipy", "SimpleITK", "PIL", "vtk", "vtkmodules")
BARE_WORKER = """
import importlib.machinery, runpy, sys
from importlib.machinery import PathFinder
class Bare(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        spec = PathFinder.find_spec(name, path, target)
        if spec and spec.origin and "site-packages" in spec.origin and name.split(".")[0] not in {brought!r}:
            return None
        return spec
sys.meta_path[:] = [Bare if finder is PathFinder else finder for finder in sys.meta_path]
runpy.run_module("RadiomicsPersonaLib.worker", run_name="__main__", alter_sys=True)
""".format(brought=BROUGHT_BY_SLICER)


@pytest.fixture(scope="module")
def worker():
    child = Child([sys.executable, "-c", BARE_WORKER], environment)
    yield child
    child.end()


@pytest.fixture(scope="module")
def scan(tmp_path_factory) -> Path:
    """As the panel hands it over."""
    head = make_head(4.0)
    path = tmp_path_factory.mktemp("bare") / "head.nrrd"
    with open(path, "wb") as stream:
        write_nrrd(stream, head.array, head.affine)
    return path


def analyze(worker, scan: Path, model: str, output: Path) -> None:
    words = ["analyze", str(scan), "--box=30,0,20,24,24,24", "--model", model, "--controls", "3", "--output", str(output)]
    worker.run({"kind": "command", "arguments": words, "for_slicer": True}, lambda activity: True)


@pytest.mark.parametrize("model", ["harmonic", "biharmonic", "mirror", "rim-mean"])
def test_classical_fills_judge_a_box(worker, scan, tmp_path, model):
    analyze(worker, scan, model, tmp_path)
    results, arrays = read_exchange(tmp_path)
    assert results["boxes"][0]["n_controls"] == 3 and results["boxes"][0]["p"] is not None
    assert np.abs(arrays["difference"]).max() > 5
    told = next(note for note in results["warnings"] if "weighs fewer scores" in note)
    assert "Lesion" in told and "Tissue asymmetry" in told


def test_a_report_is_written(worker, scan, tmp_path):
    analyze(worker, scan, "harmonic", tmp_path / "work")
    with open(tmp_path / "work" / "reconstruction.nrrd", "wb") as stream:
        _, arrays = read_exchange(tmp_path / "work")
        write_nrrd(stream, arrays["reconstruction"], arrays["affine"])
    words = ["report", str(tmp_path / "work"), str(scan), "--output", str(tmp_path / "report")]
    worker.run({"kind": "command", "arguments": words}, lambda activity: True)
    assert (tmp_path / "report" / "report.html").stat().st_size > 10_000 and (tmp_path / "report" / "report.pdf").is_file()


def test_a_network_is_refused_with_what_to_do(worker, scan, tmp_path):
    with pytest.raises(
        InputError, match="needs torch, which is not installed: install PyTorch .*, or choose the model harmonic"
    ):
        analyze(worker, scan, "auto", tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_box_is_followed_and_a_mesh_is_made(worker, scan, tmp_path):
    words = [
        "follow",
        str(scan),
        str(scan),
        "--dates",
        "0",
        "1",
        "--box=30,0,20,24,24,24",
        "--output",
        str(tmp_path / "visits"),
        "--options",
    ]
    worker.run(
        {"kind": "command", "arguments": [*words, "--model harmonic --controls 3"], "for_slicer": True}, lambda activity: True
    )
    assert len((tmp_path / "visits" / "visits.csv").read_text(encoding="utf-8").splitlines()) == 3
    assert (tmp_path / "visits" / "report.html").is_file()
    with open(tmp_path / "ball.nrrd", "wb") as stream:
        ball = np.linalg.norm(np.indices((12, 12, 12)) - 5.5, axis=0) < 4
        write_nrrd(stream, ball.astype(np.float32), np.diag([2.0, 2, 2, 1]))
    worker.run(
        {
            "kind": "command",
            "arguments": ["mesh", str(tmp_path / "ball.nrrd"), "--output", str(tmp_path / "mesh")],
            "for_slicer": True,
        },
        lambda activity: True,
    )
    surface = read_arrays_of_surface(tmp_path / "mesh")
    assert np.linalg.norm(surface["points"] - 11, axis=1) == pytest.approx(8, abs=0.7)


def test_a_lesion_is_painted_and_judged(worker, scan, tmp_path):
    words = [str(scan), "--place=20,40,40", "--kind", "ms", "--model", "harmonic"]
    worker.run(
        {
            "kind": "command",
            "arguments": ["paint", *words, "--size", "4", "--output", str(tmp_path / "one")],
            "for_slicer": True,
        },
        lambda activity: True,
    )
    painted = read_painted(tmp_path / "one")
    assert 3000 < painted["lesion"].sum() * abs(np.linalg.det(painted["affine"][:3, :3])) < 5000
    words += ["--sizes", "4", "--strengths", "2", "--controls", "3", "--output", str(tmp_path / "curve")]
    worker.run({"kind": "command", "arguments": ["sensitivity", *words], "for_slicer": True}, lambda activity: True)
    assert {file.suffix for file in (tmp_path / "curve").iterdir()} == {".csv", ".json", ".png", ".html"}
