"""The child process: its sentence, its end, its environment; with real processes."""

from __future__ import annotations

import gzip
import os
import sys
import time

import numpy as np
import pytest

from RadiomicsPersonaLib.child import Cancelled, ChildFailed, child_environment, run_child
from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.nifti_voxels import read_nifti_voxels
from RadiomicsPersonaLib.scan import write_nifti

WHOLE_TREE = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
print(child.pid, file=sys.stderr, flush=True)
time.sleep(60)
"""


def run(code: str, proceed=lambda line: True) -> None:
    run_child([sys.executable, "-c", code], child_environment(os.environ, "."), proceed)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    with open(f"/proc/{pid}/stat") as stream:
        return stream.read().rsplit(")", 1)[1].split()[0] != "Z"


def test_a_run_that_ends_well_says_what_it_does_meanwhile():
    lines = set()
    run("import sys, time; print('zwölf', file=sys.stderr, flush=True); time.sleep(0.3)", lambda line: not lines.add(line))
    assert "zwölf" in lines


def test_the_sentence_of_a_refusal_is_shown_exactly():
    said = "note\nradiomics-persona: Box 'é' holds no voxel: move it.\n"
    with pytest.raises(InputError) as caught:
        run(f"import sys; print({said!r}, file=sys.stderr); sys.exit(2)")
    assert str(caught.value) == "Box 'é' holds no voxel: move it."


def test_a_crash_is_one_sentence_and_keeps_the_whole_message():
    with pytest.raises(ChildFailed) as caught:
        run("import nothing_of_this_name")
    assert str(caught.value) == (
        "The analysis ended unexpectedly with exit code 1 (ModuleNotFoundError: No module named 'nothing_of_this_name')."
    )
    assert "Traceback" in caught.value.log


@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_a_child_that_the_system_kills_is_explained_by_memory():
    with pytest.raises(ChildFailed, match="lack of memory"):
        run("import os, signal; os.kill(os.getpid(), signal.SIGKILL)")


def test_a_program_that_does_not_exist_is_reported():
    with pytest.raises(ChildFailed, match="could not be started"):
        run_child(["/nowhere/python"], {}, lambda line: True)


@pytest.mark.skipif(not os.path.isdir("/proc"), reason="looks the processes up in /proc")
@pytest.mark.parametrize("error", [None, KeyError("from the window")])
def test_cancelling_ends_the_whole_tree_at_once(error):
    seen = []

    def proceed(line: str) -> bool:
        if not line:
            return True
        seen.append(int(line))
        if error:
            raise error
        return False

    started = time.monotonic()
    with pytest.raises(type(error) if error else Cancelled):
        run(WHOLE_TREE, proceed)
    assert time.monotonic() - started < 10
    deadline = time.monotonic() + 5
    while alive(seen[0]) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not alive(seen[0])


def test_the_environment_of_another_python_does_not_reach_the_child():
    conda = {"PATH": "/bin", "PYTHONHOME": "/conda", "PYTHONPATH": "/conda/lib", "PYTHONSTARTUP": "x"}
    environment = child_environment(conda, "/module")
    assert environment == {"PATH": "/bin", "PYTHONPATH": "/module", "PYTHONUTF8": "1", "PYTHONNOUSERSITE": "1"}


@pytest.mark.parametrize("dtype", ["u1", "i2", "i4", "f4", "f8", "u2"])
def test_the_voxels_of_a_nifti_file_are_read_as_they_are_stored(tmp_path, dtype):
    """With left-handed and sheared grids too, which Slicer's own reader would turn round or straighten."""
    random = np.random.default_rng(5)
    array = random.integers(0, 200, (4, 5, 6)).astype(dtype)
    affine = np.eye(4)
    affine[:3] = random.standard_normal((3, 4))
    write_nifti(tmp_path / "a.nii.gz", array, affine)
    voxels, read_affine = read_nifti_voxels(tmp_path / "a.nii.gz")
    assert voxels.dtype == array.dtype
    np.testing.assert_array_equal(voxels, array)
    np.testing.assert_allclose(read_affine, affine, rtol=1e-6)


def test_other_files_are_not_taken_for_nifti(tmp_path):
    path = tmp_path / "a.nii.gz"
    path.write_bytes(gzip.compress(b"x" * 1000))
    with pytest.raises(ValueError, match="not a NIfTI-1 file"):
        read_nifti_voxels(path)
    write_nifti(path, np.zeros((3, 3, 3, 2), np.float32), np.eye(4))
    with pytest.raises(ValueError, match="4 dimensions"):
        read_nifti_voxels(path)
