"""Where samples come from: the distribution of w over the training images, as a Gaussian."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from sidelight_stylegan2.networks.layers import normalise
from torch import nn

if TYPE_CHECKING:
    from torch import Tensor


class Prior(nn.Module):
    """A Gaussian over w = [E(x), condition]. Training sees only images; the noise of a GAN has no part in it.

    Args:
        latent: how many of the d numbers are the encoder's.
        length: d.
    """

    mean: Tensor
    factor: Tensor

    def __init__(self, latent: int, length: int) -> None:
        super().__init__()
        self._latent = latent
        self.register_buffer("mean", torch.zeros(length))
        self.register_buffer("factor", torch.eye(length))

    @torch.no_grad()
    def fit(self, w: Tensor) -> None:
        """Mean and a root of the covariance of (N, d)."""
        x = w.double()
        values, vectors = torch.linalg.eigh(x.T.cov(correction=0).reshape(w.shape[1], w.shape[1]))
        self.mean.copy_(x.mean(0))
        self.factor.copy_(vectors * values.clamp(min=0).sqrt())

    def forward(self, noise: Tensor, truncation: float) -> Tensor:
        """(N, d) standard normal to w; the encoder's part is brought to its root mean square, 1."""
        w = self.mean + truncation * noise @ self.factor.T
        return torch.cat([normalise(w[:, : self._latent]), w[:, self._latent :]], 1)
