"""The build files of the extension: an accepted index entry, and a build that installs every file and runs."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from PIL import Image

pytestmark = pytest.mark.slow

MODULES = ("RadiomicsPersona", "RadiomicsPersonaTraining")


def in_tree(checkout: Path, module: str, resources: bool) -> set[str]:
    """The module's files, either its Python files or what lies in Resources."""
    folder = checkout / module
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    names = {name for name in names if "__pycache__" not in name and not name.rsplit("/", 1)[-1].startswith(".")}
    if resources:
        return {name for name in names if name.startswith("Resources/")}
    return {name for name in names if name.endswith(".py") and not name.startswith("Resources/")}


def test_no_module_overwrites_a_file_of_the_other(checkout):
    """All modules of an extension are installed into one folder."""
    files = [name for module in MODULES for resources in (False, True) for name in in_tree(checkout, module, resources)]
    assert sorted(set(files)) == sorted(files)


@pytest.fixture(scope="module")
def metadata(checkout) -> dict[str, str]:
    """The EXTENSION_* variables of the top CMakeLists.txt."""
    text = (checkout / "CMakeLists.txt").read_text()
    return dict(re.findall(r'set\(EXTENSION_(\w+) "([^"]*)"\)', text))


def test_the_extension_describes_itself(metadata):
    assert set(metadata) >= {"HOMEPAGE", "CONTRIBUTORS", "DESCRIPTION", "ICONURL", "SCREENSHOTURLS", "DEPENDS", "KEYWORDS"}
    assert all(metadata.values())
    assert "Research use only" in metadata["DESCRIPTION"]


def test_the_pictures_the_catalogue_shows_are_in_the_repository(checkout, metadata):
    for url in [metadata["ICONURL"], *metadata["SCREENSHOTURLS"].split(" ")]:
        assert (checkout / url.split("/main/", 1)[1]).is_file(), url
    for icon in ("Resources/RadiomicsPersona.png", "RadiomicsPersona/Resources/Icons/RadiomicsPersona.png"):
        with Image.open(checkout / icon) as image:
            assert image.size == (128, 128) and image.format == "PNG"


def test_the_index_entry_follows_the_schema_and_agrees_with_cmake(checkout, metadata):
    """Schema v1.0.2: three required keys, no others than these."""
    entry = json.loads((checkout / "RadiomicsPersona.json").read_text())
    assert entry["$schema"].endswith("/slicer-extension-catalog-entry-schema-v1.0.2.json#")
    assert (
        {"$schema", "category", "scm_url"}
        <= set(entry)
        <= {
            *("$schema", "category", "scm_url", "scm_revision", "scm_type", "build_dependencies", "dicom_support_rule"),
            *("build_subdirectory", "enabled", "tier"),
        }
    )
    assert entry["scm_type"] == "git" and 1 <= entry["tier"] <= 5
    assert entry["scm_url"] == metadata["HOMEPAGE"] + ".git"
    assert entry["build_dependencies"] == metadata["DEPENDS"].split(";")


def test_the_parameters_named_in_the_ui_file_exist(checkout):
    ui = ElementTree.parse(checkout / "RadiomicsPersona/Resources/UI/RadiomicsPersona.ui")
    named = {p.findtext("string") for p in ui.iter("property") if p.get("name") == "SlicerParameterName"}
    source = (checkout / "RadiomicsPersona/RadiomicsPersonaNodes/parameter_node.py").read_text()
    fields = source.split("class RadiomicsPersonaParameterNode:")[1]
    assert named == {
        "inputVolume",
        "decision",
        "threshold",
        "controls",
        "device",
        "seed",
        "oneLook",
        "shown",
        "fade",
    }
    assert named <= set(re.findall(r"^    (\w+):", fields, re.M))


@pytest.fixture(scope="module")
def build(checkout, tmp_path_factory) -> Path:
    """A build folder configured against a stand-in of Slicer's CMake macros."""
    if not (shutil.which("cmake") and (shutil.which("c++") or shutil.which("cl"))):
        pytest.skip("cmake and a C++ compiler are not installed")
    build = tmp_path_factory.mktemp("build")
    command = [
        *("cmake", "-S", checkout, "-B", build, f"-DSlicer_DIR={checkout / 'Testing/bench/cmake'}"),
        *(f"-DRadiomicsPersona_TEST_PYTHON={sys.executable}", f"-DCMAKE_INSTALL_PREFIX={build / 'installed'}"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return build


def test_the_installed_extension_runs_without_the_checkout(checkout, build, tmp_path):
    subprocess.run(["cmake", "--install", build], check=True, capture_output=True)
    installed = build / "installed/lib/qt-scripted-modules"
    expected = set().union(*(in_tree(checkout, m, r) for m in MODULES for r in (False, True)))
    assert {path.relative_to(installed).as_posix() for path in installed.rglob("*") if path.is_file()} == expected
    environment = {"PYTHONPATH": str(installed), "PYTHONDONTWRITEBYTECODE": "1", "PATH": "", "HOME": str(tmp_path)}
    command = [sys.executable, "-P", "-m", "RadiomicsPersonaLib", "models"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "harmonic" in done.stdout, done.stderr


def test_every_test_file_is_registered_with_ctest(checkout, build):
    done = subprocess.run(["ctest", "-N"], cwd=build, capture_output=True, text=True, check=True)
    files = {path.stem for path in (checkout / "Testing").rglob("test_*.py")}
    assert set(re.findall(r"RadiomicsPersona_(test_\w+)", done.stdout)) == files
    assert "py_RadiomicsPersona" in done.stdout
