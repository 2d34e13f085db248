"""The wheel: every folder and every shipped file is in it, and its commands run in a folder where nothing else is."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
import zipfile
from email import message_from_string
from importlib import import_module
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

LIBRARIES = {
    "RadiomicsPersonaLib": "RadiomicsPersona/RadiomicsPersonaLib",
    "RadiomicsPersonaTrainingLib": "RadiomicsPersonaTraining/RadiomicsPersonaTrainingLib",
}
SHIPPED = {
    "RadiomicsPersonaLib/Models": "RadiomicsPersona/Resources/Models",
    "RadiomicsPersonaLib/Schemas": "RadiomicsPersona/Resources/Schemas",
    "RadiomicsPersonaLib/Classifiers": "RadiomicsPersona/Resources/Classifiers",
    "RadiomicsPersonaLib/HeadSearch": "RadiomicsPersona/Resources/HeadSearch",
    "RadiomicsPersonaLib/Population": "RadiomicsPersona/Resources/Population",
    "RadiomicsPersonaTrainingLib/masks": "RadiomicsPersonaTraining/Resources/masks",
    "RadiomicsPersonaTrainingLib/segmentation": "RadiomicsPersonaTraining/Resources/segmentation",
}
"""Folders in the wheel, with where they come from."""
RECIPES = ("RadiomicsPersonaTrainingLib/recipes", "RadiomicsPersonaTraining/Resources")
"""The same for the settings that the shipped models were trained with, of which only the files at the top come along."""
EXTRAS = (
    *("monai", "lightning", "tensorboard", "sklearn", "skimage", "vtk", "statsmodels", "dask", "distributed", "nilearn"),
    *("mirp", "itk", "highdicom", "argcomplete"),
    *("pandas", "matplotlib", "mkdocs", "PySide6", "slicer"),
)
"""What an environment lacks into which the wheel was installed without extras."""


def files_in(folder: Path, ending: str = "") -> set[str]:
    names = (path.relative_to(folder).as_posix() for path in folder.rglob(f"*{ending}") if path.is_file())
    return {name for name in names if "__pycache__" not in name}


@pytest.fixture(scope="module")
def project(checkout) -> dict:
    return tomllib.loads((checkout / "pyproject.toml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def wheel(checkout, project, tmp_path_factory) -> Path:
    """The unpacked wheel; built from a copy, so that nothing is left in the checkout."""
    copy, unpacked = tmp_path_factory.mktemp("copy"), tmp_path_factory.mktemp("unpacked")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(checkout / name, copy / name)
    for folder in (*LIBRARIES.values(), *SHIPPED.values(), RECIPES[1]):
        shutil.copytree(checkout / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--no-build-isolation",
        "--no-deps",
        "--no-index",
        "--wheel-dir",
        "made",
        ".",
    ]
    done = subprocess.run(command, cwd=copy, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (made,) = (copy / "made").glob("radiomics_persona-*.whl")
    with zipfile.ZipFile(made) as archive:
        archive.extractall(unpacked)
    return unpacked


RUN = """
import sys
sys.path.insert(0, {wheel!r})
import {module} as program
left = program.{function}({words!r})
files = [module.__file__ for name, module in sys.modules.items() if name.startswith("RadiomicsPersona")]
strangers = [file for file in files if not file.startswith({wheel!r})]
assert not strangers, strangers
sys.exit(left)
"""


def ran(wheel: Path, folder: Path, program: str, *words: str) -> str:
    """What a command of the wheel prints; fails where another copy of the program had to help out."""
    module, function = program.split(":")
    code = RUN.format(wheel=str(wheel), module=module, function=function, words=list(words))
    command = [sys.executable, "-I", "-B", "-c", code]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_folder_is_named_in_pyproject(checkout, project):
    on_disk = {package.replace("/", ".") for package in SHIPPED}
    for library, place in LIBRARIES.items():
        folders = {path.parent.relative_to(checkout / place) for path in (checkout / place).rglob("*.py")}
        on_disk |= {".".join([library, *folder.parts]) for folder in folders}
    on_disk.add(RECIPES[0].replace("/", "."))
    assert set(project["tool"]["setuptools"]["packages"]) == on_disk


def test_the_wheel_holds_every_file_of_both_libraries_and_all_that_is_shipped(checkout, wheel):
    for library, place in LIBRARIES.items():
        assert files_in(wheel / library, ".py") == files_in(checkout / place, ".py")
    for folder, place in SHIPPED.items():
        assert files_in(wheel / folder) == files_in(checkout / place)


def test_the_wheel_holds_the_settings_that_the_shipped_models_were_trained_with(checkout, wheel):
    recipes = {path.name for ending in ("toml", "csv") for path in (checkout / RECIPES[1]).glob(f"*.{ending}")}
    assert {"healthy-t1.toml", "tissue.toml", "lesion.toml"} <= recipes
    assert files_in(wheel / RECIPES[0]) == recipes


def test_the_wheel_says_what_it_is_and_under_which_licences(wheel):
    (info,) = wheel.glob("*.dist-info")
    told = message_from_string((info / "METADATA").read_text(encoding="utf-8"))
    assert told["License-Expression"] == "Apache-2.0 AND CC-BY-SA-4.0"
    assert {Path(name).name for name in told.get_all("License-File")} == {"LICENSE", "hippocampus.LICENSE.txt"}
    assert all(list((info / "licenses").rglob(Path(name).name)) for name in told.get_all("License-File"))
    assert {url.split(",")[0] for url in told.get_all("Project-URL")} == {"Homepage", "Documentation", "Issues", "Changelog"}
    assert any(line.endswith(":: 3.13") for line in told.get_all("Classifier"))


HELPS = """
import io, sys
from contextlib import redirect_stderr, redirect_stdout
class Nothing:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {extras!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Nothing())
sys.path.insert(0, {wheel!r})
from {module} import {registry} as registry
from RadiomicsPersonaLib.errors import how_to_install
for name in registry.commands:
    text, wrong = io.StringIO(), io.StringIO()
    try:
        with redirect_stdout(text), redirect_stderr(wrong):
            code = registry.main([name, "--help"])
    except SystemExit as left:
        code = left.code
    if code:
        assert code == 2 and how_to_install("training") in wrong.getvalue(), (name, wrong.getvalue())
    else:
        assert text.getvalue().startswith("usage: "), (name, text.getvalue())
    print(name, code or 0)
"""


@pytest.mark.parametrize(
    ("module", "registry"),
    [("RadiomicsPersonaLib.commands.registry", "ANALYSIS"), ("RadiomicsPersonaTrainingLib.cli", "TRAINING")],
)
def test_the_help_of_every_command_runs_where_no_extra_is_installed(wheel, tmp_path, module, registry):
    code = HELPS.format(extras=EXTRAS, wheel=str(wheel), module=module, registry=registry)
    done = subprocess.run([sys.executable, "-I", "-B", "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    codes = dict(line.split() for line in done.stdout.splitlines())
    assert set(codes) == set(getattr(import_module(module), registry).commands)
    assert {name for name, code in codes.items() if code != "0"} <= {"compare", "experiment"}  # research on the program itself


def test_commands_run_from_the_wheel_in_a_fresh_folder(wheel, project, tmp_path):
    programs = project["project"]["scripts"]
    told = ran(wheel, tmp_path, programs["radiomics-persona"], "models")
    assert all(name in told for name in ("healthy-t1", "tissue", "lesion", "hippocampus", "harmonic"))
    ran(wheel, tmp_path, programs["radiomics-persona-train"], "init", "settings.toml")
    assert "[fit]" in (tmp_path / "settings.toml").read_text(encoding="utf-8")
    assert "masks-unet" in ran(wheel, tmp_path, programs["radiomics-persona-train"], "models")
    assert [path.name for path in tmp_path.iterdir()] == ["settings.toml"]


def test_shipped_files_are_found_from_the_wheel(checkout, wheel, tmp_path):
    code = "from RadiomicsPersonaLib.resources import shipped"
    for folder, place in SHIPPED.items():
        library, name = folder.split("/")
        find = f"import sys; sys.path.insert(0, {str(wheel)!r}); {code}; print(shipped({name!r}, {library!r}))"
        command = [sys.executable, "-I", "-B", "-c", find]
        found = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout.strip()
        assert Path(found) == (wheel / folder).resolve()
        assert files_in(Path(found)) == files_in(checkout / place)
