"""A convolutional network from images to numbers, for encoders."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn import functional

from sidelight_stylegan2.networks.layers import SLOPE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor


class ResidualEncoder(nn.Module):
    """Residual blocks with batch normalisation, each halving the size, and a linear layer.

    Args:
        channels: of the images, C.
        size: their height and width.
        widths: channels at full size, at half, ... (after `shuffle`).
        outputs: numbers per image.
        shuffle: side of the squares of pixels that become channels first.
    """

    def __init__(self, channels: int, size: int, widths: Sequence[int], outputs: int, shuffle: int) -> None:
        super().__init__()
        self._shuffle = shuffle
        self.stem = nn.Sequential(nn.Conv2d(channels * shuffle**2, widths[0], 3, padding=1, bias=False),
                                  nn.BatchNorm2d(widths[0]), nn.LeakyReLU(SLOPE))  # fmt: skip
        self.blocks = nn.Sequential(*(HalvingBlock(inputs, after) for inputs, after in pairwise(widths)))
        side = size // shuffle // 2 ** (len(widths) - 1)  # fewer widths leave a larger map to the linear layer
        self.out = nn.Linear(widths[-1] * side**2, outputs)

    def forward(self, images: Tensor) -> Tensor:
        """(N, C, H, W), about [-1, 1], to (N, outputs) float32."""
        x = self.blocks(self.stem(functional.pixel_unshuffle(images, self._shuffle)))  # (N, widths[-1], side, side)
        with torch.autocast(x.device.type, enabled=False):
            return self.out(x.float().flatten(1))  # type: ignore[no-any-return]


class HalvingBlock(nn.Module):
    """Two 3x3 convolutions, the first with stride 2, beside a 1x1 convolution of the averaged input."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv0 = nn.Conv2d(inputs, outputs, 3, stride=2, padding=1, bias=False)
        self.norm0 = nn.BatchNorm2d(outputs)
        self.conv1 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(outputs)
        self.skip = nn.Conv2d(inputs, outputs, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) to (N, outputs, H/2, W/2)."""
        y = functional.leaky_relu(self.norm0(self.conv0(x)), SLOPE)  # (N, outputs, H/2, W/2)
        y = self.norm1(self.conv1(y)) + self.skip(functional.avg_pool2d(x, 2))
        return functional.leaky_relu(y, SLOPE)
