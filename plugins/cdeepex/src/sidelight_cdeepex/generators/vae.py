"""A variational autoencoder (Kingma and Welling 2013) as generator."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from sidelight_cdeepex.generators.autoencoder import Autoencoder
from sidelight_cdeepex.generators.networks import EncoderNetwork, divergence, reparameterise

if TYPE_CHECKING:
    from torch import Tensor, nn

    from sidelight_cdeepex.generators.networks import Shape
    from sidelight_cdeepex.params import VaeParams


class Vae(Autoencoder):
    """Learns to reproduce images from k numbers that are close to standard normal: p(x | z) = N(G(z), `variance`)."""

    name = "vae"
    _params: VaeParams

    def encoder(self, shape: Shape) -> nn.Module:
        """Two heads, for mu and log sigma^2."""
        return EncoderNetwork(shape, self._params.latent, self._params.width)

    def loss(self, networks: nn.ModuleDict, images: Tensor, noise: torch.Generator) -> Tensor:
        """The negative evidence lower bound per image, in nats, up to a constant."""
        mean, log_variance = networks["encoder"](images)
        drawn = torch.randn(mean.shape, generator=noise).to(mean)
        restored = networks["decoder"](reparameterise(mean, log_variance, drawn))
        misfit = (restored - images).square().flatten(1).sum(1) / (2 * self._params.variance)
        loss: Tensor = (misfit + self._params.beta * divergence(mean, log_variance)).mean()
        return loss

    def encode(self, images: Tensor) -> Tensor:
        """The mean of q(z | x)."""
        mean: Tensor = self._trained()[1]["encoder"](images)[0]
        return mean
