"""U-Nets: every 3-D network of this project, in plain PyTorch (API of torch >= 2.2).

Those that rebuild a hole, tell tissues apart and find lesions work at half resolution and coarser; those that segment work at
full resolution, plain or residual. `network_of` is the one place where networks are made, from what a card or a training's
settings say.
"""

from __future__ import annotations

import torch
from torch import nn

from ..errors import InputError
from ..system.device import autocasts_on_cpu

Window = tuple[tuple[int, int], tuple[int, int], tuple[int, int]]
"""First voxel and the one after the last along three axes."""
FILL_SHARE = 0.5
"""Weight with which the input, and so the classical fill in its hole, enters the output beside what the network adds."""


class Convolution(nn.Conv3d):
    """`torch.nn.Conv3d` that is as fast for one image as for each of several.

    On a processor PyTorch leaves a single image of few voxels to an implementation of its own, which takes two to twelve
    times as long as oneDNN's (`use_mkldnn` in its Convolution.cpp). Here oneDNN computes whenever nothing is learnt, so that
    an image alone gets the digits that it gets among others.
    """

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, channels, D, H, W), as `torch.nn.Conv3d` does it."""
        if len(x) > 1 or not _by_onednn(x):
            return super().forward(x)
        return torch.mkldnn_convolution(x, self.weight, self.bias, self.padding, self.stride, self.dilation, self.groups)


def _by_onednn(x: torch.Tensor) -> bool:
    plain = x.device.type == "cpu" and x.dtype == torch.float32 and not torch.is_grad_enabled()
    return plain and torch.backends.mkldnn.is_available() and not autocasts_on_cpu()


class Normalization(nn.GroupNorm):
    """`torch.nn.GroupNorm` whose result does not depend on the number of threads.

    Where channels lie last in memory, PyTorch sums over as many parts as there are threads (GroupNormKernelImplChannelsLast in
    its group_norm_kernel.cpp), and bfloat16 then rounds to other values. Where channels lie first, one thread sums a group.
    """

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, channels, D, H, W), as `torch.nn.GroupNorm` does it."""
        if torch.is_grad_enabled() or x.device.type != "cpu":
            return super().forward(x)
        return super().forward(x.contiguous()).contiguous(memory_format=torch.channels_last_3d)


class ResidualBlock(nn.Module):
    """Two 3x3x3 convolutions beside an identity, each after ReLU and, if asked, group normalisation (He et al. 2016).

    Without normalisation the deep levels fade beside the skips and the network stays local.
    """

    def __init__(self, channels: int, normalized: bool):
        super().__init__()
        layers = []
        for _ in range(2):
            layers += [Normalization(8, channels)] if normalized else []
            layers += [nn.ReLU(), Convolution(channels, channels, 3, padding=1)]
        self.body = nn.Sequential(*layers)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.body(x)


class _UNet(nn.Module):
    """Residual 3-D U-Net that works at half its input's resolution and finer nowhere.

    A strided stem folds 2x2x2 voxels into channels and the head unfolds them again (sub-voxel convolution, Shi et al.
    2016), so that no convolution runs at full resolution. Skips are sums. The widest level is not normalised: it carries
    intensities, and normalising it costs most.

    Args:
        inputs, outputs: channels at full resolution.
        channels: width of the levels at 1/2, 1/4, 1/8, 1/16 of the input's resolution.
        blocks: residual blocks of each level, in the encoder and again in the decoder (once at the lowest).
    """

    def __init__(self, inputs: int, outputs: int, channels: tuple[int, ...], blocks: tuple[int, ...]):
        super().__init__()
        self.stem = Convolution(inputs, channels[0], 2, stride=2)
        pairs = list(zip(channels[:-1], channels[1:]))
        levels = list(zip(channels, blocks, range(len(channels))))
        self.encoder = nn.ModuleList(_level(c, n, depth > 0) for c, n, depth in levels)
        self.down = nn.ModuleList(Convolution(a, b, 2, stride=2) for a, b in pairs)
        self.up = nn.ModuleList(nn.ConvTranspose3d(b, a, 2, stride=2) for a, b in pairs)
        self.decoder = nn.ModuleList(_level(c, n, depth > 0) for c, n, depth in levels[:-1])
        self.head = Convolution(channels[0], 8 * outputs, 3, padding=1)
        self.reach = 2 * blocks[0] + 1
        """Voxels of the finest level that the result looks at on every side, from the skip on."""

    def _encoded(self, x: torch.Tensor) -> list[torch.Tensor]:
        """What every level of the encoder makes of the stem, the finest first."""
        found = [self.encoder[0](x)]
        for encode, down in zip(self.encoder[1:], self.down):
            found.append(encode(down(found[-1])))
        return found

    def _from_stem(self, x: torch.Tensor, window: Window | None = None) -> torch.Tensor:
        """(N, channels[0], D, H, W) to (N, outputs, 2D, 2H, 2W).

        Args:
            window: where the result is wanted; the finest level computes nothing else, and what is outside may be 0.
        """
        *skips, x = self._encoded(x)
        fine = _finest_window(window, skips[0].shape[2:], self.reach) if window and skips else None
        for depth in reversed(range(len(skips))):
            skip = skips[depth]
            if depth == 0 and fine:
                x, skip = x[(..., *(slice(s.start // 2, s.stop // 2) for s in fine))], skip[(..., *fine)]
            x = self.decoder[depth](self.up[depth](x) + skip)
        found = _unfold(self.head(torch.relu(x)))
        if fine is None:
            return found
        placed = found.new_zeros((*found.shape[:2], *(2 * n for n in skips[0].shape[2:])))
        placed[(..., *(slice(2 * s.start, 2 * s.stop) for s in fine))] = found
        return placed


class ReconstructionUNet(_UNet):
    """Rebuilds a hole from its surroundings and from the mirrored side; see `_UNet` for how, and for the arguments."""

    guides = 2
    """Channels that it is shown at half the resolution."""

    def __init__(self, channels: tuple[int, ...] = (32, 64, 128, 128), blocks: tuple[int, ...] = (1, 2, 1, 2)):
        super().__init__(2, 1, channels, blocks)
        self.mirror_stem = Convolution(self.guides, channels[0], 3, padding=1)

    def forward(self, image: torch.Tensor, guide: torch.Tensor, window: Window | None = None) -> torch.Tensor:
        """Rebuild.

        Args:
            image: (N, 2, S, S, S), S a multiple of 16: the patch in tissue units with a classical fill in the hole,
                and the hole's mask.
            guide: (N, `guides`, S/2, S/2, S/2): the mirrored side at half the resolution in tissue units with 0 where it is
                unknown, and 1 where it is known. All zero when there is no mirrored side to go by.
            window: voxels of the patch that are wanted, or None for all.
        Returns:
            (N, 1, S, S, S): tissue units; meant to be used inside the hole, and inside the window alone where there is one.
        """
        return FILL_SHARE * image[:, :1] + self._from_stem(self.stem(image) + self.mirror_stem(guide), window)

    def features(self, image: torch.Tensor) -> list[torch.Tensor]:
        """What every level of the encoder sees in an image, (N, channels, ...) at 1/2, 1/4, ... of its resolution.

        Args:
            image: as for `forward`, but of any sides that are multiples of 16.
        """
        return self._encoded(self.stem(image))


class PopulationUNet(ReconstructionUNet):
    """Rebuilds a hole as `ReconstructionUNet` does, and from what healthy people have there on average.

    The last two channels of its guide are the population's brightness in tissue units and the share of people who have brain
    there (`population.Population.on`), all zero where it is not known.
    """

    guides = 4

    def take(self, weights: dict[str, torch.Tensor]) -> None:
        """Begin with the weights of a `ReconstructionUNet` of the same sizes: the population does not count yet."""
        name = "mirror_stem.weight"
        wider = torch.zeros_like(self.mirror_stem.weight)
        wider[:, : weights[name].shape[1]] = weights[name]
        self.load_state_dict(weights | {name: wider})


class TissueUNet(_UNet):
    """Tells not-brain, fluid, grey and white matter apart in a head of any contrast; see `_UNet` for the arguments."""

    def __init__(self, channels: tuple[int, ...] = (24, 48, 96, 96), blocks: tuple[int, ...] = (1, 1, 1, 2)):
        super().__init__(1, 4, channels, blocks)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Classify.

        Args:
            image: (N, 1, D, H, W), sides multiples of 16, axes nearly R, A, S: intensities as `tissue_input` scales them.
        Returns:
            (N, 4, D, H, W): logits of not brain, fluid, grey, white.
        """
        return self._from_stem(self.stem(image))


class LesionUNet(_UNet):
    """Finds what is no healthy tissue in a head of any contrast; see `_UNet` for the arguments."""

    def __init__(self, channels: tuple[int, ...] = (32, 64, 96, 128), blocks: tuple[int, ...] = (1, 1, 1, 2)):
        super().__init__(1, 1, channels, blocks)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Find lesions.

        Args:
            image: as for `TissueUNet.forward`.
        Returns:
            (N, 1, D, H, W): logits of lesion.
        """
        return self._from_stem(self.stem(image))


class FoldedUNet(_UNet):
    """Segments images of any number of contrasts into any number of classes; see `_UNet` for how, and for the arguments."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """(N, inputs, D, H, W), sides multiples of 2 to the number of levels, to logits (N, outputs, D, H, W)."""
        return self._from_stem(self.stem(image))


def _finest_window(window: Window, shape: tuple[int, ...], reach: int) -> tuple[slice, slice, slice]:
    """What the finest level, of a shape at half the resolution, has to compute for a window; from even to even voxels."""
    ends = ((low // 2 - reach, -(-high // 2) + reach, n) for (low, high), n in zip(window, shape))
    return tuple(slice(max(low // 2 * 2, 0), min(-(-high // 2) * 2, n)) for low, high, n in ends)


def _level(channels: int, blocks: int, normalized: bool) -> nn.Sequential:
    return nn.Sequential(*(ResidualBlock(channels, normalized) for _ in range(blocks)))


def _unfold(x: torch.Tensor) -> torch.Tensor:
    """(N, 8K, D, H, W) to (N, K, 2D, 2H, 2W): every eight channels become the 2x2x2 voxels of one."""
    n, c, d, h, w = x.shape
    return x.view(n, c // 8, 2, 2, 2, d, h, w).permute(0, 1, 5, 2, 6, 3, 7, 4).reshape(n, c // 8, 2 * d, 2 * h, 2 * w)


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
        self.stem = Convolution(inputs, channels[0], 3, padding=1)
        self.encoder = nn.ModuleList(self._level(width, count) for width, count in levels)
        self.bottleneck = self._level(*lowest)
        pairs = list(zip(channels[:-1], channels[1:]))
        self.down = nn.ModuleList(Convolution(a, b, 2, stride=2) for a, b in pairs)
        self.up = nn.ModuleList(nn.ConvTranspose3d(b, a, 2, stride=2) for a, b in pairs)
        self.decoder = nn.ModuleList(DoubleConvolution(2 * width, width) for width, _ in levels)
        self.head = Convolution(channels[0], outputs, 1)

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


MOST_PARAMETERS = 200_000_000
"""Of a network; shipped ones have 1 to 5 million."""
NETWORKS = {
    cls.__name__: cls
    for cls in (ReconstructionUNet, PopulationUNet, TissueUNet, LesionUNet, FoldedUNet, PlainUNet, ResidualUNet)
}
"""By the `class` of a card's architecture."""


def network_of(architecture: dict) -> nn.Module:
    """The network, with fresh weights.

    Args:
        architecture: its `class`, `channels`, `blocks` and, where the class leaves them open, `inputs` and `outputs`.
    Raises:
        InputError: this version knows no such network, or it is larger than any.
    """
    kind = NETWORKS.get(architecture.get("class"))
    if kind is None:
        raise InputError(f"This version has no network '{architecture.get('class')}': install the model and the program anew.")
    ends = [int(architecture[key]) for key in ("inputs", "outputs") if key in architecture]
    sizes = [*ends, tuple(architecture["channels"]), tuple(architecture["blocks"])]
    try:
        with torch.device("meta"):  # no memory is taken, and no random number drawn
            count = sum(parameter.numel() for parameter in kind(*sizes).parameters())
    except (TypeError, ValueError, RuntimeError, IndexError) as error:
        raise InputError(f"There is no {architecture['class']} of these sizes ({error}): install the model again.") from error
    if count > MOST_PARAMETERS:
        raise InputError(
            f"The network has {count / 1e6:.0f} million parameters, and {MOST_PARAMETERS / 1e6:.0f} at most: make it narrower."
        )
    return kind(*sizes)


class DoubleConvolution(nn.Sequential):
    """Twice a 3x3x3 convolution, group normalisation and ReLU."""

    def __init__(self, inputs: int, outputs: int):
        layers = []
        for width in (inputs, outputs):
            layers += [Convolution(width, outputs, 3, padding=1), Normalization(8, outputs), nn.ReLU()]
        super().__init__(*layers)
