"""Least-squares initialisation of the concept decoder, and its rotation towards the classifier's information.

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
STILL = 0.01
"""Along directions with a smaller share of it the decoded layer is as good as constant."""
STEEPEST = 0.15
"""The least variance m (1 - m) that a pixel of mean m counts as having, so that nearly black ones do not overshoot."""
ROUNDS = 200
"""Alternating projections of `turned_to`; they settle within some tens."""


class Beginning(NamedTuple):
    """Log-odds of pixels that are linear in the layer: `usual` + `pictures` along `directions` from `centre`.

    Attributes:
        directions: (r, S).
        pictures: (r, C, H, W).
        usual: (C, H, W), at the centre.
        centre: (S,).
        spanned: (R, S), orthonormal: the directions that the decoded layer varies along, `directions` among them.
    """

    directions: Tensor
    pictures: Tensor
    usual: Tensor
    centre: Tensor
    spanned: Tensor


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
    axes, deviations = _principal(sample - centre, rank)
    kept = deviations > FLAT * deviations.max()
    directions, variances = torch.zeros(rank, len(centre)).to(sample), torch.ones(rank).to(sample)
    directions[: len(axes)] = torch.where(kept[:, None], axes, 0.0)
    variances[: len(axes)] = torch.where(kept, deviations.square(), 1.0)
    mean = images.mean(0).to(sample)
    products = torch.zeros(rank, mean.numel()).to(sample)
    for part in slices(len(codes), SAMPLE):
        scores = (layer_of(codes[part]) - centre) @ directions.T
        products += scores.T @ (images[part].to(sample) - mean).flatten(1)
    slopes = products / (len(codes) * variances[:, None])
    pictures = slopes.reshape(rank, *mean.shape) / (mean * (1 - mean)).clamp_min(STEEPEST)
    spanned = axes[deviations > STILL * deviations.max()]
    return Beginning(directions, pictures, mean.clamp(0.01, 0.99).logit(), centre, spanned)


def _principal(sample: Tensor, rank: int) -> tuple[Tensor, Tensor]:
    """Principal directions (q, S) of the centred sample (M, S), of length 1, and deviations along them (q,)."""
    _, lengths, axes = torch.pca_lowrank(sample, q=min(rank, *sample.shape), center=False)
    return axes.T, lengths / len(sample) ** 0.5


@torch.no_grad()
def turned_to(beginning: Beginning, information: Tensor) -> Beginning:
    """Rotation that leaves the picture of every decoded layer, with the wanted information of each coordinate.

    Pictures change along `directions` only, and the decoded layer varies along `spanned` only. What the directions
    have across that span changes no picture, but does change what moving a single coordinate does (equation 4).
    Found by alternating projections, onto the wanted lengths of the Jacobian's columns and onto the directions that
    draw the same. The option `start: turned`: the second term of equation 6 at its least before any training.

    Args:
        beginning: by `linear_beginning`.
        information: (S,), that of the classifier.
    """
    mean = beginning.usual.sigmoid()
    changes = (beginning.pictures * (mean.sqrt() * (1 - mean))).flatten(1)  # of 2 sqrt(h), at the mean image
    products, wanted = changes @ changes.T, information.sqrt()
    first = torch.zeros_like(products[0])
    first[products.diagonal().argmax()] = 1 / products.diagonal().max().clamp_min(1e-12).sqrt()
    directions = beginning.directions
    for _ in range(ROUNDS):
        lengths = torch.einsum("ri,rs,si->i", directions, products, directions).clamp_min(0).sqrt()
        seen = lengths > 1e-6 * lengths.max()
        units = torch.where(seen, directions / lengths.clamp_min(1e-12), first[:, None])
        scaled = units * wanted * (lengths @ wanted / wanted.square().sum().clamp_min(1e-12))
        directions = scaled + (beginning.directions - scaled) @ beginning.spanned.T @ beginning.spanned
    return beginning._replace(directions=directions)
