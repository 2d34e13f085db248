"""Fixtures of the whole suite, and the import path: Slicer puts its module folders on sys.path, and so does this file."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path

import pytest
from bench import SMALL_MODELS

CHECKOUT = Path(__file__).resolve().parent.parent

for folder in ("RadiomicsPersonaTraining", "RadiomicsPersona"):
    sys.path.insert(0, str(CHECKOUT / folder))
# before numpy and torch are loaded: two processes share two cores, and sums in one order give the same digits everywhere
os.environ |= {f"{name}_NUM_THREADS": "1" for name in ("OMP", "MKL", "OPENBLAS")}
# what the user of this machine has installed is no part of the tests
os.environ |= {f"RADIOMICS_PERSONA_{name}": str(CHECKOUT / "Testing" / "no-such-folder") for name in ("MODELS", "CLASSIFIERS")}
# what the networks make of a whole head takes seconds: the processes of one run remember it, and no other run does
if "PYTEST_XDIST_WORKER" not in os.environ:
    os.environ["RADIOMICS_PERSONA_CACHE"] = tempfile.mkdtemp(prefix="radiomics-persona-tests-")
ENVIRONMENT = dict(os.environ)


def pytest_unconfigure(config):
    """Delete what was remembered."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        shutil.rmtree(os.environ["RADIOMICS_PERSONA_CACHE"], ignore_errors=True)


@pytest.fixture(scope="session")
def checkout() -> Path:
    """Folder of the repository."""
    return CHECKOUT


@pytest.fixture(scope="session")
def data_root() -> Path:
    """Folder with real scans: RADIOMICS_PERSONA_DATA, or shared/data beside the checkout."""
    folder = Path(os.environ.get("RADIOMICS_PERSONA_DATA") or CHECKOUT.parent / "shared" / "data")
    if not folder.is_dir():
        pytest.skip(f"No real scans: '{folder}' is not there; set RADIOMICS_PERSONA_DATA to the folder that holds them.")
    return folder


@pytest.fixture(scope="session")
def synthetic_head():
    """A small synthetic head, made once (see bench.phantom.make_head for others)."""
    from bench.phantom import make_head

    return make_head()


@pytest.fixture(scope="module")
def small_models():
    """A tissue and a lesion model that know phantoms only and take a fiftieth of the shipped ones' time (see small_models/),
    for tests of what is done with what they say; to be asked for by the whole file.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RADIOMICS_PERSONA_MODELS", str(SMALL_MODELS))
        yield SMALL_MODELS


@pytest.fixture
def shipped_models(monkeypatch):
    """For a test of real scans in a file that has the small models."""
    monkeypatch.setenv("RADIOMICS_PERSONA_MODELS", ENVIRONMENT["RADIOMICS_PERSONA_MODELS"])


@pytest.fixture(scope="session")
def session_worker():
    """The process behind `lent_worker`; it starts when it is first asked. It has the small models."""
    from bench.lent_worker import COMMAND, environment

    from RadiomicsPersonaLib.system.child import Child

    child = Child(COMMAND, lambda: environment(ENVIRONMENT | {"RADIOMICS_PERSONA_MODELS": str(SMALL_MODELS)}))
    yield child
    child.end()


@pytest.fixture
def in_fp32():
    """For tests of digits that bfloat16, on processors that have it, would round."""
    from RadiomicsPersonaLib.system.device import in_precision

    with in_precision("fp32"):
        yield


@pytest.fixture
def nothing_remembered(monkeypatch):
    """For tests that compute the same twice: what the networks said before is not looked up."""
    monkeypatch.delenv("RADIOMICS_PERSONA_CACHE")


@pytest.fixture
def lent_worker(session_worker):
    """One worker for all tests that only want answers."""
    from bench.lent_worker import LentWorker

    worker = LentWorker(session_worker)
    yield worker
    worker.end()


@pytest.fixture(scope="session")
def slicer_bench():
    """Slicer's Python world without the application; None, or why panels cannot be shown, is in `slicer.no_qt`."""
    pytest.importorskip("slicer", reason="slicer-core is not installed: pip install slicer-core")
    from bench import application

    try:
        application.start()
    except RuntimeError as error:
        pytest.skip(str(error))
    return application


@pytest.fixture
def scene(slicer_bench):
    """A fresh MRML scene in `slicer.mrmlScene`."""
    scene = slicer_bench.new_scene()
    yield scene
    scene.close()


@pytest.fixture
def module(slicer_bench, scene, lent_worker, request, monkeypatch, tmp_path):
    """The module RadiomicsPersona.py, imported as Slicer does, on a fresh scene.

    Its logic has the session's worker, or with the marker `own_worker` one that it starts and ends. The user does not want
    scans to be prepared when they are chosen.
    """
    import slicer

    module = slicer_bench.load_module()
    if not slicer.no_qt:
        import qt

        slicer.app.user_settings = qt.QSettings(str(tmp_path / "Slicer.ini"), qt.QSettings.IniFormat)
        slicer.app.user_settings.setValue("RadiomicsPersona/prepareScan", False)
    if not request.node.get_closest_marker("own_worker"):
        monkeypatch.setattr(module, "makeWorker", lambda: lent_worker)
    return module


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """Folder of a site with four phantom subjects in heads/, and their split."""
    from bench.phantom import make_head

    from RadiomicsPersonaLib.imaging.files import write_nifti
    from RadiomicsPersonaTrainingLib.cli import main

    root = tmp_path_factory.mktemp("a site's training data")
    (root / "heads").mkdir()
    for seed in range(4):
        head = make_head(4.0, seed=seed)
        write_nifti(root / "heads" / f"sub-{seed}.nii.gz", head.array, head.affine)
    assert main(["split", str(root / "heads"), "--output", str(root / "split.csv")]) == 0
    return root


@pytest.fixture(scope="session")
def label_maps(site):
    """The site's folder maps/ with three label maps; their split is maps.csv."""
    from bench.label_phantom import make_label_map, make_numbers

    from RadiomicsPersonaLib.imaging.files import write_nifti
    from RadiomicsPersonaTrainingLib.cli import main

    folder = site / "maps"
    folder.mkdir()
    for number in range(3):
        write_nifti(folder / f"map-{number}.nii.gz", make_numbers(), make_label_map().affine)
    assert main(["split", str(folder), "--output", str(site / "maps.csv")]) == 0
    return folder


@pytest.fixture
def fit(site, tmp_path):
    """Run `fit` with a text of settings, into a folder of that name; returns the exit code."""
    from RadiomicsPersonaTrainingLib.cli import main

    def run(text: str, name: str = "run", *more: str) -> int:
        # beside the split, which relative paths start from
        path = site / f"{tmp_path.name}-{name}.toml"
        path.write_text(text)
        return main(["fit", str(path), "--output", str(tmp_path / name), "--cache", str(site / "cache"), *more])

    return run


@pytest.fixture(scope="session")
def tiny_run(site, tmp_path_factory) -> Path:
    """The folder of a finished training of two steps; for tests that take a copy of it, see `finished_run`."""
    from bench.training_site import tiny

    from RadiomicsPersonaTrainingLib.cli import main

    run = tmp_path_factory.mktemp("finished") / "run"
    settings = site / "finished.toml"
    settings.write_text(tiny(steps=2))
    assert main(["fit", str(settings), "--output", str(run), "--cache", str(site / "cache")]) == 0
    return run


@pytest.fixture
def finished_run(tiny_run, tmp_path):
    """Make the folder of that name a finished training of two steps; returns it."""

    def copy(name: str = "run") -> Path:
        return shutil.copytree(tiny_run, tmp_path / name)

    return copy


@pytest.fixture(autouse=True)
def threads_as_before():
    """What a test, or Lightning in it, says of threads ends with it: sums in another order differ in their last digits."""
    said, torch = os.environ.get("OMP_NUM_THREADS"), sys.modules.get("torch")
    before = torch.get_num_threads() if torch else None
    yield
    os.environ.pop("OMP_NUM_THREADS", None)
    if said is not None:
        os.environ["OMP_NUM_THREADS"] = said
    torch = sys.modules.get("torch")
    if torch and before and torch.get_num_threads() != before:
        torch.set_num_threads(before)
