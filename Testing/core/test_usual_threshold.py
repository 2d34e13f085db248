"""The usual threshold of p stands in one place: what follows where another number is written there."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

READ = """
import argparse, json, sys
from pathlib import Path
from types import SimpleNamespace

checkout, there, here = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
sys.path[:0] = [str(checkout / folder) for folder in ("RadiomicsPersonaTraining", "RadiomicsPersona", "Testing")]
import RadiomicsPersonaLib

text = (checkout / "RadiomicsPersona/RadiomicsPersonaLib/defaults.py").read_text(encoding="utf-8")
assert text.count(there) == 1
defaults = sys.modules["RadiomicsPersonaLib.defaults"] = RadiomicsPersonaLib.defaults = type(sys)("defaults")
exec(text.replace(there, here), vars(defaults))

import numpy as np
from RadiomicsPersonaLib.analysis.result import BoxResult
from RadiomicsPersonaLib.analysis.verdict import Decision
from RadiomicsPersonaLib.commands import analyze, sensitivity
from RadiomicsPersonaLib.longitudinal.visits import DEVIATING_P

def help_of(command):
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    return " ".join(parser.format_help().split())

print(json.dumps({
    "library": Decision().threshold,
    "analyze": help_of(analyze),
    "sensitivity": help_of(sensitivity),
    "follow": DEVIATING_P,
    "report": BoxResult.usual_limit(SimpleNamespace(control_scores={"mse": np.arange(101.0)}), "mse"),
}))
"""
PANEL = """
from bench import application
application.start()
application.new_scene()
logic = application.load_module().RadiomicsPersonaLogic()
print(json.dumps({"panel": logic.getParameterNode().threshold, "chosen": logic.usualThreshold("p")}))
"""


def told(checkout: Path, program: str) -> dict:
    """What a process prints in which the usual threshold is 0.2."""
    words = [sys.executable, "-c", program, str(checkout), '"p": 0.05', '"p": 0.2']
    run = subprocess.run(words, capture_output=True, text=True, timeout=300)
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout.splitlines()[-1])


def test_another_usual_threshold_holds_on_the_command_line_in_reports_and_in_sensitivity(checkout):
    found = told(checkout, READ)
    assert found["library"] == found["follow"] == 0.2
    assert found["report"] == pytest.approx(80), "reports mark up to where control regions reach"
    assert "p <= T (default 0.2)" in found["analyze"] and "p <= T (default 0.2)" in found["sensitivity"]
    assert "default 0.05" not in found["analyze"] + found["sensitivity"]


def test_another_usual_threshold_holds_in_the_panel(checkout, slicer_bench):
    found = told(checkout, READ + PANEL)
    assert found == {"panel": 0.2, "chosen": 0.2}
