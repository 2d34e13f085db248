"""Packages: what training needs beyond Slicer, how much that is, and its installation when the user asks for it."""

from __future__ import annotations

import importlib.util

import slicer.packaging
from slicer.i18n import tr as _

from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaWidgets import pytorch_extension

MEGABYTES = {
    "torch": 750,
    "monai": 16,
    "lightning": 35,
    "tensorboard": 60,
    "sklearn": 55,
    "skimage": 45,
    "nibabel": 13,
    "safetensors": 2,
    "scipy": 113,
    "PIL": 20,
    "SimpleITK": 150,
}
"""What every package takes on the disk with what it brings along, by the name that it is imported by."""


def missing() -> list:
    """The packages that are not installed."""
    importlib.invalidate_caches()
    return [name for name in MEGABYTES if importlib.util.find_spec(name) is None]


def offer(names: list) -> str:
    """What is missing and what its installation takes, for the user to decide."""
    if not names:
        return ""
    size = sum(MEGABYTES[name] for name in names)
    return _(
        "Training needs {names}, which Slicer does not have yet: about {size} MB, downloaded once from the Python package "
        "index."
    ).format(names=", ".join(names), size=size) + (_(" PyTorch for a GPU takes up to 5 GB.") if "torch" in names else "")


def install(requirements: str) -> None:
    """Install what is missing with Slicer's own means, which show how far they are.

    Args:
        requirements: file that lists the packages.
    Raises:
        InputError: something could not be installed; says what to do.
    """
    extension = pytorch_extension.found()
    if "torch" in missing() and extension is None:
        raise InputError(
            _("PyTorch is missing: install the extension 'PyTorch' in the Extensions Manager, restart Slicer and come back.")
        )
    try:
        if "torch" in missing():
            pytorch_extension.install_torch(extension)
        slicer.packaging.pip_ensure(slicer.packaging.load_requirements(requirements), requester="RadiomicsPersonaTraining")
    except Exception as error:  # each version of pip and of the extension raises its own
        raise InputError(
            _("The packages could not be installed ({error}): is this computer online, or behind a proxy?").format(error=error)
        ) from error
    left = missing()
    if left:
        raise InputError(
            _("Still missing: {names}. Restart Slicer; if that does not help, the Python console tells why.").format(
                names=", ".join(left)
            )
        )
