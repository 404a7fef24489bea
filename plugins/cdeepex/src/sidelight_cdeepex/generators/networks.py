"""The networks of the autoencoders, for images of any size and number of channels.

Sizes that the strides do not divide are padded on the way in and cropped on the way out.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn import functional

if TYPE_CHECKING:
    from torch import Tensor

Shape = tuple[int, int, int]


class Features(nn.Module):
    """Four convolutions that halve the resolution, flattened; `length` numbers for each image."""

    def __init__(self, shape: Shape, width: int) -> None:
        super().__init__()
        channels, *pixels = shape
        sizes = (channels, width, 2 * width, 4 * width, 4 * width)
        self._size = (_up_to(pixels[0], 16), _up_to(pixels[1], 16))
        self.layers = nn.Sequential(*(_down(a, b) for a, b in pairwise(sizes)), nn.Flatten())
        self.length = sizes[-1] * (self._size[0] // 16) * (self._size[1] // 16)

    def forward(self, images: Tensor) -> Tensor:
        """(N, C, H, W) to (N, length)."""
        missing = (self._size[0] - images.shape[2], self._size[1] - images.shape[3])
        features: Tensor = self.layers(functional.pad(images, (0, missing[1], 0, missing[0])))
        return features


class EncoderNetwork(nn.Module):
    """Four convolutions and two fully connected layers, one for mu and one for log sigma^2 (CDeepEx, section 4.1)."""

    def __init__(self, shape: Shape, latent: int, width: int) -> None:
        super().__init__()
        self.features = Features(shape, width)
        self.mean = nn.Linear(self.features.length, latent)
        self.log_variance = nn.Linear(self.features.length, latent)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """(N, C, H, W) to mu and log sigma^2, both (N, k)."""
        features = self.features(images)
        return self.mean(features), self.log_variance(features)


class CodeNetwork(nn.Sequential):
    """Four convolutions and one fully connected layer: (N, C, H, W) to (N, k).

    The last normalisation gives every number of the code mean 0 and variance 1 over the training images, so that
    standard normal latents are about where the codes are, and distances mean the same as between those of a VAE.
    """

    def __init__(self, shape: Shape, latent: int, width: int) -> None:
        features = Features(shape, width)
        code = nn.Linear(features.length, latent, bias=False)
        super().__init__(features, code, nn.BatchNorm1d(latent, affine=False))


class DecoderNetwork(nn.Module):
    """A fully connected layer and three transposed convolutions.

    A 4x4 kernel with stride 2 meets every output pixel the same number of times (no checkerboard) and costs less
    than half of upsampling followed by a 3x3 convolution: a search through the latents spends its time here.
    """

    def __init__(self, shape: Shape, latent: int, width: int) -> None:
        super().__init__()
        self._shape = shape
        channels, *pixels = shape
        grid = (4 * width, _up_to(pixels[0], 8) // 8, _up_to(pixels[1], 8) // 8)
        self.layers = nn.Sequential(
            nn.Linear(latent, math.prod(grid)),
            nn.Unflatten(1, grid),
            nn.BatchNorm2d(grid[0]),
            nn.LeakyReLU(_SLOPE),
            _up(4 * width, 2 * width),
            _up(2 * width, width),
            nn.ConvTranspose2d(width, channels, 4, 2, 1),
            nn.Sigmoid(),
        )

    def forward(self, latents: Tensor) -> Tensor:
        """(N, k) to (N, C, H, W) in [0, 1]."""
        images: Tensor = self.layers(latents)
        return images[:, :, : self._shape[1], : self._shape[2]]


def reparameterise(mean: Tensor, log_variance: Tensor, noise: Tensor) -> Tensor:
    """z ~ N(mu, sigma^2) from standard normal noise."""
    return mean + noise * torch.exp(log_variance / 2)


def divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """(N,): KL(N(mu, sigma^2) || N(0, 1)), in nats."""
    return 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(1)


def _down(inputs: int, outputs: int) -> nn.Sequential:
    convolution = nn.Conv2d(inputs, outputs, 4, 2, 1, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs), nn.LeakyReLU(_SLOPE))


def _up(inputs: int, outputs: int) -> nn.Sequential:
    convolution = nn.ConvTranspose2d(inputs, outputs, 4, 2, 1, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs), nn.LeakyReLU(_SLOPE))


def _up_to(size: int, multiple: int) -> int:
    return -(-size // multiple) * multiple


_SLOPE = 0.1
