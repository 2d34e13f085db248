"""Packages: what a network needs and Slicer does not bring, installed when the user applies and agrees, never before.

PyTorch comes through the PyTorch extension, the rest through slicer.packaging. Classical fills need neither.
"""

from __future__ import annotations

import importlib
import os

import slicer.packaging
from slicer.i18n import tr as _

from RadiomicsPersonaLib.defaults import CLASSICAL
from RadiomicsPersonaLib.device import missing_package
from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaWidgets import pytorch_extension

REQUIREMENTS = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "Resources", "requirements.txt")
TORCH = "torch"
REQUESTER = "Radiomics Persona"


def ensure(model: str) -> bool:
    """Have installed what a model needs; the user is asked once for all of it.

    Returns:
        whether something was installed.
    Raises:
        InputError: it is not there and was not installed; the sentence says what works without it.
    """
    if model in CLASSICAL or missing_package() is None:
        return False
    needs_torch, extension = missing_package() == TORCH, pytorch_extension.found()
    if needs_torch and extension is None:
        raise InputError(_(
            "The network needs PyTorch: install the extension 'PyTorch' in the Extensions Manager and restart Slicer. {without}"
        ).format(without=_without()))
    question = _(
        "The network needs Python packages that are not installed yet: PyTorch (up to 3 GB, depending on the graphics card) and safetensors. "
        "Nothing of your images leaves this computer. Install them now?"
    )
    if slicer.app.testingEnabled() or not slicer.util.confirmOkCancelDisplay(question, REQUESTER):
        raise InputError(_("The network needs packages that are not installed. {without}").format(without=_without()))
    try:
        if needs_torch:
            pytorch_extension.install_torch(extension)
        slicer.packaging.pip_ensure(slicer.packaging.load_requirements(REQUIREMENTS), requester=REQUESTER, prompt_install=False)
    except Exception as error:  # each version of pip and of the extension raises its own
        raise InputError(_("The packages could not be installed ({error}): check the network and proxy. {without}").format(
            error=error, without=_without())) from error
    importlib.invalidate_caches()
    if missing_package():
        raise InputError(_("The package '{name}' is still missing: restart Slicer and apply again. {without}").format(
            name=missing_package(), without=_without()))
    return True


def _without() -> str:
    return _("Harmonic, under Advanced, Model, works without.")
