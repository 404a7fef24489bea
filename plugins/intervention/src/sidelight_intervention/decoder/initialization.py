"""Least-squares initialisation of the concept decoder, and its alignment with the classifier's information.

A layer that knows about a mouth knows about two pixels in a hundred. By stochastic gradients alone, what the other
pixels do in each minibatch drowns that for thousands of steps; least squares over all images finds it at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
from sidelight_toolkit.batching import slices

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

SAMPLE = 4096  # rows for the principal directions, and rows decoded at a time
WEAK = 0.05  # directions below this ratio of the largest deviation are left out: least squares knows little of them
STILL = 0.01  # directions below this ratio count as constant in the decoded layer
MIN_VARIANCE = 0.15  # least variance m (1 - m) of a pixel of mean m, so that nearly black ones do not overshoot
ROUNDS = 200  # alternating projections of `align_information`; they settle within some tens


class LinearDecoder(NamedTuple):
    """Log-odds of pixels that are linear in the layer: bias + components directions (layer - centre).

    Attributes:
        directions: (r, S).
        components: (r, C, H, W), the images that the directions add.
        bias: (C, H, W), the log-odds at the centre.
        centre: (S,).
        span: (R, S), orthonormal: the directions that the decoded layer varies along, `directions` among them.
    """

    directions: Tensor
    components: Tensor
    bias: Tensor
    centre: Tensor
    span: Tensor


@torch.no_grad()
def least_squares(layer_of: Callable[[Tensor], Tensor], codes: Tensor, images: Tensor, rank: int) -> LinearDecoder:
    """One Newton step of equation 2 from the mean image, along the layer's principal directions.

    Args:
        layer_of: codes (M, n) to the layer (M, S), centred and scaled as the network takes it.
        codes: (N, n) of the images.
        images: (N, C, H, W) in [0, 1].
        rank: r, the number of directions; those that the layer does not have are 0.
    """
    sample = layer_of(codes[:SAMPLE])
    centre = sample.mean(0)
    _, lengths, axes = torch.pca_lowrank(sample - centre, q=min(rank, *sample.shape), center=False)
    axes, deviations = axes.T, lengths / len(sample) ** 0.5  # (q, S) of length 1, and (q,)
    strong = deviations > WEAK * deviations.max()
    directions, variances = torch.zeros(rank, len(centre)).to(sample), torch.ones(rank).to(sample)
    directions[: len(axes)] = torch.where(strong[:, None], axes, 0.0)
    variances[: len(axes)] = torch.where(strong, deviations.square(), 1.0)
    mean = images.mean(0).to(sample)
    products = torch.zeros(rank, mean.numel()).to(sample)
    for batch in slices(len(codes), SAMPLE):
        scores = (layer_of(codes[batch]) - centre) @ directions.T  # (M, r)
        products += scores.T @ (images[batch].to(sample) - mean).flatten(1)
    slopes = products / (len(codes) * variances[:, None])  # regression of the pixels on the scores, (r, C H W)
    components = slopes.reshape(rank, *mean.shape) / (mean * (1 - mean)).clamp_min(MIN_VARIANCE)  # in log-odds
    span = axes[deviations > STILL * deviations.max()]
    return LinearDecoder(directions, components, mean.clamp(0.01, 0.99).logit(), centre, span)


@torch.no_grad()
def align_information(linear: LinearDecoder, information: Tensor) -> LinearDecoder:
    """Directions with the wanted information of each coordinate that leave the image of every decoded layer as it is.

    Images change along `directions` only, and the decoded layer varies along `span` only. The part of the directions
    across that span changes no image, but it does change the effect of moving a single coordinate (equation 4). It is
    found by alternating projections, onto the wanted lengths of the Jacobian's columns and onto the directions that
    give the same images. The option `start: turned`: the second term of equation 6 at its least before any training.

    Args:
        linear: by `least_squares`.
        information: (S,), that of the classifier.
    """
    mean = linear.bias.sigmoid()
    jacobian = (linear.components * (mean.sqrt() * (1 - mean))).flatten(1)  # of 2 sqrt(h) at the mean image, (r, C H W)
    products, wanted = jacobian @ jacobian.T, information.sqrt()
    fallback = torch.zeros_like(products[0])  # the strongest direction, for coordinates that have none
    fallback[products.diagonal().argmax()] = 1 / products.diagonal().max().clamp_min(1e-12).sqrt()
    directions = linear.directions
    for _ in range(ROUNDS):
        lengths = torch.einsum("ri,rs,si->i", directions, products, directions).clamp_min(0).sqrt()  # of columns, (S,)
        has_length = lengths > 1e-6 * lengths.max()
        units = torch.where(has_length, directions / lengths.clamp_min(1e-12), fallback[:, None])
        scaled = units * wanted * (lengths @ wanted / wanted.square().sum().clamp_min(1e-12))  # the wanted lengths
        directions = scaled + (linear.directions - scaled) @ linear.span.T @ linear.span  # the same images
    return linear._replace(directions=directions)
