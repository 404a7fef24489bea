"""Wasserstein GAN: a critic tells real images from generated ones, and a generator learns from it (section 3.2).

Arjovsky et al. 2017, "Wasserstein generative adversarial networks", algorithm 1; Gulrajani et al. 2017, "Improved
training of Wasserstein GANs", equation 3. With the generator G, the critic f and z ~ N(0, 1):

    max_f  E f(x) - E f(G(z)), f 1-Lipschitz        estimates the Wasserstein distance (up to f's Lipschitz constant)
    max_G  E f(G(z))

f stays Lipschitz by clipping its weights (Arjovsky) or by the penalty w E (||grad f(u)|| - 1)^2 at points u between
real and generated images (Gulrajani).
"""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from sidelight_toolkit.modules import training_mode
from sidelight_toolkit.seeding import generator, seeded
from sidelight_toolkit.training import Curves, minibatches, train
from torch import nn

from sidelight_cdeepex.generators.base import LearnedGenerator
from sidelight_cdeepex.generators.networks import CriticNetwork, GeneratorNetwork

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from sidelight_specs import Run
    from sidelight_specs.results import State
    from torch import Tensor

    from sidelight_cdeepex.generators.networks import Shape
    from sidelight_cdeepex.params import GanParams


class WassersteinGan(LearnedGenerator):
    """Generates images from standard normal z that a critic cannot tell from the training images."""

    name = "gan"
    _params: GanParams

    def __init__(self, params: GanParams, *, run: Run) -> None:
        super().__init__(params, run=run)

    def networks(self, shape: Shape) -> nn.ModuleDict:
        """The generator; the critic is discarded."""
        return nn.ModuleDict({"decoder": GeneratorNetwork(shape, self._params.latent, self._params.width)})

    def learn(self, networks: nn.ModuleDict, images: Tensor) -> dict[str, np.ndarray]:
        """Algorithm 1; the trained network is the running average of the generator's weights."""
        average, params = networks["decoder"].eval().requires_grad_(False), self._params
        network, critic = deepcopy(average), self._critic(images)
        size = min(params.batch, len(images))
        noise = generator(self._run, "latents", self._run.device)

        def generate() -> Tensor:
            z = torch.randn(size, params.latent, generator=noise, device=noise.device)
            fakes: Tensor = network(z.to(images))
            return fakes

        def loss(rows: np.ndarray) -> Tensor:
            update_average(average, network, params.average)
            for batch in torch.from_numpy(rows).chunk(params.critic):  # some steps of the critic for one of G
                with torch.no_grad():
                    fakes = generate()
                critic.step(images[batch], fakes)
            return -critic(generate()).mean()  # -E f(G(z))

        batches, optimizer = minibatches(len(images), size, self._run.rng("minibatches")), adam(network, params.rate)
        joined = _joined(batches, params.critic)
        stateful = {"network": network, "average": average, "latents": noise, "minibatches": batches, **critic.stateful}
        with training_mode(network), critic.training():
            losses = train(self._run, loss, optimizer, joined, params.steps, "training gan", stateful=stateful)
        update_average(average, network, params.average)
        return {"loss": losses, **critic.distances.arrays()}

    def state(self) -> State:
        """Beside the networks the critic's Lipschitz constraint."""
        state = super().state()
        state.settings["lipschitz"] = self._params.lipschitz
        return state

    def _critic(self, images: Tensor) -> Critic:
        channels, height, width = images.shape[1:]
        with seeded(self._run, "critic"):
            network = CriticNetwork((channels, height, width), self._params.critic_width)
        return Critic(network.to(images), self._params, generator(self._run, "penalty", self._run.device))


class Critic:
    """The critic f with its optimizer and its Lipschitz constraint.

    Args:
        network: (N, C, H, W) to (N,).
        params: the options of `gan`.
        noise: draws the points between real and generated images.

    Attributes:
        distances: `distance`, E f(x) - E f(G(z)) at each step.
    """

    def __init__(self, network: nn.Module, params: GanParams, noise: torch.Generator) -> None:
        self._network, self._params, self._noise = network, params, noise
        self._optimizer = adam(network, params.critic_rate)
        self.distances = Curves(["distance"])

    def __call__(self, images: Tensor) -> Tensor:
        """f, (N,): higher for images that look real."""
        values: Tensor = self._network(images)
        return values

    def training(self) -> AbstractContextManager[None]:
        """Within the context the network can learn."""
        return training_mode(self._network)

    def step(self, real: Tensor, fakes: Tensor) -> None:
        """Learn to value `real` (N, C, H, W) above `fakes`, of the same shape."""
        of_real, of_fakes = self(torch.cat([real, fakes])).chunk(2)  # f(x) and f(G(z)), (n,) each
        distance = of_real.mean() - of_fakes.mean()  # E f(x) - E f(G(z)), maximised
        loss = -distance if self._params.lipschitz == "clipping" else self._penalty(real, fakes) - distance
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self._optimizer.step()
        if self._params.lipschitz == "clipping":
            clip_weights(self._network, self._params.clip)
        self.distances.append({"distance": distance})

    @property
    def stateful(self) -> dict[str, Any]:
        """Whatever a step changes."""
        parts = {"critic": self._network, "critic's optimizer": self._optimizer, "distances": self.distances}
        return {**parts, "penalty": self._noise}

    def _penalty(self, real: Tensor, fakes: Tensor) -> Tensor:
        ratio = torch.rand(len(real), 1, 1, 1, generator=self._noise, device=self._noise.device).to(real)
        return self._params.penalty * gradient_penalty(self, real.lerp(fakes, ratio))  # u between x and G(z)


def gradient_penalty(critic: Callable[[Tensor], Tensor], images: Tensor) -> Tensor:
    """(): E (||grad f(u)|| - 1)^2 over images u (N, C, H, W) (Gulrajani et al. 2017, equation 3)."""
    images = images.detach().requires_grad_(True)
    (gradient,) = torch.autograd.grad(critic(images).sum(), images, create_graph=True)
    norms: Tensor = torch.linalg.vector_norm(gradient.flatten(1), dim=1)
    return (norms - 1).square().mean()


@torch.no_grad()
def clip_weights(network: nn.Module, limit: float) -> None:
    """Clip every weight to [-limit, limit] (Arjovsky et al. 2017, algorithm 1)."""
    for weight in network.parameters():
        weight.clamp_(-limit, limit)


@torch.no_grad()
def update_average(average: nn.Module, network: nn.Module, decay: float) -> None:
    """average <- decay average + (1 - decay) network, running statistics included."""
    for mean, value in zip(average.state_dict().values(), network.state_dict().values(), strict=True):
        if mean.is_floating_point():
            mean.lerp_(value, 1 - decay)
        else:
            mean.copy_(value)  # the counter of batch normalisation


def adam(network: nn.Module, rate: float) -> torch.optim.Adam:
    """Adam without momentum, which harms a critic: the paper's RMSprop with its bias corrected."""
    return torch.optim.Adam(network.parameters(), rate, betas=(0.0, 0.9))


def _joined(batches: Iterator[np.ndarray], count: int) -> Iterator[np.ndarray]:
    """`count` minibatches at a time: those of the critic for one step of the generator."""
    while True:
        yield np.concatenate([next(batches) for _ in range(count)])
