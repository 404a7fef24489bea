"""The network g of equation 2: from a layer's values phi' (N, S) to an image (N, C, H, W)."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING

import torch
from torch import nn

if TYPE_CHECKING:
    from torch import Tensor

    from sidelight_intervention.decoder.initialization import LinearDecoder

Shape = tuple[int, int, int]
SLOPE = 0.1  # of the leaky rectifiers
COARSEST = 4  # pixels along the shorter side of the coarsest grid, or nearly so
MAX_RANK = 64  # components at most of the linear part


class DecoderNetwork(nn.Module):
    """Log-odds of pixels: bias + components that are linear in the layer + a convolutional network.

    The linear part starts at its least-squares solution (see `initialization`). Its components stay; how much of each
    there is is learned on. The network on top has two linear layers to a coarse grid, then doublings of its size, each
    a bilinear interpolation and a 3x3 convolution; it starts near 0. Transposed convolutions leave grain, for their
    neighbouring pixels come from different weights (Odena et al. 2016, "Deconvolution and Checkerboard Artifacts").

    Batch normalisation is left out: a row's gradient would depend on the other rows. Sizes that the doublings do not
    meet are cropped.

    Args:
        inputs: S, the size of the flattened layer.
        shape: (C, H, W) of the images.
        width: channels before the last convolution; earlier ones have two and four times as many.
        dropout: ratio of the hidden units of the linear layers switched off in training.
    """

    mean: Tensor
    scale: Tensor
    components: Tensor

    def __init__(self, inputs: int, shape: Shape, width: int, dropout: float = 0.0) -> None:
        super().__init__()
        self._shape = shape
        doublings = max(1, int(math.log2(min(shape[1:]) / COARSEST)))
        grid = (4 * width, *(-(-side // 2**doublings) for side in shape[1:]))  # rounded up, cropped in `forward`
        self.register_buffer("mean", torch.zeros(inputs))
        self.register_buffer("scale", torch.ones(()))
        self.bias = nn.Parameter(torch.zeros(shape))
        self.directions = nn.Linear(inputs, min(MAX_RANK, inputs), bias=False)
        self.register_buffer("components", torch.zeros(self.rank, *shape))
        channels = [4 * width, *(width * 2 ** min(2, left) for left in range(doublings - 2, -1, -1)), shape[0]]
        self.layers = nn.Sequential(
            nn.Linear(inputs, 8 * width),
            nn.LeakyReLU(SLOPE),
            nn.Dropout(dropout),
            nn.Linear(8 * width, math.prod(grid)),
            nn.Unflatten(1, grid),
            _ChannelsLast(),
            *(module for before, after in pairwise(channels) for module in _doubling(before, after)),
        )
        for module in self.layers:
            if isinstance(module, nn.Linear | nn.Conv2d):
                _initialise_weights(module)
        with torch.no_grad():
            self.layers[-1].weight.mul_(0.1)  # type: ignore[operator]  # so that the network on top starts near 0

    @property
    def rank(self) -> int:
        """r, the number of components."""
        return self.directions.out_features

    def standardise(self, layer: Tensor) -> Tensor:
        """The layer (N, S) as this network takes it, about 0."""
        return (layer - self.mean) / self.scale

    @torch.no_grad()
    def load_linear(self, linear: LinearDecoder) -> None:
        """Take over the linear part."""
        self.directions.weight.copy_(linear.directions)
        self.components.copy_(linear.components)
        at_zero = torch.einsum("r,rchw->chw", linear.directions @ linear.centre, linear.components)
        self.bias.copy_(linear.bias - at_zero)  # the bias there is at `centre`, here at 0

    def forward(self, layer: Tensor) -> Tensor:
        """(N, S) to (N, C, H, W) log-odds of the pixels."""
        values = self.standardise(layer)
        linear = (self.directions(values) @ self.components.flatten(1)).reshape(-1, *self._shape)
        on_top: Tensor = self.layers(values)[:, :, : self._shape[1], : self._shape[2]]
        logits: Tensor = self.bias + linear + on_top
        return logits


class _ChannelsLast(nn.Module):
    """The layout in which a processor takes half the time for the convolutions that follow."""

    def forward(self, images: Tensor) -> Tensor:
        """(N, C, H, W), the same."""
        return images.contiguous(memory_format=torch.channels_last)


def _doubling(before: int, after: int) -> tuple[nn.Module, ...]:
    interpolation = nn.Upsample(scale_factor=2, mode="bilinear")
    return nn.LeakyReLU(SLOPE), interpolation, nn.Conv2d(before, after, 3, padding=1)


def _initialise_weights(module: nn.Linear | nn.Conv2d) -> None:
    """Weights with which leaky rectifiers neither let the signal fade nor grow (He et al. 2015)."""
    inputs = math.prod(module.weight.shape[1:])
    nn.init.normal_(module.weight, std=math.sqrt(2 / (1 + SLOPE**2) / inputs))
    if module.bias is not None:
        nn.init.zeros_(module.bias)
