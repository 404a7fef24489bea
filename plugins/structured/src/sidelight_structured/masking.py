"""Masks over images: upsampling, blending with a baseline, and how much a mask varies.

A mask is 1 where the image is kept and 0 where the baseline shows: Phi(I, M) = I M + I0 (1 - M) (section 3.2, eq. 2).
"""

from __future__ import annotations

import torch
from sidelight_toolkit.images import upsample_cells


def upsample(masks: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """Masks (N, 1, h, w) at the size of the image (H, W), the borders of cells soft."""
    return upsample_cells(masks, size)


def blend(images: torch.Tensor, baselines: torch.Tensor, kept: torch.Tensor) -> torch.Tensor:
    """Phi(I, M): the image where `kept` (N, 1, H, W) is 1, the baseline where it is 0."""
    return baselines + kept * (images - baselines)


def levels(images: torch.Tensor) -> torch.Tensor:
    """Images in [0, 1] as the levels 0 to 255 of an 8-bit picture, float64 on the CPU: not every device has it."""
    return (images * 255).round().cpu().double()


def eight_bit(images: torch.Tensor) -> torch.Tensor:
    """Images in [0, 1] rounded to 8 bits a channel."""
    return (images * 255).round() / 255


def similarity(images: torch.Tensor, sigma: float) -> tuple[torch.Tensor, torch.Tensor]:
    """exp(-|dI|^2 / sigma^2) between vertical and horizontal neighbours: 1 inside an even region, 0 across an edge.

    Args:
        images: (N, C, H, W) in [0, 1].
        sigma: the difference of colour that counts as an edge, in the images' unit.

    Returns:
        (N, 1, H-1, W) and (N, 1, H, W-1).
    """
    vertical = (images[..., 1:, :] - images[..., :-1, :]).square().mean(1, keepdim=True)
    horizontal = (images[..., :, 1:] - images[..., :, :-1]).square().mean(1, keepdim=True)
    return torch.exp(-vertical / sigma**2), torch.exp(-horizontal / sigma**2)


def total_variation(
    masks: torch.Tensor, weights: tuple[torch.Tensor, torch.Tensor] | None = None, exponent: float = 2.0
) -> torch.Tensor:
    """Total variation of each mask, and with weights from `similarity` the bilateral one (section 3.3, trick 3).

    The same weight law holds for both directions. Means over neighbours, so that sizes compare.

    Returns:
        (N,) sum of the two directions' means of weight * |dM|^exponent.
    """
    vertical = (masks[..., 1:, :] - masks[..., :-1, :]).abs().pow(exponent)
    horizontal = (masks[..., :, 1:] - masks[..., :, :-1]).abs().pow(exponent)
    if weights is not None:
        vertical, horizontal = vertical * weights[0], horizontal * weights[1]
    return vertical.mean((1, 2, 3)) + horizontal.mean((1, 2, 3))
