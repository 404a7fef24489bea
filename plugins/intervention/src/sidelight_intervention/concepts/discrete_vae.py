"""The discrete variational autoencoder: boolean codes z of a layer's output phi(x), and equation 1.

With the paper's letters: phi (N, S) is a layer's flattened output, z (N, n) its boolean code, phi' what the decoder
makes of z, psi what it makes of a changed code.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import nn
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor


class Bound(NamedTuple):
    """Equation 1, the negative evidence lower bound in nats per image up to a constant, and its two terms."""

    total: Tensor
    misfit: Tensor
    divergence: Tensor


def annealed(step: int, steps: int, first: float, last: float) -> float:
    """The temperature at a step: from `first` to `last`, by the same factor at every step."""
    return float(first * (last / first) ** (step / max(1, steps - 1)))


def gumbel_softmax(logits: Tensor, temperature: float, generator: torch.Generator) -> Tensor:
    """Relaxed Bernoulli samples in (0, 1) for the log-odds of each bit (Jang et al. 2016; Maddison et al. 2016).

    The softmax over the two values of a bit, each with Gumbel noise, is a sigmoid of their difference, and the
    difference of two Gumbel variables is a logistic one.
    """
    uniform = torch.rand(logits.shape, generator=generator).clamp(1e-6, 1 - 1e-6).to(logits)
    return ((logits + uniform.logit()) / temperature).sigmoid()


def bernoulli_divergence(logits: Tensor, prior: float) -> Tensor:
    """(N,): KL(q(z | phi) || p(z)) in nats, for bits with log-odds (N, n) and a prior probability."""
    q, log_on, log_off = logits.sigmoid(), functional.logsigmoid(logits), functional.logsigmoid(-logits)
    on = torch.tensor(prior).log().to(logits)
    off = torch.tensor(1 - prior).log().to(logits)
    return (q * (log_on - on) + (1 - q) * (log_off - off)).sum(1)


class DiscreteVae(nn.Module):
    """Four linear layers each way with ReLU and dropout; the decoder has those of the encoder, transposed.

    The layer is centred and divided by one scale, learned from the data, so that the bound's variance is a share of
    the layer's own. The plain decoder, the paper's, gets z in {0, 1}. The odd one gets bits s = 2 z - 1 in {-1, 1} and
    gives phi' = centre + scale (d(s) - d(-s)) / 2, so that the complement of a code decodes to the reflection of phi'
    about the centre, before any training: an identity, not something learned.

    Args:
        inputs: S, the size of the flattened layer.
        bits: n.
        widths: units between the linear layers.
        dropout: share of hidden units switched off in training.
        odd: whether the decoder is odd in the code about the centre.
    """

    centre: Tensor
    scale: Tensor

    def __init__(self, inputs: int, bits: int, widths: Sequence[int], dropout: float = 0.0, odd: bool = False) -> None:
        super().__init__()
        self._odd = odd
        sizes = (inputs, *widths, bits)
        self.encoder = nn.Sequential(*_linear_layers(sizes, dropout))
        self.decoder = nn.Sequential(*_linear_layers(sizes[::-1], dropout))
        self.register_buffer("centre", torch.zeros(inputs))
        self.register_buffer("scale", torch.ones(()))

    @torch.no_grad()
    def standardise(self, layer: Tensor, centre: Tensor | None = None) -> None:
        """Take the scale from the layer's outputs (N, S), and the centre (S,) too where it is not given."""
        self.centre.copy_(layer.mean(0) if centre is None else centre)
        deviation = (layer - layer.mean(0)).square().mean().sqrt()
        self.scale.copy_(deviation if deviation > 0 else torch.ones(()))

    def log_odds(self, layer: Tensor) -> Tensor:
        """(N, S) to (N, n): log q(z_i = 1 | phi) / q(z_i = 0 | phi)."""
        odds: Tensor = self.encoder((layer - self.centre) / self.scale)
        return odds

    def decode(self, bits: Tensor) -> Tensor:
        """phi' or psi: codes (N, n) in [0, 1] to (N, S)."""
        signs = 2 * bits - 1
        relative: Tensor = (self.decoder(signs) - self.decoder(-signs)) / 2 if self._odd else self.decoder(bits)
        return relative * self.scale + self.centre

    def bound(
        self, layer: Tensor, noise: torch.Generator, *, temperature: float, variance: float, prior: float, beta: float
    ) -> Bound:
        """Equation 1, the sign of its divergence corrected: -E[log p(phi | z)] + `beta` KL(q || p), the mean over N.

        p(phi | z) is normal around phi', its variance `variance` times the layer's own: the paper's squared error.
        """
        odds = self.log_odds(layer)
        restored = self.decode(gumbel_softmax(odds, temperature, noise))
        misfit = ((restored - layer) / self.scale).square().sum(1).mean() / (2 * variance)
        divergence = bernoulli_divergence(odds, prior).mean()
        return Bound(misfit + beta * divergence, misfit, divergence)


def _linear_layers(sizes: Sequence[int], dropout: float) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for before, after in pairwise(sizes):
        layers += [nn.Linear(before, after), nn.ReLU(), nn.Dropout(dropout)]
    return layers[:-2]
