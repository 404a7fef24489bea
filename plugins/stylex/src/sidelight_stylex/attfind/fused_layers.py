"""A StyleGAN2 network for drawing alone: gains folded into what multiplies anyway, and tensors written in place.

The images are those of `sidelight_stylegan2.networks.synthesis` up to rounding. There, a layer makes half a dozen
tensors of the size of its features, which takes as long as its convolution; here it makes one.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from sidelight_stylegan2.networks.filtering import upsample, upsampling_convolution
from sidelight_stylegan2.networks.layers import GAIN, SLOPE
from sidelight_stylegan2.networks.modulation import EPSILON
from sidelight_stylegan2.networks.synthesis import StyledConvolution
from torch.nn import functional

if TYPE_CHECKING:
    from sidelight_stylegan2.networks.network import Network
    from sidelight_stylegan2.networks.synthesis import ToRgb
    from torch import Tensor


class FoldedConvolution:
    """A modulated 3x3 convolution, noise, bias and leaky ReLU; the ReLU's gain stands in demodulation and bias."""

    def __init__(self, layer: StyledConvolution, clamp: float | None) -> None:
        self._weight, self._taps, self._clamp = layer.weight, layer.taps, clamp
        self._energy = layer.weight.square().sum((2, 3)).T.contiguous()
        noise = layer.noise * layer.strength if layer.strength is not None else layer.weight.new_zeros(1, 1)
        self._bias = ((layer.bias[:, None, None] + noise) * GAIN).contiguous()

    def __call__(self, features: Tensor, style: Tensor, owned: bool) -> Tensor:
        """(1 or B, in, H, W) features and (B, in) styles to (B, out, ...).

        Args:
            features: what the layer before gave.
            style: s of the layer.
            owned: whether the features may be overwritten.
        """
        scale = style[:, :, None, None]
        scaled = features.mul_(scale) if owned else features * scale
        y = self._convolved(scaled)
        gain = torch.rsqrt(style.square() @ self._energy + EPSILON).mul_(GAIN)
        torch.addcmul(self._bias, y, gain[:, :, None, None], out=y)
        functional.leaky_relu_(y, SLOPE)
        return y if self._clamp is None else y.clamp_(-self._clamp, self._clamp)

    def _convolved(self, x: Tensor) -> Tensor:
        if self._taps is None:
            return functional.conv2d(x, self._weight, padding=1)
        return upsampling_convolution(x, self._weight, self._taps)


class FoldedToRgb:
    """A modulated 1x1 convolution to image channels."""

    def __init__(self, layer: ToRgb, clamp: float | None) -> None:
        self._weight = (layer.weight / math.sqrt(layer.weight.shape[1]))[:, :, 0, 0].T.contiguous()
        self._bias, self._clamp, self.taps = layer.bias, clamp, layer.taps

    def joined(self, features: Tensor, style: Tensor, image: Tensor | None) -> Tensor:
        """What it draws, added to the image so far, which is half as large."""
        drawn = self._clamped(self._drawn(features, style))
        return drawn if image is None else upsample(image, self.taps) + drawn

    def change(self, features: Tensor, style: Tensor, channels: Tensor, values: Tensor) -> Tensor:
        """By how much it draws otherwise when one channel's style is set to a value, in each of B ways.

        Args:
            features: (1, in, H, W).
            style: (1, in).
            channels: (B,) int64.
            values: (B,).

        Returns:
            (B, out, H, W).
        """
        amount = (values - style[0, channels])[:, None] * self._weight[channels]
        change = features[0, channels][:, None] * amount[:, :, None, None]
        if self._clamp is None:
            return change
        before = self._drawn(features, style)
        return self._clamped(before + change) - self._clamped(before)

    def _drawn(self, features: Tensor, style: Tensor) -> Tensor:
        count, channels, height, width = features.shape
        places = features.permute(0, 2, 3, 1).reshape(count, height * width, channels)
        weights = (style[:, :, None] * self._weight).expand(count, -1, -1)
        return torch.baddbmm(self._bias, places, weights).reshape(count, height, width, -1).permute(0, 3, 1, 2)

    def _clamped(self, drawn: Tensor) -> Tensor:
        return drawn if self._clamp is None else drawn.clamp(-self._clamp, self._clamp)


Layer = FoldedConvolution | FoldedToRgb


@torch.no_grad()
def folded(network: Network) -> list[Layer]:
    """The layers of the synthesis network, in its order."""
    clamp = network.architecture.clamp
    return [
        FoldedConvolution(layer, clamp) if isinstance(layer, StyledConvolution) else FoldedToRgb(layer, clamp)
        for layer in network.synthesis.stack
    ]


def pixels(image: Tensor, shuffle: int) -> Tensor:
    """Images in about [-1, 1], with squares of pixels as channels, to images in [0, 1]."""
    return functional.pixel_shuffle(image, shuffle).mul(0.5).add_(0.5).clamp_(0, 1)
