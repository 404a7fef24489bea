"""Up- and downsampling by a factor of two with a low-pass filter (Karras et al. 2019, section 4; Zhang 2019).

Borders are filled with zeros. All filters are symmetric, so that correlation and convolution are the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from sidelight_specs import UserError
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Sequence


def kernel(taps: Sequence[float]) -> torch.Tensor:
    """(T, T) weights that sum to 1: the outer product of the taps with themselves.

    Raises:
        UserError: an odd number of taps, which would shift the image by half a pixel, or an asymmetric filter.
    """
    if not taps or len(taps) % 2 or tuple(taps) != tuple(reversed(taps)) or not sum(taps):
        raise UserError(
            f"a filter is symmetric and has an even number of taps, {tuple(taps)} is not", "use (1, 3, 3, 1)"
        )
    line = torch.tensor(taps, dtype=torch.float32)
    line = line / line.sum()  # separable
    return line[:, None] * line[None, :]


def smooth(x: torch.Tensor, weights: torch.Tensor, padding: int) -> torch.Tensor:
    """Filter every channel of (N, C, H, W) with the same (T, T) weights."""
    return functional.conv2d(x, _depthwise(weights, x), padding=padding, groups=x.shape[1])


def upsample(x: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """(N, C, H, W) to (N, C, 2H, 2W): zeros between the pixels, then the filter with a gain of 4."""
    padding = (len(weights) - 2) // 2
    return functional.conv_transpose2d(x, _depthwise(4 * weights, x), stride=2, padding=padding, groups=x.shape[1])


def upsampling_convolution(
    x: torch.Tensor, weight: torch.Tensor, weights: torch.Tensor, groups: int = 1
) -> torch.Tensor:
    """Double the size, convolve with (out, in / groups, 3, 3), then filter (Karras et al. 2020, appendix B).

    A transposed convolution never multiplies the zeros between the pixels, a quarter of the work of filtering first.
    """
    outputs, inputs, *size = weight.shape
    # conv_transpose2d wants (groups * in, out / groups, 3, 3)
    grouped = weight.reshape(groups, outputs // groups, inputs, *size).transpose(1, 2)
    transposed = grouped.reshape(groups * inputs, outputs // groups, *size)
    wide = functional.conv_transpose2d(x, transposed, stride=2, groups=groups)
    return smooth(wide, 4 * weights, (len(weights) - 2) // 2)  # 4: three of four pixels were zeros


def downsampling_convolution(
    x: torch.Tensor, weight: torch.Tensor, weights: torch.Tensor, bias: torch.Tensor | None = None
) -> torch.Tensor:
    """Filter, then convolve with (out, in, K, K), K odd, at every second place: the size is halved."""
    margin = weight.shape[-1] // 2
    padding = (len(weights) - 2) // 2 + margin
    return functional.conv2d(smooth(x, weights, padding), weight, bias, stride=2)


def _depthwise(weights: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    return weights.to(x).expand(x.shape[1], 1, *weights.shape)
