"""Modulated convolution (Karras et al. 2020, section 2.2, equations 1 to 3), in two forms that are equal.

Symbols: w weights, (out, in, K, K), K odd; s style, one number for each image and input channel; x features.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn import functional

from sidelight_stylegan2.networks.filtering import upsampling_convolution

if TYPE_CHECKING:
    from torch import Tensor

EPSILON = 1e-8  # of equation 3


def modulate_features(x: Tensor, weight: Tensor, style: Tensor, demodulate: bool, taps: Tensor | None = None) -> Tensor:
    """Scale the input's channels by the style, convolve once for all images, scale the output's channels.

    The same as scaling the weights for each image, because convolution is linear; on a CPU it is faster.

    Args:
        x: (N, in, H, W).
        weight: w.
        style: s, (N, in).
        demodulate: bring the output's channels back to unit variance (equation 3).
        taps: (T, T) low-pass filter where the size is doubled; None where it stays.

    Returns:
        (N, out, H, W), or twice H and W.
    """
    scaled = x * style[:, :, None, None].to(x.dtype)  # eq. 1, on x in place of w
    y = _convolve(scaled, weight, taps)
    if not demodulate:
        return y
    with torch.autocast(x.device.type, enabled=False):
        energy = style.square() @ weight.square().sum((2, 3)).T  # sum over in and K of (s w)^2, (N, out)
    return y * torch.rsqrt(energy + EPSILON)[:, :, None, None].to(y.dtype)  # eq. 3


def modulate_weights(x: Tensor, weight: Tensor, style: Tensor, demodulate: bool, taps: Tensor | None = None) -> Tensor:
    """The paper's form: each image has weights of its own, and a grouped convolution applies them.

    Arguments and result are those of `modulate_features`.
    """
    count, inputs, height, width = x.shape
    own = weight * style[:, None, :, None, None]  # w' = s w (eq. 1), (N, out, in, K, K)
    if demodulate:
        own = own * torch.rsqrt(own.square().sum((2, 3, 4), keepdim=True) + EPSILON)  # eq. 3
    joined = x.reshape(1, count * inputs, height, width)  # images become groups of channels
    y = _convolve(joined, own.flatten(0, 1), taps, groups=count)
    return y.reshape(count, weight.shape[0], *y.shape[2:])


def _convolve(x: Tensor, weight: Tensor, taps: Tensor | None, groups: int = 1) -> Tensor:
    if taps is not None:
        return upsampling_convolution(x, weight, taps, groups)
    return functional.conv2d(x, weight, padding=weight.shape[-1] // 2, groups=groups)


FORMS = {"features": modulate_features, "weights": modulate_weights}
