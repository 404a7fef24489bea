"""Between images in [0, 1] and the networks' range, about [-1, 1]."""

from __future__ import annotations

from typing import Any

import torch

MARGIN = 0.25  # beyond [-1, 1]; several times the grain that backgrounds have early in a training


class _StraightThroughClamp(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        del ctx
        return x.clamp(0, 1)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> torch.Tensor:
        del ctx
        return gradients[0]


class _InwardClamp(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(x)
        return x.clamp(-1, 1)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> torch.Tensor:
        (x,), (gradient,) = ctx.saved_tensors, gradients
        # descent goes along -gradient
        is_outward = ((x < -1 - MARGIN) & (gradient > 0)) | ((x > 1 + MARGIN) & (gradient < 0))
        return torch.where(is_outward, 0.0, gradient)


def clip(images: torch.Tensor) -> torch.Tensor:
    """Clamp to [-1, 1] for a loss that is descended; gradients pass, beyond `MARGIN` only those that lead back.

    Within the margin a plain background can go where its grain is not seen. Were all gradients passed, as in
    `to_pixels`, pixels would go on outwards where no loss sees them.
    """
    clipped: torch.Tensor = _InwardClamp.apply(images)  # type: ignore[no-untyped-call]
    return clipped


def to_pixels(images: torch.Tensor) -> torch.Tensor:
    """From about [-1, 1] to [0, 1], clamped; gradients pass the clamp, so that a pixel beyond it can come back."""
    pixels: torch.Tensor = _StraightThroughClamp.apply(images / 2 + 0.5)  # type: ignore[no-untyped-call]
    return pixels


def from_pixels(images: torch.Tensor) -> torch.Tensor:
    """From [0, 1] to [-1, 1]."""
    return images * 2 - 1
