"""Losses of StyleGAN2 (Karras et al. 2020, sections 2.3 and 3, appendix B).

Symbols: D discriminator, whose logits these functions take; G generator; J = dG/dw; y a random direction among images;
a the running mean of the path lengths.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch.nn import functional

if TYPE_CHECKING:
    from torch import Tensor

MODE_SEEKING_EPSILON = 1e-5  # of the authors' code; bounds the loss of equal images


def discriminator_loss(real: Tensor, fake: Tensor) -> Tensor:
    """The logistic loss of Goodfellow et al. (2014): -log D(x) - log(1 - D(G(z))), of logits (N, 1)."""
    return functional.softplus(-real).mean() + functional.softplus(fake).mean()


def generator_loss(fake: Tensor) -> Tensor:
    """Its non-saturating counterpart: -log D(G(z)), of logits (N, 1)."""
    return functional.softplus(-fake).mean()


def r1_penalty(real: Tensor, images: Tensor) -> Tensor:
    """|dD(x)/dx|^2 / 2, averaged over real images (Mescheder et al. 2018, equation 9).

    Args:
        real: (N, 1) logits of `images`, attached to the graph.
        images: (N, C, H, W), which require gradients.

    Returns:
        A scalar whose own gradients with respect to the discriminator's weights can be taken.
    """
    (gradient,) = torch.autograd.grad(real.sum(), images, create_graph=True)
    return gradient.square().sum((1, 2, 3)).mean() / 2


def mode_seeking_loss(images: Tensor, z: Tensor) -> Tensor:
    """|z1 - z2| / |G(c, z1) - G(c, z2)|, averaged over pairs of one class (Mao et al. 2019, MSGAN, equations 4, 5).

    It grows without bound as two z of a class come to the same image, which a discriminator that sees one image at a
    time does not mind.

    Args:
        images: (2 P, C, H, W); image i and image P + i have the same class.
        z: (2 P, d), of the images.

    Returns:
        A scalar; distances are mean absolute differences.
    """
    pairs = len(images) // 2
    of_z = (z[:pairs] - z[pairs:]).abs().mean(1)
    of_images = (images[:pairs] - images[pairs:]).abs().mean((1, 2, 3))
    return (of_z / (of_images + MODE_SEEKING_EPSILON)).mean()


def path_lengths(images: Tensor, w: Tensor, direction: Tensor) -> Tensor:
    """|J^T y| of equation 4: how far the image moves along a random direction y when w moves by a unit.

    Args:
        images: (N, C, H, W) made of w, attached to the graph.
        w: (N, inputs, d), which requires gradients.
        direction: (N, C, H, W) standard normal.

    Returns:
        (N,): root of the squared gradient summed over d and averaged over the inputs.
    """
    height, width = images.shape[2:]
    # y is scaled by 1 / sqrt(H W), so that lengths do not depend on the size of the images
    product = (images * direction).sum() / math.sqrt(height * width)
    (gradient,) = torch.autograd.grad(product, w, create_graph=True)  # J^T y, (N, inputs, d)
    return gradient.square().sum(2).mean(1).sqrt()


def path_penalty(lengths: Tensor, mean: Tensor) -> Tensor:
    """(|J^T y| - a)^2, averaged (equation 4)."""
    return (lengths - mean).square().mean()
