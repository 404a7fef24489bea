"""Layers with an equalised learning rate (Karras et al. 2018, section 4.1) and leaky ReLU."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn import functional

from sidelight_stylegan2.networks.filtering import downsampling_convolution

if TYPE_CHECKING:
    from torch import Tensor

SLOPE = 0.2  # of the leaky ReLU
GAIN = math.sqrt(2)  # keeps the variance through a leaky ReLU


def activate(x: Tensor) -> Tensor:
    """Leaky ReLU, scaled so that the variance stays."""
    return functional.leaky_relu(x, SLOPE) * GAIN


def normalise(x: Tensor) -> Tensor:
    """Divide each row of (N, D) by its root mean square (pixel norm, Karras et al. 2018)."""
    return x * torch.rsqrt(x.square().mean(1, keepdim=True) + 1e-8)


class Linear(nn.Module):
    """A fully connected layer whose weights are drawn from N(0, 1) and scaled when they are used.

    Args:
        inputs: length of the input.
        outputs: length of the output.
        bias: initial bias.
        rate: relative learning rate; the stored weights and biases are larger by its inverse.
        active: a leaky ReLU follows.
    """

    def __init__(self, inputs: int, outputs: int, bias: float = 0.0, rate: float = 1.0, active: bool = False) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs) / rate)
        self.bias = nn.Parameter(torch.full((outputs,), bias / rate))
        self._rate, self._active = rate, active

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs) to (N, outputs), in float32 also where convolutions are not."""
        with torch.autocast(x.device.type, enabled=False):
            # equalised: N(0, 1) weights scaled by He's constant at run time
            weight = self.weight * (self._rate / math.sqrt(self.weight.shape[1]))
            y = functional.linear(x.float(), weight, self.bias * self._rate)
        return activate(y) if self._active else y


class Convolution(nn.Module):
    """A convolution with odd kernel, equalised like `Linear`, optionally halving the size after a low-pass filter.

    Args:
        inputs: channels of the input.
        outputs: channels of the output.
        size: of the kernel, odd.
        taps: (T, T) low-pass filter where the size is halved; None where it stays.
        active: a bias and leaky ReLU follow.
        scale: factor of the result, folded into the weights.
    """

    taps: Tensor | None

    def __init__(
        self, inputs: int, outputs: int, size: int, taps: Tensor | None = None, active: bool = True, scale: float = 1.0
    ) -> None:
        super().__init__()
        self._gain = scale * (GAIN if active else 1.0)
        self.weight = nn.Parameter(torch.randn(outputs, inputs, size, size))
        self.bias = nn.Parameter(torch.zeros(outputs)) if active else None
        self.register_buffer("taps", taps, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) to (N, outputs, H, W), or to half of H and W."""
        # gains go into weights and bias, which are small: a pass over the features costs as much as the convolution
        weight = self.weight * (self._gain / math.sqrt(self.weight[0].numel()))
        bias = None if self.bias is None else self.bias * self._gain
        if self.taps is None:
            y = functional.conv2d(x, weight, bias, padding=weight.shape[-1] // 2)
        else:
            y = downsampling_convolution(x, weight, self.taps, bias)
        return y if bias is None else functional.leaky_relu(y, SLOPE)
