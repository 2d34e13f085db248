"""Mask drawing: how a trained generator turns noise into the field of a mask; the same at validation and at use."""

from __future__ import annotations

import torch
from torch import nn

SHARPNESS = 8.0
"""Of the soft mask of a field: half a voxel from the border it is 0.27 or 0.73."""


def guessed_field(network: nn.Module, conditions: torch.Tensor, noisy: torch.Tensor, time: torch.Tensor) -> torch.Tensor:
    """What the network takes the field for, (N, 1, S, S, S).

    Args:
        conditions: (N, C, S, S, S), see `patch.conditions`.
        noisy: (N, 1, S, S, S): the field mixed with noise.
        time: (N,): how much of it is the field, 0 to 1.
    """
    constant = time[:, None, None, None, None].expand_as(noisy)
    shown = torch.cat([noisy, constant, conditions], dim=1).contiguous(memory_format=torch.channels_last_3d)
    return network(shown).float()


def drawn_field(network: nn.Module, conditions: torch.Tensor, noise: torch.Tensor, steps: int) -> torch.Tensor:
    """A field drawn from noise in equal steps, (N, 1, S, S, S).

    The straight path of flow matching (Lipman et al. 2023) is followed with the network's guess of where it ends; one step is a
    generator that draws at once.
    """
    field = noise
    for step in range(steps):
        time = torch.full((len(noise),), step / steps, device=noise.device)
        guess = guessed_field(network, conditions, field, time)
        field = field + (guess - field) / (steps - step)
    return field


def soft_mask(field: torch.Tensor) -> torch.Tensor:
    """Share of every voxel that is lesion, differentiable."""
    return torch.sigmoid(SHARPNESS * field)
