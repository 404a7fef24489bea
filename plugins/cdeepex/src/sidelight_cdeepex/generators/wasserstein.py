"""The Wasserstein game (Arjovsky et al. 2017): a critic tells images apart, and a generator learns from it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from sidelight_toolkit.modules import training_mode

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from torch import Tensor, nn

    from sidelight_cdeepex.params import GanParams


class Critic:
    """The critic with its optimizer, and with what keeps it Lipschitz.

    Args:
        network: (N, C, H, W) to (N,).
        params: the options of `gan`.
        shares: draws where between a real and a made image the gradient penalty looks.

    Attributes:
        distances: the difference of the mean values of real and made images at each step, which estimates the
            Wasserstein distance (times the Lipschitz constant).
    """

    def __init__(self, network: nn.Module, params: GanParams, shares: torch.Generator) -> None:
        self._network, self._params, self._shares = network, params, shares
        self._optimizer = adam(network, params.critic_rate)
        self.distances: list[float] = []

    def __call__(self, images: Tensor) -> Tensor:
        """(N,): how real each image looks."""
        values: Tensor = self._network(images)
        return values

    def training(self) -> AbstractContextManager[None]:
        """Within the context the network can learn."""
        return training_mode(self._network)

    def step(self, real: Tensor, made: Tensor) -> None:
        """Learn to value `real` (N, C, H, W) above `made`, of the same shape."""
        of_real, of_made = self(torch.cat([real, made])).chunk(2)
        distance = of_real.mean() - of_made.mean()
        loss = -distance if self._params.lipschitz == "clipping" else self._penalty(real, made) - distance
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self._optimizer.step()
        if self._params.lipschitz == "clipping":
            clip_weights(self._network, self._params.clip)
        self.distances.append(distance.item())

    def _penalty(self, real: Tensor, made: Tensor) -> Tensor:
        share = torch.rand(len(real), 1, 1, 1, generator=self._shares).to(real)
        return self._params.penalty * gradient_penalty(self, real.lerp(made, share))


def gradient_penalty(critic: Callable[[Tensor], Tensor], images: Tensor) -> Tensor:
    """(): the mean over (N, C, H, W) images of (|gradient of the critic| - 1)^2 (Gulrajani et al. 2017, equation 3)."""
    images = images.detach().requires_grad_(True)
    (gradient,) = torch.autograd.grad(critic(images).sum(), images, create_graph=True)
    norms: Tensor = torch.linalg.vector_norm(gradient.flatten(1), dim=1)
    return (norms - 1).square().mean()


@torch.no_grad()
def clip_weights(network: nn.Module, limit: float) -> None:
    """Bring every weight into [-limit, limit] (Arjovsky et al. 2017, algorithm 1)."""
    for weight in network.parameters():
        weight.clamp_(-limit, limit)


@torch.no_grad()
def follow(average: nn.Module, network: nn.Module, share: float) -> None:
    """The average keeps this share of itself and takes the rest from the network, running statistics included."""
    for mean, value in zip(average.state_dict().values(), network.state_dict().values(), strict=True):
        if mean.is_floating_point():
            mean.lerp_(value, 1 - share)
        else:
            mean.copy_(value)


def adam(network: nn.Module, rate: float) -> torch.optim.Adam:
    """Adam without momentum, with which a critic does badly: RMSprop, as the paper takes, with its bias corrected."""
    return torch.optim.Adam(network.parameters(), rate, betas=(0.0, 0.9))
