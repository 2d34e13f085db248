"""Packages: what a network needs and Slicer does not bring, installed when the user applies and agrees, never before.

PyTorch comes through the PyTorch extension, the rest through slicer.packaging. Classical fills need neither;
a regression needs statsmodels.
"""

from __future__ import annotations

import importlib.util
import os

import slicer.packaging
from slicer.i18n import tr as _

from RadiomicsPersonaLib.defaults import CLASSICAL
from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.system.device import missing_package

from . import pytorch_extension

REQUIREMENTS = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "Resources", "requirements.txt")
TORCH, STATSMODELS = "torch", "statsmodels"
REQUESTER = "Radiomics Persona"
HARMONIC = _("The model Harmonic, on the page Settings, works without.")


def are_there(model: str) -> bool:
    """Whether what a model needs is installed."""
    return model in CLASSICAL or missing_package() is None


def ensure(model: str, without: str = HARMONIC) -> bool:
    """Have installed what a model needs; the user is asked once for all of it.

    Args:
        without: what the user can do without it, one sentence.
    Returns:
        whether something was installed.
    Raises:
        InputError: it is not there and was not installed; the sentence says what works without it.
    """
    if are_there(model):
        return False
    needs_torch, extension = missing_package() == TORCH, pytorch_extension.found()
    if needs_torch and extension is None:
        raise InputError(
            _(
                "The network needs PyTorch: install the extension 'PyTorch' in the Extensions Manager and restart Slicer. "
                "{without}"
            ).format(without=without)
        )
    _ask(
        _(
            "The network needs Python packages that are not installed yet: PyTorch (up to 3 GB, depending on the "
            "GPU) and safetensors. Nothing of your images leaves this computer. Install them now?"
        ),
        _("The network needs packages that are not installed. {without}").format(without=without),
    )

    def install() -> None:
        if needs_torch:
            pytorch_extension.install_torch(extension)
        _pip_ensure(slicer.packaging.load_requirements(REQUIREMENTS))

    _install(install, missing_package, without)
    return True


def ensure_statsmodels() -> bool:
    """Have installed what a regression needs; the user is asked once. Returns and raises as `ensure`."""

    def missing() -> str | None:
        return None if importlib.util.find_spec(STATSMODELS) else STATSMODELS

    if missing() is None:
        return False
    without = _("Everything else works without.")
    _ask(
        _(
            "The regression needs the Python package statsmodels (about 100 MB with what it needs itself), which is not "
            "installed yet. Install it now?"
        ),
        _("The regression needs statsmodels, which is not installed. {without}").format(without=without),
    )
    _install(lambda: _pip_ensure([STATSMODELS]), missing, without)
    return True


def _ask(question: str, refusal: str) -> None:
    if slicer.app.testingEnabled() or not slicer.util.confirmOkCancelDisplay(question, REQUESTER):
        raise InputError(refusal)


def _pip_ensure(requirements: list) -> None:
    slicer.packaging.pip_ensure(requirements, requester=REQUESTER, prompt_install=False)


def _install(install, missing, without: str) -> None:
    try:
        install()
    except Exception as error:  # each version of pip and of the extension raises its own
        raise InputError(
            _("The packages could not be installed ({error}): check the network and proxy. {without}").format(
                error=error, without=without
            )
        ) from error
    importlib.invalidate_caches()
    if missing():
        raise InputError(
            _("The package '{name}' is still missing: restart Slicer and apply again. {without}").format(
                name=missing(), without=without
            )
        )
