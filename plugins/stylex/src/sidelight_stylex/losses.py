"""Reconstruction and classifier losses of StylEx (Lang et al. 2021, equations 1 and 2).

    L = L_adv + L_reg + L_rec + L_cls,   L_rec = L_rec^x + L_LPIPS + L_rec^w        (equations 1 and 2)

x image, x' reconstruction, w = [E(x), c(x)]. L_adv and the R1 part of L_reg are `sidelight_stylegan2.training.losses`,
L_LPIPS is `sidelight_toolkit.perceptual`. `square_loss` and `edge_loss` are additions of this plugin to L_rec^x.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch.nn import functional

if TYPE_CHECKING:
    from torch import Tensor

SIZES = 3
"""Full size, half and a quarter: the smaller ones place what full size alone would blur."""


def pixel_loss(made: Tensor, images: Tensor) -> Tensor:
    """L_rec^x = |x' - x|_1, a mean over pixels and over three sizes of (N, C, H, W) in about [-1, 1]."""
    difference, total = made - images, made.new_zeros(())
    # pooling is linear: the difference is pooled, not both images
    for size in range(SIZES):
        total = total + functional.avg_pool2d(difference, 2**size).abs().mean()
    return total / SIZES


def square_loss(made: Tensor, images: Tensor) -> Tensor:
    """Mean squared difference: small, strong details such as brows and teeth, which |x' - x|_1 gives up."""
    return (made - images).square().mean()


def edge_loss(made: Tensor, images: Tensor) -> Tensor:
    """Mean absolute difference of the images' horizontal and vertical gradients: keeps outlines sharp."""
    difference = made - images
    # finite differences, down and across
    return difference.diff(dim=2).abs().mean() + difference.diff(dim=3).abs().mean()


def divergence(of: Tensor, from_: Tensor) -> Tensor:
    """KL(softmax(of) || softmax(from_)) of (N, K) logits, in nats, averaged over images.

    The paper's L_cls is KL[C(x') || C(x)].
    """
    log_p, log_q = of.log_softmax(1), from_.log_softmax(1)
    return (log_p.exp() * (log_p - log_q)).sum(1).mean()  # sum_k p_k log(p_k / q_k)


def w_loss(encoded: Tensor, w: Tensor) -> Tensor:
    """L_rec^w = |E(x') - E(x)|_1 as a mean, of (N, d) with the condition beside them."""
    return (encoded - w).abs().mean()
