"""The networks of the generative adversarial network, shaped as Radford et al. 2015 (DCGAN) advise.

Sizes that the strides do not divide are made larger and cropped; the critic pads them.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING

import attrs
from torch import nn
from torch.nn import functional

if TYPE_CHECKING:
    from torch import Tensor

    from sidelight_cdeepex.generators.networks import Shape


@attrs.frozen
class Pyramid:
    """How often the resolution doubles from about 4x4 to the image's, and what both ends look like.

    Args:
        grid: (h, w) of the smallest features.
        size: (H, W), the grid after all doublings: the image's, or a little more.
        widths: channels of the features from the smallest to the largest, without the image itself.
    """

    grid: tuple[int, int]
    size: tuple[int, int]
    widths: tuple[int, ...]

    @classmethod
    def of(cls, shape: Shape, width: int) -> Pyramid:
        """For images (C, H, W), with `width` channels next to the image and twice as many at each halving."""
        _, *pixels = shape
        doublings = max(1, math.ceil(math.log2(min(pixels) / _SMALLEST)))
        grid = (-(-pixels[0] // 2**doublings), -(-pixels[1] // 2**doublings))
        size = (grid[0] * 2**doublings, grid[1] * 2**doublings)
        return cls(grid, size, tuple(width * 2**place for place in reversed(range(doublings))))


class GeneratorNetwork(nn.Module):
    """Sets of ConvTranspose2d, BatchNorm2d and ReLU from z to the image, five at 64x64 (CDeepEx, section 4.1)."""

    def __init__(self, shape: Shape, latent: int, width: int) -> None:
        super().__init__()
        pyramid = Pyramid.of(shape, width)
        self._shape = shape
        first = nn.ConvTranspose2d(latent, pyramid.widths[0], pyramid.grid, bias=False)
        self.layers = nn.Sequential(
            nn.Unflatten(1, (latent, 1, 1)),
            nn.Sequential(first, nn.BatchNorm2d(pyramid.widths[0]), nn.ReLU()),
            *(_doubled(a, b) for a, b in pairwise(pyramid.widths)),
            nn.ConvTranspose2d(pyramid.widths[-1], shape[0], 4, 2, 1),
            nn.Sigmoid(),
        )

    def forward(self, latents: Tensor) -> Tensor:
        """(N, k) to (N, C, H, W) in [0, 1]."""
        images: Tensor = self.layers(latents)
        return images[:, :, : self._shape[1], : self._shape[2]]


class CriticNetwork(nn.Module):
    """Strided convolutions from the image to one number.

    It has no batch normalisation: the gradient penalty is on the gradient of one image's value by that image.
    """

    def __init__(self, shape: Shape, width: int) -> None:
        super().__init__()
        pyramid = Pyramid.of(shape, width)
        self._missing = (0, pyramid.size[1] - shape[2], 0, pyramid.size[0] - shape[1])
        sizes = (shape[0], *reversed(pyramid.widths))
        self.layers = nn.Sequential(
            *(nn.Sequential(nn.Conv2d(a, b, 4, 2, 1), nn.LeakyReLU(_SLOPE)) for a, b in pairwise(sizes)),
            nn.Conv2d(sizes[-1], 1, pyramid.grid),
            nn.Flatten(0),
        )

    def forward(self, images: Tensor) -> Tensor:
        """(N, C, H, W) to (N,): higher for what looks like training images."""
        values: Tensor = self.layers(functional.pad(images, self._missing))
        return values


def _doubled(inputs: int, outputs: int) -> nn.Sequential:
    convolution = nn.ConvTranspose2d(inputs, outputs, 4, 2, 1, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs), nn.ReLU())


_SMALLEST = 4
"""Pixels along the shorter side of the smallest features."""

_SLOPE = 0.2
