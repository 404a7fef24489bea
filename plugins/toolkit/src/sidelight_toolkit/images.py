"""Resizing and blurring of image batches, (N, C, H, W) float tensors."""

from __future__ import annotations

from typing import Literal, TypeAlias

import torch
from torch.nn import functional

Interpolation: TypeAlias = Literal["bilinear", "bicubic", "nearest"]


def resize(images: torch.Tensor, size: tuple[int, int], interpolation: Interpolation = "bilinear") -> torch.Tensor:
    """Images (N, C, H, W) at `size`, antialiased when shrinking; the images themselves where they have it already.

    Bicubic weights are negative in places, so that its result is clamped to [0, 1], as Pillow clamps to 0 and 255.
    """
    if tuple(images.shape[-2:]) == tuple(size):
        return images
    if interpolation == "nearest":
        return functional.interpolate(images, size=size, mode="nearest-exact")
    resized = functional.interpolate(images, size=size, mode=interpolation, align_corners=False, antialias=True)
    return resized.clamp(0, 1) if interpolation == "bicubic" else resized


def shrunk(images: torch.Tensor, side: int) -> torch.Tensor:
    """Images (N, C, H, W) in their proportions, at most `side` pixels high and wide; small ones themselves."""
    height, width = images.shape[-2:]
    scale = min(1.0, side / max(height, width))
    return resize(images, (max(1, round(height * scale)), max(1, round(width * scale))))


def upsample_cells(values: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """Cells at the size of the image, bilinear with aligned corners, so that the borders of cells are soft.

    Args:
        values: (N, 1, h, w), one value for each cell.
        size: (H, W).
    """
    if tuple(values.shape[-2:]) == tuple(size):
        return values
    return functional.interpolate(values, size=size, mode="bilinear", align_corners=True)


def gaussian_kernel(size: int, sigma: float) -> torch.Tensor:
    """(size,) weights that sum to 1."""
    offsets = torch.arange(size, dtype=torch.float32) - (size - 1) / 2
    weights = torch.exp(-(offsets**2) / (2 * sigma**2))
    return weights / weights.sum()


def gaussian_blur(images: torch.Tensor, size: int, sigma: float) -> torch.Tensor:
    """Separable Gaussian blur with an odd kernel, borders reflected (replicated where the image is too small).

    Args:
        images: (N, C, H, W).
        size: kernel width, odd, in pixels.
        sigma: standard deviation, in pixels.
    """
    if size % 2 != 1:
        raise ValueError(f"the kernel's size must be odd, got {size}")
    channels, half = images.shape[1], size // 2
    weights = gaussian_kernel(size, sigma).to(images).expand(channels, 1, 1, size)
    mode = "reflect" if half < min(images.shape[-2:]) else "replicate"
    padded = functional.pad(images, (half, half, half, half), mode=mode)
    # a Gaussian is the product of two in one axis each: 2 k products a pixel instead of k^2
    rows = functional.conv2d(padded, weights, groups=channels)
    return functional.conv2d(rows, weights.transpose(2, 3), groups=channels)
