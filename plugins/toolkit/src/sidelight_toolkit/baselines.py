"""Baselines: images that replace hidden or faded pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import torch

from sidelight_toolkit.images import gaussian_blur

if TYPE_CHECKING:
    from collections.abc import Callable

Baseline = Literal["black", "grey", "white", "mean", "blur"]


def baseline(images: torch.Tensor, kind: Baseline) -> torch.Tensor:
    """The image that replaces hidden pixels, one for each of `images`.

    Args:
        images: (N, C, H, W) in [0, 1].
        kind: `"black"` 0, `"grey"` 0.5, `"white"` 1, `"mean"` each image's own mean colour, `"blur"` each image
            blurred as `blur_of` says.

    Returns:
        (N, C, H, W) in [0, 1].
    """
    return _MAKERS[kind](images)


def blur_of(height: int, width: int) -> tuple[int, float]:
    """Kernel width (odd) and sigma, in pixels, of the Gaussian that removes what is in an image.

    I-GOS takes 51 and 50 at 224 pixels (Qi et al. 2020); other sizes scale with the shorter side.
    """
    scale = min(height, width) / 224
    return 2 * round((51 * scale - 1) / 2) + 1, 50 * scale


def _blurred(images: torch.Tensor) -> torch.Tensor:
    size, sigma = blur_of(*images.shape[-2:])
    return gaussian_blur(images, max(3, size), sigma)


_MAKERS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "black": torch.zeros_like,
    "grey": lambda images: torch.full_like(images, 0.5),
    "white": torch.ones_like,
    "mean": lambda images: images.mean(dim=(-2, -1), keepdim=True).expand_as(images),
    "blur": _blurred,
}
