"""Network: the 3-D U-Net that rebuilds the hole. Plain PyTorch (API of torch >= 2.2)."""

from __future__ import annotations

import torch
from torch import nn

FILL_SHARE = 0.5
"""Weight with which the input, and so the classical fill in its hole, enters the output beside what the network adds."""


class ResidualBlock(nn.Module):
    """Two 3x3x3 convolutions beside an identity, each after ReLU and, if asked, group normalisation (He et al. 2016).

    Without normalisation the deep levels fade beside the skips and the network stays local.
    """

    def __init__(self, channels: int, normalized: bool):
        super().__init__()
        layers = []
        for _ in range(2):
            layers += [nn.GroupNorm(8, channels)] if normalized else []
            layers += [nn.ReLU(), nn.Conv3d(channels, channels, 3, padding=1)]
        self.body = nn.Sequential(*layers)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.body(x)


class ReconstructionUNet(nn.Module):
    """Residual 3-D U-Net for rebuilding a hole from its surroundings and from the mirrored side.

    The widest level works at half the patch's resolution: a strided stem folds 2x2x2 voxels into channels and the head
    unfolds them again (sub-voxel convolution, Shi et al. 2016), so that no convolution runs at full resolution. Skips
    are sums. The widest level is not normalised: it carries intensities, and normalising it costs most.

    Args:
        channels: width of the levels at 1/2, 1/4, 1/8, 1/16 of the patch's resolution.
        blocks: residual blocks of each level, in the encoder and again in the decoder (once at the lowest).
    """

    def __init__(self, channels: tuple[int, ...] = (32, 64, 128, 128), blocks: tuple[int, ...] = (1, 2, 1, 2)):
        super().__init__()
        self.stem = nn.Conv3d(2, channels[0], 2, stride=2)
        self.mirror_stem = nn.Conv3d(2, channels[0], 3, padding=1)
        pairs = list(zip(channels[:-1], channels[1:]))
        levels = list(zip(channels, blocks, range(len(channels))))
        self.encoder = nn.ModuleList(_level(c, n, depth > 0) for c, n, depth in levels)
        self.down = nn.ModuleList(nn.Conv3d(a, b, 2, stride=2) for a, b in pairs)
        self.up = nn.ModuleList(nn.ConvTranspose3d(b, a, 2, stride=2) for a, b in pairs)
        self.decoder = nn.ModuleList(_level(c, n, depth > 0) for c, n, depth in levels[:-1])
        self.head = nn.Conv3d(channels[0], 8, 3, padding=1)

    def forward(self, image: torch.Tensor, mirror: torch.Tensor) -> torch.Tensor:
        """Rebuild.

        Args:
            image: (N, 2, S, S, S), S a multiple of 16: the patch in tissue units with a classical fill in the hole, and the hole's mask.
            mirror: (N, 2, S/2, S/2, S/2): the mirrored side at half the resolution in tissue units with 0 where it is
                unknown, and 1 where it is known. All zero when there is no mirrored side to go by.
        Returns:
            (N, 1, S, S, S): tissue units; meant to be used inside the hole.
        """
        x = self.stem(image) + self.mirror_stem(mirror)
        skips = []
        for encode, down in zip(self.encoder, self.down):
            x = encode(x)
            skips.append(x)
            x = down(x)
        x = self.encoder[-1](x)
        for up, decode, skip in zip(reversed(self.up), reversed(self.decoder), reversed(skips)):
            x = decode(up(x) + skip)
        return FILL_SHARE * image[:, :1] + _unfold(self.head(torch.relu(x)))


def _level(channels: int, blocks: int, normalized: bool) -> nn.Sequential:
    return nn.Sequential(*(ResidualBlock(channels, normalized) for _ in range(blocks)))


def _unfold(x: torch.Tensor) -> torch.Tensor:
    """(N, 8, D, H, W) to (N, 1, 2D, 2H, 2W): every channel becomes one of the 2x2x2 voxels."""
    n, _, d, h, w = x.shape
    return x.view(n, 2, 2, 2, d, h, w).permute(0, 4, 1, 5, 2, 6, 3).reshape(n, 1, 2 * d, 2 * h, 2 * w)
