"""Device: where networks compute, in which precision, and how their weights get there. Imports torch only when asked."""

from __future__ import annotations

import errno
import importlib.util
from contextlib import contextmanager
from pathlib import Path

from ..errors import InputError
from .stored_weights import read_weights

# Imported in functions: torch and safetensors, which a Slicer may lack.

PACKAGES = {
    "torch": "install PyTorch (in Slicer: the PyTorch extension)",
    "safetensors": "install the Python package safetensors",
}


NO_MEMORY = "There is not enough free memory for this: close other programs and try again, or give a scan with fewer voxels."
_OUT_OF_MEMORY = ("out of memory", "allocate memory", "alloc_failed", "bad_alloc", "can't start new thread")


def missing_package() -> str | None:
    """The first package that networks need and that is not installed, or None."""
    return next((package for package in PACKAGES if importlib.util.find_spec(package) is None), None)


def require_torch() -> None:
    """Raise an InputError that names the package missing for networks, if one is."""
    package = missing_package()
    if package:
        raise InputError(f"The network needs {package}, which is not installed: {PACKAGES[package]}.")


def torch_device(device: str) -> str:
    """The device that "auto", "cpu", "cuda" or "mps" stands for here.

    Raises:
        InputError: no such device, not on this machine, or torch is missing.
    """
    if device not in ("auto", "cpu", "cuda", "mps"):
        raise InputError(f"There is no device '{device}': choose auto, cpu, cuda or mps.")
    require_torch()
    import torch

    available = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if device == "auto":
        return "cuda" if available["cuda"] else "cpu"
    if not available[device]:
        raise InputError(f"The device '{device}' is not available on this machine: choose auto or cpu.")
    return device


def ran_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory, the computer's or the GPU's, did not suffice;
    each library has its own way.
    """
    if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM):
        return True
    if any(cls.__name__ == "OutOfMemoryError" for cls in type(error).__mro__):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error).lower() for words in _OUT_OF_MEMORY)


def computes_in_bfloat16(device: str) -> bool:
    """Whether a device ("cpu", "cuda", "mps") computes in bfloat16; a CPU without it would emulate it slowly."""
    import torch

    return device == "cuda" or (device == "cpu" and getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)())


PRECISIONS = {"auto": None, "fp32": "float32", "bf16": "bfloat16"}
"""What may be asked for: "auto" for bfloat16 where the device has such arithmetic."""
_asked: list[str] = ["auto"]


@contextmanager
def in_precision(name: str):
    """For as long as this lasts all networks of this process compute in "fp32" or "bf16", or as the device suggests ("auto").

    Raises:
        InputError: there is no such precision.
    """
    if name not in PRECISIONS:
        raise InputError(f"There is no precision '{name}': choose {', '.join(PRECISIONS)}.")
    before, _asked[0] = _asked[0], name
    try:
        yield
    finally:
        _asked[0] = before


def precision_asked() -> str:
    """ "auto", "fp32" or "bf16": what `in_precision` says now."""
    return _asked[0]


def precision_on(device: str) -> str:
    """ "bfloat16" or "float32": what was asked for, else bfloat16 where the device has such arithmetic."""
    if device == "mps":
        return "float32"
    return PRECISIONS[_asked[0]] or ("bfloat16" if computes_in_bfloat16(device) else "float32")


def autocasts_on_cpu() -> bool:
    """Whether the CPU is to compute in another precision than that of what it is given (`torch.autocast`)."""
    import torch

    try:
        return torch.is_autocast_enabled("cpu")
    except TypeError:  # before torch 2.4
        return torch.is_autocast_cpu_enabled()


def ready(network, weights: Path, name: str, device: str):
    """The network with its weights on the device, set for prediction.

    Raises:
        InputError: the weights are those of another architecture, or none.
    """
    import torch
    from safetensors import SafetensorError

    try:
        network.load_state_dict(read_weights(weights))
    except RuntimeError as error:
        raise InputError(f"The model '{name}' was made for another version of this program: install both anew.") from error
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"The weights of the model '{name}' cannot be read ({error}): install the model again.") from error
    return network.to(device).to(memory_format=torch.channels_last_3d).eval()
