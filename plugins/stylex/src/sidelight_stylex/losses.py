"""The terms of the training loss (StylEx, equation 1) that StyleGAN2 does not have."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch.nn import functional

if TYPE_CHECKING:
    from torch import Tensor

SIZES = 3
"""Images are compared at full size, at half and at a quarter."""


def pixel_loss(made: Tensor, images: Tensor) -> Tensor:
    """|x' - x|_1 as a mean over pixels, averaged over three sizes of (N, C, H, W) in about [-1, 1].

    The smaller sizes place what full size alone would blur.
    """
    difference, total = made - images, made.new_zeros(())
    for size in range(SIZES):
        total = total + functional.avg_pool2d(difference, 2**size).abs().mean()
    return total / SIZES


def square_loss(made: Tensor, images: Tensor) -> Tensor:
    """The mean squared difference: small, strong details such as brows and teeth, which |x' - x|_1 gives up."""
    return (made - images).square().mean()


def edge_loss(made: Tensor, images: Tensor) -> Tensor:
    """The mean absolute difference of the images' horizontal and vertical gradients: keeps outlines sharp."""
    difference = made - images
    return difference.diff(dim=2).abs().mean() + difference.diff(dim=3).abs().mean()


def divergence(of: Tensor, from_: Tensor) -> Tensor:
    """KL(softmax(of) || softmax(from_)) of (N, K) logits, in nats, averaged over images.

    The paper's classifier loss is KL[C(x') || C(x)].
    """
    log_p, log_q = of.log_softmax(1), from_.log_softmax(1)
    return (log_p.exp() * (log_p - log_q)).sum(1).mean()


def w_loss(found: Tensor, w: Tensor) -> Tensor:
    """|E(x') - E(x)|_1 as a mean, of (N, d) with the condition beside them."""
    return (found - w).abs().mean()
