"""Segmentation network: 3-D U-Nets at full resolution, plain or residual. Plain PyTorch (API of torch >= 2.2)."""

from __future__ import annotations

import torch
from torch import nn

from .network import ResidualBlock


class _FullUNet(nn.Module):
    """3-D U-Net whose finest level works at its input's resolution (Çiçek et al. 2016).

    Levels halve the resolution by strided convolutions and double it by transposed ones; skips are concatenated.

    Args:
        inputs, outputs: channels at full resolution.
        channels: width of the levels at 1, 1/2, 1/4, ... of the input's resolution, multiples of 8; the last is the bottleneck.
        blocks: blocks of each level on the way down; on the way up every level has one double convolution.
    """

    def __init__(self, inputs: int, outputs: int, channels: tuple[int, ...], blocks: tuple[int, ...]):
        super().__init__()
        *levels, lowest = zip(channels, blocks)
        self.stem = nn.Conv3d(inputs, channels[0], 3, padding=1)
        self.encoder = nn.ModuleList(self._level(width, count) for width, count in levels)
        self.bottleneck = self._level(*lowest)
        pairs = list(zip(channels[:-1], channels[1:]))
        self.down = nn.ModuleList(nn.Conv3d(a, b, 2, stride=2) for a, b in pairs)
        self.up = nn.ModuleList(nn.ConvTranspose3d(b, a, 2, stride=2) for a, b in pairs)
        self.decoder = nn.ModuleList(DoubleConvolution(2 * width, width) for width, _ in levels)
        self.head = nn.Conv3d(channels[0], outputs, 1)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Segment.

        Args:
            image: (N, inputs, D, H, W), sides multiples of 2 to the number of levels less one; see `segmentation_input`.
        Returns:
            (N, outputs, D, H, W): logits.
        """
        x, skips = self.stem(image), []
        for encode, down in zip(self.encoder, self.down):
            skips.append(encode(x))
            x = down(skips[-1])
        x = self.bottleneck(x)
        for up, decode in zip(reversed(self.up), reversed(self.decoder)):
            x = decode(torch.cat([skips.pop(), up(x)], dim=1))
        return self.head(x)

    @staticmethod
    def _level(channels: int, blocks: int) -> nn.Module:
        raise NotImplementedError


class PlainUNet(_FullUNet):
    """Double convolutions on every level; see `_FullUNet` for the arguments."""

    @staticmethod
    def _level(channels: int, blocks: int) -> nn.Module:
        return nn.Sequential(*(DoubleConvolution(channels, channels) for _ in range(blocks)))


class ResidualUNet(_FullUNet):
    """Residual blocks in encoder and bottleneck; see `_FullUNet` for the arguments."""

    @staticmethod
    def _level(channels: int, blocks: int) -> nn.Module:
        return nn.Sequential(*(ResidualBlock(channels, normalized=True) for _ in range(blocks)))


class DoubleConvolution(nn.Sequential):
    """Twice a 3x3x3 convolution, group normalisation and ReLU."""

    def __init__(self, inputs: int, outputs: int):
        layers = []
        for width in (inputs, outputs):
            layers += [nn.Conv3d(width, outputs, 3, padding=1), nn.GroupNorm(8, outputs), nn.ReLU()]
        super().__init__(*layers)
