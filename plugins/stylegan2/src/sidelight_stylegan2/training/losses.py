"""Losses of StyleGAN2 (Karras et al. 2020, sections 2.3 and 3, appendix B), and the relativistic pairing loss.

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


def relativistic_loss(upper: Tensor, lower: Tensor) -> Tensor:
    """-log sigmoid(D(a) - D(b)), averaged over pairs (RpGAN, Jolicoeur-Martineau 2018; R3GAN, Huang et al. 2024).

    D takes the real image as a and the made one as b, G the other way round. A made image is judged beside a real one
    and not by a threshold that all of them can pass at the same place, which is how modes are lost (Sun et al. 2020).

    Args:
        upper: (N, 1) logits of a.
        lower: (N, 1) logits of b, of the class of its partner.
    """
    return functional.softplus(lower - upper).mean()


def gradient_penalty(logits: Tensor, images: Tensor) -> Tensor:
    """|dD(x)/dx|^2 / 2, averaged: R1 over real images, R2 over made ones (Mescheder et al. 2018, equations 9, 10).

    Args:
        logits: (N, 1) of `images`, attached to the graph.
        images: (N, C, H, W), which require gradients.

    Returns:
        A scalar whose own gradients with respect to the discriminator's weights can be taken.
    """
    (gradient,) = torch.autograd.grad(logits.sum(), images, create_graph=True)
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
