"""Slicer without its application: what a scripted module finds in `slicer` when it is loaded, from slicer-core.

The MRML nodes and their logics are Slicer's own. Slicer's Python files that the slicer-core package lacks come from the
folder in the environment variable SLICER_PYTHON_DIR (a checkout's or an installation's .../Python/slicer), or else from
the small stand-ins of this folder. Both ways have to pass.
"""

from __future__ import annotations

import importlib
import os
import sys
import types
from pathlib import Path

import slicer
import slicer.util

from . import qt_modules, sample_data
from .scene import Scene

SLICER_PYTHON_DIR = os.environ.get("SLICER_PYTHON_DIR", "")
CHECKOUT = Path(__file__).resolve().parents[2]


class Environment(dict):
    """A QProcessEnvironment, as far as slicer.util.startupEnvironment asks for it."""

    def value(self, name: str) -> str:
        return self[name]


class Application:
    """slicer.app, as far as scripted modules ask for it.

    Attributes:
        events_processed: how often the window was given the chance to redraw.
        scene: the present one.
        user_settings: a QSettings of the tests' own.
    """

    documentationBaseUrl = "https://slicer.readthedocs.io/en/latest/"

    def __init__(self):
        self.events_processed = 0
        self.scene = None
        self.user_settings = None

    def translate(self, context: str, text: str) -> str:
        return text

    def moduleDocumentationUrl(self, module: str) -> str:
        return f"{self.documentationBaseUrl}user_guide/modules/{module.lower()}.html"

    def startupEnvironment(self) -> Environment:
        return Environment(os.environ)

    def clipboard(self):
        return qt_modules.clipboard()

    def layoutManager(self):
        """None, as without a main window; tests of plots put a `PlotViews` here."""
        return None

    def applicationLogic(self):
        return self.scene.application

    def userSettings(self):
        return self.user_settings

    def processEvents(self) -> None:
        self.events_processed += 1
        qt_modules.process_events()

    def moduleManager(self) -> Application:
        return self

    def connect(self, signal: str, slot) -> None:
        """Modules are never unloaded here: nothing to call."""

    def disconnect(self, signal: str, slot) -> None:
        """The same."""

    def testingEnabled(self) -> bool:
        return True


def start() -> str | None:
    """Make `slicer` ready for the module to be imported; returns None, or why panels cannot be shown.

    Raises:
        RuntimeError: SLICER_PYTHON_DIR is set, and its files need a Qt that cannot be loaded.
    """
    if hasattr(slicer, "app"):
        return slicer.no_qt
    no_qt = qt_modules.install()
    if SLICER_PYTHON_DIR and no_qt:
        raise RuntimeError(f"Slicer's own Python files need Qt: {no_qt}")
    slicer.no_qt = no_qt
    slicer.app = Application()
    slicer.modules = types.SimpleNamespace()
    if SLICER_PYTHON_DIR:
        slicer.__path__.append(SLICER_PYTHON_DIR)
    else:
        from . import i18n, packaging, parameter_node_wrapper, scripted_loadable_module

        for name, module in (
            ("i18n", i18n),
            ("packaging", packaging),
            ("parameterNodeWrapper", parameter_node_wrapper),
            ("ScriptedLoadableModule", scripted_loadable_module),
        ):
            sys.modules[f"slicer.{name}"] = module
            setattr(slicer, name, module)
    sys.modules.setdefault("SampleData", sample_data)
    return slicer.no_qt


def new_scene() -> Scene:
    """Put a fresh scene into `slicer`."""
    scene = Scene()
    slicer.mrmlScene = scene.node
    slicer.app.scene = scene
    slicer.modules.plots = types.SimpleNamespace(logic=lambda: scene.logics["Plots"])
    slicer.modules.segmentations = types.SimpleNamespace(logic=lambda: scene.logics["Segmentations"])
    return scene


def load_module(name: str = "RadiomicsPersona"):
    """Import a module's file as Slicer does, with the module registered in slicer.modules."""
    setattr(slicer.modules, name.lower(), types.SimpleNamespace(path=str(CHECKOUT / name / f"{name}.py")))
    return importlib.import_module(name)
