"""Networks of the autoencoders and of the GAN, for images of any size and number of channels.

The autoencoders follow CDeepEx, section 4.1; the GAN follows Radford et al. 2015, "DCGAN". Sizes that the strides do
not divide are padded on the way in and cropped on the way out.
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

Shape = tuple[int, int, int]
SLOPE = 0.1  # of the leaky rectifiers of the autoencoders
CRITIC_SLOPE = 0.2  # of those of the critic, as DCGAN advises
COARSEST = 4  # pixels along the shorter side of the smallest features of the GAN


class Features(nn.Module):
    """Four convolutions that halve the resolution, flattened; `length` numbers for each image."""

    def __init__(self, shape: Shape, width: int) -> None:
        super().__init__()
        channels, *pixels = shape
        sizes = (channels, width, 2 * width, 4 * width, 4 * width)
        self._size = (_round_up(pixels[0], 16), _round_up(pixels[1], 16))
        self.layers = nn.Sequential(*(_down(a, b) for a, b in pairwise(sizes)), nn.Flatten())
        self.length = sizes[-1] * (self._size[0] // 16) * (self._size[1] // 16)  # channels x h x w after four halvings

    def forward(self, images: Tensor) -> Tensor:
        """(N, C, H, W) to (N, length)."""
        bottom, right = self._size[0] - images.shape[2], self._size[1] - images.shape[3]
        features: Tensor = self.layers(functional.pad(images, (0, right, 0, bottom)))
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
        grid = (4 * width, _round_up(pixels[0], 8) // 8, _round_up(pixels[1], 8) // 8)
        self.layers = nn.Sequential(
            nn.Linear(latent, math.prod(grid)),
            nn.Unflatten(1, grid),
            nn.BatchNorm2d(grid[0]),
            nn.LeakyReLU(SLOPE),
            _up(4 * width, 2 * width),
            _up(2 * width, width),
            nn.ConvTranspose2d(width, channels, 4, 2, 1),
            nn.Sigmoid(),
        )

    def forward(self, latents: Tensor) -> Tensor:
        """(N, k) to (N, C, H, W) in [0, 1]."""
        images: Tensor = self.layers(latents)
        return images[:, :, : self._shape[1], : self._shape[2]]  # crop what the strides added


@attrs.frozen
class Pyramid:
    """Resolutions from about 4x4 to the image's, doubling, and channels at each; GAN networks follow it both ways.

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
        doublings = max(1, math.ceil(math.log2(min(pixels) / COARSEST)))  # 4 at 64x64
        grid = (-(-pixels[0] // 2**doublings), -(-pixels[1] // 2**doublings))
        size = (grid[0] * 2**doublings, grid[1] * 2**doublings)
        return cls(grid, size, tuple(width * 2**level for level in reversed(range(doublings))))


class GeneratorNetwork(nn.Module):
    """Sets of ConvTranspose2d, BatchNorm2d and ReLU from z to the image, five at 64x64 (CDeepEx, section 4.1)."""

    def __init__(self, shape: Shape, latent: int, width: int) -> None:
        super().__init__()
        pyramid = Pyramid.of(shape, width)
        self._shape = shape
        first = nn.ConvTranspose2d(latent, pyramid.widths[0], pyramid.grid, bias=False)
        self.layers = nn.Sequential(
            nn.Unflatten(1, (latent, 1, 1)),  # z as an image of one pixel
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
        self._padding = (0, pyramid.size[1] - shape[2], 0, pyramid.size[0] - shape[1])
        sizes = (shape[0], *reversed(pyramid.widths))
        self.layers = nn.Sequential(
            *(nn.Sequential(nn.Conv2d(a, b, 4, 2, 1), nn.LeakyReLU(CRITIC_SLOPE)) for a, b in pairwise(sizes)),
            nn.Conv2d(sizes[-1], 1, pyramid.grid),  # the whole grid at once: (N, 1, 1, 1)
            nn.Flatten(0),
        )

    def forward(self, images: Tensor) -> Tensor:
        """(N, C, H, W) to (N,): higher for images like the training images."""
        values: Tensor = self.layers(functional.pad(images, self._padding))
        return values


def _down(inputs: int, outputs: int) -> nn.Sequential:
    convolution = nn.Conv2d(inputs, outputs, 4, 2, 1, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs), nn.LeakyReLU(SLOPE))


def _up(inputs: int, outputs: int) -> nn.Sequential:
    convolution = nn.ConvTranspose2d(inputs, outputs, 4, 2, 1, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs), nn.LeakyReLU(SLOPE))


def _round_up(size: int, multiple: int) -> int:
    return -(-size // multiple) * multiple


def _doubled(inputs: int, outputs: int) -> nn.Sequential:
    convolution = nn.ConvTranspose2d(inputs, outputs, 4, 2, 1, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs), nn.ReLU())
