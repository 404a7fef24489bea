"""The network g of equation 2: from a layer's values to an image."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING

import torch
from torch import nn

if TYPE_CHECKING:
    from torch import Tensor

    from sidelight_intervention.decoder.initialization import Beginning

Shape = tuple[int, int, int]
_SLOPE = 0.1
_COARSEST = 4
_RANK = 64
"""Pictures at most that are linear in the layer."""


class PictureNetwork(nn.Module):
    """A mean image, pictures that are linear in the layer, and a network on top; gives pixels' log-odds.

    The linear part begins where least squares has it (see `beginning`). Its pictures stay; how much of each there is
    is learned on. The network on top has two linear layers to a coarse grid, then doublings of its size, each a
    bilinear interpolation and a 3x3 convolution; it begins near 0. Transposed convolutions leave grain, for their
    neighbouring pixels come from different weights (Odena et al. 2016, "Deconvolution and Checkerboard Artifacts").

    Batch normalisation is left out: a row's slope would depend on the other rows. Sizes that the doublings do not
    meet are cropped.

    Args:
        inputs: S, the size of the flattened layer.
        shape: (C, H, W) of the images.
        width: channels before the last convolution; earlier ones have two and four times as many.
        dropout: share of the hidden units of the linear layers switched off in training.
    """

    mean: Tensor
    scale: Tensor
    pictures: Tensor

    def __init__(self, inputs: int, shape: Shape, width: int, dropout: float = 0.0) -> None:
        super().__init__()
        self._shape = shape
        doublings = max(1, int(math.log2(min(shape[1:]) / _COARSEST)))
        grid = (4 * width, *(-(-side // 2**doublings) for side in shape[1:]))
        self.register_buffer("mean", torch.zeros(inputs))
        self.register_buffer("scale", torch.ones(()))
        self.usual = nn.Parameter(torch.zeros(shape))
        self.directions = nn.Linear(inputs, min(_RANK, inputs), bias=False)
        self.register_buffer("pictures", torch.zeros(self.rank, *shape))
        channels = [4 * width, *(width * 2 ** min(2, left) for left in range(doublings - 2, -1, -1)), shape[0]]
        self.layers = nn.Sequential(
            nn.Linear(inputs, 8 * width),
            nn.LeakyReLU(_SLOPE),
            nn.Dropout(dropout),
            nn.Linear(8 * width, math.prod(grid)),
            nn.Unflatten(1, grid),
            _ChannelsLast(),
            *(part for before, after in pairwise(channels) for part in _doubling(before, after)),
        )
        for part in self.layers:
            if isinstance(part, nn.Linear | nn.Conv2d):
                _keep_variance(part)
        with torch.no_grad():
            self.layers[-1].weight.mul_(0.1)  # type: ignore[operator]

    @property
    def rank(self) -> int:
        """How many pictures are linear in the layer."""
        return self.directions.out_features

    def standardised(self, layer: Tensor) -> Tensor:
        """The layer (N, S) as this network takes it, about 0."""
        return (layer - self.mean) / self.scale

    @torch.no_grad()
    def begin(self, beginning: Beginning) -> None:
        """Take over the linear part."""
        self.directions.weight.copy_(beginning.directions)
        self.pictures.copy_(beginning.pictures)
        at_zero = torch.einsum("r,rchw->chw", beginning.directions @ beginning.centre, beginning.pictures)
        self.usual.copy_(beginning.usual - at_zero)

    def forward(self, layer: Tensor) -> Tensor:
        """(N, S) to (N, C, H, W) log-odds of the pixels."""
        values = self.standardised(layer)
        linear = (self.directions(values) @ self.pictures.flatten(1)).reshape(-1, *self._shape)
        on_top: Tensor = self.layers(values)[:, :, : self._shape[1], : self._shape[2]]
        logits: Tensor = self.usual + linear + on_top
        return logits


class _ChannelsLast(nn.Module):
    """The layout in which a processor takes half the time for what follows."""

    def forward(self, images: Tensor) -> Tensor:
        """(N, C, H, W), the same."""
        return images.contiguous(memory_format=torch.channels_last)


def _doubling(before: int, after: int) -> tuple[nn.Module, ...]:
    interpolation = nn.Upsample(scale_factor=2, mode="bilinear")
    return nn.LeakyReLU(_SLOPE), interpolation, nn.Conv2d(before, after, 3, padding=1)


def _keep_variance(part: nn.Linear | nn.Conv2d) -> None:
    """Weights with which leaky rectifiers neither let the signal fade nor grow (He et al. 2015)."""
    inputs = math.prod(part.weight.shape[1:])
    nn.init.normal_(part.weight, std=math.sqrt(2 / (1 + _SLOPE**2) / inputs))
    if part.bias is not None:
        nn.init.zeros_(part.bias)
