"""Sparse reconstruction autoencoder (SRAE): the explanation network and the three terms of equation 1.

Li Fuxin et al. 2021, From Heatmaps to Structured Explanations of Image Classifiers, section 2.1 (Qi, Khorram and Li
2021, Embedding Deep Networks into Visual Explanations). Equation 1:

    min over theta, v  ||v E_theta(Z) - y||^2 + beta * sparse reconstruction(Z) + eta * pull-away(E)

Symbols: Z (M, S) a layer's outputs for M images, E (M, n) the x-features, y (M, K) the logits, v (K, n) the linear
read-out, q the sharpness of the sparse reconstruction.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import nn

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

TINY = 1e-12
"""Smallest norm that an x-feature is divided by."""
SLOPE = 0.1
"""Slope of the hidden layers' leaky ReLUs below 0; with plain ReLUs more x-features fall silent for good."""
FIRST_BIAS = 0.3
"""First bias of the x-features, so that each fires in some images from the start."""


def faithfulness(approximated: torch.Tensor, logits: torch.Tensor) -> torch.Tensor:
    """First term: mean squared distance of the read-out v E to the logits y, both (M, K).

    Divided by K as well as by M, so that the other terms weigh the same for any number of classes.
    """
    return (approximated - logits).square().mean()


def sparse_reconstruction(rebuilt: torch.Tensor, features: torch.Tensor, q: float) -> torch.Tensor:
    """Second term: mean over the dimensions k of log(1 + q * mean squared error of k); arguments (M, S).

    The logarithm makes it cheap to give up a dimension altogether, so that only a part of Z is rebuilt.
    """
    return torch.log1p(q * (rebuilt - features).square().mean(0)).mean()


def squared_cosines(x_features: torch.Tensor) -> torch.Tensor:
    """(n, n) squared cosines between the columns of E (M, n); 0 with a column that never fires."""
    directions = x_features / x_features.norm(dim=0).clamp_min(TINY)
    cosines: torch.Tensor = directions.T @ directions
    return cosines.square()


def pull_away(x_features: torch.Tensor) -> torch.Tensor:
    """Third term: mean squared cosine over the ordered pairs of x-features, the columns of E; 0 without a pair.

    The paper's formula compares x-features by their values over the images; the authors' code compares images.
    """
    # the cosine with a silent x-feature is undefined, and pairs with it do not count: counted as 0, silencing
    # x-features would be the easiest way to a low loss
    count = (x_features.detach() != 0).any(0).sum()
    squared = squared_cosines(x_features)
    return (squared.sum() - squared.diagonal().sum()) / (count * (count - 1)).clamp_min(1)


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
        layers = _linear_layers(self.sizes)
        nn.init.constant_(layers[-1].get_parameter("bias"), FIRST_BIAS)
        self.encoder = nn.Sequential(*layers, nn.ReLU())
        self.readout = nn.Linear(features, outputs)
        self.decoder = nn.Sequential(*_linear_layers(self.sizes[::-1]))
        self.register_buffer("feature_scale", torch.ones(()))
        self.register_buffer("logit_scale", torch.ones(()))

    def x_features(self, layer: torch.Tensor) -> torch.Tensor:
        """E: a layer's output (M, ...) to (M, n), none negative."""
        x_features: torch.Tensor = self.encoder(layer.flatten(1) / self.feature_scale)
        return x_features

    def logits(self, x_features: torch.Tensor) -> torch.Tensor:
        """v E plus the constant: (M, n) to (M, K) logits of the classifier's own scale."""
        logits: torch.Tensor = self.readout(x_features) * self.logit_scale
        return logits

    def loss(self, layer: torch.Tensor, logits: torch.Tensor, beta: float, eta: float, q: float) -> Loss:
        """Equation 1 on M images: a layer's outputs (M, ...) and the classifier's logits (M, K)."""
        z = layer.flatten(1) / self.feature_scale  # Z, (M, S)
        x_features = self.encoder(z)  # E, (M, n)
        faithful = faithfulness(self.readout(x_features), logits / self.logit_scale)
        # without the term the decoder learns from x-features that it does not change, so that what they say of Z can
        # be measured all the same
        rebuilt = sparse_reconstruction(self.decoder(x_features if beta > 0 else x_features.detach()), z, q)
        apart = pull_away(x_features)
        probe = 0.0 if beta > 0 else rebuilt - rebuilt.detach()  # 0, with the decoder's gradient
        return Loss(faithful + beta * rebuilt + eta * apart + probe, faithful, rebuilt, apart)  # eq. 1

    def rebuilt(self, layer: torch.Tensor) -> torch.Tensor:
        """(S,) R squared of each dimension of Z over M images, as the decoder rebuilds it from the x-features.

        0 for a dimension that does not vary.
        """
        z = layer.flatten(1) / self.feature_scale  # Z, (M, S)
        spread = (z - z.mean(0)).square().sum(0)
        error = (self.decoder(self.encoder(z)) - z).square().sum(0)
        return torch.where(spread > TINY, 1 - error / spread.clamp_min(TINY), 0.0)

    @property
    def weights(self) -> torch.Tensor:
        """(K, n): change of each logit with one unit of each x-feature."""
        return self.readout.weight * self.logit_scale

    @property
    def constant(self) -> torch.Tensor:
        """(K,): the logits when no x-feature fires."""
        return self.readout.bias * self.logit_scale

    @torch.no_grad()
    def reorder(self, order: torch.Tensor, units: torch.Tensor) -> ExplanationNetwork:
        """A network with some of the x-features, in another order, each with a unit of its own.

        Logits and reconstructions are the same where those left out do not fire.

        Args:
            order: (m,) indices of the x-features that stay, the first one ahead.
            units: (n,) positive, by the old order: the value that becomes 1.
        """
        state = self.state_dict()
        last = f"encoder.{2 * (len(self.sizes) - 2)}"
        # ReLU(x / u) = ReLU(x) / u for u > 0: rows before it are divided, columns after it multiplied
        state[f"{last}.weight"] = (state[f"{last}.weight"] / units[:, None])[order]
        state[f"{last}.bias"] = (state[f"{last}.bias"] / units)[order]
        for name in ("readout.weight", "decoder.0.weight"):
            state[name] = (state[name] * units)[:, order]
        return ExplanationNetwork.from_state((*self.sizes[:-1], len(order)), state)

    @classmethod
    def from_state(cls, sizes: Sequence[int], state: Mapping[str, torch.Tensor]) -> ExplanationNetwork:
        """A frozen network with these weights; no random stream is touched.

        Args:
            sizes: S, the widths, n.
            state: of a network of these sizes.
        """
        inputs, *widths, features = sizes
        with torch.random.fork_rng(devices=[]):
            network = cls(inputs, len(state["readout.bias"]), features, widths)
        network.load_state_dict(dict(state))
        return network.to(state["readout.bias"].device).eval().requires_grad_(False)


def _linear_layers(sizes: Sequence[int]) -> list[nn.Module]:
    """Linear layers with leaky ReLUs between them."""
    layers: list[nn.Module] = []
    for before, after in pairwise(sizes):
        layers += [nn.Linear(before, after), nn.LeakyReLU(SLOPE)]
    return layers[:-1]
