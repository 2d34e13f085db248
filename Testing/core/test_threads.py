"""Threads: as many as the user says compute, and none that waits spins."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import torch

from RadiomicsPersonaLib.cli import main
from RadiomicsPersonaLib.system.threads import thread_per_core, use_threads


@pytest.fixture
def as_before(monkeypatch):
    """What a test changes in this process is set back."""
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS"):
        monkeypatch.setenv(name, os.environ.get(name, "1"))
    yield
    torch.set_num_threads(1)


def test_waiting_threads_sleep_before_anything_is_loaded_that_could_spin(checkout):
    code = (
        "import os, sys\n"
        "from RadiomicsPersonaLib.cli import main\n"
        "assert not {'numpy', 'torch', 'scipy'} & set(sys.modules)\n"
        "main(['models'])\n"
        "print(os.environ['OMP_WAIT_POLICY'], os.environ['OPENBLAS_NUM_THREADS'])"
    )
    environment = {k: v for k, v in os.environ.items() if k not in ("OMP_WAIT_POLICY", "OPENBLAS_NUM_THREADS")}
    environment["PYTHONPATH"] = str(checkout / "RadiomicsPersona")
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "PASSIVE 1"


def test_as_many_threads_compute_as_the_user_says(as_before):
    use_threads(3)
    assert torch.get_num_threads() == 3 and os.environ["OMP_NUM_THREADS"] == "3"


def test_a_pool_has_the_cores_once_and_gives_torch_back_what_it_had(as_before):
    use_threads(2)
    with thread_per_core() as pool:
        assert set(pool.map(lambda _: torch.get_num_threads(), range(8))) == {1} and pool._max_workers == 2
        assert torch.get_num_threads() == 2
    assert torch.get_num_threads() == 2


@pytest.mark.parametrize("count", ["0", "-2", "5000"])
def test_a_number_of_threads_that_is_none_is_refused(count, tmp_path, capsys):
    words = ["inpaint", "scan.nii.gz", "--mask", "mask.nii.gz", "--output", str(tmp_path / "o.nii.gz"), f"--threads={count}"]
    assert main(words) == 2
    assert f"The number of threads is {count}: give a number from 1 to 1024." in capsys.readouterr().err
