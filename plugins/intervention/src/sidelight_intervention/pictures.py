"""The network g of equation 2: from a layer's values to an image."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import nn

if TYPE_CHECKING:
    from torch import Tensor

Shape = tuple[int, int, int]
_SLOPE = 0.1
_DOUBLINGS = 3


class PictureNetwork(nn.Module):
    """Two linear layers, then three transposed convolutions that double the size; gives pixels' log-odds.

    Batch normalisation is left out: a row's slope would depend on the other rows. Sizes that 8 does not divide are
    cropped.

    Args:
        inputs: S, the size of the flattened layer.
        shape: (C, H, W) of the images.
        width: channels before the last layer; earlier ones have two and four times as many.
        dropout: share of the hidden units of the linear layers switched off in training.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, inputs: int, shape: Shape, width: int, dropout: float = 0.0) -> None:
        super().__init__()
        self._shape = shape
        grid = (4 * width, *(-(-side // 2**_DOUBLINGS) for side in shape[1:]))
        hidden = 8 * width
        self.register_buffer("mean", torch.zeros(inputs))
        self.register_buffer("scale", torch.ones(()))
        self.layers = nn.Sequential(
            nn.Linear(inputs, hidden),
            nn.LeakyReLU(_SLOPE),
            nn.Dropout(dropout),
            nn.Linear(hidden, math.prod(grid)),
            nn.Unflatten(1, grid),
            nn.LeakyReLU(_SLOPE),
            nn.ConvTranspose2d(4 * width, 2 * width, 4, 2, 1),
            nn.LeakyReLU(_SLOPE),
            nn.ConvTranspose2d(2 * width, width, 4, 2, 1),
            nn.LeakyReLU(_SLOPE),
            nn.ConvTranspose2d(width, shape[0], 4, 2, 1),
        )
        for part in self.layers:
            if isinstance(part, nn.Linear | nn.ConvTranspose2d):
                _keep_variance(part)

    def forward(self, layer: Tensor) -> Tensor:
        """(N, S) to (N, C, H, W) log-odds of the pixels."""
        images: Tensor = self.layers((layer - self.mean) / self.scale)
        return images[:, :, : self._shape[1], : self._shape[2]]


def _keep_variance(part: nn.Linear | nn.ConvTranspose2d) -> None:
    """Weights with which leaky rectifiers neither let the signal fade nor grow (He et al. 2015)."""
    # A transposed convolution of stride 2 and side 4 adds up 4 of its 16 places at every pixel.
    inputs = part.weight.shape[1] if isinstance(part, nn.Linear) else part.weight.shape[0] * 4
    nn.init.normal_(part.weight, std=math.sqrt(2 / (1 + _SLOPE**2) / inputs))
    if part.bias is not None:
        nn.init.zeros_(part.bias)
