"""Stored weights: how a network's weights lie in a safetensors file: in half precision, or convolutions in eight bits.

In eight bits a weight is a whole number from -127 to 127 times a factor of its output channel, which lies beside it under the
same name with `.scale`. The file is half as large. Where seven bits are used the numbers end at 63: the file is as large, but
archives and repositories pack it to a smaller one. Networks compute with the products, in float32 or bfloat16 as ever.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

# Imported in functions: torch and safetensors, which a Slicer may lack.

HALF, EIGHT_BITS, SEVEN_BITS = 16, 8, 7
SCALE = ".scale"


def in_half(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Weights by name as they are stored in half precision."""
    return {name: value.half().contiguous() for name, value in weights.items()}


def in_eight_bits(weights: dict[str, torch.Tensor], used: int = EIGHT_BITS) -> dict[str, torch.Tensor]:
    """Weights by name as they are stored in eight bits, of which so many are used; biases and norms stay in half precision."""
    import torch

    stored, largest = {}, 2 ** (used - 1) - 1
    for name, value in weights.items():
        if value.ndim < 2:
            stored[name] = value.half().contiguous()
            continue
        rows = value.float().flatten(1)
        scale = (rows.abs().amax(dim=1) / largest).clamp_min(torch.finfo(torch.float32).tiny)
        stored[name] = (rows / scale[:, None]).round().to(torch.int8).reshape(value.shape).contiguous()
        stored[name + SCALE] = scale
    return stored


def read_weights(file: Path) -> dict[str, torch.Tensor]:
    """The weights of a file by name, float32.

    Raises:
        SafetensorError, ValueError: it holds no weights, not all of them, or some that no network has.
    """
    import torch
    from safetensors.torch import load_file

    stored = load_file(str(file))
    scales = {name.removesuffix(SCALE): stored.pop(name) for name in list(stored) if name.endswith(SCALE)}
    weights = {}
    for name, value in stored.items():
        weights[name] = value.float()
        if value.dtype == torch.int8:
            scale = scales.pop(name, None)
            if value.ndim < 2 or scale is None or not scale.is_floating_point() or scale.shape != value.shape[:1]:
                raise ValueError(f"'{name}' has no factor for each of its channels")
            weights[name] *= scale.float().reshape(-1, *[1] * (value.ndim - 1))
            if not (scale > 0).all():
                raise ValueError(f"'{name}' has factors that are not above zero")
        elif not value.is_floating_point():
            raise ValueError(f"'{name}' holds {str(value.dtype).removeprefix('torch.')}, which no weight is stored in")
        if not weights[name].isfinite().all():
            raise ValueError(f"'{name}' holds values that are not finite")
    if scales:
        raise ValueError(f"'{next(iter(scales))}' has factors, and no weights of eight bits")
    return weights
