"""PyTorch extension: through it PyTorch is installed, for it knows which build fits the computer."""

from __future__ import annotations

import inspect

LEAST_TORCH = ">=2.2"


def found():
    """The extension's Python module, or None where it is not installed."""
    try:
        import PyTorchUtils  # of an extension that may not be installed
    except ImportError:
        return None
    return PyTorchUtils


def install_torch(extension) -> None:
    """Install PyTorch without another question; raises what the extension raises."""
    install = extension.PyTorchUtilsLogic().installTorch
    # its keywords have changed from version to version
    wanted = {"askConfirmation": False, "torchVersionRequirement": LEAST_TORCH}
    known = inspect.signature(install).parameters
    install(**{name: value for name, value in wanted.items() if name in known})
