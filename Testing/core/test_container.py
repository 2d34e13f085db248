"""The container's recipe: it names files that are there, and its check passes on what is installed here."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys

import pytest

COMMANDS = {
    "python": "",
    "radiomics-persona": "-m RadiomicsPersonaLib",
    "radiomics-persona-train": "-m RadiomicsPersonaTrainingLib",
}


def test_the_recipe_runs_scripts_that_are_there_as_a_user_without_rights(checkout):
    recipe = (checkout / "Dockerfile").read_text(encoding="utf-8")
    scripts = re.findall(r"sh (container/\S+)", recipe)
    assert scripts == ["container/install.sh", "container/check.sh"]
    assert all((checkout / script).is_file() for script in scripts)
    assert recipe.index("USER user") < recipe.index("ENTRYPOINT") and "radiomics-persona" in recipe.partition("ENTRYPOINT")[2]
    assert "ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu\n" in recipe, "the CPU build, unless another is asked for"
    assert "TORCH_INDEX" in (checkout / "container" / "install.sh").read_text()
    extras = re.search(r"\.\[(.+?)\]", (checkout / "container" / "install.sh").read_text()).group(1).split(",")
    project = (checkout / "pyproject.toml").read_text(encoding="utf-8")
    assert all(re.search(rf"^{extra} = \[", project, re.MULTILINE) for extra in extras)


@pytest.mark.slow
@pytest.mark.usefixtures("small_models")
@pytest.mark.skipif(os.name == "nt", reason="The container's scripts are for a POSIX shell.")
def test_the_containers_check_passes_on_this_installation(checkout, tmp_path):
    commands = tmp_path / "bin"
    commands.mkdir()
    for name, words in COMMANDS.items():
        (commands / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" {words} "$@"\n')
        (commands / name).chmod(0o755)
    environment = os.environ | {
        "PATH": f"{commands}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": os.pathsep.join(str(checkout / name) for name in ("RadiomicsPersona", "RadiomicsPersonaTraining")),
    }
    done = subprocess.run(
        [shutil.which("sh"), str(checkout / "container" / "check.sh")],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0 and done.stdout.endswith("All is there.\n"), done.stderr
    assert "box 1" in done.stdout, "it analyzes a scan"
    if importlib.util.find_spec("highdicom"):
        assert "DICOM objects: sent/dicom" in done.stdout
