"""Stored weights: how a network's weights lie in a safetensors file: in half precision, or convolutions in eight bits.

In eight bits a weight is a whole number from -127 to 127 times a factor of its output channel, which lies beside it under the
same name with `.scale`. The file is half as large. Networks compute with the products, in float32 or bfloat16 as ever.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

# Imported in functions: torch and safetensors, which a Slicer may lack.

HALF, EIGHT_BITS = 16, 8
SCALE = ".scale"
LARGEST = 127


def in_half(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Weights by name as they are stored in half precision."""
    return {name: value.half().contiguous() for name, value in weights.items()}


def in_eight_bits(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Weights by name as they are stored in eight bits; biases and norms stay in half precision."""
    import torch

    stored = {}
    for name, value in weights.items():
        if value.ndim < 2:
            stored[name] = value.half().contiguous()
            continue
        rows = value.float().flatten(1)
        scale = (rows.abs().amax(dim=1) / LARGEST).clamp_min(torch.finfo(torch.float32).tiny)
        stored[name] = (rows / scale[:, None]).round().to(torch.int8).reshape(value.shape).contiguous()
        stored[name + SCALE] = scale
    return stored


def read_weights(file: Path) -> dict[str, torch.Tensor]:
    """The weights of a file by name, float32.

    Raises:
        SafetensorError, KeyError, ValueError, TypeError, RuntimeError: it holds no weights, or not all of them.
    """
    import torch
    from safetensors.torch import load_file

    stored = load_file(str(file))
    scales = {name.removesuffix(SCALE): stored.pop(name) for name in list(stored) if name.endswith(SCALE)}
    weights = {}
    for name, value in stored.items():
        weights[name] = value.float()
        if value.dtype == torch.int8:
            weights[name] *= scales[name].float().reshape(-1, *[1] * (value.ndim - 1))
    return weights
