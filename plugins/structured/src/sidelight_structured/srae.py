"""The sparse reconstruction autoencoder (section 2.1): the explanation network and the three terms of equation 1.

With the paper's letters: Z (M, S) is a layer's output for M images, E (M, n) the x-features, y (M, K) the logits,
v (K, n) the linear read-out.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import nn

if TYPE_CHECKING:
    from collections.abc import Sequence

_TINY = 1e-12


def faithfulness(approximated: torch.Tensor, logits: torch.Tensor) -> torch.Tensor:
    """First term: how far the read-out is from the logits, both (M, K).

    The mean over images of the squared distance, divided by K so that the other terms weigh the same for any number
    of classes.
    """
    return (approximated - logits).square().mean()


def sparse_reconstruction(rebuilt: torch.Tensor, features: torch.Tensor, q: float) -> torch.Tensor:
    """Second term: the mean over the dimensions k of log(1 + q * mean squared error of k); arguments (M, S).

    The logarithm makes it cheap to give up a dimension altogether, so that only a part of Z is rebuilt.
    """
    return torch.log1p(q * (rebuilt - features).square().mean(0)).mean()


def squared_cosines(x_features: torch.Tensor) -> torch.Tensor:
    """(n, n) squared cosines between the columns of E (M, n); 0 with a column that never fires."""
    directions = x_features / x_features.norm(dim=0).clamp_min(_TINY)
    cosines: torch.Tensor = directions.T @ directions
    return cosines.square()


def pull_away(x_features: torch.Tensor) -> torch.Tensor:
    """Third term: the mean squared cosine over the n (n - 1) ordered pairs of x-features; 0 for a single one.

    An x-feature is the vector of its values over the images, as the formula has it; the authors' code compares images
    instead.
    """
    count = x_features.shape[1]
    squared = squared_cosines(x_features)
    return (squared.sum() - squared.diagonal().sum()) / max(1, count * (count - 1))


class Loss(NamedTuple):
    """Equation 1 and its three terms, before weighting."""

    total: torch.Tensor
    faithfulness: torch.Tensor
    reconstruction: torch.Tensor
    orthogonality: torch.Tensor


class ExplanationNetwork(nn.Module):
    """Encoder E_theta, linear read-out v with a constant, and decoder.

    Inputs and logits are divided by one scale each, learned from the data, so that weights of the loss mean the same
    for any layer of any classifier. x-features are rectified: one is 0 where it does not fire.

    Args:
        inputs: S, the size of a flattened layer.
        outputs: K, the number of logits explained.
        features: n, the number of x-features.
        widths: units of the encoder's hidden layers; the decoder mirrors them.
    """

    feature_scale: torch.Tensor
    logit_scale: torch.Tensor

    def __init__(self, inputs: int, outputs: int, features: int, widths: Sequence[int]) -> None:
        super().__init__()
        self.sizes = (inputs, *widths, features)
        self.encoder = _layers(self.sizes, rectify_last=True)
        self.readout = nn.Linear(features, outputs)
        self.decoder = _layers(self.sizes[::-1], rectify_last=False)
        self.register_buffer("feature_scale", torch.ones(()))
        self.register_buffer("logit_scale", torch.ones(()))

    def x_features(self, layer: torch.Tensor) -> torch.Tensor:
        """E: a layer's output (M, ...) to (M, n), none negative."""
        encoded: torch.Tensor = self.encoder(layer.flatten(1) / self.feature_scale)
        return encoded

    def logits(self, x_features: torch.Tensor) -> torch.Tensor:
        """v E plus the constant: (M, n) to (M, K) logits of the classifier's own scale."""
        approximated: torch.Tensor = self.readout(x_features) * self.logit_scale
        return approximated

    @property
    def weights(self) -> torch.Tensor:
        """(K, n): what one unit of each x-feature adds to each logit."""
        return self.readout.weight * self.logit_scale

    @property
    def constant(self) -> torch.Tensor:
        """(K,): the logits when no x-feature fires."""
        return self.readout.bias * self.logit_scale

    @torch.no_grad()
    def rearrange(self, order: torch.Tensor, units: torch.Tensor) -> None:
        """Put the x-features in another order and give each a unit, without changing what the network computes.

        Rectified units allow it: dividing what makes an x-feature and multiplying what follows it cancel out.

        Args:
            order: (n,) indices, the x-feature that comes first ahead.
            units: (n,) positive, by the old order: the value that becomes 1.
        """
        last, first = self.encoder[-2], self.decoder[0]
        assert isinstance(last, nn.Linear)
        assert isinstance(first, nn.Linear)
        last.weight.copy_((last.weight / units[:, None])[order])
        last.bias.copy_((last.bias / units)[order])
        for after in (self.readout, first):
            after.weight.copy_((after.weight * units)[:, order])

    def loss(self, layer: torch.Tensor, logits: torch.Tensor, beta: float, eta: float, q: float) -> Loss:
        """Equation 1 on M images: a layer's outputs (M, ...) and the classifier's logits (M, K)."""
        flat = layer.flatten(1) / self.feature_scale
        encoded = self.encoder(flat)
        faithful = faithfulness(self.readout(encoded), logits / self.logit_scale)
        rebuilt = sparse_reconstruction(self.decoder(encoded), flat, q)
        apart = pull_away(encoded)
        return Loss(faithful + beta * rebuilt + eta * apart, faithful, rebuilt, apart)


def _layers(sizes: Sequence[int], rectify_last: bool) -> nn.Sequential:
    layers: list[nn.Module] = []
    for before, after in pairwise(sizes):
        layers += [nn.Linear(before, after), nn.ReLU()]
    return nn.Sequential(*(layers if rectify_last else layers[:-1]))
