"""The Python API: light to import, and every example of its page runs."""

from __future__ import annotations

import doctest
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from bench.phantom import make_head, with_dark_blob

import RadiomicsPersonaLib as rp

pytestmark = pytest.mark.usefixtures("small_models")

CHECKOUT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_every_example_of_the_page_says_what_comes_out(tmp_path, monkeypatch):
    rp.save(with_dark_blob(make_head(), (30, 0, 20)), tmp_path / "scan.nii.gz")
    monkeypatch.chdir(tmp_path)
    said: list[str] = []
    text = (CHECKOUT / "docs/api.md").read_text(encoding="utf-8")
    runner = doctest.DocTestRunner()
    runner.run(doctest.DocTestParser().get_doctest(text, {}, "api.md", "docs/api.md", 0), out=said.append)
    assert runner.tries > 15 and runner.failures == 0, "".join(said)


def test_importing_the_library_loads_nothing_and_its_light_names_no_network():
    code = """
import sys
import RadiomicsPersonaLib as rp
heavy = {"numpy", "torch", "scipy", "SimpleITK", "nibabel"}
assert rp.__version__ and {"analyze", "Box", "save"} <= set(dir(rp))
assert not heavy & set(sys.modules), heavy & set(sys.modules)
rp.read_scan, rp.Scan, rp.Box, rp.InputError
assert not {"torch", "scipy", "SimpleITK"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": str(CHECKOUT / "RadiomicsPersona")})


def test_a_name_that_is_not_offered_is_missed_as_in_any_module():
    with pytest.raises(AttributeError, match="no attribute 'analyse'"):
        rp.analyse


def test_what_the_page_promises_is_what_is_offered():
    text = (CHECKOUT / "docs/api.md").read_text(encoding="utf-8")
    for name in rp.__all__:
        assert f"`rp.{name}" in text, name
        assert getattr(rp, name)


def test_wrong_inputs_are_refused_in_one_sentence(tmp_path):
    head = make_head()
    box = rp.Box((30, 0, 20), (22, 24, 20))
    with pytest.raises(rp.InputError, match="needs a threshold"):
        rp.analyze(head, box, decision="ssim")
    with pytest.raises(rp.InputError, match="bring it onto the scan's grid"):
        rp.rebuild(head, np.ones((2, 2, 2), bool), model="harmonic")
    with pytest.raises(rp.InputError, match="must end in .nii"):
        rp.save(head, tmp_path / "head.png")
    assert not list(tmp_path.iterdir())
