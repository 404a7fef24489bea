"""The residual discriminator of StyleGAN2 (Karras et al. 2020, figure 7c); with several outputs, an encoder."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import attrs
import torch
from torch import nn
from torch.nn import functional

from sidelight_stylegan2.networks.architecture import FIRST
from sidelight_stylegan2.networks.filtering import kernel
from sidelight_stylegan2.networks.layers import Convolution, Linear
from sidelight_stylegan2.networks.mapping import Mapping

if TYPE_CHECKING:
    from torch import Tensor

    from sidelight_stylegan2.networks.architecture import Architecture

GROUP = 4  # images over which the minibatch deviation is taken (Karras et al. 2018, section 3)
HALVED = math.sqrt(0.5)  # of each of two signals, so that their sum has the variance of one


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions, the second halving the size, beside a 1x1 convolution that halves it too."""

    def __init__(self, inputs: int, outputs: int, taps: Tensor) -> None:
        super().__init__()
        self.conv0 = Convolution(inputs, inputs, 3)
        self.conv1 = Convolution(inputs, outputs, 3, taps, scale=HALVED)
        self.skip = Convolution(inputs, outputs, 1, taps, active=False, scale=HALVED)

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) to (N, outputs, H/2, W/2), of the variance of x."""
        y: Tensor = self.conv1(self.conv0(x)) + self.skip(x)
        return y


def with_deviation(x: Tensor) -> Tensor:
    """Minibatch standard deviation as one more channel (Karras et al. 2018, section 3).

    Images are dealt into groups of `GROUP`, or of the largest smaller number that divides the batch.
    """
    count, channels, height, width = x.shape
    group = next(size for size in range(min(GROUP, count), 0, -1) if count % size == 0)
    # a group is dealt with a stride: images 0, n, 2n, ... for n groups
    grouped = x.reshape(group, count // group, channels, height, width).float()
    variance = (grouped - grouped.mean(0)).square().mean(0)  # (groups, C, H, W)
    deviation = torch.sqrt(variance + 1e-8).mean((1, 2, 3))  # (groups,)
    channel = deviation.repeat(group)[:, None, None, None].expand(-1, 1, height, width)
    return torch.cat([x, channel.to(x.dtype)], 1)


class Discriminator(nn.Module):
    """Residual blocks down to 4x4, a convolution, two fully connected layers.

    Args:
        architecture: the sizes; `widths` from 4x4 upwards, as in the generator.
        outputs: 1 for a discriminator, the length of w for an encoder.
        compare: judge whether images are real, by their class where there are classes; off for an encoder.
        deviation: append the minibatch deviation, where `compare` is on.

    Attributes:
        size: height and width of the images that it takes.
    """

    def __init__(
        self, architecture: Architecture, outputs: int = 1, compare: bool = True, deviation: bool = True
    ) -> None:
        super().__init__()
        self.size, self._shuffle, self._deviates = architecture.size, architecture.shuffle, compare and deviation
        widths, taps = architecture.widths, kernel(architecture.taps)
        self.from_rgb = Convolution(architecture.image_channels * architecture.shuffle**2, widths[-1], 1)
        pairs = zip(reversed(widths[1:]), reversed(widths[:-1]), strict=True)
        self.blocks = nn.Sequential(*(ResidualBlock(inputs, after, taps) for inputs, after in pairs))
        self.conv = Convolution(widths[0] + self._deviates, widths[0], 3)
        self.hidden = Linear(widths[0] * FIRST**2, widths[0], active=True)
        self.conditioned = compare and architecture.classes > 0
        self.out = Linear(widths[0], architecture.w if self.conditioned else outputs)
        self.embedding = Mapping(attrs.evolve(architecture, z=0)) if self.conditioned else None

    def forward(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        """(N, C, H, W), about [-1, 1], and (N,) class indices where it is conditioned, to (N, outputs) float32."""
        x = self.blocks(self.from_rgb(functional.pixel_unshuffle(images, self._shuffle)))
        x = self.conv(with_deviation(x) if self._deviates else x)
        y: Tensor = self.out(self.hidden(x.flatten(1))).float()
        return y if self.embedding is None else self._projected(y, labels)

    def _projected(self, y: Tensor, labels: Tensor | None) -> Tensor:
        """The projection of Miyato and Koyama (2018): the product with an embedding of the class."""
        if labels is None or self.embedding is None:
            raise ValueError("the network is conditioned on classes; give labels")
        classes: Tensor = self.embedding(y[:, :0], labels)  # a mapping network without z, (N, w)
        logits: Tensor = (y * classes).sum(1, keepdim=True) / math.sqrt(y.shape[1])
        return logits
