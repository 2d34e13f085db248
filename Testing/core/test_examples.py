"""The examples in docstrings (>>>) say what really comes out; only files that hold one are imported."""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
LIBRARIES = ("RadiomicsPersona/RadiomicsPersonaLib", "RadiomicsPersonaTraining/RadiomicsPersonaTrainingLib")
EXTRAS = {"RadiomicsPersonaLib.geometry.surface": "vtk", "RadiomicsPersonaLib.longitudinal.mixed_model": "statsmodels"}
"""What examples of a file need beyond the packages that are always there."""


def modules_with_examples() -> list[str]:
    found = []
    for library in LIBRARIES:
        for path in sorted((CHECKOUT / library).rglob("*.py")):
            if ">>> " in path.read_text(encoding="utf-8"):
                found.append(".".join(path.relative_to((CHECKOUT / library).parent).with_suffix("").parts))
    return found


@pytest.mark.parametrize("module", modules_with_examples())
def test_examples_in_docstrings_say_what_comes_out(module):
    if module in EXTRAS:
        pytest.importorskip(EXTRAS[module])
    said: list[str] = []
    runner = doctest.DocTestRunner()
    for test in doctest.DocTestFinder().find(importlib.import_module(module)):
        runner.run(test, out=said.append)
    assert runner.tries > 0
    assert runner.failures == 0, "".join(said)
