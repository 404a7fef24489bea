"""Where the pictures' training begins: the best pictures that are linear in the layer.

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

SAMPLE = 4096
"""Rows that the directions are found in, and rows computed at a time."""
FLAT = 0.05
"""Directions with a smaller share of the largest deviation are left out: least squares knows little of them."""
STEEPEST = 0.15
"""The least variance m (1 - m) that a pixel of mean m counts as having, so that nearly black ones do not overshoot."""


class Beginning(NamedTuple):
    """Log-odds of pixels that are linear in the layer: `usual` + `directions` of the layer times `pictures`.

    Attributes:
        directions: (r, S).
        pictures: (r, C, H, W).
        usual: (C, H, W).
    """

    directions: Tensor
    pictures: Tensor
    usual: Tensor


@torch.no_grad()
def linear_beginning(layer_of: Callable[[Tensor], Tensor], codes: Tensor, images: Tensor, rank: int) -> Beginning:
    """One Newton step of equation 2 from the mean image, along the layer's principal directions.

    Args:
        layer_of: codes (M, n) to the layer (M, S), centred and scaled as the network takes it.
        codes: (N, n) of the images.
        images: (N, C, H, W) in [0, 1].
        rank: r, how many directions; those that the layer does not have are 0.
    """
    sample = layer_of(codes[:SAMPLE])
    centre = sample.mean(0)
    directions, variances = _principal(sample - centre, rank)
    mean = images.mean(0).to(sample)
    products = torch.zeros(rank, mean.numel()).to(sample)
    for part in slices(len(codes), SAMPLE):
        scores = (layer_of(codes[part]) - centre) @ directions.T
        products += scores.T @ (images[part].to(sample) - mean).flatten(1)
    slopes = products / (len(codes) * variances[:, None])
    pictures = slopes.reshape(rank, *mean.shape) / (mean * (1 - mean)).clamp_min(STEEPEST)
    usual = mean.clamp(0.01, 0.99).logit() - torch.einsum("r,rchw->chw", directions @ centre, pictures)
    return Beginning(directions, pictures, usual)


def _principal(sample: Tensor, rank: int) -> tuple[Tensor, Tensor]:
    """Principal directions (r, S) of the centred sample (M, S), of length 1, and variances along them (r,).

    Those that are left out, or that there are none of, are 0; their variances count as 1.
    """
    found = min(rank, *sample.shape)
    _, lengths, axes = torch.pca_lowrank(sample, q=found, center=False)
    deviations = lengths / len(sample) ** 0.5
    kept = deviations > FLAT * deviations.max()
    directions, variances = torch.zeros(rank, sample.shape[1]).to(sample), torch.ones(rank).to(sample)
    directions[:found] = torch.where(kept, axes, 0.0).T
    variances[:found] = torch.where(kept, deviations.square(), 1.0)
    return directions, variances
