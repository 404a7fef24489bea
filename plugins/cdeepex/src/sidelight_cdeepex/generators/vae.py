"""Variational autoencoder (Kingma and Welling 2013), the paper's generator (CDeepEx, section 4.1).

z ~ N(0, 1) (N, k),  p(x | z) = N(G(z), variance),  q(z | x) = N(mu(x), sigma(x)^2)
loss = -E_q[log p(x | z)] + beta KL(q(z | x) || N(0, 1))        the negative evidence lower bound, beta = 1
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from sidelight_cdeepex.generators.autoencoder import Autoencoder
from sidelight_cdeepex.generators.networks import EncoderNetwork

if TYPE_CHECKING:
    from torch import Tensor, nn

    from sidelight_cdeepex.generators.networks import Shape
    from sidelight_cdeepex.params import VaeParams


class Vae(Autoencoder):
    """Reproduces images from k numbers that are close to standard normal."""

    name = "vae"
    _params: VaeParams

    def encoder(self, shape: Shape) -> nn.Module:
        """Two heads, for mu and log sigma^2."""
        return EncoderNetwork(shape, self._params.latent, self._params.width)

    def loss(self, networks: nn.ModuleDict, images: Tensor, noise: torch.Generator) -> Tensor:
        """The negative evidence lower bound per image, in nats, up to a constant."""
        mean, log_variance = networks["encoder"](images)  # (n, k) each
        normal = torch.randn(mean.shape, generator=noise, device=noise.device).to(mean)
        reconstructions = networks["decoder"](reparameterise(mean, log_variance, normal))
        squared_error = (reconstructions - images).square().flatten(1).sum(1)
        reconstruction = squared_error / (2 * self._params.variance)  # -log p(x | z), (n,)
        loss: Tensor = (reconstruction + self._params.beta * divergence(mean, log_variance)).mean()
        return loss

    def encode(self, images: Tensor) -> Tensor:
        """The mean of q(z | x), (N, k)."""
        mean: Tensor = self._trained()[1]["encoder"](self.reduce(images))[0]
        return mean


def reparameterise(mean: Tensor, log_variance: Tensor, noise: Tensor) -> Tensor:
    """z ~ N(mu, sigma^2) from standard normal noise, all (n, k)."""
    return mean + noise * torch.exp(log_variance / 2)  # mu + sigma e


def divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """(n,): KL(N(mu, sigma^2) || N(0, 1)), in nats."""
    return 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(1)
