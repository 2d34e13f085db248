"""What Apply needs to have installed: asked once, through the PyTorch extension and slicer.packaging,
and declined gracefully.
"""

from __future__ import annotations

import importlib.util
import sys
import types

import pytest

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed: pip install slicer-core")


@pytest.fixture
def fresh(panel, inputs, monkeypatch):
    """A Slicer without PyTorch that is not being tested; what was asked and what was installed is in its lists."""
    from RadiomicsPersonaWidgets import packages

    state = types.SimpleNamespace(missing="torch", agrees=True, questions=[], installed=[], ended=[])
    monkeypatch.setattr(packages, "missing_package", lambda: state.missing)
    monkeypatch.setattr(slicer.app, "testingEnabled", lambda: False)
    monkeypatch.setattr(slicer.util, "confirmOkCancelDisplay", lambda text, title: state.questions.append(text) or state.agrees)
    monkeypatch.setattr(panel.logic.worker, "end", lambda: state.ended.append(True))
    panel.ui.modelComboBox.currentIndex = panel.ui.modelComboBox.findData("auto")
    return state


def add_extension(monkeypatch, install) -> None:
    """A PyTorch extension whose installTorch has the given keywords."""
    module = types.ModuleType("PyTorchUtils")
    module.PyTorchUtilsLogic = type("PyTorchUtilsLogic", (), {"installTorch": install})
    monkeypatch.setitem(sys.modules, "PyTorchUtils", module)


def test_a_classical_fill_is_asked_nothing(panel, fresh):
    panel.ui.modelComboBox.currentIndex = panel.ui.modelComboBox.findData("harmonic")
    panel.ui.applyButton.click()
    assert panel.ui.statusLabel.text == "Done." and fresh.questions == []


def test_without_the_extension_a_sentence_says_where_it_is_and_what_works_without(panel, fresh):
    panel.ui.applyButton.click()
    assert panel.ui.statusLabel.text == (
        "The network needs PyTorch: install the extension 'PyTorch' in the Extensions Manager and restart Slicer. "
        "The model Harmonic, on the page Settings, works without."
    )
    assert fresh.questions == [] and panel.ui.applyButton.enabled and panel.ui.applyButton.text == "Apply"
    assert not panel.logic.getParameterNode().resultTable


@pytest.mark.parametrize("keywords", ["new", "old"])
def test_everything_is_asked_once_and_the_worker_starts_anew(panel, fresh, monkeypatch, keywords):
    def new(self, askConfirmation=False, forceComputationBackend=None, torchVersionRequirement=None):
        fresh.installed.append((askConfirmation, torchVersionRequirement))
        fresh.missing = None

    def old(self):
        new(self)

    add_extension(monkeypatch, new if keywords == "new" else old)
    panel.ui.applyButton.click()
    assert panel.ui.statusLabel.text == "Done."
    assert len(fresh.questions) == 1 and "PyTorch" in fresh.questions[0] and "safetensors" in fresh.questions[0]
    assert fresh.installed == [(False, ">=2.2" if keywords == "new" else None)]
    assert fresh.ended == [True]
    panel.ui.applyButton.click()
    assert len(fresh.questions) == 1 and fresh.ended == [True]


def test_who_declines_is_told_what_works_and_nothing_is_installed(panel, fresh, monkeypatch):
    add_extension(monkeypatch, lambda self: fresh.installed.append(True))
    fresh.agrees = False
    panel.ui.applyButton.click()
    assert panel.ui.statusLabel.text.endswith("The model Harmonic, on the page Settings, works without.")
    assert fresh.installed == [] and len(fresh.questions) == 1
    panel.ui.modelComboBox.currentIndex = panel.ui.modelComboBox.findData("harmonic")
    panel.ui.applyButton.click()
    assert panel.ui.statusLabel.text == "Done."


def test_a_failed_installation_is_one_sentence(panel, fresh, monkeypatch):
    from subprocess import CalledProcessError

    def fail(self):
        raise CalledProcessError(1, "pip")

    add_extension(monkeypatch, fail)
    panel.ui.applyButton.click()
    assert panel.ui.statusLabel.text.startswith("The packages could not be installed (Command 'pip' returned")
    assert "check the network and proxy" in panel.ui.statusLabel.text


def test_a_regression_asks_for_statsmodels_and_can_be_declined(panel, fresh, monkeypatch):
    find_spec = importlib.util.find_spec
    there = []
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *more: find_spec(name, *more) if name != "statsmodels" or there else None
    )
    monkeypatch.setattr(
        slicer.packaging, "pip_ensure", lambda requirements, **options: (fresh.installed.append(requirements), there.append(1))
    )
    fresh.agrees = False
    panel.regression.on_regress()
    assert (
        panel.ui.regressionStatusLabel.text
        == "The regression needs statsmodels, which is not installed. Everything else works without."
    )
    fresh.agrees = True
    panel.regression.on_regress()
    assert fresh.installed == [["statsmodels"]] and len(fresh.questions) == 2 and fresh.ended
    assert (
        panel.ui.regressionStatusLabel.text
        == "No table is selected: choose one with a row per visit, and the column that is to be explained."
    )


def test_an_installation_that_needs_a_restart_says_so(panel, fresh, monkeypatch):
    add_extension(monkeypatch, lambda self: None)
    panel.ui.applyButton.click()
    assert panel.ui.statusLabel.text.startswith("The package 'torch' is still missing: restart Slicer and apply again.")


def test_a_slicer_under_test_is_asked_nothing(panel, fresh, monkeypatch):
    add_extension(monkeypatch, lambda self: fresh.installed.append(True))
    monkeypatch.setattr(slicer.app, "testingEnabled", lambda: True)
    panel.ui.applyButton.click()
    assert fresh.questions == fresh.installed == [] and "not installed" in panel.ui.statusLabel.text


def test_what_is_required_has_no_pins_and_is_what_the_library_asks_for(checkout):
    """Beside torch, which is the PyTorch extension's."""
    from RadiomicsPersonaLib.system.device import PACKAGES

    lines = (checkout / "RadiomicsPersona/Resources/requirements.txt").read_text().splitlines()
    names = [line for line in lines if line and not line.startswith("#")]
    assert set(names) == set(PACKAGES) - {"torch"}
    assert all(importlib.util.find_spec(name) for name in names)
